"""The platform's own book: every fill once, cost with fees, nothing below zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from quant_platform_kit import ledger as room
from quant_platform_kit.contracts import Contribution, Fill, Side
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger import UNMANAGED, Kind, Ledger, Transaction
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.store import Store, fills, holdings, transactions

BUY, SELL = Side.BUY, Side.SELL
MakeFill = Callable[..., Fill]
MakeOrder = Callable[..., JournalOrder]
Trade = Callable[..., None]


def held(ledger: Ledger) -> list[tuple[str, str, Decimal, Decimal]]:
    return [(h.sleeve, h.symbol, h.quantity, h.cost_usd) for h in ledger.holdings()]


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    assert room.__all__ == sorted(
        room.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert all(hasattr(room, name) for name in room.__all__)


def test_purchases_add_up_with_their_fees(
    ledger: Ledger, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    order = make_order("15", wishes={"a": "1"})
    booked = ledger.book(
        [
            make_fill(order, "f-1", "9.00", quantity="10", fee_usd="0.50"),
            make_fill(order, "f-2", "12.00", quantity="5"),
        ],
        {order.client_id: order.leg},
    )
    assert booked == 2
    assert held(ledger) == [("a", "AAA", Decimal(15), Decimal("150.50"))]
    assert ledger.cash() == {"a": Decimal("-150.50")}


def test_a_partial_sale_leaves_the_average_cost_as_it_was(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10", "9.00")
    trade("a", BUY, "10", "11.00")
    trade("a", SELL, "5", "50.00", fee_usd="1")
    assert held(ledger) == [("a", "AAA", Decimal(15), Decimal(150))]
    assert ledger.transactions("a")[-1].realised_usd == Decimal(199)  # 250 - 1 - 5 x 10


def test_what_is_sold_out_is_gone_with_all_of_its_cost(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "3", "3.335", fee_usd="0.005")
    trade("a", SELL, "2", "3.33")
    trade("a", SELL, "1", "3.33")
    assert ledger.holdings() == ()
    assert ledger.quantities() == {}
    assert ledger.cash()["a"] == sum(t.realised_usd for t in ledger.transactions("a"))


def test_a_fill_is_booked_once_however_often_it_is_reported(
    ledger: Ledger, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    order = make_order("11", wishes={"a": "1"})
    legs = {order.client_id: order.leg}
    fill = make_fill(order, "f-1", quantity="10")
    assert ledger.book([fill, fill], legs) == 1
    assert ledger.book([fill, make_fill(order, "f-2", quantity="1")], legs) == 1
    assert ledger.quantities() == {"AAA": Decimal(11)}
    assert ledger.cash() == {"a": Decimal(-110)}


def test_the_database_itself_refuses_a_second_row_of_a_fill(trade: Trade, store: Store) -> None:
    trade("a", BUY, "10")
    for table in (fills, transactions):
        with store.begin() as connection:
            row = dict(connection.execute(select(table)).mappings().one())
        row.pop("id", None)
        with pytest.raises(IntegrityError), store.begin() as connection:
            connection.execute(insert(table).values(row))


@pytest.mark.parametrize("quantity", [Decimal(0), Decimal(-1), Decimal("-0.001")])
def test_the_database_itself_refuses_a_holding_that_is_not_above_zero(
    store: Store, quantity: Decimal
) -> None:
    row = {"sleeve": "a", "symbol": "AAA", "quantity": quantity, "cost_usd": Decimal(0)}
    with pytest.raises(IntegrityError), store.begin() as connection:
        connection.execute(insert(holdings).values(row))


def test_a_sale_of_more_than_was_known_is_booked_with_its_batch_and_told_once(
    ledger: Ledger, trade: Trade, make_order: MakeOrder, make_fill: MakeFill, store: Store
) -> None:
    trade("a", BUY, "10")
    more, sale = make_order("5", wishes={"a": "1"}), make_order("16", SELL)
    legs = {order.client_id: order.leg for order in (more, sale)}
    told = [make_fill(more, "f-2"), make_fill(sale, "f-3")]
    with pytest.raises(ReconciliationError, match="16 AAA, 1 of them unknown") as stopped:
        ledger.book(told, legs)
    assert stopped.value.code is ReasonCode.QUANTITY_MISMATCH
    assert ledger.quantities() == {}
    assert ledger.book(told, legs) == 0
    with store.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(fills)) == 3


def test_a_stop_that_the_broker_adjusted_to_a_split_realises_what_the_shares_had_cost(
    ledger: Ledger, trade: Trade, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    trade("a", BUY, "30", "10")
    trade("b", BUY, "20", "10")
    stop = make_order("50", SELL)
    with pytest.raises(ReconciliationError):  # of fifty shares a split made a hundred
        ledger.book([make_fill(stop, "f-9", "4.50", quantity="100")], {stop.client_id: stop.leg})
    realised = {s: sum(t.realised_usd for t in ledger.transactions(s)) for s in ("a", "b")}
    assert (ledger.quantities(), realised) == ({}, {"a": Decimal(-30), "b": Decimal(-20)})
    assert all(not t.flow_usd for s in ("a", "b") for t in ledger.transactions(s))


def test_a_fill_of_an_order_that_is_not_ours_cannot_be_booked(
    ledger: Ledger, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    ours = make_fill(make_order("10"), "f-1")
    with pytest.raises(IntegrityError):
        ledger.book([replace(ours, client_id="by-hand")], {})
    assert ledger.quantities() == {}
    assert ledger.is_new()


def test_a_late_sale_comes_out_of_the_sleeve_that_still_holds_the_shares(
    ledger: Ledger, trade: Trade, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    trade("earlier", BUY, "10")
    late = make_order("4", SELL, target="0", wishes={"now": "0"})
    ledger.book([make_fill(late, "f-2")], {late.client_id: late.leg})
    assert held(ledger) == [("earlier", "AAA", Decimal(6), Decimal(60))]


def test_a_fill_whose_order_nobody_asked_for_is_unmanaged(
    ledger: Ledger, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    ledger.book([make_fill(make_order("4"), "f-1")], {})
    assert held(ledger) == [(UNMANAGED, "AAA", Decimal(4), Decimal(40))]


def test_sleeves_hold_the_same_symbol_side_by_side(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10", "1")
    trade("b", BUY, "4", "2")
    trade("b", SELL, "3", "9")
    assert held(ledger) == [
        ("a", "AAA", Decimal(10), Decimal(10)),
        ("b", "AAA", Decimal(1), Decimal(2)),
    ]
    assert ledger.quantities() == {"AAA": Decimal(11)}
    assert ledger.owners() == {
        "AAA": (Contribution("a", Decimal(10)), Contribution("b", Decimal(1)))
    }


def test_a_ledger_is_new_until_something_was_booked(ledger: Ledger, trade: Trade) -> None:
    assert ledger.is_new()
    trade("a", BUY, "3")
    assert not ledger.is_new()
    trade("a", SELL, "3")
    assert not ledger.is_new()


def test_capital_comes_from_the_pool_and_goes_back_to_it(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10", "10")
    at = ledger.transactions("a")[0].at
    ledger.post([Transaction(at, UNMANAGED, Kind.ADOPTION, amount_usd=Decimal(1000))])
    ledger.fund({"a": Decimal(300), "b": Decimal(200)}, {"AAA": Decimal(12)}, at=at)
    assert ledger.cash() == {"a": Decimal(180), "b": Decimal(200), UNMANAGED: Decimal(520)}
    ledger.fund({"a": Decimal(100), "b": Decimal(200)}, {"AAA": Decimal(12)}, at=at)
    assert ledger.cash() == {"a": Decimal(-20), "b": Decimal(200), UNMANAGED: Decimal(720)}


def test_a_holding_without_a_price_keeps_nobody_from_being_given_capital(
    ledger: Ledger, trade: Trade
) -> None:
    trade("a", BUY, "10", "10")
    at = ledger.transactions("a")[0].at
    ledger.post([Transaction(at, UNMANAGED, Kind.ADOPTION, amount_usd=Decimal(1000))])
    ledger.fund({"a": Decimal(300)}, {}, at=at)  # it counts at its cost
    assert ledger.cash()["a"] == 200
    ledger.close_day(at.date(), {"AAA": Decimal(12)})
    ledger.fund({"a": Decimal(300)}, {}, at=at)  # and later at the last price that was known
    assert ledger.cash()["a"] == 180
