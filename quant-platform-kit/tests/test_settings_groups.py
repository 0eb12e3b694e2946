"""Accounts of Interactive Brokers under one login: a service trades one of its group."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import Settings, load_settings

FIRST, SECOND = "U" + "1234567", "U" + "7654321"
GROUPS = f"""
[desk]
host = "10.0.0.5"
port = 4001

[desk.client_ids]
{FIRST} = 11
{SECOND} = 12

[family.client_ids]
{SECOND} = 21
"""
LEAST = {"STRATEGY_PROFILE": "spy_macd_vixy", "QPK_BROKER": "ibkr"}


def load(**variables: str) -> Settings:
    usual = {"IBKR_ACCOUNT_GROUP": "desk", "IBKR_ACCOUNT_GROUPS": GROUPS, "QPK_ACCOUNT_ID": FIRST}
    given = {**LEAST, **usual, **variables}
    return load_settings("ibkr", {name: value for name, value in given.items() if value})


def refused(**variables: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(**variables)
    assert FIRST not in str(raised.value)
    assert SECOND not in str(raised.value)
    return raised.value.message


def test_a_group_says_where_its_accounts_are_and_which_client_trades_each() -> None:
    first, second = load(), load(QPK_ACCOUNT_ID=SECOND)
    assert (first.account_id, second.account_id) == (FIRST, SECOND)
    assert dict(first.login) == {
        "host": "10.0.0.5",
        "port": 4001,
        "client_id": 11,
        "messages_per_sec": 45,
    }
    assert second.login["client_id"] == 12
    assert FIRST not in repr(first)


def test_what_a_group_leaves_out_the_services_own_variables_say() -> None:
    given = load(IBKR_ACCOUNT_GROUP="family", QPK_ACCOUNT_ID="", IBKR_HOST="tws", IBKR_PORT="7496")
    assert given.account_id == SECOND  # the group's only one
    assert (given.login["host"], given.login["port"]) == ("tws", 7496)
    assert given.login["client_id"] == 21


def test_groups_may_be_json_and_in_a_file(tmp_path: Path) -> None:
    document = {"desk": {"client_ids": {FIRST: 3}}}
    file = tmp_path / "groups"
    file.write_text(json.dumps(document))
    given = load(IBKR_ACCOUNT_GROUPS="", IBKR_ACCOUNT_GROUPS_FILE=str(file))
    assert given.login["client_id"] == 3


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"IBKR_ACCOUNT_GROUP": ""}, "belong together"),
        ({"IBKR_ACCOUNT_GROUPS": ""}, "belong together"),
        ({"IBKR_ACCOUNT_GROUP": "dsek"}, "expected one of desk, family"),
        ({"QPK_ACCOUNT_ID": "U42"}, "is not among the 2 account(s) of the group 'desk'"),
        ({"QPK_ACCOUNT_ID": ""}, "a service trades one of them. Say which"),
        ({"IBKR_PORT": "4002"}, "IBKR_PORT is set, and the group 'desk' says it as well"),
        ({"IBKR_CLIENT_ID": "1"}, "IBKR_CLIENT_ID is set, and the group"),
    ],
)
def test_a_group_that_cannot_be_meant_stops_the_start(
    variables: dict[str, str], words: str
) -> None:
    assert words in refused(**variables)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ("desk", "cannot be read"),
        ("{", "cannot be read"),
        ('{"desk": 5}', "has no table client_ids"),
        (f'{{"desk": {{"client_ids": {{"{FIRST}": 1, "{FIRST}": 2}}}}}}', "stands twice"),
        ("[desk]\nclient_ids = {}", "without a whole number"),
        (f"[desk]\naccounts = 2\n[desk.client_ids]\n{FIRST} = 1", "unknown entry 'accounts'"),
        (f"[desk.client_ids]\n{FIRST} = 1\n{SECOND} = 1", "the same client id"),
        (f"[desk.client_ids]\n{FIRST} = true", "without a whole number"),
        (f"[desk.client_ids]\n{FIRST} = -1", "without a whole number"),
        (f"[desk]\nport = 0\n[desk.client_ids]\n{FIRST} = 1", "a port that is none"),
        (f"[desk]\nhost = 7\n[desk.client_ids]\n{FIRST} = 1", "a host that is no name"),
        (f"[desk.client_ids]\n{FIRST} = 1\n{FIRST} = 2", "cannot be read"),
    ],
)
def test_groups_that_cannot_be_read_stop_the_start(groups: str, words: str) -> None:
    assert words in refused(IBKR_ACCOUNT_GROUPS=groups)


def test_a_real_broker_needs_the_account_that_is_meant() -> None:
    with pytest.raises(SettingsError, match="QPK_ACCOUNT_ID is not set"):
        load_settings("ibkr", LEAST)
    assert load_settings("ibkr", {**LEAST, "QPK_ACCOUNT_ID": FIRST}).login["client_id"] == 1
