"""Buys are paid with cash that is there: in order of priority, each with its buffer and fee."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter

from quant_platform_kit.contracts import Leg, OrderPlan, Skipped, TradingRules
from quant_platform_kit.errors import ReasonCode

_ZERO = Decimal(0)
_symbol = attrgetter("symbol")


def fund_buys(plan: OrderPlan, cash_usd: Decimal, rules: TradingRules) -> OrderPlan:
    """Return `plan` with the buys that confirmed cash pays for.

    Requires that the sells have ended and cash was read again. No buy grows beyond the plan: one
    that does not fit is reduced, or skipped as CASH_SHORT.

    Parameters
    ----------
    plan : OrderPlan
        Its reserve stays untouched.
    cash_usd : Decimal
        Usable cash, as the broker confirms it now.
    rules : TradingRules
    """
    funding = fund(plan.buys, cash_usd - plan.reserve_usd, rules)
    return replace(
        plan,
        buys=funding.buys,
        skipped=tuple(sorted((*plan.skipped, *funding.skipped), key=_symbol)),
        residual_cash_usd=cash_usd - funding.cost_usd,
    )


@dataclass(frozen=True, slots=True)
class Funding:
    """The buys that are paid for, their cost at the sizing prices, and those left out."""

    buys: tuple[Leg, ...]
    cost_usd: Decimal
    skipped: tuple[Skipped, ...]


def fund(buys: Iterable[Leg], spendable_usd: Decimal, rules: TradingRules) -> Funding:
    """Pay for `buys` in the order given, as far as `spendable_usd` goes.

    A leg that does not fit takes the most lots that do; what it leaves may pay for a later leg.
    """
    funded: list[Leg] = []
    skipped: list[Skipped] = []
    left = spendable_usd
    for wish in buys:
        needed = budget(wish.quantity, wish.price_usd, rules)
        leg = wish if needed <= left else _reduce(wish, left, rules)
        if leg is None:
            detail = f"{needed:.2f} USD needed with buffer and fee, {max(left, _ZERO):.2f} left"
            skipped.append(Skipped(wish.symbol, ReasonCode.CASH_SHORT, detail))
            continue
        left -= needed if leg is wish else budget(leg.quantity, leg.price_usd, rules)
        funded.append(leg)
    cost = sum(
        (leg.notional_usd + rules.fees.fee(leg.quantity, leg.price_usd) for leg in funded), _ZERO
    )
    return Funding(tuple(funded), cost, tuple(skipped))


def budget(quantity: Decimal, price_usd: Decimal, rules: TradingRules) -> Decimal:
    """Return the cash in USD to set aside for a purchase: its notional, buffer and fee."""
    price = price_usd + price_usd * rules.buy_price_buffer_ratio
    return quantity * price + rules.fees.fee(quantity, price)


def _reduce(leg: Leg, left_usd: Decimal, rules: TradingRules) -> Leg | None:
    lot, price = rules.lot_shares, leg.price_usd
    if budget(lot, price, rules) > left_usd:
        return None
    # A search over lots, not a division: a minimum fee and whole cents make the cost uneven.
    lots = bisect_right(
        range(1, int(leg.quantity / lot) + 1),
        left_usd,
        key=lambda count: budget(count * lot, price, rules),
    )
    if lots * lot * price < rules.minimum_notional_usd:
        return None
    return replace(leg, quantity=lots * lot, limited_by=ReasonCode.CASH_SHORT)
