"""One running simulator: a host behind its door, which can begin anew on the same port."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Final, cast

from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._host import Door, Host, HostOptions, Serve

DOORS: Final = {
    "ibkr": "quant_platform_kit.simulators.tws",
    "longbridge": "quant_platform_kit.simulators.longbridge",
    "schwab": "quant_platform_kit.simulators.schwab",
}
"""Module of each broker's door, by platform."""


class Simulation:
    """A host and the door that serves it.

    Parameters
    ----------
    broker : str
        One of `DOORS`.
    options : HostOptions
    port : int
        Of the door; 0 takes a free one.
    """

    def __init__(self, broker: str, options: HostOptions, port: int = 0) -> None:
        if broker not in DOORS:
            raise ContractError(f"simulator {broker!r}: expected one of {', '.join(DOORS)}")
        self.broker = broker
        self._serve = cast("Serve", import_module(DOORS[broker]).serve)
        self._lock = threading.RLock()
        self.host = Host(options)
        self.door: Door = self._serve(self.host, port)

    def restart(self, options: HostOptions) -> None:
        """Begin with another account on the same port; every client is cut off."""
        with self._lock:
            host = Host(options)
            port = self.door.port
            self.door.close()
            self.host, self.door = host, self._serve(host, port)

    def close(self) -> None:
        """Stop serving."""
        with self._lock:
            self.door.close()
