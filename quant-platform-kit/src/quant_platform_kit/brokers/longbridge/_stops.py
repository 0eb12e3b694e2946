"""Stops in LongBridge's terms, where the side on which a trigger lies decides what it waits for.

LongBridge has no stops but orders "if touched": a trigger above the last price waits for a rise,
one below it for a fall. So a stop whose trigger was passed already would wait for the price to
come back, and is sent as what it has become instead. A trailing trigger begins at its ratio from
the last price, and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import OrderRequest, OrderType, Quote, Side, TimeInForce

WAITING: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
"""Types that wait for a price."""


def sendable(order: OrderRequest, quote: Quote | None) -> OrderRequest | str:
    """Return the order that does what `order` means, or why there is none.

    Parameters
    ----------
    order : OrderRequest
        Of a type that waits for a price.
    quote : Quote or None
        The symbol's last price.
    """
    if quote is None:
        return f"{order.symbol} has no quote, so on which side its trigger lies is unknown."
    if order.order_type is OrderType.TRAILING_STOP:
        return _trailing(order, quote.price_usd)
    trigger = order.stop_price_usd
    if trigger is None or not _is_reached(order.side, trigger, quote.price_usd):
        return order
    if order.order_type is OrderType.STOP_LIMIT:
        return replace(order, order_type=OrderType.LIMIT, stop_price_usd=None)
    day = TimeInForce.DAY
    return replace(order, order_type=OrderType.MARKET, stop_price_usd=None, time_in_force=day)


def _trailing(order: OrderRequest, price_usd: Decimal) -> OrderRequest | str:
    distance = price_usd * (order.trailing_ratio or Decimal(0))
    own = price_usd - distance if order.side is Side.SELL else price_usd + distance
    begins_at = order.stop_price_usd
    if begins_at is None or begins_at == own or not _is_reached(order.side, begins_at, own):
        return replace(order, stop_price_usd=None)
    return (
        f"LongBridge's trailing stop of {order.symbol} would begin at {own:.2f} USD, further away "
        f"than the {begins_at} USD that are asked for."
    )


def _is_reached(side: Side, trigger_usd: Decimal, price_usd: Decimal) -> bool:
    return price_usd <= trigger_usd if side is Side.SELL else price_usd >= trigger_usd
