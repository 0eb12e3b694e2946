"""What risk needs to know of a run, and the one judge of its legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from quant_platform_kit.contracts import (
    Decision,
    Leg,
    LegVerdict,
    Outcome,
    PortfolioSnapshot,
    Side,
    SleeveDecision,
    Verdict,
    VerdictKind,
)
from quant_platform_kit.cycle._parts import Parts, Progress, Standing
from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.ledger import SleeveResult, profits_before, results_now
from quant_platform_kit.orders import Journal
from quant_platform_kit.risk import (
    ACCOUNT,
    AccountHistory,
    Bias,
    Book,
    Check,
    GateMode,
    GateState,
    Limits,
    Losses,
    Pauses,
    Peaks,
    Performance,
    TradingGate,
    check_leg,
)
from quant_platform_kit.store import RunBook

_ZERO = Decimal(0)


def assess(parts: Parts, progress: Progress, prices_usd: Mapping[str, Decimal]) -> Progress:
    """Measure the account against its limits; halt when one that shall halt is reached.

    Requires that ledger and broker agree. Leaves `progress.standing` for the checks, and notes
    for the operators.

    Parameters
    ----------
    prices_usd : mapping of str to Decimal
        Of everything held.
    """
    bias = Bias(parts.store, parts.clock).reading(parts.limits.bias)
    limits = parts.limits.scaled(bias.factor)
    losses = Losses.of(_history(parts, progress.known_session(), prices_usd), limits.loss)
    notes = [bias.alarm] if bias.alarm else []
    alarm = _kill_switch(parts, limits, losses)
    if alarm:
        notes.append(alarm)
    standing = Standing(limits, losses, prices_usd)
    return replace(progress, standing=standing, notes=progress.notes + tuple(notes))


def _history(parts: Parts, session: date, prices_usd: Mapping[str, Decimal]) -> AccountHistory:
    # A sleeve that has nothing yet starts here: its first loss counts from zero.
    now = {sleeve.profile: SleeveResult(_ZERO, _ZERO) for sleeve in parts.sleeves}
    now |= results_now(parts.store, prices_usd)
    before = profits_before(parts.store, session)
    profits = {sleeve: result.profit_usd for sleeve, result in now.items()}
    total = sum(profits.values(), _ZERO)
    peaks = Peaks(parts.store, parts.clock).raised({ACCOUNT: total} | profits)
    performances = {
        sleeve: Performance(
            result.equity_usd, result.profit_usd, before.get(sleeve, _ZERO), peaks[sleeve]
        )
        for sleeve, result in now.items()
    }
    equity = sum((result.equity_usd for result in now.values()), _ZERO)
    account = Performance(equity, total, sum(before.values(), _ZERO), peaks[ACCOUNT])
    return AccountHistory(account, performances)


def _kill_switch(parts: Parts, limits: Limits, losses: Losses) -> str:
    """Halt when a limit says so, unless an operator has just overruled it; say what was done."""
    gate = TradingGate(parts.store, parts.clock)
    state = gate.state()
    reason = _reason_to_halt(parts, limits, losses, state)
    if not reason or state.mode is GateMode.HALTED:
        return ""
    if state.until is not None:
        until = f"{state.until:%Y-%m-%d %H:%M} UTC"
        return f"{reason}; {state.who} keeps the gate {state.mode.value} until {until}"
    gate.halt(reason)
    code = ReasonCode.GATE_CLOSED
    return f"{code}: the platform halted trading. {reason}. An operator resumes."


def _reason_to_halt(parts: Parts, limits: Limits, losses: Losses, state: GateState) -> str:
    switch, daily = limits.kill_switch, losses.daily
    if switch.auto_trigger_on_daily_loss and daily is not None and daily.reached:
        return str(daily)
    most = switch.auto_trigger_on_failed_runs
    if most and _failed_runs(parts, most, state) == most:
        return f"the last {most} runs failed"
    return ""


def _failed_runs(parts: Parts, most: int, state: GateState) -> int:
    """Count the latest runs that failed since somebody set the gate."""
    reports = [
        report
        for report in RunBook(parts.store).latest(most)
        if state.since is None or report.finished_at > state.since
    ]
    return sum(report.outcome is Outcome.FAILED for report in reports)


def require_open_gate(parts: Parts) -> None:
    """End the run here when trading is halted: orders are known, the books agree, nothing is sent.

    Raises
    ------
    RefuseRun
        ``GATE_CLOSED``.
    """
    gate = TradingGate(parts.store, parts.clock).state()
    if gate.mode is GateMode.HALTED:
        raise RefuseRun(
            f"Trading was halted by {gate.who or 'nobody known'}: {gate.why or 'no reason given'}. "
            "No order was sent; an operator resumes.",
            code=ReasonCode.GATE_CLOSED,
        )


def without_paused(
    parts: Parts, decisions: tuple[SleeveDecision, ...]
) -> tuple[SleeveDecision, ...]:
    """Return `decisions` where a paused strategy's is replaced: its sleeve is frozen."""
    paused = Pauses(parts.store, parts.clock).all()
    return tuple(
        replace(
            answer,
            decision=Decision.blocked(ReasonCode.STRATEGY_PAUSED, str(paused[answer.profile])),
        )
        if answer.profile in paused
        else answer
        for answer in decisions
    )


class Judge:
    """Says of each leg, in the order they are asked for, whether it may be sent.

    What it lets pass counts as done for the next one.

    Parameters
    ----------
    parts : Parts
    progress : Progress
    snapshot : PortfolioSnapshot, optional
        A later look at the account than the one the plan was made on.
    anew : bool
        Whether gate, pauses and unresolved orders are read again for each leg, as they must be
        when the order follows at once; a plan is judged on one reading.
    """

    def __init__(
        self,
        parts: Parts,
        progress: Progress,
        snapshot: PortfolioSnapshot | None = None,
        *,
        anew: bool = True,
    ) -> None:
        seen = snapshot or progress.snapshot
        if seen is None or progress.target is None or progress.standing is None:
            raise RefuseRun("A leg without a snapshot cannot be checked; no order was sent.")
        standing = progress.standing
        self._parts = parts
        self._by_operator = progress.command is not None
        self._standing = standing
        self._managed = frozenset(progress.target.managed)
        self._closes_at = parts.calendar.session_close(progress.known_session())
        quoted = {symbol: quote.price_usd for symbol, quote in progress.quotes.items()}
        limited = standing.limits.portfolio
        self._book = Book(
            seen,
            {**standing.prices_usd, **quoted},
            parts.broker.rules,
            limited.sectors if limited.max_sector_pct is not None else {},
        )
        self._steady = None if anew else self._check()
        self.verdicts: list[LegVerdict] = []

    def __call__(self, leg: Leg) -> Verdict:
        """Check one leg."""
        verdict = check_leg(leg, self._steady or self._check(), self._book)
        if verdict.approved:
            self._book.take(leg.limited(verdict))
        self.verdicts.append(LegVerdict(leg.symbol, leg.side, leg.quantity, verdict))
        return verdict

    def _check(self) -> Check:
        parts = self._parts
        unfinished = Journal(parts.store, parts.clock).unfinished()
        return Check(
            gate=TradingGate(parts.store, parts.clock).state(),
            now=parts.clock.now(),
            managed=self._managed,
            closes_at=self._closes_at,
            rules=parts.broker.rules,
            unresolved={order.symbol: order.client_id for order in unfinished},
            paused=Pauses(parts.store, parts.clock).all(),
            limits=self._standing.limits,
            losses=self._standing.losses,
            by_operator=self._by_operator,
        )


def latest(*rounds: Sequence[LegVerdict]) -> tuple[LegVerdict, ...]:
    """Return the last verdict on each leg, in the order in which they were first asked for.

    A leg that was made smaller and then approved as it is stays the one that was made smaller.
    """
    by_leg: dict[tuple[str, Side], LegVerdict] = {}
    for each in rounds:
        for judged in each:
            leg = (judged.symbol, judged.side)
            if judged.verdict.kind is VerdictKind.APPROVED and _is_smaller(by_leg.get(leg)):
                continue
            by_leg[leg] = judged
    return tuple(by_leg.values())


def _is_smaller(judged: LegVerdict | None) -> bool:
    return judged is not None and judged.verdict.kind is VerdictKind.REDUCED


def reductions(verdicts: Sequence[LegVerdict]) -> tuple[str, ...]:
    """Return a note for every leg that was made smaller."""
    return tuple(
        f"{v.verdict.code}: {v.side} {v.symbol}, {v.verdict.quantity:f} of {v.quantity:f} shares: "
        f"{v.verdict.detail}"
        for v in verdicts
        if v.verdict.kind is VerdictKind.REDUCED
    )
