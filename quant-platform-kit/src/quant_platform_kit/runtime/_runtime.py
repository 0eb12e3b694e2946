"""One account, ready to run slots: made of its settings."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from quant_platform_kit.brokers import DryRunBroker, IsolatedBroker
from quant_platform_kit.contracts import (
    ChainBreak,
    CycleReport,
    CycleRequest,
    Environment,
    EvidenceEntry,
    ExecutionMode,
    Heartbeat,
    OperatorCommand,
)
from quant_platform_kit.cycle import (
    DRY_RUN_SUFFIX,
    CycleResult,
    Parts,
    Prospect,
    operate,
    prospect,
    reconcile_now,
    run_cycle,
)
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.ledger import Reconciliation, Tolerances
from quant_platform_kit.market import xnys
from quant_platform_kit.notify import Outbox, heartbeat
from quant_platform_kit.orders import Journal, JournalOrder
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.risk import load_limits, record
from quant_platform_kit.runtime._admission import admitted_sleeves
from quant_platform_kit.runtime._brokers import connect
from quant_platform_kit.runtime._sleeves import versions_of
from quant_platform_kit.runtime._stores import account_alias, open_store, scratch_store
from quant_platform_kit.settings import Settings
from quant_platform_kit.store import AccountLease, Evidence, RunBook, Store


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
        with scratch_store(self.settings) as scratch:
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

    def environment(self) -> Environment:
        """Return what the broker's connection says it is; one made for that is given back."""
        broker = self.parts.broker
        is_first = isinstance(broker, IsolatedBroker) and broker.pid is None
        found = broker.environment
        if is_first:  # later it is known, and the connection is a run's
            broker.release()
        return found

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
        try:
            return prospect(self.parts, command)
        finally:  # who reads it takes his time, and a slot may come
            self.parts.broker.release()

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
            with scratch_store(self.settings) as scratch:
                return RunBook(scratch).report(run_key)
        return RunBook(self.parts.store).report(run_key)

    def reports(self, count: int = 1) -> tuple[CycleReport, ...]:
        """Return the reports of the latest runs of the settings' mode, newest first."""
        if self.parts.mode is ExecutionMode.DRY_RUN:
            with scratch_store(self.settings) as scratch:
                return RunBook(scratch).latest(count)
        return RunBook(self.parts.store).latest(count)

    def find_orders(self, text: str) -> tuple[JournalOrder, ...]:
        """Return orders whose client id starts with `text`, or whose broker id is `text`."""
        found = Journal(self.parts.store, self.parts.clock).find(text)
        if found:
            return found
        with scratch_store(
            self.settings
        ) as scratch:  # a dry run's orders are kept until the next one
            return Journal(scratch, self.parts.clock).find(text)

    def evidence(self, order: JournalOrder) -> tuple[tuple[EvidenceEntry, ...], ChainBreak | None]:
        """Return what is kept of an order and of its run, and where the chain breaks, if it does.

        Oldest first, up to the break: what comes after it proves nothing.
        """
        if order.run_key.endswith(DRY_RUN_SUFFIX):
            with scratch_store(self.settings) as scratch:
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
        or as `admitted_sleeves`.
    RefuseRun
        When the profile is unknown or not allowed in the mode.
    """
    bundle, sleeves = admitted_sleeves(settings)
    limits = load_limits(settings.risk_limits_path, [sleeve.profile for sleeve in sleeves])
    calendar = xnys()
    alias = account_alias(settings)
    connection = connect(settings, alias, calendar)
    broker, clock = connection.broker, connection.clock
    store = open_store(settings, alias)
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
        versions=versions_of(sleeves),
        commit=settings.commit,
        bundle=bundle,
        reconciliation_output=settings.reconciliation_output_path,
        tolerances=Tolerances(
            cash_usd=settings.reconcile_cash_usd,
            equity_ratio=settings.reconcile_equity_ratio,
            unexplained_ratio=settings.reconcile_unexplained_ratio,
        ),
        service=settings.service,
        stale_variables=settings.stale_variables,
    )
    return Runtime(settings, parts)


def _evidence(
    kept: Evidence, order: JournalOrder
) -> tuple[tuple[EvidenceEntry, ...], ChainBreak | None]:
    broken = kept.verify()
    before = None if broken is None else broken.seq
    return kept.of_order(order.client_id, order.run_key, before=before), broken
