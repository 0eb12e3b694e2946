"""What holds for every account, price and wish."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    BandGoal,
    ExecutionHints,
    FeeModel,
    Leg,
    OrderPlan,
    PortfolioSnapshot,
    PortfolioTarget,
    Position,
    Quote,
    Rounding,
    Side,
    TargetMode,
    TargetPortfolio,
    TradingRules,
    canonical,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy, fund_buys, plan_orders

Snapshots = Callable[..., PortfolioSnapshot]
Quotes = Callable[..., dict[str, Quote]]

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
UNMANAGED = "MANUAL"
T = TypeVar("T")

cents = st.integers(1, 50_000).map(lambda n: Decimal(n) / 100)
dollars = st.integers(0, 2_000_000).map(lambda n: Decimal(n) / 100)
shares = st.one_of(
    st.just(Decimal(0)),
    st.integers(0, 400).map(Decimal),
    st.integers(0, 400_000).map(lambda n: Decimal(n) / 1000),
)
free = st.just(FeeModel())
nearest = st.just(Rounding.NEAREST)
charged = st.builds(
    FeeModel,
    per_share_usd=st.sampled_from([Decimal(0), Decimal("0.0049")]),
    notional_bps=st.sampled_from([Decimal(0), Decimal(7)]),
    minimum_usd=st.sampled_from([Decimal(0), Decimal("0.35"), Decimal(3)]),
)


@dataclass(frozen=True)
class Case:
    """One account with everything that a plan depends on."""

    target: TargetPortfolio
    snapshot: PortfolioSnapshot
    quotes: dict[str, Quote]
    rules: TradingRules
    policy: CapitalPolicy

    def plan(self) -> OrderPlan:
        return plan_orders(self.target, self.snapshot, self.quotes, self.rules, self.policy)

    def with_cash(self, cash_usd: Decimal) -> Case:
        account = replace(self.snapshot.account, usable_cash_usd=cash_usd, cash_usd=cash_usd)
        return replace(self, snapshot=replace(self.snapshot, account=account))

    def with_base(self, base_usd: Decimal) -> Case:
        return replace(self, policy=replace(self.policy, pinned_base_usd=base_usd))

    def filled(self, legs: Iterable[Leg]) -> Case:
        """Fill legs completely at the price that sized them."""
        held = self.snapshot.quantities()
        cash = self.snapshot.account.usable_cash_usd
        for leg in legs:
            sign = 1 if leg.side is Side.BUY else -1
            held[leg.symbol] = held.get(leg.symbol, Decimal(0)) + sign * leg.quantity
            cash -= sign * leg.notional_usd + self.rules.fees.fee(leg.quantity, leg.price_usd)
        positions = tuple(Position(symbol, quantity) for symbol, quantity in held.items())
        return replace(self, snapshot=replace(self.snapshot, positions=positions)).with_cash(cash)


@dataclass(frozen=True)
class Book:
    """What is drawn: the numbers of a `Case`."""

    target: TargetPortfolio
    positions: dict[str, Decimal]
    cash: Decimal
    prices: dict[str, Decimal]
    rules: TradingRules
    policy: CapitalPolicy


Builder = Callable[[Book], Case]


@pytest.fixture(scope="session")
def build(snapshot_of: Snapshots, quotes_of: Quotes) -> Builder:
    return lambda book: Case(
        book.target,
        snapshot_of(book.positions, book.cash),
        quotes_of(book.prices),
        book.rules,
        book.policy,
    )


@st.composite
def books(
    draw: st.DrawFn,
    fees: st.SearchStrategy[FeeModel] = charged,
    buffers: tuple[str, ...] = ("0", "0.01"),
    roundings: st.SearchStrategy[Rounding] = nearest,
) -> Book:
    prices = {symbol: draw(cents) for symbol in SYMBOLS}
    wanted = draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
    if draw(st.booleans()):
        mode = TargetMode.WEIGHT
        parts = [draw(st.integers(0, 100)) for _ in wanted]
        whole = max(sum(parts) + draw(st.integers(0, 50)), 1)
        amounts = [Decimal(10**10 * part // whole) / 10**10 for part in parts]
    else:
        mode = TargetMode.VALUE
        amounts = [draw(dollars) for _ in wanted]
    target = TargetPortfolio(
        mode=mode,
        managed=SYMBOLS,
        targets=tuple(map(PortfolioTarget, wanted, amounts)),
        hints=ExecutionHints(
            rebalance_threshold_ratio=draw(st.sampled_from([Decimal(0), Decimal("0.03")])),
            cash_reserve_ratio=draw(st.sampled_from([Decimal(0), Decimal("0.05")])),
            min_trade_usd=draw(st.sampled_from([Decimal(0), Decimal(50)])),
            buy_only=draw(st.sampled_from([False, False, False, True])),
            band_trades_to=draw(st.sampled_from(BandGoal)),
        ),
    )
    rules = TradingRules(
        lot_shares=draw(st.sampled_from([Decimal(1), Decimal("0.001"), Decimal(10)])),
        minimum_notional_usd=draw(st.sampled_from([Decimal(0), Decimal(5)])),
        fees=draw(fees),
        buy_price_buffer_ratio=Decimal(draw(st.sampled_from(buffers))),
    )
    policy = CapitalPolicy(
        cash_floor_usd=draw(st.sampled_from([Decimal(0), Decimal(500)])),
        capital_limit_usd=draw(st.sampled_from([None, Decimal(5000)])),
        rounding=draw(roundings),
    )
    positions = {symbol: draw(shares) for symbol in (*SYMBOLS, UNMANAGED)}
    cash = draw(dollars)
    # Something to allocate, so that a wish is never refused.
    assume(cash > policy.cash_floor_usd or any(positions[symbol] for symbol in SYMBOLS))
    return Book(target, positions, cash, prices, rules, policy)


def outlay(made: OrderPlan, rules: TradingRules) -> Decimal:
    return sum(
        (leg.notional_usd + rules.fees.fee(leg.quantity, leg.price_usd) for leg in made.buys),
        Decimal(0),
    )


def proceeds(made: OrderPlan, rules: TradingRules) -> Decimal:
    return sum(
        (leg.notional_usd - rules.fees.fee(leg.quantity, leg.price_usd) for leg in made.sells),
        Decimal(0),
    )


def fees_of(legs: Iterable[Leg], rules: TradingRules) -> Decimal:
    return sum((rules.fees.fee(leg.quantity, leg.price_usd) for leg in legs), Decimal(0))


@given(book=books(roundings=st.sampled_from(Rounding)))
def test_buys_never_cost_more_than_cash_above_the_reserve_fees_included(
    build: Builder, book: Book
) -> None:
    case = build(book)
    made = case.plan()
    cash = case.snapshot.account.usable_cash_usd + proceeds(made, case.rules)
    assert outlay(made, case.rules) <= max(cash - made.reserve_usd, Decimal(0))
    assert made.residual_cash_usd == cash - outlay(made, case.rules)
    assert made.fees_usd == fees_of(made.legs, case.rules)


@given(book=books(roundings=st.sampled_from(Rounding)))
def test_head_room_is_never_spent(build: Builder, book: Book) -> None:
    case = build(book)
    made = case.plan()
    room = 1 + case.rules.buy_price_buffer_ratio
    dearest = sum(
        (
            leg.notional_usd * room + case.rules.fees.fee(leg.quantity, leg.price_usd * room)
            for leg in made.buys
        ),
        Decimal(0),
    )
    cash = case.snapshot.account.usable_cash_usd + proceeds(made, case.rules)
    assert dearest <= max(cash - made.reserve_usd, Decimal(0))


@given(book=books(roundings=st.sampled_from(Rounding)), confirmed=dollars)
def test_confirmed_cash_pays_for_every_funded_buy_and_none_grows(
    build: Builder, book: Book, confirmed: Decimal
) -> None:
    case = build(book)
    made = case.plan()
    funded = fund_buys(made, confirmed, case.rules)
    assert outlay(funded, case.rules) <= max(confirmed - made.reserve_usd, Decimal(0))
    assert funded.residual_cash_usd == confirmed - outlay(funded, case.rules)
    assert funded.fees_usd == fees_of(funded.legs, case.rules)
    planned = {leg.symbol: leg.quantity for leg in made.buys}
    assert all(leg.quantity <= planned[leg.symbol] for leg in funded.buys)
    lost = planned.keys() - {leg.symbol for leg in funded.buys}
    assert lost <= {each.symbol for each in funded.skipped}


@given(book=books(roundings=st.sampled_from(Rounding)))
def test_cash_as_expected_funds_the_plan_as_it_is(build: Builder, book: Book) -> None:
    case = build(book)
    made = case.plan()
    expected = case.snapshot.account.usable_cash_usd + proceeds(made, case.rules)
    assert fund_buys(made, expected, case.rules) == made


@given(book=books(roundings=st.sampled_from(Rounding)))
def test_no_leg_sells_more_than_is_held_and_every_leg_is_worth_sending(
    build: Builder, book: Book
) -> None:
    case = build(book)
    held, wishes = case.snapshot.quantities(), {t.symbol: t.amount for t in case.target.targets}
    for leg in case.plan().legs:
        assert leg.quantity > 0
        assert leg.notional_usd >= case.rules.minimum_notional_usd
        if leg.side is Side.SELL:
            assert leg.quantity <= held[leg.symbol]
            assert not case.target.hints.buy_only
        assert leg.quantity % case.rules.lot_shares == 0
        if not wishes.get(leg.symbol):
            assert held[leg.symbol] - leg.quantity < case.rules.lot_shares


@given(book=books(fees=free, buffers=("0",)))
def test_no_leg_ends_a_lot_or_more_from_where_it_is_going(build: Builder, book: Book) -> None:
    """Between the target and a lot beyond, or short for a reason that it names."""
    case = build(book)
    lot = case.rules.lot_shares
    for leg in case.plan().legs:
        sign = 1 if leg.side is Side.BUY else -1
        beyond = sign * (leg.current_quantity + sign * leg.quantity - leg.exact_quantity)
        assert beyond < lot
        if beyond <= -lot:
            assert leg.limited_by in {ReasonCode.CASH_SHORT, ReasonCode.WITHIN_BAND}
        elif 2 * beyond < -lot:
            assert leg.limited_by is not None


@given(book=books(roundings=st.sampled_from(Rounding)))
def test_every_managed_symbol_is_a_leg_or_has_a_reason_and_no_other_is_named(
    build: Builder, book: Book
) -> None:
    made = build(book).plan()
    named = [leg.symbol for leg in made.legs] + [entry.symbol for entry in made.skipped]
    assert sorted(named) == sorted(SYMBOLS)
    assert all(entry.detail for entry in made.skipped)


@given(book=books(roundings=st.sampled_from(Rounding)), seed=st.integers(0, 2**16))
def test_the_order_of_inputs_changes_no_byte_of_the_plan(
    build: Builder, book: Book, seed: int
) -> None:
    case = build(book)
    deal = random.Random(seed)  # noqa: S311 (a shuffle, no secret)

    def shuffled(values: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(deal.sample(values, len(values)))

    other = replace(
        case,
        target=replace(
            case.target,
            managed=shuffled(case.target.managed),
            targets=shuffled(case.target.targets),
        ),
        snapshot=replace(case.snapshot, positions=shuffled(case.snapshot.positions)),
        quotes=dict(shuffled(tuple(case.quotes.items()))),
    )
    assert canonical(other.plan()) == canonical(case.plan())


@given(book=books(buffers=("0",)))
def test_planning_again_after_perfect_fills_gives_no_leg_although_fees_were_paid(
    build: Builder, book: Book
) -> None:
    case = build(book)
    # Below its floor an account has no cash to count; what sells bring back would raise the base.
    assume(case.snapshot.account.usable_cash_usd >= case.policy.cash_floor_usd)
    made = case.plan()
    after = case.filled(made.legs)
    assume(_has_capital(after))
    again = after.plan()
    assert again.legs == ()
    assert again.capital_base_usd <= made.capital_base_usd


@given(book=books(fees=free, buffers=("0",), roundings=st.just(Rounding.FLOOR)))
def test_planning_a_plain_floor_again_gives_no_leg_where_nothing_is_charged(
    build: Builder, book: Book
) -> None:
    case = build(book)
    assume(case.snapshot.account.usable_cash_usd >= case.policy.cash_floor_usd)
    assert case.filled(case.plan().legs).plan().legs == ()


@given(book=books(buffers=("0",)), part=st.integers(0, 6))
def test_an_attempt_that_finds_a_part_of_the_plan_done_sends_exactly_the_rest(
    build: Builder, book: Book, part: int
) -> None:
    case = build(book)
    made = case.plan()
    assume(made.legs)
    rest = case.filled(made.legs[:part]).with_base(made.sized_on_usd).plan()
    assert _orders(rest.legs) == _orders(made.legs[part:])


@given(book=books(buffers=("0",), roundings=st.sampled_from(Rounding)), more=dollars)
def test_more_cash_never_means_less_invested(build: Builder, book: Book, more: Decimal) -> None:
    case = build(book)
    case = case.with_base(case.plan().capital_base_usd)
    cash = case.snapshot.account.usable_cash_usd
    richer = case.with_cash(cash + more)
    spent = cash - case.plan().residual_cash_usd
    assert spent <= cash + more - richer.plan().residual_cash_usd


@given(fees=charged, first=st.integers(1, 999), second=st.integers(1, 999), price=cents)
def test_an_order_in_two_parts_never_costs_less_in_fees(
    fees: FeeModel, first: int, second: int, price: Decimal
) -> None:
    parts = fees.fee(Decimal(first), price) + fees.fee(Decimal(second), price)
    assert fees.fee(Decimal(first + second), price) <= parts


def _has_capital(case: Case) -> bool:
    return case.snapshot.account.usable_cash_usd > case.policy.cash_floor_usd or any(
        position.quantity for position in case.snapshot.positions if position.symbol != UNMANAGED
    )


def _orders(legs: Iterable[Leg]) -> dict[str, tuple[Side, Decimal]]:
    return {leg.symbol: (leg.side, leg.quantity) for leg in legs}
