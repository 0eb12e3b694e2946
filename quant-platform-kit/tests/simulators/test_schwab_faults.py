"""What the Schwab adapter makes of everything that can go wrong on the wire."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from quant_platform_kit.brokers import Broker, Fault
from quant_platform_kit.contracts import (
    Adjustment,
    BrokerOrder,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import BrokerAnswerError, InputError, TransientError
from quant_platform_kit.market import xnys
from quant_platform_kit.simulators import SimulatorControl, WireFault, WireSwitch

pytest.importorskip("quant_platform_kit.brokers.schwab")

Connect = Callable[..., Any]
TEN = Decimal(10)


def an_order(client_id: str = "ours", symbol: str = "AAA", **changes: Any) -> OrderRequest:  # noqa: ANN401
    return OrderRequest(client_id, symbol, Side.BUY, TEN, **changes)


def resting(client_id: str = "ours", symbol: str = "AAA") -> OrderRequest:
    return an_order(client_id, symbol, order_type=OrderType.LIMIT, limit_price_usd=Decimal("5.00"))


def submit_under(
    broker: Broker,
    control: SimulatorControl,
    fault: WireFault,
    **switch: Any,  # noqa: ANN401
) -> Submission:
    control.fault(fault, operation="place", **switch)
    answer = broker.submit(an_order())
    control.clear()
    return answer


def found(broker: Broker, client_id: str = "ours") -> BrokerOrder:
    order = broker.find_order(client_id)
    assert order is not None
    return order


def shares(broker: Broker) -> dict[str, Decimal]:
    return {position.symbol: position.quantity for position in broker.positions()}


@pytest.fixture
def broker(connect_schwab: Connect) -> Broker:
    connected: Broker = connect_schwab()
    return connected


# ── Orders whose answer is lost ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [WireFault.REPLY_LOST_AFTER_BOOKING, WireFault.MALFORMED, WireFault.NO_ORDER_ID],
)
def test_an_order_that_was_booked_without_a_usable_answer_is_found_by_its_facts(
    fault: WireFault, broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = submit_under(broker, schwab_control, fault)
    # A body that breaks off is none that an order's answer needs.
    outcome = SubmitOutcome.ACKED if fault is WireFault.MALFORMED else SubmitOutcome.UNRESOLVED
    assert answer.outcome is outcome
    assert found(broker).status is OrderStatus.FILLED
    assert shares(broker) == {"AAA": TEN}
    assert len(schwab_control.book()["orders"]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        WireFault.REPLY_LOST_BEFORE_BOOKING,
        WireFault.DROP_CONNECTION,
        WireFault.RATE_LIMIT,
        WireFault.SERVER_ERROR,
        WireFault.AUTH_EXPIRED,
    ],
)
def test_an_order_that_was_not_booked_is_unresolved_until_its_absence_is_proved(
    fault: WireFault, broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = submit_under(broker, schwab_control, fault)
    assert answer.outcome is SubmitOutcome.UNRESOLVED
    assert broker.find_order("ours") is None
    assert broker.positions() == ()


def test_an_order_without_an_answer_is_given_up_at_the_deadline_and_found(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab(timeout_secs=0.4)
    begun = monotonic()
    answer = submit_under(broker, schwab_control, WireFault.NO_ANSWER)
    assert monotonic() - begun < 3
    assert answer.outcome is SubmitOutcome.UNRESOLVED
    assert found(broker).status is OrderStatus.FILLED


def test_a_slow_answer_within_the_deadline_is_an_answer(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = submit_under(broker, schwab_control, WireFault.SLOW_ANSWER, seconds=0.2)
    assert answer.outcome is SubmitOutcome.ACKED


def test_absence_is_no_proof_before_an_order_had_time_to_show_up(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab(settle_secs=30.0)
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_BEFORE_BOOKING)
    begun = schwab_control.now()
    assert broker.find_order("ours") is None
    assert (schwab_control.now() - begun).total_seconds() >= 29


def test_a_lost_order_is_found_by_the_adapter_that_replaces_ours(
    broker: Broker, connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_AFTER_BOOKING)
    other: Broker = connect_schwab()
    assert found(other).status is OrderStatus.FILLED
    assert [fill.client_id for fill in other.fills_since(found(other).submitted_at)] == ["ours"]


def test_two_orders_that_could_be_the_lost_one_stop_the_symbol(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_AFTER_BOOKING)
    schwab_control.trade("AAA", Side.BUY, TEN)
    with pytest.raises(BrokerAnswerError, match="2 orders at Schwab could be the one for AAA") as e:
        broker.find_order("ours")
    assert e.value.symbol == "AAA"


def test_an_order_by_hand_is_never_taken_for_a_lost_one_that_says_otherwise(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    schwab_control.trade("AAA", Side.BUY, TEN)  # before ours
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_BEFORE_BOOKING)
    schwab_control.trade("AAA", Side.BUY, TEN + 1)  # another quantity
    schwab_control.trade("AAA", Side.SELL, TEN)  # another side
    schwab_control.trade("AAA", Side.BUY, TEN, limit=Decimal(9))  # another type
    schwab_control.trade("BBB", Side.BUY, TEN)  # another symbol
    assert broker.find_order("ours") is None
    assert {order.client_id for order in broker.open_orders()} == {None}


def test_a_second_order_of_a_type_in_a_symbol_is_denied_before_it_is_sent(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(resting("first"))
    answer = broker.submit(resting("second"))
    assert answer.outcome is SubmitOutcome.DENIED
    assert "could not be told from it" in answer.detail
    assert len(schwab_control.book()["orders"]) == 1


def test_a_stop_may_work_beside_an_order_of_another_type(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(resting("limit", "BBB"))
    broker.submit(an_order())
    stop = OrderRequest(
        "stop", "AAA", Side.SELL, TEN, OrderType.STOP, stop_price_usd=Decimal("8.00")
    )
    assert broker.submit(stop).outcome is SubmitOutcome.ACKED
    order = found(broker, "stop")
    assert (order.order_type, order.trigger_price_usd) == (OrderType.STOP, Decimal(8))


# ── Orders that end otherwise ──────────────────────────────────────────────────────────


def test_a_refusal_says_the_broker_s_reason(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = submit_under(broker, schwab_control, WireFault.REJECT)
    assert answer == Submission(SubmitOutcome.REJECTED, detail="The order was refused.")
    assert broker.find_order("ours") is None


def test_an_order_that_is_refused_after_its_acknowledgement_is_found_as_rejected(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = submit_under(broker, schwab_control, WireFault.REJECT_LATER)
    assert answer.outcome is SubmitOutcome.ACKED
    order = found(broker)
    assert order.status is OrderStatus.REJECTED
    assert order.detail == "The broker refused the order."


def test_half_an_order_that_the_broker_cancels_stays_half(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    submit_under(broker, schwab_control, WireFault.PARTIAL_THEN_CANCEL)
    order = found(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, Decimal(5))
    assert shares(broker) == {"AAA": Decimal(5)}


def test_an_order_has_not_ended_before_its_executions_are_listed(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(an_order())
    schwab_control.fault(WireFault.LATE_STATUS)
    order = found(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.SUBMITTED, Decimal(0))
    schwab_control.clear()
    assert found(broker).status is OrderStatus.FILLED


def test_an_execution_that_schwab_lists_twice_is_one(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(an_order())
    schwab_control.fault(WireFault.DUPLICATE_EXECUTION)
    assert [fill.quantity for fill in broker.fills_since(schwab_control.now())] == [TEN]
    assert found(broker).filled_quantity == TEN


def test_a_refused_cancel_leaves_the_order_working(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    answer = broker.submit(resting())
    schwab_control.fault(WireFault.CANCEL_REFUSED)
    broker.cancel(str(answer.broker_order_id))
    assert found(broker).status is OrderStatus.SUBMITTED


def test_a_fill_that_beats_the_cancel_is_a_fill(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    schwab_control.fault(Fault.NO_FILL)
    answer = broker.submit(an_order())
    schwab_control.fault(WireFault.FILL_BEATS_CANCEL)
    broker.cancel(str(answer.broker_order_id))
    assert found(broker).status is OrderStatus.FILLED


def test_a_cancel_of_an_order_that_there_is_not_is_an_error(broker: Broker) -> None:
    with pytest.raises(BrokerAnswerError, match="Schwab has no order 17"):
        broker.cancel("17")


def test_a_replaced_order_ends_and_the_new_one_works(connect_schwab: Connect) -> None:
    broker = connect_schwab()
    old = broker.submit(resting("old"))
    new = broker.replace(
        old.broker_order_id,
        an_order("new", order_type=OrderType.LIMIT, limit_price_usd=Decimal("6.00")),
    )
    assert new.outcome is SubmitOutcome.ACKED
    assert new.broker_order_id != old.broker_order_id
    assert found(broker, "old").status is OrderStatus.CANCELLED
    assert [order.client_id for order in broker.open_orders()] == ["new"]


# ── Questions ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (WireFault.DROP_CONNECTION, TransientError, "did not answer"),
        (WireFault.REPLY_LOST_AFTER_BOOKING, TransientError, "did not answer"),
        (WireFault.RATE_LIMIT, TransientError, "too many requests; it asks to wait 1 s"),
        (WireFault.SERVER_ERROR, TransientError, "code 500"),
        (WireFault.MALFORMED, BrokerAnswerError, "cannot be read"),
    ],
)
def test_a_failed_question_is_an_error_and_never_an_empty_answer(
    fault: WireFault,
    error: type[Exception],
    words: str,
    broker: Broker,
    schwab_control: SimulatorControl,
) -> None:
    schwab_control.fault(fault)
    since = schwab_control.now()
    for ask in (
        broker.account,
        broker.positions,
        broker.open_orders,
        lambda: broker.fills_since(since),
        lambda: broker.quotes(["AAA"]),
        lambda: broker.daily_bars(["AAA"], 3, since.date(), Adjustment.SPLIT),
    ):
        with pytest.raises(error, match=words):
            ask()


def test_a_question_without_an_answer_ends_at_the_deadline(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab(timeout_secs=0.4)
    schwab_control.fault(WireFault.NO_ANSWER)
    begun = monotonic()
    with pytest.raises(TransientError, match="ReadTimeout"):
        broker.positions()
    assert monotonic() - begun < 3


def test_positions_that_are_not_shown_are_missed_by_the_account_s_own_value(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(an_order())
    schwab_control.fault(WireFault.EMPTY_POSITIONS_LOST)
    with pytest.raises(BrokerAnswerError, match=r"no position, and 100\.00 USD of them"):
        broker.positions()


def test_a_stale_quote_shows_its_age(broker: Broker, schwab_control: SimulatorControl) -> None:
    schwab_control.fault(WireFault.STALE_QUOTE)
    quote = broker.quotes(["AAA"])["AAA"]
    assert (schwab_control.now() - quote.at).total_seconds() == 24 * 3600


def test_a_session_without_a_bar_between_two_others_is_an_error(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    schwab_control.fault(WireFault.TRUNCATED, operation="pricehistory")
    last = xnys().previous(schwab_control.now().date())
    with pytest.raises(InputError, match="1 too few or too many"):
        broker.daily_bars(["AAA"], 5, last, Adjustment.SPLIT)


# ── Connections ────────────────────────────────────────────────────────────────────────


def test_a_broker_that_is_unplugged_denies_orders_and_answers_when_it_is_back(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(an_order("before"))
    schwab_control.unplug()
    assert broker.submit(an_order("lost", "BBB")).outcome is SubmitOutcome.DENIED
    with pytest.raises(TransientError, match="ConnectError"):
        broker.positions()
    schwab_control.plug()
    assert broker.find_order("lost") is None
    assert shares(broker) == {"AAA": TEN}


def test_connections_that_were_cut_are_opened_again(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(an_order())
    schwab_control.drop()
    assert shares(broker) == {"AAA": TEN}


def test_nothing_connects_to_a_broker_that_is_not_there(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    schwab_control.unplug()
    with pytest.raises(TransientError, match="cannot be asked for accounts"):
        connect_schwab()


def test_faults_of_one_symbol_leave_the_others_alone(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    schwab_control.set_faults(
        WireSwitch(WireFault.REJECT, operation="place", symbol="AAA"),
        WireSwitch(WireFault.REPLY_LOST_AFTER_BOOKING, operation="place", symbol="BBB"),
    )
    assert broker.submit(an_order("a")).outcome is SubmitOutcome.REJECTED
    assert broker.submit(an_order("b", "BBB")).outcome is SubmitOutcome.UNRESOLVED
    assert broker.submit(an_order("c", "CCC")).outcome is SubmitOutcome.ACKED
