"""What an adapter makes of an order or a cancel that its wire mishandles, as cards.

The answer to a submission is one of four. These cards demand what is common to all brokers: an
order is acknowledged when the broker has it for sure, rejected or denied when it is sure not to
have it, and anything else is unresolved, until a query has told.
"""

from __future__ import annotations

from decimal import Decimal
from time import monotonic
from typing import Final

from quant_platform_kit.contracts import OrderStatus, Submission, SubmitOutcome
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import CAN_WAIT, Deck, strikes
from quant_platform_kit.testing._broker_words import (
    TURNED_AWAY,
    an_order,
    expect_absent,
    expect_ack,
    expect_booked_once,
    found,
    hand_in_under,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("Faults of the wire: orders")

_SUBMIT: Final = Occasion.SUBMIT
_SOON_SECS: Final = 0.1


def _expect_unknown(answer: Submission) -> None:
    expect_same(answer.outcome, SubmitOutcome.UNRESOLVED, f"the answer ({answer.detail})")
    expect(bool(answer.detail), "an answer of unknown fate says what happened")


def _expect_not_taken(answer: Submission) -> None:
    """Require anything but an acknowledgement, with words."""
    expect(answer.outcome is not SubmitOutcome.ACKED, "an order that is not there is not ACKED")
    expect(bool(answer.detail), "the answer says what happened")


# ── Orders whose answer is lost ────────────────────────────────────────────────────────


@DECK.card(101, strikes(WireFault.REPLY_LOST_BEFORE_BOOKING, _SUBMIT))
def an_order_cut_off_before_it_is_booked_is_unresolved_and_proved_absent(
    bench: BrokerBench,
) -> None:
    """Require UNRESOLVED, and None when it is looked for.

    Given: a connection that is cut when an order arrives, before it takes effect.
    Do: buy ten shares; look for the order.
    Expect: no answer; the next query connects again.
    """
    broker = bench.connect()
    _expect_unknown(hand_in_under(bench, broker, WireFault.REPLY_LOST_BEFORE_BOOKING))
    expect_same(broker.find_order("order"), None, "the order")
    expect_absent(broker, bench)


@DECK.card(102, strikes(WireFault.REPLY_LOST_AFTER_BOOKING, _SUBMIT))
def an_order_cut_off_after_it_is_booked_is_unresolved_and_found_once(bench: BrokerBench) -> None:
    """Require UNRESOLVED, the order found as filled, and no second one.

    Given: a connection that is cut when an order has taken effect.
    Do: buy ten shares; look for the order; hand it in again.
    Expect: no answer; one order, one execution; a refusal of the second.
    """
    broker = bench.connect()
    _expect_unknown(hand_in_under(bench, broker, WireFault.REPLY_LOST_AFTER_BOOKING))
    expect_booked_once(broker, bench)


@DECK.card(103, strikes(WireFault.DROP_CONNECTION, _SUBMIT))
def an_order_on_a_connection_that_drops_is_never_acknowledged(bench: BrokerBench) -> None:
    """Require that it is not ACKED, and proved absent.

    Given: a network that cuts every connection when an order arrives.
    Do: buy ten shares; look for the order.
    Expect: no answer; the next query connects again.
    """
    broker = bench.connect()
    _expect_not_taken(hand_in_under(bench, broker, WireFault.DROP_CONNECTION))
    expect_absent(broker, bench)


@DECK.card(104, strikes(WireFault.NO_ANSWER, _SUBMIT), CAN_WAIT)
def an_order_without_an_answer_is_given_up_at_the_deadline_and_found(bench: BrokerBench) -> None:
    """Require UNRESOLVED by the deadline, the order found as filled, and no second one.

    Given: a broker that takes an order and never answers.
    Do: buy ten shares; look for the order; hand it in again.
    Expect: an end at the adapter's own deadline; one order.
    """
    broker = bench.hasty()
    started = monotonic()
    _expect_unknown(hand_in_under(bench, broker, WireFault.NO_ANSWER, nth=1))
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    expect_booked_once(broker, bench)


@DECK.card(105, strikes(WireFault.SLOW_ANSWER, _SUBMIT))
def an_order_that_is_answered_slowly_is_answered(bench: BrokerBench) -> None:
    """Require ACKED and one order.

    Given: a broker that takes a moment, within the deadline.
    Do: buy ten shares.
    Expect: an acknowledgement.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.SLOW_ANSWER, seconds=_SOON_SECS))
    expect_booked_once(broker, bench)


@DECK.card(106, strikes(WireFault.MALFORMED, _SUBMIT))
def an_order_whose_answer_cannot_be_read_is_not_rejected_and_found_once(
    bench: BrokerBench,
) -> None:
    """Require ACKED or UNRESOLVED, the order found as filled, and no second one.

    Given: a broker that takes an order and answers something unreadable.
    Do: buy ten shares; look for the order; hand it in again.
    Expect: one order.
    """
    broker = bench.connect()
    answer = hand_in_under(bench, broker, WireFault.MALFORMED, nth=1)
    expect(answer.outcome not in TURNED_AWAY, f"an order that is there is not {answer.outcome}")
    expect_booked_once(broker, bench)


@DECK.card(107, strikes(WireFault.SERVER_ERROR, _SUBMIT))
def an_order_that_meets_a_defect_is_not_acknowledged_and_absent(bench: BrokerBench) -> None:
    """Require REJECTED where the answer proves it, else UNRESOLVED; the order is absent.

    Given: a broker that answers with an error of its own.
    Do: buy ten shares; look for the order.
    Expect: an answer with words; no order.
    """
    broker = bench.connect()
    _expect_not_taken(hand_in_under(bench, broker, WireFault.SERVER_ERROR))
    expect_absent(broker, bench)


@DECK.card(108, strikes(WireFault.RATE_LIMIT, _SUBMIT))
def an_order_beyond_the_rate_limit_is_not_acknowledged_and_absent(bench: BrokerBench) -> None:
    """Require REJECTED where the answer proves it, else UNRESOLVED; the order is absent.

    Given: a broker that takes no more requests for now.
    Do: buy ten shares; look for the order.
    Expect: an answer with words; no order.
    """
    broker = bench.connect()
    _expect_not_taken(hand_in_under(bench, broker, WireFault.RATE_LIMIT))
    expect_absent(broker, bench)


@DECK.card(109, strikes(WireFault.RATE_LIMIT_AT_GATEWAY, _SUBMIT))
def an_order_that_the_gateway_holds_back_is_absent(bench: BrokerBench) -> None:
    """Require that it is not ACKED, however often the SDK repeats it, and proved absent.

    Given: a gateway in front of the broker that turns requests away in words of its own.
    Do: buy ten shares; look for the order.
    Expect: repetitions by the SDK, an answer with words; no order.
    """
    broker = bench.connect()
    _expect_not_taken(hand_in_under(bench, broker, WireFault.RATE_LIMIT_AT_GATEWAY))
    expect_absent(broker, bench)


@DECK.card(110, strikes(WireFault.RATE_LIMIT_AT_GATEWAY, _SUBMIT))
def an_order_that_the_sdk_repeats_is_booked_once(bench: BrokerBench) -> None:
    """Require one order, whatever the answer is.

    Given: a gateway that turns the first request away.
    Do: buy ten shares; look for the order; hand it in again.
    Expect: a repetition by the SDK; one order.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.RATE_LIMIT_AT_GATEWAY, nth=1))
    expect_booked_once(broker, bench)


@DECK.card(111, strikes(WireFault.AUTH_EXPIRED, _SUBMIT))
def an_order_with_a_token_that_has_expired_is_absent(bench: BrokerBench) -> None:
    """Require that it is not ACKED, and proved absent.

    Given: a token that the broker does not take any more.
    Do: buy ten shares; look for the order.
    Expect: an answer with words; no order.
    """
    broker = bench.connect()
    _expect_not_taken(hand_in_under(bench, broker, WireFault.AUTH_EXPIRED))
    expect_absent(broker, bench)


@DECK.card(112, strikes(WireFault.NO_ORDER_ID, _SUBMIT))
def an_acknowledgement_without_an_id_is_unresolved_and_the_order_found(bench: BrokerBench) -> None:
    """Require UNRESOLVED, the order found as filled, and no second one.

    Given: a broker that takes an order without naming it.
    Do: buy ten shares; look for the order; hand it in again.
    Expect: one order.
    """
    broker = bench.connect()
    _expect_unknown(hand_in_under(bench, broker, WireFault.NO_ORDER_ID))
    expect_booked_once(broker, bench)


@DECK.card(124, strikes(WireFault.REPLY_LOST_AFTER_BOOKING, _SUBMIT))
def an_order_of_unknown_fate_is_found_by_a_connection_that_begins_anew(
    bench: BrokerBench,
) -> None:
    """Require the order and its execution under our client id, from a later connection.

    Given: an order whose answer was lost.
    Do: connect again, as a service does that was started anew; look for the order.
    Expect: the order, filled.
    """
    _expect_unknown(hand_in_under(bench, bench.connect(), WireFault.REPLY_LOST_AFTER_BOOKING))
    other = bench.connect()
    expect_booked_once(other, bench)


@DECK.card(125, strikes(WireFault.REPLY_LOST_AFTER_BOOKING, _SUBMIT))
def a_resting_order_whose_answer_was_lost_can_be_cancelled(bench: BrokerBench) -> None:
    """Require the order found by its client id, and ended by its broker's id.

    Given: a resting order whose answer was lost.
    Do: look for it; cancel what was found.
    Expect: the order's end.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.REPLY_LOST_AFTER_BOOKING, _SUBMIT)
    _expect_unknown(broker.submit(an_order(bench.symbols[0], limit=Decimal(1))))
    bench.wires.clear()
    broker.cancel(found(broker).broker_order_id)
    expect_same(broker.open_orders(), (), "working orders")
    expect_same(found(broker).status, OrderStatus.CANCELLED, "the order's status")
