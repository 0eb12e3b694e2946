"""Mean reversion: a symbol is bought far below its average, and sold when it is back there.

Far below means `entry` standard deviations, over the last `window` closes. What is held is the only
memory: a symbol between the two lines is kept when it is held and left alone when it is not.
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
    """Configuration of the mean reversion example.

    Parameters
    ----------
    symbols : Symbols
        Each is worth an equal part of the sleeve.
    window : int
        Closes of the average and the deviation.
    entry : float
        Deviations below the average at which a symbol is bought.
    stop_loss_pct : Decimal
        Percent below its cost at which a signal suggests to leave; a suggestion to whoever reads
        signals, not an order.
    """

    symbols: Symbols = Field(default=("SPY", "QQQ", "IWM", "EFA"), min_length=1)
    window: int = Field(default=20, ge=2)
    entry: float = Field(default=2.0, gt=0)
    stop_loss_pct: Decimal = Field(default=Decimal(5), gt=0, lt=100)


def manifest(config: Config) -> StrategyManifest:
    """Return what the example declares under `config`."""
    return StrategyManifest(
        profile="mean_reversion",
        display_name={"en": "Example: Mean Reversion", "zh": "示例：均值回归"},
        description={
            "en": (
                f"Buys each of {', '.join(config.symbols)} when it closes {config.entry:g} "
                f"deviations below its {config.window}-session average, and sells it at the "
                "average."
            ),
            "zh": (
                f"当 {'、'.join(config.symbols)} 收盘价低于 {config.window} 日均线"
                f" {config.entry:g} 个标准差时买入，回到均线时卖出。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.symbols[0],
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=config.symbols,
        history=HistoryInput(config.symbols, config.window),
        role=Role.EXAMPLE,
        icon="🧲",
    )


def decide(context: StrategyContext) -> Decision:
    """Return an equal part of every symbol that is on its way back to its average.

    BLOCKED with ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the deviation of
    a symbol cannot be measured.
    """
    config: Config = context.config
    history = read_history(context, config.symbols, least=config.window)
    if isinstance(history, Decision):
        return history
    # Prices that stand still deviate by nothing: their score is zero.
    scores = {
        symbol: float(indicators.zscore(frame.close[-config.window :])[-1])
        for symbol, frame in history.items()
    }
    held = {symbol for symbol in scores if context.sleeve.holds(symbol)}
    part = Decimal(1) / len(config.symbols)
    decision = Decision.weights(
        {
            symbol: part
            for symbol, score in scores.items()
            if score <= -config.entry or (symbol in held and score < 0)
        },
        diagnostics={symbol: f"{score:+.2f}" for symbol, score in scores.items()},
    )
    signals = (
        _signal(symbol, score, config, is_held=symbol in held) for symbol, score in scores.items()
    )
    return replace(decision, signals=tuple(signals))


def _signal(symbol: str, score: float, config: Config, *, is_held: bool) -> Signal:
    action = SignalAction.HOLD
    if score <= -config.entry:
        action = SignalAction.BUY
    elif is_held and score >= 0:
        action = SignalAction.SELL
    confidence = min(1.0, abs(score) / (2 * config.entry))
    return Signal(
        symbol,
        action,
        confidence=Decimal(f"{confidence:.4f}"),
        reasoning=f"{score:+.2f} deviations from its {config.window}-session average",
        stop_loss_pct=config.stop_loss_pct if action is SignalAction.BUY else None,
    )
