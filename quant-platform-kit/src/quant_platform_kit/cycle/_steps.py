"""Steps 1 to 7: each takes what is known so far and returns more of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from quant_platform_kit.commander import Sleeve, command
from quant_platform_kit.contracts import (
    Decision,
    Environment,
    ExecutionMode,
    Leg,
    Skipped,
    SleeveDecision,
    Verdict,
)
from quant_platform_kit.cycle._account import (
    open_desk,
    prices,
    recover_orders,
    take_snapshot,
    tell_movements,
    uncertain_symbols,
)
from quant_platform_kit.cycle._guard import (
    Judge,
    assess,
    reductions,
    require_open_gate,
    without_paused,
)
from quant_platform_kit.cycle._parts import Parts, Progress, SleevePart
from quant_platform_kit.errors import InputError, ReasonCode, RefuseRun
from quant_platform_kit.inputs import Inputs, gather
from quant_platform_kit.ledger import Ledger, Locks, reconcile
from quant_platform_kit.market import SLOTS, Slot, SlotWindow, window
from quant_platform_kit.orders import Journal, book_late_fills
from quant_platform_kit.planner import capital_base, plan_orders
from quant_platform_kit.store import RunBook
from quant_platform_kit.strategy import SleeveView, StrategyContext, evaluate

_ZERO = Decimal(0)

# ── 1 ──────────────────────────────────────────────────────────────────────────────────


def open_slot(parts: Parts, progress: Progress) -> Progress:
    """Require a session, an open window, sleeves that there are and the right kind of broker."""
    if progress.session is None:  # there is none today, or the calendar cannot tell: an error
        parts.calendar.current_session(parts.clock.now())
    session, name = progress.known_session(), progress.request.slot
    if not parts.calendar.is_session(session):
        raise RefuseRun(f"{session} is no session.", code=ReasonCode.MARKET_CLOSED)
    slot = SLOTS.get(name) or _manual_slot(parts, name, session)
    opening = window(parts.calendar, slot, session)
    if parts.replay is not None:
        parts.replay(opening)
    _require_window(parts, opening)
    _require_known(parts, progress)
    require_environment(parts)
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


def _require_known(parts: Parts, progress: Progress) -> None:
    """Refuse a name that is nobody's: a misspelt one would let a day pass without a run."""
    profiles = [sleeve.profile for sleeve in parts.sleeves]
    strangers = sorted(set(progress.request.strategies or ()).difference(profiles))
    if strangers:
        raise RefuseRun(
            f"The request names {', '.join(strangers)}, and this account runs "
            f"{', '.join(profiles)}. No strategy was asked and no order was sent; correct the "
            "name and run the slot again.",
            code=ReasonCode.PROFILE_UNKNOWN,
        )


def require_environment(parts: Parts) -> None:
    """Require that the broker is of the kind that the mode asks for, outside a dry run."""
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
    """Collect what each manifest declares; a fault becomes that sleeve's BLOCKED decision."""
    if progress.frame is not None:
        return progress
    inputs: dict[str, Inputs] = {}
    blocked: list[SleeveDecision] = []
    for sleeve in _selected(parts, progress):
        try:
            inputs[sleeve.profile] = gather(
                sleeve.strategy.manifest,
                config_sha256=sleeve.strategy.config_sha256,
                bars=parts.broker,
                snapshots=sleeve.snapshots,
                session=progress.known_session(),
                calendar=parts.calendar,
            )
        except InputError as error:
            answer = Decision.blocked(error.code, error.message)
            blocked.append(SleeveDecision(sleeve.profile, answer))
    return replace(progress, inputs=inputs, decisions=tuple(blocked))


def _selected(parts: Parts, progress: Progress) -> tuple[SleevePart, ...]:
    chosen = progress.request.strategies
    return tuple(s for s in parts.sleeves if chosen is None or s.profile in chosen)


# ── 3 ──────────────────────────────────────────────────────────────────────────────────


def evaluate_strategies(parts: Parts, progress: Progress) -> Progress:
    """Ask the strategies, unless an earlier attempt of this run already has their answers."""
    if progress.frame is not None:
        return replace(progress, decisions=progress.frame.decisions)
    asked = [sleeve for sleeve in parts.sleeves if sleeve.profile in progress.inputs]
    if not asked:
        return progress
    try:
        views = _sleeve_views(parts, progress)
    except InputError as error:  # a holding without a price: nobody can say what a sleeve has
        answer = Decision.blocked(error.code, error.message)
        unasked = tuple(SleeveDecision(sleeve.profile, answer) for sleeve in asked)
        return replace(progress, decisions=progress.decisions + unasked)
    jobs = [(sleeve.strategy, _context(parts, progress, sleeve, views)) for sleeve in asked]
    answers = evaluate(jobs, parts.strategy_timeout_secs)
    decided = tuple(
        SleeveDecision(
            sleeve.profile,
            answer,
            progress.inputs[sleeve.profile].sha256,
            progress.inputs[sleeve.profile].snapshot_ref,
            progress.inputs[sleeve.profile].history_ref,
        )
        for sleeve, answer in zip(asked, answers, strict=True)
    )
    return replace(progress, decisions=progress.decisions + decided)


def _context(
    parts: Parts, progress: Progress, sleeve: SleevePart, views: Mapping[str, SleeveView]
) -> StrategyContext:
    inputs = progress.inputs[sleeve.profile]
    return StrategyContext(
        session=progress.known_session(),
        calendar=parts.calendar,
        history=inputs.history,
        snapshot=inputs.snapshot,
        sleeve=views[sleeve.profile],
        config=sleeve.strategy.config,
    )


def _sleeve_views(parts: Parts, progress: Progress) -> dict[str, SleeveView]:
    """Return what each sleeve holds: its ledger's part of the account, at the present quotes."""
    opened_at = parts.calendar.session_open(progress.known_session())
    book_late_fills(open_desk(parts, progress.run_key))  # of an earlier slot that was cut off
    snapshot, owners = take_snapshot(parts), parts.owners()
    held = {s: q for s, q in snapshot.quantities().items() if s in owners}
    quotes = parts.broker.quotes(sorted(held)) if held else {}
    base = capital_base(snapshot, owners, quotes, parts.policy)
    cash = max(_ZERO, snapshot.account.usable_cash_usd - parts.policy.cash_floor_usd)
    views = {}
    for sleeve in parts.sleeves:
        # One sleeve has everything that is managed, also before the ledger's first look.
        own = held if len(parts.sleeves) == 1 else _in_sleeve(parts, sleeve, held)
        values = {symbol: quantity * quotes[symbol].price_usd for symbol, quantity in own.items()}
        views[sleeve.profile] = SleeveView(
            own,
            values,
            cash * sleeve.weight,
            base * sleeve.weight,
            Ledger(parts.store).bought(sleeve.profile, since=opened_at),
        )
    return views


def _in_sleeve(parts: Parts, sleeve: SleevePart, held: Mapping[str, Decimal]) -> dict[str, Decimal]:
    ledger = Ledger(parts.store)
    if ledger.is_new():
        owners = parts.owners()
        return {s: q for s, q in held.items() if owners[s] == sleeve.profile}
    return {s: q for s, q in ledger.quantities(sleeve.profile).items() if s in held}


# ── 4 ──────────────────────────────────────────────────────────────────────────────────


def reconcile_account(parts: Parts, progress: Progress) -> Progress:
    """Learn the end of every earlier order, make ledger and broker agree, and measure both."""
    snapshot, ended = recover_orders(parts, progress.run_key)
    movements, untold = tell_movements(parts)
    held = sorted(snapshot.quantities())
    present = prices(parts.broker.quotes(held)) if held else {}
    found = reconcile(
        parts.store,
        snapshot,
        parts.owners(),
        sleeves=frozenset(sleeve.profile for sleeve in parts.sleeves),
        uncertain=uncertain_symbols(parts),
        movements=movements,
        prices_usd=present,
        tolerances=parts.tolerances,
        run_key=progress.run_key,
        output=None if parts.mode is ExecutionMode.DRY_RUN else parts.reconciliation_output,
    )
    alarms = tuple(
        f"{ReasonCode.QUANTITY_MISMATCH}: {symbol}: {detail}; not traded until they agree"
        for symbol, detail in found.locked.items()
    )
    progress = replace(
        progress, snapshot=snapshot, notes=progress.notes + ended + untold + found.notes + alarms
    )
    return assess(parts, progress, present)


# ── 5 ──────────────────────────────────────────────────────────────────────────────────


def command_target(parts: Parts, progress: Progress) -> Progress:
    """Turn the decisions into the account's wish; a sleeve without one is frozen.

    Requires an open gate. A paused strategy's decision is replaced: it is blocked.
    """
    require_open_gate(parts)
    progress = replace(progress, decisions=without_paused(parts, progress.decisions))
    sleeves = [Sleeve.of(sleeve.strategy.manifest, sleeve.weight) for sleeve in parts.sleeves]
    decisions = {answer.profile: answer.decision for answer in progress.decisions}
    return replace(progress, target=command(sleeves, decisions))


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
    blocked = Locks(parts.store).all()
    blocked |= dict.fromkeys(uncertain_symbols(parts), ReasonCode.ORDER_UNRESOLVED)
    plan = plan_orders(
        target,
        snapshot,
        quotes,
        parts.broker.rules,
        replace(parts.policy, pinned_base_usd=pinned),
        blocked=blocked,
    )
    return replace(progress, quotes=quotes, plan=plan)


# ── 7 ──────────────────────────────────────────────────────────────────────────────────


def check_plan(parts: Parts, progress: Progress) -> Progress:
    """Keep of each leg what passes every check; a stale price refuses the whole plan."""
    plan = progress.plan
    if plan is None:
        return progress
    judge = Judge(parts, progress, anew=False)
    verdicts = {leg: judge(leg) for leg in plan.legs}
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
            sells=_allowed(plan.sells, verdicts),
            buys=_allowed(plan.buys, verdicts),
        ),
        refused=tuple(skipped(leg, v) for leg, v in verdicts.items() if not v.approved),
        verdicts=tuple(judge.verdicts),
        notes=progress.notes + reductions(judge.verdicts),
    )


def _allowed(legs: Sequence[Leg], verdicts: Mapping[Leg, Verdict]) -> tuple[Leg, ...]:
    return tuple(leg.limited(verdicts[leg]) for leg in legs if verdicts[leg].approved)


def skipped(leg: Leg, verdict: Verdict) -> Skipped:
    return Skipped(leg.symbol, verdict.code or ReasonCode.RISK_REJECTED, verdict.detail)
