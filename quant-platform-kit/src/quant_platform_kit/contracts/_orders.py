"""Orders and fills, as they cross the broker's door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_instant,
    check_member,
    check_positive,
    check_symbol,
    check_text,
    refuse,
)

_CLIENT_ID_LIMIT = 40  # the shortest client tag among the supported brokers


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order names its price.

    MARKET trades at once, LIMIT at its price or a better one. The others wait for their trigger,
    the price beyond which the holder does not want to be: a sale waits for a fall to it, a
    purchase for a rise. STOP then trades at once, STOP_LIMIT is a limit order from then on. The
    trigger of a TRAILING_STOP follows the price at a fixed ratio, and never away from it.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order works: to the close of its session, or until it is cancelled."""

    DAY = "day"
    GTC = "gtc"


class Purpose(StrEnum):
    """What an order is for.

    REBALANCE: a leg of a plan. STOP and TRAILING: protection of a holding that a strategy asked
    for. CLOSE and FLATTEN: an operator's command.
    """

    REBALANCE = "rebalance"
    STOP = "stop"
    TRAILING = "trailing"
    CLOSE = "close"
    FLATTEN = "flatten"

    @property
    def protects(self) -> bool:
        """True for an order that waits for a price to protect a holding."""
        return self in _PROTECTING


_PROTECTING = frozenset({Purpose.STOP, Purpose.TRAILING})
_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TRIGGERED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_MAY_BEGIN_AT = (OrderType.TRAILING_STOP, "stop_price_usd")


class OrderStatus(StrEnum):
    """Where an order stands; see `is_final`."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNRESOLVED = "unresolved"

    @property
    def is_final(self) -> bool:
        """True when the order can never fill again."""
        return self in _FINAL


_FINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class SubmitOutcome(StrEnum):
    """What is known after a submission.

    ACKED: the broker has it. REJECTED: the broker proved it does not. DENIED: we refused before
    any I/O. UNRESOLVED: anything else; query, never resubmit.
    """

    ACKED = "acked"
    REJECTED = "rejected"
    DENIED = "denied"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """At which price an order trades, and how long it works.

    Parameters
    ----------
    order_type : OrderType
    limit_price_usd : Decimal or None
        Worst price of a LIMIT or a triggered STOP_LIMIT; only they have one.
    stop_price_usd : Decimal or None
        Trigger of a STOP or STOP_LIMIT. A TRAILING_STOP may have one to begin with: its own
        counts from where it is the closer one.
    trailing_ratio : Decimal or None
        Distance of a TRAILING_STOP's trigger from the best price seen, between 0 and 1.
    time_in_force : TimeInForce
        A market order never outlives its session.
    """

    order_type: OrderType = OrderType.MARKET
    limit_price_usd: Decimal | None = None
    stop_price_usd: Decimal | None = None
    trailing_ratio: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        """Refuse a price that the type does not have, and a type without its price."""
        _check_terms(self)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it is handed to the broker, for regular hours.

    `client_id` is deterministic and at most 40 characters, so that an order whose answer was
    lost can be found again. `parent_client_id` names the order whose purchase this one protects;
    a broker that does not link orders may ignore it. The other fields are those of `OrderTerms`.
    """

    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    limit_price_usd: Decimal | None = None
    stop_price_usd: Decimal | None = None
    trailing_ratio: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    parent_client_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse an order without identity or size, or whose prices do not fit its type."""
        check_text(self, "client_id", self.client_id)
        if len(self.client_id) > _CLIENT_ID_LIMIT:
            raise refuse(
                self, "client_id", self.client_id, f"at most {_CLIENT_ID_LIMIT} characters"
            )
        check_symbol(self, "symbol", self.symbol)
        check_member(self, "side", self.side, Side)
        check_positive(self, "quantity", self.quantity)
        _check_terms(self)
        if self.parent_client_id is not None:
            check_text(self, "parent_client_id", self.parent_client_id)


def _check_terms(order: OrderTerms | OrderRequest) -> None:
    kind = order.order_type
    check_member(order, "order_type", kind, OrderType)
    check_member(order, "time_in_force", order.time_in_force, TimeInForce)
    for field, needed in (
        ("limit_price_usd", kind in _LIMITED),
        ("stop_price_usd", kind in _TRIGGERED),
        ("trailing_ratio", kind is OrderType.TRAILING_STOP),
    ):
        price = getattr(order, field)
        if needed or (price is not None and (kind, field) == _MAY_BEGIN_AT):
            check_positive(order, field, price)
        elif price is not None:
            raise refuse(order, field, price, f"none for a {kind.value} order")
    if order.trailing_ratio is not None and order.trailing_ratio >= 1:
        raise refuse(order, "trailing_ratio", order.trailing_ratio, "a Decimal below 1")
    if kind is OrderType.MARKET and order.time_in_force is not TimeInForce.DAY:
        raise refuse(order, "time_in_force", order.time_in_force, "day for a market order")


@dataclass(frozen=True, slots=True)
class Submission:
    """The broker's answer to one submission."""

    outcome: SubmitOutcome
    broker_order_id: str | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        """Refuse an acknowledgement without the broker's order id."""
        if self.outcome is SubmitOutcome.ACKED and not self.broker_order_id:
            raise refuse(
                self, "broker_order_id", self.broker_order_id, "an id with an ACKED answer"
            )


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker reports it; `client_id` is None when it is not one of ours.

    Of an order that has ended, some brokers no longer tell its size: then `quantity` is what
    filled of it.
    `trigger_price_usd` is the price that a stop waited for when it was last looked at; a trailing
    stop's moves. None for an order without a trigger.
    """

    broker_order_id: str
    client_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    status: OrderStatus
    submitted_at: datetime
    detail: str = ""
    order_type: OrderType = OrderType.MARKET
    trigger_price_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse a fill beyond the order."""
        check_text(self, "broker_order_id", self.broker_order_id)
        check_symbol(self, "symbol", self.symbol)
        check_positive(self, "quantity", self.quantity)
        check_decimal(self, "filled_quantity", self.filled_quantity, least=ZERO)
        check_instant(self, "submitted_at", self.submitted_at)
        if self.filled_quantity > self.quantity:
            raise refuse(self, "filled_quantity", self.filled_quantity, f"at most {self.quantity}")


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; `fill_id` is the broker's and makes a duplicate recognisable."""

    fill_id: str
    broker_order_id: str
    client_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    price_usd: Decimal
    fee_usd: Decimal
    at: datetime

    def __post_init__(self) -> None:
        """Refuse a fill without identity, size or price."""
        check_text(self, "fill_id", self.fill_id)
        check_text(self, "broker_order_id", self.broker_order_id)
        check_symbol(self, "symbol", self.symbol)
        check_positive(self, "quantity", self.quantity)
        check_positive(self, "price_usd", self.price_usd)
        check_decimal(self, "fee_usd", self.fee_usd, least=ZERO)
        check_instant(self, "at", self.at)
