"""The parent's side: one process, and the line to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from multiprocessing import Pipe
from typing import Final

READY: Final = b"ready"
"""A child's first message; every later one is an answer."""

_END_SECS: Final = 1.0
_ERR: Final = 2  # what a child prints must not end up in the answer of a command
_BOOTSTRAP: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from importlib import import_module; "
    "import_module(sys.argv[3]).serve(int(sys.argv[1]))"
)


class Child:
    """A process that runs a module's ``serve(descriptor)``, and the line to it.

    Started anew, never forked: a fork would take over locks and connections of the parent in
    whatever state they are. It ends when its parent does, however that ends; see `requests`.

    Parameters
    ----------
    module : str
        Full name of the module.
    variables : collection of str, optional
        Which of our environment it gets, for code that has no business with our secrets; all of
        it when left out.

    Raises
    ------
    OSError
        When the machine starts no process.
    """

    def __init__(self, module: str, variables: Collection[str] | None = None) -> None:
        ours = os.environ  # noqa: TID251 (passed on, not read)
        environment = {k: v for k, v in ours.items() if variables is None or k in variables}
        path = json.dumps(import_path())
        self.line, theirs = Pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-c", _BOOTSTRAP, str(theirs.fileno()), path, module],
                stdin=subprocess.DEVNULL,
                stdout=_ERR,
                env=environment,
                pass_fds=(theirs.fileno(),),
            )
        except OSError:
            self.line.close()
            raise
        finally:
            theirs.close()  # from here on the line ends when the process does

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def end(self) -> str:
        """Make sure that the process is gone, and say how it ended."""
        self.line.close()
        self._process.kill()
        return _ending(self._process.wait())

    def ending(self) -> str:
        """Say how a process that closed its line ended."""
        try:
            return _ending(self._process.wait(_END_SECS))
        except subprocess.TimeoutExpired:
            return self.end()
        finally:
            self.line.close()


def import_path() -> list[str]:
    """Return where modules are looked for, in words that travel."""
    return [str(place) for place in sys.path]


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
