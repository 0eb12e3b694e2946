"""The write-ahead journal: who an order is, and how far it is known to have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit import orders as room
from quant_platform_kit.contracts import (
    Fill,
    Leg,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from quant_platform_kit.errors import BrokerAnswerError, ContractError, ReasonCode
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import Draft, Journal, JournalOrder, client_id
from quant_platform_kit.orders._states import after
from quant_platform_kit.store import RunBook, Store

RUN = "ibkr-1:2020-03-31:close"
MakeLeg = Callable[..., Leg]
Write = Callable[..., JournalOrder]
Book = Callable[[Sequence[Fill]], None]
FINAL = [status for status in OrderStatus if status.is_final]


def executed(order_id: str, number: int, quantity: str, price: str, fee: str = "0") -> Fill:
    return Fill(
        fill_id=f"f-{number}",
        broker_order_id="b-1",
        client_id=order_id,
        symbol="AAA",
        side=Side.BUY,
        quantity=Decimal(quantity),
        price_usd=Decimal(price),
        fee_usd=Decimal(fee),
        at=datetime(2020, 3, 31, 19, 31, tzinfo=UTC),
    )


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    assert room.__all__ == sorted(room.__all__, key=lambda name: (name[0].islower(), name))
    assert all(hasattr(room, name) for name in room.__all__)


identities = st.tuples(
    st.text(min_size=1, max_size=120),
    st.sampled_from(["A", "SPY", "BRK.B", "^VIX"]),
    st.sampled_from(Side),
    st.integers(0, 99),
)


@given(identities, identities)
def test_an_id_is_the_same_for_the_same_order_and_for_no_other(
    one: tuple[str, str, Side, int], other: tuple[str, str, Side, int]
) -> None:
    assert (client_id(*one) == client_id(*other)) is (one == other)
    assert len(client_id(*one)) <= 40
    assert client_id(*one).isascii()


def test_an_id_is_the_same_on_every_machine() -> None:
    assert client_id(RUN, "SPY", Side.BUY, 0) == "qpk-o67bznzhhtb4xld3clhy2mff"


def test_a_row_holds_what_was_meant_before_anything_is_sent(
    journal: Journal, make_leg: MakeLeg, clock: SimulatedClock
) -> None:
    leg = make_leg("AAA", 10)
    (pending,) = journal.write(RUN, [Draft(leg)])
    assert (pending.status, pending.sent_at) == (OrderStatus.PENDING, None)
    assert journal.get(pending.client_id) == pending
    assert journal.of_run(RUN) == journal.unfinished() == ()  # nobody was asked for it yet

    written = journal.submitting(pending)

    assert journal.of_run(RUN) == journal.unfinished() == (written,)
    assert (written.status, written.broker_order_id) == (OrderStatus.SUBMITTING, None)
    assert (written.leg, written.created_at) == (leg, clock.now())
    request = written.request()
    assert (request.client_id, request.symbol) == (client_id(RUN, "AAA", Side.BUY, 0), "AAA")
    assert (request.side, request.quantity) == (leg.side, leg.quantity)


def test_each_further_order_of_a_symbol_in_a_run_gets_the_next_number(
    journal: Journal, write: Write
) -> None:
    written = [write(symbol) for symbol in ("AAA", "BBB", "AAA")]
    assert [order.client_id for order in written] == [
        client_id(RUN, "AAA", Side.BUY, 0),
        client_id(RUN, "BBB", Side.BUY, 0),
        client_id(RUN, "AAA", Side.BUY, 1),
    ]
    assert journal.of_run(RUN) == tuple(written)


def test_numbers_begin_anew_in_each_run(
    journal: Journal, write: Write, store: Store, clock: SimulatedClock
) -> None:
    RunBook(store).open("another", clock.now())
    write()
    assert write(run_key="another").client_id == client_id("another", "AAA", Side.BUY, 0)


@pytest.mark.parametrize("final", FINAL, ids=lambda status: status.value)
def test_a_final_status_is_never_left(journal: Journal, write: Write, final: OrderStatus) -> None:
    order = write()
    journal.mark(order.client_id, final, broker_order_id="b-1")
    for later in OrderStatus:
        impossible = after(final, later) is None
        with pytest.raises(BrokerAnswerError) if impossible else nullcontext():
            journal.mark(order.client_id, later, broker_order_id="b-2", code=ReasonCode.NOT_FILLED)
    (row,) = journal.of_run(RUN)
    assert (row.status, row.broker_order_id, row.code) == (final, "b-1", None)
    assert journal.unfinished() == ()


def test_an_order_that_was_sent_is_unfinished_until_its_end(journal: Journal, write: Write) -> None:
    order = write()
    for status in (OrderStatus.SUBMITTED, OrderStatus.PARTIAL, OrderStatus.UNRESOLVED):
        journal.mark(order.client_id, status)
        assert [row.status for row in journal.unfinished()] == [status]
    journal.mark(order.client_id, OrderStatus.FILLED)
    assert journal.unfinished() == ()


def test_news_that_cannot_be_true_are_refused_and_name_the_order(
    journal: Journal, write: Write
) -> None:
    order = write()
    journal.mark(order.client_id, OrderStatus.CANCELLED)
    with pytest.raises(BrokerAnswerError, match=order.client_id) as refused:
        journal.mark(order.client_id, OrderStatus.FILLED)
    assert "cancelled in the journal" in refused.value.message
    assert journal.get(order.client_id).status is OrderStatus.CANCELLED
    with pytest.raises(ContractError, match="no order qpk-nobody"):
        journal.mark("qpk-nobody", OrderStatus.FILLED)


def test_the_orders_of_a_phase_are_written_together_and_sent_one_by_one(
    journal: Journal, make_leg: MakeLeg
) -> None:
    first, second = journal.write(RUN, [Draft(make_leg("AAA")), Draft(make_leg("AAA"))])
    assert (first.client_id, second.client_id) == (
        client_id(RUN, "AAA", Side.BUY, 0),
        client_id(RUN, "AAA", Side.BUY, 1),
    )
    sent = journal.submitting(first)
    assert journal.unfinished() == (sent,)
    with pytest.raises(ContractError, match="not sent again"):
        journal.submitting(first)
    with pytest.raises(BrokerAnswerError):  # nobody else can have it
        journal.mark(second.client_id, OrderStatus.FILLED)

    journal.withdraw_pending()

    void = journal.get(second.client_id)
    assert (void.status, void.code) == (OrderStatus.CANCELLED, ReasonCode.NEVER_SENT)
    assert journal.of_run(RUN) == (sent,)
    assert [line.client_id for line in journal.lines(RUN)] == [first.client_id]


def test_an_order_is_sent_as_small_as_the_last_check_left_it(
    journal: Journal, make_leg: MakeLeg
) -> None:
    leg = make_leg("AAA", 10)
    (pending,) = journal.write(RUN, [Draft(leg)])
    smaller = replace(leg, quantity=Decimal(4), limited_by=ReasonCode.POSITION_LIMIT)
    assert journal.submitting(pending, smaller).request().quantity == 4
    (row,) = journal.of_run(RUN)
    assert (row.quantity, row.leg) == (Decimal(4), smaller)


def test_a_stop_keeps_its_terms_and_its_parent_and_rests_without_being_unfinished(
    journal: Journal, make_leg: MakeLeg, write: Write
) -> None:
    bought = write("AAA", 10)
    journal.mark(bought.client_id, OrderStatus.FILLED)
    terms = OrderTerms(
        OrderType.TRAILING_STOP,
        stop_price_usd=Decimal(8),
        trailing_ratio=Decimal("0.1"),
        time_in_force=TimeInForce.GTC,
    )
    leg = make_leg("AAA", 10, Side.SELL)
    (draft,) = journal.write(RUN, [Draft(leg, Purpose.TRAILING, terms, bought.client_id)])
    stop = journal.submitting(draft)
    assert (stop.request().trailing_ratio, stop.request().parent_client_id) == (
        Decimal("0.1"),
        bought.client_id,
    )
    assert journal.unfinished() == (stop,)  # nobody knows yet whether the broker has it
    journal.mark(stop.client_id, OrderStatus.SUBMITTED, trigger_usd=Decimal("8.50"))

    assert journal.unfinished() == ()
    (resting,) = journal.resting()
    assert resting.terms == replace(terms, stop_price_usd=Decimal("8.50"))
    assert (resting.purpose, resting.parent_client_id) == (Purpose.TRAILING, bought.client_id)
    assert journal.waiting_ids() == {stop.client_id}
    assert journal.protecting("AAA") == (resting,)

    journal.mark(stop.client_id, OrderStatus.CANCELLED)
    assert journal.resting() == ()
    assert journal.waiting_ids() == frozenset()


def test_a_reason_stays_until_another_one_is_given(journal: Journal, write: Write) -> None:
    order = write()
    lost = ReasonCode.ORDER_UNRESOLVED
    journal.mark(order.client_id, OrderStatus.UNRESOLVED, code=lost, detail="no reply")
    journal.mark(order.client_id, OrderStatus.SUBMITTED, broker_order_id="b-1")
    (row,) = journal.of_run(RUN)
    assert (row.status, row.broker_order_id) == (OrderStatus.SUBMITTED, "b-1")
    assert (row.code, row.detail) == (lost, "no reply")


def test_marks_of_one_order_leave_the_others_alone(journal: Journal, write: Write) -> None:
    first, second = write("AAA"), write("BBB")
    journal.mark(first.client_id, OrderStatus.FILLED)
    assert journal.unfinished() == (second,)


def test_the_journal_is_there_after_a_restart(
    journal: Journal, write: Write, store: Store, clock: SimulatedClock
) -> None:
    written = write()
    store.close()
    assert Journal(store, clock).unfinished() == (written,)


def test_an_order_is_found_by_the_beginning_of_its_id_or_by_the_brokers(
    journal: Journal, write: Write
) -> None:
    first, second = write("AAA"), write("BBB")
    journal.mark(second.client_id, OrderStatus.SUBMITTED, broker_order_id="b-17")
    assert journal.find(first.client_id[:12]) == (first,)
    assert [row.client_id for row in journal.find("b-17")] == [second.client_id]
    assert journal.find("b-1") == ()
    assert journal.find("%") == journal.find("qpk_") == ()


def test_only_our_orders_are_known(journal: Journal, write: Write) -> None:
    order = write()
    (known,) = journal.of([order.client_id, "by-hand"])
    assert known.client_id == order.client_id
    assert journal.of([]) == ()


def test_a_line_adds_up_the_fills_of_its_order(journal: Journal, write: Write, book: Book) -> None:
    filled, idle = write("AAA", 10), write("BBB")
    assert journal.booked_quantity(filled.client_id) == 0
    fills = [
        executed(filled.client_id, 1, "3", "10.00", "0.10"),
        executed(filled.client_id, 2, "1", "14.00", "0.20"),
    ]
    book(fills)

    line, other = journal.lines(RUN)

    assert (line.client_id, line.quantity, line.filled_quantity) == (
        filled.client_id,
        Decimal(10),
        Decimal(4),
    )
    assert (line.average_price_usd, line.fee_usd) == (Decimal(11), Decimal("0.30"))
    assert (other.client_id, other.filled_quantity) == (idle.client_id, Decimal(0))
    assert other.average_price_usd is None
    assert journal.booked_quantity(filled.client_id) == 4
