"""A signal and a trade on every session, to exercise everything behind a strategy.

It buys a little of one symbol on even sessions and sells it on odd ones, counted from the first
session that the calendar knows, so that a run that was missed changes nothing about the next. Its
`decide` is a coroutine function, which the platform treats like any other.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    Role,
    Signal,
    SignalAction,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._inputs import read_history

__all__ = ["Config", "decide", "manifest"]


class Config(StrategyConfig):
    """Configuration of the generator.

    Parameters
    ----------
    symbol : Symbol
    weight : Ratio
        How much of the sleeve goes in and out.
    """

    symbol: Symbol = "SPY"
    weight: Ratio = Decimal("0.1")


def manifest(config: Config) -> StrategyManifest:
    """Return what the generator declares under `config`."""
    return StrategyManifest(
        profile="test_signal_generator",
        display_name={"en": "Test Signal Generator", "zh": "测试信号发生器"},
        description={
            "en": f"Buys {config.symbol} on even sessions and sells it on odd ones.",
            "zh": f"偶数交易日买入 {config.symbol}，奇数交易日卖出。",
        },
        cadence=Cadence.DAILY,
        benchmark=config.symbol,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=(config.symbol,),
        history=HistoryInput((config.symbol,), 1),
        role=Role.EXAMPLE,
        icon="🧪",
    )


async def decide(context: StrategyContext) -> Decision:
    """Return today's half of the round trip.

    BLOCKED with ``HISTORY_MISSING`` or ``HISTORY_STALE`` when the symbol has no current price.
    """
    config: Config = context.config
    history = read_history(context, (config.symbol,))
    if isinstance(history, Decision):
        return history
    number = context.calendar.sessions_between(context.calendar.first_day, context.session)
    is_even = number % 2 == 0
    signal = Signal(
        config.symbol,
        SignalAction.BUY if is_even else SignalAction.SELL,
        confidence=Decimal(1),
        reasoning=f"session {number} of the calendar is {'even' if is_even else 'odd'}",
    )
    decision = Decision.weights({config.symbol: config.weight if is_even else Decimal(0)})
    return replace(decision, signals=(signal,))
