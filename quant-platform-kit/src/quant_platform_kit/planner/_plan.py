"""From the account's wish to an ordered, explained plan. Pure: same inputs, same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType

from quant_platform_kit.contracts import (
    BrokerOrder,
    Leg,
    OrderPlan,
    PortfolioSnapshot,
    PortfolioTarget,
    Quote,
    Side,
    Skipped,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.planner._capital import ZERO, CapitalPolicy, capital_base, require_prices
from quant_platform_kit.planner._funding import budget, fund
from quant_platform_kit.planner._sizing import Scale, size_order

_DOLLAR = Decimal(1)
_NONE_BLOCKED: Mapping[str, ReasonCode] = MappingProxyType({})
_symbol = attrgetter("symbol")
_notional_usd = attrgetter("notional_usd")


def plan_orders(
    target: TargetPortfolio,
    snapshot: PortfolioSnapshot,
    quotes: Mapping[str, Quote],
    rules: TradingRules,
    policy: CapitalPolicy,
    *,
    blocked: Mapping[str, ReasonCode] = _NONE_BLOCKED,
) -> OrderPlan:
    """Return the orders that take the account to `target`, and a reason for every other symbol.

    Sells come first, the largest first. Buys follow by the dollars their symbols are short of the
    target, the largest first, and are funded in that order from usable cash and the expected
    proceeds of the sells; `fund_buys` repeats that with the cash the sells really brought.

    Parameters
    ----------
    target : TargetPortfolio
        Symbols outside its `managed` are never traded.
    snapshot : PortfolioSnapshot
        The broker's truth.
    quotes : mapping of str to Quote
        One for every symbol of the universe that is held or wanted.
    rules : TradingRules
        What the broker accepts and charges; it never changes a target's dollars.
    policy : CapitalPolicy
    blocked : mapping of str to ReasonCode
        Symbols that must not be traded now, and why. A symbol with a working order is blocked in
        any case: the plan does not guess how it will end.

    Raises
    ------
    InputError
        PRICE_MISSING when a needed quote is absent, CAPITAL_ZERO when something is wanted and
        there is no capital. Nothing has been planned or sent then.
    """
    held = {p.symbol: p.quantity for p in snapshot.positions if p.quantity}
    wanted = {each.symbol: each for each in target.targets if each.amount}
    universe = target.universe
    require_prices(universe.intersection((*held, *wanted)), quotes)
    base = capital_base(snapshot, universe, quotes, policy)
    if wanted and base <= ZERO:
        raise _no_capital(snapshot, policy)

    sells, buys, skipped = _size(
        target.managed,
        wanted,
        held,
        quotes,
        scale=_scale(target, base, rules),
        untouchable=_untouchable(snapshot.open_orders, blocked),
    )
    cash = snapshot.account.usable_cash_usd + _proceeds_usd(sells, rules)
    reserve = (
        policy.cash_floor_usd
        + target.hints.cash_reserve_ratio * base
        + _committed_usd(snapshot.open_orders, quotes, rules)
    )
    funding = fund(buys, cash - reserve, rules)
    return OrderPlan(
        capital_base_usd=base,
        sells=tuple(sells),
        buys=funding.buys,
        skipped=tuple(sorted((*skipped, *funding.skipped), key=_symbol)),
        reserve_usd=reserve,
        residual_cash_usd=cash - funding.cost_usd,
    )


def _size(
    managed: Iterable[str],
    wanted: Mapping[str, PortfolioTarget],
    held: Mapping[str, Decimal],
    quotes: Mapping[str, Quote],
    *,
    scale: Scale,
    untouchable: Mapping[str, Skipped],
) -> tuple[list[Leg], list[Leg], list[Skipped]]:
    sells: list[Leg] = []
    buys: list[Leg] = []
    skipped: list[Skipped] = []
    for symbol in sorted(managed):
        if symbol in untouchable:
            skipped.append(untouchable[symbol])
        elif symbol not in wanted and symbol not in held:
            skipped.append(Skipped(symbol, ReasonCode.AT_TARGET, "not held, not wanted"))
        else:
            target = wanted.get(symbol)
            sized = size_order(symbol, target, held.get(symbol, ZERO), quotes[symbol], scale)
            if isinstance(sized, Skipped):
                skipped.append(sized)
            elif sized.side is Side.SELL:
                sells.append(sized)
            else:
                buys.append(sized)
    # Sorting is stable, so equal sizes stay in the order of their symbols.
    sells.sort(key=_notional_usd, reverse=True)
    buys.sort(key=_shortfall_usd, reverse=True)
    return sells, buys, skipped


def _shortfall_usd(leg: Leg) -> Decimal:
    return leg.target_usd - leg.current_usd


def _scale(target: TargetPortfolio, base: Decimal, rules: TradingRules) -> Scale:
    hints = target.hints
    return Scale(
        unit_usd=base if target.mode is TargetMode.WEIGHT else _DOLLAR,
        lot_shares=rules.lot_shares,
        band_usd=hints.rebalance_threshold_ratio * base,
        least_trade_usd=max(hints.min_trade_usd, rules.minimum_notional_usd),
        least_exit_usd=rules.minimum_notional_usd,
        buy_only=hints.buy_only,
    )


def _untouchable(
    orders: Iterable[BrokerOrder], blocked: Mapping[str, ReasonCode]
) -> dict[str, Skipped]:
    untouchable: dict[str, Skipped] = {}
    # Foreign orders are written last: they are the stronger reason where a symbol has both.
    for order in sorted(orders, key=lambda each: (each.client_id is None, each.broker_order_id)):
        if not order.status.is_final:
            ours = order.client_id is not None
            code = ReasonCode.ORDER_UNRESOLVED if ours else ReasonCode.FOREIGN_ORDER
            detail = f"working: {order.side.value} {order.quantity:f} as {order.broker_order_id}"
            untouchable[order.symbol] = Skipped(order.symbol, code, detail)
    for symbol, code in blocked.items():
        untouchable[symbol] = Skipped(symbol, code, code.meaning)
    return untouchable


def _proceeds_usd(sells: Iterable[Leg], rules: TradingRules) -> Decimal:
    return sum(
        (leg.notional_usd - rules.fees.fee(leg.quantity, leg.price_usd) for leg in sells), ZERO
    )


def _committed_usd(
    orders: Iterable[BrokerOrder], quotes: Mapping[str, Quote], rules: TradingRules
) -> Decimal:
    """Return what working purchases may still cost, as far as their symbols have a quote."""
    return sum(
        (
            budget(order.quantity - order.filled_quantity, quotes[order.symbol].price_usd, rules)
            for order in orders
            if order.side is Side.BUY and not order.status.is_final and order.symbol in quotes
        ),
        ZERO,
    )


def _no_capital(snapshot: PortfolioSnapshot, policy: CapitalPolicy) -> InputError:
    return InputError(
        f"There is no capital to allocate: usable cash {snapshot.account.usable_cash_usd:.2f} USD, "
        f"cash floor {policy.cash_floor_usd:.2f} USD, no managed holdings. No order was sent. Fund "
        "the account, or lower its cash floor or raise its capital limit, and run the slot again.",
        code=ReasonCode.CAPITAL_ZERO,
    )
