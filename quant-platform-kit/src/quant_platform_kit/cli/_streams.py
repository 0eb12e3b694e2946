"""Standard streams that a command can rely on, whatever is at their other end.

A reader may go away (``qpk show | head``), a disk may be full, a terminal may know no Unicode, and
a stream may not be there at all. What a command has done it has done: it ends with its own exit
code, and never with a traceback about its output.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quant_platform_kit.cli._exit import ExitCode

if TYPE_CHECKING:
    from typing_extensions import Buffer

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make the standard streams reliable for the block, which ends by `SystemExit`.

    Raises
    ------
    SystemExit
        The block's own; with ``OUTPUT`` where it ended well, and its answer could not be written.
    """
    with _none_missing():
        try:
            number = sys.stdout.fileno()
        except io.UnsupportedOperation:  # none of the system's: whoever put it there minds it
            yield
            return
        with _written_to(number) as descriptor:
            try:
                yield
            except SystemExit as ended:
                sys.stdout.flush()
                if descriptor.fault:
                    said = f"qpk: the answer cannot be written: {descriptor.fault}."
                    print(said, file=sys.stderr)  # noqa: T201 (a command talks)
                    raise SystemExit(ended.code or ExitCode.OUTPUT) from None
                raise


@contextmanager
def _none_missing() -> Iterator[None]:
    """Open what the caller closed: a file that is opened later must not get a stream's number."""
    with ExitStack() as opened:
        for name, mode in _STREAMS:
            if getattr(sys, name) is None:
                nowhere = opened.enter_context(Path(os.devnull).open(mode, encoding="utf-8"))
                setattr(sys, name, nowhere)
                opened.callback(setattr, sys, name, None)
        yield


@contextmanager
def _written_to(number: int) -> Iterator[_Descriptor]:
    """Let standard output write to a descriptor that takes everything."""
    before, descriptor = sys.stdout, _Descriptor(number)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(descriptor),
        encoding=before.encoding,
        errors="replace",
        line_buffering=before.isatty(),
    )
    try:
        yield descriptor
    finally:
        sys.stdout.flush()
        sys.stdout = before


class _Descriptor(io.RawIOBase):
    """A file descriptor that takes everything: what nobody can read any more goes nowhere."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._is_open = True
        self.fault = ""

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        if self._is_open:
            try:
                return os.write(self._number, data)
            except BrokenPipeError:  # the reader has seen enough
                self._is_open = False
            except OSError as error:
                self._is_open = False
                self.fault = error.strerror or type(error).__name__
        return size
