"""The bias: as set, or a half with an alarm; and nothing at all where nobody uses one. Card A15."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import Bias, BiasReading, Limits, entries
from quant_platform_kit.risk._limits import BiasRules
from quant_platform_kit.store import Store, bias

RULES = BiasRules()
REQUIRED = BiasRules(required=True)
HALF = Decimal("0.5")


@pytest.fixture
def dial(store: Store, clock: SimulatedClock) -> Bias:
    return Bias(store, clock)


def test_an_installation_without_a_bias_has_whole_limits(dial: Bias) -> None:
    assert dial.reading(RULES) == BiasReading(Decimal(1), "")


def test_a15_a_required_bias_that_was_never_set_is_a_half_with_an_alarm(dial: Bias) -> None:
    reading = dial.reading(REQUIRED)
    assert reading.factor == HALF
    assert reading.alarm.startswith("BIAS_UNUSABLE: none was set")
    assert "qpk set-bias" in reading.alarm


@pytest.mark.parametrize("value", ["0", "0.25", "1"])
def test_a_bias_counts_as_it_was_last_set(dial: Bias, value: str) -> None:
    dial.set(Decimal("0.9"), who="ann", why="calm")
    dial.set(Decimal(value), who="ann", why="calm")
    assert dial.reading(RULES) == BiasReading(Decimal(value), "")
    assert dial.reading(REQUIRED) == BiasReading(Decimal(value), "")


def test_a15_a_stale_bias_is_a_half_with_an_alarm(dial: Bias, clock: SimulatedClock) -> None:
    dial.set(Decimal(1), who="ann", why="calm")
    start = clock.now()
    clock.advance_to(start + timedelta(minutes=30))
    assert dial.reading(RULES).factor == 1
    clock.advance_to(start + timedelta(minutes=30, microseconds=1))
    reading = dial.reading(RULES)
    assert reading.factor == HALF
    assert "set at 2020-03-31 19:30 UTC and counts for 30 minutes" in reading.alarm
    assert dial.reading(BiasRules(max_age_mins=31)).factor == 1


def test_a_bias_from_the_future_is_no_bias(dial: Bias, store: Store, clock: SimulatedClock) -> None:
    dial.set(Decimal(1), who="ann", why="calm")
    for ahead, factor in ((timedelta(minutes=5), 1), (timedelta(minutes=5, seconds=1), HALF)):
        with store.begin() as connection:
            connection.execute(update(bias).values(at=clock.now() + ahead))
        assert dial.reading(RULES).factor == factor


@pytest.mark.parametrize("value", ["1.01", "-0.1", "NaN", "Infinity", "much", ""])
def test_a15_an_invalid_bias_is_a_half_with_an_alarm(dial: Bias, store: Store, value: str) -> None:
    dial.set(Decimal(1), who="ann", why="calm")
    with store.begin() as connection:
        connection.execute(update(bias).values(value=value, who="agent"))
    reading = dial.reading(RULES)
    assert reading.factor == HALF
    assert "agent set" in reading.alarm


@pytest.mark.parametrize("value", ["1.01", "-0.1", "NaN", "Infinity"])
def test_an_invalid_bias_cannot_be_set(dial: Bias, value: str) -> None:
    with pytest.raises(ContractError, match="from 0 to 1"):
        dial.set(Decimal(value), who="ann", why="calm")
    assert dial.reading(RULES) == BiasReading()


def test_a_cleared_bias_is_none(dial: Bias, store: Store) -> None:
    dial.set(Decimal("0.25"), who="ann", why="calm")
    dial.clear(who="ben", why="agent retired")
    assert dial.reading(RULES) == BiasReading()
    cleared, was_set = entries(store, 9)
    assert (was_set.who, was_set.action) == ("ann", "set-bias")
    assert was_set.detail == {"value": "0.25", "why": "calm"}
    assert (cleared.who, cleared.action) == ("ben", "set-bias")
    assert cleared.detail == {"value": None, "why": "agent retired"}


@given(factor=st.decimals(0, 1, places=3))
def test_a_bias_never_raises_a_limit(factor: Decimal) -> None:
    whole, scaled = Limits(), Limits().scaled(factor)
    assert whole.portfolio.max_exposure_pct is not None
    assert scaled.portfolio.max_exposure_pct == whole.portfolio.max_exposure_pct * factor
    assert scaled.data == whole.data
    assert scaled.bias == whole.bias
