"""Orders and executions as LongBridge writes them; every number and time is a string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

Row: TypeAlias = dict[str, Any]
"""A JSON object."""

NEW_YORK: Final = ZoneInfo("America/New_York")
"""Days begin at its midnight."""

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
_MARKET: Final = ".US"

SIDES: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
TYPES: Final = {
    OrderType.MARKET: "MO",
    OrderType.LIMIT: "LO",
    OrderType.STOP: "MIT",
    OrderType.STOP_LIMIT: "LIT",
    OrderType.TRAILING_STOP: "TSMPCT",
}
LIVES: Final = {TimeInForce.DAY: "Day", TimeInForce.GTC: "GTC"}
_STATUSES: Final = {
    OrderStatus.SUBMITTED: "NewStatus",
    OrderStatus.PARTIAL: "PartialFilledStatus",
    OrderStatus.FILLED: "FilledStatus",
    OrderStatus.CANCELLED: "CanceledStatus",
    OrderStatus.REJECTED: "RejectedStatus",
    OrderStatus.EXPIRED: "ExpiredStatus",
}
_WAITS: Final = "VarietiesNotReported"  # a conditional order that was not triggered yet
_WITHDRAWN: Final = "PartialWithdrawal"  # cancelled with a part filled


_PUSHED: Final = (
    *("order_id", "symbol", "stock_name", "side", "order_type", "currency", "status", "msg"),
    *("tag", "remark", "executed_quantity", "executed_price", "submitted_at", "updated_at"),
    *("trigger_price", "trigger_status", "trigger_at", "trailing_amount", "trailing_percent"),
    "limit_offset",
)


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order and everything that its row is made of."""

    order: BrokerOrder
    request: OrderRequest
    fills: Sequence[Fill]

    def row(self) -> Row:
        """Return the order as in a list of orders."""
        order, request = self.order, self.request
        return {
            "order_id": order.broker_order_id,
            "status": self.status,
            "stock_name": order.symbol,
            "quantity": str(order.quantity),
            "executed_quantity": str(order.filled_quantity),
            "price": _text(request.limit_price_usd),
            "executed_price": _text(self.average_price) or "0",
            "submitted_at": seconds(order.submitted_at),
            "side": SIDES[order.side],
            "symbol": order.symbol + _MARKET,
            "order_type": TYPES[request.order_type],
            "last_done": "",
            "trigger_price": _text(order.trigger_price_usd or request.stop_price_usd),
            "msg": order.detail,
            "tag": "Normal" if request.time_in_force is TimeInForce.DAY else "GTC",
            "time_in_force": LIVES[request.time_in_force],
            "expire_date": "",
            "updated_at": seconds(self.fills[-1].at if self.fills else order.submitted_at),
            "trigger_at": "0",
            "trailing_amount": "",
            "trailing_percent": _text(
                None if request.trailing_ratio is None else request.trailing_ratio * _HUNDRED
            ),
            "limit_offset": "",
            "trigger_status": "DEACTIVE" if self.status == _WAITS else "NOT_USED",
            "currency": "USD",
            "outside_rth": "RTH_ONLY",
            "limit_depth_level": 0,
            "trigger_count": 0,
            "monitor_price": "",
            "remark": order.client_id or "",
            "delayed_until": "0",
            "attached_orders": [],
        }

    def detail(self) -> Row:
        """Return the order as when it is asked for alone, with its charges."""
        fees = sum((fill.fee_usd for fill in self.fills), start=_ZERO)
        fee = {"code": "commission", "name": "Commission", "amount": str(fees), "currency": "USD"}
        return self.row() | {
            "free_status": "None",
            "free_amount": "",
            "free_currency": "",
            "deductions_status": "NONE",
            "deductions_amount": "",
            "deductions_currency": "",
            "platform_deducted_status": "NONE",
            "platform_deducted_amount": "",
            "platform_deducted_currency": "",
            "history": [self._history(fill) for fill in self.fills],
            "charge_detail": {
                "total_amount": str(fees),
                "currency": "USD",
                "items": [{"code": "BROKER_FEES", "name": "Broker fees", "fees": [fee]}],
            },
        }

    def notification(self, account_id: str) -> Mapping[str, Any]:
        """Return what is pushed when the order changes."""
        row, last = self.row(), self.fills[-1] if self.fills else None
        return {name: row[name] for name in _PUSHED} | {
            "submitted_quantity": row["quantity"],
            "submitted_price": row["price"] or "0",
            "account_no": account_id,
            "last_share": "" if last is None else str(last.quantity),
            "last_price": "" if last is None else str(last.price_usd),
        }

    @property
    def status(self) -> str:
        """The order's status in LongBridge's words."""
        order = self.order
        if order.status is OrderStatus.CANCELLED and order.filled_quantity:
            return _WITHDRAWN
        if order.status is OrderStatus.SUBMITTED and order.trigger_price_usd is not None:
            return _WAITS
        return _STATUSES[order.status]

    @property
    def average_price(self) -> Decimal | None:
        """The average price of the executions."""
        filled = sum((fill.quantity for fill in self.fills), start=_ZERO)
        paid = sum((fill.quantity * fill.price_usd for fill in self.fills), start=_ZERO)
        return paid / filled if filled else None

    @staticmethod
    def _history(fill: Fill) -> Row:
        return {
            "price": str(fill.price_usd),
            "quantity": str(fill.quantity),
            "status": "FilledStatus",
            "msg": "",
            "time": seconds(fill.at),
        }


def execution(fill: Fill) -> Row:
    """Return one execution."""
    return {
        "order_id": fill.broker_order_id,
        "trade_id": fill.fill_id,
        "symbol": fill.symbol + _MARKET,
        "trade_done_at": seconds(fill.at),
        "quantity": str(fill.quantity),
        "price": str(fill.price_usd),
        "side": SIDES[fill.side],
    }


def ticker(symbol: str) -> str:
    """Return the ticker of a US symbol; another market's symbol as it is."""
    return symbol.removesuffix(_MARKET)


def new_york_day(at: datetime) -> date:
    """Return the day of an instant as the broker counts days."""
    return at.astimezone(NEW_YORK).date()


def seconds(at: datetime) -> str:
    """Return an instant as whole seconds, which is all that LongBridge tells."""
    return str(int(at.timestamp()))


def _text(number: Decimal | None) -> str:
    return "" if number is None else str(number)
