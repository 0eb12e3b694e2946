"""Between the library's objects and the kit's: contracts, orders, executions, bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from quant_platform_kit.contracts import (
    Adjustment,
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Quote,
    Side,
    TimeInForce,
)
from quant_platform_kit.errors import BrokerAnswerError, InputError, ReasonCode
from quant_platform_kit.market import ExchangeCalendar

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

STOCK: Final = "STK"
USD: Final = "USD"

_NEW_YORK: Final = ZoneInfo("America/New_York")
_ZERO: Final = Decimal(0)
_PERCENT: Final = Decimal(100)
_COST_STEP: Final = Decimal("0.0001")
_UNSET: Final = 1e300  # the library's word for "no value" is the largest float
_TYPES: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()}
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL, "BOT": Side.BUY, "SLD": Side.SELL}
_WAITING: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_MOST_DAYS: Final = 365
_SESSIONS_OF_A_YEAR: Final = 250
_SHOW: Final = {Adjustment.SPLIT: "TRADES", Adjustment.TOTAL_RETURN: "ADJUSTED_LAST"}


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as one message shows it.

    Parameters
    ----------
    permanent : int
        The number under which every program sees it.
    number, client : int
        Its number at the program that placed it, and that program's; zeros when placed by hand.
    tag : str
        The client id it was placed with; blank when it has none.
    account, symbol : str
    side : Side
    quantity, filled : Decimal
    order_type : OrderType or None
        None for a type that the kit does not send.
    trigger_usd : Decimal or None
    outlives_session : bool
    status : str
        The broker's own word.
    detail : str
    confirmed : bool
        Whether a status message has followed the order's own.
    """

    permanent: int
    number: int
    client: int
    tag: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    order_type: OrderType | None
    trigger_usd: Decimal | None
    outlives_session: bool
    status: str
    detail: str = ""
    confirmed: bool = False

    @property
    def is_ended(self) -> bool:
        """Whether it has left the broker's book."""
        return self.status in {"Filled", "Cancelled", "ApiCancelled"}


def to_decimal(value: float | str) -> Decimal:
    """Return the number that a float was written as."""
    number = Decimal(value) if isinstance(value, str) else Decimal(repr(float(value)))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def to_price(value: Any) -> Decimal | None:  # noqa: ANN401 (the library's)
    """Return a price; None where there is none: not a number, zero or less, or the unset value."""
    number = float(value or 0)
    return to_decimal(number) if math.isfinite(number) and 0 < number < _UNSET else None


def to_symbol(contract: Any) -> str | None:  # noqa: ANN401 (the library's)
    """Return the symbol of a US stock; None for everything else that an account can hold."""
    if contract.secType != STOCK or contract.currency != USD:
        return None
    return str(contract.symbol).replace(" ", ".").upper()


def day_of(instant: datetime) -> datetime:
    """Return when the exchange's day of an instant began."""
    day = instant.astimezone(_NEW_YORK).date()
    return datetime.combine(day, time.min, _NEW_YORK).astimezone(UTC)


def to_wire_symbol(symbol: str) -> str:
    """Return a symbol as the broker writes it: ``BRK.B`` is ``BRK B``."""
    return symbol.replace(".", " ")


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def wire_order(contract: Any, order: Any, state: Any) -> WireOrder | None:  # noqa: ANN401
    """Read an open or completed order; None when it is not one of a US stock."""
    symbol = to_symbol(contract)
    if symbol is None or not order.permId:
        return None
    filled = to_price(getattr(order, "filledQuantity", 0))
    kind = _KINDS.get(str(order.orderType))
    trails = kind is OrderType.TRAILING_STOP
    trigger = to_price(order.trailStopPrice if trails else order.auxPrice)
    return WireOrder(
        permanent=int(order.permId),
        number=int(order.orderId),
        client=int(order.clientId),
        tag=str(order.orderRef or ""),
        account=str(order.account),
        symbol=symbol,
        side=_SIDES[str(order.action)],
        quantity=to_decimal(order.totalQuantity),
        filled=_ZERO if filled is None else filled,
        order_type=kind,
        trigger_usd=trigger if kind in _WAITING else None,
        outlives_session=str(order.tif) == "GTC",
        status=str(state.status),
        detail=str(getattr(state, "completedStatus", "") or getattr(state, "warningText", "")),
    )


def to_order(wire: WireOrder, executed: Decimal, day: datetime) -> BrokerOrder:
    """Return an order whose status agrees with its executions.

    Parameters
    ----------
    wire : WireOrder
    executed : Decimal
        Shares that today's executions add up to.
    day : datetime
        When the exchange's day began: the broker does not say when an order was handed in.
    """
    filled = max(wire.filled, executed)
    status = _status(wire, filled)
    if filled > executed and not wire.outlives_session:
        # Shown as filled before its executions are: it has not ended until they are there.
        filled, status = executed, _working(executed)
    return BrokerOrder(
        broker_order_id=str(wire.permanent),
        client_id=wire.tag or None,
        symbol=wire.symbol,
        side=wire.side,
        quantity=wire.quantity,
        filled_quantity=filled,
        status=status,
        submitted_at=day,
        detail=_words(wire, status),
        order_type=wire.order_type or OrderType.MARKET,
        trigger_price_usd=None if status.is_final else wire.trigger_usd,
    )


def _status(wire: WireOrder, filled: Decimal) -> OrderStatus:
    if filled >= wire.quantity:
        return OrderStatus.FILLED
    if not wire.is_ended:
        return _working(filled)
    words = wire.detail.lower()
    if "reject" in words and not filled:
        return OrderStatus.REJECTED
    return OrderStatus.EXPIRED if "expire" in words else OrderStatus.CANCELLED


def _words(wire: WireOrder, status: OrderStatus) -> str:
    if wire.status == "Inactive":
        return f"Held by the broker, not working. {wire.detail}".strip()
    return wire.detail if status in {OrderStatus.REJECTED, OrderStatus.EXPIRED} else ""


def _working(filled: Decimal) -> OrderStatus:
    return OrderStatus.PARTIAL if filled else OrderStatus.SUBMITTED


def fill_order(blank: Any, request: OrderRequest, account: str) -> Any:  # noqa: ANN401
    """Fill in a blank order of the library and return it."""
    trails = request.order_type is OrderType.TRAILING_STOP
    blank.action = request.side.value.upper()
    blank.totalQuantity = float(request.quantity)
    blank.orderType = _TYPES[request.order_type]
    blank.tif = "GTC" if request.time_in_force is TimeInForce.GTC else "DAY"
    blank.account = account
    blank.orderRef = request.client_id
    blank.outsideRth = False
    if request.limit_price_usd is not None:
        blank.lmtPrice = float(request.limit_price_usd)
    if request.stop_price_usd is not None:
        setattr(blank, "trailStopPrice" if trails else "auxPrice", float(request.stop_price_usd))
    if request.trailing_ratio is not None:
        blank.trailingPercent = float(request.trailing_ratio * _PERCENT)
    return blank


# ── Executions ─────────────────────────────────────────────────────────────────────────


def execution_base(execution_id: str) -> str:
    """Return what an execution and its corrections have in common: all but the last part."""
    return execution_id.rpartition(".")[0] or execution_id


def latest(rows: Iterable[Any]) -> list[Any]:
    """Return each execution once, as last corrected."""
    newest: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: str(row.execution.execId)):
        newest[execution_base(row.execution.execId)] = row
    return list(newest.values())


def order_of_executions(row: Any, executed: Mapping[int, Decimal]) -> WireOrder:  # noqa: ANN401
    """Return an ended order of which only executions are shown; what was left of it is unknown."""
    execution = row.execution
    permanent = int(execution.permId)
    return WireOrder(
        permanent=permanent,
        number=int(execution.orderId),
        client=int(execution.clientId),
        tag=str(execution.orderRef or ""),
        account=str(execution.acctNumber),
        symbol=to_symbol(row.contract) or "",
        side=_SIDES[execution.side],
        quantity=executed[permanent],
        filled=executed[permanent],
        order_type=None,
        trigger_usd=None,
        outlives_session=False,
        status="Filled",
    )


def to_fill(row: Any, symbol: str) -> Fill:  # noqa: ANN401 (the library's)
    """Return an execution with its commission."""
    execution = row.execution
    return Fill(
        fill_id=execution_base(execution.execId),
        broker_order_id=str(execution.permId),
        client_id=execution.orderRef or None,
        symbol=symbol,
        side=_SIDES[execution.side],
        quantity=to_decimal(execution.shares),
        price_usd=to_decimal(execution.price),
        fee_usd=to_decimal(row.commissionReport.commission),
        at=execution.time.astimezone(UTC),
    )


# ── Holdings and prices ────────────────────────────────────────────────────────────────


def to_positions(rows: Iterable[Any], account: str) -> tuple[Position, ...]:
    """Return the US stocks that an account holds, sorted by symbol; the last row of each counts."""
    held: dict[str, Position] = {}
    contracts: dict[str, int] = {}
    for row in rows:
        symbol = to_symbol(row.contract)
        if row.account != account or symbol is None:
            continue
        if contracts.setdefault(symbol, row.contract.conId) != row.contract.conId:
            raise _impossible(f"{symbol} stands for two contracts among the holdings", symbol)
        quantity = to_decimal(row.position)
        if quantity < _ZERO:
            raise _impossible(f"{-quantity} {symbol} are held short", symbol)
        cost = to_decimal(row.avgCost).quantize(_COST_STEP)
        held[symbol] = Position(symbol, quantity, cost)
    return tuple(held[symbol] for symbol in sorted(held) if held[symbol].quantity)


def to_quote(symbol: str, ticker: Any, made_at: datetime | None) -> Quote | None:  # noqa: ANN401
    """Return the last price; None without one, or without the instant at which it was made."""
    price = to_price(ticker.last)
    if price is None or made_at is None:
        return None
    bid, ask = to_price(ticker.bid), to_price(ticker.ask)
    if bid is None or ask is None or bid > ask:
        return Quote(symbol, price, made_at)
    return Quote(symbol, price, made_at, bid, ask)


def what_to_show(adjustment: Adjustment) -> str:
    """Return the broker's word for an adjustment.

    Raises
    ------
    InputError
        For raw prices: the broker has none.
    """
    if adjustment not in _SHOW:
        raise InputError(
            f"Interactive Brokers has no {adjustment.value} daily bars; nothing was decided. Ask "
            "for split or total_return bars in the profile's history input.",
        )
    return _SHOW[adjustment]


def duration(sessions: int) -> str:
    """Return the broker's words for a length of time that holds `sessions` sessions."""
    if sessions <= _MOST_DAYS:
        return f"{sessions} D"
    return f"{-(-sessions // _SESSIONS_OF_A_YEAR)} Y"


def to_frame(
    symbol: str, rows: Sequence[Any], adjustment: Adjustment, calendar: ExchangeCalendar
) -> BarFrame | None:
    """Return bars as a frame; None without any.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when a session between the first and the last bar has none, or a bar stands
        on a day without a session.
    """
    from quant_platform_kit.market import BarFrame

    if not rows:
        return None
    days: list[date] = [row.date for row in rows]
    expected = calendar.sessions(days[0], days[-1])
    wrong = sorted(set(expected) ^ set(days))
    if wrong:
        raise InputError(
            f"The daily bars of {symbol} do not agree with the exchange's sessions: {wrong[0]} "
            f"and {len(wrong) - 1} others. Nothing is decided on them; run the slot again, and "
            "look at the symbol's history at the broker if this repeats.",
            code=ReasonCode.BAR_INVALID,
            symbol=symbol,
        )
    columns: Mapping[str, list[float]] = {
        name: [float(getattr(row, name)) for row in rows]
        for name in ("open", "high", "low", "close", "volume")
    }
    return BarFrame(symbol=symbol, sessions=days, adjustment=adjustment, **columns)


def _impossible(what: str, symbol: str) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"The broker's answer cannot be used: {what}. Nothing was sent. Look at the account at the "
        "broker; only long holdings of US stocks are traded here.",
        symbol=symbol,
    )
