"""A worker process: asks one strategy after the other, until its parent is gone."""

from __future__ import annotations

import importlib
import os
import signal
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Final, NoReturn

from quant_platform_kit.strategy._answer import ask, blocked_by, write_answer
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._transport import unpack

READY: Final = b"ready"
"""A worker's first message; every later one is an answer."""

_WARM: Final = ("asyncio", "quant_platform_kit.market.indicators")
"""What strategies use and what takes longest to import."""


def serve(descriptor: int) -> NoReturn:
    """Answer parcels that arrive on the socket `descriptor`, in order, for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    line: Connection[bytes, bytes] = Connection(descriptor)
    parcels: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(line, parcels), daemon=True).start()
    for module in _WARM:
        importlib.import_module(module)
    line.send_bytes(READY)
    while True:
        line.send_bytes(_answer(parcels.get()).encode())


def _listen(line: Connection[bytes, bytes], parcels: SimpleQueue[bytes]) -> NoReturn:
    # In a thread of its own, so that the end of the parent is noticed during a long decision.
    while True:
        try:
            parcels.put(line.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def _answer(parcel: bytes) -> str:
    asked = attempt(partial(unpack, parcel))
    return write_answer(blocked_by(asked)) if isinstance(asked, Failure) else ask(*asked)
