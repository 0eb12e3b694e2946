"""The process of an isolated broker: opens one adapter and makes the calls it is asked for."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Final

from quant_platform_kit.errors import PlatformError
from quant_platform_kit.workers import requests

_TALKATIVE: Final = ("httpx", "httpcore")  # their addresses hold account numbers


@dataclass(frozen=True, slots=True)
class Opening:
    """How an adapter is opened; everything in it travels to another process.

    Parameters
    ----------
    module, function : str
        ``function(**arguments)`` of the module returns a connected `Broker`.
    arguments : mapping of str to object
    """

    module: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def open(self) -> Any:  # noqa: ANN401 (a Broker; the port is not needed here)
        """Import the adapter, connect it and return it."""
        return getattr(import_module(self.module), self.function)(**self.arguments)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned, or the error of the platform's tree that it raised."""

    value: Any = None
    error: PlatformError | None = None


def serve(descriptor: int) -> None:
    """Open what the first request says, then make calls, in order, until the parent is gone."""
    line: Connection[bytes, bytes] = Connection(descriptor)
    asked = requests(line)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    opening: Opening = pickle.loads(next(asked))  # noqa: S301 (our own parent's words)
    broker: Any = None
    try:
        broker = opening.open()
        answer = Outcome()
    except PlatformError as error:
        answer = Outcome(error=error)
    line.send_bytes(pickle.dumps(answer))
    if broker is None:
        return
    for request in asked:
        name, arguments = pickle.loads(request)  # noqa: S301 (our own parent's words)
        line.send_bytes(pickle.dumps(_call(broker, name, arguments)))


def _call(broker: Any, name: str, arguments: tuple[Any, ...]) -> Outcome:  # noqa: ANN401 (any adapter)
    try:
        found = getattr(broker, name)
        return Outcome(found(*arguments) if callable(found) else found)
    except PlatformError as error:
        return Outcome(error=error)
