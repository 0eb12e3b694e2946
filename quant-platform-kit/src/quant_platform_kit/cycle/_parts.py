"""What a cycle runs on, and what it knows so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from quant_platform_kit.brokers import Broker
from quant_platform_kit.contracts import (
    CycleRequest,
    ExecutionMode,
    LegVerdict,
    OperatorCommand,
    OrderPlan,
    PortfolioSnapshot,
    Quote,
    Skipped,
    SleeveDecision,
    TargetPortfolio,
)
from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.inputs import Inputs, SnapshotSource
from quant_platform_kit.ledger import Tolerances
from quant_platform_kit.market import Clock, ExchangeCalendar, SlotWindow
from quant_platform_kit.notify import Outbox
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.risk import Limits, Losses
from quant_platform_kit.store import AccountLease, RunFrame, Store
from quant_platform_kit.strategy import Strategy


@dataclass(frozen=True, slots=True)
class SleevePart:
    """One strategy of the account and its share of the capital.

    A single strategy is one sleeve of weight 1. `snapshots` is where its feature snapshots are
    published, if it reads any.
    """

    strategy: Strategy
    weight: Decimal = Decimal(1)
    snapshots: SnapshotSource | None = None

    @property
    def profile(self) -> str:
        """The strategy's canonical name, which is also the sleeve's."""
        return self.strategy.manifest.profile


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a cycle runs on; `runtime` builds it.

    `account` is the alias that keys, reports and messages carry, never the broker's number.
    `replay` moves a simulated market's clock into a window; None on a real one.
    `limits` are the operators', before the bias. `reconciliation_output` is a file that gets the
    record of each reconciliation, made with `tolerances`. `service` is the name under which it was
    deployed, `stale_variables` names what was set for services of other platforms.
    """

    platform: str
    account: str
    mode: ExecutionMode
    sleeves: tuple[SleevePart, ...]
    broker: Broker
    store: Store
    lease: AccountLease
    clock: Clock
    calendar: ExchangeCalendar
    outbox: Outbox
    languages: tuple[str, ...]
    policy: CapitalPolicy
    limits: Limits = field(default_factory=Limits)
    replay: Callable[[SlotWindow], None] | None = None
    fill_deadline_secs: float = 120.0
    strategy_timeout_secs: float = 60.0
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    commit: str = ""
    bundle: str = ""
    reconciliation_output: Path | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)
    service: str = ""
    stale_variables: tuple[str, ...] = ()

    @contextmanager
    def account_held(self) -> Iterator[None]:
        """Hold the account's lease; what its broker gives to one program is given back at the end.

        Raises
        ------
        SlotBusy
            When a run of the account is in progress.
        """
        with self.lease.held():
            try:
                yield
            finally:
                self.broker.release()

    def owners(self) -> dict[str, str]:
        """Return every managed symbol and the first sleeve that manages it."""
        owners: dict[str, str] = {}
        for sleeve in self.sleeves:
            for symbol in sleeve.strategy.manifest.managed:
                owners.setdefault(symbol, sleeve.profile)
        return owners


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the account stands before this run trades.

    `limits` are those after the bias, `losses` are measured against them, and `prices_usd` are of
    everything that is held.
    """

    limits: Limits
    losses: Losses
    prices_usd: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known so far; a step that fails leaves the last one for the report.

    `frame` is what an earlier, cut-off attempt of this run had decided. `command` is an operator's,
    in whose run no strategy is asked. `refused` are legs that a
    check stopped, `verdicts` the last checks of every leg. Fields are empty until their step has
    run.
    """

    request: CycleRequest
    run_key: str
    session: date | None
    started_at: datetime
    attempt: int
    frame: RunFrame | None = None
    command: OperatorCommand | None = None
    inputs: Mapping[str, Inputs] = field(default_factory=lambda: MappingProxyType({}))
    decisions: tuple[SleeveDecision, ...] = ()
    snapshot: PortfolioSnapshot | None = None
    standing: Standing | None = None
    target: TargetPortfolio | None = None
    quotes: Mapping[str, Quote] = field(default_factory=lambda: MappingProxyType({}))
    plan: OrderPlan | None = None
    refused: tuple[Skipped, ...] = ()
    verdicts: tuple[LegVerdict, ...] = ()
    notes: tuple[str, ...] = ()

    def known_session(self) -> date:
        """Return the session, once `open_slot` has required one."""
        if self.session is None:
            raise RefuseRun("No session of the exchange today.", code=ReasonCode.MARKET_CLOSED)
        return self.session
