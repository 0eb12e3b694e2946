"""What can happen to a simulated account, and the one-line text form of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeAlias

from quant_platform_kit.contracts import (
    Fill,
    MovementKind,
    OrderRequest,
    Position,
    canonical,
    decode,
    encode,
)
from quant_platform_kit.errors import ContractError


@dataclass(frozen=True, slots=True)
class Opened:
    """The account begins: cash, the part of it that cannot pay for purchases, and holdings."""

    account_id: str
    cash_usd: Decimal
    at: datetime
    withheld_usd: Decimal = Decimal(0)
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order is on the book.

    Parameters
    ----------
    order_id : str
    request : OrderRequest
    price_usd : Decimal
        At which it fills, or at which a resting purchase reserves cash.
    at : datetime
    expires_at : datetime or None
        When it leaves the book by itself.
    fills_at : datetime or None
        When what is left of it fills by itself.
    trigger_usd : Decimal or None
        The price a stop waits for to begin with; None when it was there already.
    """

    order_id: str
    request: OrderRequest
    price_usd: Decimal
    at: datetime
    expires_at: datetime | None = None
    fills_at: datetime | None = None
    trigger_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """A new session priced a symbol for which an order waits."""

    symbol: str
    price_usd: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Filled:
    """Some or all of an order was executed.

    Parameters
    ----------
    fill : Fill
    settles_at : datetime or None
        When the proceeds of a sale can pay for a purchase; None when they can at once.
    """

    fill: Fill
    settles_at: datetime | None = None

    @property
    def at(self) -> datetime:
        """When it was executed."""
        return self.fill.at


@dataclass(frozen=True, slots=True)
class Refused:
    """An order was turned down; it was never on the book, but it can be found."""

    order_id: str
    request: OrderRequest
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What was left of an order was taken off the book, on request or by the venue."""

    order_id: str
    at: datetime
    detail: str = "Cancelled on request."


@dataclass(frozen=True, slots=True)
class Expired:
    """What was left of an order went with its session's close, or could not be paid."""

    order_id: str
    at: datetime
    detail: str = "Its session closed."


@dataclass(frozen=True, slots=True)
class Settled:
    """Proceeds of sales can pay for purchases from now on."""

    amount_usd: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """A cash dividend on the shares that were held before its ex-date."""

    symbol: str
    ex_date: date
    shares: Decimal
    amount_usd: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Split:
    """The shares of a symbol became more or fewer.

    Parameters
    ----------
    symbol : str
    ex_date : date
    before, after : Decimal
        Shares held.
    paid_usd : Decimal
        Cash for the fraction of a share that `after` leaves out.
    at : datetime
    """

    symbol: str
    ex_date: date
    before: Decimal
    after: Decimal
    paid_usd: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """Cash came or went for a reason outside the market, such as a deposit or a fee."""

    kind: MovementKind
    amount_usd: Decimal
    at: datetime
    symbol: str | None = None
    text: str = ""


Event: TypeAlias = (
    Opened
    | Accepted
    | Priced
    | Filled
    | Refused
    | Cancelled
    | Expired
    | Settled
    | Paid
    | Split
    | Moved
)
"""One thing that happened; a book is the fold of its events."""

_KINDS: Final[dict[str, type[Event]]] = {
    "opened": Opened,
    "order": Accepted,
    "price": Priced,
    "fill": Filled,
    "reject": Refused,
    "cancel": Cancelled,
    "expire": Expired,
    "settle": Settled,
    "dividend": Paid,
    "split": Split,
    "cash": Moved,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def to_line(events: Sequence[Event]) -> str:
    """Return events that happened together as one line of JSON, without its line end."""
    return canonical([{"event": _NAMES[type(event)], **encode(event)} for event in events])


def from_line(line: str) -> tuple[Event, ...]:
    """Read the events of one line back.

    Raises
    ------
    ContractError
        When the line is not one that `to_line` writes.
    """
    try:
        rows = json.loads(line)
        kinds = [_KINDS[row.pop("event")] for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"not a list of book events: {error!r}") from error
    if not kinds:
        raise ContractError("a line without events")
    return tuple(decode(kind, row) for kind, row in zip(kinds, rows, strict=True))
