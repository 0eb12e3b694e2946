"""Losses: what counts as one, and when a limit on it is reached. Card A14."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import (
    ACCOUNT,
    AccountHistory,
    Losses,
    LossMeasure,
    Peaks,
    Performance,
    entries,
)
from quant_platform_kit.risk._keys import LossLimit
from quant_platform_kit.risk._limits import LossLimits, LossRules
from quant_platform_kit.store import Store, peaks

DOLLARS = LossLimit(Decimal(2000))
TWO_PCT = LossLimit(Decimal(2), is_pct=True)


def performance(
    profit: str, before: str = "0", peak: str = "0", equity: str = "98000"
) -> Performance:
    return Performance(Decimal(equity), Decimal(profit), Decimal(before), Decimal(peak))


def measured(of: Performance, rules: LossLimits) -> tuple[LossMeasure, ...]:
    return Losses.of(AccountHistory(of), rules).account


@pytest.mark.parametrize(
    ("profit", "before", "reached"),
    [
        ("-2000", "0", True),
        ("-1999.99", "0", False),
        ("500", "2500", True),  # still ahead, and yet 2,000 were lost today
        ("-9000", "-8000", False),  # yesterday's loss is not today's
        ("9000", "0", False),
        ("0", "0", False),
    ],
)
def test_the_daily_loss_counts_from_the_day_before(profit: str, before: str, reached: bool) -> None:
    [daily] = measured(performance(profit, before), LossLimits(DOLLARS))
    assert daily.reached is reached
    assert (daily.name, daily.limit, daily.unit) == ("loss.daily_loss_limit", 2000, "USD")


@pytest.mark.parametrize("limit", [DOLLARS, TWO_PCT])
def test_a_gain_is_a_loss_of_nothing(limit: LossLimit) -> None:
    found = measured(performance("500", "0", "500"), LossLimits(limit, Decimal(0)))
    assert [measure.figure for measure in found] == [0, 0]
    assert not any(measure.reached for measure in found)
    broke = measured(performance("0", equity="0"), LossLimits(limit, Decimal(0)))
    assert [measure.figure for measure in broke] == [0, 0]


def test_a_daily_loss_in_percent_is_of_the_equity_it_began_with() -> None:
    [daily] = measured(performance("-2000"), LossLimits(TWO_PCT))
    assert (daily.figure, daily.limit, daily.unit, daily.reached) == (2, 2, "%", True)
    [less] = measured(performance("-1999"), LossLimits(TWO_PCT))
    assert not less.reached
    assert less.figure == Decimal("1.9990")


def test_a_drawdown_counts_from_the_peak() -> None:
    rules = LossLimits(max_drawdown_pct=Decimal(10))
    [deep] = measured(performance("-1000", "-1000", "9000", equity="90000"), rules)
    assert (deep.name, deep.figure, deep.unit) == ("loss.max_drawdown_pct", 10, "%")
    assert deep.reached
    [less] = measured(performance("-999", "-1000", "9000", equity="90000"), rules)
    assert not less.reached


def test_an_account_that_lost_all_it_had_lost_a_hundred_percent() -> None:
    [daily] = measured(performance("-500", equity="-600"), LossLimits(TWO_PCT))
    assert daily.figure == 100


@given(
    profit=st.decimals(-5000, 5000, places=2),
    before=st.decimals(-5000, 5000, places=2),
    above=st.decimals(0, 5000, places=2),
    limit=st.decimals(0, 100, places=2),
    in_pct=st.booleans(),
)
def test_a14_a_profit_never_trips_a_loss_limit(
    profit: Decimal, before: Decimal, above: Decimal, limit: Decimal, in_pct: bool
) -> None:
    gained = profit >= before
    rules = LossLimits(LossLimit(limit, in_pct), limit)
    at_the_peak = Performance(Decimal(50_000), profit, before, profit)
    daily, drawdown = measured(at_the_peak, rules)
    assert not drawdown.reached
    if gained:
        assert not daily.reached
    below = Performance(Decimal(50_000), profit, before, profit + above)
    assert measured(below, rules)[1].figure <= 100


def test_each_strategy_answers_to_its_own_rules() -> None:
    rules = LossLimits(
        strategies={"*": LossRules(LossLimit(Decimal(100))), "income": LossRules(None, Decimal(5))}
    )
    history = AccountHistory(
        performance("0"),
        {"income": performance("-150", equity="1000"), "growth": performance("-150")},
    )
    losses = Losses.of(history, rules)
    assert losses.account == ()
    [income] = losses.strategies["income"]
    assert (income.name, income.reached) == ("loss.strategies.income.max_drawdown_pct", True)
    [growth] = losses.strategies["growth"]
    assert (growth.name, growth.reached) == ("loss.strategies.growth.daily_loss_limit", True)
    assert str(growth) == ("loss.strategies.growth.daily_loss_limit: 150.00 USD lost, limit 100.00")


def test_the_daily_measure_of_the_account_can_be_asked_for() -> None:
    history = AccountHistory(performance("-1"), {"income": performance("-1")})
    rules = LossLimits(strategies={"income": LossRules(DOLLARS)}, max_drawdown_pct=Decimal(5))
    assert Losses.of(history, rules).daily is None
    found = Losses.of(history, LossLimits(DOLLARS)).daily
    assert found is not None
    assert found.figure == 1


# ── Peaks ──────────────────────────────────────────────────────────────────────────────


def test_a_peak_is_kept_and_only_ever_rises(store: Store, clock: SimulatedClock) -> None:
    kept = Peaks(store, clock)
    one, two, three = Decimal("-1.5"), Decimal(2), Decimal(3)
    assert kept.raised({ACCOUNT: one}) == {ACCOUNT: one}
    assert kept.raised({ACCOUNT: two, "income": one}) == {ACCOUNT: two, "income": one}
    first = clock.now()
    clock.advance_to(first + timedelta(days=1))
    assert Peaks(store, clock).raised({ACCOUNT: one, "income": three}) == {
        ACCOUNT: two,
        "income": three,
    }
    with store.begin() as connection:
        rows = connection.execute(select(peaks).order_by(peaks.c.name)).all()
    assert [tuple(row) for row in rows] == [
        (ACCOUNT, two, first),
        ("income", three, clock.now()),
    ]


def test_an_operator_can_let_drawdowns_count_from_now_on(
    store: Store, clock: SimulatedClock
) -> None:
    kept = Peaks(store, clock)
    kept.raised({ACCOUNT: Decimal(9)})
    with pytest.raises(ContractError, match="why is empty"):
        kept.reset(who="ann", why="")
    kept.reset(who="ann", why="new year")
    assert kept.raised({ACCOUNT: Decimal(1)}) == {ACCOUNT: 1}
    [entry] = entries(store, 9)
    assert (entry.who, entry.action, entry.detail) == ("ann", "reset-peaks", {"why": "new year"})
