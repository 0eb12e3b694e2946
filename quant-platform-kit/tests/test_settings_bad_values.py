"""A value that cannot be meant is refused by the name of its variable, and no secret is shown."""

from __future__ import annotations

import itertools
import os

import pytest

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import Platform, load_settings
from quant_platform_kit.settings._logins import LOGINS
from quant_platform_kit.settings._schema import VARIABLES
from quant_platform_kit.settings._variable import Variable

SECRET = "hush" + "-hush"
LEAST = {"STRATEGY_PROFILE": "spy_macd_vixy", "QPK_ACCOUNT_ID": "12345678"}
AT_BROKER = {
    Platform.IBKR: LEAST | {"QPK_BROKER": "ibkr"},
    Platform.SCHWAB: LEAST
    | {
        "QPK_BROKER": "schwab",
        "SCHWAB_APP_KEY": "key",
        "SCHWAB_APP_SECRET": "secret",
        "SCHWAB_TOKEN_PATH": "/token.json",
    },
    Platform.LONGBRIDGE: LEAST
    | {
        "QPK_BROKER": "longbridge",
        "LONGPORT_APP_KEY": "key",
        "LONGPORT_APP_SECRET": "secret",
        "LONGPORT_ACCESS_TOKEN": "token",
    },
}
ODD = (
    *("-1", "NaN", "sNaN", "inf", "1e999", "9" * 500, "0x10", "1,000", "$5", "true", "nosuch"),
    *("x\ny", "\x01", "http://example.org", "{", SECRET),
)
EVERY = [
    *((Platform.IBKR, variable) for variable in VARIABLES),
    *((platform, variable) for platform in Platform for variable in LOGINS[platform]),
]


def refused(platform: str = "ibkr", **variables: str) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(platform, AT_BROKER[Platform(platform)] | variables)
    return error.value.message


@pytest.mark.parametrize(
    ("platform", "variable"), EVERY, ids=[f"{p}-{variable.name}" for p, variable in EVERY]
)
def test_an_odd_value_is_taken_as_it_is_or_refused_by_name(
    platform: Platform, variable: Variable
) -> None:
    for name, value in itertools.product(variable.spellings(platform), ODD):
        usual = {k: v for k, v in AT_BROKER[platform].items() if not name.startswith(k)}
        said = ""
        try:
            shown = repr(load_settings(platform, usual | {name: value}))
        except SettingsError as error:
            shown = said = error.message
        assert not said or name in said
        assert not variable.is_secret or SECRET not in shown


def test_bytes_that_are_no_text_are_refused_before_anything_is_made_of_them() -> None:
    for name in ("STRATEGY_PROFILE", "QPK_STATE_DIR", "QPK_ACCOUNT_ID", "IBKR_HOST"):
        message = refused(**{name: os.fsdecode(b"\xff")})
        assert message.startswith(f"{name} is not text in UTF-8")


@pytest.mark.parametrize(
    ("platform", "name", "addresses"),
    [
        ("schwab", "SCHWAB_URL", ("https://api.schwabapi.com", "https://api.schwabapi.com/", "x")),
        ("longbridge", "LONGPORT_HTTP_URL", ("https://openapi.longbridge.com", "http://10.0.0.5")),
        ("longbridge", "LONGPORT_QUOTE_WS_URL", ("wss://openapi-quote.longbridge.com",)),
        ("longbridge", "LONGPORT_TRADE_WS_URL", ("wss://openapi-trade.longbridge.com",)),
    ],
)
def test_only_what_is_on_this_machine_passes_for_a_simulator(
    platform: str, name: str, addresses: tuple[str, ...]
) -> None:
    # At another spelling of the broker's own address a live account would be called simulated.
    for address in addresses:
        said = f"{name} = {address!r}: expected the address of a simulator on this machine"
        assert refused(platform, **{name: address}).startswith(said)
    there = load_settings(
        platform, AT_BROKER[Platform(platform)] | {name: "http://127.0.0.1:8080/x"}
    )
    assert "http://127.0.0.1:8080/x" in there.login.values()


@pytest.mark.parametrize("name", ["QPK_FILL_DEADLINE_SECS", "QPK_STRATEGY_TIMEOUT_SECS"])
def test_milliseconds_are_not_taken_for_seconds(name: str) -> None:
    assert "to 3600" in refused(**{name: "120000"})


def test_a_strategy_has_some_time() -> None:
    assert "from 0.1 to 3600" in refused(QPK_STRATEGY_TIMEOUT_SECS="0")


def test_a_channel_that_nothing_could_be_sent_to_stops_the_start() -> None:
    message = refused(QPK_NOTIFY_URLS=f"json://a/ {SECRET}")
    assert message.startswith("QPK_NOTIFY_URLS = ***: expected Apprise addresses such as")
    assert SECRET not in message


def test_the_terms_of_a_simulated_account_are_not_left_beside_a_real_one() -> None:
    message = refused(QPK_SIMULATED_CASH_USD="5")
    assert message.startswith("QPK_SIMULATED_CASH_USD is set, and QPK_BROKER is ibkr")
