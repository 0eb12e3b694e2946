"""Orders that are working already: ours count as if filled, others block their symbol."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    BrokerOrder,
    FeeModel,
    OrderPlan,
    OrderStatus,
    Side,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]
Orders = Callable[..., BrokerOrder]

DOLLAR_FEE = TradingRules(fees=FeeModel(minimum_usd=Decimal(1)))


def test_what_an_order_of_ours_still_buys_is_not_bought_again(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": 500},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        cash=1000,
        positions={"AAA": 12},
        orders=(order_in("AAA", quantity=10, filled=2),),
    )
    assert quantities(made) == {"AAA": 30}
    (leg,) = made.buys
    assert (leg.current_quantity, leg.working_quantity, leg.target_quantity) == (12, 8, 50)
    assert leg.current_usd == 120


def test_two_orders_of_ours_add_up(plan: Planner, order_in: Orders, quantities: Quantities) -> None:
    made = plan(
        {"AAA": 500},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        cash=1000,
        orders=(order_in("AAA", quantity=10), order_in("AAA", quantity=5, client_id="second")),
    )
    assert quantities(made) == {"AAA": 35}


def test_what_an_order_of_ours_still_sells_is_not_sold_again(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    orders = (order_in("AAA", side=Side.SELL, quantity=10, filled=4),)
    book = {"prices": {"AAA": 10}, "positions": {"AAA": 30}, "orders": orders}
    assert quantities(plan({"AAA": 100}, mode=TargetMode.VALUE, **book)) == {"AAA": -14}
    assert quantities(plan({}, managed=("AAA",), **book)) == {"AAA": -24}


def test_an_order_of_ours_that_covers_the_whole_wish_leaves_nothing_to_do(
    plan: Planner, order_in: Orders, codes: Codes
) -> None:
    made = plan(
        {"AAA": 500},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        cash=1000,
        positions={"AAA": 20},
        orders=(order_in("AAA", quantity=30),),
    )
    assert codes(made) == {"AAA": ReasonCode.AT_TARGET}
    assert made.skipped[0].detail == "holds 20, +30 on order, exact target 50.0000"


@pytest.mark.parametrize(
    ("wish", "side"), [(500, Side.SELL), (100, Side.BUY), (0, Side.BUY), (205, Side.SELL)]
)
def test_no_order_is_sent_against_one_of_ours(
    plan: Planner, order_in: Orders, codes: Codes, wish: int, side: Side
) -> None:
    made = plan(
        {"AAA": wish},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        cash=1000,
        positions={"AAA": 20},
        orders=(order_in("AAA", side=side, quantity=2),),
    )
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.ORDER_WORKING}


def test_a_lot_for_the_rest_is_not_bought_while_ours_sells(
    plan: Planner, order_in: Orders, codes: Codes
) -> None:
    made = plan(
        {"AAA": 187},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        cash=1000,
        positions={"AAA": 20},
        orders=(order_in("AAA", side=Side.SELL, quantity=2),),
    )
    assert codes(made) == {"AAA": ReasonCode.BELOW_LOT}


def test_a_purchase_that_nobody_wants_any_more_has_a_reason_and_needs_no_price(
    plan: Planner, order_in: Orders, codes: Codes
) -> None:
    made = plan({}, managed=("AAA",), prices={}, cash=10, orders=(order_in("AAA", quantity=3),))
    assert codes(made) == {"AAA": ReasonCode.ORDER_WORKING}
    assert made.skipped[0].detail == "not wanted, +3 on order"


def test_an_order_that_sells_more_than_is_held_counts_as_far_as_it_can(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    made = plan(
        {},
        managed=("AAA",),
        prices={"AAA": 10},
        positions={"AAA": 5},
        orders=(order_in("AAA", side=Side.SELL, quantity=9),),
    )
    assert made.legs == ()


def test_cash_of_a_working_purchase_is_not_spent_twice(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    made = plan(
        {"AAA": "0.5", "BBB": "0.5"},
        prices={"AAA": 10, "BBB": 10},
        cash=100,
        orders=(order_in("AAA", quantity=8, filled=1),),
        rules=DOLLAR_FEE,
    )
    assert made.reserve_usd == 71
    assert quantities(made) == {"BBB": 2}


def test_a_working_purchase_is_reserved_with_its_head_room(plan: Planner, order_in: Orders) -> None:
    rules = TradingRules(
        buy_price_buffer_ratio=Decimal("0.1"), fees=FeeModel(notional_bps=Decimal(100))
    )
    made = plan(
        {"AAA": "0.5"},
        prices={"AAA": 10},
        cash=100,
        orders=(order_in("AAA", quantity=5),),
        rules=rules,
    )
    assert made.reserve_usd == Decimal("55.55")


def test_proceeds_of_our_working_sales_are_expected_but_not_confirmed(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    made = plan(
        {"BBB": 500},
        mode=TargetMode.VALUE,
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        cash=100,
        positions={"AAA": 20},
        orders=(
            order_in("AAA", side=Side.SELL, quantity=25, filled=5),
            order_in("CCC", side=Side.SELL, quantity=50),
        ),
        rules=DOLLAR_FEE,
    )
    # Twenty shares at 10, less a dollar, pay with the 100 for 29 shares and their dollar.
    assert quantities(made) == {"BBB": 29}
    assert made.residual_cash_usd == 100 - 29 * 10 - 1


def test_an_order_that_has_ended_counts_for_nothing(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    ended = (
        order_in("AAA", status=OrderStatus.CANCELLED),
        order_in("AAA", status=OrderStatus.EXPIRED, client_id=None),
        order_in("AAA", status=OrderStatus.REJECTED, side=Side.SELL),
    )
    made = plan({"AAA": 1}, prices={"AAA": 10}, cash=100, orders=ended)
    assert quantities(made) == {"AAA": 10}
    assert made.reserve_usd == 0


def test_a_foreign_order_blocks_its_symbol_and_no_other(
    plan: Planner, order_in: Orders, quantities: Quantities, codes: Codes
) -> None:
    made = plan(
        dict.fromkeys(("AAA", "BBB", "CCC"), "0.25"),
        prices=dict.fromkeys(("AAA", "BBB", "CCC"), 10),
        cash=1000,
        orders=(
            order_in("AAA", client_id=None),
            order_in("BBB", client_id=None, side=Side.SELL),
        ),
    )
    assert quantities(made) == {"CCC": 25}
    assert made.reserve_usd == 100  # ten shares of AAA; a sale needs no cash
    assert codes(made) == dict.fromkeys(("AAA", "BBB"), ReasonCode.FOREIGN_ORDER)
    assert made.skipped[0].detail == "working: buy 10 as B-AAA"


def test_a_foreign_order_is_the_stronger_reason_where_a_symbol_has_both(
    plan: Planner, order_in: Orders, codes: Codes
) -> None:
    ours, foreign = order_in("AAA"), order_in("AAA", client_id=None)
    for orders in ((ours, foreign), (foreign, ours)):
        made = plan({"AAA": "0.5"}, prices={"AAA": 10}, cash=1000, orders=orders)
        assert codes(made) == {"AAA": ReasonCode.FOREIGN_ORDER}


def test_the_last_of_several_foreign_orders_is_named(plan: Planner, order_in: Orders) -> None:
    orders = [
        BrokerOrder(
            f"B-{number}", None, "AAA", Side.BUY, Decimal(number), Decimal(0),
            OrderStatus.SUBMITTED, order_in("AAA").submitted_at,
        )
        for number in (2, 3, 1)
    ]  # fmt: skip
    made = plan({"AAA": "0.5"}, prices={"AAA": 10}, cash=1000, orders=tuple(orders))
    assert made.skipped[0].detail == "working: buy 3 as B-3"


def test_a_working_purchase_without_a_quote_does_not_stop_the_others(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    made = plan({"AAA": 1}, prices={"AAA": 10}, cash=100, orders=(order_in("MANUAL"),))
    assert quantities(made) == {"AAA": 10}


def test_a_blocked_symbol_keeps_its_holding_under_the_given_code(
    plan: Planner, order_in: Orders, quantities: Quantities, codes: Codes
) -> None:
    made = plan(
        {"BBB": "0.5"},
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        cash=100,
        positions={"AAA": 10},
        orders=(order_in("AAA", side=Side.SELL, client_id=None),),
        blocked={"AAA": ReasonCode.QUANTITY_MISMATCH},
    )
    assert quantities(made) == {"BBB": 10}
    assert codes(made) == {"AAA": ReasonCode.QUANTITY_MISMATCH}
    assert made.skipped[0].detail == ReasonCode.QUANTITY_MISMATCH.meaning
