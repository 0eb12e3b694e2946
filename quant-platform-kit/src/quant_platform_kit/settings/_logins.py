"""What each broker's connection is told: its variables, and what they come to together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import _variable as read
from quant_platform_kit.settings._groups import AccountGroup, read_groups
from quant_platform_kit.settings._schema import ACCOUNT, VARIABLES
from quant_platform_kit.settings._sources import Sources
from quant_platform_kit.settings._variable import Platform, Variable

LOGINS: Final[Mapping[Platform, tuple[Variable, ...]]] = {
    Platform.IBKR: (
        Variable("IBKR_HOST", "host", read.text, "127.0.0.1", "Where TWS or IB Gateway runs."),
        Variable(
            "IBKR_PORT",
            "port",
            read.port,
            "7497",
            "Its port; 7497 and 4002 are paper accounts' own.",
        ),
        Variable(
            "IBKR_CLIENT_ID",
            "client_id",
            read.whole,
            "1",
            "Number of this service at TWS; no two programs share one.",
        ),
        Variable(
            "IBKR_ACCOUNT_GROUP",
            "group",
            read.text,
            "",
            "One of IBKR_ACCOUNT_GROUPS; the account has to belong to it.",
        ),
        Variable(
            "IBKR_ACCOUNT_GROUPS",
            "groups",
            read.text,
            "",
            "Accounts of one login, in TOML or JSON: by group their client_ids, host and port.",
            is_secret=True,
        ),
        Variable(
            "IBKR_MESSAGES_PER_SEC",
            "messages_per_sec",
            read.whole,
            "45",
            "Sent to TWS at most; it hangs up on more than half its data lines. 0: no limit.",
        ),
    ),
    Platform.SCHWAB: (
        Variable(
            "SCHWAB_APP_KEY",
            "app_key",
            read.text,
            None,
            "Key of the application at Schwab.",
            is_secret=True,
        ),
        Variable(
            "SCHWAB_APP_SECRET",
            "app_secret",
            read.text,
            None,
            "Its secret.",
            is_secret=True,
        ),
        Variable(
            "SCHWAB_TOKEN_PATH",
            "token_path",
            read.optional_path,
            "",
            "File of the token, which is kept up to date there.",
        ),
        Variable(
            "SCHWAB_TOKEN_SECRET_NAME",
            "token_secret",
            read.text,
            "",
            "Instead of the file: secret of the token, which gets every new one as a version.",
        ),
        Variable(
            "SCHWAB_DIVIDENDS_PATH",
            "dividends_path",
            read.optional_path,
            "",
            "CSV file of cash dividends (symbol,ex_date,amount_usd), for total-return bars.",
        ),
        Variable(
            "SCHWAB_URL", "base_url", read.optional_simulator, "", "A simulator's address instead."
        ),
    ),
    Platform.LONGBRIDGE: (
        Variable(
            "LONGPORT_APP_KEY",
            "app_key",
            read.text,
            None,
            "Key of the application in LongBridge's developer centre.",
            is_secret=True,
        ),
        Variable(
            "LONGPORT_APP_SECRET",
            "app_secret",
            read.text,
            None,
            "Its secret.",
            is_secret=True,
        ),
        Variable(
            "LONGPORT_ACCESS_TOKEN",
            "access_token",
            read.text,
            None,
            "Opens one account, for 90 days.",
            is_secret=True,
            also="LONGPORT_SECRET_NAME",
        ),
        Variable(
            "ACCOUNT_PREFIX", "prefix", read.region, "", "Name of the account in messages: HK, SG."
        ),
        Variable("ACCOUNT_REGION", "region", read.region, "", "Region of the account: HK, SG."),
        Variable(
            "LONGPORT_HTTP_URL", "http_url", read.optional_simulator, "", "A simulator's address."
        ),
        Variable(
            "LONGPORT_QUOTE_WS_URL",
            "quote_url",
            read.optional_simulator,
            "",
            "A simulator's address.",
        ),
        Variable(
            "LONGPORT_TRADE_WS_URL",
            "trade_url",
            read.optional_simulator,
            "",
            "A simulator's address.",
        ),
    ),
}
"""Read where QPK_BROKER names the broker."""


def names_of(platform: Platform) -> set[str]:
    """Return every name that means something to a service of the platform."""
    variables = (*VARIABLES, *LOGINS[platform])
    return {name for variable in variables for name in variable.spellings(platform)}


def read_login(sources: Sources, account_id: str) -> tuple[str, dict[str, Any]]:
    """Return the account that is meant, and the fields of the login of its platform's broker.

    Raises
    ------
    SettingsError
        When a variable is missing or cannot be read, or two contradict each other.
    TransientError
        When a secret cannot be had now.
    """
    values = {each.field: sources.value(each) for each in LOGINS[sources.platform]}
    return _FINISHED[sources.platform](sources, account_id, values)


Login = dict[str, Any]


def _named(sources: Sources, account_id: str) -> str:
    if sources.spelling(ACCOUNT) is None:
        raise SettingsError(
            f"{ACCOUNT.name} is not set: a connection to a broker is checked against the account "
            "that is meant. Set the account's number."
        )
    return account_id


# ── Interactive Brokers ────────────────────────────────────────────────────────────────


def _ibkr(sources: Sources, account_id: str, values: Login) -> tuple[str, Login]:
    """Take account, client id and address from the group, where there is one."""
    name, text = values.pop("group"), values.pop("groups")
    if bool(name) != bool(text):
        raise SettingsError(
            "IBKR_ACCOUNT_GROUP and IBKR_ACCOUNT_GROUPS belong together: the one names a group of "
            "the other. Set both, or neither."
        )
    if not name:
        return _named(sources, account_id), values
    groups = read_groups(text)
    if name not in groups:
        raise SettingsError(
            f"IBKR_ACCOUNT_GROUP = {name!r}: expected one of {', '.join(sorted(groups))}."
        )
    group = groups[name]
    account_id = _member(sources, account_id, name, group)
    told = {"host": group.host, "port": group.port, "client_id": group.client_ids[account_id]}
    for variable in LOGINS[Platform.IBKR]:
        if told.get(variable.field) is None:
            continue
        if sources.spelling(variable) is not None:
            raise SettingsError(
                f"{variable.name} is set, and the group {name!r} says it as well; keep one of them."
            )
        values[variable.field] = told[variable.field]
    return account_id, values


def _member(sources: Sources, account_id: str, name: str, group: AccountGroup) -> str:
    accounts = tuple(group.client_ids)
    if sources.spelling(ACCOUNT) is None:
        if len(accounts) > 1:
            raise SettingsError(
                f"{ACCOUNT.name} is not set, and the group {name!r} has {len(accounts)} accounts: "
                "a service trades one of them. Say which."
            )
        return accounts[0]
    if account_id not in accounts:
        raise SettingsError(
            f"{ACCOUNT.name} is not among the {len(accounts)} account(s) of the group {name!r}. "
            "Correct it, or choose the group that the account belongs to."
        )
    return account_id


# ── Charles Schwab ─────────────────────────────────────────────────────────────────────


def _schwab(sources: Sources, account_id: str, values: Login) -> tuple[str, Login]:
    """Require one place of the token: a file, or a secret."""
    path, secret = values["token_path"], values["token_secret"]
    if path is None and not secret:
        raise SettingsError(
            "SCHWAB_TOKEN_PATH is not set, and SCHWAB_TOKEN_SECRET_NAME neither: one of them says "
            "where the token is kept that a login to Schwab has given."
        )
    if path is not None and secret:
        raise SettingsError(
            "SCHWAB_TOKEN_PATH and SCHWAB_TOKEN_SECRET_NAME are both set; keep one and remove the "
            "other."
        )
    if secret:
        values["token_secret"] = name = sources.secret_name("SCHWAB_TOKEN_SECRET_NAME")
        if name.version != "latest":
            raise SettingsError(
                f"SCHWAB_TOKEN_SECRET_NAME names version {name.version}: a token is renewed and "
                "its newest version counts. Leave the version out."
            )
        values["secret_manager_url"] = sources.secret_manager_url
    else:
        values["token_secret"], values["secret_manager_url"] = None, ""
    return _named(sources, account_id), values


# ── LongBridge ─────────────────────────────────────────────────────────────────────────


def _longbridge(sources: Sources, account_id: str, values: Login) -> tuple[str, Login]:
    """Require one region: each has services of its own, from one source."""
    prefix, region = values["prefix"], values["region"]
    if prefix and region and prefix != region:
        raise SettingsError(
            f"ACCOUNT_PREFIX is {prefix}, and ACCOUNT_REGION is {region}: one account has one "
            "region, and a switch may have left the other one's. Give both the account's."
        )
    return _named(sources, account_id), values


_FINISHED: Final[Mapping[Platform, Callable[[Sources, str, Login], tuple[str, Login]]]] = {
    Platform.IBKR: _ibkr,
    Platform.SCHWAB: _schwab,
    Platform.LONGBRIDGE: _longbridge,
}
