"""The no-trade band: what it keeps, how far a trade goes, and what it never stops."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import BandGoal, ExecutionHints, OrderPlan, TargetMode
from quant_platform_kit.errors import ReasonCode

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]

TO_TARGET = ExecutionHints(rebalance_threshold_ratio=Decimal("0.05"))
TO_EDGE = ExecutionHints(rebalance_threshold_ratio=Decimal("0.05"), band_trades_to=BandGoal.EDGE)


@pytest.mark.parametrize(("hints", "shares"), [(TO_TARGET, 20), (TO_EDGE, 15)])
def test_a_holding_below_its_band_is_bought_to_the_target_or_to_the_edge(
    plan: Planner, quantities: Quantities, hints: ExecutionHints, shares: int
) -> None:
    made = plan({"AAA": "0.7"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=hints)
    assert quantities(made) == {"AAA": shares}
    assert made.buys[0].limited_by is (ReasonCode.WITHIN_BAND if hints is TO_EDGE else None)


@pytest.mark.parametrize(("hints", "shares"), [(TO_TARGET, 20), (TO_EDGE, 15)])
def test_a_holding_above_its_band_is_sold_to_the_target_or_to_the_edge(
    plan: Planner, quantities: Quantities, hints: ExecutionHints, shares: int
) -> None:
    made = plan({"AAA": "0.3"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=hints)
    assert quantities(made) == {"AAA": -shares}
    assert made.sells[0].limited_by is (ReasonCode.WITHIN_BAND if hints is TO_EDGE else None)


def test_whole_lots_end_inside_the_band_not_just_outside(
    plan: Planner, quantities: Quantities
) -> None:
    # The edges lie at 65.1 and 34.9 shares.
    below = plan(
        {"AAA": "0.701"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=TO_EDGE
    )
    above = plan(
        {"AAA": "0.299"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=TO_EDGE
    )
    assert quantities(below) == {"AAA": 16}
    assert quantities(above) == {"AAA": -16}


@pytest.mark.parametrize("hints", [TO_TARGET, TO_EDGE])
def test_a_band_narrower_than_a_lot_leaves_the_decision_to_the_target(
    plan: Planner, quantities: Quantities, hints: ExecutionHints
) -> None:
    book = {"prices": {"AAA": 300}, "cash": 400, "positions": {"AAA": 2}, "hints": hints}
    # Two shares are 600 of 1000, the band is 50; 0.75 is 2.5 shares and 0.8 is 2.67.
    assert quantities(plan({"AAA": "0.75"}, **book)) == {}
    assert quantities(plan({"AAA": "0.8"}, **book)) == {"AAA": 1}


def test_a_new_position_smaller_than_the_band_is_entered_all_the_same(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan({"AAA": "0.04"}, prices={"AAA": 10}, cash=1000, hints=TO_TARGET)
    assert quantities(made) == {"AAA": 4}


@pytest.mark.parametrize("hints", [TO_TARGET, TO_EDGE])
def test_an_entry_goes_to_the_target_and_then_the_band_keeps_it(
    plan: Planner, quantities: Quantities, hints: ExecutionHints
) -> None:
    made = plan({"AAA": "0.7"}, prices={"AAA": 10}, cash=1000, hints=hints)
    assert quantities(made) == {"AAA": 70}
    kept = plan({"AAA": "0.7"}, prices={"AAA": 10}, cash=340, positions={"AAA": 66}, hints=hints)
    assert kept.legs == ()


def test_an_entry_below_the_strategys_minimum_is_left_alone(plan: Planner, codes: Codes) -> None:
    hints = ExecutionHints(min_trade_usd=Decimal(50))
    made = plan({"AAA": "0.04"}, prices={"AAA": 10}, cash=1000, hints=hints)
    assert codes(made) == {"AAA": ReasonCode.BELOW_MINIMUM}


@pytest.mark.parametrize("hints", [TO_TARGET, TO_EDGE])
def test_an_exit_ignores_the_band_and_its_edge(
    plan: Planner, quantities: Quantities, hints: ExecutionHints
) -> None:
    made = plan({"AAA": 0}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=hints)
    assert quantities(made) == {"AAA": -50}
    assert made.sells[0].limited_by is None


@pytest.mark.parametrize("goal", list(BandGoal))
def test_a_strategy_that_only_buys_keeps_everything_above_its_target(
    plan: Planner, codes: Codes, goal: BandGoal
) -> None:
    hints = ExecutionHints(
        rebalance_threshold_ratio=Decimal("0.05"), band_trades_to=goal, buy_only=True
    )
    made = plan(
        {"AAA": "0.3"},
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        cash=500,
        positions={"AAA": 50, "BBB": 5},
        hints=hints,
    )
    assert codes(made) == {"AAA": ReasonCode.BUY_ONLY, "BBB": ReasonCode.BUY_ONLY}
    assert made.skipped[0].detail == "holds 50, exact target 31.5000"


def test_a_strategy_that_only_buys_still_buys(plan: Planner, quantities: Quantities) -> None:
    hints = ExecutionHints(buy_only=True)
    made = plan({"AAA": "0.7"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50}, hints=hints)
    assert quantities(made) == {"AAA": 20}


@given(
    held=st.integers(1, 400),
    wish=st.integers(0, 4_000).map(Decimal),
    price=st.integers(1, 200).map(Decimal),
    goal=st.sampled_from(BandGoal),
)
def test_after_a_trade_the_holding_lies_in_its_band_or_within_a_lot(
    plan: Planner, held: int, wish: Decimal, price: Decimal, goal: BandGoal
) -> None:
    hints = ExecutionHints(rebalance_threshold_ratio=Decimal("0.1"), band_trades_to=goal)
    made = plan(
        {"AAA": wish + 1},
        mode=TargetMode.VALUE,
        prices={"AAA": price},
        cash=100_000,
        positions={"AAA": held},
        hints=hints,
    )
    band = made.capital_base_usd / 10
    gap = wish + 1 - held * price
    if abs(gap) <= band:
        assert made.legs == ()
        return
    for leg in made.legs:
        after = leg.current_quantity + (leg.quantity if gap > 0 else -leg.quantity)
        rest = wish + 1 - after * price
        assert abs(rest) <= max(band, price / 2)
        assert goal is BandGoal.TARGET or abs(rest) > band - price or band < price
