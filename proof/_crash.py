"""Crash enumeration: a death at every moment of a run, crossed with every fault of the broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from typing import Final

from proof._account import (
    FIRST_SESSION,
    Ground,
    SleeveScript,
    TrialAccount,
    market_of,
    sessions_from,
)
from proof._far_side import Killed, Strike, Trouble
from proof._invariants import (
    WAITS,
    check_books,
    check_evidence,
    check_explained,
    check_far_side,
    check_report,
    check_slot,
    filled_by_order,
    require,
    what_broke,
)
from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    Outcome,
    Side,
    Signal,
    SignalAction,
)
from quant_platform_kit.strategy import StrategyContext

SETUP, SESSION = sessions_from(FIRST_SESSION, 2)
SYMBOLS: Final = ("SIM_A", "SIM_B", "SIM_C", "SIM_D", "SIM_E")
CLOSES: Final[Mapping[str, list[float]]] = {
    "SIM_A": [100.0, 103.17],
    "SIM_B": [50.0, 47.91],
    "SIM_C": [20.0, 20.33],
    "SIM_D": [10.0, 10.07],
    "SIM_E": [31.0, 29.59],
}
_ATTEMPTS: Final = 3
SAMPLED: Final = 16  # one case in so many of each plan and fault, at another moment each time
_LOT: Final = Decimal(1)
_FAR_PCT: Final = Decimal(20)  # no price here comes so far: none of these stops sells

# What is held before and wished for after; the number of symbols that differ is that of the legs.
PLANS: Final[Mapping[int, tuple[dict[str, float], dict[str, float]]]] = {
    1: ({}, {"SIM_A": 0.9}),
    2: ({"SIM_A": 0.9}, {"SIM_B": 0.95}),
    3: ({"SIM_A": 0.5, "SIM_B": 0.4}, {"SIM_B": 0.1, "SIM_C": 0.85}),
    4: (
        {"SIM_A": 0.4, "SIM_B": 0.3, "SIM_C": 0.2},
        {"SIM_B": 0.1, "SIM_C": 0.5, "SIM_D": 0.4},
    ),
    5: (
        {"SIM_A": 0.4, "SIM_B": 0.5},
        {"SIM_B": 0.1, "SIM_C": 0.3, "SIM_D": 0.3, "SIM_E": 0.25},
    ),
}

HARMLESS: Final = frozenset(Trouble) - {Trouble.REPLY_LOST_BEFORE, Trouble.PARTIAL_THEN_CANCEL}
"""Faults that take no share away: the book in the end is the undisturbed one, exactly."""

Trades = dict[tuple[str, Side], Decimal]
Stops = set[tuple[str, Decimal, Decimal | None]]


@dataclass(slots=True)
class CrashCount:
    """What was tried and what came of it.

    Parameters
    ----------
    cases, deaths : int
        Runs under a fault, and those of them in which the platform died.
    moments : int
        The most moments at which a plan could die.
    exact, within : counter of Trouble
        Cases that left the undisturbed book, and those that left what the broker allowed of it.
    halts : counter of str
        Cases that ended in a named halt, by code.
    broken : list of str
        Each with the command that tries it again.
    """

    cases: int = 0
    deaths: int = 0
    moments: int = 0
    exact: Counter[Trouble] = field(default_factory=Counter)
    within: Counter[Trouble] = field(default_factory=Counter)
    halts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: CrashCount) -> None:
        """Add what another part of the enumeration counted."""
        self.cases += other.cases
        self.deaths += other.deaths
        self.moments = max(self.moments, other.moments)
        self.exact.update(other.exact)
        self.within.update(other.within)
        self.halts.update(other.halts)
        self.broken += other.broken


@dataclass(frozen=True, slots=True)
class CrashCase:
    """One case, and how it is written on the command line: ``4:LATE_FILL:2:37``.

    Parameters
    ----------
    legs : int
        ``4s`` is the plan of four legs whose holdings are all protected by stops.
    trouble : Trouble
    nth : int or None
        The occasion on which the fault strikes; None (``*``) means on every one.
    death : int or None
        The moment at which the platform dies; None (``-``) lets it live.
    """

    legs: int
    trouble: Trouble
    nth: int | None
    death: int | None
    stops: bool = False

    @classmethod
    def parse(cls, text: str) -> CrashCase:
        """Read a case from the command line.

        Raises
        ------
        ValueError
            When it is not written as one.
        """
        plan, trouble, nth, death = text.split(":")
        legs = int(plan.removesuffix("s"))
        if legs not in PLANS or trouble not in Trouble.__members__:
            raise ValueError(text)
        return cls(
            legs,
            Trouble[trouble],
            None if nth == "*" else int(nth),
            None if death == "-" else int(death),
            stops=plan.endswith("s"),
        )

    def __str__(self) -> str:
        """Return the case as the command line takes it."""
        plan = f"{self.legs}s" if self.stops else f"{self.legs}"
        return f"{plan}:{self.trouble.name}:{self.nth or '*'}:{self.death or '-'}"


@dataclass(frozen=True, slots=True)
class CrashTask:
    """The part of the enumeration with one plan and one fault.

    Parameters
    ----------
    legs : int
    trouble : Trouble
    strikes : tuple of int or None
        On which occasions the fault strikes, one after the other; None means on every one.
    stride : int
        Tries every `stride`-th moment, beginning with another one for each strike.
    stops : bool
        Whether the strategy asks for a stop under each of its holdings, before and after.
    """

    legs: int
    trouble: Trouble
    strikes: tuple[int | None, ...] = (None,)
    stride: int = 1
    stops: bool = False


def tasks(*, long: bool) -> tuple[CrashTask, ...]:
    """Return the whole enumeration, or the one that fits into a coffee break."""
    found = []
    for legs, stops, trouble in product(PLANS, (False, True), Trouble):
        occasions: tuple[int | None, ...] = (*range(1, max(legs, 4) + 1), None)
        if trouble is Trouble.NONE:
            stride = 4 if stops and not long else 1
            found.append(CrashTask(legs, trouble, stride=stride, stops=stops))
        elif long:
            found += [CrashTask(legs, trouble, (nth,), stops=stops) for nth in occasions]
        else:
            stride = SAMPLED * len(occasions)
            found.append(CrashTask(legs, trouble, occasions, stride, stops=stops))
    return tuple(found)


def enumerate_crashes(task: CrashTask) -> CrashCount:
    """Try every death of a task."""
    ground, count = Ground(), CrashCount()
    try:
        trial = _Trial(ground, task)
        for index, nth in enumerate(task.strikes):
            death = 1 + index * 3 % task.stride
            while trial.case(nth, death, count):
                death += task.stride
            trial.case(nth, None, count)
    finally:
        ground.close()
    return count


def try_case(case: CrashCase) -> CrashCount:
    """Try one case again."""
    ground, count = Ground(), CrashCount()
    try:
        trial = _Trial(ground, CrashTask(case.legs, case.trouble, stops=case.stops))
        trial.case(case.nth, case.death, count)
    finally:
        ground.close()
    return count


class _Trial:
    def __init__(self, ground: Ground, task: CrashTask) -> None:
        self._ground = ground
        self._task = task
        self._market = market_of(CLOSES)
        before, after = PLANS[task.legs]
        answers = {
            SETUP: answer_of(before, stops=task.stops),
            SESSION: answer_of(after, stops=task.stops),
        }

        def script(context: StrategyContext) -> Decision:
            return answers[context.session]

        self._sleeve = SleeveScript("first", SYMBOLS, script)
        ground.restore()
        account = self._account()
        account.run(SETUP)
        self._kept = ground.keep()
        account = self._account()
        report = account.run(SESSION).report
        legs = [f"{o.side} {o.symbol}" for o in report.orders if not o.purpose.protects]
        require(
            (report.outcome, len(legs)) == (Outcome.TRADED, task.legs),
            f"a plan of {task.legs} legs",
            (report.outcome, legs),
        )
        self._undisturbed = _trades(account)
        self._stops = _stops(account)
        protected = set(after) if task.stops else set()
        require({stop[0] for stop in self._stops} == protected, "a stop under each", self._stops)

    def case(self, nth: int | None, death: int | None, count: CrashCount) -> bool:
        """Try one death; False when the run was over before it came to it."""
        self._ground.restore(self._kept)
        account = self._account()
        strike = Strike(self._task.trouble, nth)
        account.far.set(strike)
        account.restart(death)
        task, died = self._task, None
        case = CrashCase(task.legs, task.trouble, nth, death, stops=task.stops)
        reports: list[CycleReport] = []
        try:
            died = self._live(account, reports)
            if died is None and death is not None:
                return False
            count.cases += 1
            count.deaths += died is not None
            count.moments = max(count.moments, account.ground.fate.passed)
            self._recover(account, reports)
            self._judge(account, reports, count)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            count.broken.append(
                f"killed {died or 'never'}: {what_broke(error)}\n"
                f"  again: python -m proof crash --case '{case}'"
            )
        return True

    def _account(self) -> TrialAccount:
        return TrialAccount(self._ground, self._market, (self._sleeve,))

    def _live(self, account: TrialAccount, reports: list[CycleReport]) -> str | None:
        """Run once under the fault; return where it died, None when it lived."""
        try:
            reports.append(account.run(SESSION).report)
        except Killed as death:
            check_far_side(account)
            return str(death)
        check_report(reports[-1])
        check_far_side(account)
        return None

    def _recover(self, account: TrialAccount, reports: list[CycleReport]) -> None:
        """Run again, with the broker well, until the slot is consumed."""
        for _ in range(_ATTEMPTS):
            if reports and reports[-1].consumes_slot:
                return
            account.far.set()
            account.restart()
            reports.append(account.run(SESSION).report)
            check_report(reports[-1])
            check_far_side(account)

    def _judge(self, account: TrialAccount, reports: list[CycleReport], count: CrashCount) -> None:
        check_books(account)
        last = reports[-1]
        check_evidence(account, last.evidence_sha256)
        check_explained(account)
        check_slot(account.journal().of_run(last.run_key), filled_by_order(account), _LOT)
        trades = _trades(account)
        beyond = {
            key: (quantity, self._undisturbed.get(key, Decimal(0)))
            for key, quantity in trades.items()
            if quantity > self._undisturbed.get(key, Decimal(0))
        }
        require(not beyond, "never more than the undisturbed run", beyond)
        if not last.consumes_slot:
            count.halts[str(last.code)] += 1
        elif (trades, _stops(account)) == (self._undisturbed, self._stops):
            count.exact[self._task.trouble] += 1
        else:
            require(
                self._task.trouble not in HARMLESS,
                "the undisturbed book",
                (
                    (trades, _stops(account)),
                    (self._undisturbed, self._stops),
                    [(r.outcome, r.code, r.reason) for r in reports],
                ),
            )
            count.within[self._task.trouble] += 1


def _trades(account: TrialAccount) -> Trades:
    traded: Trades = {}
    for fill in account.fills():
        key = (fill.symbol, fill.side)
        traded[key] = traded.get(key, Decimal(0)) + fill.quantity
    return traded


def _stops(account: TrialAccount) -> Stops:
    return {
        (order.symbol, order.quantity, order.trigger_price_usd)
        for order in account.truth.open_orders()
        if order.order_type in WAITS
    }


def answer_of(weights: Mapping[str, float], *, stops: bool) -> Decision:
    """Return a decision for these weights, perhaps with a stop under each of them."""
    answer = Decision.weights(weights)
    if not stops:
        return answer
    signals = (
        Signal(symbol, SignalAction.BUY, Decimal(1), stop_loss_pct=_FAR_PCT) for symbol in weights
    )
    return replace(answer, signals=tuple(signals))


def lines(count: CrashCount) -> Iterator[str]:
    """Return the figures as text."""
    halts = ", ".join(f"{code} {times}" for code, times in sorted(count.halts.items())) or "none"
    yield f"cases {count.cases:,}, deaths {count.deaths:,} at up to {count.moments} moments"
    yield f"final book exactly the undisturbed one: {count.exact.total():,}"
    yield f"less, as the broker allowed: {count.within.total():,}; named halts: {halts}"
    for trouble in Trouble:
        exact, less = count.exact[trouble], count.within[trouble]
        if exact or less:
            yield f"{trouble}: exact {exact:,}, less {less:,}"
    yield f"invariants broken: {len(count.broken)}"
