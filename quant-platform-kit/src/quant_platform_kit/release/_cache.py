"""What releases keep on a machine for themselves: it can be thrown away at any time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_HOME: Final = "quant-platform-kit"
_CHOSEN: Final = "RELEASE_CACHE"


def cache_folder(*parts: str) -> Path:
    """Return a folder of the cache, made where it is missing."""
    folder = _base().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _base() -> Path:
    if chosen := os.environ.get(_CHOSEN, ""):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / _HOME / "release"


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Let nobody else work on a folder of the cache; a lock ends with its process."""
    with folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def held(name: str) -> Iterator[int | None]:
    """Hold what has a name, and yield the open file that does; None while somebody else holds it.

    A program that is given the file holds it, too, until it ends.
    """
    with (cache_folder("held") / f"{name}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()
