"""Whole lots as close to the targets as cash allows: chosen for all symbols together."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    ExecutionHints,
    FeeModel,
    OrderPlan,
    Rounding,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.planner._rounding import Candidate, choose

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]

FLOOR = CapitalPolicy(rounding=Rounding.FLOOR)
ZERO = Decimal(0)


def test_cash_that_rounding_down_leaves_buys_the_lots_that_bring_symbols_closest(
    plan: Planner, quantities: Quantities
) -> None:
    weights = {"AAA": "0.38", "BBB": "0.37", "CCC": "0.25"}
    prices = dict.fromkeys(weights, 100)
    made = plan(weights, prices=prices, cash=1000)
    # 3.8, 3.7 and 2.5 lots: rounded down, 200 USD are left, and two lots lack more than half.
    assert quantities(made) == {"AAA": 4, "BBB": 4, "CCC": 2}
    assert made.residual_cash_usd == 0


def test_a_lot_that_would_lead_further_away_is_not_bought(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan({"AAA": "0.45"}, prices={"AAA": 100}, cash=1000)
    assert quantities(made) == {"AAA": 4}
    assert plan({"AAA": "0.451"}, prices={"AAA": 100}, cash=1000).buys[0].quantity == 5


def test_two_small_lots_are_taken_where_they_bring_more_than_a_large_one(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 90, "BBB": 58, "CCC": 58},
        mode=TargetMode.VALUE,
        prices={"AAA": 100, "BBB": 60, "CCC": 60},
        cash=120,
    )
    # The lot of AAA gains 80 USD, those of BBB and CCC 56 each.
    assert quantities(made) == {"BBB": 1, "CCC": 1}


def test_the_better_fit_wins_over_the_better_ratio(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 9, "BBB": 85}, mode=TargetMode.VALUE, prices={"AAA": 10, "BBB": 100}, cash=105
    )
    # Lot for dollar AAA gains more, but then BBB would not fit.
    assert quantities(made) == {"BBB": 1}


def test_a_sale_stops_a_lot_earlier_where_that_is_closer_and_cash_allows(
    plan: Planner, quantities: Quantities
) -> None:
    book = {"prices": {"AAA": 10}, "positions": {"AAA": 20}}
    assert quantities(plan({"AAA": 126}, mode=TargetMode.VALUE, **book)) == {"AAA": -7}
    assert quantities(plan({"AAA": 124}, mode=TargetMode.VALUE, **book)) == {"AAA": -8}


def test_cash_for_one_lot_goes_where_it_gains_most_bought_or_not_sold(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 126, "BBB": 139},
        mode=TargetMode.VALUE,
        prices={"AAA": 10, "BBB": 10},
        positions={"AAA": 20},
        cash=58,
    )
    # 13 lots of BBB cost 130; eight sold bring 80, and 8 of the 58 in cash are left for a lot.
    assert quantities(made) == {"AAA": -8, "BBB": 13}
    richer = plan(
        {"AAA": 126, "BBB": 139},
        mode=TargetMode.VALUE,
        prices={"AAA": 10, "BBB": 10},
        positions={"AAA": 20},
        cash=60,
    )
    assert quantities(richer) == {"AAA": -8, "BBB": 14}


@pytest.mark.parametrize(("held", "sold"), [("13.1", 0), ("13.15", 0), ("13.16", 1)])
def test_a_lot_is_sold_for_an_excess_only_where_that_is_closer_by_more_than_its_fee(
    plan: Planner, quantities: Quantities, held: str, sold: int
) -> None:
    made = plan(
        {"AAA": 126},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        positions={"AAA": held},
        rules=TradingRules(fees=FeeModel(minimum_usd=Decimal(1))),
    )
    # 13.16 is 5.60 USD too much: a lot less would be 4.40 too little, 1.20 closer for a dollar.
    assert quantities(made) == ({"AAA": -sold} if sold else {})


def test_an_excess_of_half_a_lot_and_the_fee_is_kept(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": 126},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        positions={"AAA": "13.15"},
        rules=TradingRules(fees=FeeModel(minimum_usd=Decimal(1))),
    )
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}


def test_a_lot_for_the_rest_has_to_be_worth_its_fee(plan: Planner, quantities: Quantities) -> None:
    book = {"mode": TargetMode.VALUE, "prices": {"AAA": 10}, "cash": 1000}
    dear = TradingRules(fees=FeeModel(per_share_usd=Decimal(2)))
    assert quantities(plan({"AAA": 126}, rules=dear, **book)) == {"AAA": 12}
    assert quantities(plan({"AAA": "126.01"}, rules=dear, **book)) == {"AAA": 13}


def test_a_fraction_of_a_lot_that_is_held_stays_when_whole_lots_are_sold(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 3}, mode=TargetMode.VALUE, prices={"AAA": 10}, positions={"AAA": "10.5"}, cash=0
    )
    assert quantities(made) == {"AAA": -10}


def test_less_than_a_lot_cannot_be_sold_in_part(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": 1},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        positions={"AAA": "0.9"},
        rules=TradingRules(lot_shares=Decimal(1)),
    )
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}


def test_the_strategys_minimum_binds_a_single_lot_too(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": 56},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        positions={"AAA": 5},
        cash=100,
        hints=ExecutionHints(min_trade_usd=Decimal("10.01")),
    )
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}
    assert made.legs == ()


def test_a_sale_does_not_stop_earlier_where_the_smaller_order_would_be_too_small(
    plan: Planner, quantities: Quantities
) -> None:
    book = {
        "mode": TargetMode.VALUE,
        "prices": {"AAA": 10},
        "positions": {"AAA": 10},
    }
    loose, tight = (ExecutionHints(min_trade_usd=Decimal(usd)) for usd in (10, 11))
    assert quantities(plan({"AAA": 86}, hints=loose, **book)) == {"AAA": -1}
    assert quantities(plan({"AAA": 86}, hints=tight, **book)) == {"AAA": -2}


def test_the_plain_floor_rounds_each_symbol_down_by_itself(
    plan: Planner, quantities: Quantities
) -> None:
    book = {
        "prices": {"AAA": 100, "BBB": 100, "CCC": 100},
        "positions": {"CCC": 3},
        "cash": 700,
        "policy": FLOOR,
    }
    made = plan({"AAA": "0.38", "BBB": "0.37", "CCC": "0.25"}, **book)
    assert quantities(made) == {"CCC": -1, "AAA": 3, "BBB": 3}
    assert made.rounding is Rounding.FLOOR


def test_the_plain_floor_sizes_on_the_whole_capital_and_pays_in_order(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": "0.5", "BBB": "0.5"},
        prices={"AAA": 10, "BBB": 10},
        cash=1000,
        rules=TradingRules(fees=FeeModel(minimum_usd=Decimal(1))),
        policy=FLOOR,
    )
    assert made.sized_on_usd == made.capital_base_usd == 1000
    assert quantities(made) == {"AAA": 50, "BBB": 49}
    assert made.buys[1].limited_by is ReasonCode.CASH_SHORT


# ── The choice itself ──────────────────────────────────────────────────────────────────

usd = st.integers(1, 1_000).map(Decimal)
candidates = st.lists(st.tuples(usd, usd), max_size=9).map(
    lambda rows: [Candidate(place, gain, cost) for place, (gain, cost) in enumerate(rows)]
)


@given(offered=candidates, cash=st.integers(-50, 4_000).map(Decimal))
def test_the_exact_choice_gains_what_no_other_exceeds(
    offered: list[Candidate], cash: Decimal
) -> None:
    taken = choose(offered, cash, exact=True)
    affordable = [
        sum((each.gain_usd for each in some), ZERO)
        for flags in product((False, True), repeat=len(offered))
        for some in [[each for each, flag in zip(offered, flags, strict=True) if flag]]
        if sum((each.cost_usd for each in some), ZERO) <= max(cash, ZERO)
    ]
    assert sum((each.gain_usd for each in taken), ZERO) == max(affordable)
    assert sum((each.cost_usd for each in taken), ZERO) <= max(cash, ZERO)


@given(offered=candidates, cash=usd, more=usd, exact=st.booleans())
def test_a_choice_leaves_nothing_that_fits_and_never_shrinks_with_more_cash(
    offered: list[Candidate], cash: Decimal, more: Decimal, *, exact: bool
) -> None:
    taken = choose(offered, cash, exact=exact)
    spent = sum((each.cost_usd for each in taken), ZERO)
    assert spent <= cash
    assert all(each in taken or each.cost_usd > cash - spent for each in offered)
    richer = choose(offered, cash + more, exact=exact)
    assert spent <= sum((each.cost_usd for each in richer), ZERO)


@given(offered=candidates, cash=usd, done=st.sets(st.integers(0, 8)), exact=st.booleans())
def test_what_remains_of_a_choice_is_the_choice_among_what_remains(
    offered: list[Candidate], cash: Decimal, done: set[int], *, exact: bool
) -> None:
    taken = choose(offered, cash, exact=exact)
    bought = [each for each in taken if each.place in done]
    left = cash - sum((each.cost_usd for each in bought), ZERO)
    remaining = [each for each in offered if each not in bought]
    again = choose(remaining, left, exact=exact)
    assert {each.place for each in again} == {each.place for each in taken if each not in bought}


def test_a_lot_whose_cost_the_saved_fee_covers_is_always_taken() -> None:
    free, dear = Candidate(0, Decimal(1), ZERO), Candidate(1, Decimal(9), Decimal(9))
    assert choose([dear, free], Decimal(8), exact=False) == [free]
    assert choose([dear, free], Decimal(8), exact=True) == [free]


def test_beyond_ten_wishes_lots_are_taken_by_their_gain_per_dollar(
    plan: Planner, quantities: Quantities
) -> None:
    names = [f"S{number:02}" for number in range(11)]
    wishes = dict.fromkeys(names, 9) | {"S00": "87.5"}
    quoted = dict.fromkeys(names, 10) | {"S00": 100}
    made = plan(wishes, mode=TargetMode.VALUE, prices=quoted, cash=105)
    assert "S00" not in quantities(made)
    ten = {name: wishes[name] for name in names[:10]}
    assert "S00" in quantities(plan(ten, mode=TargetMode.VALUE, prices=quoted, cash=105))
