"""What befalls a call: it is refused, its answer is lost, or the program that makes it dies."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from quant_platform_kit.testing._gcloud._services import change
from quant_platform_kit.testing._gcloud._state import AnswerLost, Refused, opened

_CALLS: Final = "calls"
_BARRIER: Final = "barrier"


class Strike(StrEnum):
    """What befalls one call."""

    DENIED = "denied"
    """It is answered that this may not be done."""
    LOST = "lost"
    """It does its work, and the answer is lost."""
    KILLED = "killed"
    """The program that makes it dies with it, before anything is done."""
    ORPHANED = "orphaned"
    """The program that makes it dies; the call goes on, and does its work."""
    UNHEARD = "unheard"
    """It does its work; the program that makes it dies before it hears of that."""
    CROSSED = "crossed"
    """Somebody changes a service by hand just before it."""


def due(folder: Path) -> Strike | None:
    """Count a call, and return what befalls it."""
    with opened(folder) as state:
        waiting = state["faults"].get("strikes", [])
        for each in waiting:
            each["calls"] -= 1
        struck = next((each for each in waiting if each["calls"] == 0), None)
        if struck is None:
            return None
        waiting.remove(struck)
        state["faults"].setdefault("struck", []).append(struck["how"])
        if struck["how"] == Strike.CROSSED:
            change(state, struck["service"], struck["sets"])
    return Strike(struck["how"])


def before(folder: Path, strike: Strike | None) -> None:
    """Let happen what comes before the work of a call."""
    if strike is Strike.DENIED:
        raise Refused("PERMISSION_DENIED: The caller does not have permission")
    if strike in (Strike.KILLED, Strike.ORPHANED):
        os.kill(os.getppid(), signal.SIGKILL)
    if strike is Strike.KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if strike is Strike.ORPHANED:
        with (folder / _BARRIER).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            for stream in (1, 2):  # nobody reads any more what it says
                os.dup2(file.fileno(), stream)


def after(strike: Strike | None) -> None:
    """Let happen what comes after the work of a call."""
    if strike is Strike.LOST:
        raise AnswerLost
    if strike is Strike.UNHEARD:
        os.kill(os.getppid(), signal.SIGKILL)


@contextmanager
def under_way(folder: Path) -> Iterator[None]:
    """Let it be known for the time of a call that there is one."""
    with (folder / _CALLS).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def barrier(folder: Path) -> Iterator[None]:
    """Let calls whose caller has died wait until the end of the block."""
    with (folder / _BARRIER).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait(folder: Path) -> None:
    """Wait until no call is under way, those among them of which the caller has died."""
    with (folder / _CALLS).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
