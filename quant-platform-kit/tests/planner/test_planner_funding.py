"""Which buys cash pays for."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    ExecutionHints,
    FeeModel,
    OrderPlan,
    Rounding,
    Side,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy, fund_buys

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]

FREE = TradingRules()
DOLLAR_FEE = TradingRules(fees=FeeModel(minimum_usd=Decimal(1)))


def test_a1_an_emergency_sells_everything_managed_and_buys_the_safe_haven(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"BIL": 1},
        managed=("SPY", "EFA", "EEM", "BIL"),
        prices={"SPY": 250, "EFA": 50, "EEM": 35, "BIL": 91},
        cash=12,
        positions={"SPY": 20, "EFA": 60, "EEM": 57, "GME": 3},
        rules=DOLLAR_FEE,
        hints=ExecutionHints(rebalance_threshold_ratio=Decimal("0.5")),
    )
    assert quantities(made) == {"SPY": -20, "EFA": -60, "EEM": -57, "BIL": 109}
    assert [leg.side for leg in made.legs] == [Side.SELL] * 3 + [Side.BUY]
    assert made.residual_cash_usd == 12 + 5000 + 3000 + 1995 - 109 * 91 - 4


def test_a_buy_that_does_not_fit_is_reduced_and_says_why(plan: Planner) -> None:
    made = plan({"AAA": 100}, mode=TargetMode.VALUE, prices={"AAA": 10}, cash=100, rules=DOLLAR_FEE)
    (leg,) = made.buys
    assert leg.quantity == 9
    assert leg.target_quantity == 10
    assert leg.limited_by is ReasonCode.CASH_SHORT
    assert made.residual_cash_usd == 9


def test_a_buy_that_cannot_be_paid_at_all_is_skipped(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": 500, "BBB": 400},
        mode=TargetMode.VALUE,
        prices={"AAA": 100, "BBB": 300},
        cash=240,
    )
    assert [leg.symbol for leg in made.buys] == ["AAA"]
    assert codes(made) == {"BBB": ReasonCode.CASH_SHORT}
    assert made.skipped[0].detail == "300.00 USD needed with head room and fee, 40.00 left"


def test_cash_goes_to_the_symbols_that_lack_most(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 700, "BBB": 500, "CCC": 100},
        mode=TargetMode.VALUE,
        prices={"AAA": 10, "BBB": 10, "CCC": 10},
        cash=800,
    )
    # Each of the first two is left 200 short; CCC lacks no more than that.
    assert quantities(made) == {"AAA": 50, "BBB": 30}


def test_with_the_plain_floor_one_purchase_is_paid_after_the_other(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 700, "BBB": 500, "CCC": 100},
        mode=TargetMode.VALUE,
        prices={"AAA": 10, "BBB": 10, "CCC": 10},
        cash=800,
        policy=CapitalPolicy(rounding=Rounding.FLOOR),
    )
    assert quantities(made) == {"AAA": 70, "BBB": 10}
    assert {leg.symbol: leg.quantity for leg in fund_buys(made, Decimal(300), FREE).buys} == {
        "AAA": 30
    }


def test_what_a_large_purchase_leaves_pays_for_a_smaller_one(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 1000, "BBB": 30}, mode=TargetMode.VALUE, prices={"AAA": 100, "BBB": 10}, cash=240
    )
    assert quantities(made) == {"AAA": 2, "BBB": 3}


def test_the_floor_and_the_reserve_stay_untouched(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 1},
        prices={"AAA": 1},
        cash=1000,
        policy=CapitalPolicy(cash_floor_usd=Decimal(200)),
        hints=ExecutionHints(cash_reserve_ratio=Decimal("0.1")),
    )
    assert made.reserve_usd == 200 + 80
    assert quantities(made) == {"AAA": 720}
    assert made.residual_cash_usd == made.reserve_usd


def test_the_buffer_limits_a_purchase_but_is_not_spent(
    plan: Planner, quantities: Quantities
) -> None:
    rules = TradingRules(buy_price_buffer_ratio=Decimal("0.1"))
    made = plan({"AAA": 1}, prices={"AAA": 10}, cash=100, rules=rules)
    assert quantities(made) == {"AAA": 9}
    assert made.residual_cash_usd == 10


def test_a_buy_that_fits_to_the_cent_is_not_reduced(plan: Planner) -> None:
    made = plan({"AAA": 99}, mode=TargetMode.VALUE, prices={"AAA": 11}, cash=100, rules=DOLLAR_FEE)
    (leg,) = made.buys
    assert leg.quantity == 9
    assert leg.limited_by is None
    assert made.residual_cash_usd == 0


def test_cash_for_just_one_lot_buys_it(plan: Planner, quantities: Quantities) -> None:
    rules = TradingRules(minimum_notional_usd=Decimal(10), fees=FeeModel(minimum_usd=Decimal(1)))
    made = plan({"AAA": 99}, mode=TargetMode.VALUE, prices={"AAA": 10}, cash=11, rules=rules)
    assert quantities(made) == {"AAA": 1}


@pytest.mark.parametrize(("minimum", "cash"), [(50, 40), (8, 5)])
def test_a_purchase_is_not_reduced_below_the_brokers_minimum(
    plan: Planner, codes: Codes, minimum: int, cash: int
) -> None:
    rules = TradingRules(lot_shares=Decimal("0.1"), minimum_notional_usd=Decimal(minimum))
    made = plan({"AAA": 100}, mode=TargetMode.VALUE, prices={"AAA": 10}, cash=cash, rules=rules)
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.CASH_SHORT}


def test_a11_buys_shrink_to_the_cash_that_sells_really_brought(plan: Planner) -> None:
    made = plan(
        {"BBB": "0.6", "CCC": "0.4"},
        managed=("AAA", "BBB", "CCC"),
        prices={"AAA": 10, "BBB": 20, "CCC": 10},
        positions={"AAA": 100},
        rules=DOLLAR_FEE,
    )
    assert {leg.symbol: leg.quantity for leg in made.buys} == {"BBB": 30, "CCC": 39}
    assert (made.fees_usd, made.residual_cash_usd) == (3, 1000 - 600 - 390 - 3)
    funded = fund_buys(made, Decimal(500), DOLLAR_FEE)
    # 600 and 400 were wanted: BBB gets 340 and CCC 150, so that each lacks 250 or 260.
    assert {leg.symbol: leg.quantity for leg in funded.buys} == {"BBB": 17, "CCC": 15}
    assert all(leg.limited_by is ReasonCode.CASH_SHORT for leg in funded.buys)
    assert (funded.fees_usd, funded.residual_cash_usd) == (3, 500 - 340 - 150 - 2)
    assert funded.sells == made.sells


def test_a11_without_any_cash_no_buy_is_left_and_each_has_its_reason(
    plan: Planner, codes: Codes
) -> None:
    made = plan(
        {"BBB": 1},
        managed=("AAA", "BBB", "CCC"),
        prices={"AAA": 10, "BBB": 20},
        positions={"AAA": 10},
    )
    funded = fund_buys(made, Decimal(0), TradingRules())
    assert funded.buys == ()
    assert codes(funded) == {"BBB": ReasonCode.CASH_SHORT, "CCC": ReasonCode.AT_TARGET}
    assert [each.symbol for each in funded.skipped] == ["BBB", "CCC"]


def test_more_cash_than_planned_buys_nothing_more(plan: Planner) -> None:
    made = plan({"AAA": 1}, prices={"AAA": 10}, cash=100, rules=DOLLAR_FEE)
    assert fund_buys(made, Decimal(10_000), DOLLAR_FEE).buys == made.buys
