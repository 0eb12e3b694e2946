"""Orders on the wire: from a client's message to the book, and from the book to messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final
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
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators.tws._codec import Value, pack
from quant_platform_kit.simulators.tws._numbers import Numbers, contract_id, permanent
from quant_platform_kit.simulators.tws._tables import (
    COMPLETED_ORDER,
    EXECUTION,
    OPEN_ORDER,
    ORDER_STATUS,
    Tell,
)

NEW_YORK: Final = ZoneInfo("America/New_York")

_ZERO: Final = Decimal(0)
_PERCENT: Final = Decimal(100)
_UNTAGGED: Final = "untagged"
_TYPES: Final = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAILING_STOP,
}
_TYPE_NAMES: Final = {kind: name for name, kind in _TYPES.items()}
_STATUS: Final = {
    OrderStatus.SUBMITTED: "Submitted",
    OrderStatus.PARTIAL: "Submitted",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELLED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
    OrderStatus.REJECTED: "Inactive",
}


class Kind(Enum):
    """What a message about an order is, for faults that leave out, repeat or reorder some."""

    ORDER = "order"
    EXECUTION = "execution"
    END = "end"


@dataclass(frozen=True, slots=True)
class News:
    """One message that nobody asked for."""

    kind: Kind
    frame: bytes


def to_request(asked: Mapping[str, str]) -> OrderRequest:
    """Return the order that a client's message asks for.

    Raises
    ------
    ContractError
        When it is none that a stock account takes.
    """
    try:
        kind = _TYPES[asked["orderType"]]
        limited = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}
        stopped = kind in {OrderType.STOP, OrderType.STOP_LIMIT}
        trails = kind is OrderType.TRAILING_STOP
        trigger = asked["trailStopPrice"] if trails else asked["auxPrice"]
        return OrderRequest(
            client_id=asked["orderRef"] or _UNTAGGED,
            symbol=asked["symbol"].replace(" ", "."),
            side=Side(asked["action"].lower()),
            quantity=number(asked["totalQuantity"]),
            order_type=kind,
            limit_price_usd=number(asked["lmtPrice"]) if limited else None,
            stop_price_usd=number(trigger) if stopped or (trails and trigger) else None,
            trailing_ratio=number(asked["trailingPercent"]) / _PERCENT if trails else None,
            time_in_force=TimeInForce(asked["tif"].lower()),
        )
    except (KeyError, ValueError, InvalidOperation) as error:
        raise ContractError(f"the order cannot be read: {error}") from error


def number(field: str) -> Decimal:
    """Return a field's number without the zeros that floats end with."""
    value = Decimal(field)
    return value.quantize(1) if value == value.to_integral_value() else value.normalize()


def eastern(instant: datetime) -> str:
    """Return an instant as the protocol writes it."""
    return f"{instant.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern"


class OrderWriter:
    """Writes messages about orders for one version of the protocol."""

    __slots__ = ("_account", "_numbers", "_version")

    def __init__(self, version: int, account: str, numbers: Numbers) -> None:
        self._version = version
        self._account = account
        self._numbers = numbers

    def opened(self, order: BrokerOrder, request: OrderRequest, status: str = "") -> bytes:
        """Return what an open order looks like."""
        client, order_number = self._numbers.pair(order.broker_order_id)
        values = {
            **self._values(order, request),
            "orderId": order_number,
            "clientId": client,
            "status": status or _shown(order),
            "warningText": order.detail,
        }
        return pack(Tell.OPEN_ORDER, *OPEN_ORDER.write(self._version, values))

    def completed(self, order: BrokerOrder, request: OrderRequest, at: datetime) -> bytes:
        """Return what an ended order looks like; one that filled no longer tells its size."""
        size = {"totalQuantity": Decimal(0)} if order.filled_quantity else {}
        values = {
            **self._values(order, request),
            **size,
            "status": _shown(order),
            "filledQuantity": order.filled_quantity,
            "completedTime": eastern(at),
            "completedStatus": _epitaph(order),
        }
        return pack(Tell.COMPLETED_ORDER, *COMPLETED_ORDER.write(self._version, values))

    def status(self, order: BrokerOrder, filled: Decimal, status: str = "") -> bytes:
        """Return how far an order is."""
        client, order_number = self._numbers.pair(order.broker_order_id)
        values: dict[str, Value] = {
            "orderId": order_number,
            "clientId": client,
            "permId": permanent(order.broker_order_id),
            "status": status or _shown(order),
            "filled": filled,
            "remaining": order.quantity - filled,
        }
        return pack(Tell.ORDER_STATUS, *ORDER_STATUS.write(self._version, values))

    def execution(self, fill: Fill, cumulative: Decimal, request_id: int = -1) -> bytes:
        """Return an execution."""
        client, order_number = self._numbers.pair(fill.broker_order_id)
        values: dict[str, Value] = {
            **stock(fill.symbol),
            "reqId": request_id,
            "orderId": order_number,
            "clientId": client,
            "permId": permanent(fill.broker_order_id),
            "execId": execution_id(fill),
            "time": eastern(fill.at),
            "account": self._account,
            "side": "BOT" if fill.side is Side.BUY else "SLD",
            "shares": fill.quantity,
            "price": fill.price_usd,
            "cumQty": cumulative,
            "avgPrice": fill.price_usd,
            "orderRef": fill.client_id,
        }
        return pack(Tell.EXECUTION, *EXECUTION.write(self._version, values))

    def news(
        self, order: BrokerOrder, request: OrderRequest, fills: Sequence[Fill], *, first: bool
    ) -> list[News]:
        """Return the messages about a change, in the order in which they happened."""
        told: list[News] = []
        filled = order.filled_quantity - sum((fill.quantity for fill in fills), start=_ZERO)
        if order.status is not OrderStatus.REJECTED and first:
            for status in ("PreSubmitted", "Submitted"):
                told.append(News(Kind.ORDER, self.opened(order, request, status)))
                told.append(News(Kind.ORDER, self.status(order, filled, status)))
        for fill in fills:
            filled += fill.quantity
            whole = filled == order.quantity
            told.append(News(Kind.EXECUTION, self.execution(fill, filled)))
            told.append(News(Kind.END, self.status(order, filled, "" if whole else "Submitted")))
            told.append(News(Kind.EXECUTION, commission(fill)))
        if order.status in {OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED}:
            told.append(News(Kind.END, self.opened(order, request)))
            told.append(News(Kind.END, self.status(order, order.filled_quantity)))
        return told

    def _values(self, order: BrokerOrder, request: OrderRequest) -> dict[str, Value]:
        trails = request.order_type is OrderType.TRAILING_STOP
        trigger = order.trigger_price_usd or request.stop_price_usd
        ratio = request.trailing_ratio
        return {
            **stock(order.symbol),
            "permId": permanent(order.broker_order_id),
            "account": self._account,
            "action": order.side.value.upper(),
            "totalQuantity": order.quantity,
            "orderType": _TYPE_NAMES[request.order_type],
            "lmtPrice": _ZERO if request.limit_price_usd is None else request.limit_price_usd,
            "auxPrice": _ZERO if trails or trigger is None else trigger,
            "trailStopPrice": trigger if trails else None,
            "lastTrailStopPrice": trigger if trails else None,
            "trailingPercent": None if ratio is None else ratio * _PERCENT,
            "tif": request.time_in_force.value.upper(),
            "orderRef": order.client_id,
        }


def commission(fill: Fill) -> bytes:
    """Return what an execution cost."""
    return pack(Tell.COMMISSION, 1, execution_id(fill), fill.fee_usd, "USD", "", "", "")


def execution_id(fill: Fill) -> str:
    """Return the execution's id; its last part counts corrections."""
    return f"00012ec5.{fill.fill_id.rpartition('-')[2]}.01.01"


def stock(symbol: str) -> dict[str, Value]:
    """Return the places that a stock's contract fills."""
    name = symbol.replace(".", " ")
    return {
        "conId": contract_id(symbol),
        "symbol": name,
        "localSymbol": name,
        "tradingClass": name,
    }


def _shown(order: BrokerOrder) -> str:
    if order.trigger_price_usd is not None and not order.status.is_final:
        return "PreSubmitted"
    return _STATUS[order.status]


def _epitaph(order: BrokerOrder) -> str:
    if order.status is OrderStatus.FILLED:
        return f"Filled Size: {order.filled_quantity:f}"
    if order.status is OrderStatus.REJECTED:
        return f"Rejected by System: {order.detail}"
    if order.status is OrderStatus.EXPIRED:
        return f"Expired by System: {order.detail}"
    return "Cancelled by Trader"
