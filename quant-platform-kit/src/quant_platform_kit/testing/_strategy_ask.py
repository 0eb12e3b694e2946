"""One question to a strategy's `decide`, with everything that can go wrong as the answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from threading import Thread
from time import perf_counter
from typing import TypeAlias

from quant_platform_kit.contracts import Decision
from quant_platform_kit.errors import CalendarError, InputError, ReasonCode
from quant_platform_kit.strategy import StrategyContext

Decide: TypeAlias = Callable[[StrategyContext], object]
"""A profile's decision function, or coroutine function; nobody knows yet what it answers."""

Run: TypeAlias = Callable[[Awaitable[object]], object]
"""Brings an awaitable answer to its end."""


def ask(decide: Decide, context: StrategyContext, run: Run | None = None) -> Decision:
    """Return the decision, or BLOCKED as the platform blocks a strategy that raises.

    `asyncio.run` ends a coroutine, unless `run` is given.
    """
    try:
        answer = decide(context)
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer)) if run is None else run(answer)
    except (InputError, CalendarError) as error:
        return Decision.blocked(error.code, error.message)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (other people's code raises anything)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Decision.blocked(ReasonCode.STRATEGY_FAILED, text)
    if isinstance(answer, Decision):
        return answer
    kind = type(answer).__name__
    return Decision.blocked(ReasonCode.STRATEGY_FAILED, f"answered a {kind}, not a Decision")


def ask_in_time(
    decide: Decide, context: StrategyContext, timeout_secs: float
) -> tuple[Decision, float]:
    """Return what `ask` answers, or BLOCKED when it does not within its time, and the seconds."""
    answers: list[tuple[Decision, float]] = []

    def answer() -> None:
        start = perf_counter()
        decision = ask(decide, context)
        answers.append((decision, perf_counter() - start))

    # A daemon, so that a strategy that never answers does not keep the process from ending.
    thread = Thread(target=answer, daemon=True)
    thread.start()
    thread.join(timeout_secs)
    if answers:
        return answers[0]
    late = f"no answer within {timeout_secs:g} seconds"
    return Decision.blocked(ReasonCode.STRATEGY_TIMEOUT, late), timeout_secs


async def _awaited(answer: Awaitable[object]) -> object:
    return await answer
