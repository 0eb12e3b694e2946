"""What the adapter makes of everything that TWS, its wire and its library are known to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Timer
from time import monotonic
from typing import Any

import pytest

from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.brokers.ibkr import IbkrBroker
from quant_platform_kit.contracts import (
    Adjustment,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    InputError,
    PlatformError,
    TransientError,
)
from quant_platform_kit.simulators import Host, WireFault, WireSwitch
from quant_platform_kit.simulators.tws import TwsDoor

TEN = Decimal(10)
MIDNIGHT = datetime(2012, 3, 30, tzinfo=UTC)
LAST_SESSION = date(2012, 3, 29)
Query = Callable[[IbkrBroker], object]

QUERIES: dict[str, tuple[str, Query]] = {
    "account": ("account", lambda broker: broker.account()),
    "positions": ("positions", lambda broker: broker.positions()),
    "open_orders": ("all_open_orders", lambda broker: broker.open_orders()),
    "find_order": ("completed_orders", lambda broker: broker.find_order("order")),
    "fills_since": ("executions", lambda broker: broker.fills_since(MIDNIGHT)),
    "quotes": ("quote", lambda broker: broker.quotes(["IBM"])),
    "daily_bars": (
        "bars",
        lambda broker: broker.daily_bars(["IBM"], 5, LAST_SESSION, Adjustment.TOTAL_RETURN),
    ),
}
each_query = pytest.mark.parametrize(
    ("operation", "query"), list(QUERIES.values()), ids=list(QUERIES)
)


def an_order(client_id: str = "order", quantity: Decimal = TEN) -> OrderRequest:
    return OrderRequest(client_id, "IBM", Side.BUY, quantity)


def buy(broker: IbkrBroker, client_id: str = "order") -> Submission:
    return broker.submit(an_order(client_id))


def rest(broker: IbkrBroker, client_id: str = "order") -> Submission:
    return broker.submit(
        OrderRequest(client_id, "IBM", Side.BUY, TEN, OrderType.LIMIT, Decimal("50.00"))
    )


def switch(host: Host, fault: WireFault, operation: str | None = None, **more: Any) -> None:  # noqa: ANN401
    with host.lock:
        host.wire.set(WireSwitch(fault, operation, **more))


def clear(host: Host) -> None:
    with host.lock:
        host.wire.set()


def held(host: Host) -> dict[str, Decimal]:
    with host.lock:
        return {position.symbol: position.quantity for position in host.broker.positions()}


# ── Connecting ─────────────────────────────────────────────────────────────────────────


def test_a_port_that_nobody_serves_is_an_error_at_once(
    connect: Callable[..., IbkrBroker], door: TwsDoor
) -> None:
    door.refuse(refused=True)
    started = monotonic()
    with pytest.raises(TransientError, match="cannot be reached"):
        connect()
    assert monotonic() - started < 0.9


def test_a_port_that_stays_silent_is_given_up_after_the_deadline(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    switch(host, WireFault.NO_ANSWER, "connect")
    with pytest.raises(TransientError, match="did not let the client in within 1 s"):
        connect()


def test_a_server_that_is_too_old_is_an_error(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    switch(host, WireFault.SERVER_TOO_OLD, "connect")
    with pytest.raises(TransientError, match="nothing was sent"):
        connect()


def test_a_client_that_is_cut_off_while_it_connects_is_an_error(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    switch(host, WireFault.LOGIN_DENIED, "connect")
    with pytest.raises(TransientError, match="nothing was sent"):
        connect()


def test_a_client_id_that_another_program_has_is_named(
    broker: IbkrBroker, connect: Callable[..., IbkrBroker]
) -> None:
    assert broker.positions() == ()
    with pytest.raises(TransientError, match="Another program is connected to TWS as client 1"):
        connect(connect_secs=5.0)


def test_a_client_id_that_tws_has_not_freed_yet_is_asked_for_again(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    switch(host, WireFault.CLIENT_ID_IN_USE, "connect", nth=1)
    assert connect().positions() == ()


def test_positions_that_are_lost_while_connecting_are_never_none(
    connect: Callable[..., IbkrBroker], host: Host, broker: IbkrBroker
) -> None:
    buy(broker)
    switch(host, WireFault.EMPTY_POSITIONS_LOST, "positions", nth=1)
    try:
        positions = connect(client_id=2).positions()  # one library reads on, one gives up
    except TransientError:
        return
    assert [position.symbol for position in positions] == ["IBM"]


@pytest.mark.parametrize("operation", ["executions", "open_orders", "completed_orders"])
def test_what_the_library_reads_first_may_be_lost(
    operation: str, connect: Callable[..., IbkrBroker], host: Host, broker: IbkrBroker
) -> None:
    buy(broker)
    switch(host, WireFault.NO_ANSWER, operation, nth=1)
    try:
        found = connect(client_id=2).find_order("order")
    except TransientError:
        return
    assert found is not None


# ── Queries ────────────────────────────────────────────────────────────────────────────


@each_query
def test_a_query_without_an_answer_ends_at_its_deadline(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.NO_ANSWER, operation)
    started = monotonic()
    with pytest.raises(TransientError):
        query(broker)
    assert monotonic() - started < 3.5
    clear(host)
    query(broker)


@each_query
def test_a_connection_that_drops_during_a_query_is_an_error_and_made_again(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.DROP_CONNECTION, operation, nth=1)
    with pytest.raises(TransientError):
        query(broker)
    query(broker)


@each_query
def test_an_answer_that_cannot_be_read_is_never_a_shorter_one(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    buy(broker)
    rest(broker, "rests")
    usual = query(broker)
    switch(host, WireFault.MALFORMED, operation, nth=1)
    with pytest.raises(TransientError):
        query(broker)
    assert query(broker) == usual


@each_query
def test_torn_frames_are_put_together(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    buy(broker)
    usual = query(broker)
    switch(host, WireFault.TORN_FRAMES, operation)
    assert query(broker) == usual


@each_query
def test_a_late_answer_is_not_taken_for_the_next_one(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.SLOW_ANSWER, operation, nth=1, seconds=0.8)
    with pytest.raises(TransientError):
        query(broker)
    clear(host)
    buy(broker)
    assert [position.quantity for position in broker.positions()] == [TEN]
    query(broker)


@each_query
def test_an_answer_that_takes_its_time_is_waited_for(
    operation: str, query: Query, broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.SLOW_ANSWER, operation, seconds=0.1)
    query(broker)


@pytest.mark.parametrize("fault", [WireFault.RATE_LIMIT, WireFault.SERVER_ERROR])
@each_query
def test_a_refused_request_is_an_error_that_may_pass(
    operation: str, query: Query, fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, operation)
    with pytest.raises(TransientError):
        query(broker)
    clear(host)
    query(broker)


def test_forty_five_requests_a_second_are_a_delay_and_no_loss(
    connect: Callable[..., IbkrBroker],
) -> None:
    broker = connect(query_secs=5.0)
    buy(broker)
    for _ in range(30):  # of several messages each
        assert broker.find_order("order") is not None


def test_a_missing_subscription_is_an_error_and_no_missing_quote(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.NO_MARKET_DATA, "quote")
    with pytest.raises(BrokerAnswerError, match="354"):
        broker.quotes(["IBM"])


@pytest.mark.parametrize(
    ("fault", "age"),
    [
        (WireFault.STALE_QUOTE, timedelta(days=1)),
        (WireFault.DELAYED_QUOTE, timedelta(minutes=15)),
    ],
)
def test_a_quote_says_when_it_was_made_not_when_it_arrived(
    fault: WireFault, age: timedelta, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, "quote")
    assert broker.quotes(["IBM"])["IBM"].at == host.clock.now() - age


def test_bars_with_a_session_missing_are_refused(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.TRUNCATED, "bars")
    with pytest.raises(InputError, match="do not agree with the exchange's sessions"):
        broker.daily_bars(["IBM"], 20, LAST_SESSION, Adjustment.TOTAL_RETURN)


def test_bars_without_adjustment_are_refused(broker: IbkrBroker) -> None:
    with pytest.raises(InputError, match="no raw daily bars"):
        broker.daily_bars(["IBM"], 20, LAST_SESSION, Adjustment.RAW)


# ── The line behind TWS ────────────────────────────────────────────────────────────────


def test_nothing_is_sent_while_tws_has_lost_its_line(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.CONNECTIVITY_LOST, "positions", nth=1, seconds=60.0)
    with pytest.raises(TransientError, match="lost its line"):
        broker.positions()
    assert broker.health() != ()
    assert buy(broker).outcome is SubmitOutcome.DENIED
    assert host.orders() == ()


def test_work_goes_on_when_the_line_is_back(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.CONNECTIVITY_LOST, "positions", nth=1, seconds=0.1)
    with pytest.raises(TransientError):
        broker.positions()
    until = monotonic() + 5
    while broker.health() and monotonic() < until:
        pass
    assert buy(broker).outcome is SubmitOutcome.ACKED


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def test_an_order_cut_off_before_booking_is_unresolved_and_not_found(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.REPLY_LOST_BEFORE_BOOKING, "order", nth=1)
    assert buy(broker).outcome is SubmitOutcome.UNRESOLVED
    assert broker.find_order("order") is None
    assert held(host) == {}


@pytest.mark.parametrize("fault", [WireFault.REPLY_LOST_AFTER_BOOKING, WireFault.NO_ANSWER])
def test_an_order_whose_answer_never_comes_is_unresolved_and_found(
    fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, "order", nth=1)
    assert buy(broker).outcome is SubmitOutcome.UNRESOLVED
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert len(broker.fills_since(MIDNIGHT)) == 1
    assert buy(broker).outcome is SubmitOutcome.REJECTED
    assert held(host) == {"IBM": TEN}


def test_an_order_whose_answer_cannot_be_read_is_booked_once_and_found(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.MALFORMED, "order", nth=1)
    assert buy(broker).outcome in {SubmitOutcome.ACKED, SubmitOutcome.UNRESOLVED}
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert held(host) == {"IBM": TEN}


def test_an_order_that_is_still_on_its_way_is_waited_for(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    broker = connect(order_secs=0.2, settle_secs=1.0)
    switch(host, WireFault.REPLY_LOST_BEFORE_BOOKING, "order", nth=1)
    assert buy(broker).outcome is SubmitOutcome.UNRESOLVED
    late = Timer(0.5, host.submit, (an_order(),))
    late.start()
    found = broker.find_order("order")
    late.join()
    assert found is not None


def test_a_connection_that_ended_unnoticed_costs_no_order(
    broker: IbkrBroker, door: TwsDoor, host: Host
) -> None:
    broker.positions()
    door.drop_connections()
    answer = buy(broker)
    found = broker.find_order("order")
    assert (answer.outcome is SubmitOutcome.ACKED) <= (found is not None)
    assert (found is not None) == (held(host) == {"IBM": TEN})


def test_an_order_is_denied_while_tws_is_gone_and_taken_when_it_is_back(
    broker: IbkrBroker, door: TwsDoor, host: Host
) -> None:
    door.refuse(refused=True)
    assert buy(broker).outcome is SubmitOutcome.DENIED
    door.refuse(refused=False)
    assert buy(broker).outcome is SubmitOutcome.ACKED
    assert held(host) == {"IBM": TEN}


def test_a_closed_adapter_connects_again(broker: IbkrBroker) -> None:
    broker.close()
    assert buy(broker).outcome is SubmitOutcome.ACKED


def test_a_refused_order_says_why(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.REJECT, "order")
    answer = buy(broker)
    assert answer.outcome is SubmitOutcome.REJECTED
    assert "(201)" in answer.detail


@pytest.mark.parametrize("fault", [WireFault.RATE_LIMIT, WireFault.SERVER_ERROR])
def test_an_order_that_is_not_even_read_is_rejected(
    fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, "order")
    assert buy(broker).outcome is SubmitOutcome.REJECTED
    assert broker.find_order("order") is None


def test_an_order_refused_after_its_acknowledgement_is_found_as_rejected(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.REJECT_LATER, "order")
    assert buy(broker).outcome in {SubmitOutcome.ACKED, SubmitOutcome.REJECTED}
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.REJECTED


def test_an_inactive_order_has_not_ended(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.INACTIVE, "order")
    assert buy(broker).outcome is SubmitOutcome.ACKED
    (seen,) = broker.open_orders()
    assert seen.client_id == "order"
    assert seen.detail.startswith("Held by the broker")


def test_an_error_about_an_order_that_lives_does_not_end_it(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.ERROR_ON_LIVE_ORDER, "order")
    answer = rest(broker)
    assert answer.outcome is SubmitOutcome.ACKED
    assert [order.status for order in broker.open_orders()] == [OrderStatus.SUBMITTED]
    clear(host)
    broker.cancel(str(answer.broker_order_id))
    assert broker.open_orders() == ()


@pytest.mark.parametrize("fault", [WireFault.WARNING_ON_ORDER, WireFault.WARNING_AFTER_FILL])
def test_a_warning_changes_no_order(fault: WireFault, broker: IbkrBroker, host: Host) -> None:
    switch(host, fault, "order")
    assert buy(broker).outcome is SubmitOutcome.ACKED
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    "fault", [WireFault.DUPLICATE_PUSH, WireFault.LOST_PUSHES, WireFault.PUSH_BEFORE_REPLY]
)
def test_news_that_come_twice_never_or_early_change_no_book(
    fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault)
    assert buy(broker).outcome is SubmitOutcome.ACKED
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert [fill.quantity for fill in broker.fills_since(MIDNIGHT)] == [TEN]


def test_an_order_shown_as_filled_before_its_executions_has_not_ended(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.LATE_STATUS, "order")
    buy(broker)
    early, late = broker.find_order("order"), broker.find_order("order")
    assert early is not None
    assert late is not None
    assert (early.status, early.filled_quantity) == (OrderStatus.SUBMITTED, Decimal(0))
    assert (late.status, late.filled_quantity) == (OrderStatus.FILLED, TEN)


def test_an_execution_that_the_broker_lists_twice_is_listed_once(
    broker: IbkrBroker, host: Host
) -> None:
    buy(broker)
    switch(host, WireFault.DUPLICATE_EXECUTION)
    assert len(broker.fills_since(MIDNIGHT)) == 1
    found = broker.find_order("order")
    assert found is not None
    assert found.filled_quantity == TEN


def test_an_execution_waits_for_its_commission(broker: IbkrBroker, host: Host) -> None:
    switch(host, WireFault.LOST_PUSHES)
    buy(broker)
    switch(host, WireFault.LATE_COMMISSION, "executions", seconds=0.1)
    assert [fill.fee_usd for fill in broker.fills_since(MIDNIGHT)] == [Decimal(1)]


def test_an_execution_is_never_booked_without_its_commission(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.LOST_PUSHES)
    buy(broker)
    switch(host, WireFault.LATE_COMMISSION, "executions", seconds=60.0)
    with pytest.raises(TransientError, match="commission"):
        broker.fills_since(MIDNIGHT)
    assert broker.find_order("order") is not None


def test_a_partial_fill_whose_rest_is_cancelled_keeps_its_part(
    broker: IbkrBroker, host: Host
) -> None:
    switch(host, WireFault.PARTIAL_THEN_CANCEL, "order")
    assert buy(broker).outcome is SubmitOutcome.ACKED
    found = broker.find_order("order")
    assert found is not None
    assert (found.status, found.filled_quantity) == (OrderStatus.CANCELLED, Decimal(5))


# ── Cancels ────────────────────────────────────────────────────────────────────────────


def test_an_order_whose_cancel_is_refused_works_on(broker: IbkrBroker, host: Host) -> None:
    order_id = str(rest(broker).broker_order_id)
    switch(host, WireFault.CANCEL_REFUSED)
    broker.cancel(order_id)
    assert [order.broker_order_id for order in broker.open_orders()] == [order_id]
    clear(host)
    broker.cancel(order_id)
    assert broker.open_orders() == ()


def test_a_fill_that_beats_the_cancel_counts(broker: IbkrBroker, host: Host) -> None:
    order_id = str(rest(broker).broker_order_id)
    switch(host, WireFault.FILL_BEATS_CANCEL)
    broker.cancel(order_id)
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.FILLED


def test_a_cancel_without_an_answer_returns_and_the_order_tells(
    broker: IbkrBroker, host: Host
) -> None:
    order_id = str(rest(broker).broker_order_id)
    switch(host, WireFault.NO_ANSWER, "cancel")
    broker.cancel(order_id)
    assert broker.open_orders() == ()


def test_a_connection_lost_during_a_cancel_is_an_error(broker: IbkrBroker, host: Host) -> None:
    order_id = str(rest(broker).broker_order_id)
    switch(host, WireFault.REPLY_LOST_AFTER_BOOKING, "cancel")
    with pytest.raises(TransientError):
        broker.cancel(order_id)
    clear(host)
    found = broker.find_order("order")
    assert found is not None
    assert found.status is OrderStatus.CANCELLED


def test_an_order_of_another_program_is_not_cancelled(
    broker: IbkrBroker, connect: Callable[..., IbkrBroker]
) -> None:
    order_id = str(rest(broker).broker_order_id)
    with pytest.raises(BrokerAnswerError, match="placed by client 1"):
        connect(client_id=2).cancel(order_id)
    assert len(broker.open_orders()) == 1


@pytest.mark.parametrize("order_id", ["1900000099", "no-number"])
def test_an_id_that_the_account_does_not_have_cannot_be_cancelled(
    order_id: str, broker: IbkrBroker
) -> None:
    with pytest.raises(BrokerAnswerError, match="has no order"):
        broker.cancel(order_id)


# ── Others in the account ──────────────────────────────────────────────────────────────


def test_an_order_placed_by_hand_is_nobodys(broker: IbkrBroker, host: Host) -> None:
    order = OrderRequest("hand", "IBM", Side.BUY, TEN, OrderType.LIMIT, Decimal("50.00"))
    host.submit(order, tagged=False)
    (seen,) = broker.open_orders()
    assert seen.client_id is None
    assert broker.find_order("hand") is None


def test_two_orders_under_one_client_id_are_for_a_human(broker: IbkrBroker, host: Host) -> None:
    for _ in range(2):
        host.submit(an_order("twice"))
    with pytest.raises(BrokerAnswerError, match="2 orders for IBM carry the client id"):
        broker.find_order("twice")


def test_an_order_that_rests_fills_and_expires_by_itself(broker: IbkrBroker, host: Host) -> None:
    with host.lock:
        host.faults.set(FaultSwitch(Fault.LATE_FILL, nth=1, delay_secs=60.0))
    buy(broker)
    rest(broker, "other")
    host.advance_to(host.clock.now() + timedelta(seconds=60))
    assert [order.client_id for order in broker.open_orders()] == ["other"]
    assert [fill.client_id for fill in broker.fills_since(MIDNIGHT)] == ["order"]
    host.advance_to(host.clock.now() + timedelta(hours=1))
    found = broker.find_order("other")
    assert found is not None
    assert found.status is OrderStatus.EXPIRED


@pytest.mark.parametrize("fault", sorted(set(WireFault) - {WireFault.NO_ANSWER}))
def test_no_fault_escapes_the_tree_of_errors(
    fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, nth=1, seconds=0.01)
    for query in (IbkrBroker.positions, IbkrBroker.account, buy, IbkrBroker.open_orders):
        try:
            query(broker)
        except PlatformError:
            continue
