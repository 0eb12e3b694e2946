"""Axes begin and end on readable numbers, and shapes pass through the points they are given."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import _charts as charts

_amounts = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("span", "count", "step"),
    [(100, 5, 20), (1, 4, 0.25), (0.33, 4, 0.1), (7, 5, 2), (240_000, 5, 50_000), (5, 5, 1)],
)
def test_a_step_is_the_smallest_readable_one(span: float, count: int, step: float) -> None:
    assert charts.nice_step(span, count) == pytest.approx(step)


@given(values=st.lists(_amounts, min_size=1, max_size=20), count=st.integers(2, 8))
def test_an_axis_reaches_every_value_in_few_even_steps(values: list[float], count: int) -> None:
    scale, ticks = charts.nice_scale(values, count=count)

    assert scale.low == ticks[0] <= min(values) + 1e-6
    assert scale.high == ticks[-1] >= max(values) - 1e-6
    assert 2 <= len(ticks) <= count + 2
    steps = [after - before for before, after in pairwise(ticks)]
    assert min(steps) > 0
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-4)


@pytest.mark.parametrize("values", [[0.0, 1e-12], [100.0], [0.0], [-5.0, -5.0]])
def test_an_axis_of_almost_nothing_still_has_a_length(values: list[float]) -> None:
    scale, _ = charts.nice_scale(values)

    assert scale.low < scale.high
    assert 0 <= scale.y(values[0]) <= charts.HEIGHT


def test_an_axis_can_be_made_to_reach_zero() -> None:
    scale, ticks = charts.nice_scale([-0.339, -0.12], count=4, include=0.0)

    assert ticks == (-0.4, -0.3, -0.2, -0.1, 0.0)
    assert (scale.percent(0.0), scale.percent(-0.4)) == (0.0, 100.0)


def test_days_lie_in_proportion_to_the_calendar() -> None:
    days = (date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 5))

    assert charts.abscissae(days) == (0.0, 250.0, 1000.0)


def test_one_day_is_a_chart_too() -> None:
    assert charts.abscissae([date(2020, 1, 1)]) == (0.0,)


def test_a_line_passes_through_its_points_from_the_top_down() -> None:
    path = charts.line_path([0.0, 500.0, 1000.0], [0.0, 10.0, 5.0], charts.Scale(0.0, 10.0))

    assert path == "M0 300.00L500 0.00L1000 150.00"


def test_bands_stand_on_one_another() -> None:
    scale = charts.Scale(0.0, 1.0)

    lower, upper = charts.stacked_bands([0.0, 1000.0], [[0.5, 0.25], [0.5, 0.75]], scale)

    assert lower == "M0 150.00L1000 225.00L1000 300.00L0 300.00Z"
    assert upper == "M0 0.00L1000 0.00L1000 225.00L0 150.00Z"


def test_a_long_span_is_marked_in_years_and_halves() -> None:
    ticks = charts.month_ticks(date(2018, 12, 31), date(2022, 12, 28))

    assert [tick.label for tick in ticks] == [
        "2019",
        "Jul",
        "2020",
        "Jul",
        "2021",
        "Jul",
        "2022",
        "Jul",
    ]


def test_a_short_span_is_marked_in_months() -> None:
    ticks = charts.month_ticks(date(2022, 6, 30), date(2022, 12, 28))

    assert [tick.label for tick in ticks] == ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@given(first=st.dates(date(1990, 1, 1), date(2030, 1, 1)), length=st.integers(1, 15_000))
def test_marks_ascend_inside_the_axis(first: date, length: int) -> None:
    ticks = charts.month_ticks(first, first + timedelta(days=length))

    places = [tick.percent for tick in ticks]
    assert places == sorted(set(places))
    assert all(0 <= place <= 100 for place in places)
    assert len(ticks) <= 10
