"""One strategy asked once, the same way in a thread and in a worker process."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from quant_platform_kit.contracts import Decision, decode, encode
from quant_platform_kit.errors import CalendarError, InputError, ReasonCode
from quant_platform_kit.strategy._contract import StrategyContext
from quant_platform_kit.strategy._isolation import Failure, attempt

Decide: TypeAlias = Callable[[StrategyContext], Decision | Awaitable[Decision]]
"""A profile's decision function, or coroutine function."""

_FAILED: Final = ReasonCode.STRATEGY_FAILED


def ask(decide: Decide, context: StrategyContext, *, await_secs: float | None = None) -> str:
    """Return the answer of `decide` as JSON; what goes wrong is a BLOCKED decision.

    The answer leaves the strategy's hands as text, so that nothing of it can change afterwards or
    run code where it is read.

    Parameters
    ----------
    decide : callable
        A coroutine function gets an event loop of its own.
    context : StrategyContext
    await_secs : float, optional
        After which a coroutine is cancelled.
    """
    given = attempt(partial(_written, decide, context, await_secs))
    return write_answer(blocked_by(given)) if isinstance(given, Failure) else given


def write_answer(decision: Decision) -> str:
    """Return `decision` as JSON, everything in the order the strategy gave it."""
    return json.dumps(encode(decision), ensure_ascii=False)


def read_answer(text: str) -> Decision:
    """Return the decision that `ask` or `write_answer` wrote."""
    return decode(Decision, json.loads(text))


def blocked_by(failure: Failure) -> Decision:
    """Return the decision of a strategy that raised; an input error keeps its own code."""
    error = failure.error
    code = error.code if isinstance(error, InputError | CalendarError) else _FAILED
    return Decision.blocked(code, str(failure))


def late(timeout_secs: float) -> Decision:
    """Return the decision of a strategy that did not answer in time."""
    return Decision.blocked(
        ReasonCode.STRATEGY_TIMEOUT, f"no answer within {timeout_secs:g} seconds"
    )


def _written(decide: Decide, context: StrategyContext, await_secs: float | None) -> str:
    answer: object = decide(context)
    if inspect.isawaitable(answer):
        import asyncio  # most strategies never await

        answer = asyncio.run(_awaited(answer, await_secs))
    if not isinstance(answer, Decision):
        kind = type(answer).__name__
        return write_answer(Decision.blocked(_FAILED, f"answered a {kind}, not a Decision"))
    text = write_answer(answer)
    read_answer(text)  # what cannot be read back is refused here, on the strategy's account
    return text


async def _awaited(answer: Awaitable[object], await_secs: float | None) -> object:
    import asyncio

    async with asyncio.timeout(await_secs):
        return await answer
