"""The composition root: settings become the parts of a cycle, and nothing else does that."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quant_platform_kit import __version__
from quant_platform_kit.brokers import (
    AccountAccess,
    Broker,
    DryRunBroker,
    FrameMarket,
    IsolatedBroker,
    Opening,
    SimulatedBroker,
    open_market,
)
from quant_platform_kit.bundle import installed_bundle
from quant_platform_kit.contracts import (
    ChainBreak,
    CycleReport,
    CycleRequest,
    EvidenceEntry,
    ExecutionMode,
    FeeModel,
    Heartbeat,
    OperatorCommand,
    TradingRules,
)
from quant_platform_kit.cycle import (
    DRY_RUN_SUFFIX,
    CycleResult,
    Parts,
    Prospect,
    SleevePart,
    operate,
    prospect,
    reconcile_now,
    run_cycle,
)
from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.inputs import SnapshotSource
from quant_platform_kit.ledger import Reconciliation, Tolerances
from quant_platform_kit.market import (
    Clock,
    ExchangeCalendar,
    SimulatedClock,
    SlotWindow,
    SystemClock,
    xnys,
)
from quant_platform_kit.notify import Outbox, heartbeat
from quant_platform_kit.orders import Journal, JournalOrder
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.risk import Limits, load_limits, record
from quant_platform_kit.settings import Settings
from quant_platform_kit.store import (
    AccountLease,
    Evidence,
    RunBook,
    Store,
    StoredNotes,
    passing_disk,
)
from quant_platform_kit.strategy import (
    Catalog,
    SleeveSpec,
    load_catalog,
    read_sleeves,
    require_allowed,
)

if TYPE_CHECKING:
    from quant_platform_kit.simulators import SimulatorControl

__all__ = ["Controls", "Runtime", "open_broker", "open_controls", "open_runtime"]

SIMULATED_RULES: Final = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))
"""Whole shares and five basis points a trade: near what the three brokers' customers pay."""

_TRADED: Final = (ExecutionMode.LIVE, ExecutionMode.PAPER)


@dataclass(frozen=True, slots=True)
class Runtime:
    """One account, its strategies, one broker connection, ready to run slots.

    Close it when done; `open_runtime` makes it.
    """

    settings: Settings
    parts: Parts

    def run(self, request: CycleRequest, *, dry_run: bool = False) -> CycleResult:
        """Run one slot in the settings' mode, or without consequences when `dry_run`.

        Raises
        ------
        SlotBusy
            When another run of the account is in progress.
        """
        if not (dry_run or self.parts.mode is ExecutionMode.DRY_RUN):
            return run_cycle(self.parts, request)
        with self._scratch() as scratch:
            self._prepare(scratch)
            return run_cycle(self._rehearsal(scratch), request)

    def _prepare(self, scratch: Store) -> None:
        """Make `scratch` know what the live store knows, unless a dry run is working on it."""
        with self._lease_of(scratch).held():
            scratch.clear()
            if self.parts.mode is not ExecutionMode.DRY_RUN or self.parts.store.read_only:
                scratch.seed_from(self.parts.store)

    def _rehearsal(self, scratch: Store) -> Parts:
        """Return the same parts on a scratch copy of the store and a virtual book."""
        return replace(
            self.parts,
            mode=ExecutionMode.DRY_RUN,
            store=scratch,
            broker=DryRunBroker(self.parts.broker, self.parts.clock),
            lease=self._lease_of(scratch),
            outbox=Outbox(scratch, self.settings.notify_urls, self.parts.clock),
        )

    def _lease_of(self, scratch: Store) -> AccountLease:
        return AccountLease(scratch, self.parts.account, self.parts.clock.now)

    @contextmanager
    def _scratch(self) -> Iterator[Store]:
        scratch = Store.open(_store_path(self.settings, ExecutionMode.DRY_RUN))
        try:
            yield scratch
        finally:
            scratch.close()

    def reconcile(self, accepted: AbstractSet[str], *, who: str, why: str) -> Reconciliation:
        """Compare broker and ledger outside a run; in `accepted` symbols the ledger gives way.

        Raises
        ------
        SettingsError
            In a dry run, which has no ledger of its own to compare.
        SlotBusy
            When a run of the account is in progress.
        ReconciliationError
            As a run would.
        """
        if self.parts.mode is ExecutionMode.DRY_RUN:
            raise SettingsError(
                "EXECUTION_MODE is dry_run: there is no ledger to reconcile, and nothing was "
                "changed. Set it to the mode of the service that is meant, paper or live."
            )
        if accepted:
            detail = {"symbols": sorted(accepted), "why": why}
            record(self.parts.store, who, "accept", detail, self.parts.clock)
        return reconcile_now(self.parts, accepted)

    def prospect(self, command: OperatorCommand) -> Prospect:
        """Return what an operator's command would do now; changes nothing.

        Raises
        ------
        SettingsError, ContractError, RefuseRun
            As `operate`.
        """
        self._require_trading()
        return prospect(self.parts, command)

    def operate(self, command: OperatorCommand) -> CycleReport:
        """Carry out an operator's command: cancel, close or flatten.

        Raises
        ------
        SettingsError
            In a dry run, which has nothing to sell or cancel.
        SlotBusy
            When a run of the account is in progress.
        ContractError
            When it names no order, or more than one.
        RefuseRun
            When it names a symbol that nothing manages.
        """
        self._require_trading()
        return operate(self.parts, command)

    def _require_trading(self) -> None:
        if self.parts.mode is ExecutionMode.DRY_RUN:
            raise SettingsError(
                "EXECUTION_MODE is dry_run: nothing is held or working there, and nothing was "
                "done. Set it to the mode of the service that is meant, paper or live."
            )

    def heartbeats(self, report: CycleReport) -> tuple[Heartbeat, ...]:
        """Return the messages of a report, one for each language of the settings."""
        return tuple(heartbeat(report, language) for language in self.settings.languages)

    def report(self, run_key: str) -> CycleReport | None:
        """Return the latest report of a run; None when there is none."""
        if run_key.endswith(DRY_RUN_SUFFIX):
            with self._scratch() as scratch:
                return RunBook(scratch).report(run_key)
        return RunBook(self.parts.store).report(run_key)

    def reports(self, count: int = 1) -> tuple[CycleReport, ...]:
        """Return the reports of the latest runs of the settings' mode, newest first."""
        if self.parts.mode is ExecutionMode.DRY_RUN:
            with self._scratch() as scratch:
                return RunBook(scratch).latest(count)
        return RunBook(self.parts.store).latest(count)

    def find_orders(self, text: str) -> tuple[JournalOrder, ...]:
        """Return orders whose client id starts with `text`, or whose broker id is `text`."""
        found = Journal(self.parts.store, self.parts.clock).find(text)
        if found:
            return found
        with self._scratch() as scratch:  # a dry run's orders are kept until the next one
            return Journal(scratch, self.parts.clock).find(text)

    def evidence(self, order: JournalOrder) -> tuple[tuple[EvidenceEntry, ...], ChainBreak | None]:
        """Return what is kept of an order and of its run, and where the chain breaks, if it does.

        Oldest first, up to the break: what comes after it proves nothing.
        """
        if order.run_key.endswith(DRY_RUN_SUFFIX):
            with self._scratch() as scratch:
                return _evidence(Evidence(scratch), order)
        return _evidence(Evidence(self.parts.store), order)

    def close(self) -> None:
        """Release the broker's process and the store."""
        if isinstance(self.parts.broker, IsolatedBroker):
            self.parts.broker.close()
        self.parts.store.close()


def open_runtime(settings: Settings) -> Runtime:
    """Build everything a service or a command needs from its settings.

    Raises
    ------
    SettingsError
        When a setting cannot be used: a market file is unreadable, a configuration does not fit;
        or when something else is installed than the bundle names.
    RefuseRun
        When the profile is unknown or not allowed in the mode.
    """
    bundle = installed_bundle(settings.bundle_path)
    catalog = load_catalog(settings.strategies_dir)
    sleeves = _sleeves(settings, catalog)
    limits = load_limits(settings.risk_limits_path, [sleeve.profile for sleeve in sleeves])
    calendar = xnys()
    alias = _alias(settings)
    connection = _connect(settings, alias, calendar)
    broker, clock = connection.broker, connection.clock
    store = _open_store(settings, alias)
    parts = Parts(
        platform=settings.platform.value,
        account=alias,
        mode=settings.execution_mode,
        sleeves=sleeves,
        broker=broker,
        store=store,
        lease=AccountLease(store, alias, clock.now),
        clock=clock,
        calendar=calendar,
        outbox=Outbox(store, settings.notify_urls, clock),
        languages=settings.languages,
        policy=CapitalPolicy(settings.cash_floor_usd, settings.capital_limit_usd),
        limits=limits,
        replay=connection.replay,
        fill_deadline_secs=settings.fill_deadline_secs,
        strategy_timeout_secs=settings.strategy_timeout_secs,
        versions=_versions(sleeves),
        commit=settings.commit,
        bundle=bundle,
        reconciliation_output=settings.reconciliation_output_path,
        tolerances=Tolerances(
            cash_usd=settings.reconcile_cash_usd,
            equity_ratio=settings.reconcile_equity_ratio,
            unexplained_ratio=settings.reconcile_unexplained_ratio,
        ),
    )
    return Runtime(settings, parts)


@dataclass(frozen=True, slots=True)
class Controls:
    """What an operator steers trading with; close it when done.

    Needs neither the strategy nor the limits file: a halt must work when they do not.
    """

    settings: Settings
    store: Store
    clock: Clock

    def limits(self) -> Limits:
        """Read the limits file.

        Raises
        ------
        SettingsError
            When it cannot be used.
        """
        return load_limits(self.settings.risk_limits_path)

    def verify_evidence(self, head: str = "") -> tuple[str, ChainBreak | None]:
        """Return the hash of the last entry of the evidence, and where the chain breaks.

        Parameters
        ----------
        head : str
            The beginning of a hash that must be among the entries'.
        """
        kept = Evidence(self.store)
        return kept.head(), kept.verify(head)

    def close(self) -> None:
        """Release the store."""
        self.store.close()


def open_controls(settings: Settings, *, to_change: bool) -> Controls:
    """Open what an operator's command needs.

    Parameters
    ----------
    settings : Settings
    to_change : bool
        Whether the command changes something: then the mode must be one that trades.

    Raises
    ------
    SettingsError
        When there is nothing to steer, or a setting cannot be used.
    """
    if to_change and settings.execution_mode is ExecutionMode.DRY_RUN:
        raise SettingsError(
            "EXECUTION_MODE is dry_run: it trades nothing that could be steered, and nothing was "
            "changed. Set it to the mode of the service that is meant, paper or live."
        )
    clock = _clock(settings) or _simulated_broker(settings, xnys())[1]
    return Controls(settings, _open_store(settings, _alias(settings)), clock)


def open_broker(settings: Settings) -> tuple[Broker, Clock]:
    """Open the account that the settings name, and nothing else; with the clock it lives by.

    For what looks at a broker without a run. Close the broker when done, where it has a `close`.
    """
    connection = _connect(settings, _alias(settings), xnys())
    return connection.broker, connection.clock


def _evidence(
    kept: Evidence, order: JournalOrder
) -> tuple[tuple[EvidenceEntry, ...], ChainBreak | None]:
    broken = kept.verify()
    before = None if broken is None else broken.seq
    return kept.of_order(order.client_id, order.run_key, before=before), broken


@dataclass(frozen=True, slots=True)
class _Connection:
    """A broker, the clock it lives by, and what moves a simulated one into a slot's window."""

    broker: Broker
    clock: Clock
    replay: _Replay | None


def _connect(settings: Settings, alias: str, calendar: ExchangeCalendar) -> _Connection:
    """Return the simulated broker of this process, or the real one in a process of its own."""
    clock = _clock(settings)
    if clock is None:
        broker, simulated = _simulated_broker(settings, calendar)
        return _Connection(broker, simulated, _Replay(simulated))
    access = AccountAccess(
        settings.account_id,
        dict(settings.login),
        settings.state_dir,
        clock,
        _notebook(settings, alias),
    )
    module = f"quant_platform_kit.brokers.{settings.platform}"
    opening = Opening(module, "open_account", {"access": access})
    replay = None if isinstance(clock, SystemClock) else _Replay(clock)
    return _Connection(IsolatedBroker(opening), clock, replay)


def _notebook(settings: Settings, alias: str) -> StoredNotes | None:
    """Return where an adapter keeps its notes when the store is not in the state folder."""
    if not settings.store_url:
        return None
    if settings.execution_mode is not ExecutionMode.DRY_RUN:
        return StoredNotes(settings.store_url, _schema_name(alias, settings.execution_mode))
    traded = _traded_schema(settings, alias)
    return None if traded is None else StoredNotes(settings.store_url, traded, read_only=True)


def _clock(settings: Settings) -> SystemClock | SimulatorControl | None:
    """Return the clock of a broker outside of this process; None where there is none."""
    if settings.is_simulated:
        return None
    if settings.simulator_control is None:
        return SystemClock()
    from quant_platform_kit.simulators import SimulatorControl  # never a part of a real account

    return SimulatorControl(settings.simulator_control)


@dataclass(frozen=True, slots=True)
class _Replay:
    """Moves a simulated market into a slot's window; time never goes back."""

    clock: SimulatedClock | SimulatorControl

    def __call__(self, opening: SlotWindow) -> None:
        if self.clock.now() < opening.opens_at:
            self.clock.advance_to(opening.opens_at)


def _simulated_broker(
    settings: Settings, calendar: ExchangeCalendar
) -> tuple[SimulatedBroker, SimulatedClock]:
    market = open_market(settings.simulated_market)
    clock = _simulated_clock(settings, market, calendar)
    broker = SimulatedBroker(
        settings.account_id,
        market,
        clock,
        calendar,
        rules=SIMULATED_RULES,
        opening_cash_usd=settings.simulated_cash_usd,
        book_path=settings.state_dir / "simulated-broker.jsonl",
        latency_secs=settings.simulated_latency_secs,
    )
    if broker.last_event_at is not None and broker.last_event_at > clock.now():
        clock.advance_to(broker.last_event_at)  # the account has lived on; so has its market
    return broker, clock


def _simulated_clock(
    settings: Settings, market: FrameMarket, calendar: ExchangeCalendar
) -> SimulatedClock:
    """Start at the open of the configured session, or of the market's last one."""
    session = settings.simulated_start or market.last_session
    if not calendar.is_session(session):
        raise SettingsError(
            f"QPK_SIMULATED_START = {session}: expected a session of the exchange; "
            f"the next one is {calendar.next(session)}."
        )
    return SimulatedClock(calendar.session_open(session))


def _open_store(settings: Settings, alias: str) -> Store:
    """Open the store of the mode; a dry run only reads the one that trades, where there is one."""
    if settings.execution_mode is ExecutionMode.DRY_RUN:
        scratch = _store_path(settings, ExecutionMode.DRY_RUN)
        return _traded_store(settings, alias) or Store.open(scratch)
    if settings.store_url:
        return Store.connect(settings.store_url, _schema_name(alias, settings.execution_mode))
    path = _store_path(settings, settings.execution_mode)
    if settings.execution_mode is ExecutionMode.LIVE:
        _require_lasting(path)
    return Store.open(path)


def _traded_store(settings: Settings, alias: str) -> Store | None:
    if settings.store_url:
        name = _traded_schema(settings, alias)
        return None if name is None else Store.connect(settings.store_url, name, read_only=True)
    for mode in _TRADED:
        if (path := _store_path(settings, mode)).exists():
            return Store.open(path, read_only=True)
    return None


def _traded_schema(settings: Settings, alias: str) -> str | None:
    names = (_schema_name(alias, mode) for mode in _TRADED)
    return next((name for name in names if Store.exists(settings.store_url, name)), None)


def _require_lasting(path: Path) -> None:
    """Refuse to keep what happens to real money on a disk that is gone after a restart."""
    fault = passing_disk(path.absolute().parent)
    if fault is not None:
        raise SettingsError(
            f"QPK_STATE_DIR lies on {fault}, and EXECUTION_MODE is live: a restart would forget "
            "which orders were sent. Set QPK_STORE_URL to a PostgreSQL database, or QPK_STATE_DIR "
            "to a folder on a disk of this machine that is kept."
        )


def _store_path(settings: Settings, mode: ExecutionMode) -> Path:
    return settings.state_dir / f"{mode.value}.sqlite3"


def _schema_name(alias: str, mode: ExecutionMode) -> str:
    """Name the part of a shared database that belongs to this account in this mode."""
    return f"{alias}_{mode.value}".replace("-", "_")


def _sleeves(settings: Settings, catalog: Catalog) -> tuple[SleevePart, ...]:
    """Return the strategies of the account, each with its configuration and its snapshots."""
    if settings.sleeves_path is None:
        specs: tuple[SleeveSpec, ...] = (
            SleeveSpec(
                profile=settings.strategy_profile,
                config=settings.strategy_config_path,
                snapshot=settings.feature_snapshot_path,
                snapshot_manifest=settings.feature_snapshot_manifest_path,
            ),
        )
    else:
        specs = read_sleeves(settings.sleeves_path)
    sleeves = tuple(_sleeve(spec, catalog) for spec in specs)
    names = [sleeve.profile for sleeve in sleeves]
    for sleeve in sleeves:
        require_allowed(sleeve.strategy.manifest, settings.execution_mode)
        if names.count(sleeve.profile) > 1:
            raise SettingsError(
                f"{settings.sleeves_path} has {sleeve.profile} more than once, perhaps by an "
                "alias: a strategy has one sleeve. Add the weights up, or take one out.",
                code=ReasonCode.CONFIG_INVALID,
            )
    return sleeves


def _sleeve(spec: SleeveSpec, catalog: Catalog) -> SleevePart:
    strategy = catalog.strategy(spec.profile, spec.config)
    if spec.snapshot is None:
        return SleevePart(strategy, spec.weight)
    return SleevePart(strategy, spec.weight, SnapshotSource(spec.snapshot, spec.snapshot_manifest))


def _alias(settings: Settings) -> str:
    """Name the account without its number: keys, reports and messages travel.

    A slow hash, so that trying every possible number would take somebody days.
    """
    code = hashlib.scrypt(
        settings.account_id.encode(), salt=settings.platform.value.encode(), n=2**14, r=8, p=1
    )
    return f"{settings.platform.value}-{code.hex()[:6]}"


def _versions(sleeves: Iterable[SleevePart]) -> Mapping[str, str]:
    """Return the version of the kit and of every package that a strategy comes from."""
    versions = {"quant-platform-kit": __version__}
    for sleeve in sleeves:
        package = sleeve.strategy.module_name.partition(".")[0]
        theirs = getattr(sys.modules.get(package), "__version__", "unversioned")
        versions[package.replace("_", "-")] = theirs
    return versions
