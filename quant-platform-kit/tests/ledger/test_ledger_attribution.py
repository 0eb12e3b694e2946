"""Who gets which part of a fill: nothing is lost, nobody is pushed around."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.ledger._attribution import Wish, apportion, attribute, round_to_sum

SLEEVES = st.sampled_from(["a", "b", "c", "d"])
shares = st.integers(0, 500).map(Decimal)
wishes = st.dictionaries(SLEEVES, st.fractions(0, 500, max_denominator=30))


def moves(
    change: int, held: dict[str, int], wish: dict[str, int] | None, open_shares: int | None = None
) -> dict[str, int]:
    purpose = None
    if wish is not None:
        wanted = {sleeve: Fraction(part) for sleeve, part in wish.items()}
        purpose = Wish(wanted, Decimal(abs(change) if open_shares is None else open_shares))
    before = {sleeve: Decimal(part) for sleeve, part in held.items()}
    return {s: int(n) for s, n in attribute(Decimal(change), before, purpose, "nobody").items()}


@pytest.mark.parametrize(
    ("change", "held", "wish", "expected"),
    [
        (40, {}, {"a": 30, "b": 10}, {"a": 30, "b": 10}),
        (10, {"a": 40, "b": 10}, {"a": 20, "b": 40}, {"a": -20, "b": 30}),
        (-10, {"a": 40, "b": 10}, {"a": 10, "b": 30}, {"a": -30, "b": 20}),
        (-60, {"a": 40, "b": 20}, {}, {"a": -40, "b": -20}),
        (-30, {"a": 40, "b": 20}, None, {"a": -20, "b": -10}),
        (3, {"a": 40, "b": 20}, None, {"a": 2, "b": 1}),
        (3, {}, None, {"nobody": 3}),
        # Limited by cash: nobody sells to make room for the other.
        (50, {"a": 100}, {"a": 100, "b": 100}, {"b": 50}),
        # More came than was asked for.
        (30, {"a": 10, "b": 10}, {"a": 10, "b": 10}, {"a": 15, "b": 15}),
        # More went than anybody had to spare.
        (-15, {"a": 10, "b": 10}, {"a": 10, "b": 5}, {"a": -8, "b": -7}),
    ],
    ids=[
        "both buy",
        "netted purchase",
        "netted sale",
        "everything",
        "sale without an order",
        "purchase without an order",
        "purchase by nobody",
        "short of cash",
        "overfilled",
        "oversold",
    ],
)
def test_a_fill_is_divided_by_what_its_order_was_for(
    change: int, held: dict[str, int], wish: dict[str, int] | None, expected: dict[str, int]
) -> None:
    assert moves(change, held, wish) == expected


def test_a_part_of_an_order_moves_everyone_by_that_part() -> None:
    # A tenth of the purchase: a tenth of what passes between them.
    assert moves(1, {"a": 40, "b": 10}, {"a": 20, "b": 40}, 10) == {"a": -2, "b": 3}


@given(
    held=st.dictionaries(SLEEVES, shares),
    wish=st.none() | wishes,
    change=st.integers(-2000, 500).filter(bool).map(Decimal),
    open_shares=st.integers(0, 700).map(Decimal),
)
def test_no_share_is_lost_and_no_holding_falls_below_zero(
    held: dict[str, Decimal],
    wish: dict[str, Fraction] | None,
    change: Decimal,
    open_shares: Decimal,
) -> None:
    change = max(change, -sum(held.values(), Decimal(0)))
    if not change:
        return
    found = attribute(change, held, None if wish is None else Wish(wish, open_shares), "nobody")
    assert sum(found.values()) == change
    assert all(held.get(sleeve, Decimal(0)) + move >= 0 for sleeve, move in found.items())
    assert all(move == move.to_integral_value() for move in found.values())


@given(
    held=st.dictionaries(SLEEVES, shares, min_size=1),
    wish=wishes.filter(lambda w: any(w.values())),
    cuts=st.lists(st.integers(1, 400), max_size=4),
)
def test_an_order_in_parts_ends_near_where_the_order_in_one_does(
    held: dict[str, Decimal], wish: dict[str, Fraction], cuts: list[int]
) -> None:
    aim = sum(wish.values(), Fraction(0)).__floor__()
    # The planner's target is in whole lots; the sleeves' wishes share it.
    whole = sum(wish.values(), Fraction(0))
    wish = {sleeve: part * aim / whole for sleeve, part in wish.items()}
    change = Decimal(aim) - sum(held.values(), Decimal(0))
    if not change:
        return
    at_once = attribute(change, held, Wish(wish, abs(change)), "nobody")
    now, left = dict(held), abs(change)
    for part in [*map(Decimal, cuts), left]:
        step = min(part, left)
        if step:
            signed = step if change > 0 else -step
            for sleeve, move in attribute(signed, now, Wish(wish, left), "nobody").items():
                now[sleeve] = now.get(sleeve, Decimal(0)) + move
            left -= step
    for sleeve in held.keys() | wish.keys():
        whole_way = held.get(sleeve, Decimal(0)) + at_once.get(sleeve, Decimal(0))
        assert abs(now.get(sleeve, Decimal(0)) - whole_way) <= 3
        assert abs(whole_way - Decimal(float(wish.get(sleeve, 0)))) < 3


@given(
    total=st.decimals(0, 10**9, places=4),
    weights=st.dictionaries(SLEEVES, st.decimals(0, 10**9, places=6), min_size=1).filter(
        lambda w: any(w.values())
    ),
    step=st.sampled_from([Decimal(1), Decimal("0.01"), Decimal("0.0001")]),
)
def test_apportioned_parts_add_up_and_are_within_a_step_of_their_share(
    total: Decimal, weights: dict[str, Decimal], step: Decimal
) -> None:
    parts = apportion(total, weights, step)
    assert sum(parts.values(), Decimal(0)) == total
    whole = sum(map(Fraction, weights.values()), Fraction(0))
    for name, part in parts.items():
        exact = Fraction(total) * Fraction(weights[name]) / whole
        assert abs(Fraction(part) - exact) < 2 * Fraction(step)


@given(weights=st.dictionaries(SLEEVES, st.integers(1, 99).map(Decimal), min_size=1))
def test_apportioning_does_not_depend_on_the_order_of_names(weights: dict[str, Decimal]) -> None:
    backwards = dict(reversed(weights.items()))
    assert apportion(Decimal(100), weights, Decimal(1)) == apportion(
        Decimal(100), backwards, Decimal(1)
    )


@given(
    exact=st.dictionaries(SLEEVES, st.decimals(-(10**6), 10**6, places=6), min_size=1),
)
def test_rounded_amounts_add_up_to_the_rounded_sum(exact: dict[str, Decimal]) -> None:
    total = sum(exact.values()).quantize(Decimal("0.01"))
    parts = round_to_sum(exact, total)
    assert sum(parts.values()) == total
    assert all(abs(parts[name] - exact[name]) <= Decimal("0.01") for name in exact)
