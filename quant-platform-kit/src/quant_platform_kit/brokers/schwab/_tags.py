"""Which order at Schwab is which of ours: Schwab keeps no client id, so we do.

A line is on disk before its order is sent. An order whose answer was lost is then found again by
its own facts among the orders that were not there before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from quant_platform_kit.brokers._access import Notebook
from quant_platform_kit.contracts import OrderRequest, canonical, revive
from quant_platform_kit.errors import ContractError, StopAndTell, TransientError


class Fate(StrEnum):
    """What is known of an order: it was sent; Schwab has it; Schwab does not have it."""

    SENT = "sent"
    BOUND = "bound"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SentOrder:
    """One order of ours.

    Parameters
    ----------
    request : OrderRequest
    sent_at : datetime
        Before it was sent, on the adapter's clock.
    known : tuple of str
        Ids of the symbol's orders that were there before.
    fate : Fate
    order_id : str or None
        With `Fate.BOUND`.
    """

    request: OrderRequest
    sent_at: datetime
    known: tuple[str, ...]
    fate: Fate = Fate.SENT
    order_id: str | None = None


class TagMemory(Protocol):
    """Remembers every order that was sent, the latest word on each."""

    def orders(self) -> Mapping[str, SentOrder]:
        """Return the orders by client id, oldest first."""

    def note(self, order: SentOrder) -> None:
        """Remember an order, or what became of it, before returning."""


class InMemoryTags:
    """A memory that ends with the process: for accounts that do as well."""

    __slots__ = ("_orders",)

    def __init__(self) -> None:
        self._orders: dict[str, SentOrder] = {}

    def orders(self) -> Mapping[str, SentOrder]:
        """Return the orders by client id."""
        return self._orders

    def note(self, order: SentOrder) -> None:
        """Remember an order."""
        self._orders[order.request.client_id] = order


class NotedTags:
    """A memory beside the platform's own: the latest line about an order counts."""

    __slots__ = ("_last", "_notebook", "_orders")

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._last = 0
        self._orders: dict[str, SentOrder] = {}

    def orders(self) -> Mapping[str, SentOrder]:
        """Return the orders by client id; what another process wrote is among them.

        Raises
        ------
        TransientError
            When they cannot be read now.
        StopAndTell
            When a line cannot be read.
        """
        for number, line in self._notebook.lines_after(self._last):
            order = _read(line, "The platform's store")
            self._orders[order.request.client_id] = order
            self._last = number
        return self._orders

    def note(self, order: SentOrder) -> None:
        """Have a line kept."""
        self._notebook.append(canonical(order))


class TagFile:
    """A memory of JSON lines; a line that was cut off by a kill was never followed by an order."""

    __slots__ = ("_good_bytes", "_orders", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._good_bytes = -1
        self._orders: dict[str, SentOrder] = {}

    def orders(self) -> Mapping[str, SentOrder]:
        """Return the orders by client id; what another process wrote is among them.

        Raises
        ------
        TransientError
            When the file cannot be opened.
        StopAndTell
            When a whole line of it cannot be read.
        """
        try:
            data = self._path.read_bytes() if self._is_new() else None
        except OSError as error:
            raise self._unusable(error) from error
        if data is not None:
            self._good_bytes = data.rfind(b"\n") + 1
            whole = data[: self._good_bytes].splitlines()
            read = (_read(line, f"The file {self._path.name}") for line in whole)
            self._orders = {order.request.client_id: order for order in read}
        return self._orders

    def note(self, order: SentOrder) -> None:
        """Append a line and see it on disk."""
        self.orders()
        line = canonical(order).encode() + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.truncate(self._good_bytes)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unusable(error) from error
        self._good_bytes += len(line)
        self._orders[order.request.client_id] = order

    def _is_new(self) -> bool:
        try:
            return self._path.stat().st_size != self._good_bytes
        except FileNotFoundError:
            self._good_bytes, self._orders = 0, {}
            return False

    def _unusable(self, error: OSError) -> TransientError:
        return TransientError(
            f"The file {self._path.name}, which knows our orders at Schwab, cannot be used "
            f"({error.strerror}); nothing was sent. Check the folder's space and rights."
        )


def _read(line: str | bytes, where: str) -> SentOrder:
    try:
        return revive(SentOrder, json.loads(line))
    except (ContractError, ValueError) as error:
        raise StopAndTell(
            f"{where}, which knows our orders at Schwab, cannot be read ({error}); nothing was "
            "sent. Restore it, or move it away and compare the account with the ledger before the "
            "next run."
        ) from error
