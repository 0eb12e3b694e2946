"""Orders between our words and Schwab's JSON; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.brokers._answers import MALFORMED, measured
from quant_platform_kit.brokers.schwab._tags import SentOrder
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from quant_platform_kit.errors import BrokerAnswerError

_SINGLE: Final = "SINGLE"
_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
_CENT: Final = Decimal("0.01")
_LATEST: Final = timedelta(hours=1)  # no order shows up later; one by hand might

_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "TRAILING_STOP": OrderType.TRAILING_STOP,
}
_TYPE_NAMES: Final = MappingProxyType({kind: name for name, kind in _TYPES.items()})
_DURATIONS: Final = {TimeInForce.DAY: "DAY", TimeInForce.GTC: "GOOD_TILL_CANCEL"}
_SIDES: Final = {
    "BUY": Side.BUY,
    "BUY_TO_COVER": Side.BUY,
    "SELL": Side.SELL,
    "SELL_SHORT": Side.SELL,
    "SELL_SHORT_EXEMPT": Side.SELL,
}
_ENDS: Final = {
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FILLED": OrderStatus.FILLED,
    "REJECTED": OrderStatus.REJECTED,
    "REPLACED": OrderStatus.CANCELLED,
}
_WORKING: Final = frozenset(
    {
        "ACCEPTED",
        "AWAITING_CONDITION",
        "AWAITING_MANUAL_REVIEW",
        "AWAITING_PARENT_ORDER",
        "AWAITING_RELEASE_TIME",
        "AWAITING_STOP_CONDITION",
        "AWAITING_UR_OUT",
        "NEW",
        "PENDING_ACKNOWLEDGEMENT",
        "PENDING_ACTIVATION",
        "PENDING_CANCEL",
        "PENDING_RECALL",
        "PENDING_REPLACE",
        "QUEUED",
        "WORKING",
    }
)
# What orders of one leg are for; those of shares are ours to read.
_SHARES: Final = frozenset({"EQUITY", "ETF", "COLLECTIVE_INVESTMENT"})
_OTHERS: Final = frozenset(
    {"CASH_EQUIVALENT", "CURRENCY", "FIXED_INCOME", "INDEX", "MUTUAL_FUND", "OPTION"}
)


def ours(symbol: str) -> str:
    """Return our symbol of Schwab's, for example ``BRK.B`` of ``BRK/B``."""
    return symbol.replace("/", ".")


def theirs(symbol: str) -> str:
    """Return Schwab's symbol of ours."""
    return symbol.replace(".", "/")


def name_of(value: object) -> str:
    """Return the number by which Schwab names something.

    Raises
    ------
    ValueError
        When it is none: a null in its place would name many things.
    """
    name = str(value)
    if not name.isdecimal():
        raise ValueError(f"{value!r} is no name")
    return name


def specification(order: OrderRequest) -> dict[str, Any]:
    """Return the JSON that asks Schwab for an order in regular hours."""
    spec: dict[str, Any] = {
        "session": "NORMAL",
        "duration": _DURATIONS[order.time_in_force],
        "orderType": _TYPE_NAMES[order.order_type],
        "orderStrategyType": _SINGLE,
        "orderLegCollection": [
            {
                "instruction": order.side.name,
                "quantity": _number(order.quantity),
                "instrument": {"symbol": theirs(order.symbol), "assetType": "EQUITY"},
            }
        ],
    }
    if order.limit_price_usd is not None:
        spec["price"] = str(order.limit_price_usd)
    if order.stop_price_usd is not None:
        spec["stopPrice"] = str(order.stop_price_usd)
    if order.trailing_ratio is not None:
        spec["stopPriceLinkBasis"] = "LAST"
        spec["stopPriceLinkType"] = "PERCENT"
        spec["stopPriceOffset"] = _number(order.trailing_ratio * _HUNDRED)
    return spec


def single_orders(listed: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every order for one equity, those inside of other orders as well.

    Raises
    ------
    ValueError
        For an order of which nobody can tell what it is for: it might be ours.
    """
    for order in listed:
        of_shares = [
            is_of("an order for", leg["orderLegType"], _SHARES, _OTHERS)
            for leg in order.get("orderLegCollection", [])
        ]
        inner = order.get("childOrderStrategies", [])
        if of_shares == [True]:
            yield order
        elif all(of_shares) and order.get("orderStrategyType", _SINGLE) == _SINGLE and not inner:
            raise ValueError(f"an order for shares with {len(of_shares)} legs")
        yield from single_orders(inner)


def is_of(what: str, kind: object, wanted: AbstractSet[str], others: AbstractSet[str]) -> bool:
    """Tell whether `what` is of a kind that is wanted.

    Raises
    ------
    ValueError
        For a kind that nobody knows: it may be either.
    """
    if kind not in wanted and kind not in others:
        raise ValueError(f"{what} {kind!r}")
    return kind in wanted


def broker_order(order: Mapping[str, Any], client_id: str | None) -> BrokerOrder:
    """Read an order; it has ended only when its executions agree with what it says of itself."""
    with_care = _Careful(order)
    return with_care.order(client_id)


def fills(order: Mapping[str, Any], client_id: str | None) -> tuple[Fill, ...]:
    """Read an order's executions, each once."""
    return _Careful(order).fills(client_id)


def is_same(order: Mapping[str, Any], asked: OrderRequest) -> bool:
    """Return whether an order is for what was asked for.

    Its prices may have moved since, and a split changes the size of one that rests.
    """
    shown = _Careful(order)
    rests = asked.time_in_force is TimeInForce.GTC
    return (shown.symbol, shown.instruction) == (asked.symbol, asked.side.name) and (
        rests or shown.quantity == asked.quantity
    )


def is_match(order: Mapping[str, Any], sent: SentOrder) -> bool:
    """Return whether an order may be the one that was sent.

    It was not there before, and says what was asked for. When it was entered hardly counts, since
    Schwab's clock is not ours: it only must not be much later.
    """
    asked, shown = specification(sent.request), _Careful(order)
    if shown.order_id in sent.known or shown.entered > sent.sent_at + _LATEST:
        return False
    names = ("session", "duration", "orderType")
    numbers = (name for name in ("price", "stopPrice", "stopPriceOffset") if name in asked)
    return (
        is_same(order, sent.request)
        and all(order.get(name) == asked[name] for name in names)
        and all(_same(order.get(name), asked[name]) for name in numbers)
    )


class _Careful:
    """One order's JSON, read with the error that a wrong one deserves."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order = order
        try:
            leg = order["orderLegCollection"][0]
            self.order_id = name_of(order["orderId"])
            self.symbol = ours(leg["instrument"]["symbol"])
            self.quantity = shares(order["quantity"])
            self.entered = instant(order["enteredTime"])
            self.instruction: str = leg["instruction"]
            self._side = _SIDES[self.instruction]
            self._executions = dict(self._read_executions())
        except MALFORMED as error:
            raise _unreadable(order, error) from error

    def order(self, client_id: str | None) -> BrokerOrder:
        order = self._order
        try:
            filled = sum((quantity for quantity, _, _ in self._executions.values()), start=_ZERO)
            return BrokerOrder(
                broker_order_id=self.order_id,
                client_id=client_id,
                symbol=self.symbol,
                side=self._side,
                quantity=self.quantity,
                filled_quantity=filled,
                status=self._status(filled),
                submitted_at=self.entered,
                detail=str(order.get("statusDescription", "")),
                order_type=_TYPES.get(order["orderType"], OrderType.MARKET),
                trigger_price_usd=_optional_price(order.get("stopPrice")),
            )
        except MALFORMED as error:
            raise _unreadable(order, error) from error

    def fills(self, client_id: str | None) -> tuple[Fill, ...]:
        try:
            return tuple(self._fills(client_id))
        except MALFORMED as error:
            raise _unreadable(self._order, error) from error

    def _fills(self, client_id: str | None) -> Iterator[Fill]:
        return (
            Fill(
                fill_id=fill_id,
                broker_order_id=self.order_id,
                client_id=client_id,
                symbol=self.symbol,
                side=self._side,
                quantity=quantity,
                price_usd=paid,
                fee_usd=_ZERO,
                at=at,
            )
            for fill_id, (quantity, paid, at) in self._executions.items()
        )

    def _status(self, filled: Decimal) -> OrderStatus:
        name = self._order["status"]
        if name not in _WORKING and name not in _ENDS:  # Schwab's own "UNKNOWN" among them
            return OrderStatus.UNRESOLVED
        if name in _ENDS and filled == shares(self._order["filledQuantity"]):
            return _ENDS[name]
        return OrderStatus.PARTIAL if filled else OrderStatus.SUBMITTED

    def _read_executions(self) -> Iterator[tuple[str, tuple[Decimal, Decimal, datetime]]]:
        for activity in self._order.get("orderActivityCollection", []):
            if activity["activityType"] != "EXECUTION":
                continue
            for leg in activity["executionLegs"]:
                at = instant(leg["time"])
                # A busted trade would come as another activity; its kind is not guessed at.
                fill_id = "-".join(
                    (self.order_id, name_of(activity["activityId"]), name_of(leg["legId"]))
                )
                yield fill_id, (shares(leg["quantity"]), price(leg["price"]), at)


def _unreadable(order: Mapping[str, Any], error: Exception) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"Schwab shows the order {order.get('orderId')} in a form that cannot be read ({error!r}); "
        "nothing is assumed about it. Look at it at Schwab, and report the form."
    )


def shares(value: object) -> Decimal:
    """Read a quantity; JSON's 10.0 is our 10, so that equal things look equal."""
    number = measured(value)
    whole = number.to_integral_value()
    return whole if whole == number else number


def price(value: object) -> Decimal:
    """Read a price, with two decimals at least."""
    number = measured(value)
    cents = number.quantize(_CENT)
    return cents if cents == number else number


def instant(text: str) -> datetime:
    """Return a moment that Schwab tells with its offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} is in no time zone")
    return at.astimezone(UTC)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _same(shown: object, asked: object) -> bool:
    return shown is not None and price(shown) == price(asked)


def _optional_price(value: object) -> Decimal | None:
    return None if value is None else price(value)
