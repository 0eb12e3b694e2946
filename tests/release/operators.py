"""What operators do to a service, each command in a process of its own, which may be killed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Final

from quant_platform_kit.errors import ReleaseRefused
from quant_platform_kit.release import (
    Patience,
    adopt,
    plan_deployment,
    plan_rollback,
    plan_switch,
    verify_live,
)
from tests.desk import Desk

SERVICE: Final = "rebalancer-ibkr"
NOW: Final = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)

Words = tuple[str, str]


class Broken(Exception):
    """Something that always has to hold did not."""


@dataclass(frozen=True)
class Outcome:
    """What became of a command: `said` is what it refused with, empty when it did its work."""

    died: bool = False
    said: str = ""

    @property
    def is_done(self) -> bool:
        return not (self.died or self.said)

    def __str__(self) -> str:
        return "died" if self.died else f"refused: {self.said}" if self.said else "done"


def _switch(desk: Desk, patience: Patience, profile: str) -> None:
    found = plan_switch(desk.layout, SERVICE, profile)
    if found.is_needed:
        found.change.make(why="", now=NOW, patience=patience)


def _deploy(desk: Desk, patience: Patience, _: str) -> None:
    place = desk.layout.platform("ibkr")
    plan_deployment(desk.layout, place).make(why="", now=NOW, patience=patience)


def _rollback(desk: Desk, patience: Patience, _: str) -> None:
    place = desk.layout.platform("ibkr")
    plan_rollback(desk.layout, place, SERVICE).make(why="", now=NOW, patience=patience)


def _verify(desk: Desk, _: Patience, __: str) -> None:
    verify_live(desk.layout, SERVICE, heartbeat="")


def _adopt(desk: Desk, _: Patience, __: str) -> None:
    adopt(desk.layout, SERVICE, why="by hand", now=NOW)


COMMANDS: Final[dict[str, Callable[[Desk, Patience, str], None]]] = {
    "switch": _switch,
    "deploy": _deploy,
    "rollback": _rollback,
    "verify": _verify,
    "adopt": _adopt,
}

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.release.operators"])


def begin(desk: Desk, words: Words, looks: int = 2) -> Callable[[], Outcome]:
    """Begin a command, and return what waits for its end."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    told = (dict(os.environ), desk, words, looks, theirs)
    process = _CONTEXT.Process(target=_perform, args=told)
    process.start()
    theirs.close()

    def end() -> Outcome:
        try:
            outcome = Outcome(said=ours.recv())
        except EOFError:
            outcome = Outcome(died=True)
        process.join()
        require(outcome.died == (process.exitcode != 0), f"{words}: a defect ended it")
        require(process.exitcode in (0, -9), f"{words}: a defect ended it")
        return outcome

    return end


def _perform(
    environment: dict[str, str], desk: Desk, words: Words, looks: int, told: Connection
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    said = ""
    try:
        COMMANDS[words[0]](desk, Patience(pause_secs=0, attempts=looks), words[1])
    except ReleaseRefused as refusal:
        said = refusal.message
    told.send(said)


def require(holds: object, rule: str) -> None:
    """Refuse what has to hold and does not."""
    if not holds:
        raise Broken(rule)
