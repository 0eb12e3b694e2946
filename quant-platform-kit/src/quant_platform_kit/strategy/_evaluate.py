"""Evaluation of strategies: in parallel, each on its own, with a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from functools import partial
from threading import Thread
from typing import Final

from quant_platform_kit.contracts import Decision, DecisionOutcome
from quant_platform_kit.errors import CalendarError, ContractError, InputError, ReasonCode
from quant_platform_kit.strategy._contract import StrategyContext
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._strategy import Strategy

_FAILED: Final = ReasonCode.STRATEGY_FAILED


def evaluate(
    jobs: Sequence[tuple[Strategy, StrategyContext]], timeout_secs: float
) -> tuple[Decision, ...]:
    """Ask every strategy for its decision, all at once, and return one answer per job in order.

    No strategy can stop another one or the run: what goes wrong becomes a BLOCKED decision, and
    a blocked sleeve keeps what it holds.

    Parameters
    ----------
    jobs : sequence of (Strategy, StrategyContext)
    timeout_secs : float
        From the start of the evaluation; above zero.

    Returns
    -------
    tuple of Decision
        The strategy's own, or BLOCKED: ``STRATEGY_TIMEOUT`` without an answer in time,
        ``UNMANAGED_TARGET`` for a target outside the declared universe, ``STRATEGY_FAILED`` for
        anything else that is raised or malformed. An input or calendar error keeps its own code.
    """
    if not timeout_secs > 0:
        raise ContractError(f"evaluate.timeout_secs = {timeout_secs}: expected more than zero")
    answers = [_start(strategy, context) for strategy, context in jobs]
    in_time = wait(answers, timeout=timeout_secs).done
    return tuple(
        _checked(strategy, answer.result()) if answer in in_time else _late(timeout_secs)
        for (strategy, _), answer in zip(jobs, answers, strict=True)
    )


def _start(strategy: Strategy, context: StrategyContext) -> Future[object]:
    # Not an executor: it would wait for a hung strategy when the process wants to exit.
    answer: Future[object] = Future()
    Thread(
        target=lambda: answer.set_result(attempt(partial(strategy.decide, context))),
        name=f"strategy-{strategy.manifest.profile}",
        daemon=True,
    ).start()
    return answer


def _late(timeout_secs: float) -> Decision:
    return Decision.blocked(
        ReasonCode.STRATEGY_TIMEOUT, f"no answer within {timeout_secs:g} seconds"
    )


def _checked(strategy: Strategy, answer: object) -> Decision:
    if isinstance(answer, Failure):
        return Decision.blocked(_code(answer.error), str(answer))
    if not isinstance(answer, Decision):
        return Decision.blocked(_FAILED, f"answered a {type(answer).__name__}, not a Decision")
    if answer.outcome is not DecisionOutcome.REBALANCE:
        return answer
    return _checked_targets(strategy, answer)


def _checked_targets(strategy: Strategy, decision: Decision) -> Decision:
    manifest = strategy.manifest
    if decision.mode is not manifest.target_mode:
        return Decision.blocked(
            _FAILED,
            f"answered in {decision.mode}, but declares targets by {manifest.target_mode}",
        )
    strangers = sorted({target.symbol for target in decision.targets} - set(manifest.managed))
    if strangers:
        return Decision.blocked(
            ReasonCode.UNMANAGED_TARGET,
            f"targets outside the managed universe: {', '.join(strangers)}",
        )
    return decision


def _code(error: BaseException) -> ReasonCode:
    return error.code if isinstance(error, InputError | CalendarError) else _FAILED
