"""What every strategy does about inputs that are missing, short, stale or undefined, as cards.

The platform refuses such inputs before a strategy is asked. The cards hold the strategy itself to
it, so that a backtest, a notebook or a new data source cannot turn a gap into a trade. An
`InputError` that is raised counts as BLOCKED with its code, as it does on the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final

from quant_platform_kit.contracts import Decision, DecisionOutcome, FeatureSnapshot
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import SleeveView, StrategyContext
from quant_platform_kit.testing._expect import NotApplicable, expect
from quant_platform_kit.testing._strategy_bench import (
    FAILURES,
    StrategyBench,
    StrategyCard,
    tell,
    wish,
)
from quant_platform_kit.testing._strategy_inputs import StrategyCase
from quant_platform_kit.testing._strategy_variants import (
    dated,
    with_frame,
    without_column,
    without_feature,
    without_row,
    without_snapshot,
    without_symbol,
    without_value,
)

_FAULTS_PER_CARD: Final = 300  # spread over cases and symbols; a universe has a thousand rows


@dataclass(frozen=True, slots=True)
class _Fault:
    """One thing that is wrong with the inputs of a case.

    `bring` makes the inputs with the fault: only those that are asked about are made.
    """

    what: str
    case: StrategyCase
    intact: Decision
    bring: Callable[[], StrategyContext]
    symbol: str | None = None

    def __str__(self) -> str:
        return f"{self.case.name}, {self.what}"


# ── Price history ──────────────────────────────────────────────────────────────────────


def a_missing_history_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED when a history that the decision reads is not there."""
    faults = [
        _Fault(
            f"without {frame.symbol}",
            case,
            intact,
            partial(without_symbol, case.context, frame.symbol),
        )
        for case, frame, intact in _histories_read(bench)
    ]
    expect(bool(faults), "it declares a price history and reads none of it")
    _expect_blocked(bench, faults)


def a_stale_history_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED when a history that the decision reads ends a session too early."""
    faults = []
    for case, frame, intact in _histories_read(bench):
        last = case.context.calendar.previous(frame.last_session)
        old = partial(with_frame, case.context, frame.until(last))
        faults.append(_Fault(f"{frame.symbol} ending at {last}", case, intact, old))
    _expect_blocked(bench, faults)


def a_short_history_decides_nothing_else(bench: StrategyBench) -> None:
    """Require BLOCKED when a history is too short to know, or the decision of the whole one.

    A symbol that is not held may also be left out, as one that cannot be ranked.
    """
    faults = []
    for case, frame, intact in _histories_read(bench):
        whole, symbol = len(frame), frame.symbol
        for count in sorted({1, whole // 2} - {0, whole}):
            what = f"{count} of {whole} sessions of {symbol}"
            short = partial(with_frame, case.context, frame.tail(count))
            faults.append(_Fault(what, case, intact, short, symbol))
    if not faults:
        raise NotApplicable("one session is all that it declares")
    _expect_no_guess(bench, faults)


def a_missing_column_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED, or the same decision, from bars without a column that is declared."""
    declared = bench.manifest.history.columns if bench.manifest.history else ()
    faults = []
    for case, frame, intact in _histories_read(bench):
        for column in sorted(set(declared) - {"close"}):
            poorer = partial(with_frame, case.context, without_column(frame, column))
            faults.append(_Fault(f"{frame.symbol} without its {column}", case, intact, poorer))
    if not faults:
        raise NotApplicable("it declares closes alone")
    _expect_no_guess(bench, faults)


# ── Feature snapshot ───────────────────────────────────────────────────────────────────


def a_missing_snapshot_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED without the snapshot."""
    faults = [
        _Fault("without a snapshot", case, intact, partial(without_snapshot, case.context))
        for case, _, intact in _snapshots(bench)
    ]
    _expect_blocked(bench, faults)


def a_snapshot_of_the_session_itself_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED when the snapshot knows the close of the session it decides on."""
    faults = []
    for case, snapshot, intact in _snapshots(bench):
        early = partial(dated, case.context, snapshot, case.context.session)
        faults.append(_Fault("with the session's own snapshot", case, intact, early))
    _expect_blocked(bench, faults)


def a_stale_snapshot_blocks(bench: StrategyBench) -> None:
    """Require BLOCKED when the snapshot is a session older than the manifest allows."""
    declared = bench.manifest.snapshot
    age = 1 + (declared.max_age_sessions if declared else 0)
    faults = []
    for case, snapshot, intact in _snapshots(bench):
        as_of = case.context.calendar.offset(case.context.session, -age)
        old = partial(dated, case.context, snapshot, as_of)
        faults.append(_Fault(f"with a snapshot {age} sessions old", case, intact, old))
    _expect_blocked(bench, faults)


def a_snapshot_outside_its_window_holds(bench: StrategyBench) -> None:
    """Require HOLD once the execution window that the manifest declares has closed."""
    declared = bench.manifest.snapshot
    window = declared.execution_window_sessions if declared else None
    if declared is None or window is None or window == declared.max_age_sessions:
        raise NotApplicable("it acts on any snapshot that is not overdue")
    faults = []
    for case, snapshot, intact in _snapshots(bench):
        as_of = case.context.calendar.offset(case.context.session, -window - 1)
        late = partial(dated, case.context, snapshot, as_of)
        faults.append(_Fault(f"{window + 1} sessions after the snapshot", case, intact, late))
    for fault, answer in _answers(bench, faults):
        expect(
            answer.outcome is DecisionOutcome.HOLD, f"{fault}: expected HOLD, got {tell(answer)}"
        )


def a_missing_row_decides_nothing_else(bench: StrategyBench) -> None:
    """Require BLOCKED or the same decision without a row; one not held may be left out."""
    faults = []
    for case, snapshot, intact in _snapshots(bench):
        for row in snapshot.rows if len(snapshot.rows) > 1 else ():  # no snapshot is empty
            what = f"without the row of {row.symbol}"
            poorer = partial(without_row, case.context, snapshot, row)
            faults.append(_Fault(what, case, intact, poorer, row.symbol))
    _expect_no_guess(bench, faults)


def an_undefined_feature_decides_nothing_else(bench: StrategyBench) -> None:
    """Require BLOCKED or the same decision on a NaN; a symbol not held may be left out.

    Prices are never NaN: a bar frame refuses them at its door.
    """
    faults = []
    for case, snapshot, intact in _snapshots(bench):
        for row in snapshot.rows:
            for feature in row.features:
                what = f"{feature} of {row.symbol} undefined"
                broken = partial(without_feature, case.context, snapshot, row, feature)
                faults.append(_Fault(what, case, intact, broken, row.symbol))
    _expect_no_guess(bench, faults)


# ── Portfolio ──────────────────────────────────────────────────────────────────────────


def an_unknown_portfolio_decides_nothing(bench: StrategyBench) -> None:
    """Require that nothing is traded when what the sleeve holds and is worth is not known."""
    if not bench.manifest.reads_portfolio:
        raise NotApplicable("it does not read the portfolio")
    faults = []
    for case, intact in bench.answered():
        nothing = bench.ask(replace(case.context, sleeve=SleeveView()))
        expect(
            nothing.outcome is not DecisionOutcome.REBALANCE and nothing.code not in FAILURES,
            f"{case.name}, with an unknown sleeve: expected BLOCKED, got {tell(nothing)}",
        )
        for symbol in case.context.sleeve.values_usd:
            unvalued = partial(without_value, case.context, symbol)
            faults.append(_Fault(f"{symbol} held at no value", case, intact, unvalued))
    _expect_no_guess(bench, faults)


INPUT_FAULT_CARDS: Final[tuple[StrategyCard, ...]] = (
    a_missing_history_blocks,
    a_stale_history_blocks,
    a_short_history_decides_nothing_else,
    a_missing_column_blocks,
    a_missing_snapshot_blocks,
    a_snapshot_of_the_session_itself_blocks,
    a_stale_snapshot_blocks,
    a_snapshot_outside_its_window_holds,
    a_missing_row_decides_nothing_else,
    an_undefined_feature_decides_nothing_else,
    an_unknown_portfolio_decides_nothing,
)
"""Cards on a strategy whose inputs have a fault."""


def _histories_read(bench: StrategyBench) -> Iterator[tuple[StrategyCase, BarFrame, Decision]]:
    """Yield every history that an answer was made from, with its case and the answer."""
    if bench.manifest.history is None:
        raise NotApplicable("it declares no price history")
    for (case, intact), seen in zip(bench.answered(), bench.symbols_read, strict=True):
        for symbol, frame in case.context.history.items():
            if symbol in seen:
                yield case, frame, intact


def _snapshots(bench: StrategyBench) -> Iterator[tuple[StrategyCase, FeatureSnapshot, Decision]]:
    if bench.manifest.snapshot is None:
        raise NotApplicable("it declares no feature snapshot")
    for case, intact in bench.answered():
        if case.context.snapshot is not None:
            yield case, case.context.snapshot, intact


def _expect_blocked(bench: StrategyBench, faults: Sequence[_Fault]) -> None:
    """Require BLOCKED of every fault, but for a day that is HOLD with and without it."""
    for fault, answer in _answers(bench, faults):
        is_hold = answer.outcome is DecisionOutcome.HOLD and wish(answer) == wish(fault.intact)
        expect(
            answer.outcome is DecisionOutcome.BLOCKED or is_hold,
            f"{fault}: expected BLOCKED with the fault's code, got {tell(answer)}",
        )


def _expect_no_guess(bench: StrategyBench, faults: Sequence[_Fault]) -> None:
    """Require BLOCKED, the intact decision, or one that only leaves a symbol out, not held."""
    for fault, answer in _answers(bench, faults):
        expect(
            answer.outcome is DecisionOutcome.BLOCKED
            or wish(answer) == wish(fault.intact)
            or _leaves_out(bench, fault, answer),
            f"{fault}: expected BLOCKED with the fault's code or {tell(fault.intact)}, got "
            f"{tell(answer)}",
        )


def _answers(bench: StrategyBench, faults: Sequence[_Fault]) -> Iterator[tuple[_Fault, Decision]]:
    """Yield every fault, or a sample of so many that they can be asked about, and its answer."""
    count = min(len(faults), _FAULTS_PER_CARD)
    for fault in Random(count).sample(faults, count):  # noqa: S311 (the same ones every time)
        answer = bench.ask(fault.bring())
        said = f"{fault}: it fails, instead of saying BLOCKED itself: {tell(answer)}"
        expect(answer.code not in FAILURES, said)
        yield fault, answer


def _leaves_out(bench: StrategyBench, fault: _Fault, answer: Decision) -> bool:
    symbol = fault.symbol
    if symbol not in bench.manifest.managed or fault.case.context.sleeve.holds(symbol):
        return False
    return all(target.symbol != symbol or not target.amount for target in answer.targets)
