"""LongBridge's rows as the platform's contracts; pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from quant_platform_kit.brokers import _answers
from quant_platform_kit.brokers.longbridge._sdk import utc, word
from quant_platform_kit.brokers.longbridge._stops import WAITING
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    Environment,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Quote,
    Side,
    TimeInForce,
)
from quant_platform_kit.errors import BrokerAnswerError

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

reading = partial(_answers.reading, "LongBridge")
"""Turn what an answer that makes no sense raises into the error that it deserves."""

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
_MARKET: Final = ".US"
_USD: Final = "USD"
_LISTED: Final = re.compile(r".+\.[A-Z]{2,4}")
_NEW_YORK: Final = ZoneInfo("America/New_York")
_DOUBT: Final = timedelta(days=1)
_PAPER: Final = "papertrading"
_SIMULATED: Final = "simulated"

_SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
_TYPES: Final = {
    OrderType.MARKET: "MO",
    OrderType.LIMIT: "LO",
    OrderType.STOP: "MIT",
    OrderType.STOP_LIMIT: "LIT",
    OrderType.TRAILING_STOP: "TSMPCT",
}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()} | {
    "TSMAMT": OrderType.TRAILING_STOP,
    "TSLPAMT": OrderType.TRAILING_STOP,
    "TSLPPCT": OrderType.TRAILING_STOP,
    "AO": OrderType.MARKET,
}  # every other type of somebody else's order has a limit
_LIVES: Final = {TimeInForce.DAY: "Day", TimeInForce.GTC: "GoodTilCanceled"}
_ENDED: Final = {
    "Filled": OrderStatus.FILLED,
    "Rejected": OrderStatus.REJECTED,
    "Canceled": OrderStatus.CANCELLED,
    "PartialWithdrawal": OrderStatus.CANCELLED,
    "Expired": OrderStatus.EXPIRED,
}
WORKING: Final = (
    "NotReported",
    "ReplacedNotReported",
    "ProtectedNotReported",
    "VarietiesNotReported",
    "DelayedNotReported",
    "WaitToNew",
    "New",
    "WaitToReplace",
    "PendingReplace",
    "Replaced",
    "PartialFilled",
    "WaitToCancel",
    "PendingCancel",
)
"""Statuses of orders that may still trade, a cancel that is only asked for included."""


# ── Names ──────────────────────────────────────────────────────────────────────────────


def wire_symbol(symbol: str) -> str:
    """Return a ticker as LongBridge writes it."""
    return symbol + _MARKET


def ticker(symbol: str) -> str:
    """Return the ticker of a US symbol of LongBridge's."""
    return symbol.removesuffix(_MARKET)


def american(rows: Iterable[Any]) -> list[Any]:
    """Return the rows whose symbol trades in the US; other markets are not the platform's.

    Raises
    ------
    BrokerAnswerError
        When a row does not say where its symbol trades: it might be ours.
    """
    found = list(rows)
    for row in found:
        if _LISTED.fullmatch(row.symbol) is None:
            raise BrokerAnswerError(
                f"LongBridge's answer names the symbol {row.symbol!r}, which says no market; "
                "nothing is assumed and nothing more was sent. Run the slot again, and look at the "
                "account in LongBridge's app if it stays so."
            )
    return [row for row in found if row.symbol.endswith(_MARKET)]


# ── The account ────────────────────────────────────────────────────────────────────────


def environment(channels: Sequence[Any]) -> Environment:
    """Return what LongBridge says the account is, by the name of its channel.

    Raises
    ------
    BrokerAnswerError
        When there is no channel: then the answer was not complete.
    """
    names = {channel.account_channel for channel in channels}
    if not names:
        raise BrokerAnswerError(
            "LongBridge listed positions without the account's channel, so the answer is not "
            "complete; nothing is assumed about the holdings and nothing more was sent. Run the "
            "slot again; if it repeats, look at the account in LongBridge's app."
        )
    if any(_PAPER in name for name in names):
        return Environment.PAPER
    return Environment.SIMULATED if any(_SIMULATED in n for n in names) else Environment.LIVE


def account(account_id: str, connected: Environment, balances: Sequence[Any]) -> Account:
    """Return the account's money, of an answer that was asked for in dollars.

    Where all cash is in dollars, cash is the whole of it. Beside cash in other currencies it is
    the sum of what is free, frozen and on its way in dollars; equity counts everything.
    """
    balance = next((each for each in balances if each.currency == _USD), None)
    cash = {} if balance is None else {each.currency: each for each in balance.cash_infos}
    if balance is None or _USD not in cash:
        raise BrokerAnswerError(
            "LongBridge's answer about the account has no cash in dollars; its money is unknown "
            "and nothing more was sent. Look at the account in LongBridge's app."
        )
    dollars = cash[_USD]
    if dollars.available_cash > _ZERO and not (balance.total_cash and balance.net_assets):
        # The SDK reads a number that is not there as zero.
        raise BrokerAnswerError(
            "LongBridge tells of dollars that can be used, and of no cash or no net assets at all; "
            "the account's money is unknown and nothing more was sent. Run the slot again, and "
            "look at the account in LongBridge's app if it stays so."
        )
    parts = dollars.available_cash + dollars.frozen_cash + dollars.settling_cash
    return Account(
        account_id=account_id,
        environment=connected,
        cash_usd=balance.total_cash if len(cash) == 1 else parts,
        usable_cash_usd=dollars.available_cash,
        equity_usd=balance.net_assets,
    )


def positions(channels: Sequence[Any]) -> tuple[Position, ...]:
    """Return the US holdings of all channels, sorted; the cost is their weighted average."""
    shares: dict[str, Decimal] = {}
    costs: dict[str, Decimal] = {}
    for row in american(_once(channels)):
        symbol = ticker(row.symbol)
        shares[symbol] = shares.get(symbol, _ZERO) + _shares(row)
        costs[symbol] = costs.get(symbol, _ZERO) + row.quantity * row.cost_price
    held = sorted(symbol for symbol, quantity in shares.items() if quantity)
    return tuple(Position(s, shares[s], costs[s] / shares[s] or None) for s in held)


def _once(channels: Sequence[Any]) -> Iterator[Any]:
    """Yield every row of every channel; a symbol stands in a channel once."""
    seen: set[tuple[str, str]] = set()
    for channel in channels:
        for row in channel.positions:
            if (channel.account_channel, row.symbol) in seen:
                raise _unknown_holding(row, "lists the holding of {} twice")
            seen.add((channel.account_channel, row.symbol))
            yield row


def _shares(row: Any) -> Decimal:  # noqa: ANN401 (untyped SDK)
    quantity: Decimal = row.quantity
    if quantity < _ZERO:
        raise BrokerAnswerError(
            f"LongBridge shows {quantity} shares of {ticker(row.symbol)}: the account is short, "
            "which this platform never is. Nothing was sent; close the position by hand.",
            symbol=ticker(row.symbol),
        )
    if not quantity and row.available_quantity > _ZERO:  # the SDK's zero for no number
        raise _unknown_holding(row, "shows no shares of {}, and some that can be sold")
    return quantity


def _unknown_holding(row: Any, what: str) -> BrokerAnswerError:  # noqa: ANN401 (untyped SDK)
    symbol = ticker(row.symbol)
    return BrokerAnswerError(
        f"LongBridge {what.format(symbol)}; how many are held is unknown and nothing more was "
        "sent. Run the slot again, and look at the account in LongBridge's app if it stays so.",
        symbol=symbol,
    )


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def order_fields(order: OrderRequest, sdk: Any) -> dict[str, Any]:  # noqa: ANN401 (untyped SDK)
    """Return the arguments of a submission, in the SDK's words."""
    ratio = order.trailing_ratio
    fields = {
        "symbol": wire_symbol(order.symbol),
        "order_type": getattr(sdk.OrderType, _TYPES[order.order_type]),
        "side": sdk.OrderSide.Buy if order.side is Side.BUY else sdk.OrderSide.Sell,
        "submitted_quantity": order.quantity,
        "time_in_force": getattr(sdk.TimeInForceType, _LIVES[order.time_in_force]),
        "submitted_price": order.limit_price_usd,
        "trigger_price": order.stop_price_usd,
        "trailing_percent": None if ratio is None else ratio * _HUNDRED,
        "outside_rth": sdk.OutsideRTH.RTHOnly,
        "remark": order.client_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def order(row: Any, seen_at: datetime) -> BrokerOrder:  # noqa: ANN401 (untyped SDK)
    """Return an order as the platform sees it at an instant."""
    return BrokerOrder(
        broker_order_id=row.order_id,
        client_id=row.remark or None,
        symbol=ticker(row.symbol),
        side=side(row),
        quantity=row.quantity,
        filled_quantity=row.executed_quantity,
        status=_status(row, seen_at),
        submitted_at=utc(row.submitted_at),
        detail=row.msg,
        order_type=_KINDS.get(word(row.order_type), OrderType.LIMIT),
        trigger_price_usd=row.trigger_price,
    )


def side(row: Any) -> Side:  # noqa: ANN401 (untyped SDK)
    """Return which way an order trades."""
    name = word(row.side)
    if name not in _SIDES:
        raise _unreadable(row, f"side {name}")
    return _SIDES[name]


def fill(row: Any, of: Any, fee_usd: Decimal) -> Fill:  # noqa: ANN401 (untyped SDK)
    """Return an execution of the order `of`, which names side and remark."""
    return Fill(
        fill_id=row.trade_id,
        broker_order_id=row.order_id,
        client_id=of.remark or None,
        symbol=ticker(row.symbol),
        side=side(of),
        quantity=row.quantity,
        price_usd=row.price,
        fee_usd=fee_usd,
        at=utc(row.trade_done_at),
    )


def submission_order(order: BrokerOrder) -> tuple[object, ...]:
    """Return the key that sorts orders as they were handed in; ids grow, times are in seconds."""
    return order.submitted_at, len(order.broker_order_id), order.broker_order_id


def _status(row: Any, seen_at: datetime) -> OrderStatus:  # noqa: ANN401 (untyped SDK)
    name = word(row.status)
    if name == "Expired" and _may_work_again(row, seen_at):
        return OrderStatus.UNRESOLVED
    if name in _ENDED and (name != "Filled" or row.executed_quantity == row.quantity):
        return _ENDED[name]
    if name not in WORKING and name != "Filled":
        raise _unreadable(row, f"status {name}")
    return OrderStatus.PARTIAL if row.executed_quantity else OrderStatus.SUBMITTED


def _may_work_again(row: Any, seen_at: datetime) -> bool:  # noqa: ANN401 (untyped SDK)
    """Tell a stop that expired within a day: some were shown so overnight, and traded later."""
    if _KINDS.get(word(row.order_type)) not in WAITING or row.updated_at is None:
        return False
    return seen_at - utc(row.updated_at) < _DOUBT


def _unreadable(row: Any, what: str) -> BrokerAnswerError:  # noqa: ANN401 (untyped SDK)
    return BrokerAnswerError(
        f"LongBridge shows order {row.order_id} with {what}, which this platform does not know; "
        "whether it can still trade is unknown and nothing more was sent. Look at the order in "
        "LongBridge's app.",
        symbol=ticker(row.symbol),
    )


# ── Prices ─────────────────────────────────────────────────────────────────────────────


def quotes(rows: Iterable[Any]) -> dict[str, Quote]:
    """Return the last price of each symbol and when it was made; none for a price of zero."""
    return {
        ticker(row.symbol): Quote(ticker(row.symbol), row.last_done, utc(row.timestamp))
        for row in rows
        if row.last_done > _ZERO
    }


def session_of(candle: Any) -> date:  # noqa: ANN401 (untyped SDK)
    """Return the session of a daily candle, which begins at New York's midnight."""
    return utc(candle.timestamp).astimezone(_NEW_YORK).date()


def frame(symbol: str, candles: Sequence[Any], adjustment: Adjustment) -> BarFrame:
    """Return daily candles as a frame."""
    from quant_platform_kit.market import BarFrame

    columns = {
        name: [float(getattr(candle, name)) for candle in candles]
        for name in ("open", "high", "low", "close", "volume")
    }
    sessions = [session_of(candle) for candle in candles]
    return BarFrame(symbol=symbol, sessions=sessions, adjustment=adjustment, **columns)
