"""Fractions of shares, and remainders: divided in the finest step that was given, never lost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.ledger._attribution import (
    Wish,
    apportion,
    attribute,
    cents,
    round_to_sum,
)

SLEEVES = st.sampled_from(["a", "b", "c"])


def shares(**quantities: str) -> dict[str, Decimal]:
    return {sleeve: Decimal(quantity) for sleeve, quantity in quantities.items()}


def half_each(quantity: str, open_shares: str) -> Wish:
    half = Fraction(quantity) / 2
    return Wish({"a": half, "b": half}, Decimal(open_shares))


def test_a_fraction_of_a_share_is_divided_in_its_own_last_digit() -> None:
    moves = attribute(Decimal("0.5"), {}, half_each("0.5", "0.5"), "nobody")
    assert moves == shares(a="0.3", b="0.2")
    moves = attribute(Decimal("0.50"), {}, half_each("0.5", "0.5"), "nobody")
    assert moves == shares(a="0.3", b="0.2")  # a zero at the end is no finer step
    moves = attribute(Decimal("0.25"), {}, half_each("0.25", "0.25"), "nobody")
    assert moves == shares(a="0.13", b="0.12")


def test_a_fraction_that_somebody_holds_makes_the_step_finer() -> None:
    moves = attribute(Decimal(1), shares(a="0.5"), half_each("1.5", "1"), "nobody")
    assert moves == shares(a="0.3", b="0.7")


def test_whole_shares_stay_whole_however_large_their_number() -> None:
    moves = attribute(Decimal(1000), {}, half_each("1000", "1000"), "nobody")
    assert moves == shares(a="500", b="500")
    moves = attribute(Decimal("1E+3") + 1, {}, half_each("1001", "1001"), "nobody")
    assert moves == shares(a="501", b="500")
    moves = attribute(Decimal(10), {}, Wish({"a": Fraction(1), "b": Fraction(1)}, Decimal(10)), "x")
    assert moves == shares(a="5", b="5")


def test_of_more_than_an_order_had_left_everybody_moves_all_the_way() -> None:
    # Ten were left and twelve came: what passes between the two is still all of it, not more.
    wish = Wish({"a": Fraction(20), "b": Fraction(40)}, Decimal(10))
    assert attribute(Decimal(12), shares(a="40", b="10"), wish, "nobody") == shares(a="-20", b="32")


def test_what_is_bought_beyond_every_wish_goes_to_who_wished_and_to_nobody_else() -> None:
    wish = Wish({"a": Fraction(10), "b": Fraction(0)}, Decimal(5))
    moves = attribute(Decimal(5), shares(a="10", c="5"), wish, "nobody")
    assert moves == shares(a="5")
    moves = attribute(Decimal(5), shares(c="0"), Wish({}, Decimal(5)), "nobody")
    assert moves == shares(nobody="5")


def test_steps_that_are_left_over_go_to_the_largest_remainders() -> None:
    weights = shares(a="1", b="2", c="4")
    # 10/7, 20/7 and 40/7: the remainders are 3, 6 and 5 sevenths.
    assert apportion(Decimal(10), weights, Decimal(1)) == shares(a="1", b="3", c="6")
    assert apportion(Decimal(11), weights, Decimal(1)) == shares(a="2", b="3", c="6")


def test_equal_remainders_go_by_name() -> None:
    weights = shares(c="1", b="1", a="1")
    assert apportion(Decimal(4), weights, Decimal(1)) == shares(a="2", b="1", c="1")
    assert apportion(Decimal(5), weights, Decimal(1)) == shares(a="2", b="2", c="1")


def test_what_is_smaller_than_a_step_goes_with_the_first_who_gets_none() -> None:
    weights = shares(a="1", b="1")
    assert apportion(Decimal("2.5"), weights, Decimal(1)) == shares(a="1.5", b="1")
    assert apportion(Decimal("3.5"), weights, Decimal(1)) == shares(a="2", b="1.5")
    assert apportion(Decimal("0.5"), shares(a="1"), Decimal(1)) == shares(a="0.5")


def test_nothing_is_divided_into_nothing() -> None:
    assert apportion(Decimal(0), shares(a="0"), Decimal(1)) == {}


def test_dollars_are_rounded_to_cents_that_add_up() -> None:
    thirds = {name: Decimal(10) / 3 for name in "cba"}
    assert round_to_sum(thirds, Decimal(10)) == shares(a="3.34", b="3.33", c="3.33")
    owed = {name: -amount for name, amount in thirds.items()}
    assert round_to_sum(owed, Decimal(-10)) == shares(a="-3.33", b="-3.33", c="-3.34")


def test_a_missing_cent_goes_to_the_largest_remainder() -> None:
    exact = shares(a="1.001", b="1.009", c="0.99")
    assert round_to_sum(exact, Decimal("3.00")) == shares(a="1.00", b="1.01", c="0.99")


@pytest.mark.parametrize(
    ("exact", "rounded"), [("0.005", "0.00"), ("0.015", "0.02"), ("-0.005", "0.00"), ("2", "2.00")]
)
def test_half_a_cent_goes_to_the_even_one(exact: str, rounded: str) -> None:
    assert cents(Decimal(exact)) == Decimal(rounded)


@given(
    held=st.dictionaries(SLEEVES, st.decimals(0, 50, places=2)),
    wish=st.dictionaries(SLEEVES, st.fractions(0, 50, max_denominator=20)),
    change=st.decimals(-100, 50, places=3).filter(bool),
    open_shares=st.decimals(0, 70, places=2),
)
def test_fractions_add_up_and_nobody_owes_any(
    held: dict[str, Decimal], wish: dict[str, Fraction], change: Decimal, open_shares: Decimal
) -> None:
    change = max(change, -sum(held.values(), Decimal(0)))
    if not change:
        return
    found = attribute(change, held, Wish(wish, open_shares), "nobody")
    assert sum(found.values()) == change
    assert all(held.get(sleeve, Decimal(0)) + move >= 0 for sleeve, move in found.items())
    assert all(found.values())
