from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from us_equity_strategies._dollars import (
    Curve,
    cents_above,
    cents_below,
    interpolate,
    nearest_cent,
)

TENT = (
    (Decimal(10), Decimal("0.2")),
    (Decimal(20), Decimal("0.6")),
    (Decimal(60), Decimal("0.1")),
)
USD = st.decimals(Decimal(0), Decimal(10_000_000), places=6)


@pytest.mark.parametrize(
    ("usd", "ratio"),
    [
        ("0", "0.2"),
        ("10", "0.2"),
        ("12.5", "0.3"),
        ("20", "0.6"),
        ("40", "0.35"),
        ("60", "0.1"),
        ("61", "0.1"),
    ],
)
def test_a_curve_is_linear_between_points_and_flat_beyond_them(usd: str, ratio: str) -> None:
    assert interpolate(TENT, Decimal(usd)) == Decimal(ratio)


def test_a_curve_of_one_point_is_the_same_everywhere() -> None:
    assert [interpolate(TENT[:1], Decimal(usd)) for usd in (0, 10, 11)] == [Decimal("0.2")] * 3


@given(usd=st.decimals(Decimal(0), Decimal(100), places=4))
def test_a_curve_is_what_numpy_interpolates(usd: Decimal) -> None:
    expected = np.interp(float(usd), [10.0, 20.0, 60.0], [0.2, 0.6, 0.1])

    assert float(interpolate(TENT, usd)) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("usd", "below", "nearest", "above"),
    [
        ("1.23", "1.23", "1.23", "1.23"),
        ("1.2301", "1.23", "1.23", "1.24"),
        ("1.235", "1.23", "1.24", "1.24"),
        ("1.2349", "1.23", "1.23", "1.24"),
        ("0", "0.00", "0.00", "0.00"),
    ],
)
def test_cents_are_rounded_each_way(usd: str, below: str, nearest: str, above: str) -> None:
    rounded = [f(Decimal(usd)) for f in (cents_below, nearest_cent, cents_above)]

    assert [str(amount) for amount in rounded] == [below, nearest, above]


@given(usd=USD)
def test_rounded_dollars_are_less_than_a_cent_away(usd: Decimal) -> None:
    assert cents_below(usd) <= usd <= cents_above(usd)
    assert cents_above(usd) - cents_below(usd) <= Decimal("0.01")
    assert abs(nearest_cent(usd) - usd) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([], "at least 1"),
        ([[10, 0.5], [10, 0.6]], "10 does not follow 10"),
        ([[20, 0.5], [10, 0.6]], "10 does not follow 20"),
        ([[-1, 0.5]], "greater than or equal to 0"),
        ([[1, 1.1]], "less than or equal to 1"),
        ([[1, 0.5, 2]], "at most 2"),
    ],
)
def test_a_curve_that_is_none_is_refused(points: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TypeAdapter(Curve).validate_python(points)
