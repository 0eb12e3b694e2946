"""The whole cycle over each broker's own SDK and wire, in the processes that a service has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_platform_kit.contracts import Environment, Outcome
from quant_platform_kit.errors import ReasonCode, SettingsError
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
