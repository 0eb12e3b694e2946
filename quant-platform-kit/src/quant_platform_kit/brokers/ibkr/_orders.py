"""Orders and executions between the library's objects and the kit's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from quant_platform_kit.brokers._answers import measured
from quant_platform_kit.brokers.ibkr._rows import USD, to_decimal, to_price, to_symbol
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

_ZERO: Final = Decimal(0)
_PERCENT: Final = Decimal(100)
_TYPES: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()}
_SIDES: Final = {
    "BUY": Side.BUY,
    "SELL": Side.SELL,
    "SSHORT": Side.SELL,
    "SLONG": Side.SELL,
    "BOT": Side.BUY,
    "SLD": Side.SELL,
}
_FILLED: Final = "Filled"
_CANCELLED: Final = "Cancelled"
_ENDED: Final = frozenset({_FILLED, _CANCELLED, "ApiCancelled"})
_WORKING: Final = frozenset(
    {
        "ApiPending",
        "Inactive",  # held by the broker, and may work again
        "PendingCancel",
        "PendingSubmit",
        "PreSubmitted",
        "Submitted",
    }
)
_WAITING: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


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
        The quantity is zero where TWS no longer tells it.
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
        return self.status in _ENDED

    @property
    def ended(self) -> WireOrder:
        """The order as one of the list of completed ones, where every order has left the book.

        TWS tells zero shares as the size of a completed order that has filled.
        """
        status = self.status if self.is_ended else _CANCELLED
        return replace(self, status=status, quantity=_ZERO if self.filled else self.quantity)


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
        permanent=int(measured(order.permId)),
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
    quantity = max(wire.quantity, filled)
    status = _status(wire, filled)
    if filled > executed and not wire.outlives_session:
        # Shown as filled before its executions are: it has not ended until they are there.
        filled, status = executed, _working(executed)
    return BrokerOrder(
        broker_order_id=str(wire.permanent),
        client_id=wire.tag or None,
        symbol=wire.symbol,
        side=wire.side,
        quantity=quantity,
        filled_quantity=filled,
        status=status,
        submitted_at=day,
        detail=_words(wire, status),
        order_type=wire.order_type or OrderType.MARKET,
        trigger_price_usd=None if status.is_final else wire.trigger_usd,
    )


def _status(wire: WireOrder, filled: Decimal) -> OrderStatus:
    if filled >= wire.quantity > _ZERO:
        return OrderStatus.FILLED
    if wire.status not in _WORKING | _ENDED:
        return OrderStatus.UNRESOLVED
    if wire.status == _FILLED and not wire.quantity:
        return OrderStatus.FILLED
    if not wire.is_ended or wire.status == _FILLED:  # which its executions do not show yet
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
    permanent = int(measured(execution.permId))
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
    """Return an execution with its commission.

    Raises
    ------
    ValueError
        When it was charged in another currency than dollars.
    """
    execution, cost = row.execution, row.commissionReport
    if cost.currency != USD:
        raise ValueError(f"a commission in {cost.currency or 'no currency'}")
    return Fill(
        fill_id=execution_base(execution.execId),
        broker_order_id=str(measured(execution.permId)),
        client_id=execution.orderRef or None,
        symbol=symbol,
        side=_SIDES[execution.side],
        quantity=to_decimal(execution.shares),
        price_usd=to_decimal(execution.price),
        fee_usd=to_decimal(cost.commission),
        at=execution.time.astimezone(UTC),
    )
