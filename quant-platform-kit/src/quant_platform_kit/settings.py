"""The one schema of settings: read once, frozen, and strict about every name and value.

Hand-written on dataclasses: a validation library would cost more start-up time than the rest of
the service together (see ``docs/decisions/0003-settings-without-a-library.md``).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.errors import SettingsError

__all__ = ["Platform", "Settings", "load_settings", "reference"]


class Platform(StrEnum):
    """The services; the upper-case name prefixes a platform's own variables."""

    IBKR = "ibkr"
    SCHWAB = "schwab"
    LONGBRIDGE = "longbridge"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a service is told from outside.

    Field names carry units; the variables behind them are listed by `reference`.
    """

    platform: Platform
    strategy_profile: str
    execution_mode: ExecutionMode
    strategy_config_path: Path | None
    sleeves_path: Path | None
    strategies_dir: Path | None
    feature_snapshot_path: Path | None
    feature_snapshot_manifest_path: Path | None
    reconciliation_output_path: Path | None
    account_id: str
    state_dir: Path
    store_url: str
    notify_urls: tuple[str, ...]
    languages: tuple[str, ...]
    cash_floor_usd: Decimal
    capital_limit_usd: Decimal | None
    risk_limits_path: Path | None
    reconcile_cash_usd: Decimal
    reconcile_equity_ratio: Decimal
    reconcile_unexplained_ratio: Decimal
    fill_deadline_secs: float
    strategy_timeout_secs: float
    commit: str
    broker: str
    login: Mapping[str, Any]
    simulator_control: int | None
    simulated_market: str
    simulated_cash_usd: Decimal
    simulated_start: date | None
    simulated_latency_secs: float

    def __repr__(self) -> str:
        """Show every setting, the secret ones only as present or absent."""
        shown = ", ".join(f"{f.name}={self._shown(f.name)}" for f in fields(self))
        return f"Settings({shown})"

    @property
    def is_simulated(self) -> bool:
        """Whether the broker is the simulated one of this process."""
        return self.broker == _SIMULATED

    def _shown(self, field: str) -> str:
        value = getattr(self, field)
        return "***" if field in _SECRET and value else repr(value)


_IN_FILE = "_FILE"
_POSTGRESQL = "postgresql+psycopg://"
_SIMULATED = "simulated"
_SECRET = frozenset({"account_id", "login", "notify_urls", "store_url"})


@dataclass(frozen=True, slots=True)
class _Variable:
    """One variable: its field, how it is read, and its text when it is not set.

    `is_secret` ones may also be read from a file that the variable with ``_FILE`` added names.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    default: str | None
    meaning: str
    of_platform: bool = False
    is_secret: bool = False


def _text(value: str) -> str:
    return value


def _optional_path(value: str) -> Path | None:
    return Path(value) if value else None


def _dollars(value: str) -> Decimal:
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError
    return amount


def _ratio(value: str) -> Decimal:
    ratio = Decimal(value)
    if not 0 <= ratio <= 1:
        raise ValueError
    return ratio


def _optional_dollars(value: str) -> Decimal | None:
    return _dollars(value) if value else None


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _optional_date(value: str) -> date | None:
    return date.fromisoformat(value) if value else None


def _languages(value: str) -> tuple[str, ...]:
    languages = tuple(part.strip() for part in value.split(","))
    if not set(languages) <= {"en", "zh"}:
        raise ValueError
    return languages


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.split())


def _store_url(value: str) -> str:
    if value and not value.startswith(_POSTGRESQL):
        raise ValueError
    return value


def _broker(value: str) -> str:
    if value not in {_SIMULATED, *Platform}:
        raise ValueError
    return value


def _port(value: str) -> int:
    port = int(value)
    if not 0 < port < 2**16:
        raise ValueError
    return port


def _optional_port(value: str) -> int | None:
    return _port(value) if value else None


def _optional_text(value: str) -> str | None:
    return value or None


_WANTED: dict[Callable[[str], Any], str] = {
    ExecutionMode: "dry_run, paper or live",
    _dollars: "an amount in USD such as 250 or 250.50",
    _optional_dollars: "an amount in USD such as 250 or 250.50",
    _ratio: "a ratio from 0 to 1 such as 0.001",
    _seconds: "a number of seconds, zero or more",
    _optional_date: "a date such as 2020-03-31",
    _languages: "en, zh, or both separated by a comma",
    _store_url: f"{_POSTGRESQL}user:password@host/database",
    _broker: "simulated, or the platform's own broker: ibkr, schwab or longbridge",
    _port: "a port such as 4002",
    _optional_port: "a port such as 4002",
    int: "a whole number",
}

_VARIABLES = (
    _Variable(
        "STRATEGY_PROFILE",
        "strategy_profile",
        _text,
        "",
        "Profile to run; see `qpk profiles`. Required without QPK_SLEEVES_PATH.",
    ),
    _Variable(
        "EXECUTION_MODE", "execution_mode", ExecutionMode, "dry_run", "dry_run, paper or live."
    ),
    _Variable(
        "STRATEGY_CONFIG_PATH",
        "strategy_config_path",
        _optional_path,
        "",
        "The profile's configuration file (.json or .toml).",
        of_platform=True,
    ),
    _Variable(
        "QPK_SLEEVES_PATH",
        "sleeves_path",
        _optional_path,
        "",
        "File of several strategies that share the account (.toml or .json), instead of one.",
    ),
    _Variable(
        "QPK_STRATEGIES_DIR",
        "strategies_dir",
        _optional_path,
        "",
        "Folder of drop-in strategy files for research; dry_run only.",
    ),
    _Variable(
        "FEATURE_SNAPSHOT_PATH",
        "feature_snapshot_path",
        _optional_path,
        "",
        "Published snapshots: a folder with latest.json, or one file.",
        of_platform=True,
    ),
    _Variable(
        "FEATURE_SNAPSHOT_MANIFEST_PATH",
        "feature_snapshot_manifest_path",
        _optional_path,
        "",
        "Manifest, where the snapshot path is one file.",
        of_platform=True,
    ),
    _Variable(
        "RECONCILIATION_OUTPUT_PATH",
        "reconciliation_output_path",
        _optional_path,
        "",
        "Where the record of each reconciliation is written.",
        of_platform=True,
    ),
    _Variable("QPK_ACCOUNT_ID", "account_id", _text, "simulated", "The broker's account number."),
    _Variable(
        "QPK_STATE_DIR",
        "state_dir",
        Path,
        "state",
        "Folder of the SQLite store, of dry runs and of the simulated broker's book.",
    ),
    _Variable(
        "QPK_STORE_URL",
        "store_url",
        _store_url,
        "",
        "Secret. A PostgreSQL database for the store; without it SQLite in the state folder.",
    ),
    _Variable(
        "QPK_NOTIFY_URLS", "notify_urls", _words, "", "Apprise addresses, separated by spaces."
    ),
    _Variable(
        "QPK_LANGUAGES", "languages", _languages, "en", "Languages of heartbeats: en, zh or both."
    ),
    _Variable(
        "QPK_CASH_FLOOR_USD", "cash_floor_usd", _dollars, "0", "Cash that is never invested."
    ),
    _Variable(
        "QPK_CAPITAL_LIMIT_USD",
        "capital_limit_usd",
        _optional_dollars,
        "",
        "The most that strategies may manage.",
    ),
    _Variable(
        "QPK_RISK_LIMITS_PATH",
        "risk_limits_path",
        _optional_path,
        "",
        "YAML file of the limits that every order is checked against.",
    ),
    _Variable(
        "QPK_RECONCILE_CASH_USD",
        "reconcile_cash_usd",
        _dollars,
        "1",
        "Cash that may differ from the broker's as interest or fees; more is money that moved.",
    ),
    _Variable(
        "QPK_RECONCILE_EQUITY_RATIO",
        "reconcile_equity_ratio",
        _ratio,
        "0.001",
        "How far the broker's equity may be from cash and holdings before the report says so.",
    ),
    _Variable(
        "QPK_RECONCILE_UNEXPLAINED_RATIO",
        "reconcile_unexplained_ratio",
        _ratio,
        "0.5",
        "Part of the managed value that may be unexplained in locked symbols; beyond it, no order.",
    ),
    _Variable(
        "QPK_FILL_DEADLINE_SECS",
        "fill_deadline_secs",
        _seconds,
        "120",
        "How long to wait for fills before cancelling.",
    ),
    _Variable(
        "QPK_STRATEGY_TIMEOUT_SECS",
        "strategy_timeout_secs",
        _seconds,
        "60",
        "How long a strategy may compute.",
    ),
    _Variable("QPK_COMMIT", "commit", _text, "", "Commit of the deployed image, for heartbeats."),
    _Variable(
        "QPK_BROKER",
        "broker",
        _broker,
        _SIMULATED,
        "simulated, or the platform's name: then its broker, through its SDK, in its own process.",
    ),
    _Variable(
        "QPK_SIMULATOR_CONTROL",
        "simulator_control",
        _optional_port,
        "",
        "Control port of a `qpk simulate` that stands for the broker: its clock is the service's.",
    ),
    _Variable(
        "QPK_SIMULATED_MARKET",
        "simulated_market",
        _text,
        "sample",
        "Price files of the simulated market, or `sample`.",
    ),
    _Variable(
        "QPK_SIMULATED_CASH_USD",
        "simulated_cash_usd",
        _dollars,
        "100000",
        "Opening cash of the simulated account.",
    ),
    _Variable(
        "QPK_SIMULATED_START",
        "simulated_start",
        _optional_date,
        "",
        "Session at which a replayed market starts.",
    ),
    _Variable(
        "QPK_SIMULATED_LATENCY_SECS",
        "simulated_latency_secs",
        _seconds,
        "0",
        "Pause before and after each simulated booking.",
    ),
)


_LOGINS: Mapping[Platform, tuple[_Variable, ...]] = {
    Platform.IBKR: (
        _Variable("IBKR_HOST", "host", _text, "127.0.0.1", "Where TWS or IB Gateway runs."),
        _Variable(
            "IBKR_PORT", "port", _port, "7497", "Its port; 7497 and 4002 are paper accounts' own."
        ),
        _Variable(
            "IBKR_CLIENT_ID",
            "client_id",
            int,
            "1",
            "Number of this service at TWS; no two programs share one.",
        ),
        _Variable(
            "IBKR_MESSAGES_PER_SEC",
            "messages_per_sec",
            int,
            "45",
            "Sent to TWS at most; it hangs up on more than half its market data lines. 0: no limit.",
        ),
    ),
    Platform.SCHWAB: (
        _Variable("SCHWAB_APP_KEY", "app_key", _text, None, "Of the application.", is_secret=True),
        _Variable(
            "SCHWAB_APP_SECRET", "app_secret", _text, None, "Of the application.", is_secret=True
        ),
        _Variable(
            "SCHWAB_TOKEN_PATH",
            "token_path",
            _text,
            None,
            "File of the token, kept up to date; the folder is kept, too.",
        ),
        _Variable(
            "SCHWAB_DIVIDENDS_PATH",
            "dividends_path",
            _optional_path,
            "",
            "CSV file of cash dividends (symbol,ex_date,amount_usd), for total-return bars.",
        ),
        _Variable("SCHWAB_URL", "base_url", _optional_text, "", "A simulator's address instead."),
    ),
    Platform.LONGBRIDGE: (
        _Variable("LONGPORT_APP_KEY", "app_key", _text, None, "Of the developer.", is_secret=True),
        _Variable(
            "LONGPORT_APP_SECRET", "app_secret", _text, None, "Of the developer.", is_secret=True
        ),
        _Variable(
            "LONGPORT_ACCESS_TOKEN",
            "access_token",
            _text,
            None,
            "Opens one account, for 90 days.",
            is_secret=True,
        ),
        _Variable("ACCOUNT_PREFIX", "prefix", _text, "", "What messages call the account: HK, SG."),
        _Variable("ACCOUNT_REGION", "region", _text, "", "Region of the account: HK, SG."),
        _Variable("LONGPORT_HTTP_URL", "http_url", _optional_text, "", "A simulator's address."),
        _Variable(
            "LONGPORT_QUOTE_WS_URL", "quote_url", _optional_text, "", "A simulator's address."
        ),
        _Variable(
            "LONGPORT_TRADE_WS_URL", "trade_url", _optional_text, "", "A simulator's address."
        ),
    ),
}
"""What each broker's connection is told; read where QPK_BROKER names the broker."""


def load_settings(platform: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every variable of a platform's service.

    Parameters
    ----------
    platform : str
        ``ibkr``, ``schwab`` or ``longbridge``.
    environ : mapping, optional
        Variables to read; the process's own when absent.

    Raises
    ------
    SettingsError
        For a variable that is unknown, unreadable, missing, given twice or at odds with another
        one; the message names it.
        Nothing is guessed: an unreadable value never becomes a default.
    """
    environ = os.environ if environ is None else environ
    try:
        kind = Platform(platform)
    except ValueError:
        choices = ", ".join(Platform)
        raise SettingsError(f"Unknown platform {platform!r}: expected one of {choices}.") from None
    _refuse_unknown(kind, environ)
    values = {variable.field: _value(variable, kind, environ) for variable in _VARIABLES}
    login = {}
    if values["broker"] != _SIMULATED:
        login = {variable.field: _value(variable, kind, environ) for variable in _LOGINS[kind]}
    settings = Settings(platform=kind, login=MappingProxyType(login), **values)
    _refuse_contradiction(settings)
    return settings


def reference() -> tuple[tuple[str, str, str], ...]:
    """Return (variable, default, meaning) of every setting, for the documentation."""
    logins = (variable for variables in _LOGINS.values() for variable in variables)
    return tuple(
        (
            f"<PLATFORM>_{v.name}" if v.of_platform else v.name,
            "required" if v.default is None else v.default,
            f"Secret, or {v.name}_FILE. {v.meaning}" if v.is_secret else v.meaning,
        )
        for v in (*_VARIABLES, *logins)
    )


def _names(variable: _Variable, platform: Platform) -> tuple[str, ...]:
    """Return the spellings of one variable: a platform's own may be written with its prefix."""
    if variable.of_platform:
        return (f"{platform.upper()}_{variable.name}", variable.name)
    if variable.is_secret:
        return (variable.name, f"{variable.name}{_IN_FILE}")
    return (variable.name,)


def _value(variable: _Variable, platform: Platform, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 (one reader for every type)
    given = [name for name in _names(variable, platform) if environ.get(name, "").strip()]
    if len(given) > 1:
        raise SettingsError(
            f"{given[0]} and {given[1]} are both set; keep one and remove the other."
        )
    text = environ[given[0]].strip() if given else variable.default
    if text is None:
        raise SettingsError(f"{variable.name} is not set: {variable.meaning}")
    if variable.is_secret and given and given[0].endswith(_IN_FILE):
        text = _content(given[0], text)
    try:
        return variable.read(text)
    except (ValueError, InvalidOperation):
        shown = "***" if variable.field in _SECRET or variable.is_secret else repr(text)
        wanted = _WANTED.get(variable.read, "a readable value")
        name = given[0] if given else variable.name
        raise SettingsError(f"{name} = {shown}: expected {wanted}.") from None


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} = {path!r}: the file cannot be read ({error}).") from error


def _refuse_unknown(platform: Platform, environ: Mapping[str, str]) -> None:
    variables = (*_VARIABLES, *_LOGINS[platform])
    known = {name for variable in variables for name in _names(variable, platform)}
    prefixes = ("QPK_", f"{platform.upper()}_")
    for name in sorted(environ):
        if name.startswith(prefixes) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(
                f"Unknown setting {name}.{hint} Remove it or correct its name: "
                "a service does not start with a setting it would ignore."
            )


def _refuse_contradiction(settings: Settings) -> None:
    mode = settings.execution_mode
    _require_one_choice(settings)
    if settings.broker not in {_SIMULATED, settings.platform}:
        raise SettingsError(
            f"QPK_BROKER is {settings.broker}, and this is the service of {settings.platform}: "
            f"expected simulated or {settings.platform}."
        )
    if settings.simulator_control is not None and (
        settings.broker == _SIMULATED or mode is ExecutionMode.LIVE
    ):
        raise SettingsError(
            "QPK_SIMULATOR_CONTROL is set, but the service does not trade through a simulator: "
            "that needs QPK_BROKER with the platform's name, and a mode that is not live. Remove "
            "it, or set the other two."
        )
    if settings.strategies_dir is not None and mode is not ExecutionMode.DRY_RUN:
        raise SettingsError(
            f"QPK_STRATEGIES_DIR is set and EXECUTION_MODE is {mode.value}: strategies of a folder "
            "may run in dry_run only. Remove one of the two, or install the strategy as a package."
        )


def _require_one_choice(settings: Settings) -> None:
    """Require one profile or a file of several; what belongs to one stands in the file then."""
    if settings.sleeves_path is None:
        if not settings.strategy_profile:
            raise SettingsError(
                "STRATEGY_PROFILE is not set: name the profile to run, see `qpk profiles`; or set "
                "QPK_SLEEVES_PATH to a file of several."
            )
        return
    alone = {
        "STRATEGY_PROFILE": settings.strategy_profile,
        "STRATEGY_CONFIG_PATH": settings.strategy_config_path,
        "FEATURE_SNAPSHOT_PATH": settings.feature_snapshot_path,
        "FEATURE_SNAPSHOT_MANIFEST_PATH": settings.feature_snapshot_manifest_path,
    }
    given = [name for name, value in alone.items() if value]
    if given:
        raise SettingsError(
            f"QPK_SLEEVES_PATH is set, and {given[0]} too: a file of sleeves says for each of them "
            "which profile, configuration and snapshot it has. Keep one of the two."
        )
