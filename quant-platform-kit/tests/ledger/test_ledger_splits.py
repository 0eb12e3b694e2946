"""Which changes of a quantity a split explains, ratio by ratio and at the edges of each rule."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_platform_kit.ledger._splits import split_ratio

TOLERANCE = Decimal("0.25")
WHOLE = [*range(2, 21), 25, 30, 40, 50, 100]
BROKEN = [(3, 2), (5, 2), (4, 3), (5, 4), (6, 5)]
USUAL = [*((new, 1) for new in WHOLE), *BROKEN]


def found(
    before: str | int | Decimal,
    after: str | int | Decimal,
    old: str | Decimal | None,
    new: str | Decimal | None,
    tolerance: Decimal = TOLERANCE,
) -> Decimal | None:
    prices = [None if price is None else Decimal(price) for price in (old, new)]
    return split_ratio(Decimal(before), Decimal(after), *prices, tolerance)


@pytest.mark.parametrize(("new", "old"), USUAL)
def test_every_usual_split_is_known_both_ways(new: int, old: int) -> None:
    ratio, before = Decimal(new) / Decimal(old), 6000
    after = before * new // old
    price = Decimal(600) / ratio
    assert found(before, after, "600", price) == ratio
    assert found(after, before, price, "600") == 1 / ratio


@pytest.mark.parametrize(("new", "old"), [(21, 1), (26, 1), (7, 2), (7, 6), (101, 1), (1, 101)])
def test_a_ratio_that_nobody_uses_is_no_split(new: int, old: int) -> None:
    before = 42420
    assert found(before, before * new // old, "4242", Decimal(4242 * old) / new) is None


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        (0, 10, "100", "50"),
        (10, 0, "100", "50"),
        (10, 10, "100", "50"),
        (10, 20, None, "50"),
        (10, 20, "100", None),
        (10, 20, "0", "50"),
        (10, 20, "100", "0"),
    ],
)
def test_without_two_quantities_and_two_prices_there_is_no_split(
    before: int, after: int, old: str | None, new: str | None
) -> None:
    assert found(before, after, old, new) is None


@pytest.mark.parametrize(
    ("price", "expected"),
    [("62.49", 2), ("62.51", None), ("40.01", 2), ("39.99", None)],
)
def test_the_price_may_be_off_by_the_tolerance_on_either_side(
    price: str, expected: int | None
) -> None:
    # Two for one makes 50 of 100: up to 62.50, and down to 40.00.
    assert found(10, 20, "100", price) == expected


@pytest.mark.parametrize(("price", "expected"), [("89.4", "1.25"), ("89.5", None)])
def test_the_price_must_be_nearer_to_the_split_than_to_where_it_was(
    price: str, expected: str | None
) -> None:
    # Five for four makes 80 of 100; half way there, by ratio, is 89.44.
    wide = Decimal("0.9")
    assert found(8, 10, "100", price, wide) == (None if expected is None else Decimal(expected))


def test_a_fraction_of_a_share_is_paid_in_cash_where_shares_are_whole() -> None:
    assert found(7, 10, "30", "20") == Decimal("1.5")
    assert found(7, 11, "30", "20") is None
    assert found("7.0", "10", "30", "20") == Decimal("1.5")


def test_fractions_of_shares_are_split_exactly() -> None:
    assert found("7.5", "11.25", "30", "20") == Decimal("1.5")
    assert found("7.5", "11", "30", "20") is None
    assert found("7", "10.5", "30", "20") == Decimal("1.5")
    assert found("7.1", "10", "30", "20") is None
    third = Decimal(10) / 3  # as many digits as a broker gives
    assert found(10, third.quantize(Decimal("1e-10")), "10", "30") is not None
    assert found(10, third.quantize(Decimal("1e-8")), "10", "30") is None
