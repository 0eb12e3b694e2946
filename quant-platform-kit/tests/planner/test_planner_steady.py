"""A plan pays its own fees, and planned again after its fills it finds nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    BandGoal,
    ExecutionHints,
    FeeModel,
    OrderPlan,
    Side,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]
Again = Callable[..., tuple[OrderPlan, OrderPlan]]

FIVE_BPS = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))
DOLLAR_FEE = TradingRules(fees=FeeModel(minimum_usd=Decimal(1)))


@pytest.fixture
def twice(plan: Planner) -> Again:
    """Plan, fill every leg at its price, and plan again."""

    def run(amounts: Mapping[str, Any], **book: Any) -> tuple[OrderPlan, OrderPlan]:  # noqa: ANN401
        made = plan(amounts, **book)
        held = {symbol: Decimal(n) for symbol, n in book.get("positions", {}).items()}
        for leg in made.legs:
            signed = leg.quantity if leg.side is Side.BUY else -leg.quantity
            held[leg.symbol] = held.get(leg.symbol, Decimal(0)) + signed
        after = book | {"positions": held, "cash": made.residual_cash_usd}
        return made, plan(amounts, **after)

    return run


def test_a_first_investment_pays_its_fees_out_of_every_target(
    twice: Again, quantities: Quantities
) -> None:
    made, again = twice(
        {"AAA": "0.5", "BBB": "0.5"},
        prices={"AAA": 1, "BBB": 1},
        cash=1_000_000,
        rules=FIVE_BPS,
    )
    # 500 USD of fees: both symbols are bought 250 USD short of the half.
    assert made.capital_base_usd == 1_000_000
    assert quantities(made) == {"AAA": 499_750, "BBB": 499_750}
    assert {leg.target_usd for leg in made.legs} == {500_000}
    assert {leg.limited_by for leg in made.legs} == {ReasonCode.FEES}
    assert made.fees_usd == Decimal("499.76")
    assert made.residual_cash_usd == Decimal("0.24")
    assert made.sized_on_usd == 1_000_000 - 500
    assert again.legs == ()
    assert again.capital_base_usd == 1_000_000 - made.fees_usd


def test_fees_of_some_symbols_do_not_move_the_others(twice: Again, codes: Codes) -> None:
    made, again = twice(
        {"AAA": "0.5", "BBB": "0.25", "CCC": "0.25"},
        prices={"AAA": 1, "BBB": 1, "CCC": 1},
        positions={"AAA": 100_000, "BBB": 100_000},
        rules=TradingRules(fees=FeeModel(notional_bps=Decimal(10))),
    )
    # The fees are 100 USD, and AAA gives its half of them although it was at its target; the
    # fifty-first share is what CCC's last one is paid with.
    assert {leg.symbol: leg.quantity for leg in made.legs} == {
        "BBB": 50_025,
        "AAA": 51,
        "CCC": 49_975,
    }
    assert again.legs == ()
    assert codes(again) == {
        "AAA": ReasonCode.BELOW_LOT,
        "BBB": ReasonCode.AT_TARGET,
        "CCC": ReasonCode.AT_TARGET,
    }


def test_a_leg_whose_rounding_hides_the_fees_is_limited_by_nothing(plan: Planner) -> None:
    made = plan({"AAA": 1}, prices={"AAA": 100}, cash=1000, rules=DOLLAR_FEE)
    (leg,) = made.buys
    assert (leg.quantity, leg.exact_quantity) == (9, 10)
    assert leg.limited_by is ReasonCode.FEES
    made = plan({"AAA": "0.97"}, prices={"AAA": 100}, cash=1000, rules=DOLLAR_FEE)
    (leg,) = made.buys
    assert (leg.quantity, leg.exact_quantity) == (9, Decimal("9.7"))
    assert leg.limited_by is ReasonCode.BELOW_LOT  # the tenth share costs more than is left


def test_a_want_of_cash_does_not_lower_the_targets(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": "0.5", "BBB": "0.5"},
        managed=("AAA", "BBB", "CCC"),
        prices={"AAA": "0.1", "BBB": "0.1", "CCC": 1},
        positions={"AAA": 5_000, "CCC": 500},
        blocked={"CCC": ReasonCode.QUANTITY_MISMATCH},
        rules=TradingRules(fees=FeeModel(notional_bps=Decimal(100))),
    )
    # BBB wants 500 USD that only CCC could bring: no order, no fee, nothing to pay it with.
    assert made.legs == ()
    assert codes(made)["AAA"] is ReasonCode.AT_TARGET
    assert codes(made)["BBB"] is ReasonCode.CASH_SHORT
    assert made.sized_on_usd == made.capital_base_usd == 1000


def test_a_limit_on_capital_that_fees_do_not_reach_leaves_targets_whole(plan: Planner) -> None:
    made = plan(
        {"AAA": 1},
        prices={"AAA": 1},
        cash=2000,
        rules=FIVE_BPS,
        policy=CapitalPolicy(capital_limit_usd=Decimal(1000)),
    )
    assert made.buys[0].quantity == 1000
    assert made.sized_on_usd == 1000


def test_a_limit_on_capital_that_fees_do_reach_follows_them(twice: Again) -> None:
    made, again = twice(
        {"AAA": 1},
        prices={"AAA": 1},
        cash=10_001,
        rules=FIVE_BPS,
        policy=CapitalPolicy(capital_limit_usd=Decimal(10_000)),
    )
    assert made.buys[0].quantity == 9_996
    assert again.legs == ()


def test_a_run_that_is_given_its_capital_sizes_on_it_to_the_end(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 1},
        prices={"AAA": 1},
        cash=1000,
        rules=FIVE_BPS,
        policy=CapitalPolicy(pinned_base_usd=Decimal(900)),
    )
    assert quantities(made) == {"AAA": 900}
    assert made.sized_on_usd == made.capital_base_usd == 900


def test_a_sale_that_costs_more_than_it_brings_is_counted_once(twice: Again) -> None:
    made, again = twice(
        {"AAA": 1},
        managed=("AAA", "BBB"),
        prices={"AAA": 1, "BBB": 1},
        positions={"AAA": 1000, "BBB": 1},
        cash=0,
        rules=TradingRules(fees=FeeModel(minimum_usd=Decimal(3))),
    )
    assert "BBB" in {leg.symbol for leg in made.sells}
    assert again.legs == ()


def test_an_account_below_its_floor_is_sized_on_what_it_has(plan: Planner) -> None:
    made = plan(
        {"AAA": "0.5"},
        prices={"AAA": 1},
        positions={"AAA": 1000},
        cash=100,
        rules=FIVE_BPS,
        policy=CapitalPolicy(cash_floor_usd=Decimal(500)),
    )
    assert made.sells[0].quantity == 500
    assert made.sized_on_usd == 1000


def test_fees_larger_than_the_capital_still_end_in_a_plan(plan: Planner) -> None:
    rules = TradingRules(fees=FeeModel(minimum_usd=Decimal(30)))
    made = plan({"AAA": "0.5", "BBB": "0.5"}, prices={"AAA": 1, "BBB": 1}, cash=40, rules=rules)
    assert made.residual_cash_usd >= 0
    assert len(made.legs) <= 1


def test_a_band_that_fees_make_narrower_is_left_once_not_twice(twice: Again) -> None:
    hints = ExecutionHints(rebalance_threshold_ratio=Decimal("0.05"), band_trades_to=BandGoal.EDGE)
    made, again = twice(
        {"AAA": "0.5", "BBB": "0.5"},
        prices={"AAA": 1, "BBB": 1},
        positions={"AAA": 55_000, "BBB": 20_000},
        cash=25_000,
        rules=TradingRules(fees=FeeModel(notional_bps=Decimal(30))),
        hints=hints,
    )
    # AAA lies on the edge of its band, until the fees of BBB have moved the edge.
    assert {leg.symbol for leg in made.legs} == {"AAA", "BBB"}
    assert again.legs == ()


def test_what_fees_would_make_too_small_an_order_is_not_ordered(twice: Again) -> None:
    made, again = twice(
        {"AAA": "0.5", "BBB": "0.5"},
        prices={"AAA": 1, "BBB": 1},
        positions={"AAA": 4_988},
        cash=5_012,
        rules=TradingRules(
            minimum_notional_usd=Decimal(8), fees=FeeModel(notional_bps=Decimal(20))
        ),
    )
    assert [leg.symbol for leg in made.legs] == ["BBB"]
    assert again.legs == ()


@pytest.mark.parametrize("mode", list(TargetMode))
def test_a_plan_without_a_wish_charges_nothing(plan: Planner, mode: TargetMode) -> None:
    made = plan({}, managed=("AAA",), prices={}, cash=10, mode=mode, rules=DOLLAR_FEE)
    assert (made.fees_usd, made.residual_cash_usd) == (0, 10)
