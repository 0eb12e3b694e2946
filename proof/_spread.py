"""Work spread over processes, with progress on the terminal."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], pieces: Sequence[T], what: str) -> Iterator[R]:
    """Do `work` on every piece, as many at once as there are cores; yield results as they come."""
    started = time.monotonic()
    # New interpreters: a fork would copy the parent's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=be_quiet) as pool:
        waiting = [pool.submit(work, piece) for piece in pieces]
        for number, done in enumerate(as_completed(waiting), 1):
            yield done.result()
            seconds = time.monotonic() - started
            show(f"{what}: {number} of {len(waiting)} parts, {seconds:.0f} s")
    show("")


def be_quiet() -> None:
    """Keep the platform's logs out of the terminal: here everything goes wrong on purpose."""
    logging.disable(logging.CRITICAL)


def show(line: str) -> None:
    """Show a line of progress over the last one; nothing where nobody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
