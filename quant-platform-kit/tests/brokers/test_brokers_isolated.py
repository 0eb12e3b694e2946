"""An adapter in a process of its own, whatever it does there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest

from quant_platform_kit.brokers.isolated import Deadlines, IsolatedBroker, Opening
from quant_platform_kit.contracts import (
    Adjustment,
    Environment,
    OrderRequest,
    Side,
    SubmitOutcome,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    ReasonCode,
    SettingsError,
    TransientError,
)

ADAPTER = dedent(
    '''
    """An account on the sample market, and every bad habit an SDK has shown."""

    import os
    import signal
    import sys
    import threading
    import time
    from datetime import date
    from decimal import Decimal
    from pathlib import Path

    from quant_platform_kit.brokers import SimulatedBroker, open_market
    from quant_platform_kit.contracts import TradingRules
    from quant_platform_kit.errors import BrokerAnswerError, ReasonCode, SettingsError
    from quant_platform_kit.market import SimulatedClock, xnys


    def connect(book, habit=""):
        if habit == "hangs while it connects":
            time.sleep(60)
        if habit == "is refused":
            raise SettingsError("the token is too old", code=ReasonCode.SETTING_INVALID)
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
        clock = SimulatedClock(xnys().session_open(date(2012, 2, 3)))
        return Account(
            "U1", open_market("sample"), clock, xnys(), rules=TradingRules(),
            opening_cash_usd=Decimal(100_000), book_path=Path(book),
        )


    class Account(SimulatedBroker):
        def submit(self, order):
            if order.client_id == "hangs before":
                time.sleep(60)
            answer = super().submit(order)
            if order.client_id == "hangs after":
                time.sleep(60)
            if order.client_id == "dies after":
                os._exit(3)
            return answer

        def cancel(self, broker_order_id):
            if broker_order_id == "unknown to us":
                raise BrokerAnswerError("no such order", symbol="AAPL")
            if broker_order_id == "a defect":
                raise ZeroDivisionError
            super().cancel(broker_order_id)
    '''
)

Connect = Callable[..., IsolatedBroker]
QUICK = Deadlines(query_secs=2.0)


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that isolates the adapter; `habit` is what it does when it connects."""
    (tmp_path / "bad_adapter.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(tmp_path)
    opened: list[IsolatedBroker] = []

    def isolate(habit: str = "", deadlines: Deadlines = QUICK) -> IsolatedBroker:
        arguments = {"book": str(tmp_path / "book.jsonl"), "habit": habit}
        opened.append(IsolatedBroker(Opening("bad_adapter", "connect", arguments), deadlines))
        return opened[-1]

    yield isolate
    for broker in opened:
        broker.close()


def ten_shares(client_id: str) -> OrderRequest:
    return OrderRequest(client_id, "AAPL", Side.BUY, Decimal(10))


def test_the_whole_port_answers_through_the_line(connect: Connect) -> None:
    broker = connect()
    assert broker.environment is Environment.SIMULATED
    assert broker.rules.lot_shares == 1
    placed = broker.submit(ten_shares("one"))
    assert placed.outcome is SubmitOutcome.ACKED
    found = broker.find_order("one")
    assert found is not None
    (fill,) = broker.fills_since(found.submitted_at)
    assert fill.quantity == 10
    assert [each.symbol for each in broker.positions()] == ["AAPL"]
    assert broker.account().cash_usd == 100_000 - 10 * fill.price_usd
    assert broker.open_orders() == ()
    assert broker.quotes(["AAPL", "NONE"]).keys() == {"AAPL"}
    bars = broker.daily_bars(["AAPL"], 5, date(2012, 2, 2), Adjustment.TOTAL_RETURN)
    assert len(bars["AAPL"]) == 5
    broker.cancel(found.broker_order_id)
    assert broker.restarts == 0


def test_an_error_keeps_its_kind_its_code_and_its_symbol(connect: Connect) -> None:
    broker = connect()
    with pytest.raises(BrokerAnswerError, match="no such order") as caught:
        broker.cancel("unknown to us")
    assert (caught.value.code, caught.value.symbol) == (ReasonCode.BROKER_ANSWER, "AAPL")
    assert broker.restarts == 0


@pytest.mark.parametrize(
    ("client_id", "booked", "how"),
    [
        ("hangs before", False, "gave no answer to submit within 2 s"),
        ("hangs after", True, "gave no answer to submit within 2 s"),
        ("dies after", True, "ended with exit code 3 during submit"),
    ],
)
def test_an_unanswered_order_is_unresolved_and_the_next_call_finds_out(
    connect: Connect, client_id: str, *, booked: bool, how: str
) -> None:
    broker = connect()
    answer = broker.submit(ten_shares(client_id))
    assert answer.outcome is SubmitOutcome.UNRESOLVED
    assert how in answer.detail
    assert (broker.find_order(client_id) is not None) == booked
    assert broker.restarts == 1


def test_a_defect_of_the_adapter_costs_its_process_and_nothing_else(
    connect: Connect, capfd: pytest.CaptureFixture[str]
) -> None:
    broker = connect()
    with pytest.raises(TransientError, match="ended with exit code 1 during cancel"):
        broker.cancel("a defect")
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert broker.positions() == ()


def test_a_killed_process_is_replaced_before_the_next_order_is_sent(connect: Connect) -> None:
    broker = connect()
    assert broker.positions() == ()
    first = broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert broker.submit(ten_shares("one")).outcome is SubmitOutcome.ACKED
    assert broker.restarts == 1
    assert broker.pid != first


def test_a_connection_that_hangs_sends_nothing(connect: Connect) -> None:
    broker = connect("hangs while it connects", Deadlines(connect_secs=1.0))
    with pytest.raises(TransientError, match="gave no answer to connect within 1 s"):
        broker.positions()
    answer = broker.submit(ten_shares("one"))
    assert answer.outcome is SubmitOutcome.DENIED
    assert "nothing was sent" in answer.detail
    assert broker.pid is None


def test_what_the_broker_refuses_to_open_says_why(connect: Connect) -> None:
    with pytest.raises(SettingsError, match="the token is too old"):
        connect("is refused").account()


def test_an_order_to_a_broker_that_cannot_be_opened_was_not_sent(connect: Connect) -> None:
    answer = connect("is refused").submit(ten_shares("one"))
    assert answer.outcome is SubmitOutcome.DENIED
    assert "nothing was sent. the token is too old" in answer.detail


def test_an_interrupt_at_the_terminal_is_for_the_service(connect: Connect) -> None:
    mine = signal.getsignal(signal.SIGINT)
    broker = connect()
    broker.positions()
    assert signal.getsignal(signal.SIGINT) is mine
