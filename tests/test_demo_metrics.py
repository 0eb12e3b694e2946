"""Figures about a curve, on curves whose answers are known."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import _metrics as metrics

_curves = st.lists(st.floats(0.01, 1e6), min_size=2, max_size=50)


def _days(count: int) -> list[date]:
    return [date(2020, 1, 1) + timedelta(days=index) for index in range(count)]


def test_the_return_is_last_over_first() -> None:
    assert metrics.total_return([80.0, 10.0, 100.0]) == pytest.approx(0.25)


def test_growth_compounds_over_calendar_years() -> None:
    two_years = [date(2020, 1, 1), date(2021, 12, 31)]

    assert metrics.annual_return([100.0, 121.0], two_years) == pytest.approx(0.10, abs=1e-4)


def test_growth_a_year_is_not_told_below_one_year() -> None:
    assert metrics.annual_return([100.0, 110.0], _days(2)) is None


def test_a_drawdown_is_measured_from_the_highest_value_so_far() -> None:
    assert metrics.drawdowns([100.0, 80.0, 120.0, 90.0]) == pytest.approx((0.0, -0.2, 0.0, -0.25))
    assert metrics.max_drawdown([100.0, 80.0, 120.0, 90.0]) == pytest.approx(-0.25)


@given(_curves)
def test_a_drawdown_never_exceeds_the_whole_and_is_zero_at_a_new_peak(curve: list[float]) -> None:
    depths = metrics.drawdowns(curve)

    assert all(-1 <= depth <= 0 for depth in depths)
    assert depths[curve.index(max(curve))] == 0


def test_volatility_is_annualised_by_the_square_root_of_252() -> None:
    # Returns of +10 % and -10 %: a population deviation of 10 %.
    assert metrics.volatility([100.0, 110.0, 99.0]) == pytest.approx(0.1 * 252**0.5)


def test_a_curve_of_one_day_has_no_volatility() -> None:
    assert metrics.volatility([100.0]) == 0


def test_turnover_is_what_was_traded_a_year_over_average_equity() -> None:
    year = [date(2021, 1, 1), date(2022, 1, 1)]

    assert metrics.annual_turnover(300.0, [100.0, 200.0], year) == pytest.approx(2.0, rel=1e-3)
