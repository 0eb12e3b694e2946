"""A worker process: asks one strategy after the other, until its parent is gone."""

from __future__ import annotations

import importlib
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from quant_platform_kit.strategy._answer import ask, blocked_by, write_answer
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._transport import unpack
from quant_platform_kit.workers import READY, requests

_WARM: Final = ("asyncio", "quant_platform_kit.market.indicators")
"""What strategies use and what takes longest to import."""


def serve(descriptor: int) -> None:
    """Answer parcels that arrive on the socket `descriptor`, in order, for ever."""
    line: Connection[bytes, bytes] = Connection(descriptor)
    parcels = requests(line)
    for module in _WARM:
        importlib.import_module(module)
    line.send_bytes(READY)
    for parcel in parcels:
        line.send_bytes(_answer(parcel).encode())


def _answer(parcel: bytes) -> str:
    asked = attempt(partial(unpack, parcel))
    return write_answer(blocked_by(asked)) if isinstance(asked, Failure) else ask(*asked)
