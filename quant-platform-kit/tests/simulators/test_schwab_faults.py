"""What the Schwab adapter makes of its wire, beyond what the cards demand of every broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import Broker
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
from quant_platform_kit.errors import BrokerAnswerError, TransientError
from quant_platform_kit.simulators import SimulatorControl, WireFault, WireSwitch
from quant_platform_kit.simulators._mangling import Answer, mangled_answer

TagFile = pytest.importorskip("quant_platform_kit.brokers.schwab").TagFile

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


# ── Answers in another form ────────────────────────────────────────────────────────────


def says(answer: Answer) -> int:
    """Return a seed that puts this in the place of any answer."""
    some = Answer(200, b"{}")
    return next(s for s in count() if mangled_answer(some, s) == answer)


NULL, BLANK, NOT_ZIPPED = (
    says(Answer(200, b"null")),
    says(Answer(200, b'""')),
    says(Answer(200, b"{}", {"Content-Encoding": "gzip"})),
)


def damage(control: SimulatorControl, operation: str, seed: int) -> None:
    control.set_faults(WireSwitch(WireFault.MALFORMED, operation, seed=seed))


@pytest.mark.parametrize("seed", [NULL, BLANK])
def test_an_order_that_is_answered_with_nothing_is_not_absent(
    seed: int, broker: Broker, schwab_control: SimulatorControl
) -> None:
    broker.submit(resting())
    damage(schwab_control, "order", seed)
    with pytest.raises(BrokerAnswerError, match="cannot be read"):
        broker.find_order("ours")


def test_a_list_of_orders_in_another_form_proves_nothing_absent(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_AFTER_BOOKING)
    damage(schwab_control, "orders", BLANK)
    with pytest.raises(BrokerAnswerError, match="a str where a list belongs"):
        broker.find_order("ours")
    schwab_control.clear()
    assert found(broker).status is OrderStatus.FILLED


def test_a_refusal_that_cannot_be_unpacked_is_unresolved_and_proved_absent(
    broker: Broker, schwab_control: SimulatorControl
) -> None:
    schwab_control.set_faults(
        WireSwitch(WireFault.REJECT, "place"),
        WireSwitch(WireFault.MALFORMED, "place", seed=NOT_ZIPPED),
    )
    assert broker.submit(an_order()).outcome is SubmitOutcome.UNRESOLVED
    schwab_control.clear()
    assert broker.find_order("ours") is None


@pytest.mark.parametrize("seed", [NULL, BLANK, NOT_ZIPPED])
def test_an_order_is_not_sent_when_what_works_cannot_be_read(
    seed: int, broker: Broker, schwab_control: SimulatorControl
) -> None:
    damage(schwab_control, "orders", seed)
    answer = broker.submit(an_order())
    assert (answer.outcome, "not sent" in answer.detail) == (SubmitOutcome.DENIED, True)
    assert schwab_control.book()["orders"] == []


def test_an_id_that_is_another_order_s_is_put_right(
    broker: Broker, schwab_control: SimulatorControl, tmp_path: Path
) -> None:
    stop = broker.submit(resting("stop", "BBB")).broker_order_id
    broker.submit(an_order())
    tags = TagFile(tmp_path / "tags.jsonl")
    tags.note(replace(tags.orders()["ours"], order_id=stop))  # as if that had been the answer
    assert [order.client_id for order in broker.open_orders()] == ["stop"]
    assert (found(broker).symbol, found(broker).status) == ("AAA", OrderStatus.FILLED)
    assert found(broker, "stop").broker_order_id == stop
    fills = broker.fills_since(schwab_control.now().replace(hour=0))
    assert [(fill.client_id, fill.symbol) for fill in fills] == [("ours", "AAA")]


# ── Orders whose answer is lost ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
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


def test_absence_is_no_proof_before_an_order_had_time_to_show_up(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab(settle_secs=30.0)
    submit_under(broker, schwab_control, WireFault.REPLY_LOST_BEFORE_BOOKING)
    begun = schwab_control.now()
    assert broker.find_order("ours") is None
    assert (schwab_control.now() - begun).total_seconds() >= 29


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
