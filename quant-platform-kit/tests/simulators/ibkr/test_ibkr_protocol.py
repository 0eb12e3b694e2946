"""Versions of the protocol, accounts of an adviser, order types, and a simulator of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest

from quant_platform_kit.brokers._isolated_worker import Opening
from quant_platform_kit.brokers.ibkr import IbkrBroker, IbkrLogin
from quant_platform_kit.brokers.ibkr._sdk import library_name
from quant_platform_kit.brokers.isolated import IsolatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    Environment,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.errors import SettingsError, TransientError
from quant_platform_kit.market import xnys
from quant_platform_kit.simulators import (
    Host,
    HostOptions,
    SimulatorProcess,
    WireFault,
    WireSwitch,
)
from quant_platform_kit.simulators.tws import serve
from quant_platform_kit.simulators.tws._codec import Layout, MalformedMessage, pack

TEN = Decimal(10)
NEWEST = {"ib_async": 178, "ib_insync": 176}


def buy(client_id: str, symbol: str = "IBM") -> OrderRequest:
    return OrderRequest(client_id, symbol, Side.BUY, TEN)


# ── Versions ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "version", [157, 158, 159, 160, 162, 163, 164, 166, 169, 170, 176, 177, 178]
)
def test_every_version_of_the_protocol_tells_the_same(
    version: int, host: Host, login: IbkrLogin
) -> None:
    with (
        closing(serve(host, 0, newest=version)) as door,
        closing(IbkrBroker(replace(login, port=door.port))) as broker,
    ):
        rests = replace(buy("rests"), order_type=OrderType.LIMIT, limit_price_usd=Decimal("50.25"))
        assert broker.submit(buy("fills")).outcome is SubmitOutcome.ACKED
        assert broker.submit(rests).outcome is SubmitOutcome.ACKED
        fills = broker.find_order("fills")
        assert fills is not None
        assert fills.status is OrderStatus.FILLED
        assert [order.client_id for order in broker.open_orders()] == ["rests"]
        assert [fill.client_id for fill in broker.fills_since(host.clock.now())] == ["fills"]
        assert [position.symbol for position in broker.positions()] == ["IBM"]
        broker.cancel(broker.open_orders()[0].broker_order_id)
        cancelled = broker.find_order("rests")
        assert cancelled is not None
        assert cancelled.status is OrderStatus.CANCELLED
        refused = broker.submit(OrderRequest("much", "IBM", Side.SELL, Decimal(11)))
        assert refused.outcome is SubmitOutcome.REJECTED


def test_the_newest_version_that_both_sides_know_is_spoken(
    connect: Callable[..., IbkrBroker],
) -> None:
    session = connect()._line.connected()  # noqa: SLF001 (nothing else shows it)
    assert session._ib.client.serverVersion() == NEWEST[library_name()]  # noqa: SLF001


def test_a_message_of_another_length_is_malformed() -> None:
    layout = Layout("first second@160 third=3@-160")
    assert layout.write(159, {"first": 1}) == [1, "3"]
    assert layout.read(160, ["1", "2"]) == {"first": "1", "second": "2"}
    with pytest.raises(MalformedMessage):
        layout.read(160, ["1"])


def test_a_frame_is_a_length_and_ended_fields() -> None:
    assert pack(4, True, None, Decimal("1E+2"), "a") == b"\0\0\0\x0b4\x001\0\x00100\0a\0"


# ── Accounts ───────────────────────────────────────────────────────────────────────────


def test_an_adviser_trades_the_configured_account_alone(host: Host, login: IbkrLogin) -> None:
    with closing(serve(host, 0, decoys=("DF900", "DU901"))) as door:
        mine = replace(login, port=door.port, account="DU123")
        with closing(IbkrBroker(mine)) as broker:
            assert broker.positions() == ()
            assert broker.account().cash_usd == Decimal(100_000)
            assert broker.submit(buy("order")).outcome is SubmitOutcome.ACKED
            assert [position.quantity for position in broker.positions()] == [TEN]


@pytest.mark.parametrize("account", ["", "DU999"])
def test_an_account_is_never_guessed(account: str, host: Host, login: IbkrLogin) -> None:
    with (
        closing(serve(host, 0, decoys=("DF900", "DU901"))) as door,
        pytest.raises(SettingsError, match="of this login") as refusal,
    ):
        IbkrBroker(replace(login, port=door.port, account=account))
    assert "DU" not in refusal.value.message


def test_another_account_than_the_configured_one_stops_the_start(
    connect: Callable[..., IbkrBroker],
) -> None:
    with pytest.raises(SettingsError):
        connect(account="U7654321")


@pytest.mark.parametrize(
    ("account_id", "environment"), [("DU123", Environment.PAPER), ("U123", Environment.LIVE)]
)
def test_the_environment_is_what_the_account_says(
    account_id: str, environment: Environment, login: IbkrLogin
) -> None:
    start = datetime(2012, 3, 30, 19, 30, tzinfo=UTC)
    host = Host(HostOptions(account_id, "sample", start, Decimal(1000)))
    with (
        closing(serve(host, 0)) as door,
        closing(IbkrBroker(replace(login, port=door.port))) as broker,
    ):
        assert broker.environment is environment


def test_a_login_does_not_show_its_account(login: IbkrLogin) -> None:
    assert "DU123" not in repr(replace(login, account="DU123"))


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def test_a_stop_waits_for_its_price_until_it_is_cancelled(broker: IbkrBroker) -> None:
    broker.submit(buy("bought"))
    stop = OrderRequest(
        "stop",
        "IBM",
        Side.SELL,
        TEN,
        OrderType.STOP,
        stop_price_usd=Decimal("90.50"),
        time_in_force=TimeInForce.GTC,
    )
    assert broker.submit(stop).outcome is SubmitOutcome.ACKED
    (seen,) = broker.open_orders()
    assert (seen.order_type, seen.trigger_price_usd) == (OrderType.STOP, Decimal("90.50"))
    broker.cancel(seen.broker_order_id)
    assert broker.open_orders() == ()


def test_a_trailing_stop_shows_where_its_trigger_stands(broker: IbkrBroker) -> None:
    broker.submit(buy("bought"))
    price = broker.quotes(["IBM"])["IBM"].price_usd
    trailing = OrderRequest(
        "trails",
        "IBM",
        Side.SELL,
        TEN,
        OrderType.TRAILING_STOP,
        trailing_ratio=Decimal("0.1"),
        time_in_force=TimeInForce.GTC,
    )
    assert broker.submit(trailing).outcome is SubmitOutcome.ACKED
    (seen,) = broker.open_orders()
    assert seen.order_type is OrderType.TRAILING_STOP
    assert seen.trigger_price_usd is not None
    assert abs(seen.trigger_price_usd - price * Decimal("0.9")) <= Decimal("0.01")


def test_a_long_history_is_asked_for_in_years(broker: IbkrBroker) -> None:
    frames = broker.daily_bars(["IBM", "NONE"], 700, date(2012, 3, 1), Adjustment.TOTAL_RETURN)
    assert list(frames) == ["IBM"]
    assert len(frames["IBM"]) == 700
    assert frames["IBM"].last_session == date(2012, 3, 1)


def test_before_the_open_the_last_session_is_complete(host: Host, broker: IbkrBroker) -> None:
    host.advance_to(datetime(2012, 4, 2, 12, 0, tzinfo=UTC))
    bars = broker.daily_bars(["IBM"], 3, date(2012, 4, 2), Adjustment.TOTAL_RETURN)
    assert bars["IBM"].last_session == date(2012, 3, 30)


# ── Processes and threads ──────────────────────────────────────────────────────────────


def test_many_threads_share_one_connection(connect: Callable[..., IbkrBroker], host: Host) -> None:
    broker = connect(query_secs=5.0, order_secs=5.0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: broker.submit(buy(f"order-{n}")), range(24)))
    assert {answer.outcome for answer in answers} == {SubmitOutcome.ACKED}
    assert len({answer.broker_order_id for answer in answers}) == 24
    assert [position.quantity for position in host.broker.positions()] == [Decimal(240)]


def test_two_connections_of_one_process_do_not_disturb_each_other(
    connect: Callable[..., IbkrBroker], host: Host
) -> None:
    first, second = connect(client_id=1), connect(client_id=2)
    done: list[bool] = []

    def reconnect() -> None:
        for _ in range(5):
            second.close()
            done.append(second.positions() == ())

    thread = Thread(target=reconnect)
    thread.start()
    for _ in range(20):
        assert first.positions() == ()
    thread.join()
    assert done == [True] * 5


def test_unplugged_in_the_middle_and_plugged_in_again_the_book_is_right(
    login: IbkrLogin,
) -> None:
    start = datetime(2012, 3, 30, 19, 30, tzinfo=UTC)
    with (
        SimulatorProcess.start(
            "ibkr", account_id="DU123", market="sample", start=start, cash_usd=Decimal(100_000)
        ) as simulator,
        closing(IbkrBroker(replace(login, port=simulator.port))) as broker,
    ):
        for number in range(3):
            broker.submit(buy(f"before-{number}"))
        simulator.control.unplug()
        denied = broker.submit(buy("unplugged"))
        with pytest.raises(TransientError):
            broker.find_order("unplugged")
        simulator.control.plug()
        assert denied.outcome in {SubmitOutcome.DENIED, SubmitOutcome.UNRESOLVED}
        assert broker.find_order("unplugged") is None
        broker.submit(buy("after"))
        assert [position.quantity for position in broker.positions()] == [Decimal(40)]
        simulator.control.sleep(60)
        assert len(broker.fills_since(start - timedelta(hours=1))) == 4


def test_the_adapter_runs_in_a_process_of_its_own(login: IbkrLogin, host: Host) -> None:
    module = "quant_platform_kit.brokers.ibkr"
    with closing(IsolatedBroker(Opening(module, "connect", {"login": login}))) as broker:
        assert broker.environment is Environment.PAPER
        assert broker.submit(buy("order")).outcome is SubmitOutcome.ACKED
        assert host.broker.positions() == broker.positions()


def test_neither_library_nor_adapter_says_which_account_it_is(
    broker: IbkrBroker, caplog: pytest.LogCaptureFixture, host: Host
) -> None:
    broker.submit(buy("order"))
    host.wire.set(WireSwitch(WireFault.REJECT))
    broker.submit(buy("refused"))
    assert "DU123" not in caplog.text


def test_a_bar_stands_on_every_session(broker: IbkrBroker) -> None:
    bars = broker.daily_bars(["IBM"], 60, date(2012, 3, 29), Adjustment.TOTAL_RETURN)["IBM"]
    assert bars.sessions == xnys().sessions(bars.first_session, bars.last_session)
