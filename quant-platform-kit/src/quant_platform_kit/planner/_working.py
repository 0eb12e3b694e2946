"""What orders that are already working mean for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from quant_platform_kit.contracts import BrokerOrder, Quote, Side, Skipped, TradingRules
from quant_platform_kit.errors import ReasonCode

_ZERO = Decimal(0)


def foreign(orders: Iterable[BrokerOrder]) -> dict[str, Skipped]:
    """Return the symbols that working orders of somebody else block."""
    blocked: dict[str, Skipped] = {}
    for order in sorted(orders, key=lambda each: each.broker_order_id):
        if order.client_id is None and not order.status.is_final:
            detail = f"working: {order.side.value} {order.quantity:f} as {order.broker_order_id}"
            blocked[order.symbol] = Skipped(order.symbol, ReasonCode.FOREIGN_ORDER, detail)
    return blocked


def own_shares(orders: Iterable[BrokerOrder]) -> dict[str, Decimal]:
    """Return what working orders of ours still buy of each symbol; negative when they sell."""
    shares: dict[str, Decimal] = {}
    for order in orders:
        if order.client_id is not None and not order.status.is_final:
            remaining = order.quantity - order.filled_quantity
            signed = remaining if order.side is Side.BUY else -remaining
            shares[order.symbol] = shares.get(order.symbol, _ZERO) + signed
    return shares


def expected_usd(
    orders: Iterable[BrokerOrder], quotes: Mapping[str, Quote], rules: TradingRules
) -> Decimal:
    """Return what working sales of ours will bring, as far as their symbols have a quote."""
    total = _ZERO
    for order in orders:
        ours = order.client_id is not None and order.side is Side.SELL
        if ours and not order.status.is_final and order.symbol in quotes:
            remaining = order.quantity - order.filled_quantity
            price = quotes[order.symbol].price_usd
            total += remaining * price - rules.fees.fee(remaining, price)
    return total


def committed_usd(
    orders: Iterable[BrokerOrder], quotes: Mapping[str, Quote], rules: TradingRules
) -> Decimal:
    """Return what working purchases may still cost, as far as their symbols have a quote."""
    total = _ZERO
    for order in orders:
        if order.side is Side.BUY and not order.status.is_final and order.symbol in quotes:
            remaining = order.quantity - order.filled_quantity
            price = quotes[order.symbol].price_usd * (1 + rules.buy_price_buffer_ratio)
            total += remaining * price + rules.fees.fee(remaining, price)
    return total
