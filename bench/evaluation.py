"""Evaluation: four equal strategies that only compute, against one of them alone.

The peer is the standard library's process pool, which isolates nothing and ends nothing: it shows
what the machine had to give at that moment.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial

from bench import _busy_strategy as busy
from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import Decision, DecisionOutcome
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import (
    SleeveView,
    Strategy,
    StrategyContext,
    WorkerPool,
    evaluate,
)

_STRATEGIES = 4
_ROUNDS = 9
_TARGET = 1.3  # of the time that perfectly shared processors would take
_PATIENT_SECS = 120.0


def run() -> BenchResult:
    """Measure on warm workers; `docs/benchmarks.md` has the result."""
    processors = len(os.sched_getaffinity(0))
    ideal = max(1.0, _STRATEGIES / processors)
    workers = WorkerPool()
    try:
        with ProcessPoolExecutor(processors, multiprocessing.get_context("spawn")) as peer:
            many = partial(_evaluate, _STRATEGIES, workers)
            bare = partial(_compute, _STRATEGIES, peer)
            many()  # starts the processes
            bare()
            seconds = interleaved_medians(
                {"one": partial(_evaluate, 1, workers), "many": many, "bare": bare},
                rounds=_ROUNDS,
            )
    finally:
        workers.close()
    ratio = seconds["many"] / seconds["one"] / ideal
    against_peer = seconds["many"] / seconds["bare"]
    return BenchResult(
        what=f"evaluation of {_STRATEGIES} equal strategies on {processors} processors",
        figure=f"{seconds['many'] * 1e3:.0f} ms, one alone {seconds['one'] * 1e3:.0f} ms",
        ratio=f"{ratio:.2f}x of perfectly shared processors, {against_peer:.2f}x a process pool",
        target=f"at most {_TARGET}x of perfectly shared processors",
        met=ratio <= _TARGET,
    )


def _evaluate(count: int, workers: WorkerPool) -> tuple[Decision, ...]:
    config = busy.Config()
    strategy = Strategy(busy.__name__, config, busy.manifest(config), busy.decide)
    context = StrategyContext(date(2020, 3, 31), xnys(), {}, None, SleeveView(), config)
    decisions = evaluate([(strategy, context)] * count, _PATIENT_SECS, workers=workers)
    if any(decision.outcome is not DecisionOutcome.HOLD for decision in decisions):
        raise RuntimeError(f"nothing was measured: {decisions[0].reason}")
    return decisions


def _compute(count: int, peer: ProcessPoolExecutor) -> list[Decision]:
    return list(peer.map(busy.decide, [None] * count))


if __name__ == "__main__":
    print(run())
