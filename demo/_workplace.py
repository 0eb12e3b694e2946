"""The folder that one run of the demo fills: emptied at the start, locked while in use."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from demo._errors import DemoError

_MARKER = ".made-by-the-demo"


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Hold `folder` for one run: made or emptied at the start, never shared with another run.

    Raises
    ------
    DemoError
        When the folder holds something the demo did not make, cannot be written, or another run
        is using it.
    """
    marker = folder / _MARKER
    if folder.exists() and not marker.exists() and (folder.is_file() or any(folder.iterdir())):
        raise DemoError(
            f"{folder} was not made by the demo, so nothing in it was touched. Name another folder "
            "with --output."
        )
    with _made(folder, marker) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"Another demo is using {folder}. Stop it, or name another folder with --output."
            ) from None
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry != marker:
                entry.unlink()
        yield folder


def _made(folder: Path, marker: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return marker.open("a")
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be written: {error.strerror}. Name another folder with --output."
        ) from error
