"""Rows of the journal as the rest of the house sees them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from quant_platform_kit.contracts import (
    Leg,
    OrderLine,
    OrderRequest,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
    canonical,
    revive,
)
from quant_platform_kit.errors import ReasonCode

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

_AT_MARKET: Final = OrderTerms()


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that is meant: its leg, what it is for, and at which price it trades.

    `parent_client_id` is the order whose purchase it protects.
    """

    leg: Leg
    purpose: Purpose = Purpose.REBALANCE
    terms: OrderTerms = _AT_MARKET
    parent_client_id: str | None = None


@dataclass(frozen=True, slots=True)
class JournalOrder:
    """One row of the journal: what was meant, and how far it is known to have come.

    `sent_at` is when it was about to be handed to the broker; None for one that never was.
    """

    client_id: str
    run_key: str
    symbol: str
    side: Side
    quantity: Decimal
    status: OrderStatus
    broker_order_id: str | None
    code: ReasonCode | None
    detail: str
    leg: Leg
    created_at: datetime
    purpose: Purpose = Purpose.REBALANCE
    terms: OrderTerms = _AT_MARKET
    parent_client_id: str | None = None
    sent_at: datetime | None = None

    def request(self) -> OrderRequest:
        """Return the order as it is handed to the broker."""
        terms = self.terms
        return OrderRequest(
            self.client_id,
            self.symbol,
            self.side,
            self.quantity,
            terms.order_type,
            terms.limit_price_usd,
            terms.stop_price_usd,
            terms.trailing_ratio,
            terms.time_in_force,
            self.parent_client_id,
        )


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order that bought shares, and what they cost on average, without fees."""

    order: JournalOrder
    quantity: Decimal
    average_price_usd: Decimal


def client_id(run_key: str, symbol: str, side: Side, number: int) -> str:
    """Return the deterministic id of the `number`-th order of `symbol` in a run.

    The same order of the same run has the same id on every attempt, so a broker that already has
    it can be asked for it. 28 characters, within every supported broker's limit.
    """
    text = f"{run_key}|{symbol}|{side.value}|{number}"
    code = base64.b32encode(hashlib.sha256(text.encode()).digest()[:15]).decode().lower()
    return f"qpk-{code}"


@dataclass(frozen=True, slots=True)
class Booked:
    """What the fills of an order add up to."""

    quantity: Decimal = Decimal(0)
    notional_usd: Decimal = Decimal(0)
    fee_usd: Decimal = Decimal(0)


def row_of(draft: Draft, run_key: str, number: int, position: int, now: datetime) -> dict[str, Any]:
    """Return the row of an order that is meant, PENDING.

    Parameters
    ----------
    draft : Draft
    run_key : str
    number : int
        Of its symbol in its run, from 0.
    position : int
        In the order of submission, from 0.
    now : datetime
    """
    leg, terms = draft.leg, draft.terms
    return {
        "client_id": client_id(run_key, leg.symbol, leg.side, number),
        "run_key": run_key,
        "number": number,
        "position": position,
        "purpose": draft.purpose.value,
        "parent_client_id": draft.parent_client_id,
        "symbol": leg.symbol,
        "side": leg.side.value,
        "quantity": leg.quantity,
        "order_type": terms.order_type.value,
        "limit_price_usd": terms.limit_price_usd,
        "stop_price_usd": terms.stop_price_usd,
        "trailing_ratio": terms.trailing_ratio,
        "time_in_force": terms.time_in_force.value,
        "status": OrderStatus.PENDING.value,
        "sent_at": None,
        "broker_order_id": None,
        "code": None,
        "detail": "",
        "leg": canonical(leg),
        "created_at": now,
        "updated_at": now,
    }


def order_of(
    row: Mapping[str, Any] | RowMapping, leg: Leg | None = None, terms: OrderTerms | None = None
) -> JournalOrder:
    """Read a row; `leg` and `terms` are its own, where they are at hand."""
    return JournalOrder(
        client_id=row["client_id"],
        run_key=row["run_key"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        status=OrderStatus(row["status"]),
        broker_order_id=row["broker_order_id"],
        code=None if row["code"] is None else ReasonCode(row["code"]),
        detail=row["detail"],
        leg=leg or revive(Leg, json.loads(row["leg"])),
        created_at=row["created_at"],
        purpose=Purpose(row["purpose"]),
        terms=terms or _terms(row),
        parent_client_id=row["parent_client_id"],
        sent_at=row["sent_at"],
    )


def _terms(row: Mapping[str, Any] | RowMapping) -> OrderTerms:
    kind = OrderType(row["order_type"])
    if kind is OrderType.MARKET:
        return _AT_MARKET
    return OrderTerms(
        kind,
        row["limit_price_usd"],
        row["stop_price_usd"],
        row["trailing_ratio"],
        TimeInForce(row["time_in_force"]),
    )


def line_of(order: JournalOrder, booked: Booked | None) -> OrderLine:
    """Return an order as a report shows it."""
    booked = booked or Booked()
    return OrderLine(
        client_id=order.client_id,
        broker_order_id=order.broker_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        filled_quantity=booked.quantity,
        average_price_usd=booked.notional_usd / booked.quantity if booked.quantity else None,
        fee_usd=booked.fee_usd,
        status=order.status,
        code=order.code,
        detail=order.detail,
        leg=order.leg,
        purpose=order.purpose,
        terms=order.terms,
        parent_client_id=order.parent_client_id,
    )
