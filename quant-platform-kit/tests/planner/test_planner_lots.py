"""Lots that are not one share, head room and working orders: in what is planned and what is paid.

With lots of one share a product and a quotient look alike; here they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    BrokerOrder,
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
Orders = Callable[..., BrokerOrder]

TENS = TradingRules(lot_shares=Decimal(10))
TENTHS = TradingRules(lot_shares=Decimal("0.1"))


def bought(made: OrderPlan) -> dict[str, Decimal]:
    return {leg.symbol: leg.quantity for leg in made.buys}


@pytest.mark.parametrize("rules", [TENS, TENTHS], ids=["tens", "tenths"])
@pytest.mark.parametrize("rounding", list(Rounding))
def test_confirmed_cash_pays_for_whole_lots_of_any_size(
    plan: Planner, rules: TradingRules, rounding: Rounding
) -> None:
    made = plan(
        {"AAA": 800},
        mode=TargetMode.VALUE,
        prices={"AAA": 4},
        cash=1000,
        rules=rules,
        policy=CapitalPolicy(rounding=rounding),
    )
    assert bought(made) == {"AAA": 200}
    (leg,) = fund_buys(made, Decimal(500), rules).buys
    lots = Decimal(500) // (4 * rules.lot_shares)
    assert leg.quantity == lots * rules.lot_shares
    assert leg.limited_by is ReasonCode.CASH_SHORT


def test_confirmed_cash_is_shared_by_what_lots_are_worth(plan: Planner) -> None:
    made = plan(
        {"AAA": 800, "BBB": 600},
        mode=TargetMode.VALUE,
        prices={"AAA": 4, "BBB": 2},
        cash=1400,
        rules=TENS,
    )
    # 1,100 of 1,400 USD: each is left 150 short, as near as lots of 40 and 20 USD come to it.
    assert bought(fund_buys(made, Decimal(1100), TENS)) == {"AAA": 160, "BBB": 230}


def test_what_a_working_order_buys_lacks_no_longer_when_cash_is_shared(
    plan: Planner, order_in: Orders
) -> None:
    made = plan(
        {"AAA": 1000, "BBB": 600},
        mode=TargetMode.VALUE,
        prices={"AAA": 5, "BBB": 5},
        cash=2000,
        orders=(order_in("AAA", quantity=100),),
    )
    assert bought(made) == {"AAA": 100, "BBB": 120}
    # AAA lacks 500 USD and not 1,000: both are left 250 short.
    assert bought(fund_buys(made, made.reserve_usd + 600, TradingRules())) == {"AAA": 50, "BBB": 70}


def test_confirmed_cash_pays_with_head_room_above_the_quote(plan: Planner) -> None:
    rules = TradingRules(buy_price_buffer_ratio=Decimal("0.25"))
    made = plan({"AAA": 400}, mode=TargetMode.VALUE, prices={"AAA": 4}, cash=1000, rules=rules)
    assert bought(made) == {"AAA": 100}
    funded = fund_buys(made, Decimal(250), rules)
    assert bought(funded) == {"AAA": 50}  # five dollars each set aside, four spent
    assert funded.residual_cash_usd == 50


def test_confirmed_cash_pays_the_fee_of_whole_lots_too(plan: Planner) -> None:
    rules = TradingRules(
        lot_shares=Decimal(10),
        fees=FeeModel(per_share_usd=Decimal(1)),
        buy_price_buffer_ratio=Decimal("0.25"),
    )
    made = plan({"AAA": 400}, mode=TargetMode.VALUE, prices={"AAA": 4}, cash=1000, rules=rules)
    # A lot is 50 USD with head room, and 10 USD of fee.
    assert bought(fund_buys(made, Decimal(300), rules)) == {"AAA": 50}
    assert bought(fund_buys(made, Decimal("299.99"), rules)) == {"AAA": 40}


def test_confirmed_cash_for_less_than_the_smallest_order_buys_nothing(plan: Planner) -> None:
    hints = ExecutionHints(min_trade_usd=Decimal(100))
    made = plan(
        {"AAA": 400}, mode=TargetMode.VALUE, prices={"AAA": 4}, cash=1000, rules=TENS, hints=hints
    )
    assert bought(fund_buys(made, Decimal(120), TENS)) == {"AAA": 30}
    assert bought(fund_buys(made, Decimal(119), TENS)) == {}  # two lots are 80 USD


def test_a_plan_in_lots_of_ten_buys_and_sells_tens(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 830, "BBB": 830},
        mode=TargetMode.VALUE,
        prices={"AAA": 4, "BBB": 4},
        positions={"BBB": 400},
        cash=1000,
        rules=TENS,
    )
    # 20.75 lots each: the rest is more than half a lot, so BBB stops a lot earlier.
    assert quantities(made) == {"AAA": 210, "BBB": -190}


def test_a_lot_of_ten_is_given_up_for_a_better_use_of_its_cash(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 78, "BBB": 99},
        mode=TargetMode.VALUE,
        prices={"AAA": 4, "BBB": 10},
        positions={"AAA": 20},
        cash=60,
        rules=TENS,
    )
    # The second lot of AAA is two dollars above its target, a lot of BBB one dollar above its own.
    assert quantities(made) == {"AAA": -10, "BBB": 10}


def test_a_sale_that_makes_a_fraction_of_a_lot_keeps_it(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 10},
        mode=TargetMode.VALUE,
        prices={"AAA": 4},
        positions={"AAA": 47},
        rules=TENS,
    )
    assert quantities(made) == {"AAA": -40}


@pytest.mark.parametrize(("minimum", "lots"), [(80, 2), (81, 3), (120, 3), (121, 4)])
def test_the_fewest_lots_of_ten_are_worth_the_smallest_order(
    plan: Planner, minimum: int, lots: int
) -> None:
    book = {"mode": TargetMode.VALUE, "prices": {"AAA": 4}, "rules": TENS}
    hints = ExecutionHints(min_trade_usd=Decimal(minimum))
    enough, short = (
        plan({"AAA": 400}, cash=cash, hints=hints, **book) for cash in (40 * lots, 40 * lots - 1)
    )
    assert bought(enough) == {"AAA": 10 * lots}
    assert short.legs == ()


def test_a_sale_pays_for_a_purchase_in_lots(plan: Planner, quantities: Quantities) -> None:
    made = plan(
        {"BBB": 400},
        mode=TargetMode.VALUE,
        managed=("AAA", "BBB"),
        prices={"AAA": 4, "BBB": 8},
        positions={"AAA": 100},
        rules=TENS,
    )
    assert quantities(made) == {"AAA": -100, "BBB": 50}
    assert [leg.side for leg in made.legs] == [Side.SELL, Side.BUY]
    assert made.residual_cash_usd == 0


def test_a_holding_of_nothing_is_no_holding(plan: Planner, codes: Codes) -> None:
    made = plan(
        {"AAA": 1}, managed=("AAA", "BBB"), prices={"AAA": 10}, positions={"BBB": 0}, cash=100
    )
    assert made.capital_base_usd == 100
    assert codes(made) == {"BBB": ReasonCode.AT_TARGET}
