"""From the account's wish to an ordered, explained plan. Pure: same inputs, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter, itemgetter
from types import MappingProxyType

from quant_platform_kit.contracts import (
    BandGoal,
    Leg,
    OrderPlan,
    PortfolioSnapshot,
    Quote,
    Rounding,
    Side,
    Skipped,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.planner._capital import ZERO, CapitalPolicy, capital_base, require_prices
from quant_platform_kit.planner._line import Line
from quant_platform_kit.planner._sizing import Terms, Wish, explain
from quant_platform_kit.planner._steady import Book, End, steady
from quant_platform_kit.planner._working import (
    committed_usd,
    expected_usd,
    foreign,
    own_shares,
)

_DOLLAR = Decimal(1)
_BUY, _SELL, _AT_TARGET = Side.BUY, Side.SELL, ReasonCode.AT_TARGET  # looking up takes its time
_CLOSE = frozenset({ReasonCode.AT_TARGET, ReasonCode.BELOW_LOT, ReasonCode.WITHIN_BAND})
_NONE_BLOCKED: Mapping[str, ReasonCode] = MappingProxyType({})
_symbol = attrgetter("symbol")
_notional_usd = attrgetter("notional_usd")
_first = itemgetter(0)


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

    Whole lots come as close to the targets as cash allows, for the capital that is left after
    the plan's own fees (docs/decisions/0009). Planned again after perfect fills, there is nothing
    to do, unless head room that was set aside has become cash.

    Sells come first, the largest first. Buys follow by the dollars their symbols are short of the
    target, the largest first, and are funded from usable cash and the expected proceeds of the
    sells; `fund_buys` repeats that with the cash the sells really brought.

    Parameters
    ----------
    target : TargetPortfolio
        Symbols outside its `managed` are never traded.
    snapshot : PortfolioSnapshot
        The broker's truth. Working orders of ours count as if filled, so it must not hold
        orders that wait for a price, such as stops; a working order of anybody else blocks its
        symbol.
    quotes : mapping of str to Quote
        One for every symbol of the universe that is held or wanted.
    rules : TradingRules
        What the broker accepts and charges; it never changes a target's dollars.
    policy : CapitalPolicy
    blocked : mapping of str to ReasonCode
        Symbols that must not be traded now, and why.

    Raises
    ------
    InputError
        PRICE_MISSING when a needed quote is absent, CAPITAL_ZERO when something is wanted and
        there is no capital. Nothing has been planned or sent then.
    """
    orders, universe = snapshot.open_orders, target.universe
    held = {p.symbol: p.quantity for p in snapshot.positions if p.quantity}
    wanted = {each.symbol for each in target.targets if each.amount}
    require_prices(universe.intersection((*held, *wanted)), quotes)
    base = capital_base(snapshot, universe, quotes, policy)
    if wanted and base <= ZERO:
        raise _no_capital(snapshot, policy)

    untouchable = foreign(orders)
    untouchable |= {s: Skipped(s, code, code.meaning) for s, code in blocked.items()}
    lines, idle = _lines(target, held, quotes, rules, own_shares(orders), untouchable=untouchable)
    end = steady(
        Book(
            lines=lines,
            cash_usd=snapshot.account.usable_cash_usd,
            expected_usd=expected_usd(orders, quotes, rules),
            rules=rules,
            terms=_terms(target, rules, policy, committed_usd(orders, quotes, rules)),
            base_usd=base,
            base_after=_base_after(base, snapshot, universe, quotes, policy),
        )
    )
    unit = base if target.mode is TargetMode.WEIGHT else _DOLLAR
    sells, buys, kept = _explained(lines, end, unit)
    return OrderPlan(
        capital_base_usd=base,
        sized_on_usd=end.sized_on_usd,
        sells=sells,
        buys=buys,
        skipped=tuple(sorted((*idle, *kept), key=_symbol)),
        reserve_usd=end.terms.reserve_usd,
        residual_cash_usd=end.cash_usd,
        fees_usd=end.fees_usd,
        least_trade_usd=end.terms.least_trade_usd,
        rounding=policy.rounding,
    )


def _lines(
    target: TargetPortfolio,
    held: Mapping[str, Decimal],
    quotes: Mapping[str, Quote],
    rules: TradingRules,
    working: Mapping[str, Decimal],
    *,
    untouchable: Mapping[str, Skipped],
) -> tuple[list[Line], list[Skipped]]:
    """Divide the managed symbols: those that may be traded, and those that are not looked at."""
    wishes = {each.symbol: each for each in target.targets}
    lines: list[Line] = []
    idle: list[Skipped] = []
    for symbol in sorted(target.managed):
        wish, shares = wishes.get(symbol), held.get(symbol, ZERO)
        ordered = working.get(symbol, ZERO)
        if symbol in untouchable:
            idle.append(untouchable[symbol])
        elif shares or (wish is not None and wish.amount):
            lines.append(Line.of(quotes[symbol], wish, shares, ordered, rules))
        elif ordered:
            detail = f"not wanted, {ordered:+f} on order"
            idle.append(Skipped(symbol, ReasonCode.ORDER_WORKING, detail))
        else:
            idle.append(Skipped(symbol, ReasonCode.AT_TARGET, "not held, not wanted"))
    return lines, idle


def _terms(
    target: TargetPortfolio, rules: TradingRules, policy: CapitalPolicy, committed_usd: Decimal
) -> Callable[[Decimal], Terms]:
    hints, weights = target.hints, target.mode is TargetMode.WEIGHT

    def terms(base_usd: Decimal) -> Terms:
        return Terms(
            unit_usd=base_usd if weights else _DOLLAR,
            lot_shares=rules.lot_shares,
            band_usd=hints.rebalance_threshold_ratio * base_usd,
            to_edge=hints.band_trades_to is BandGoal.EDGE,
            least_trade_usd=max(hints.min_trade_usd, rules.minimum_notional_usd),
            least_exit_usd=rules.minimum_notional_usd,
            reserve_usd=policy.cash_floor_usd + hints.cash_reserve_ratio * base_usd + committed_usd,
            buy_only=hints.buy_only,
            nearest=policy.rounding is Rounding.NEAREST,
        )

    return terms


def _base_after(
    base_usd: Decimal,
    snapshot: PortfolioSnapshot,
    universe: frozenset[str],
    quotes: Mapping[str, Quote],
    policy: CapitalPolicy,
) -> Callable[[Decimal, Decimal], Decimal] | None:
    """Return how fees lower the capital base, where they do.

    A run that was cut off keeps its base, a plain floor knows no fees, and an account below its
    cash floor has no cash that could pay them.
    """
    floor, limit = policy.cash_floor_usd, policy.capital_limit_usd
    if (
        policy.pinned_base_usd is not None
        or policy.rounding is Rounding.FLOOR
        or snapshot.account.usable_cash_usd < floor
    ):
        return None
    whole = base_usd  # without the limit
    if limit is not None:
        whole = capital_base(snapshot, universe, quotes, replace(policy, capital_limit_usd=None))

    def base_after(cash_usd: Decimal, fees_usd: Decimal) -> Decimal:
        # A sale may cost more than it brings; what lacks to the floor then does not count twice.
        left = whole - fees_usd + max(ZERO, floor - cash_usd)
        return left if limit is None else min(limit, left)

    return base_after


def _explained(
    lines: Iterable[Line], end: End, unit_usd: Decimal
) -> tuple[tuple[Leg, ...], tuple[Leg, ...], list[Skipped]]:
    """Return the sells, the buys and what is left alone, each with its reason."""
    sells: list[Leg] = []
    buys: list[tuple[Decimal, Leg]] = []
    skipped: list[Skipped] = []
    for line, after, granted, wish in zip(lines, end.shares, end.granted, end.wishes, strict=True):
        # Cash that ran short is the reason, whatever keeps the rest from being asked for again.
        reason = granted if granted.short_shares else wish
        if after > line.shares:
            leg = _leg(line, after, reason, unit_usd, end.terms)
            buys.append((line.gap_usd(line.shares, unit_usd), leg))
        elif after < line.shares:
            sells.append(_leg(line, after, reason, unit_usd, end.terms))
        else:
            detail = reason.detail or explain(line, after, end.terms, reason.code)
            skipped.append(Skipped(line.quote.symbol, reason.code, detail))
    # Sorting is stable, so equal sizes stay in the order of their symbols.
    sells.sort(key=_notional_usd, reverse=True)
    buys.sort(key=_first, reverse=True)
    return tuple(sells), tuple(leg for _, leg in buys), skipped


def _leg(line: Line, after: Decimal, reason: Wish, unit_usd: Decimal, terms: Terms) -> Leg:
    price, current = line.price_usd, line.shares
    if line.working_shares:
        current -= line.working_shares
    target_usd = line.amount * unit_usd
    exact = target_usd / price
    buys, limited_by = after > line.shares, None
    if after < exact if buys else after > exact:
        limited_by = _limit(line, exact - after, reason.code, to_edge=terms.to_edge)
    return Leg(
        line.quote.symbol,
        _BUY if buys else _SELL,
        abs(after - line.shares),
        price,
        line.quote.at,
        target_usd,
        current * price,
        after + reason.short_shares,
        current,
        exact,
        limited_by,
        () if line.target is None else line.target.contributors,
        line.working_shares,
    )


def _limit(line: Line, missing: Decimal, code: ReasonCode, *, to_edge: bool) -> ReasonCode | None:
    """Say why a leg stops short of its exact target by `missing` shares; None for the nearest."""
    if code not in _CLOSE:
        return code
    if abs(missing) * line.price_usd < line.lot_usd:
        return None if code is _AT_TARGET else ReasonCode.BELOW_LOT
    if to_edge and code is ReasonCode.WITHIN_BAND:
        return code
    return ReasonCode.FEES


def _no_capital(snapshot: PortfolioSnapshot, policy: CapitalPolicy) -> InputError:
    return InputError(
        f"There is no capital to allocate: usable cash {snapshot.account.usable_cash_usd:.2f} USD, "
        f"cash floor {policy.cash_floor_usd:.2f} USD, no managed holdings. No order was sent. Fund "
        "the account, or lower its cash floor or raise its capital limit, and run the slot again.",
        code=ReasonCode.CAPITAL_ZERO,
    )
