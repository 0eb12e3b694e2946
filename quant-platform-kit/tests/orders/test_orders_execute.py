"""Sending legs, following them to their end, and learning what an earlier attempt left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    Leg,
    OrderRequest,
    OrderStatus,
    Side,
    Submission,
    Verdict,
)
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode, TransientError
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import Desk, Journal, JournalOrder, client_id, recover, send, settle
from quant_platform_kit.store import Store, orders

RUN = "ibkr-1:2020-03-31:close"
MakeLeg = Callable[..., Leg]
Write = Callable[..., JournalOrder]
OpenDesk = Callable[..., Desk]


def approve(_leg: Leg) -> Verdict:
    return Verdict()


def refuse_bbb(leg: Leg) -> Verdict:
    return Verdict(ReasonCode.GATE_CLOSED, "halted") if leg.symbol == "BBB" else Verdict()


class StandIn:
    """The simulated broker behind a connection that a test can spoil."""

    def __init__(self, inner: SimulatedBroker) -> None:
        self.inner = inner
        self.submitted: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def submit(self, order: OrderRequest) -> Submission:
        self.submitted.append(order.client_id)
        return self.inner.submit(order)


@pytest.fixture
def stand_in(broker: SimulatedBroker) -> StandIn:
    return StandIn(broker)


def test_a_row_is_committed_before_the_broker_is_called_and_its_answer_after(
    open_desk: OpenDesk,
    stand_in: StandIn,
    make_leg: MakeLeg,
    open_store: Callable[[Path], Store],
    tmp_path: Path,
) -> None:
    other = open_store(tmp_path)

    def rows() -> dict[str, str]:
        """Read the database as another process does: only what is committed is there."""
        with other.begin() as connection:
            found = connection.execute(select(orders.c.client_id, orders.c.status))
            return {row.client_id: row.status for row in found}

    seen: list[dict[str, str]] = []

    class Witness(StandIn):
        def submit(self, order: OrderRequest) -> Submission:
            seen.append(rows())
            return super().submit(order)

    send(open_desk(Witness(stand_in.inner)), RUN, [make_leg("AAA"), make_leg("BBB")], approve)

    first, second = client_id(RUN, "AAA", Side.BUY, 0), client_id(RUN, "BBB", Side.BUY, 0)
    assert seen == [
        {first: "submitting", second: "pending"},
        {first: "submitted", second: "submitting"},
    ]
    assert rows() == {first: "submitted", second: "submitted"}


def test_a_refused_leg_never_reaches_the_journal_or_the_broker(
    open_desk: OpenDesk, stand_in: StandIn, make_leg: MakeLeg, journal: Journal
) -> None:
    legs = [make_leg("BBB"), make_leg("AAA")]
    refused = send(open_desk(stand_in), RUN, legs, refuse_bbb)
    assert refused == ((legs[0], Verdict(ReasonCode.GATE_CLOSED, "halted")),)
    assert [order.symbol for order in journal.of_run(RUN)] == ["AAA"]
    assert stand_in.submitted == [client_id(RUN, "AAA", Side.BUY, 0)]


def test_permission_is_asked_immediately_before_each_order(
    open_desk: OpenDesk, stand_in: StandIn, make_leg: MakeLeg
) -> None:
    sent_when_asked: list[int] = []

    def ask(_leg: Leg) -> Verdict:
        sent_when_asked.append(len(stand_in.submitted))
        return Verdict()

    send(open_desk(stand_in), RUN, [make_leg("AAA"), make_leg("BBB")], ask)
    assert sent_when_asked == [0, 1]


def test_an_order_is_settled_when_its_fills_are_in_the_ledger(
    open_desk: OpenDesk, make_leg: MakeLeg, journal: Journal, ledger: Ledger, clock: SimulatedClock
) -> None:
    started = clock.now()
    desk = open_desk()
    send(desk, RUN, [make_leg("AAA", 7)], approve)
    settle(desk)
    (line,) = journal.lines(RUN)
    assert (line.status, line.filled_quantity, line.code) == (OrderStatus.FILLED, Decimal(7), None)
    assert ledger.quantities() == {"AAA": Decimal(7)}
    assert clock.now() == started  # nothing was waited for


def test_a_rejected_order_is_final_and_says_why(
    open_desk: OpenDesk, make_leg: MakeLeg, journal: Journal
) -> None:
    desk = open_desk()
    send(desk, RUN, [make_leg("AAA", 1000)], approve)  # 10,000 USD of an account of 1,000
    (order,) = journal.of_run(RUN)
    assert (order.status, order.code) == (OrderStatus.REJECTED, ReasonCode.ORDER_REJECTED)
    assert order.detail
    assert recover(desk) == ()


def test_a_status_that_is_ahead_of_its_executions_does_not_finish_an_order(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    make_leg: MakeLeg,
    journal: Journal,
    ledger: Ledger,
) -> None:
    class Lagging(StandIn):
        behind = True

        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            return () if self.behind else self.inner.fills_since(instant)

    lagging = Lagging(broker)
    desk = open_desk(lagging)
    send(desk, RUN, [make_leg("AAA", 7)], approve)
    settle(desk)
    (order,) = journal.unfinished()
    assert order.status is OrderStatus.UNRESOLVED
    assert recover(desk) == (order,)
    assert ledger.quantities() == {}

    lagging.behind = False
    assert recover(desk) == ()
    (line,) = journal.lines(RUN)
    assert (line.status, line.filled_quantity) == (OrderStatus.FILLED, Decimal(7))
    assert ledger.quantities() == {"AAA": Decimal(7)}
    assert len(lagging.submitted) == 1


def test_what_is_left_at_the_deadline_is_cancelled(
    open_desk: OpenDesk,
    make_leg: MakeLeg,
    faults: Faults,
    journal: Journal,
    ledger: Ledger,
    clock: SimulatedClock,
) -> None:
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    started = clock.now()
    desk = open_desk(fill_deadline_secs=20)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    settle(desk)
    (line,) = journal.lines(RUN)
    assert (line.status, line.filled_quantity) == (OrderStatus.CANCELLED, Decimal(5))
    assert line.code is ReasonCode.NOT_FILLED
    assert ledger.quantities() == {"AAA": Decimal(5)}
    assert (clock.now() - started).total_seconds() == 20


def test_a_fill_that_is_late_but_in_time_is_waited_for(
    open_desk: OpenDesk, make_leg: MakeLeg, faults: Faults, journal: Journal
) -> None:
    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=12))
    desk = open_desk(fill_deadline_secs=20)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    settle(desk)
    (line,) = journal.lines(RUN)
    assert (line.status, line.filled_quantity) == (OrderStatus.FILLED, Decimal(10))


def test_an_order_that_fills_while_its_cancel_is_under_way_is_filled(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    make_leg: MakeLeg,
    faults: Faults,
    journal: Journal,
    ledger: Ledger,
    clock: SimulatedClock,
) -> None:
    class Slow(StandIn):
        def cancel(self, broker_order_id: str) -> None:
            clock.sleep(10)  # on its way, the order fills
            self.inner.cancel(broker_order_id)

    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=25))
    desk = open_desk(Slow(broker), fill_deadline_secs=20)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    settle(desk)
    (line,) = journal.lines(RUN)
    assert (line.status, line.filled_quantity, line.code) == (OrderStatus.FILLED, Decimal(10), None)
    assert ledger.quantities() == {"AAA": Decimal(10)}


def test_an_unconfirmed_cancel_leaves_the_order_unresolved_until_a_query_ends_it(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    make_leg: MakeLeg,
    faults: Faults,
    journal: Journal,
) -> None:
    class Deaf(StandIn):
        hears = False

        def cancel(self, broker_order_id: str) -> None:
            if self.hears:
                self.inner.cancel(broker_order_id)

    faults.set(FaultSwitch(Fault.NO_FILL))
    deaf = Deaf(broker)
    desk = open_desk(deaf)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    settle(desk)
    (order,) = journal.unfinished()
    assert (order.status, order.code) == (OrderStatus.UNRESOLVED, ReasonCode.NOT_FILLED)
    assert recover(desk) == (order,)  # the symbol stays blocked

    deaf.hears = True
    assert recover(desk) == ()
    assert [o.status for o in journal.of_run(RUN)] == [OrderStatus.CANCELLED]
    assert len(deaf.submitted) == 1


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost on the way"])
def test_a_lost_reply_is_resolved_by_asking(
    open_desk: OpenDesk,
    stand_in: StandIn,
    make_leg: MakeLeg,
    faults: Faults,
    journal: Journal,
    ledger: Ledger,
    arrived: bool,
) -> None:
    faults.set(FaultSwitch(Fault.REPLY_LOST_AFTER if arrived else Fault.REPLY_LOST_BEFORE))
    desk = open_desk(stand_in)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    (order,) = journal.unfinished()
    assert (order.status, order.code) == (OrderStatus.UNRESOLVED, ReasonCode.ORDER_UNRESOLVED)

    settle(desk)

    (line,) = journal.lines(RUN)
    assert line.status is (OrderStatus.FILLED if arrived else OrderStatus.CANCELLED)
    assert ledger.quantities() == ({"AAA": Decimal(10)} if arrived else {})
    assert len(stand_in.submitted) == 1


def test_a_row_whose_order_never_left_is_void_and_its_successor_is_another_order(
    open_desk: OpenDesk, make_leg: MakeLeg, write: Write, journal: Journal
) -> None:
    killed = write("AAA")  # and then the process died
    desk = open_desk()
    assert recover(desk) == ()
    (order,) = journal.of_run(RUN)
    assert (order.status, order.code) == (OrderStatus.CANCELLED, ReasonCode.NEVER_SENT)

    send(desk, RUN, [make_leg("AAA")], approve)
    settle(desk)

    assert [o.status for o in journal.of_run(RUN)] == [OrderStatus.CANCELLED, OrderStatus.FILLED]
    assert journal.of_run(RUN)[1].client_id != killed.client_id


def test_an_order_that_left_before_the_kill_is_found_and_counted_once(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    write: Write,
    journal: Journal,
    ledger: Ledger,
) -> None:
    broker.submit(write("AAA", 10).request())  # and then the process died
    desk = open_desk()
    assert recover(desk) == recover(desk) == ()
    assert ledger.quantities() == {"AAA": Decimal(10)}
    assert [o.status for o in journal.of_run(RUN)] == [OrderStatus.FILLED]


def test_what_still_works_after_a_kill_is_cancelled(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    write: Write,
    faults: Faults,
    journal: Journal,
) -> None:
    faults.set(FaultSwitch(Fault.NO_FILL))
    broker.submit(write("AAA", 10).request())
    assert recover(open_desk()) == ()
    assert [o.status for o in journal.of_run(RUN)] == [OrderStatus.CANCELLED]
    assert broker.open_orders() == ()


def test_a_broker_that_forgets_an_order_it_took_is_not_believed(
    open_desk: OpenDesk, broker: SimulatedBroker, make_leg: MakeLeg, journal: Journal
) -> None:
    class Forgetful(StandIn):
        def find_order(self, client_id: str) -> BrokerOrder | None:
            return None

    desk = open_desk(Forgetful(broker))
    send(desk, RUN, [make_leg("AAA")], approve)
    for look in (settle, recover):
        with pytest.raises(BrokerAnswerError, match="does not know it") as stopped:
            look(desk)
        assert stopped.value.symbol == "AAA"
    assert [order.status for order in journal.unfinished()] == [OrderStatus.SUBMITTED]


def test_a_broker_that_cannot_be_asked_leaves_everything_as_it_was(
    open_desk: OpenDesk, broker: SimulatedBroker, write: Write, journal: Journal
) -> None:
    class Away(StandIn):
        def find_order(self, client_id: str) -> BrokerOrder | None:
            raise TransientError("The broker cannot be reached.")

    written = write("AAA")
    with pytest.raises(TransientError):
        recover(open_desk(Away(broker)))
    assert journal.unfinished() == (written,)


def test_executions_of_other_orders_are_never_booked(
    open_desk: OpenDesk, broker: SimulatedBroker, make_leg: MakeLeg, ledger: Ledger
) -> None:
    broker.submit(OrderRequest("by-hand", "AAA", Side.BUY, Decimal(3)))
    desk = open_desk()
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    settle(desk)
    assert ledger.quantities() == {"AAA": Decimal(10)}
