"""The limits file: YAML with one key, ``risk``; strict about every name and value under it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.risk._keys import Unreadable, near_miss, read_section
from quant_platform_kit.risk._limits import EVERY_STRATEGY, Limits

_ROOT = "risk"


def load_limits(path: Path | None, strategies: Iterable[str] | None = None) -> Limits:
    """Read the limits file; without one the defaults count.

    Parameters
    ----------
    path : Path or None
    strategies : iterable of str, optional
        The profiles that run here, to refuse rules for another one: they would be for nothing.

    Raises
    ------
    SettingsError
        When the file cannot be read, or something in it is unknown, repeated or malformed; the
        message names the key. Nothing is guessed, and the service does not start.
    """
    if path is None:
        return Limits()
    limits = _read(path)
    if limits.kill_switch.auto_trigger_on_daily_loss and limits.loss.daily_loss_limit is None:
        raise _refused(
            path,
            f"{_ROOT}.kill_switch.auto_trigger_on_daily_loss = true, and there is no loss to "
            f"trigger it: set {_ROOT}.loss.daily_loss_limit, too.",
        )
    known = dict.fromkeys((*(strategies or ()), EVERY_STRATEGY))
    for name in limits.loss.strategies:
        if strategies is not None and name not in known:
            raise _refused(
                path,
                f"{_ROOT}.loss.strategies.{name} is no strategy of this service."
                + near_miss(name, known),
            )
    return limits


def _read(path: Path) -> Limits:
    try:
        data = yaml.load(path.read_bytes(), Loader=_TextLoader)  # noqa: S506 (builds text, lists and mappings alone)
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" in line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "not readable as text"
        raise _refused(path, f"is no YAML{line}: {problem}.") from error
    except RecursionError as error:
        raise _refused(path, "is nested too deeply to be read.") from error
    if not isinstance(data, dict) or set(data) != {_ROOT}:
        raise _refused(path, f"expected one key at the top, `{_ROOT}`, with everything under it.")
    try:
        return read_section(Limits, data[_ROOT])
    except Unreadable as error:
        raise _refused(path, f"{'.'.join((_ROOT, *error.path))} {error.problem}") from None


def _refused(path: Path, problem: str) -> SettingsError:
    return SettingsError(
        f"QPK_RISK_LIMITS_PATH, {path.name}: {problem}{'' if problem[-1] in '.?' else '.'} "
        "No limit was applied and the service did not start; the keys are listed in "
        "docs/reference/risk-limits.md."
    )


class _TextLoader(yaml.BaseLoader):
    """Leaves every value the text it is: a Decimal never passes through a float."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 (the base class's signature)
        """Build a mapping, and refuse a key that stands twice in it."""
        seen = set()
        for name, _ in node.value:
            if name.value in seen if isinstance(name.value, str) else True:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name.value!r} stands twice, or is no name", name.start_mark
                )
            seen.add(name.value)
        return super().construct_mapping(node, deep=deep)
