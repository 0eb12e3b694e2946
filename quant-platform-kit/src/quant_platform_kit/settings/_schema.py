"""What a service is told from outside, and the variables that say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.secret_manager import GOOGLE_URL
from quant_platform_kit.settings import _variable as read
from quant_platform_kit.settings._variable import SIMULATED, Platform, Variable


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a service is told from outside.

    Field names carry units; the variables behind them are listed by `reference`. `spellings` says
    under which name each of those that are set was found, by field; `stale_variables` names what is
    set for services of other platforms.
    """

    platform: Platform
    strategy_profile: str
    execution_mode: ExecutionMode
    strategy_config_path: Path | None
    sleeves_path: Path | None
    strategies_dir: Path | None
    feature_snapshot_path: Path | str | None
    feature_snapshot_manifest_path: Path | str | None
    reconciliation_output_path: Path | None
    account_id: str
    state_dir: Path
    store_url: str
    notify_urls: tuple[str, ...]
    secret_manager_url: str
    languages: tuple[str, ...]
    cash_floor_usd: Decimal
    capital_limit_usd: Decimal | None
    risk_limits_path: Path | None
    reconcile_cash_usd: Decimal
    reconcile_equity_ratio: Decimal
    reconcile_unexplained_ratio: Decimal
    fill_deadline_secs: float
    strategy_timeout_secs: float
    service: str
    commit: str
    bundle_path: Path | None
    rollout_path: Path | None
    broker: str
    login: Mapping[str, Any]
    simulator_control: int | None
    simulated_market: str
    simulated_actions_path: Path | None
    simulated_cash_usd: Decimal
    simulated_account_type: str
    simulated_settlement_sessions: int
    simulated_participation_ratio: Decimal | None
    simulated_half_spread_ratio: Decimal
    simulated_impact_ratio: Decimal
    simulated_impact_grows: str
    simulated_start: date | None
    simulated_latency_secs: float
    stale_variables: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )

    def __repr__(self) -> str:
        """Show every setting, the secret ones only as present or absent."""
        shown = ", ".join(f"{f.name}={self._shown(f.name)}" for f in fields(self))
        return f"Settings({shown})"

    @property
    def is_simulated(self) -> bool:
        """Whether the broker is the simulated one of this process."""
        return self.broker == SIMULATED

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        return "***" if name in SECRET_FIELDS and value else repr(value)


ACCOUNT: Final = Variable(
    "QPK_ACCOUNT_ID",
    "account_id",
    read.text,
    SIMULATED,
    "The broker's account number; required where QPK_BROKER names the broker.",
    is_secret=True,
)
SECRET_MANAGER: Final = Variable(
    "QPK_SECRET_MANAGER_URL",
    "secret_manager_url",
    read.secret_service,
    GOOGLE_URL,
    "Where secrets are asked for: Google's service, a region's own, or one on loopback.",
)

VARIABLES: Final = (
    Variable(
        "STRATEGY_PROFILE",
        "strategy_profile",
        read.text,
        "",
        "Profile to run; see `qpk profiles`. Required without QPK_SLEEVES_PATH.",
    ),
    Variable(
        "EXECUTION_MODE", "execution_mode", ExecutionMode, "dry_run", "dry_run, paper or live."
    ),
    Variable(
        "STRATEGY_CONFIG_PATH",
        "strategy_config_path",
        read.optional_path,
        "",
        "The profile's configuration file (.json or .toml); its key `profile` may say whose it is.",
        of_platform=True,
    ),
    Variable(
        "QPK_SLEEVES_PATH",
        "sleeves_path",
        read.optional_path,
        "",
        "File of several strategies that share the account (.toml or .json), instead of one.",
    ),
    Variable(
        "QPK_STRATEGIES_DIR",
        "strategies_dir",
        read.optional_path,
        "",
        "Folder of drop-in strategy files for research; dry_run only.",
    ),
    Variable(
        "FEATURE_SNAPSHOT_PATH",
        "feature_snapshot_path",
        read.optional_location,
        "",
        "Published snapshots: a folder with latest.json, or one file; gs:// for a bucket.",
        of_platform=True,
    ),
    Variable(
        "FEATURE_SNAPSHOT_MANIFEST_PATH",
        "feature_snapshot_manifest_path",
        read.optional_location,
        "",
        "Manifest, where the snapshot path is one file.",
        of_platform=True,
    ),
    Variable(
        "RECONCILIATION_OUTPUT_PATH",
        "reconciliation_output_path",
        read.optional_path,
        "",
        "Where the record of each reconciliation is written.",
        of_platform=True,
    ),
    ACCOUNT,
    Variable(
        "QPK_STATE_DIR",
        "state_dir",
        Path,
        "state",
        "Folder of the SQLite store, of dry runs and of the simulated broker's book.",
    ),
    Variable(
        "QPK_STORE_URL",
        "store_url",
        read.store_url,
        "",
        "A PostgreSQL database for the store; without it SQLite in the state folder.",
        is_secret=True,
    ),
    Variable(
        "QPK_NOTIFY_URLS",
        "notify_urls",
        read.channels,
        "",
        "Apprise addresses, separated by spaces.",
        is_secret=True,
    ),
    SECRET_MANAGER,
    Variable(
        "QPK_LANGUAGES",
        "languages",
        read.languages,
        "en",
        "Languages of heartbeats: en, zh or both.",
    ),
    Variable(
        "QPK_CASH_FLOOR_USD", "cash_floor_usd", read.dollars, "0", "Cash that is never invested."
    ),
    Variable(
        "QPK_CAPITAL_LIMIT_USD",
        "capital_limit_usd",
        read.optional_dollars,
        "",
        "The most that strategies may manage.",
    ),
    Variable(
        "QPK_RISK_LIMITS_PATH",
        "risk_limits_path",
        read.optional_path,
        "",
        "YAML file of the limits that every order is checked against.",
    ),
    Variable(
        "QPK_RECONCILE_CASH_USD",
        "reconcile_cash_usd",
        read.dollars,
        "1",
        "Cash that may differ from the broker's as interest or fees; more is money that moved.",
    ),
    Variable(
        "QPK_RECONCILE_EQUITY_RATIO",
        "reconcile_equity_ratio",
        read.ratio,
        "0.001",
        "How far the broker's equity may be from cash and holdings before the report says so.",
    ),
    Variable(
        "QPK_RECONCILE_UNEXPLAINED_RATIO",
        "reconcile_unexplained_ratio",
        read.ratio,
        "0.5",
        "Part of the managed value that may be unexplained in locked symbols; beyond it, no order.",
    ),
    Variable(
        "QPK_FILL_DEADLINE_SECS",
        "fill_deadline_secs",
        read.seconds,
        "120",
        "How long to wait for fills before cancelling.",
    ),
    Variable(
        "QPK_STRATEGY_TIMEOUT_SECS",
        "strategy_timeout_secs",
        read.time_limit,
        "60",
        "How long a strategy may compute.",
    ),
    Variable(
        "K_SERVICE", "service", read.text, "", "Name of the service, as Cloud Run gives it to it."
    ),
    Variable(
        "QPK_COMMIT", "commit", read.text, "", "Commit of the deployed image, for heartbeats."
    ),
    Variable(
        "QPK_BUNDLE_PATH",
        "bundle_path",
        read.optional_path,
        "",
        "The bundle of the image (bundle.json): where it is not what is installed, no start.",
    ),
    Variable(
        "QPK_ROLLOUT_PATH",
        "rollout_path",
        read.optional_path,
        "",
        "The platform's rollout list (platform.toml): a profile that is not on it does not start.",
    ),
    Variable(
        "QPK_BROKER",
        "broker",
        read.broker,
        SIMULATED,
        "simulated, or the platform's name: then its broker, through its SDK, in its own process.",
    ),
    Variable(
        "QPK_SIMULATOR_CONTROL",
        "simulator_control",
        read.optional_port,
        "",
        "Control port of a `qpk simulate` that stands for the broker: its clock is the service's.",
    ),
    Variable(
        "QPK_SIMULATED_MARKET",
        "simulated_market",
        read.text,
        "sample",
        "Price files of the simulated market, or `sample`.",
    ),
    Variable(
        "QPK_SIMULATED_ACTIONS_PATH",
        "simulated_actions_path",
        read.optional_path,
        "",
        "CSV file of its splits and dividends; its prices are raw then.",
    ),
    Variable(
        "QPK_SIMULATED_CASH_USD",
        "simulated_cash_usd",
        read.dollars,
        "100000",
        "Opening cash of the simulated account.",
    ),
    Variable(
        "QPK_SIMULATED_ACCOUNT_TYPE",
        "simulated_account_type",
        read.account_type,
        "margin",
        "margin, or cash: there a sale pays for a purchase when it settles.",
    ),
    Variable(
        "QPK_SIMULATED_SETTLEMENT_SESSIONS",
        "simulated_settlement_sessions",
        read.settlement,
        "1",
        "From a simulated sale to its settlement.",
    ),
    Variable(
        "QPK_SIMULATED_PARTICIPATION_RATIO",
        "simulated_participation_ratio",
        read.optional_participation,
        "",
        "Of a session's volume, what it takes of the account's orders; without it everything.",
    ),
    Variable(
        "QPK_SIMULATED_HALF_SPREAD_RATIO",
        "simulated_half_spread_ratio",
        read.cost,
        "0",
        "What every simulated trade pays, of the price.",
    ),
    Variable(
        "QPK_SIMULATED_IMPACT_RATIO",
        "simulated_impact_ratio",
        read.cost,
        "0",
        "What taking a session's whole volume pays on top.",
    ),
    Variable(
        "QPK_SIMULATED_IMPACT_GROWS",
        "simulated_impact_grows",
        read.impact,
        "square_root",
        "How that grows with an order's share of the volume: square_root or linear.",
    ),
    Variable(
        "QPK_SIMULATED_START",
        "simulated_start",
        read.optional_date,
        "",
        "Session at which a replayed market starts.",
    ),
    Variable(
        "QPK_SIMULATED_LATENCY_SECS",
        "simulated_latency_secs",
        read.seconds,
        "0",
        "Pause before and after each simulated booking.",
    ),
)

SECRET_FIELDS: Final = frozenset({"login", *(each.field for each in VARIABLES if each.is_secret)})
