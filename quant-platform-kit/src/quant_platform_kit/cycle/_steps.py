"""Steps 1 to 8: each takes what is known so far and returns more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from quant_platform_kit.commander import Sleeve, command
from quant_platform_kit.contracts import (
    Decision,
    Environment,
    ExecutionMode,
    Fill,
    Leg,
    OrderStatus,
    PortfolioSnapshot,
    Side,
    Skipped,
    SleeveDecision,
    Verdict,
)
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.errors import InputError, ReasonCode, RefuseRun
from quant_platform_kit.inputs import gather
from quant_platform_kit.ledger import Ledger, reconcile, verify
from quant_platform_kit.market import SLOTS, Slot, SlotWindow, window
from quant_platform_kit.orders import Desk, Journal, JournalOrder, recover, send, settle
from quant_platform_kit.planner import capital_base, fund_buys, plan_orders
from quant_platform_kit.risk import Check, GateMode, TradingGate, check_leg
from quant_platform_kit.store import RunBook, RunFrame
from quant_platform_kit.strategy import SleeveView, StrategyContext, evaluate

# ── 1 ──────────────────────────────────────────────────────────────────────────────────


def open_slot(parts: Parts, progress: Progress) -> Progress:
    """Require a session, an open window, an open gate and the right kind of broker."""
    session, name = progress.known_session(), progress.request.slot
    if not parts.calendar.is_session(session):
        raise RefuseRun(f"{session} is no session.", code=ReasonCode.MARKET_CLOSED)
    slot = SLOTS.get(name) or _manual_slot(parts, name, session)
    opening = window(parts.calendar, slot, session)
    if parts.replay is not None:
        parts.replay(opening)
    _require_window(parts, opening)
    _require_environment(parts)
    gate = TradingGate(parts.store, parts.clock).state()
    if gate.mode is GateMode.HALTED:
        raise RefuseRun(
            f"Trading was halted by {gate.who or 'nobody known'}: {gate.why or 'no reason given'}. "
            "No order was sent; an operator resumes.",
            code=ReasonCode.GATE_CLOSED,
        )
    resumed = bool(Journal(parts.store, parts.clock).of_run(progress.run_key))
    frame = RunBook(parts.store).frame(progress.run_key) if resumed else None
    return replace(progress, frame=frame, started_at=parts.clock.now())


def _manual_slot(parts: Parts, name: str, session: date) -> Slot:
    """Return the window of a manual run: the whole session but its last minutes."""
    length = parts.calendar.session_close(session) - parts.calendar.session_open(session)
    return Slot(name, int(length.total_seconds() // 60), 5)


def _require_window(parts: Parts, opening: SlotWindow) -> None:
    now = parts.clock.now()
    if parts.calendar.current_session(now) != opening.session:
        raise RefuseRun(
            f"The request names session {opening.session}, the clock stands at "
            f"{now:%Y-%m-%d %H:%M} UTC; no order was sent. Leave the session out to run today's.",
            code=ReasonCode.SESSION_MISMATCH,
        )
    if not opening.contains(now):
        raise RefuseRun(
            f"Slot {opening.slot.name} runs from {opening.opens_at:%H:%M} to "
            f"{opening.closes_at:%H:%M} UTC today; it is {now:%H:%M}. No order was sent.",
            code=ReasonCode.OUTSIDE_WINDOW,
        )


def _require_environment(parts: Parts) -> None:
    connected = parts.broker.environment
    if parts.mode is ExecutionMode.DRY_RUN:
        return
    if (parts.mode is ExecutionMode.LIVE) != (connected is Environment.LIVE):
        raise RefuseRun(
            f"The mode is {parts.mode.value}, the connected broker says {connected.value}; "
            "no order was sent. Correct EXECUTION_MODE or the connection.",
            code=ReasonCode.LIVE_NEEDS_BROKER,
        )


# ── 2 ──────────────────────────────────────────────────────────────────────────────────


def gather_declared(parts: Parts, progress: Progress) -> Progress:
    """Collect what the manifest declares; a fault becomes the sleeve's BLOCKED decision."""
    if progress.frame is not None:
        return progress
    manifest = parts.strategy.manifest
    selected = progress.request.strategies
    if selected is not None and manifest.profile not in selected:
        return progress
    session = progress.known_session()
    try:
        inputs = gather(
            manifest,
            config_sha256=parts.strategy.config_sha256,
            bars=parts.broker,
            snapshots=parts.snapshots,
            session=session,
            calendar=parts.calendar,
        )
        return replace(progress, inputs=inputs, sleeve=_sleeve_view(parts))
    except InputError as error:
        return replace(
            progress, decision=_named(parts, Decision.blocked(error.code, error.message))
        )


def _sleeve_view(parts: Parts) -> SleeveView:
    managed = parts.strategy.manifest.managed
    snapshot = _snapshot(parts)
    held = {s: q for s, q in snapshot.quantities().items() if s in managed}
    quotes = parts.broker.quotes(tuple(held)) if held else {}
    base = capital_base(snapshot, managed, quotes, parts.policy)
    values = {symbol: quantity * quotes[symbol].price_usd for symbol, quantity in held.items()}
    return SleeveView(held, values, snapshot.account.usable_cash_usd, base)


# ── 3 ──────────────────────────────────────────────────────────────────────────────────


def evaluate_strategy(parts: Parts, progress: Progress) -> Progress:
    """Ask the strategy, unless an earlier attempt of this run already has its answer."""
    if progress.frame is not None:
        return replace(progress, decision=progress.frame.decisions[0])
    if progress.inputs is None:
        return progress
    context = StrategyContext(
        session=progress.known_session(),
        calendar=parts.calendar,
        history=progress.inputs.history,
        snapshot=progress.inputs.snapshot,
        sleeve=progress.sleeve,
        config=parts.strategy.config,
    )
    (decision,) = evaluate([(parts.strategy, context)], parts.strategy_timeout_secs)
    return replace(progress, decision=_named(parts, decision, progress.inputs.sha256))


def _named(parts: Parts, decision: Decision, inputs_sha256: str = "") -> SleeveDecision:
    return SleeveDecision(parts.strategy.manifest.profile, decision, inputs_sha256)


# ── 4 ──────────────────────────────────────────────────────────────────────────────────


def reconcile_account(parts: Parts, progress: Progress) -> Progress:
    """Learn the end of every earlier order, then make ledger and broker agree."""
    recover(_desk(parts))
    snapshot = _snapshot(parts)
    profile = parts.strategy.manifest.profile
    notes = reconcile(Ledger(parts.store), snapshot, _certain(parts), profile)
    return replace(progress, snapshot=snapshot, notes=progress.notes + notes)


# ── 5 ──────────────────────────────────────────────────────────────────────────────────


def command_target(parts: Parts, progress: Progress) -> Progress:
    """Turn the decision into the account's wish; a sleeve without one is frozen."""
    manifest = parts.strategy.manifest
    sleeve = Sleeve.of(manifest)
    answer = progress.decision
    decisions = {} if answer is None else {answer.profile: answer.decision}
    return replace(progress, target=command([sleeve], decisions))


# ── 6 ──────────────────────────────────────────────────────────────────────────────────


def make_plan(parts: Parts, progress: Progress) -> Progress:
    """Plan from the broker's truth, on the capital base the run started with."""
    snapshot, target = progress.snapshot, progress.target
    if snapshot is None or target is None or not target.managed:
        return progress
    wanted = {t.symbol for t in target.targets if t.amount}
    held = {p.symbol for p in snapshot.positions}
    symbols = sorted(s for s in target.universe if s in wanted or s in held)
    quotes = parts.broker.quotes(symbols) if symbols else {}
    pinned = None if progress.frame is None else progress.frame.capital_base_usd
    plan = plan_orders(
        target,
        snapshot,
        quotes,
        parts.broker.rules,
        replace(parts.policy, pinned_base_usd=pinned),
        blocked={order.symbol: ReasonCode.ORDER_UNRESOLVED for order in _unfinished(parts)},
    )
    return replace(progress, plan=plan)


# ── 7 ──────────────────────────────────────────────────────────────────────────────────


def check_plan(parts: Parts, progress: Progress) -> Progress:
    """Keep the legs that pass every check; a stale price refuses the whole plan."""
    plan = progress.plan
    if plan is None:
        return progress
    verdicts = {leg: _may_send(parts, progress, leg) for leg in plan.legs}
    for leg, verdict in verdicts.items():
        if verdict.code is ReasonCode.PRICE_STALE:
            raise InputError(
                f"{verdict.detail}; no order of the plan was sent.",
                code=ReasonCode.PRICE_STALE,
                symbol=leg.symbol,
            )
    return replace(
        progress,
        plan=replace(
            plan,
            sells=tuple(leg for leg in plan.sells if verdicts[leg].approved),
            buys=tuple(leg for leg in plan.buys if verdicts[leg].approved),
        ),
        refused=tuple(_skipped(leg, v) for leg, v in verdicts.items() if not v.approved),
    )


def _may_send(parts: Parts, progress: Progress, leg: Leg) -> Verdict:
    """Run the checks on one leg, with the gate as it stands at this moment."""
    if progress.snapshot is None or progress.target is None:
        raise RefuseRun("A leg without a snapshot cannot be checked; no order was sent.")
    against = Check(
        gate=TradingGate(parts.store, parts.clock).state(),
        snapshot=progress.snapshot,
        managed=frozenset(progress.target.managed),
        unresolved={order.symbol: order.client_id for order in _unfinished(parts)},
    )
    return check_leg(leg, against)


# ── 8 ──────────────────────────────────────────────────────────────────────────────────


def execute_plan(parts: Parts, progress: Progress) -> Progress:
    """Sell, wait, read the cash again, buy what it pays for, wait; then ledger equals broker."""
    plan = progress.plan
    if plan is None or not plan.legs:
        return progress
    if progress.frame is None and progress.decision is not None:
        frame = RunFrame((progress.decision,), plan.capital_base_usd)
        RunBook(parts.store).save_frame(progress.run_key, frame)
    desk = _desk(parts)
    may_send = partial(_may_send, parts, progress)
    refused = send(desk, progress.run_key, plan.sells, may_send)
    settle(desk)
    funded = fund_buys(plan, parts.broker.account().usable_cash_usd, parts.broker.rules)
    notes = _unfilled_sells(parts, progress.run_key)
    refused += send(desk, progress.run_key, funded.buys, may_send)
    settle(desk)
    snapshot = _snapshot(parts)
    verify(Ledger(parts.store), snapshot, _certain(parts))
    return replace(
        progress,
        plan=funded,
        snapshot=snapshot,
        refused=progress.refused + tuple(_skipped(leg, verdict) for leg, verdict in refused),
        notes=progress.notes + notes,
    )


def _unfilled_sells(parts: Parts, run_key: str) -> tuple[str, ...]:
    short = [
        order.symbol
        for order in Journal(parts.store, parts.clock).of_run(run_key)
        if order.side is Side.SELL and order.status is not OrderStatus.FILLED
    ]
    code = ReasonCode.SELLS_UNFILLED
    return (f"{code}: {', '.join(short)}. {code.meaning}",) if short else ()


def _skipped(leg: Leg, verdict: Verdict) -> Skipped:
    return Skipped(leg.symbol, verdict.code or ReasonCode.RISK_REJECTED, verdict.detail)


# ── Shared by several steps ────────────────────────────────────────────────────────────


def _snapshot(parts: Parts) -> PortfolioSnapshot:
    broker = parts.broker
    return PortfolioSnapshot(
        broker.account(), broker.positions(), broker.open_orders(), parts.clock.now()
    )


def _certain(parts: Parts) -> tuple[str, ...]:
    """Return the managed symbols without an order whose fate is unknown."""
    unknown = {order.symbol for order in _unfinished(parts)}
    return tuple(symbol for symbol in parts.strategy.manifest.managed if symbol not in unknown)


def _unfinished(parts: Parts) -> tuple[JournalOrder, ...]:
    return Journal(parts.store, parts.clock).unfinished()


def _desk(parts: Parts) -> Desk:
    return Desk(
        Journal(parts.store, parts.clock),
        parts.broker,
        parts.clock,
        partial(_book, Ledger(parts.store), parts.strategy.manifest.profile),
        parts.fill_deadline_secs,
    )


def _book(ledger: Ledger, sleeve: str, executions: Sequence[Fill]) -> None:
    ledger.book(executions, sleeve)
