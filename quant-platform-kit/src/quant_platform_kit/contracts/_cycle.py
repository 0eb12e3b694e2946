"""A run's request, report and heartbeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from quant_platform_kit.contracts._decision import Decision
from quant_platform_kit.contracts._market import Adjustment
from quant_platform_kit.contracts._modes import Environment, ExecutionMode
from quant_platform_kit.contracts._orders import OrderStatus, OrderTerms, Purpose, Side
from quant_platform_kit.contracts._plan import FrozenSleeve, Leg, Skipped
from quant_platform_kit.contracts._strategy import InputMode
from quant_platform_kit.contracts._validate import check_text, refuse
from quant_platform_kit.contracts._verdicts import LegVerdict
from quant_platform_kit.errors import ReasonCode

_AT_MARKET = OrderTerms()


class Outcome(StrEnum):
    """Every slot ends in exactly one of these."""

    TRADED = "TRADED"
    NO_ACTION = "NO_ACTION"
    BLOCKED = "BLOCKED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class CycleRequest:
    """What a caller asks for.

    Parameters
    ----------
    slot : str
        A scheduled slot (``close``) or a manual run's own name, which is then its own slot.
    session : date or None
        The session the caller means; None means the clock's. On a market that is replayed the
        clock is moved to it; on a real one a different session is refused.
    strategies : tuple of str or None
        Narrows the run to these sleeves; the others are frozen, never zeroed. Empty is an error.
    """

    slot: str = "close"
    session: date | None = None
    strategies: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse an unnamed slot and an empty list of strategies."""
        check_text(self, "slot", self.slot)
        if not all(c.isalnum() or c in "-_." for c in self.slot):
            raise refuse(self, "slot", self.slot, "letters, digits, '-', '_' or '.'")
        if self.strategies is not None:
            self._check_strategies(self.strategies)

    def _check_strategies(self, strategies: object) -> None:
        if not isinstance(strategies, tuple) or not strategies:
            raise refuse(
                self,
                "strategies",
                strategies,
                "a list of at least one profile, or nothing at all for every one",
            )
        for profile in strategies:
            check_text(self, "strategies", profile)


@dataclass(frozen=True, slots=True)
class StrategyIdentity:
    """A strategy under the names people know it by, whatever became of its slot."""

    profile: str
    display_name: Mapping[str, str]
    input_mode: InputMode


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The feature snapshot a decision read."""

    profile: str
    as_of: date
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class HistoryRef:
    """The daily bars a decision read: every session of the span for every symbol, none forming."""

    adjustment: Adjustment
    symbols: int
    first_session: date
    last_session: date


@dataclass(frozen=True, slots=True)
class SleeveDecision:
    """What one strategy answered, the digest of what it was told, and what it read."""

    profile: str
    decision: Decision
    inputs_sha256: str = ""
    snapshot: SnapshotRef | None = None
    history: HistoryRef | None = None


@dataclass(frozen=True, slots=True)
class PositionLine:
    """One holding in a report; weights are shares of the capital base."""

    symbol: str
    quantity: Decimal
    price_usd: Decimal | None
    value_usd: Decimal | None
    weight: Decimal | None
    target_weight: Decimal | None
    managed: bool


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order in a report, from leg to fills."""

    client_id: str
    broker_order_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    average_price_usd: Decimal | None
    fee_usd: Decimal
    status: OrderStatus
    code: ReasonCode | None
    detail: str
    leg: Leg
    purpose: Purpose = Purpose.REBALANCE
    terms: OrderTerms = _AT_MARKET
    parent_client_id: str | None = None


@dataclass(frozen=True, slots=True)
class CycleReport:
    """Everything one run did and saw; stored under its key and returned to every later caller.

    Money in USD. `environment` is what the connected broker says it is; None when the run ended
    before the broker was asked. `account` is masked: reports travel. `verdicts` holds the last
    risk checks of every leg, in the order of the plan. `bundle` is the id of the tested combination
    that the service is made of; empty where it was not built from one. `evidence_sha256` stands for
    all evidence up to this run: whoever has it can tell that none was changed or cut off.
    `outdated` is True when the broker could not be asked after the run's orders: money and
    positions are those from before.

    `dividends_usd` is what holdings paid, after tax, by symbol, as far as this run was the first to
    be told of it; blank stands for those of which the broker tells no symbol.

    `service` is the name under which it was deployed; empty on a desk. `gate` is how the trading
    gate stood when the run ended. `exposure_ratio` is the share of the capital base that is held in
    managed symbols other than safe havens; None when that is not known. `stale_variables` names
    the variables of other platforms' services that were set and had no effect.
    """

    run_key: str
    platform: str
    account: str
    session: date | None
    slot: str
    mode: ExecutionMode
    environment: Environment | None
    outcome: Outcome
    code: ReasonCode | None
    reason: str
    started_at: datetime
    finished_at: datetime
    attempt: int = 1
    strategies: tuple[StrategyIdentity, ...] = ()
    decisions: tuple[SleeveDecision, ...] = ()
    frozen: tuple[FrozenSleeve, ...] = ()
    capital_base_usd: Decimal | None = None
    equity_usd: Decimal | None = None
    cash_usd: Decimal | None = None
    positions: tuple[PositionLine, ...] = ()
    orders: tuple[OrderLine, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    verdicts: tuple[LegVerdict, ...] = ()
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    commit: str = ""
    bundle: str = ""
    evidence_sha256: str = ""
    outdated: bool = False
    service: str = ""
    gate: str = ""
    exposure_ratio: Decimal | None = None
    stale_variables: tuple[str, ...] = ()
    dividends_usd: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def snapshots(self) -> tuple[SnapshotRef, ...]:
        """The feature snapshots that the run's decisions read."""
        return tuple(d.snapshot for d in self.decisions if d.snapshot is not None)

    @property
    def histories(self) -> tuple[HistoryRef, ...]:
        """The daily bars that the run's decisions read."""
        return tuple(d.history for d in self.decisions if d.history is not None)

    @property
    def consumes_slot(self) -> bool:
        """True when a later call with the same key must get this report, not a new run."""
        return self.outcome in (Outcome.TRADED, Outcome.NO_ACTION) and self.code not in (
            ReasonCode.MARKET_CLOSED,
            ReasonCode.OUTSIDE_WINDOW,
        )

    @property
    def turnover_usd(self) -> Decimal:
        """Traded value of the run's fills."""
        return sum(
            (o.filled_quantity * o.average_price_usd for o in self.orders if o.average_price_usd),
            Decimal(0),
        )


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One message to operators about one run, in one language."""

    run_key: str
    language: str
    title: str
    body: str

    def __post_init__(self) -> None:
        """Refuse a blank message."""
        for name in ("run_key", "language", "title", "body"):
            check_text(self, name, getattr(self, name))
