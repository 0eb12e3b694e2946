"""What every broker does when a fault of its book is on, as cards.

For the simulated broker, and for adapters that talk to a simulator of their broker.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import OrderStatus, SubmitOutcome
from quant_platform_kit.errors import TransientError
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import BOOK_FAULTS, Deck
from quant_platform_kit.testing._broker_words import (
    TEN,
    an_order,
    buy,
    each_once,
    executions,
    expect_error,
    expect_refusal,
    found,
    holdings,
    id_of,
    switch_on,
    working,
)
from quant_platform_kit.testing._expect import expect_same, only

DECK: Final = Deck("Faults of the book")


@DECK.card(81, BOOK_FAULTS)
def an_order_lost_on_its_way_is_unresolved_and_not_found(bench: BrokerBench) -> None:
    """Require that the query knows what the sender cannot.

    Given: a connection that breaks while an order is sent.
    Do: buy ten shares; look for the order.
    Expect: no answer, and no order.
    """
    broker = bench.connect()
    switch_on(bench, Fault.REPLY_LOST_BEFORE)
    answer = broker.submit(an_order(bench.symbols[0]))
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, "the answer")
    expect_same(broker.find_order("order"), None, "the order")
    expect_same(broker.positions(), (), "positions")


@DECK.card(82, BOOK_FAULTS)
def an_order_whose_answer_is_lost_is_unresolved_and_found(bench: BrokerBench) -> None:
    """Require that the order is booked, once, although the sender cannot know it.

    Given: a connection that breaks before an order is answered.
    Do: buy ten shares; look for the order.
    Expect: no answer; the order, filled.
    """
    broker = bench.connect()
    switch_on(bench, Fault.REPLY_LOST_AFTER)
    answer = broker.submit(an_order(bench.symbols[0]))
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, "the answer")
    expect_same(found(broker).status, OrderStatus.FILLED, "the order's status")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(83, BOOK_FAULTS)
def a_refusal_changes_nothing(bench: BrokerBench) -> None:
    """Require the broker's proof that it does not have the order.

    Given: a broker that refuses the order.
    Do: buy ten shares.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    switch_on(bench, Fault.REJECT)
    expect_refusal(broker, bench, an_order(bench.symbols[0]))


@DECK.card(84, BOOK_FAULTS)
def an_order_without_a_fill_rests(bench: BrokerBench) -> None:
    """Require that an acknowledgement is no fill.

    Given: a market where nobody sells.
    Do: buy ten shares at market.
    Expect: an acknowledgement and no execution.
    """
    broker = bench.connect()
    switch_on(bench, Fault.NO_FILL)
    buy(broker, bench.symbols[0])
    expect_same(working(broker), ["order"], "working orders")
    expect_same(broker.positions(), (), "positions")


@DECK.card(85, BOOK_FAULTS)
def a_partial_fill_keeps_its_part_when_the_rest_is_cancelled(bench: BrokerBench) -> None:
    """Require half a holding, and an order that ends as cancelled with half filled.

    Given: a market where half of the shares are sold.
    Do: buy ten shares at market; cancel the rest.
    Expect: an execution of five, then the order's end.
    """
    broker = bench.connect()
    switch_on(bench, Fault.PARTIAL_FILL)
    answer = buy(broker, bench.symbols[0])
    expect_same(found(broker).status, OrderStatus.PARTIAL, "the status before the cancel")
    broker.cancel(id_of(answer))
    order = found(broker)
    expect_same(order.status, OrderStatus.CANCELLED, "the status after the cancel")
    expect_same(order.filled_quantity, Decimal(5), "the filled quantity")
    expect_same(holdings(broker), {bench.symbols[0]: Decimal(5)}, "holdings")


@DECK.card(86, BOOK_FAULTS)
def a_late_fill_arrives_by_itself(bench: BrokerBench) -> None:
    """Require that the order works until its fill, and no longer.

    Given: a market where the shares are sold a second later.
    Do: buy ten shares at market; look at once, and two seconds later.
    Expect: an acknowledgement, then an execution.
    """
    broker = bench.connect()
    switch_on(bench, Fault.LATE_FILL)
    buy(broker, bench.symbols[0])
    expect_same(found(broker).status, OrderStatus.SUBMITTED, "the status at first")
    bench.clock.sleep(2)
    expect_same(found(broker).status, OrderStatus.FILLED, "the status later")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(87, BOOK_FAULTS)
def a_cancel_that_comes_after_the_fill_leaves_it_a_fill(bench: BrokerBench) -> None:
    """Require an order that ends as filled, without an error.

    Given: an order that rests and then fills unnoticed.
    Do: cancel it.
    Expect: the broker's refusal of the cancel, which is no error.
    """
    broker = bench.connect()
    switch_on(bench, Fault.LATE_FILL)
    answer = buy(broker, bench.symbols[0])
    bench.clock.sleep(2)
    broker.cancel(id_of(answer))
    expect_same(found(broker).status, OrderStatus.FILLED, "the status")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(88, BOOK_FAULTS)
def a_failed_positions_query_is_never_an_empty_one(bench: BrokerBench) -> None:
    """Require the error that the runtime may retry.

    Given: a holding, and a broker that cannot show positions.
    Do: ask for the positions.
    Expect: a failure.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    switch_on(bench, Fault.POSITIONS_FAIL)
    expect_error(broker.positions, "the positions query", (TransientError,))


@DECK.card(89, BOOK_FAULTS)
def a_missing_quote_is_absent(bench: BrokerBench) -> None:
    """Require the other symbols' quotes.

    Given: a symbol without a quote.
    Do: ask for the quotes of two symbols.
    Expect: the quote of the other one.
    """
    broker = bench.connect()
    switch_on(bench, Fault.QUOTE_MISSING, bench.symbols[0])
    expect_same(tuple(broker.quotes(bench.symbols)), bench.symbols[1:], "symbols with a quote")


@DECK.card(90, BOOK_FAULTS)
def an_execution_listed_twice_can_be_booked_once(bench: BrokerBench) -> None:
    """Require one id for it: whoever books it can tell, if the adapter has not told already.

    Given: a broker that lists an execution twice.
    Do: buy ten shares; ask for executions and positions.
    Expect: one execution, or the same one twice.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    switch_on(bench, Fault.DUPLICATE_FILL)
    fill = only(each_once(executions(broker, bench)), "execution by its id")
    expect_same(fill.quantity, TEN, "the shares of the execution")
    expect_same(found(broker).filled_quantity, TEN, "the shares of the order")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
