"""What an adapter in a process of its own does when that process fails, as cards."""

from __future__ import annotations

import os
import signal
from time import monotonic
from typing import Final

from quant_platform_kit.brokers import IsolatedBroker
from quant_platform_kit.contracts import SubmitOutcome
from quant_platform_kit.errors import TransientError
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import ISOLATION, Deck, strikes
from quant_platform_kit.testing._broker_words import (
    TEN,
    an_order,
    buy,
    expect_booked_once,
    expect_error,
    holdings,
    look,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("An adapter in a process of its own")


def _isolated(bench: BrokerBench) -> IsolatedBroker:
    if bench.isolated is None:
        raise AssertionError("this card needs a bench with isolation")
    return bench.isolated()


@DECK.card(191, ISOLATION, strikes(WireFault.NO_ANSWER, Occasion.SUBMIT))
def a_process_that_hangs_with_an_order_is_replaced_and_the_order_found(bench: BrokerBench) -> None:
    """Require UNRESOLVED by the deadline, one replacement, and the order found once.

    Given: an adapter in a process of its own, whose own deadline is too long.
    Do: buy ten shares under a broker that never answers; look for the order; hand it in again.
    Expect: the process ended and replaced; one order.
    """
    broker = _isolated(bench)
    broker.positions()
    bench.wires.fault(WireFault.NO_ANSWER, Occasion.SUBMIT, nth=1)
    started = monotonic()
    answer = broker.submit(an_order(bench.symbols[0]))
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, "the answer")
    bench.wires.clear()
    expect_booked_once(broker, bench)
    expect_same(broker.restarts, 1, "the number of replacements")
    expect(any("replaced" in told for told in broker.health()), "the health tells of it")


@DECK.card(192, ISOLATION, strikes(WireFault.NO_ANSWER, Occasion.POSITIONS))
def a_process_that_hangs_with_a_question_is_replaced(bench: BrokerBench) -> None:
    """Require an error that may pass by the deadline, and the answer from another process.

    Given: an adapter in a process of its own, whose own deadline is too long.
    Do: ask for positions under a broker that never answers; ask again when it does.
    Expect: the process ended and replaced.
    """
    broker = _isolated(bench)
    buy(broker, bench.symbols[0])
    bench.wires.fault(WireFault.NO_ANSWER, Occasion.POSITIONS)
    started = monotonic()
    expect_error(broker.positions, "positions without an answer", (TransientError,))
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    bench.wires.clear()
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(193, ISOLATION)
def a_process_that_was_killed_is_replaced_at_the_next_call(bench: BrokerBench) -> None:
    """Require the holding after at most one error that may pass, and one replacement.

    Given: an adapter in a process of its own, and a holding.
    Do: kill the process; ask for positions.
    Expect: another process that answers.
    """
    broker = _isolated(bench)
    buy(broker, bench.symbols[0])
    if broker.pid is None:
        raise AssertionError("the adapter runs in a process")
    os.kill(broker.pid, signal.SIGKILL)
    try:
        broker.positions()
    except TransientError as error:
        expect("process" in error.message, "the error says what failed")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    expect_same(broker.restarts, 1, "the number of replacements")


@DECK.card(194, ISOLATION)
def an_adapter_answers_from_its_process_as_it_does_in_ours(bench: BrokerBench) -> None:
    """Require the same answers to every query.

    Given: a holding; one adapter in a process of its own, and one in ours.
    Do: ask both everything.
    Expect: answers that travelled unchanged.
    """
    broker = _isolated(bench)
    buy(broker, bench.symbols[0])
    expect_same(look(broker, bench), look(bench.connect(), bench), "the answers from its process")
    expect_same(broker.environment, bench.connect().environment, "the environment")
