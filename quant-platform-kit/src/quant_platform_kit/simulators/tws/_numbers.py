"""What the protocol calls an order: a number of its client's, and one that is unique for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

_FIRST_PERMANENT: Final = 1_900_000_000
_BY_HAND: Final = (0, 0)  # as TWS shows an order that no program placed


@dataclass(slots=True)
class Numbers:
    """The numbers of one account's orders.

    `of_client` is the pair (client's number, order's number at that client) by order id of the
    book. It is kept in `path`, as TWS keeps it through a restart; without one it lives as long as
    the door.
    """

    path: Path | None = None
    of_client: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def beside(cls, book: Path | None) -> Numbers:
        """Return the numbers that are kept beside a book's file."""
        if book is None:
            return cls()
        path = book.with_name(f"{book.name}.tws")
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        return cls(path, {order_id: (client, number) for order_id, client, number in rows})

    def note(self, order_id: str, client: int, number: int) -> None:
        """Remember what a client calls its order."""
        self.of_client[order_id] = (client, number)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([order_id, client, number]) + "\n")

    def taken(self, client: int, number: int) -> bool:
        """Tell whether the client has used the number."""
        return (client, number) in self.of_client.values()

    def pair(self, order_id: str) -> tuple[int, int]:
        """Return the client's number and the order's number at that client."""
        return self.of_client.get(order_id, _BY_HAND)

    def order_id(self, client: int, number: int) -> str | None:
        """Return the book's id of a client's order."""
        pair = (client, number)
        return next((key for key, value in self.of_client.items() if value == pair), None)

    def next_free(self) -> int:
        """Return a number that is larger than every one that was used."""
        return 1 + max((number for _, number in self.of_client.values()), default=0)


def permanent(order_id: str) -> int:
    """Return the number under which every client sees the order."""
    return _FIRST_PERMANENT + int(order_id.rpartition("-")[2])


def contract_id(symbol: str) -> int:
    """Return the number of a stock's contract."""
    return 1 + (crc32(symbol.encode()) & 0x3FFFFFFF)
