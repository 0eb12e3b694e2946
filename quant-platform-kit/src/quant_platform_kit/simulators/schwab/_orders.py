"""Orders in the API's JSON: specifications in, orders with their activities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

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

_FIRST_ID: Final = 1_001_000_000
_HUNDRED: Final = 100

_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "TRAILING_STOP": OrderType.TRAILING_STOP,
}
_DURATIONS: Final = {"DAY": TimeInForce.DAY, "GOOD_TILL_CANCEL": TimeInForce.GTC}
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_STATUSES: Final = {
    OrderStatus.SUBMITTED: "WORKING",
    OrderStatus.PARTIAL: "WORKING",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.EXPIRED: "EXPIRED",
}
_NAMES_OF_TYPES: Final = {kind: name for name, kind in _TYPES.items()}
_NAMES_OF_DURATIONS: Final = {kind: name for name, kind in _DURATIONS.items()}


def wire_id(order_id: str) -> int:
    """Return the number that the API gives to an order of the book."""
    return _FIRST_ID + int(order_id.rpartition("-")[2])


def parse_order(spec: Mapping[str, Any]) -> OrderRequest:
    """Read an order specification; its `client_id` is a placeholder.

    Raises
    ------
    ContractError
        When it is not an equity order that the simulator serves.
    """
    try:
        (leg,) = spec["orderLegCollection"]
        if spec["orderStrategyType"] != "SINGLE" or leg["instrument"]["assetType"] != "EQUITY":
            raise ContractError("Only single orders for equities are served.")
        if spec["session"] != "NORMAL":
            raise ContractError("Only the session NORMAL is served.")
        kind = _TYPES[spec["orderType"]]
        return OrderRequest(
            client_id="untagged",
            symbol=leg["instrument"]["symbol"].replace("/", "."),
            side=_SIDES[leg["instruction"]],
            quantity=_decimal(leg["quantity"]),
            order_type=kind,
            limit_price_usd=_optional(spec.get("price")),
            stop_price_usd=_optional(spec.get("stopPrice")),
            trailing_ratio=_trail(spec) if kind is OrderType.TRAILING_STOP else None,
            time_in_force=_DURATIONS[spec["duration"]],
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ContractError(f"The order specification is not valid: {error!r}.") from error


def order_json(
    order: BrokerOrder, request: OrderRequest, fills: Sequence[Fill], account_number: str
) -> dict[str, Any]:
    """Return an order as the API shows it."""
    number, works = wire_id(order.broker_order_id), not order.status.is_final
    entered = instant(order.submitted_at)
    shown: dict[str, Any] = {
        "session": "NORMAL",
        "duration": _NAMES_OF_DURATIONS[request.time_in_force],
        "orderType": _NAMES_OF_TYPES[request.order_type],
        "complexOrderStrategyType": "NONE",
        "quantity": order.quantity,
        "filledQuantity": order.filled_quantity,
        "remainingQuantity": order.quantity - order.filled_quantity if works else Decimal(0),
        "requestedDestination": "AUTO",
        "destinationLinkName": "AutoRoute",
        "orderLegCollection": [
            {
                "orderLegType": "EQUITY",
                "legId": 1,
                "instrument": _instrument(order.symbol),
                "instruction": order.side.name,
                "positionEffect": "OPENING" if order.side is Side.BUY else "CLOSING",
                "quantity": order.quantity,
            }
        ],
        "orderStrategyType": "SINGLE",
        "orderId": number,
        "cancelable": works,
        "editable": works,
        "status": _STATUSES[order.status],
        "enteredTime": entered,
        "accountNumber": int(account_number),
    }
    shown |= _prices(request)
    if order.detail:
        shown["statusDescription"] = order.detail
    if fills:
        shown["orderActivityCollection"] = [_activity(fill, number) for fill in fills]
    if not works:
        shown["closeTime"] = instant(fills[-1].at) if fills else entered
    return shown


def instant(moment: datetime) -> str:
    """Return a moment as the API writes it, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S+0000")


def _prices(request: OrderRequest) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if request.limit_price_usd is not None:
        shown["price"] = request.limit_price_usd
    if request.stop_price_usd is not None:
        shown["stopPrice"] = request.stop_price_usd
    if request.trailing_ratio is not None:
        shown |= {
            "stopPriceLinkBasis": "LAST",
            "stopPriceLinkType": "PERCENT",
            "stopPriceOffset": request.trailing_ratio * _HUNDRED,
        }
    return shown


def _activity(fill: Fill, number: int) -> dict[str, Any]:
    return {
        "activityType": "EXECUTION",
        "activityId": _FIRST_ID * 10 + int(fill.fill_id.rpartition("-")[2]),
        "executionType": "FILL",
        "quantity": fill.quantity,
        "orderRemainingQuantity": Decimal(0),
        "orderId": number,
        "executionLegs": [
            {
                "legId": 1,
                "quantity": fill.quantity,
                "mismarkedQuantity": Decimal(0),
                "price": fill.price_usd,
                "time": instant(fill.at),
                "instrumentId": _instrument_id(fill.symbol),
            }
        ],
    }


def _instrument(symbol: str) -> dict[str, Any]:
    return {
        "assetType": "EQUITY",
        "cusip": f"{_instrument_id(symbol):09d}",
        "symbol": symbol.replace(".", "/"),
        "instrumentId": _instrument_id(symbol),
    }


def _instrument_id(symbol: str) -> int:
    return int.from_bytes(symbol.encode()[:3]) % 1_000_000_000


def _trail(spec: Mapping[str, Any]) -> Decimal:
    if spec.get("stopPriceLinkType") != "PERCENT":
        raise ContractError("A trailing stop is served with stopPriceLinkType PERCENT only.")
    return _decimal(spec["stopPriceOffset"]) / _HUNDRED


def _decimal(value: object) -> Decimal:
    return Decimal(str(value))


def _optional(value: object) -> Decimal | None:
    return None if value is None else _decimal(value)
