"""The whole cycle over each broker's own SDK and wire, in the processes that a service has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proof._wire_account import NEXT as DAY_AFTER
from proof._wire_account import SESSION, SETUP, WireAccount
from proof._wires import judge, plan_of
from quant_platform_kit.contracts import Environment, OperatorAction, OperatorCommand, Outcome
from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.notify import heartbeat
from quant_platform_kit.settings import load_settings
from quant_platform_kit.simulators import WireFault
from tests.wires import FIRST, LATER, NEXT, Wire, close_of

BROKERS = ("ibkr", "schwab", "longbridge")


@pytest.fixture(params=BROKERS)
def wire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    """Return a wire to a new account, for each broker."""
    made = Wire.to(request.param, tmp_path)
    yield made
    made.simulator.close()


def test_an_account_is_rebalanced_through_the_brokers_own_sdk(wire: Wire) -> None:
    runtime = wire.open()
    bought = close_of(runtime, FIRST)
    assert (bought.outcome, bought.code) == (Outcome.TRADED, None), bought.notes
    expected = Environment.PAPER if wire.broker == "ibkr" else Environment.SIMULATED
    assert bought.environment is expected
    assert wire.holdings() == {"AAPL": bought.orders[0].filled_quantity}
    assert close_of(runtime, NEXT).outcome is Outcome.NO_ACTION
    changed = close_of(runtime, LATER)
    assert [order.symbol for order in changed.orders] == ["AAPL", "IBM"]
    assert wire.holdings() == {"IBM": changed.orders[1].filled_quantity}
    assert changed.cash_usd >= 0
    assert close_of(runtime, LATER) == changed
    runtime.close()


def test_a_service_that_restarts_finds_its_account_again(wire: Wire) -> None:
    runtime = wire.open()
    first = close_of(runtime, FIRST)
    runtime.close()
    again = wire.open()
    assert close_of(again, FIRST) == first
    assert close_of(again, NEXT).outcome is Outcome.NO_ACTION
    again.close()


def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(wire: Wire) -> None:
    runtime = wire.open()
    assert runtime.parts.broker.positions() == ()
    wire.simulator.control.fault(WireFault.REPLY_LOST_AFTER_BOOKING, operation="submit")
    lost = close_of(runtime, FIRST)
    wire.simulator.control.clear()
    done = close_of(runtime, FIRST) if lost.outcome is not Outcome.TRADED else lost
    assert done.outcome is Outcome.TRADED
    (order,) = done.orders
    assert wire.holdings() == {"AAPL": order.filled_quantity}
    assert len(wire.simulator.control.book()["fills"]) == 1
    runtime.close()


def test_an_unplugged_broker_trades_nothing_and_a_plugged_one_goes_on(wire: Wire) -> None:
    runtime = wire.open()
    assert close_of(runtime, FIRST).outcome is Outcome.TRADED
    before = wire.holdings()
    wire.simulator.control.unplug()
    away = close_of(runtime, LATER)
    assert away.outcome in {Outcome.BLOCKED, Outcome.FAILED}
    assert away.code is ReasonCode.BROKER_UNAVAILABLE
    assert wire.holdings() == before
    wire.simulator.control.plug()
    back = close_of(runtime, LATER)
    assert back.outcome is Outcome.TRADED, back.notes
    assert wire.holdings().keys() == {"IBM"}
    runtime.close()


def test_an_operators_command_finds_the_broker_free_while_the_service_is_up(wire: Wire) -> None:
    service = wire.open()
    assert close_of(service, FIRST).outcome is Outcome.TRADED
    operator = wire.open()  # the same settings, in another program
    flatten = OperatorCommand(OperatorAction.FLATTEN, "anna", "leaves the market")
    assert [held.symbol for held in operator.prospect(flatten).sells] == ["AAPL"]
    assert service.environment() is operator.environment()  # while a person reads what it would do
    assert operator.operate(flatten).outcome is Outcome.TRADED
    assert wire.holdings() == {}
    assert close_of(service, LATER).outcome is Outcome.TRADED
    operator.close()
    service.close()


@pytest.fixture(params=BROKERS)
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WireAccount]:
    """Return an account that holds three symbols, whose next slot sells two and buys two."""
    with WireAccount(request.param, tmp_path, plan_of(stops=False)) as made:
        assert made.run(SETUP).outcome is Outcome.TRADED
        yield made


def at_call(account: WireAccount, name: str, nth: int, do: Callable[[], None]) -> None:
    """Do something just before the n-th call of the broker with that name."""
    seen: list[str] = []

    def meddle(_call: int, called: str) -> None:
        seen.append(called)
        if called == name and seen.count(name) == nth:
            do()

    account.watched.meddle = meddle


NOT_REACHED = "The broker cannot be reached; nothing more was sent."
RUN_AGAIN = "What to do: Reconnect the broker and run the slot again: it looks up every order"


@pytest.mark.parametrize(
    ("call", "nth", "outcome", "said", "said_in_chinese"),
    [
        pytest.param(
            *("quotes", 1, Outcome.BLOCKED),
            ["No order was sent.", RUN_AGAIN],
            ["没有发送任何订单。", "处理办法：恢复与券商的连接后"],
            id="before any order",
        ),
        pytest.param(
            *("submit", 3, Outcome.FAILED),
            # Of the order that met the dead line it depends on the moment whether the SDK had
            # written it to the old connection (its end is unknown) or was refused a new one.
            ["Orders of this slot so far: 2 filled · ", RUN_AGAIN, "are from before these orders"],
            ["本时段订单的现状：成交 2 笔 · ", "处理办法：恢复与券商的连接后", "为下单之前的数据"],
            id="in the middle",
        ),
        pytest.param(
            *("find_order", 1, Outcome.FAILED),
            ["so far: 2 whose end is not known yet", RUN_AGAIN, "are from before these orders"],
            ["本时段订单的现状：结果尚不明确 2 笔", "处理办法：恢复与券商的连接后"],
            id="while it asks for the end of its orders",
        ),
    ],
)
def test_who_unplugs_a_broker_is_told_what_happened_and_what_to_do(
    account: WireAccount,
    call: str,
    nth: int,
    outcome: Outcome,
    said: list[str],
    said_in_chinese: list[str],
) -> None:
    at_call(account, call, nth, account.simulator.control.unplug)
    away = account.run(SESSION)
    assert (away.outcome, away.code) == (outcome, ReasonCode.BROKER_UNAVAILABLE)
    english, chinese = heartbeat(away, "en").body, heartbeat(away, "zh").body
    assert [text for text in (NOT_REACHED, *said) if text not in english] == []
    assert [text for text in said_in_chinese if text not in chinese] == []
    account.simulator.control.plug()
    back = account.run(SESSION)
    assert back.outcome is Outcome.TRADED, back.reason
    told = heartbeat(back, "en").body
    assert [text for text in (NOT_REACHED, *said) if text in told] == []
    judge(account, [back, account.run(DAY_AFTER)])


def test_an_operator_is_told_that_the_brokers_process_was_replaced(account: WireAccount) -> None:
    at_call(account, "quotes", 1, account.kill_adapter)
    report = account.run(SESSION)
    if not report.consumes_slot:  # the call that met the dead process told so
        assert RUN_AGAIN in heartbeat(report, "en").body
    assert "had to be replaced (1 since the last report); every order is looked up" in str(
        report.notes + account.run(SESSION).notes
    )
    judge(account, [account.run(DAY_AFTER)])


def test_another_account_than_the_configured_one_is_refused(wire: Wire) -> None:
    other = {"ibkr": "DU7654321", "schwab": "87654321", "longbridge": "20000002"}[wire.broker]
    elsewhere = Wire(wire.broker, wire.simulator, {**wire.environ, "QPK_ACCOUNT_ID": other})
    runtime = elsewhere.open()
    report = close_of(runtime, FIRST)
    assert report.outcome is not Outcome.TRADED
    assert report.code is ReasonCode.SETTING_INVALID
    assert wire.holdings() == {}
    runtime.close()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"QPK_BROKER": "schwab"}, "QPK_BROKER is schwab, and this is the service of ibkr"),
        ({"QPK_BROKER": "ibkr", "IBKR_PORT": "0"}, "IBKR_PORT = '0': expected a port"),
        ({"QPK_SIMULATOR_CONTROL": "4002"}, "QPK_SIMULATOR_CONTROL is set"),
        ({"QPK_BROKER": "robinhood"}, "expected simulated, or the platform's own broker"),
    ],
)
def test_a_connection_that_cannot_be_meant_is_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings("ibkr", {"STRATEGY_PROFILE": "spy_macd_vixy", **variables})


def test_a_missing_secret_is_named_and_a_given_one_is_never_shown(tmp_path: Path) -> None:
    known = {"STRATEGY_PROFILE": "spy_macd_vixy", "QPK_BROKER": "schwab"}
    with pytest.raises(SettingsError, match="SCHWAB_APP_KEY is not set"):
        load_settings("schwab", known)
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n")
    given = {
        **known,
        "QPK_ACCOUNT_ID": "12345678",
        "SCHWAB_APP_KEY": "hush",
        "SCHWAB_APP_SECRET_FILE": str(secret),
        "SCHWAB_TOKEN_PATH": "/token.json",
    }
    settings = load_settings("schwab", given)
    assert settings.login["app_secret"] == secret.read_text().strip()
    assert "hush" not in repr(settings)
    with pytest.raises(SettingsError, match="SCHWAB_APP_SECRET and SCHWAB_APP_SECRET_FILE"):
        load_settings("schwab", {**given, "SCHWAB_APP_SECRET": "hush"})
    with pytest.raises(SettingsError, match="the file cannot be read"):
        load_settings("schwab", {**given, "SCHWAB_APP_SECRET_FILE": "/nowhere"})
