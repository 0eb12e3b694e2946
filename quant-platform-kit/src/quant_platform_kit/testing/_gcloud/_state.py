"""A project in a folder: one file, changed by one command at a time."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

State = dict[str, Any]

_FILE: Final = "state.json"
_LOCK: Final = "lock"


class Refused(Exception):
    """What gcloud answers when it does not do what it is asked.

    Parameters
    ----------
    text : str
    status : int
        Exit code: 1 from Google's side, 2 where the command line is wrong.
    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class AnswerLost(Exception):
    """The connection broke after Google had done its work."""


def create(folder: Path, project: str) -> None:
    """Begin a project in which there is nothing."""
    folder.mkdir(parents=True)
    state: State = {
        "project": project,
        "services": {},
        "jobs": {},
        "images": {},
        "secrets": {},
        "faults": {"denied": [], "failing": [], "lost": [], "slow": [], "builds": 0, "strikes": []},
    }
    (folder / _FILE).write_text(json.dumps(state), encoding="utf-8")


@contextmanager
def opened(folder: Path) -> Iterator[State]:
    """Yield the state while nobody else has it, and keep what the block changes.

    Changes of a block that ends in a refusal are kept too: a command may fail halfway.
    """
    path = folder / _FILE
    with (folder / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = path.read_text(encoding="utf-8")
        state: State = json.loads(before)
        try:
            yield state
        finally:
            after = json.dumps(state, indent=1)
            if after != before:
                written = path.with_suffix(".new")
                written.write_text(after, encoding="utf-8")
                written.replace(path)


def took(faults: list[str], name: str) -> bool:
    """Take a fault that was set once for a name; False when there is none."""
    if name not in faults:
        return False
    faults.remove(name)
    return True
