"""Work spread over processes, with progress, and no process left behind."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_A_LINE_EVERY_SECS: Final = 15.0  # where nobody watches: a log is not a screen


class _Voice:
    """Where this process says how it goes."""

    to_parent: Connection | None = None
    said_at = 0.0


def spread(
    work: Callable[[T], R], pieces: Sequence[T], what: str, *, per_core: int = 1
) -> Iterator[R]:
    """Do `work` on every piece, `per_core` at once on each core; yield results as they come.

    More than one on a core is for work that mostly waits. However the caller ends, the processes
    end first, and what they have started with them.

    Raises
    ------
    ChildProcessError
        When a process ended in the middle of its work.
    """
    started = time.monotonic()
    # New interpreters: a fork would copy the parent's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    left, done = list(reversed(pieces)), 0
    processes: list[Any] = []
    lines: list[Connection] = []
    try:
        for _ in range(min(len(pieces), per_core * (os.cpu_count() or 1))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, work), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            lines.append(ours)
            ours.send(left.pop())
        while lines:
            ready = wait(lines)
            for line in [line for line in lines if line in ready]:
                kind, answer = _receive(line)
                if kind == "says":
                    show(answer)
                    continue
                if left:
                    line.send(left.pop())
                else:
                    lines.remove(line)
                    line.close()
                done += 1
                yield answer
                show(_progress(what, done, len(pieces), time.monotonic() - started))
    finally:
        if done < len(pieces):  # else each ends by itself
            for process in processes:
                process.terminate()
        for line in lines:  # one whose SIGTERM was lost, in a destructor say, finds nobody to serve
            line.close()
        for process in processes:
            process.join()
        show("")


def end_politely() -> None:
    """Let SIGTERM and Ctrl-C end this process so that what must be put away is put away.

    A shell lets what it runs in the background ignore the latter; this sets it again.
    """

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def be_quiet() -> None:
    """Keep the platform's logs out of the terminal: here everything goes wrong on purpose."""
    logging.disable(logging.CRITICAL)


def show(line: str) -> None:
    """Show a line of progress over the last one; one now and then where nobody watches."""
    if _Voice.to_parent is not None:
        _Voice.to_parent.send(("says", line))
    elif sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
    elif line and time.monotonic() > _Voice.said_at + _A_LINE_EVERY_SECS:
        _Voice.said_at = time.monotonic()
        print(line, file=sys.stderr, flush=True)


def _progress(what: str, done: int, of: int, seconds: float) -> str:
    ahead = seconds / done * (of - done)
    return f"{what}: {done} of {of} parts, {seconds:.0f} s, about {ahead:.0f} s to go"


def _receive(line: Connection) -> tuple[str, Any]:
    try:
        kind, answer = line.recv()
    except (EOFError, ConnectionResetError) as error:
        raise ChildProcessError(
            "A process of the proof ended in the middle of its work."
        ) from error
    if kind == "raised":
        raise answer
    return kind, answer


def _serve(line: Connection, work: Callable[[Any], Any]) -> None:
    """Work on what comes over the line until it is closed."""
    end_politely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    threading.Thread(target=_follow_parent, daemon=True).start()
    be_quiet()
    _Voice.to_parent = line
    while True:
        try:
            piece = line.recv()
        except (EOFError, OSError):
            return
        try:
            answer = ("done", work(piece))
        except Exception as error:  # noqa: BLE001 (raised again in the parent)
            answer = ("raised", error)
        try:
            line.send(answer)
        except OSError:
            return


def _follow_parent() -> None:
    """End with the parent, even when nobody could tell us that it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
