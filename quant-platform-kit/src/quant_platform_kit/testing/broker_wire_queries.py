"""What an adapter makes of a question that its wire mishandles, as cards.

One rule for all of them: an answer is whole and right, or it is an error. A question that failed is
never an empty answer, and the next one is not answered with what was meant for the last.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from quant_platform_kit.brokers import Broker
from quant_platform_kit.errors import PlatformError, TransientError
from quant_platform_kit.simulators import QUERIES, Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import CAN_WAIT, Deck, strikes
from quant_platform_kit.testing._broker_words import (
    TEN,
    buy,
    comes_back,
    expect_error,
    holdings,
    let_rest,
    questions,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("Faults of the wire: questions")

_ANY: Final = tuple(sorted(QUERIES))
_SOON_SECS: Final = 0.1
_TOO_LATE_SECS: Final = 1.6  # longer than the deadline of a bench's connection


def _every_question_fails_and_comes_back(
    bench: BrokerBench, broker: Broker, fault: WireFault
) -> None:
    """Ask each question under a fault, and again without it."""
    wire, calm = bench.wires, bench.connect()
    buy(calm, bench.symbols[0])
    let_rest(calm, bench.symbols[1])
    usual = {occasion: ask() for occasion, ask in questions(calm, bench).items()}
    for occasion, ask in questions(broker, bench).items():
        if not wire.can(fault, occasion):
            continue
        wire.fault(fault, occasion)
        started = monotonic()
        expect_error(ask, f"to {occasion.value} under {fault.value}")
        expect(
            monotonic() - started < wire.patience_secs,
            f"to {occasion.value} under {fault.value} ends at the deadline",
        )
        wire.clear()
        expect_same(comes_back(ask, bench), usual[occasion], f"afterwards, to {occasion.value}")


def _every_question_is_answered(
    bench: BrokerBench, fault: WireFault, *, seconds: float = 1.0
) -> None:
    """Ask each question under a fault that costs nothing but time."""
    broker, wire = bench.connect(), bench.wires
    buy(broker, bench.symbols[0])
    let_rest(broker, bench.symbols[1])
    asked = questions(broker, bench)
    usual = {occasion: ask() for occasion, ask in asked.items()}
    for occasion, ask in asked.items():
        if wire.can(fault, occasion):
            wire.fault(fault, occasion, seconds=seconds)
            expect_same(ask(), usual[occasion], f"to {occasion.value} under {fault.value}")
            wire.clear()


@DECK.card(141, strikes(WireFault.DROP_CONNECTION, *_ANY))
def a_question_on_a_connection_that_drops_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and its usual answer as soon as the network is well.

    Given: a holding, a working order, and a network that cuts connections during a question.
    Do: ask every query under the fault, and again without it.
    Expect: an error each; then a connection made anew.
    """
    _every_question_fails_and_comes_back(bench, bench.hasty(), WireFault.DROP_CONNECTION)


@DECK.card(142, strikes(WireFault.DROP_CONNECTION, *_ANY))
def a_question_on_a_connection_that_drops_once_is_answered_or_an_error(bench: BrokerBench) -> None:
    """Require the usual answer or an error from every query, and the usual answer next.

    Given: a holding, a working order, and a connection that drops during one question.
    Do: ask every query twice, the first time under the fault.
    Expect: a connection made anew.
    """
    broker, wire = bench.connect(), bench.wires
    buy(broker, bench.symbols[0])
    let_rest(broker, bench.symbols[1])
    asked = questions(broker, bench)
    usual = {occasion: ask() for occasion, ask in asked.items()}
    for occasion, ask in asked.items():
        wire.fault(WireFault.DROP_CONNECTION, occasion, nth=1)
        try:
            expect_same(ask(), usual[occasion], f"to {occasion.value}, on a dropped connection")
        except PlatformError as error:
            expect(isinstance(error, TransientError), f"an error that may pass, not {error!r}")
        expect_same(comes_back(ask, bench), usual[occasion], f"afterwards, to {occasion.value}")
        wire.clear()


@DECK.card(143, strikes(WireFault.NO_ANSWER, *_ANY), CAN_WAIT)
def a_question_without_an_answer_ends_at_the_deadline(bench: BrokerBench) -> None:
    """Require an error from every query by its deadline, and its usual answer afterwards.

    Given: a holding, a working order, and a broker that never answers.
    Do: ask every query under the fault, and again without it.
    Expect: an error each at the adapter's own deadline.
    """
    _every_question_fails_and_comes_back(bench, bench.hasty(), WireFault.NO_ANSWER)


@DECK.card(144, strikes(WireFault.SLOW_ANSWER, *_ANY))
def a_slow_answer_is_waited_for(bench: BrokerBench) -> None:
    """Require the usual answer of every query.

    Given: a holding, a working order, and a broker that takes a moment, within the deadline.
    Do: ask every query.
    Expect: answers.
    """
    _every_question_is_answered(bench, WireFault.SLOW_ANSWER, seconds=_SOON_SECS)


@DECK.card(145, strikes(WireFault.SLOW_ANSWER, *_ANY), CAN_WAIT)
def a_late_answer_is_not_taken_for_the_next_one(bench: BrokerBench) -> None:
    """Require an error, and then answers that show what happened since.

    Given: a broker whose answer comes when the deadline has passed.
    Do: ask for the positions; buy ten shares; ask again.
    Expect: an error; then the position.
    """
    broker = bench.hasty()
    bench.wires.fault(WireFault.SLOW_ANSWER, Occasion.POSITIONS, nth=1, seconds=_TOO_LATE_SECS)
    expect_error(broker.positions, "positions that come too late")
    bench.wires.clear()
    buy(bench.connect(), bench.symbols[0])
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(146, strikes(WireFault.MALFORMED, *_ANY))
def an_answer_that_cannot_be_read_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, never a shorter answer, and the usual one afterwards.

    Given: a holding, a working order, and a broker that answers something unreadable.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(bench, bench.hasty(), WireFault.MALFORMED)


@DECK.card(147, strikes(WireFault.SERVER_ERROR, *_ANY))
def a_broker_with_a_defect_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and the usual answer afterwards.

    Given: a holding, a working order, and a broker that answers with an error of its own.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(bench, bench.hasty(), WireFault.SERVER_ERROR)


@DECK.card(148, strikes(WireFault.RATE_LIMIT, *_ANY))
def a_question_beyond_the_rate_limit_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and the usual answer afterwards.

    Given: a holding, a working order, and a broker that takes no more requests for now.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(bench, bench.hasty(), WireFault.RATE_LIMIT)


@DECK.card(149, strikes(WireFault.AUTH_EXPIRED, *_ANY))
def a_token_that_has_expired_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and the usual answer when there is a good token.

    Given: a holding, a working order, and a broker that takes no token.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(bench, bench.connect(), WireFault.AUTH_EXPIRED)


@DECK.card(150, strikes(WireFault.REPLY_LOST_BEFORE_BOOKING, *_ANY))
def a_question_that_is_cut_off_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and the usual answer afterwards.

    Given: a holding, a working order, and a connection that is cut before a question is read.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(
        bench, bench.connect(), WireFault.REPLY_LOST_BEFORE_BOOKING
    )


@DECK.card(151, strikes(WireFault.REPLY_LOST_AFTER_BOOKING, *_ANY))
def an_answer_that_is_cut_off_is_an_error(bench: BrokerBench) -> None:
    """Require an error from every query, and the usual answer afterwards.

    Given: a holding, a working order, and a connection that is cut instead of an answer.
    Do: ask every query under the fault, and again without it.
    Expect: an error each.
    """
    _every_question_fails_and_comes_back(bench, bench.connect(), WireFault.REPLY_LOST_AFTER_BOOKING)


@DECK.card(152, strikes(WireFault.TORN_FRAMES, *_ANY))
def torn_frames_are_put_together(bench: BrokerBench) -> None:
    """Require the usual answer of every query.

    Given: a holding, a working order, and a network that delivers a few bytes at a time.
    Do: ask every query.
    Expect: answers.
    """
    _every_question_is_answered(bench, WireFault.TORN_FRAMES)


@DECK.card(153, strikes(WireFault.RATE_LIMIT_AT_GATEWAY, *_ANY))
def a_gateway_that_turns_questions_away_is_an_error(bench: BrokerBench) -> None:
    """Require an error by the deadline, although the SDK repeats itself.

    Given: a gateway in front of the broker that turns requests away in words of its own.
    Do: ask for the positions.
    Expect: repetitions by the SDK, and an error.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.RATE_LIMIT_AT_GATEWAY, Occasion.POSITIONS)
    started = monotonic()
    expect_error(broker.positions, "positions behind a gateway")
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    bench.wires.clear()
    expect_same(broker.positions(), (), "positions afterwards")
