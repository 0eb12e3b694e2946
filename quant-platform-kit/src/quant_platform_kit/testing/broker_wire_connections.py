"""What an adapter makes of a broker that it cannot reach, or that lets nobody in, as cards."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Final

from quant_platform_kit.contracts import Side, SubmitOutcome
from quant_platform_kit.errors import PlatformError, TransientError
from quant_platform_kit.simulators import Occasion, WireFault, WireSwitch
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import CAN_WAIT, WIRE, Deck, strikes
from quant_platform_kit.testing._broker_words import (
    TEN,
    TURNED_AWAY,
    an_order,
    buy,
    comes_back,
    executions,
    expect_absent,
    expect_ack,
    expect_error,
    found,
    holdings,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("Faults of the wire: connections")

_CONNECT: Final = Occasion.CONNECT
_SOON_SECS: Final = 0.1


def _expect_no_connection(bench: BrokerBench, fault: WireFault) -> None:
    """Require an error by the deadline, and a connection as soon as the fault is gone."""
    bench.wires.fault(fault, _CONNECT)
    started = monotonic()
    expect_error(bench.hasty, f"connecting under {fault.value}")
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    bench.wires.clear()
    expect_same(bench.connect().positions(), (), "positions afterwards")
    expect_same(bench.wires.orders(), 0, "the number of orders at the broker")


@DECK.card(171, WIRE)
def a_broker_that_is_not_there_is_an_error_at_once(bench: BrokerBench) -> None:
    """Require an error that may pass, by the deadline, and a connection when the broker is back.

    Given: a port that nobody serves.
    Do: connect; connect again when it is served.
    Expect: a refused connection, then one that works.
    """
    bench.wires.control.unplug()
    started = monotonic()
    expect_error(bench.connect, "connecting to nobody", (TransientError,))
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    bench.wires.control.plug()
    expect_same(bench.connect().positions(), (), "positions afterwards")


@DECK.card(172, WIRE)
def an_order_to_a_broker_that_is_unplugged_is_never_acknowledged(bench: BrokerBench) -> None:
    """Require DENIED or UNRESOLVED, and the order proved absent when the broker is back.

    Given: a connection, and a broker that went away since.
    Do: buy ten shares; plug the broker in; look for the order; buy under another client id.
    Expect: no acknowledgement; then an order that fills.
    """
    broker = bench.connect()
    bench.wires.control.unplug()
    answer = broker.submit(an_order(bench.symbols[0], client_id="lost"))
    expect(
        answer.outcome in {SubmitOutcome.DENIED, SubmitOutcome.UNRESOLVED},
        f"nothing can be known of it, but it is {answer.outcome}",
    )
    bench.wires.control.plug()
    lost = comes_back(lambda: broker.find_order("lost"), bench)
    expect_same(lost, None, "the order that was sent into nothing")
    expect_absent(broker, bench)
    comes_back(lambda: broker.quotes(bench.symbols), bench)
    buy(broker, bench.symbols[0])
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(173, WIRE)
def a_question_to_a_broker_that_is_unplugged_is_an_error(bench: BrokerBench) -> None:
    """Require an error that may pass, and the holding when the broker is back.

    Given: a holding, and a broker that went away since.
    Do: ask for positions; plug the broker in; ask again.
    Expect: an error, then the position.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bench.wires.control.unplug()
    expect_error(broker.positions, "positions of nobody", (TransientError,))
    bench.wires.control.plug()
    held = comes_back(lambda: holdings(broker), bench)
    expect_same(held, {bench.symbols[0]: TEN}, "holdings")


@DECK.card(174, WIRE)
def connections_that_were_cut_are_made_again(bench: BrokerBench) -> None:
    """Require the usual answers after at most one error.

    Given: a holding, and a network that cut every connection since.
    Do: ask for positions, executions and quotes.
    Expect: connections made anew.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bench.wires.control.drop()
    for ask in (broker.positions, lambda: broker.quotes(bench.symbols)):
        try:
            ask()
        except PlatformError as error:
            expect(isinstance(error, TransientError), f"an error that may pass, not {error!r}")
        comes_back(ask, bench)
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    expect_same(len(executions(broker, bench)), 1, "the number of executions")


@DECK.card(175, WIRE)
def what_happened_while_nobody_listened_is_seen(bench: BrokerBench) -> None:
    """Require the holding and its execution: after a gap everything is asked anew.

    Given: a connection that was cut, and a purchase by hand meanwhile.
    Do: ask for positions and executions.
    Expect: the position and the execution, which is not ours.
    """
    broker = bench.connect()
    expect_same(broker.positions(), (), "positions at first")
    bench.wires.control.drop()
    bench.wires.control.trade(bench.symbols[0], Side.BUY, TEN)
    held = comes_back(lambda: holdings(broker), bench)
    expect_same(held, {bench.symbols[0]: TEN}, "holdings")
    expect_same([fill.client_id for fill in executions(broker, bench)], [None], "client ids")


@DECK.card(176, WIRE)
def an_order_on_a_connection_that_ended_unnoticed_is_told_truly(bench: BrokerBench) -> None:
    """Require that an acknowledged order is there, and one that is not there is not ACKED.

    Given: a connection that was cut since its last use.
    Do: buy ten shares; look for the order.
    Expect: an answer that agrees with the broker's book.
    """
    broker = bench.connect()
    broker.positions()
    bench.wires.control.drop()
    answer = broker.submit(an_order(bench.symbols[0]))
    seen = comes_back(lambda: broker.find_order("order"), bench)
    if answer.outcome is SubmitOutcome.ACKED:
        expect(seen is not None, "an acknowledged order is found")
    if answer.outcome in TURNED_AWAY:
        expect_same(seen, None, "an order that was turned away")
    there = bench.wires.orders() == 1
    expect_same(seen is not None, there, "the order found, as the broker's book has it")
    expect_same(holdings(broker), {bench.symbols[0]: TEN} if there else {}, "holdings")


@DECK.card(177, strikes(WireFault.NO_ANSWER, _CONNECT), CAN_WAIT)
def a_broker_that_stays_silent_lets_nobody_wait(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: a port that is served by something that never speaks.
    Do: connect; connect again when it speaks.
    Expect: an error at the adapter's own deadline, then a connection.
    """
    _expect_no_connection(bench, WireFault.NO_ANSWER)


@DECK.card(178, strikes(WireFault.DROP_CONNECTION, _CONNECT))
def a_connection_that_is_cut_while_it_opens_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: a network that cuts connections while they open.
    Do: connect; connect again when the network is well.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.DROP_CONNECTION)


@DECK.card(179, strikes(WireFault.LOGIN_DENIED, _CONNECT))
def a_client_that_is_not_let_in_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: a broker that lets nobody in.
    Do: connect; connect again when it does.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.LOGIN_DENIED)


@DECK.card(180, strikes(WireFault.CLIENT_ID_IN_USE, _CONNECT))
def a_client_whose_number_is_taken_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: another program that has the client's number.
    Do: connect; connect again when the number is free.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.CLIENT_ID_IN_USE)


@DECK.card(181, strikes(WireFault.CONNECTION_LIMIT, _CONNECT))
def one_connection_too_many_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: an account with as many connections as it may have.
    Do: connect; connect again when one is free.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.CONNECTION_LIMIT)


@DECK.card(182, strikes(WireFault.SERVER_TOO_OLD, _CONNECT))
def a_server_that_is_too_old_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection to a newer one.

    Given: a server that speaks no version that the client knows.
    Do: connect; connect again to a newer one.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.SERVER_TOO_OLD)


@DECK.card(183, strikes(WireFault.SERVER_ERROR, _CONNECT))
def a_broker_that_is_down_while_a_connection_opens_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection afterwards.

    Given: a broker that answers with an error of its own.
    Do: connect; connect again when it is well.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.SERVER_ERROR)


@DECK.card(184, strikes(WireFault.AUTH_EXPIRED, _CONNECT))
def a_token_that_has_expired_opens_no_connection(bench: BrokerBench) -> None:
    """Require an error by the deadline, and a connection with a good token.

    Given: a broker that does not take the token.
    Do: connect; connect again when it does.
    Expect: an error, then a connection.
    """
    _expect_no_connection(bench, WireFault.AUTH_EXPIRED)


@DECK.card(185, strikes(WireFault.REFRESH_DENIED, Occasion.RENEW))
def a_token_that_cannot_be_renewed_denies_orders_before_they_are_sent(bench: BrokerBench) -> None:
    """Require DENIED and an error that tells a human to log in; nothing at the broker.

    Given: a token that is no longer good, and a broker that gives no new one.
    Do: ask for positions; buy ten shares.
    Expect: an error and a denial, both with words.
    """
    broker, control = bench.connect(), bench.wires.control
    control.set_faults(
        WireSwitch(WireFault.AUTH_EXPIRED, nth=1),
        WireSwitch(WireFault.REFRESH_DENIED, operation="token"),
    )
    error = expect_error(broker.positions, "positions without a token", (TransientError,))
    answer = broker.submit(an_order(bench.symbols[0]))
    expect_same(answer.outcome, SubmitOutcome.DENIED, "the answer")
    for words in (error.message, answer.detail):
        expect("log in" in words.lower(), f"{words!r} tells a human to log in")
    control.clear()
    expect_absent(broker, bench)


@DECK.card(186, strikes(WireFault.CONNECTIVITY_LOST, Occasion.POSITIONS))
def nothing_is_sent_while_the_line_behind_the_program_is_lost(bench: BrokerBench) -> None:
    """Require DENIED, an error, and a health that tells; nothing at the broker.

    Given: a program on our side that has lost its own line to the broker.
    Do: ask for positions; buy ten shares; ask for the health.
    Expect: an error, a denial, a sentence.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.CONNECTIVITY_LOST, Occasion.POSITIONS, nth=1, seconds=60.0)
    expect_error(broker.positions, "positions without a line", (TransientError,))
    expect(broker.health() != (), "the health tells that the line is lost")
    answer = broker.submit(an_order(bench.symbols[0]))
    expect_same(answer.outcome, SubmitOutcome.DENIED, "the answer")
    expect_same(bench.wires.orders(), 0, "the number of orders at the broker")


@DECK.card(187, strikes(WireFault.CONNECTIVITY_LOST, Occasion.POSITIONS))
def work_goes_on_when_the_line_behind_the_program_is_back(bench: BrokerBench) -> None:
    """Require an acknowledgement as soon as the health has nothing to tell.

    Given: a program on our side that loses its line for a moment.
    Do: ask for positions; wait until the health is well; buy ten shares.
    Expect: an error, then an order that fills.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.CONNECTIVITY_LOST, Occasion.POSITIONS, nth=1, seconds=_SOON_SECS)
    expect_error(broker.positions, "positions without a line", (TransientError,))
    deadline = monotonic() + bench.wires.patience_secs
    while broker.health() and monotonic() < deadline:
        sleep(_SOON_SECS)
    expect_ack(broker.submit(an_order(bench.symbols[0])))
    expect(found(broker).status.is_final, "the order has filled")
