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
    """How an order names its price."""

    MARKET = "market"
    LIMIT = "limit"


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
class OrderRequest:
    """An order as it is handed to the broker; day orders in regular hours.

    `client_id` is deterministic and at most 40 characters, so that an order whose answer was
    lost can be found again.
    """

    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    limit_price_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse an order without identity, size, or a price where its type needs one."""
        check_text(self, "client_id", self.client_id)
        if len(self.client_id) > _CLIENT_ID_LIMIT:
            raise refuse(
                self, "client_id", self.client_id, f"at most {_CLIENT_ID_LIMIT} characters"
            )
        check_symbol(self, "symbol", self.symbol)
        check_member(self, "side", self.side, Side)
        check_positive(self, "quantity", self.quantity)
        if (self.order_type is OrderType.LIMIT) != (self.limit_price_usd is not None):
            raise refuse(
                self, "limit_price_usd", self.limit_price_usd, "a price for a limit order only"
            )
        if self.limit_price_usd is not None:
            check_positive(self, "limit_price_usd", self.limit_price_usd)


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
    """An order as the broker reports it; `client_id` is None when it is not one of ours."""

    broker_order_id: str
    client_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    status: OrderStatus
    submitted_at: datetime
    detail: str = ""

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
