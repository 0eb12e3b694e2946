"""What every broker with fault switches does when one of them is on, as cards.

For the simulated broker, and for adapters that talk to a simulator of their broker.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import OrderStatus, Side, SubmitOutcome
from quant_platform_kit.errors import TransientError
from quant_platform_kit.testing._broker_bench import (
    TEN,
    BrokerBench,
    BrokerCard,
    an_order,
    buy,
    executions,
    expect,
    expect_refusal,
    expect_same,
    found,
    holdings,
    id_of,
    switch_on,
)


def an_order_lost_on_its_way_is_unresolved_and_not_found(bench: BrokerBench) -> None:
    """Require that the query knows what the sender cannot."""
    broker = bench.connect()
    switch_on(bench, Fault.REPLY_LOST_BEFORE)
    answer = broker.submit(an_order(bench.symbols[0], Side.BUY, TEN))
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, "the answer")
    expect_same(broker.find_order("order"), None, "the order")
    expect_same(broker.positions(), (), "positions")


def an_order_whose_answer_is_lost_is_unresolved_and_found(bench: BrokerBench) -> None:
    """Require that the order is booked, once, although the sender cannot know it."""
    broker = bench.connect()
    switch_on(bench, Fault.REPLY_LOST_AFTER)
    answer = broker.submit(an_order(bench.symbols[0], Side.BUY, TEN))
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, "the answer")
    expect_same(found(broker).status, OrderStatus.FILLED, "the order's status")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


def a_refusal_changes_nothing(bench: BrokerBench) -> None:
    """Require the broker's proof that it does not have the order."""
    broker = bench.connect()
    switch_on(bench, Fault.REJECT)
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.BUY, TEN))


def an_order_without_a_fill_rests(bench: BrokerBench) -> None:
    """Require that an acknowledgement is no fill."""
    broker = bench.connect()
    switch_on(bench, Fault.NO_FILL)
    buy(broker, bench.symbols[0])
    expect_same([o.client_id for o in broker.open_orders()], ["order"], "working orders")
    expect_same(broker.positions(), (), "positions")


def a_partial_fill_keeps_its_part_when_the_rest_is_cancelled(bench: BrokerBench) -> None:
    """Require half a holding, and an order that ends as cancelled with half filled."""
    broker = bench.connect()
    switch_on(bench, Fault.PARTIAL_FILL)
    answer = buy(broker, bench.symbols[0])
    expect_same(found(broker).status, OrderStatus.PARTIAL, "the status before the cancel")
    broker.cancel(id_of(answer))
    order = found(broker)
    expect_same(order.status, OrderStatus.CANCELLED, "the status after the cancel")
    expect_same(order.filled_quantity, Decimal(5), "the filled quantity")
    expect_same(holdings(broker), {bench.symbols[0]: Decimal(5)}, "holdings")


def a_late_fill_arrives_by_itself(bench: BrokerBench) -> None:
    """Require that the order works until its fill, and no longer."""
    broker = bench.connect()
    switch_on(bench, Fault.LATE_FILL)
    buy(broker, bench.symbols[0])
    expect_same(found(broker).status, OrderStatus.SUBMITTED, "the status at first")
    bench.clock.sleep(2)
    expect_same(found(broker).status, OrderStatus.FILLED, "the status later")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


def a_failed_positions_query_is_never_an_empty_one(bench: BrokerBench) -> None:
    """Require the error that the runtime may retry."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    switch_on(bench, Fault.POSITIONS_FAIL)
    try:
        held = broker.positions()
    except TransientError:
        return
    expect(condition=False, what=f"a failed positions query raises; it answered {held}")


def a_missing_quote_is_absent(bench: BrokerBench) -> None:
    """Require the other symbols' quotes."""
    broker = bench.connect()
    switch_on(bench, Fault.QUOTE_MISSING, bench.symbols[0])
    expect_same(tuple(broker.quotes(bench.symbols)), bench.symbols[1:], "symbols with a quote")


def an_execution_listed_twice_keeps_its_id(bench: BrokerBench) -> None:
    """Require that whoever books it can tell."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    switch_on(bench, Fault.DUPLICATE_FILL)
    listed = executions(broker, bench)
    expect_same(len(listed), 2, "the number of listings")
    expect_same(listed[0], listed[1], "the second listing")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


FAULT_CARDS: Final[tuple[BrokerCard, ...]] = (
    an_order_lost_on_its_way_is_unresolved_and_not_found,
    an_order_whose_answer_is_lost_is_unresolved_and_found,
    a_refusal_changes_nothing,
    an_order_without_a_fill_rests,
    a_partial_fill_keeps_its_part_when_the_rest_is_cancelled,
    a_late_fill_arrives_by_itself,
    a_failed_positions_query_is_never_an_empty_one,
    a_missing_quote_is_absent,
    an_execution_listed_twice_keeps_its_id,
)
"""What every broker with fault switches does when one of them is on."""
