"""Calls a witness: another process that is asked the same questions, and watched."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from quant_platform_kit.contracts import FeatureSnapshot
from quant_platform_kit.strategy import StrategyContext, StrategyModule

_WITNESS: Final = "quant_platform_kit.testing._strategy_witness"
_START_SECS: Final = 60.0  # a busy machine takes seconds to start a process

# Whatever a decision must not depend on is different there.
_ELSEWHERE: Final = {"PYTHONHASHSEED": "20010911", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the witness saw.

    Parameters
    ----------
    answers : tuple of str
        Canonical JSON of each decision, in the order of the cases.
    touched : tuple of str
        What the strategy reached for outside its inputs, each once.
    """

    answers: tuple[str, ...]
    touched: tuple[str, ...]


def summon(
    module: StrategyModule, contexts: Sequence[StrategyContext], timeout_secs: float
) -> Testimony | None:
    """Ask a strategy in a process of its own; None when no other process can import it.

    Raises
    ------
    AssertionError
        When the other process cannot be told the questions, or does not answer.
    """
    name, file = getattr(module, "__name__", ""), getattr(module, "__file__", None)
    if file is None:
        return None
    done = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", _WITNESS],
        input=_question(name, file, contexts),
        capture_output=True,
        check=False,
        env={**_ELSEWHERE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=_START_SECS + timeout_secs * len(contexts),
    )
    if done.returncode != 0:
        *_, last = done.stderr.decode(errors="replace").splitlines() or ["no word"]
        raise AssertionError(f"another process cannot run {name}: {last}")
    said = json.loads(done.stdout)
    return Testimony(tuple(said["answers"]), tuple(said["touched"]))


def _question(name: str, file: str, contexts: Sequence[StrategyContext]) -> bytes:
    stream = io.BytesIO()
    pickle.dump((name, file), stream)
    try:
        # After the module's name: its Config can only be read once it is imported.
        pickle.dump([_plain(context) for context in contexts], stream)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(
            f"the inputs of {name} cannot travel to another process, which strategies that run in "
            f"parallel do: {error}"
        ) from error
    return stream.getvalue()


def _plain(context: StrategyContext) -> StrategyContext:
    """Return the context in mappings that travel: a read-only view does not."""
    sleeve = context.sleeve
    return replace(
        context,
        history=dict(context.history),
        snapshot=None if context.snapshot is None else _plain_snapshot(context.snapshot),
        sleeve=replace(
            sleeve,
            quantities=dict(sleeve.quantities),
            values_usd=dict(sleeve.values_usd),
            bought_usd=dict(sleeve.bought_usd),
        ),
    )


def _plain_snapshot(snapshot: FeatureSnapshot) -> FeatureSnapshot:
    return FeatureSnapshot(
        replace(snapshot.manifest, sources=dict(snapshot.manifest.sources)),
        tuple(replace(row, features=dict(row.features)) for row in snapshot.rows),
    )
