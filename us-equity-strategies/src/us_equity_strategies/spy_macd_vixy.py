"""SPY while its MACD is above the signal line; else a volatility hedge and cash.

The moving average convergence divergence of Appel (1979) on daily closes, read as a state and
not as a crossing: a run that was missed changes nothing about the next one. A line that exactly
equals its signal is not above it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Self

from pydantic import Field, model_validator

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    Role,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._inputs import read_history

__all__ = ["Config", "decide", "manifest"]

# After so many multiples of the longer period the first close, which seeds the averages, weighs
# less than a millionth: the decision does not depend on where the history happens to begin.
_WARM_UP_PERIODS: Final = 8


class Config(StrategyConfig):
    """Configuration of the MACD switch.

    Parameters
    ----------
    signal_symbol : Symbol
        Whose closes decide; it may be an index.
    risk_symbol : Symbol
        What is held, with everything, while the line is above its signal.
    hedge_symbol : Symbol or None
        What is held otherwise; None holds cash alone.
    hedge_weight : Ratio
        How much of the hedge; the rest is cash.
    fast, slow, signal : int
        Periods of the averages, in sessions.
    benchmark : Symbol
    """

    signal_symbol: Symbol = "SPY"
    risk_symbol: Symbol = "SPY"
    hedge_symbol: Symbol | None = "VIXY"
    hedge_weight: Ratio = Decimal("0.25")
    fast: int = Field(default=12, ge=1)
    slow: int = Field(default=26, ge=2)
    signal: int = Field(default=9, ge=1)
    benchmark: Symbol = "SPY"

    @model_validator(mode="after")
    def _choices_differ(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast = {self.fast} must be below slow = {self.slow}")
        if self.hedge_symbol == self.risk_symbol:
            raise ValueError(f"hedge_symbol and risk_symbol are both {self.risk_symbol}")
        return self


def manifest(config: Config) -> StrategyManifest:
    """Return what the switch declares under `config`."""
    share = f"{(100 * config.hedge_weight).normalize():f}%"
    hedge_en = f"{share} {config.hedge_symbol} and cash" if config.hedge_symbol else "cash"
    hedge_zh = f" {share} 的 {config.hedge_symbol}，其余为现金" if config.hedge_symbol else "现金"
    name_en = f"with {config.hedge_symbol} Hedge" if config.hedge_symbol else "or Cash"
    name_zh = f" {config.hedge_symbol} 对冲" if config.hedge_symbol else "现金"
    return StrategyManifest(
        profile="spy_macd_vixy",
        aliases=("spymacdvixy",),
        display_name={
            "en": f"{config.signal_symbol} MACD {name_en}",
            "zh": f"{config.signal_symbol} MACD 趋势与{name_zh}",
        },
        description={
            "en": (
                f"Holds {config.risk_symbol} while the MACD of {config.signal_symbol} is above its "
                f"signal line, otherwise {hedge_en}."
            ),
            "zh": (
                f"当 {config.signal_symbol} 的 MACD 高于信号线时持有 {config.risk_symbol}，"
                f"否则持有{hedge_zh}。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.benchmark,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=_traded(config),
        history=HistoryInput(
            symbols=_read(config),
            sessions=_WARM_UP_PERIODS * max(config.slow, config.signal),
        ),
        role=Role.DEFENSIVE,
        icon="📈",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the risk asset or the hedge.

    BLOCKED with ``HISTORY_MISSING`` or ``HISTORY_STALE`` when a declared symbol cannot be read,
    and with ``HISTORY_SHORT`` on fewer than ``slow + signal`` closes of the signal symbol.
    """
    config: Config = context.config
    history = read_history(context, _read(config))
    if isinstance(history, Decision):
        return history
    closes = history[config.signal_symbol].close
    needed = config.slow + config.signal
    if len(closes) < needed:
        return Decision.blocked(
            ReasonCode.HISTORY_SHORT,
            f"{config.signal_symbol} has {len(closes)} closes; its MACD needs {needed}",
        )
    macd = indicators.macd(closes, config.fast, config.slow, config.signal)
    line, signal = float(macd.line[-1]), float(macd.signal[-1])
    is_up = line > signal
    if is_up:
        weights = {config.risk_symbol: Decimal(1)}
    else:
        weights = {config.hedge_symbol: config.hedge_weight} if config.hedge_symbol else {}
    return Decision.weights(
        weights,
        diagnostics={
            "macd_line": f"{line:+.4f}",
            "macd_signal": f"{signal:+.4f}",
            "state": "up" if is_up else "down",
        },
    )


def _traded(config: Config) -> tuple[str, ...]:
    hedge = config.hedge_symbol
    return (config.risk_symbol,) if hedge is None else (config.risk_symbol, hedge)


def _read(config: Config) -> tuple[str, ...]:
    return tuple(dict.fromkeys((config.signal_symbol, *_traded(config))))
