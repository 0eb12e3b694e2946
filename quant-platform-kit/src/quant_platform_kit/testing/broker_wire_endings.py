"""What an adapter makes of orders that end otherwise than they should, and of cancels, as cards."""

from __future__ import annotations

from decimal import Decimal
from time import monotonic
from typing import Final

from quant_platform_kit.brokers import Broker
from quant_platform_kit.contracts import OrderStatus, SubmitOutcome
from quant_platform_kit.errors import PlatformError, TransientError
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import CAN_WAIT, Deck, strikes
from quant_platform_kit.testing._broker_words import (
    NOTHING,
    TEN,
    TURNED_AWAY,
    an_order,
    buy,
    executions,
    expect_absent,
    expect_ack,
    expect_booked_once,
    found,
    hand_in_under,
    holdings,
    id_of,
    let_rest,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same, only

ENDINGS: Final = Deck("Faults of the wire: how orders end")
CANCELS: Final = Deck("Faults of the wire: cancels")

_SUBMIT: Final = Occasion.SUBMIT
_CANCEL: Final = Occasion.CANCEL
_NEWS: Final = (Occasion.SUBMIT, Occasion.HEAR)
_LATE: Final = (Occasion.SUBMIT, Occasion.FIND, Occasion.EXECUTIONS)
_LOOKS: Final = 40


# ── Orders that end otherwise ──────────────────────────────────────────────────────────


@ENDINGS.card(113, strikes(WireFault.REJECT, _SUBMIT))
def a_refusal_in_the_answer_is_a_rejection_with_the_broker_s_reason(bench: BrokerBench) -> None:
    """Require REJECTED with words, and nothing that ever worked.

    Given: a broker that refuses an order in its answer.
    Do: buy ten shares; look for the order.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    answer = hand_in_under(bench, broker, WireFault.REJECT)
    expect_same(answer.outcome, SubmitOutcome.REJECTED, "the answer")
    expect(bool(answer.detail), "a refusal says why")
    expect_absent(broker, bench)


@ENDINGS.card(114, strikes(WireFault.REJECT_LATER, _SUBMIT))
def a_refusal_after_the_acknowledgement_is_found(bench: BrokerBench) -> None:
    """Require the order found as rejected, with words, and nothing held.

    Given: an exchange that refuses what the broker has acknowledged.
    Do: buy ten shares; look for the order.
    Expect: an acknowledgement or already the refusal; the order's end.
    """
    broker = bench.connect()
    answer = hand_in_under(bench, broker, WireFault.REJECT_LATER)
    expect(
        answer.outcome in {SubmitOutcome.ACKED, SubmitOutcome.REJECTED},
        f"the answer tells what the broker knows, not {answer.outcome}",
    )
    order = found(broker)
    expect_same(order.status, OrderStatus.REJECTED, "the order's status")
    expect(bool(order.detail), "a refused order says why")
    expect_same(holdings(broker), {}, "holdings")


@ENDINGS.card(115, strikes(WireFault.PARTIAL_THEN_CANCEL, _SUBMIT))
def a_rest_that_the_broker_cancels_leaves_its_part(bench: BrokerBench) -> None:
    """Require an order that ended as cancelled with five filled, and five shares.

    Given: a broker that fills half of an order and cancels the rest.
    Do: buy ten shares; look for the order.
    Expect: an acknowledgement, an execution of five, the order's end.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.PARTIAL_THEN_CANCEL))
    order = found(broker)
    expect_same(order.status, OrderStatus.CANCELLED, "the order's status")
    expect_same(order.filled_quantity, Decimal(5), "the shares that filled")
    expect_same(holdings(broker), {bench.symbols[0]: Decimal(5)}, "holdings")


@ENDINGS.card(116, strikes(WireFault.ERROR_ON_LIVE_ORDER, _SUBMIT))
def an_error_about_an_order_that_lives_does_not_end_it(bench: BrokerBench) -> None:
    """Require that it is not rejected, that it works, and that it can be cancelled.

    Given: a broker that sends an error about an order that works on.
    Do: let a limit order rest; look for it; cancel it.
    Expect: an error message, and a working order.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.ERROR_ON_LIVE_ORDER, _SUBMIT)
    order = an_order(bench.symbols[0], limit=Decimal(1))
    answer = broker.submit(order)
    bench.wires.clear()
    expect(answer.outcome not in TURNED_AWAY, f"an order that lives is not {answer.outcome}")
    expect_same(working(broker), ["order"], "working orders")
    broker.cancel(found(broker).broker_order_id)
    expect_same(broker.open_orders(), (), "working orders after the cancel")


@ENDINGS.card(117, strikes(WireFault.LATE_STATUS, *_LATE))
def an_order_has_not_ended_before_its_executions_are_there(bench: BrokerBench) -> None:
    """Require never a filled order with fewer shares in its executions, and both in the end.

    Given: a broker that shows an order as filled before its executions.
    Do: buy ten shares; look for the order and its executions until both are there.
    Expect: an order that works, or an error, and then the fill.
    """
    broker, wire = bench.connect(), bench.wires
    wire.fault(WireFault.LATE_STATUS, wire.first_of(WireFault.LATE_STATUS, *_LATE), nth=1)
    buy(broker, bench.symbols[0])
    for _ in range(_LOOKS):
        order = found(broker)
        try:
            executed = sum((f.quantity for f in executions(broker, bench)), start=NOTHING)
        except TransientError:
            continue
        if order.status is OrderStatus.FILLED:
            expect_same((order.filled_quantity, executed), (TEN, TEN), "filled, and executed")
            return
    raise AssertionError("the order never came to be filled")


@ENDINGS.card(118, strikes(WireFault.DUPLICATE_PUSH, *_NEWS))
def news_that_come_twice_change_nothing(bench: BrokerBench) -> None:
    """Require one order and one execution.

    Given: a broker whose messages about an order come twice.
    Do: buy ten shares.
    Expect: an acknowledgement.
    """
    _news(bench, WireFault.DUPLICATE_PUSH)


@ENDINGS.card(119, strikes(WireFault.LOST_PUSHES, *_NEWS))
def news_that_never_come_are_asked_for(bench: BrokerBench) -> None:
    """Require one order and one execution, known from queries.

    Given: a broker whose messages about an order never come.
    Do: buy ten shares.
    Expect: an acknowledgement.
    """
    _news(bench, WireFault.LOST_PUSHES)


@ENDINGS.card(120, strikes(WireFault.PUSH_BEFORE_REPLY, *_NEWS))
def news_that_come_before_the_answer_change_nothing(bench: BrokerBench) -> None:
    """Require one order and one execution.

    Given: a broker whose messages about an order come before the order's own answer.
    Do: buy ten shares.
    Expect: an acknowledgement.
    """
    _news(bench, WireFault.PUSH_BEFORE_REPLY)


def _news(bench: BrokerBench, fault: WireFault) -> None:
    broker, wire = bench.connect(), bench.wires
    wire.fault(fault, wire.first_of(fault, *_NEWS))
    expect_ack(broker.submit(an_order(bench.symbols[0])))
    expect_booked_once(broker, bench)


@ENDINGS.card(121, strikes(WireFault.WARNING_ON_ORDER, _SUBMIT))
def a_warning_about_an_order_changes_nothing(bench: BrokerBench) -> None:
    """Require ACKED and one order.

    Given: a broker that warns about an order that it takes.
    Do: buy ten shares.
    Expect: a warning and an acknowledgement.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.WARNING_ON_ORDER))
    expect_booked_once(broker, bench)


@ENDINGS.card(122, strikes(WireFault.WARNING_AFTER_FILL, _SUBMIT))
def a_warning_after_the_fill_does_not_undo_it(bench: BrokerBench) -> None:
    """Require a filled order.

    Given: a broker that warns about an order that has filled.
    Do: buy ten shares.
    Expect: an acknowledgement, an execution, and a warning.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.WARNING_AFTER_FILL))
    expect_booked_once(broker, bench)


@ENDINGS.card(123, strikes(WireFault.INACTIVE, _SUBMIT))
def an_order_that_is_held_back_has_not_ended(bench: BrokerBench) -> None:
    """Require it among the working orders, with words.

    Given: a broker that books an order and holds it, neither working nor ended.
    Do: buy ten shares; ask for the working orders.
    Expect: an acknowledgement and no execution.
    """
    broker = bench.connect()
    expect_ack(hand_in_under(bench, broker, WireFault.INACTIVE))
    order = only(broker.open_orders(), "working order")
    expect(not order.status.is_final, "an order that is held can still fill")
    expect(bool(order.detail), "an order that is held says so")


# ── Cancels ────────────────────────────────────────────────────────────────────────────


@CANCELS.card(131, strikes(WireFault.CANCEL_REFUSED, _CANCEL))
def a_refused_cancel_leaves_the_order_working(bench: BrokerBench) -> None:
    """Require the order among the working ones, without an error, and a later cancel that takes.

    Given: a resting order, and a broker that refuses to cancel it.
    Do: cancel it; cancel it again when the broker does not refuse any more.
    Expect: a refusal, then the order's end.
    """
    broker = bench.connect()
    order_id = id_of(let_rest(broker, bench.symbols[0]))
    bench.wires.fault(WireFault.CANCEL_REFUSED, _CANCEL)
    broker.cancel(order_id)
    expect_same(working(broker), ["rests"], "working orders after the refusal")
    bench.wires.clear()
    broker.cancel(order_id)
    expect_same(working(broker), [], "working orders after the cancel")


@CANCELS.card(132, strikes(WireFault.FILL_BEATS_CANCEL, _CANCEL))
def a_fill_that_beats_the_cancel_is_a_fill(bench: BrokerBench) -> None:
    """Require the order found as filled, without an error.

    Given: a resting order that fills while its cancel is on its way.
    Do: cancel it; look for it.
    Expect: an execution and a refused cancel.
    """
    broker = bench.connect()
    order_id = id_of(let_rest(broker, bench.symbols[0]))
    bench.wires.fault(WireFault.FILL_BEATS_CANCEL, _CANCEL)
    broker.cancel(order_id)
    bench.wires.clear()
    expect_same(found(broker, "rests").status, OrderStatus.FILLED, "the order's status")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


def _cancel_under(
    bench: BrokerBench, broker: Broker, fault: WireFault, *, nth: int | None = None
) -> None:
    """Cancel a resting order while a fault is on; an error is no defect, its state tells."""
    order_id = id_of(let_rest(broker, bench.symbols[0]))
    bench.wires.fault(fault, _CANCEL, nth=nth)
    try:
        broker.cancel(order_id)
    except PlatformError as error:
        expect(isinstance(error, TransientError), f"a cancel that may be tried again, not {error}")
    bench.wires.clear()


@CANCELS.card(133, strikes(WireFault.REPLY_LOST_BEFORE_BOOKING, _CANCEL))
def a_cancel_that_is_cut_off_before_it_takes_leaves_the_order_working(bench: BrokerBench) -> None:
    """Require the order among the working ones.

    Given: a resting order, and a connection that is cut when its cancel arrives.
    Do: cancel it; ask for the working orders.
    Expect: a transient error or none; the order works.
    """
    broker = bench.connect()
    _cancel_under(bench, broker, WireFault.REPLY_LOST_BEFORE_BOOKING)
    expect_same(working(broker), ["rests"], "working orders")


@CANCELS.card(134, strikes(WireFault.REPLY_LOST_AFTER_BOOKING, _CANCEL))
def a_cancel_whose_answer_is_lost_is_seen_in_the_order(bench: BrokerBench) -> None:
    """Require the order found as cancelled.

    Given: a resting order, and a connection that is cut when its cancel has taken.
    Do: cancel it; look for it.
    Expect: a transient error or none; the order's end.
    """
    broker = bench.connect()
    _cancel_under(bench, broker, WireFault.REPLY_LOST_AFTER_BOOKING)
    expect_same(found(broker, "rests").status, OrderStatus.CANCELLED, "the order's status")
    expect_same(working(broker), [], "working orders")


@CANCELS.card(135, strikes(WireFault.NO_ANSWER, _CANCEL), CAN_WAIT)
def a_cancel_without_an_answer_ends_at_the_deadline(bench: BrokerBench) -> None:
    """Require an end by the deadline, and the order found as cancelled.

    Given: a resting order, and a broker that cancels it without an answer.
    Do: cancel it; look for it.
    Expect: a transient error or none; the order's end.
    """
    broker = bench.hasty()
    started = monotonic()
    _cancel_under(bench, broker, WireFault.NO_ANSWER, nth=1)
    expect(monotonic() - started < bench.wires.patience_secs, "the deadline is kept")
    expect_same(found(broker, "rests").status, OrderStatus.CANCELLED, "the order's status")


@CANCELS.card(136, strikes(WireFault.SERVER_ERROR, _CANCEL))
def a_cancel_that_meets_a_defect_leaves_the_order_working(bench: BrokerBench) -> None:
    """Require the order among the working ones, and a later cancel that takes.

    Given: a resting order, and a broker that answers with an error of its own.
    Do: cancel it; cancel it again when the broker is well.
    Expect: a transient error or none; the order works, and then ends.
    """
    broker = bench.connect()
    _cancel_under(bench, broker, WireFault.SERVER_ERROR)
    expect_same(working(broker), ["rests"], "working orders")
    broker.cancel(found(broker, "rests").broker_order_id)
    expect_same(working(broker), [], "working orders after the second cancel")


@CANCELS.card(137, strikes(WireFault.RATE_LIMIT, _CANCEL))
def a_cancel_beyond_the_rate_limit_leaves_the_order_working(bench: BrokerBench) -> None:
    """Require the order among the working ones.

    Given: a resting order, and a broker that takes no more requests for now.
    Do: cancel it; ask for the working orders.
    Expect: a transient error or none; the order works.
    """
    broker = bench.connect()
    _cancel_under(bench, broker, WireFault.RATE_LIMIT)
    expect_same(working(broker), ["rests"], "working orders")
