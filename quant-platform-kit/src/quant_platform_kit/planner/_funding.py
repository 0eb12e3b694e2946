"""Buys are paid with cash that is there, each with its head room and fee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from quant_platform_kit.contracts import Leg, OrderPlan, Rounding, Skipped, TradingRules
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner._paying import Purchase, afford, least_lots, short_of

_ZERO = Decimal(0)
_symbol = attrgetter("symbol")


def fund_buys(plan: OrderPlan, cash_usd: Decimal, rules: TradingRules) -> OrderPlan:
    """Return `plan` with the buys that confirmed cash pays for.

    Requires that the sells have ended and cash was read again. No buy grows beyond the plan: one
    that does not fit is reduced, or skipped as CASH_SHORT. Cash goes lot by lot to the symbol
    that lies furthest below its target; a plan of rounding FLOOR pays its legs one after the
    other.

    Parameters
    ----------
    plan : OrderPlan
        Its reserve stays untouched.
    cash_usd : Decimal
        Usable cash, as the broker confirms it now.
    rules : TradingRules
    """
    purchases = [_purchase(leg, rules, plan.least_trade_usd) for leg in plan.buys]
    level = plan.rounding is Rounding.NEAREST
    counts, left = afford(purchases, cash_usd - plan.reserve_usd, level=level)
    buys: list[Leg] = []
    skipped = list(plan.skipped)
    for leg, each, lots in zip(plan.buys, purchases, counts, strict=True):
        if lots == each.lots:
            buys.append(leg)
        elif lots:
            quantity = lots * rules.lot_shares
            buys.append(replace(leg, quantity=quantity, limited_by=ReasonCode.CASH_SHORT))
        else:
            detail = short_of(each.cost_usd(each.lots), left)
            skipped.append(Skipped(leg.symbol, ReasonCode.CASH_SHORT, detail))
    spent = sum((leg.notional_usd + _fee_usd((leg,), rules) for leg in buys), _ZERO)
    return replace(
        plan,
        buys=tuple(buys),
        skipped=tuple(sorted(skipped, key=_symbol)),
        residual_cash_usd=cash_usd - spent,
        fees_usd=_fee_usd((*plan.sells, *buys), rules),
    )


def _purchase(leg: Leg, rules: TradingRules, least_usd: Decimal) -> Purchase:
    price, lot = leg.price_usd, rules.lot_shares
    budget_price = price + price * rules.buy_price_buffer_ratio
    return Purchase(
        shortfall_usd=leg.difference_usd - leg.working_quantity * price,
        lot_usd=lot * price,
        lots=int(leg.quantity / lot),
        least_lots=least_lots(lot * price, least_usd),
        budget_lot_usd=lot * budget_price,
        fee_lot_usd=lot * rules.fees.rate(budget_price),
        fees=rules.fees,
    )


def _fee_usd(legs: Sequence[Leg], rules: TradingRules) -> Decimal:
    return sum((rules.fees.fee(leg.quantity, leg.price_usd) for leg in legs), _ZERO)
