"""What the adapter makes of TWS and its library, beyond what the cards demand of every broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Thread
from time import sleep
from typing import Any

import pytest

from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.brokers.ibkr import IbkrBroker
from quant_platform_kit.brokers.ibkr._sdk import library_name
from quant_platform_kit.contracts import (
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
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
    "positions": ("positions", lambda broker: broker.positions()),
    "open_orders": ("all_open_orders", lambda broker: broker.open_orders()),
    "find_order": ("completed_orders", lambda broker: broker.find_order("order")),
    "fills_since": ("executions", lambda broker: broker.fills_since(MIDNIGHT)),
}
"""Questions whose answers carry no number of the question, and one whose do."""
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


@pytest.mark.parametrize("operation", ["executions", "open_orders", "completed_orders"])
def test_what_the_library_reads_first_may_be_lost(
    operation: str, connect: Callable[..., IbkrBroker], host: Host, broker: IbkrBroker
) -> None:
    buy(broker)
    switch(host, WireFault.NO_ANSWER, operation, nth=1)
    try:
        found = connect(client_id=2, connect_secs=1.0, query_secs=1.0).find_order("order")
    except TransientError:
        return
    assert found is not None


@pytest.mark.skipif(library_name() == "ib_insync", reason="it reads everything, always")
def test_what_is_not_believed_is_not_read(connect: Callable[..., IbkrBroker], host: Host) -> None:
    connect()
    assert not set(host.requests) & {"executions", "open_orders", "completed_orders"}


# ── Queries ────────────────────────────────────────────────────────────────────────────


@each_query
def test_a_late_answer_is_not_taken_for_the_next_one(
    operation: str, query: Query, connect: Callable[..., IbkrBroker], host: Host
) -> None:
    broker = connect(query_secs=1.0)
    switch(host, WireFault.SLOW_ANSWER, operation, nth=1, seconds=1.3)
    with pytest.raises(TransientError):
        query(broker)
    clear(host)
    buy(broker)
    assert [position.quantity for position in broker.positions()] == [TEN]
    query(broker)


def test_forty_five_requests_a_second_are_a_delay_and_no_loss(
    connect: Callable[..., IbkrBroker],
) -> None:
    broker = connect(query_secs=5.0)
    buy(broker)
    for _ in range(30):  # of several messages each
        assert broker.find_order("order") is not None


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def test_an_order_that_is_still_on_its_way_is_waited_for(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    broker = connect(settle_secs=1.0)
    switch(host, WireFault.REPLY_LOST_BEFORE_BOOKING, "order", nth=1)
    assert buy(broker).outcome is SubmitOutcome.UNRESOLVED
    looks = host.requests["executions"]

    def arrive() -> None:
        while host.requests["executions"] == looks:  # the last thing that a look asks for
            sleep(0.005)
        host.submit(an_order())

    late = Thread(target=arrive)
    late.start()
    found = broker.find_order("order")
    late.join()
    assert found is not None


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


@pytest.mark.parametrize("fault", [WireFault.RATE_LIMIT, WireFault.SERVER_ERROR])
def test_an_order_that_is_not_even_read_is_rejected(
    fault: WireFault, broker: IbkrBroker, host: Host
) -> None:
    switch(host, fault, "order")
    assert buy(broker).outcome is SubmitOutcome.REJECTED
    assert broker.find_order("order") is None


# ── Cancels ────────────────────────────────────────────────────────────────────────────


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


# ── Others in the account ──────────────────────────────────────────────────────────────


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
    fault: WireFault, connect: Callable[..., IbkrBroker], host: Host
) -> None:
    broker = connect(query_secs=0.6, order_secs=0.6)
    switch(host, fault, nth=1, seconds=0.01)
    for query in (IbkrBroker.positions, IbkrBroker.account, buy, IbkrBroker.open_orders):
        try:
            query(broker)
        except PlatformError:
            continue
