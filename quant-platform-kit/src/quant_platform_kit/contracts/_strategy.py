"""What a strategy declares about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._market import Adjustment
from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_symbol,
    check_text,
    check_unique,
    refuse,
)

_LANGUAGES = ("en", "zh")
_COLUMNS = ("open", "high", "low", "close", "volume")


class Cadence(StrEnum):
    """How often a strategy may change its wish."""

    DAILY = "daily"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class TargetMode(StrEnum):
    """The unit of every target in one decision; never mixed."""

    WEIGHT = "weight"
    VALUE = "value"


class BandGoal(StrEnum):
    """Where a holding that has left its no-trade band is brought: its target or the band's edge."""

    TARGET = "target"
    EDGE = "edge"


class InputMode(StrEnum):
    """Where a profile's signal comes from: prices at run time, or a published snapshot."""

    DIRECT = "direct"
    SNAPSHOT = "snapshot"


class Role(StrEnum):
    """What a profile is for, in an account of several."""

    GROWTH = "growth"
    DEFENSIVE = "defensive"
    INCOME = "income"
    ACCUMULATION = "accumulation"
    EXAMPLE = "example"


class ProfileStatus(StrEnum):
    """The ladder a profile climbs; paper and live need at least PAPER and RUNTIME_ENABLED."""

    RESEARCH = "research"
    SHADOW = "shadow"
    PAPER = "paper"
    RUNTIME_ENABLED = "runtime_enabled"


@dataclass(frozen=True, slots=True)
class HistoryInput:
    """Daily bars a strategy needs: every symbol, at least `sessions` complete sessions.

    `columns` are those it reads, of open, high, low, close and volume.
    """

    symbols: tuple[str, ...]
    sessions: int
    adjustment: Adjustment = Adjustment.TOTAL_RETURN
    columns: tuple[str, ...] = ("close",)

    def __post_init__(self) -> None:
        """Refuse an empty or repeated list, or no sessions."""
        if not self.symbols:
            raise refuse(self, "symbols", self.symbols, "at least one symbol")
        for symbol in self.symbols:
            check_symbol(self, "symbols", symbol)
        check_unique(self, "symbols", self.symbols)
        if self.sessions < 1:
            raise refuse(self, "sessions", self.sessions, "at least one session")
        if "close" not in self.columns or not set(self.columns) <= set(_COLUMNS):
            raise refuse(self, "columns", self.columns, f"close, and others of {_COLUMNS}")


@dataclass(frozen=True, slots=True)
class SnapshotInput:
    """The published feature file a strategy needs.

    Parameters
    ----------
    contract : str
        The file's schema and version.
    columns : tuple of str
    max_age_sessions : int
        Exchange sessions from the snapshot's date to the session that trades on it. Older, and the
        publication that should have replaced it has failed.
    execution_window_sessions : int or None
        Sessions after the snapshot's date on which the profile acts on it, counted the same way;
        later its decision is HOLD until the next snapshot, and BLOCKED once this one is overdue.
        None when it acts on any snapshot that is not.
    """

    contract: str
    columns: tuple[str, ...]
    max_age_sessions: int
    execution_window_sessions: int | None = None

    def __post_init__(self) -> None:
        """Refuse an unnamed contract, a negative age, or a window that never closes or opens."""
        check_text(self, "contract", self.contract)
        check_unique(self, "columns", self.columns)
        if self.max_age_sessions < 0:
            raise refuse(self, "max_age_sessions", self.max_age_sessions, "zero or more sessions")
        window = self.execution_window_sessions
        if window is not None and not 1 <= window <= self.max_age_sessions:
            raise refuse(
                self,
                "execution_window_sessions",
                window,
                f"1 or more, and at most max_age_sessions = {self.max_age_sessions}",
            )


@dataclass(frozen=True, slots=True)
class ExecutionHints:
    """What a strategy may say about its execution; everything else belongs to the platform.

    Parameters
    ----------
    rebalance_threshold_ratio : Decimal
        No-trade band around each target, as a share of the sleeve's capital. A symbol that is
        not held yet is bought all the same.
    cash_reserve_ratio : Decimal
        Share of the sleeve's capital that never buys anything.
    min_trade_usd : Decimal
        Smaller differences are left alone, but a zero target always sells.
    buy_only : bool
        No share is ever sold, whatever the targets say.
    band_trades_to : BandGoal
        How far a holding outside its band is traded.
    """

    rebalance_threshold_ratio: Decimal = ZERO
    cash_reserve_ratio: Decimal = ZERO
    min_trade_usd: Decimal = ZERO
    buy_only: bool = False
    band_trades_to: BandGoal = BandGoal.TARGET

    def __post_init__(self) -> None:
        """Refuse ratios outside [0, 1)."""
        for field in ("rebalance_threshold_ratio", "cash_reserve_ratio"):
            value = getattr(self, field)
            check_decimal(self, field, value, least=ZERO)
            if value >= 1:
                raise refuse(self, field, value, "a ratio below 1")
        check_decimal(self, "min_trade_usd", self.min_trade_usd, least=ZERO)


@dataclass(frozen=True, slots=True)
class StrategyManifest:
    """Everything a profile says about itself, once.

    Parameters
    ----------
    profile : str
        Canonical name, as in ``STRATEGY_PROFILE``.
    aliases : tuple of str
        Other names that resolve to it.
    display_name, description : mapping of str to str
        By language; ``en`` and ``zh`` are required.
    cadence : Cadence
    benchmark : str
        Symbol or index the profile is measured against.
    safe_haven : str or None
        Symbol that holds what is not invested; None keeps cash.
    status : ProfileStatus
    target_mode : TargetMode
    managed : tuple of str
        The complete managed universe: a managed symbol absent from a REBALANCE means zero.
    history, snapshot : optional
        Declared inputs. The input mode follows from them.
    reads_portfolio : bool
        Whether the decision depends on what the sleeve holds in dollars.
    role : Role
    domain : str
        The market it allocates; a platform that does not serve it cannot run it.
    hints : ExecutionHints
    icon : str
        One character for tables and messages.
    """

    profile: str
    display_name: Mapping[str, str]
    description: Mapping[str, str]
    cadence: Cadence
    benchmark: str
    target_mode: TargetMode
    status: ProfileStatus
    managed: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    safe_haven: str | None = None
    history: HistoryInput | None = None
    snapshot: SnapshotInput | None = None
    reads_portfolio: bool = False
    role: Role = Role.GROWTH
    domain: str = "us_equity"
    hints: ExecutionHints = ExecutionHints()
    icon: str = "•"

    def __post_init__(self) -> None:
        """Refuse a manifest that leaves something the platform needs unsaid."""
        check_text(self, "profile", self.profile)
        for field in ("display_name", "description"):
            texts = getattr(self, field)
            for language in _LANGUAGES:
                check_text(self, f"{field}[{language}]", texts.get(language))
        if not self.managed:
            raise refuse(self, "managed", self.managed, "at least one managed symbol")
        for symbol in self.managed:
            check_symbol(self, "managed", symbol)
        check_unique(self, "managed", self.managed)
        if self.safe_haven is not None and self.safe_haven not in self.managed:
            raise refuse(self, "safe_haven", self.safe_haven, "a managed symbol, or None for cash")
        if self.history is None and self.snapshot is None:
            raise refuse(self, "history", None, "a history input, a snapshot input, or both")

    @property
    def input_mode(self) -> InputMode:
        """SNAPSHOT when a published file is needed, else DIRECT."""
        return InputMode.DIRECT if self.snapshot is None else InputMode.SNAPSHOT
