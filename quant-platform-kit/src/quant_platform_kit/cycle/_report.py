"""Step 9: the slot's one outcome, its report and its heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from quant_platform_kit.contracts import (
    CycleReport,
    DecisionOutcome,
    Environment,
    OperatorCommand,
    OrderLine,
    OrderStatus,
    Outcome,
    PositionLine,
    Quote,
    Skipped,
    StrategyIdentity,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.cycle._account import stops_sold
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.cycle._testimony import ending
from quant_platform_kit.errors import InputError, PlatformError, ReasonCode, RefuseRun
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.notify import heartbeat, log_heartbeat
from quant_platform_kit.orders import Journal
from quant_platform_kit.planner import capital_base
from quant_platform_kit.risk import TradingGate
from quant_platform_kit.store import RunBook, attest_once, evidence_head

_ZERO = Decimal(0)
_STUCK = frozenset(
    {ReasonCode.FOREIGN_ORDER, ReasonCode.ORDER_UNRESOLVED, ReasonCode.QUANTITY_MISMATCH}
)
"""Why a symbol that may need a trade did not get one: such a slot stays free."""

_MILLIONTH = Decimal("0.000001")


def report_run(parts: Parts, progress: Progress, error: Exception | None) -> CycleReport:
    """Name the slot's one outcome, keep the report, and put the heartbeats into the outbox."""
    orders = Journal(parts.store, parts.clock).lines(progress.run_key)
    quotes = _present_quotes(parts, progress)
    if progress.session is not None and progress.snapshot is not None:
        Ledger(parts.store).close_day(
            progress.session, {symbol: quote.price_usd for symbol, quote in quotes.items()}
        )
    outcome, code, reason = _outcome(progress, orders, error)
    plan, snapshot = progress.plan, progress.snapshot
    report = CycleReport(
        run_key=progress.run_key,
        platform=parts.platform,
        account=parts.account,
        session=progress.session,
        slot=progress.request.slot,
        mode=parts.mode,
        environment=_environment(parts),
        outcome=outcome,
        code=code,
        reason=reason,
        started_at=progress.started_at,
        finished_at=parts.clock.now(),
        attempt=progress.attempt,
        strategies=tuple(_identity(sleeve.strategy.manifest) for sleeve in parts.sleeves),
        decisions=progress.decisions,
        frozen=() if progress.target is None else progress.target.frozen,
        capital_base_usd=None if plan is None else plan.capital_base_usd,
        equity_usd=None if snapshot is None else snapshot.account.equity_usd,
        cash_usd=None if snapshot is None else snapshot.account.cash_usd,
        positions=_position_lines(parts, progress, quotes),
        orders=orders,
        skipped=(() if plan is None else plan.skipped) + progress.refused,
        verdicts=progress.verdicts,
        notes=progress.notes + stops_sold(parts, progress.run_key) + _notices(parts),
        versions=parts.versions,
        commit=parts.commit,
        bundle=parts.bundle,
        outdated=error is not None and _sent_since(parts, progress),
        service=parts.service,
        dividends_usd=Ledger(parts.store).dividends(progress.run_key),
        gate=TradingGate(parts.store, parts.clock).state().mode.value,
        exposure_ratio=_exposure(parts, progress, quotes),
        stale_variables=parts.stale_variables,
    )
    with parts.store.begin() as connection:
        attest_once(connection, report.run_key, ending(parts, progress, report))
        report = replace(report, evidence_sha256=evidence_head(connection))
        beats = tuple(heartbeat(report, language) for language in parts.languages)
        RunBook(parts.store).finish(connection, report)
        parts.outbox.put(connection, beats, attempt=report.attempt)
    for beat in beats:
        log_heartbeat(beat)
    return report


def _identity(manifest: StrategyManifest) -> StrategyIdentity:
    return StrategyIdentity(manifest.profile, manifest.display_name, manifest.input_mode)


def _outcome(
    progress: Progress, orders: Sequence[OrderLine], error: Exception | None
) -> tuple[Outcome, ReasonCode | None, str]:
    if error is not None:
        return _failure(error, sent=bool(orders))
    orders = [order for order in orders if not _waits(order)]
    unresolved = [order for order in orders if not order.status.is_final]
    if unresolved:
        symbols = ", ".join(sorted({order.symbol for order in unresolved}))
        return Outcome.FAILED, ReasonCode.ORDER_UNRESOLVED, f"look at {symbols} at the broker"
    if any(order.filled_quantity for order in orders):
        return Outcome.TRADED, None, ""
    if orders:
        return Outcome.FAILED, orders[0].code, orders[0].detail
    return _quiet(progress)


def _waits(order: OrderLine) -> bool:
    """Tell whether an order has done nothing but wait for its price: no outcome follows of it."""
    uncertain = order.status in (OrderStatus.SUBMITTING, OrderStatus.UNRESOLVED)
    return order.purpose.protects and not order.filled_quantity and not uncertain


def _quiet(progress: Progress) -> tuple[Outcome, ReasonCode | None, str]:
    """Name the outcome of a run that sent nothing and met no error.

    With several sleeves the gravest answer counts: blocked, then refused, then an ordinary hold.
    """
    answers = [answer.decision for answer in progress.decisions]
    if progress.command is not None:
        return _obeyed(progress, progress.command)
    for decision in answers:
        if decision.outcome is DecisionOutcome.BLOCKED:
            return Outcome.BLOCKED, decision.code, decision.reason
    stuck = _stuck(progress)
    if stuck is not None:
        return Outcome.BLOCKED, stuck.code, f"{stuck.symbol}: {stuck.detail}"
    if all(decision.outcome is DecisionOutcome.HOLD for decision in answers):
        return Outcome.NO_ACTION, ReasonCode.HOLD, answers[0].reason
    return Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO, "holdings match the targets"


def _obeyed(progress: Progress, command: OperatorCommand) -> tuple[Outcome, ReasonCode | None, str]:
    stuck = _stuck(progress)
    if stuck is not None:
        return Outcome.BLOCKED, stuck.code, f"{stuck.symbol}: {stuck.detail}"
    if command.action.sells:
        return Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO, "nothing of it is held"
    return Outcome.NO_ACTION, ReasonCode.OPERATOR_CANCEL, str(command)


def _stuck(progress: Progress) -> Skipped | None:
    """Return what could not be traded although it may need it, the gravest first."""
    planned = () if progress.plan is None else progress.plan.skipped
    for skipped in planned + progress.refused:
        if skipped.code in _STUCK:
            return skipped
    return progress.refused[0] if progress.refused else None


def _failure(error: Exception, *, sent: bool) -> tuple[Outcome, ReasonCode | None, str]:
    if not isinstance(error, PlatformError):
        return Outcome.FAILED, ReasonCode.UNEXPECTED, type(error).__name__
    if error.code is ReasonCode.MARKET_CLOSED:
        return Outcome.NO_ACTION, error.code, error.message
    if isinstance(error, RefuseRun) and not sent:
        return Outcome.BLOCKED, error.code, error.message
    return Outcome.FAILED, error.code, error.message


def _sent_since(parts: Parts, progress: Progress) -> bool:
    """Tell whether orders were sent after the account was last looked at."""
    snapshot = progress.snapshot
    return snapshot is not None and any(
        order.sent_at is not None and order.sent_at >= snapshot.taken_at
        for order in Journal(parts.store, parts.clock).of_run(progress.run_key)
    )


def _present_quotes(parts: Parts, progress: Progress) -> Mapping[str, Quote]:
    """Return the quotes of everything held or wished for.

    None when the broker cannot be reached: a report there must be.
    """
    symbols = _reported(progress)
    try:
        return parts.broker.quotes(symbols) if symbols else {}
    except PlatformError:
        return {}


def _reported(progress: Progress) -> list[str]:
    held = set() if progress.snapshot is None else set(progress.snapshot.quantities())
    targets = () if progress.target is None else progress.target.targets
    return sorted(held | {wish.symbol for wish in targets if wish.amount})


def _position_lines(
    parts: Parts, progress: Progress, quotes: Mapping[str, Quote]
) -> tuple[PositionLine, ...]:
    """Return every holding and every wish, side by side."""
    if progress.snapshot is None:
        return ()
    held = progress.snapshot.quantities()
    base = _ZERO if progress.plan is None else progress.plan.capital_base_usd
    wishes = _target_weights(progress, base)
    managed = parts.owners().keys()
    lines = []
    for symbol in _reported(progress):
        quantity = held.get(symbol, _ZERO)
        price = quotes[symbol].price_usd if symbol in quotes else None
        value = None if price is None else quantity * price
        lines.append(
            PositionLine(
                symbol,
                quantity,
                price,
                value,
                None if value is None else _weight(value, base),
                wishes.get(symbol),
                managed=symbol in managed,
            )
        )
    return tuple(lines)


def _exposure(parts: Parts, progress: Progress, quotes: Mapping[str, Quote]) -> Decimal | None:
    """Return the share of the capital base that is at risk; None when nobody can say.

    What is held of managed symbols, except for the safe havens of the account's strategies: they
    stand for cash. A run that holds on has no plan, and an exposure all the same.
    """
    snapshot, owners = progress.snapshot, parts.owners()
    if snapshot is None:
        return None
    havens = {sleeve.strategy.manifest.safe_haven for sleeve in parts.sleeves}
    try:
        present = capital_base(snapshot, owners, quotes, parts.policy)
    except InputError:  # a holding without a price
        return None
    base = present if progress.plan is None else progress.plan.capital_base_usd
    held = {s: quantity for s, quantity in snapshot.quantities().items() if s in owners}
    at_risk = sum((q * quotes[s].price_usd for s, q in held.items() if s not in havens), _ZERO)
    return _weight(at_risk, base)


def _target_weights(progress: Progress, base_usd: Decimal) -> dict[str, Decimal | None]:
    target = progress.target
    if target is None:
        return {}
    if target.mode is TargetMode.WEIGHT:
        return {wish.symbol: wish.amount for wish in target.targets}
    return {wish.symbol: _weight(wish.amount, base_usd) for wish in target.targets}


def _weight(value_usd: Decimal, base_usd: Decimal) -> Decimal | None:
    return (value_usd / base_usd).quantize(_MILLIONTH) if base_usd > _ZERO else None


def _notices(parts: Parts) -> tuple[str, ...]:
    return tuple(f"{ReasonCode.BROKER_NOTICE}: {notice}" for notice in parts.broker.health())


def _environment(parts: Parts) -> Environment | None:
    try:
        return parts.broker.environment
    except PlatformError:  # it could not be reached: nobody knows, and the run's error says why
        return None
