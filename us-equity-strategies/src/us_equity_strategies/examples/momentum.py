"""Time-series momentum: each symbol is held while it has risen over the last 200 sessions.

The idea of Moskowitz, Ooi and Pedersen, "Time Series Momentum" (2012), with one look-back and equal
parts. A symbol that has fallen leaves its part in cash.

The 200 sessions are the warm-up. Nothing has to be collected before the first decision: the
platform hands over the declared history, and less of it is BLOCKED.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pydantic import Field

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
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import StrategyConfig, StrategyContext, Symbols
from us_equity_strategies._inputs import read_history

__all__ = ["Config", "decide", "manifest"]


class Config(StrategyConfig):
    """Configuration of the momentum example.

    Parameters
    ----------
    symbols : Symbols
        Each is worth an equal part of the sleeve.
    lookback : int
        Sessions over which a return is measured.
    certain_return : float
        A return of this size, up or down, is a signal of full confidence.
    trailing_stop_pct : Decimal
        Percent below its highest price at which a signal suggests to leave; a suggestion to
        whoever reads signals, not an order.
    """

    symbols: Symbols = Field(default=("SPY", "EFA", "GLD"), min_length=1)
    lookback: int = Field(default=200, ge=1)
    certain_return: float = Field(default=0.25, gt=0)
    trailing_stop_pct: Decimal = Field(default=Decimal(12), gt=0, lt=100)


def manifest(config: Config) -> StrategyManifest:
    """Return what the example declares under `config`."""
    return StrategyManifest(
        profile="momentum",
        display_name={"en": "Example: Momentum", "zh": "示例：动量"},
        description={
            "en": (
                f"Holds each of {', '.join(config.symbols)} in equal parts while it has risen over "
                f"{config.lookback} sessions, otherwise cash."
            ),
            "zh": (
                f"等权持有过去 {config.lookback} 个交易日内上涨的"
                f" {'、'.join(config.symbols)}，其余为现金。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.symbols[0],
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=config.symbols,
        history=HistoryInput(config.symbols, _sessions(config)),
        role=Role.EXAMPLE,
        icon="🎢",
    )


def decide(context: StrategyContext) -> Decision:
    """Return an equal part of every symbol that has risen.

    BLOCKED with ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the return of a
    symbol cannot be measured.
    """
    config: Config = context.config
    history = read_history(context, config.symbols, least=_sessions(config))
    if isinstance(history, Decision):
        return history
    returns = {
        symbol: indicators.momentum(frame.close, lookback=config.lookback)
        for symbol, frame in history.items()
    }
    part = Decimal(1) / len(config.symbols)
    decision = Decision.weights(
        {symbol: part for symbol, gained in returns.items() if gained > 0},
        diagnostics={symbol: f"{gained:+.4f}" for symbol, gained in returns.items()},
    )
    signals = tuple(_signal(symbol, gained, config) for symbol, gained in returns.items())
    return replace(decision, signals=signals)


def _signal(symbol: str, gained: float, config: Config) -> Signal:
    confidence = min(1.0, abs(gained) / config.certain_return)
    return Signal(
        symbol,
        SignalAction.BUY if gained > 0 else SignalAction.SELL,
        confidence=Decimal(f"{confidence:.4f}"),
        reasoning=f"{gained:+.1%} over {config.lookback} sessions",
        trailing_stop_pct=config.trailing_stop_pct if gained > 0 else None,
    )


def _sessions(config: Config) -> int:
    return config.lookback + 1  # a return needs a close more than it has sessions
