"""Evaluation of strategies: in parallel, each on its own, with a time limit.

One strategy alone runs in a thread: a decision takes milliseconds, and there is nobody beside it
to be slowed down. Several run in worker processes, since threads share one interpreter: they would
take turns instead of using the processors, and one that never ends could not be ended. A strategy
that no other process can load, such as a function of a test, runs in a thread in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from threading import Thread
from time import monotonic
from types import MappingProxyType
from typing import TypeVar

from quant_platform_kit.contracts import Decision, DecisionOutcome
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.strategy._answer import ask, late, read_answer
from quant_platform_kit.strategy._contract import StrategyContext
from quant_platform_kit.strategy._pool import WorkerPool, shared_pool
from quant_platform_kit.strategy._strategy import Strategy
from quant_platform_kit.strategy._transport import pack

V = TypeVar("V")

_log = logging.getLogger(__name__)


def evaluate(
    jobs: Sequence[tuple[Strategy, StrategyContext]],
    timeout_secs: float,
    *,
    workers: WorkerPool | None = None,
) -> tuple[Decision, ...]:
    """Ask every strategy for its decision, all at once, and return one answer per job in order.

    No strategy can stop another one or the run: what goes wrong becomes a BLOCKED decision, and
    a blocked sleeve keeps what it holds. A strategy is given nothing that it could change, and
    what it returns is taken over by value.

    Parameters
    ----------
    jobs : sequence of (Strategy, StrategyContext)
        A strategy's `decide` may be a coroutine function; it gets an event loop of its own.
    timeout_secs : float
        For each strategy, from its own start; above zero.
    workers : WorkerPool, optional
        Processes for two jobs or more; the ones that the process shares when left out.

    Returns
    -------
    tuple of Decision
        The strategy's own, or BLOCKED: ``STRATEGY_TIMEOUT`` without an answer in time,
        ``UNMANAGED_TARGET`` for a target outside the declared universe, ``STRATEGY_FAILED`` for
        anything else that is raised or malformed. An input or calendar error keeps its own code.
    """
    if not timeout_secs > 0:
        raise ContractError(f"evaluate.timeout_secs = {timeout_secs}: expected more than zero")
    started = monotonic()
    jobs = [(strategy, _read_only(context)) for strategy, context in jobs]
    parcels = _parcels(jobs) if len(jobs) > 1 else {}
    here = {
        index: _Ask(strategy, context, timeout_secs)
        for index, (strategy, context) in enumerate(jobs)
        if index not in parcels
    }
    there = _in_processes(parcels, timeout_secs, workers)
    for index in parcels.keys() - there.keys():  # no process could be started
        here[index] = _Ask(*jobs[index], timeout_secs)
    decisions = tuple(
        _checked(strategy, there[index] if index in there else here[index].decision())
        for index, (strategy, _) in enumerate(jobs)
    )
    _tell(jobs, decisions, monotonic() - started)
    return decisions


def _parcels(jobs: Sequence[tuple[Strategy, StrategyContext]]) -> dict[int, bytes]:
    packed = {index: pack(*job) for index, job in enumerate(jobs)}
    return {index: parcel for index, parcel in packed.items() if parcel is not None}


def _in_processes(
    parcels: Mapping[int, bytes], timeout_secs: float, workers: WorkerPool | None
) -> dict[int, Decision]:
    if not parcels:
        return {}
    pool = shared_pool() if workers is None else workers
    decisions = pool.run(tuple(parcels.values()), timeout_secs)
    return {
        index: decision
        for index, decision in zip(parcels, decisions, strict=True)
        if decision is not None
    }


class _Ask:
    """A strategy that is being asked in a thread."""

    def __init__(self, strategy: Strategy, context: StrategyContext, timeout_secs: float) -> None:
        self._strategy = strategy
        self._context = context
        self._timeout_secs = timeout_secs
        self._answer: Future[tuple[str, float]] = Future()
        self._deadline = monotonic() + timeout_secs
        # Not an executor: it would wait for a hung strategy when the process wants to exit.
        name = f"strategy-{strategy.manifest.profile}"
        Thread(target=self._run, name=name, daemon=True).start()

    def decision(self) -> Decision:
        """Wait for the answer, but not beyond the deadline."""
        wait([self._answer], timeout=max(0.0, self._deadline - monotonic()))
        if not self._answer.done():
            return late(self._timeout_secs)
        text, answered_at = self._answer.result()
        # An answer may have come too late while somebody else was waited for.
        return read_answer(text) if answered_at <= self._deadline else late(self._timeout_secs)

    def _run(self) -> None:
        text = ask(self._strategy.decide, self._context, await_secs=self._timeout_secs)
        self._answer.set_result((text, monotonic()))


def _read_only(context: StrategyContext) -> StrategyContext:
    sleeve = context.sleeve
    return replace(
        context,
        history=_view(context.history),
        sleeve=replace(
            sleeve,
            quantities=_view(sleeve.quantities),
            values_usd=_view(sleeve.values_usd),
            bought_usd=_view(sleeve.bought_usd),
        ),
    )


def _view(mapping: Mapping[str, V]) -> Mapping[str, V]:
    return MappingProxyType(dict(mapping))


def _checked(strategy: Strategy, decision: Decision) -> Decision:
    if decision.outcome is not DecisionOutcome.REBALANCE:
        return decision
    manifest = strategy.manifest
    if decision.mode is not manifest.target_mode:
        return Decision.blocked(
            ReasonCode.STRATEGY_FAILED,
            f"answered in {decision.mode}, but declares targets by {manifest.target_mode}",
        )
    strangers = sorted({target.symbol for target in decision.targets} - set(manifest.managed))
    if strangers:
        return Decision.blocked(
            ReasonCode.UNMANAGED_TARGET,
            f"targets outside the managed universe: {', '.join(strangers)}",
        )
    return decision


def _tell(
    jobs: Sequence[tuple[Strategy, StrategyContext]],
    decisions: Sequence[Decision],
    seconds: float,
) -> None:
    blocked = 0
    for (strategy, _), decision in zip(jobs, decisions, strict=True):
        if decision.code is not None:
            blocked += 1
            # The code alone: an error's text may quote anything, and the report has it.
            _log.warning("strategy %s is blocked: %s", strategy.manifest.profile, decision.code)
    _log.info("evaluated %d strategies in %.3f s, %d blocked", len(jobs), seconds, blocked)
