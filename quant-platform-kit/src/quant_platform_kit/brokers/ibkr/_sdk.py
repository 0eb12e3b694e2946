"""The client library of Interactive Brokers, whichever of the two is installed, and its loop.

`ib_async` is the maintained successor of `ib_insync`; both have the same names. They are untyped,
so what they return is `Any` here and becomes a type of the kit in `_inbox`, `_orders` and `_rows`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeVar

from quant_platform_kit.errors import SettingsError

T = TypeVar("T")

_LIBRARIES: Final = ("ib_async", "ib_insync")
_GRACE_SECS: Final = 1.0  # the loop's own deadline comes first


def library_name() -> str:
    """Return the name of the installed library.

    Raises
    ------
    SettingsError
        When neither is installed, or both are: they share a dependency's folder and break each
        other.
    """
    found = [name for name in _LIBRARIES if find_spec(name) is not None]
    if not found:
        raise SettingsError(
            "The client library of Interactive Brokers is not installed; nothing was sent. "
            "Install quant-platform-kit[ibkr-async], or quant-platform-kit[ibkr]."
        )
    if len(found) > 1:
        raise SettingsError(
            f"{' and '.join(found)} are both installed and overwrite each other's parts; nothing "
            "was sent. Make a new environment with one of them."
        )
    return found[0]


def load_library() -> Any:  # noqa: ANN401 (an untyped module)
    """Import the installed library; from the main thread, where its events want a loop.

    Its own log is silenced: it writes whole orders and holdings, with the account they are in.
    """
    name = library_name()
    logging.getLogger(name).setLevel(logging.CRITICAL)
    return import_module(name)


class LoopThread:
    """The one event loop of the process, on a thread of its own; every library object lives there.

    The libraries look the loop up by thread and are not safe to call from another one: a request
    that is throttled there is never sent.
    """

    _shared: LoopThread | None = None
    _guard: Final = threading.Lock()

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True, name="ibkr-loop").start()
        started.wait()

    @classmethod
    def shared(cls) -> LoopThread:
        """Return the process's loop, started on first use."""
        with cls._guard:
            if cls._shared is None:
                cls._shared = cls()
            return cls._shared

    def run(self, work: Coroutine[Any, Any, T], secs: float) -> T:
        """Run `work` on the loop and return its result.

        Raises
        ------
        TimeoutError
            When it takes longer than `secs`; it is cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, secs), self._loop)
        try:
            return future.result(secs + _GRACE_SECS)
        except TimeoutError:
            future.cancel()
            raise

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(started.set)
        self._loop.run_forever()
