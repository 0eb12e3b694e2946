"""What the LongBridge adapter makes of its wire, beyond what the cards demand of every broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from quant_platform_kit.brokers import SimulatedBroker, open_market
from quant_platform_kit.brokers._isolated_worker import Opening
from quant_platform_kit.brokers.isolated import IsolatedBroker
from quant_platform_kit.brokers.longbridge import LongbridgeBroker, LongbridgeLogin
from quant_platform_kit.brokers.longbridge._sdk import Lost, Sdk, Unsent
from quant_platform_kit.contracts import (
    Adjustment,
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    Side,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    TransientError,
)
from quant_platform_kit.market import SimulatedClock, xnys
from quant_platform_kit.simulators import HostOptions, SimulatorControl, WireFault, WireSwitch
from quant_platform_kit.simulators._mangling import Answer, mangled_answer

Connect = Callable[..., LongbridgeBroker]
TEN = Decimal(10)
PATIENCE_SECS = 10.0


def an_order(client_id: str = "ours", symbol: str = "AAA", **changes: Any) -> OrderRequest:  # noqa: ANN401
    return OrderRequest(client_id, symbol, Side.BUY, TEN, **changes)


def submit_under(
    broker: LongbridgeBroker,
    control: SimulatorControl,
    fault: WireFault,
    **switch: Any,  # noqa: ANN401
) -> Submission:
    control.fault(fault, operation="submit", **switch)
    answer = broker.submit(an_order())
    control.clear()
    return answer


def found(broker: LongbridgeBroker, client_id: str = "ours") -> BrokerOrder:
    order = broker.find_order(client_id)
    assert order is not None
    return order


def shares(broker: LongbridgeBroker | IsolatedBroker) -> dict[str, Decimal]:
    return {position.symbol: position.quantity for position in broker.positions()}


def fills(broker: LongbridgeBroker, control: SimulatorControl) -> tuple[Fill, ...]:
    return broker.fills_since(control.now() - timedelta(hours=1))


def says(answer: Answer) -> int:
    """Return a seed that puts this in the place of the answer to a submission."""
    data = {"code": 0, "message": "success", "data": {"order_id": "sim-000001"}}
    usual = Answer(200, json.dumps(data).encode())
    return next(s for s in count() if mangled_answer(usual, s) == answer)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, b"", {"Location": "/login"}),
        Answer(200, b'{"code": 0, "message": "success", "data": {"order_id": ""}}'),
    ],
)
def test_an_order_that_is_booked_under_a_strange_answer_is_unresolved_and_found(
    answer: Answer, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.set_faults(WireSwitch(WireFault.MALFORMED, "submit", seed=says(answer)))
    assert broker.submit(an_order()).outcome is SubmitOutcome.UNRESOLVED
    control.clear()
    assert found(broker).status is OrderStatus.FILLED


def eventually(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_SECS
    while not holds():
        assert monotonic() < deadline, "it never came to hold"
        sleep(0.02)


# ── Orders whose answer is lost ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
        WireFault.MALFORMED,
        WireFault.ERROR_ON_LIVE_ORDER,
    ],
)
def test_an_order_that_was_booked_without_a_usable_answer_is_found_by_its_remark(
    fault: WireFault, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    assert submit_under(broker, control, fault).outcome is SubmitOutcome.UNRESOLVED
    assert found(broker).status is OrderStatus.FILLED
    assert shares(broker) == {"AAA": TEN}


@pytest.mark.parametrize(
    "fault",
    [
        WireFault.DROP_CONNECTION,
        WireFault.SERVER_ERROR,
        WireFault.RATE_LIMIT_AT_GATEWAY,
    ],
)
def test_an_order_that_was_never_booked_is_unresolved_and_proved_absent(
    fault: WireFault, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    assert submit_under(broker, control, fault).outcome is SubmitOutcome.UNRESOLVED
    assert broker.find_order("ours") is None
    assert shares(broker) == {}


def test_an_order_for_which_no_connection_comes_about_was_not_sent_and_can_be_sent_again(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.unplug()
    with pytest.raises(TransientError):  # and no connection is kept after that
        broker.find_order("ours")
    answer = broker.submit(an_order())
    assert answer.outcome is SubmitOutcome.DENIED
    assert answer.detail.endswith("Nothing was sent.")
    control.plug()
    assert broker.find_order("ours") is None
    assert broker.submit(an_order()).outcome is SubmitOutcome.ACKED
    assert shares(broker) == {"AAA": TEN}


@pytest.fixture
def hangs_up() -> Iterator[int]:
    """Return a port whose every connection is closed once something has come in."""

    class HangUp(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)

    with ThreadingTCPServer(("127.0.0.1", 0), HangUp) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_request_that_had_a_connection_may_have_left(
    hangs_up: int, login: Callable[..., LongbridgeLogin]
) -> None:
    def ask() -> None:
        address = replace(login().address, http_url=f"http://127.0.0.1:{hangs_up}")
        sdk = Sdk("key", "secret", "token", address=address, timeout_secs=5, on_change=list)
        sdk.trade("today_orders")

    with pytest.raises(Lost) as lost:
        ask()
    assert not isinstance(lost.value, Unsent)


def test_the_sdk_repeats_what_the_gateway_held_back_and_it_is_booked_once(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    answer = submit_under(broker, control, WireFault.RATE_LIMIT_AT_GATEWAY, nth=1)
    assert answer.outcome is SubmitOutcome.ACKED
    assert control.health()["requests"]["submit"] == 2
    assert shares(broker) == {"AAA": TEN}


def test_two_processes_with_one_client_id_book_it_once_where_the_sdk_can_say_so(
    connect: Connect, lets_go: bool
) -> None:
    one, other = connect(), connect()
    first, second = one.submit(an_order()), other.submit(an_order())
    assert (first.broker_order_id == second.broker_order_id) is lets_go
    assert shares(one) == {"AAA": TEN if lets_go else 2 * TEN}


def test_two_orders_with_one_remark_are_never_guessed_between(
    connect: Connect, control: SimulatorControl
) -> None:
    one, other = connect(), connect()
    one.submit(an_order())
    control.sleep(11 * 60)  # the broker no longer knows the request's id
    other.submit(an_order())
    with pytest.raises(BrokerAnswerError, match="AAA"):
        one.find_order("ours")


# ── Orders that are refused ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [WireFault.REJECT, WireFault.RATE_LIMIT, WireFault.AUTH_EXPIRED])
def test_an_answer_that_proves_there_is_no_order_is_a_rejection_with_a_reason(
    fault: WireFault, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    answer = submit_under(broker, control, fault)
    assert answer.outcome is SubmitOutcome.REJECTED
    assert answer.detail
    assert broker.find_order("ours") is None


# ── Queries ────────────────────────────────────────────────────────────────────────────

QUERIES: dict[str, Callable[[LongbridgeBroker], object]] = {
    "account": lambda broker: broker.account(),
    "positions": lambda broker: broker.positions(),
    "orders": lambda broker: broker.open_orders(),
    "orders_history": lambda broker: broker.open_orders(),
    "executions": lambda broker: broker.fills_since(datetime(2020, 3, 31, tzinfo=UTC)),
    "executions_history": lambda broker: broker.fills_since(datetime(2020, 3, 1, tzinfo=UTC)),
    "order": lambda broker: broker.fills_since(datetime(2020, 3, 31, tzinfo=UTC)),
    "quote": lambda broker: broker.quotes(["AAA"]),
    "candles": lambda broker: broker.daily_bars(
        ["AAA"], 3, date(2020, 3, 30), Adjustment.TOTAL_RETURN
    ),
}
EVERYWHERE = (
    WireFault.DROP_CONNECTION,
    WireFault.SERVER_ERROR,
    WireFault.MALFORMED,
    WireFault.AUTH_EXPIRED,
)
OVER_HTTP = (WireFault.REPLY_LOST_AFTER_BOOKING, WireFault.RATE_LIMIT)
FAILURES = [
    (fault, operation)
    for operation in QUERIES
    for fault in (*EVERYWHERE, *(() if operation in {"quote", "candles"} else OVER_HTTP))
]


@pytest.mark.parametrize(("fault", "operation"), FAILURES)
def test_a_failed_query_raises_and_never_looks_empty(
    fault: WireFault, operation: str, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    broker.submit(an_order("first"))
    control.fault(fault, operation=operation)
    with pytest.raises(TransientError):
        QUERIES[operation](broker)


@pytest.mark.parametrize("operation", QUERIES)
def test_a_question_on_a_connection_that_was_just_cut_is_asked_again(
    operation: str, broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.fault(WireFault.DROP_CONNECTION, operation=operation, nth=1)
    QUERIES[operation](broker)


def test_an_expired_token_tells_the_operator_to_issue_another(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.fault(WireFault.AUTH_EXPIRED, operation="account")
    with pytest.raises(TransientError, match="Issue a new one"):
        broker.account()


def test_executions_from_before_midnight_are_found_after_it(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    start = control.now()
    broker.submit(an_order())
    control.advance_to(datetime(2020, 4, 1, 5, 0, tzinfo=UTC))  # one in the morning, New York
    assert [fill.client_id for fill in broker.fills_since(start)] == ["ours"]


def test_what_was_read_a_moment_ago_serves_every_order_of_a_poll(
    connect: Connect, control: SimulatorControl
) -> None:
    start = control.now()
    broker = connect(reuse_secs=60)
    for number in range(5):
        broker.submit(OrderRequest(str(number), "CCC", Side.BUY, TEN))
    fills(broker, control)  # the last notice may still be on its way
    eventually(lambda: _polled(broker, start, control) == 0)


def _polled(broker: LongbridgeBroker, start: datetime, control: SimulatorControl) -> int:
    before = control.health()["requests"]
    for number in range(5):
        assert found(broker, str(number)).status is OrderStatus.FILLED
        assert len(broker.fills_since(start)) == 5
    after = control.health()["requests"]
    return int(sum(after.values()) - sum(before.values()))


def test_more_bars_than_one_answer_holds_are_joined(
    connect: Connect, control: SimulatorControl, fresh: HostOptions, tmp_path: Path
) -> None:
    days = xnys().sessions(date(2015, 1, 2), date(2020, 3, 31))
    prices = tmp_path / "long.csv"
    rows = (f"{day.isoformat()},{10 + number / 100:.2f}" for number, day in enumerate(days))
    prices.write_text("\n".join(["date,AAA", *rows, ""]))
    control.open_account(replace(fresh, market=str(prices)))
    bars = connect().daily_bars(["AAA"], 1200, days[-2], Adjustment.TOTAL_RETURN)["AAA"]
    assert bars.sessions == days[-1201:-1]
    assert bars.close[0] == pytest.approx(10 + (len(days) - 1201) / 100)


def test_orders_and_executions_of_earlier_days_are_found(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    start = control.now()
    broker.submit(an_order())
    control.advance_to(datetime(2020, 4, 2, 19, 30, tzinfo=UTC))
    broker.submit(an_order("later", "BBB"))
    assert found(broker).status is OrderStatus.FILLED
    assert [fill.client_id for fill in broker.fills_since(start)] == ["ours", "later"]


def test_more_orders_than_one_answer_holds_are_all_looked_through(
    connect: Connect, control: SimulatorControl, fresh: HostOptions, tmp_path: Path
) -> None:
    book = tmp_path / "book.jsonl"
    write_orders(book, fresh, count=1020)  # an answer holds a thousand, and there is no second page
    later = datetime(2020, 4, 2, 19, 30, tzinfo=UTC)
    control.open_account(replace(fresh, book_path=str(book), start=later))
    broker = connect()
    for client_id in ("0", "20", "1019"):  # 20 ends the first answer and begins the second
        assert found(broker, client_id).status is OrderStatus.FILLED
    assert broker.find_order("never-sent") is None
    assert control.health()["requests"]["orders_history"] == 2 * 4


def write_orders(book: Path, options: HostOptions, *, count: int) -> None:
    assert options.start is not None
    clock = SimulatedClock(options.start)
    broker = SimulatedBroker(
        options.account_id,
        open_market(options.market),
        clock,
        xnys(),
        rules=TradingRules(),
        opening_cash_usd=options.cash_usd,
        book_path=book,
    )
    for number in range(count):
        side = Side.SELL if number % 2 else Side.BUY
        broker.submit(OrderRequest(str(number), "CCC", side, Decimal(1)))
        clock.sleep(1)


# ── The connection ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("operation", ["token", "auth", "profile", "positions"])
def test_a_broker_that_is_down_fails_the_connection(
    operation: str, connect: Connect, control: SimulatorControl
) -> None:
    control.fault(WireFault.SERVER_ERROR, operation=operation)
    with pytest.raises(TransientError):
        connect()


@pytest.mark.parametrize("operation", ["token", "auth", "profile", "positions"])
def test_a_connection_that_is_cut_once_while_it_opens_is_opened(
    operation: str, connect: Connect, control: SimulatorControl
) -> None:
    control.fault(WireFault.DROP_CONNECTION, operation=operation, nth=1)
    assert connect().positions() == ()


def test_a_wrong_secret_is_not_let_in(connect: Connect) -> None:
    with pytest.raises(TransientError, match="signature invalid"):
        connect(app_secret="wrong")  # noqa: S106 (a secret on purpose)


def test_a_notice_makes_the_next_query_ask_again(
    connect: Connect, control: SimulatorControl
) -> None:
    broker = connect(reuse_secs=3600)
    assert fills(broker, control) == ()
    control.trade("AAA", Side.BUY, TEN)
    eventually(lambda: len(fills(broker, control)) == 1)


def test_without_notices_the_next_query_asks_again_in_time(
    connect: Connect, control: SimulatorControl
) -> None:
    broker = connect(reuse_secs=0.3)
    assert fills(broker, control) == ()
    control.fault(WireFault.LOST_PUSHES)
    control.trade("AAA", Side.BUY, TEN)
    eventually(lambda: len(fills(broker, control)) == 1)


def test_an_account_without_notices_is_connected_all_the_same(
    connect: Connect, control: SimulatorControl
) -> None:
    control.fault(WireFault.SERVER_ERROR, operation="subscribe")
    broker = connect(reuse_secs=0.3)
    control.trade("AAA", Side.BUY, TEN)
    eventually(lambda: len(fills(broker, control)) == 1)


def test_notices_that_come_twice_or_before_the_answer_change_nothing(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.set_faults(
        WireSwitch(WireFault.DUPLICATE_PUSH),
        WireSwitch(WireFault.SLOW_ANSWER, operation="submit", seconds=0.3),
    )
    assert broker.submit(an_order()).outcome is SubmitOutcome.ACKED
    assert shares(broker) == {"AAA": TEN}
    assert len(fills(broker, control)) == 1


def test_what_happened_while_the_sockets_were_cut_is_seen(
    broker: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.drop()
    control.trade("AAA", Side.BUY, TEN)
    assert shares(broker) == {"AAA": TEN}
    eventually(lambda: _quotes_come_back(broker))


def test_notices_come_again_after_the_socket_was_cut(
    connect: Connect, control: SimulatorControl
) -> None:
    broker = connect(reuse_secs=3600)
    assert fills(broker, control) == ()
    control.drop()

    def is_told_of_another_trade() -> bool:
        control.trade("AAA", Side.BUY, TEN)
        return fills(broker, control) != ()

    eventually(is_told_of_another_trade)


def _quotes_come_back(broker: LongbridgeBroker) -> bool:
    try:
        return "AAA" in broker.quotes(["AAA"])
    except TransientError:
        return False


# ── Time zones ─────────────────────────────────────────────────────────────────────────


def test_times_are_right_wherever_the_process_runs(
    login: Callable[..., LongbridgeLogin],
    control: SimulatorControl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Hong_Kong")
    opening = Opening(
        "quant_platform_kit.brokers.longbridge", "connect", {"login": login(), "clock": control}
    )
    broker = IsolatedBroker(opening)
    try:
        broker.submit(an_order())
        order = broker.find_order("ours")
        assert order is not None
        assert order.submitted_at == control.now()
        assert broker.quotes(["AAA"])["AAA"].at == control.now()
        assert [fill.at for fill in broker.fills_since(control.now())] == [control.now()]
    finally:
        broker.close()
