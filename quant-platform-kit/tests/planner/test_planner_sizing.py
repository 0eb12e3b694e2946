"""From a target to a number of shares, or the reason for none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    Contribution,
    ExecutionHints,
    FeeModel,
    OrderPlan,
    Side,
    Skipped,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.planner import CapitalPolicy

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]
Targets = Callable[..., TargetPortfolio]


def test_weights_become_whole_shares_and_the_rest_stays_cash(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan({"AAA": "0.5", "BBB": "0.5"}, prices={"AAA": 31, "BBB": 70}, cash=1000)
    # 16.13 and 7.14 shares: both are nearer to the lots below.
    assert quantities(made) == {"AAA": 16, "BBB": 7}
    assert made.residual_cash_usd == 1000 - 16 * 31 - 7 * 70


def test_dollar_targets_become_whole_shares(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 305, "BBB": 140},
        prices={"AAA": 30, "BBB": 70},
        cash=1000,
        mode=TargetMode.VALUE,
    )
    assert quantities(made) == {"AAA": 10, "BBB": 2}


def test_a_leg_carries_its_whole_arithmetic(plan: Planner, now: datetime) -> None:
    made = plan({"AAA": "0.5"}, prices={"AAA": "33.30"}, cash="900.10", positions={"AAA": 3})
    (leg,) = made.legs
    assert leg.side is Side.BUY
    assert leg.price_usd == Decimal("33.30")
    assert leg.price_at == now
    assert leg.current_quantity == 3
    assert leg.current_usd == Decimal("99.90")
    assert leg.target_usd == Decimal("500.00")
    assert leg.exact_quantity == Decimal(500) / Decimal("33.30")
    assert leg.target_quantity == 15
    assert leg.quantity == 12
    assert leg.limited_by is None
    assert leg.contributors == (Contribution("sleeve", Decimal("0.5")),)


def test_a_holding_above_its_target_is_reduced_in_whole_lots(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan({"AAA": "0.5"}, prices={"AAA": 10}, positions={"AAA": "10.5"})
    # 5.25 wanted, so 5; of the surplus of 5.5 only whole shares can be sold.
    assert quantities(made) == {"AAA": -5}


def test_a_zero_target_sells_all_that_the_broker_takes_and_says_what_stays(plan: Planner) -> None:
    made = plan({}, managed=("AAA",), prices={"AAA": 10}, positions={"AAA": "10.5"})
    (leg,) = made.sells
    assert (leg.quantity, leg.target_quantity) == (10, Decimal("0.5"))
    assert leg.limited_by is ReasonCode.BELOW_LOT


def test_a_fraction_of_a_lot_that_nobody_wants_stays(plan: Planner, codes: Codes) -> None:
    made = plan({}, managed=("AAA",), prices={"AAA": 10}, positions={"AAA": "0.5"})
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}


def test_an_explicit_zero_means_the_same_as_absence(plan: Planner) -> None:
    book = {"managed": ("AAA",), "prices": {"AAA": 10}, "positions": {"AAA": 7}}
    absent, explicit = plan({}, **book), plan({"AAA": 0}, **book)
    assert absent.sells[0].quantity == explicit.sells[0].quantity == 7


def test_a_broker_of_fractions_gets_fractional_lots(plan: Planner, quantities: Quantities) -> None:
    rules = TradingRules(lot_shares=Decimal("0.001"))
    made = plan({"AAA": 1}, prices={"AAA": 3}, cash=10, rules=rules)
    assert quantities(made) == {"AAA": Decimal("3.333")}


@pytest.mark.parametrize("held", [5, "5.4", "4.8", "5.7", "4.7"])
def test_half_a_lot_of_difference_or_less_is_no_order(
    plan: Planner, codes: Codes, held: int | str
) -> None:
    made = plan(
        {"AAA": 52}, mode=TargetMode.VALUE, prices={"AAA": 10}, cash=1000, positions={"AAA": held}
    )
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.AT_TARGET}


def test_a_target_below_one_lot_says_so(plan: Planner, codes: Codes) -> None:
    made = plan({"AAA": "0.1"}, prices={"AAA": 500}, cash=1000)
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}
    assert made.skipped[0].detail == "holds 0, exact target 0.2000, lots of 1"


def test_what_is_at_its_target_says_what_it_holds(plan: Planner) -> None:
    made = plan({"AAA": "0.5"}, prices={"AAA": 10}, cash=500, positions={"AAA": 50})
    assert made.skipped == (Skipped("AAA", ReasonCode.AT_TARGET, "holds 50, exact target 50.0000"),)


def test_a_managed_symbol_neither_held_nor_wanted_has_a_reason_and_needs_no_price(
    plan: Planner, codes: Codes
) -> None:
    made = plan({"AAA": 1}, managed=("AAA", "ZZZ"), prices={"AAA": 10}, cash=100)
    assert codes(made) == {"ZZZ": ReasonCode.AT_TARGET}
    assert made.skipped[0].detail == "not held, not wanted"


@pytest.mark.parametrize(
    ("weight", "traded"), [("0.46", False), ("0.45", False), ("0.44", True), ("0.56", True)]
)
def test_the_band_keeps_what_is_close_to_its_target(
    plan: Planner, codes: Codes, weight: str, traded: bool
) -> None:
    made = plan(
        {"AAA": weight},
        prices={"AAA": 10},
        cash=500,
        positions={"AAA": 50},
        hints=ExecutionHints(rebalance_threshold_ratio=Decimal("0.05")),
    )
    assert bool(made.legs) is traded
    assert codes(made) == ({} if traded else {"AAA": ReasonCode.WITHIN_BAND})


def test_what_is_left_alone_says_by_how_much(plan: Planner) -> None:
    made = plan(
        {"AAA": "0.493", "BBB": "0.06"},
        prices={"AAA": 10, "BBB": 10},
        cash=460,
        positions={"AAA": 50, "BBB": 4},
        hints=ExecutionHints(rebalance_threshold_ratio=Decimal("0.01"), min_trade_usd=Decimal(30)),
    )
    assert [each.detail for each in made.skipped] == [
        "a difference of 7.00 USD, a band of 10.00 USD",
        "a difference of 20.00 USD, at least 30.00 USD",
    ]


def test_the_band_never_keeps_an_unwanted_holding(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {},
        managed=("AAA",),
        prices={"AAA": 10},
        cash=990,
        positions={"AAA": 1},
        hints=ExecutionHints(rebalance_threshold_ratio=Decimal("0.05")),
    )
    assert quantities(made) == {"AAA": -1}


def test_the_strategys_minimum_keeps_small_differences_but_no_unwanted_holding(
    plan: Planner, quantities: Quantities, codes: Codes
) -> None:
    made = plan(
        {"AAA": "0.52"},
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        cash=480,
        positions={"AAA": 50, "BBB": 2},
        hints=ExecutionHints(min_trade_usd=Decimal(100)),
    )
    assert quantities(made) == {"BBB": -2}
    assert codes(made) == {"AAA": ReasonCode.BELOW_MINIMUM}


def test_an_order_of_just_the_minimum_is_sent(plan: Planner, quantities: Quantities) -> None:
    rules = TradingRules(minimum_notional_usd=Decimal(20))
    made = plan({"AAA": "0.2"}, prices={"AAA": 10}, cash=100, rules=rules)
    assert quantities(made) == {"AAA": 2}


def test_the_brokers_minimum_binds_exits_too(plan: Planner, codes: Codes) -> None:
    rules = TradingRules(minimum_notional_usd=Decimal(5))
    made = plan({}, managed=("AAA",), prices={"AAA": 4}, positions={"AAA": 1}, rules=rules)
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.BELOW_MINIMUM}


def test_sells_come_first_and_the_largest_leads(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"EEE": "0.2", "FFF": "0.3", "DDD": "0.2"},
        managed=("FFF", "EEE", "DDD", "CCC", "BBB", "AAA"),
        prices=dict.fromkeys(("AAA", "BBB", "CCC", "DDD", "EEE", "FFF"), 10),
        positions={"AAA": 20, "BBB": 60, "CCC": 20},
    )
    assert list(quantities(made)) == ["BBB", "AAA", "CCC", "FFF", "DDD", "EEE"]


@pytest.mark.parametrize(
    "charge",
    [FeeModel(), FeeModel(minimum_usd=Decimal(5)), FeeModel(notional_bps=Decimal(20))],
)
def test_a4_the_same_decision_and_book_give_the_same_dollars_whatever_a_broker_charges(
    plan: Planner, charge: FeeModel
) -> None:
    made = plan(
        {"AAA": "0.6", "BBB": "0.3"},
        prices={"AAA": 10, "BBB": 25},
        cash=1000,
        positions={"BBB": 40},
        rules=TradingRules(fees=charge, buy_price_buffer_ratio=Decimal("0.01")),
        policy=CapitalPolicy(cash_floor_usd=Decimal(100)),
    )
    assert made.capital_base_usd == 1900
    assert {leg.symbol: leg.target_usd for leg in made.legs} == {"AAA": 1140, "BBB": 570}


def test_the_buy_that_is_furthest_from_its_target_comes_first(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": "0.6", "BBB": "0.4"},
        prices={"AAA": 10, "BBB": 10},
        cash=500,
        positions={"AAA": 50},
    )
    assert quantities(made) == {"BBB": 40, "AAA": 10}
    assert list(quantities(made)) == ["BBB", "AAA"]


def test_a_fee_is_rounded_up_to_the_cent() -> None:
    fees = FeeModel(per_share_usd=Decimal("0.005"), notional_bps=Decimal(1))
    assert fees.fee(Decimal(3), Decimal(10)) == Decimal("0.02")  # 0.015 + 0.003


@pytest.mark.parametrize(
    "malformed",
    [
        lambda: FeeModel(per_share_usd=Decimal(-1)),
        lambda: TradingRules(lot_shares=Decimal(0)),
        lambda: TradingRules(tick_usd=Decimal(0)),
        lambda: TradingRules(minimum_notional_usd=Decimal("NaN")),
        lambda: CapitalPolicy(cash_floor_usd=Decimal(-1)),
        lambda: CapitalPolicy(pinned_base_usd=Decimal("Infinity")),
    ],
)
def test_rules_and_policies_refuse_amounts_that_cannot_be(malformed: Callable[[], object]) -> None:
    with pytest.raises(ContractError, match=r"\.\w+ = "):
        malformed()


def test_weights_of_more_than_the_whole_are_refused(target_of: Targets) -> None:
    with pytest.raises(ContractError, match="sum to at most 1"):
        target_of({"AAA": "0.6", "BBB": "0.6"})
