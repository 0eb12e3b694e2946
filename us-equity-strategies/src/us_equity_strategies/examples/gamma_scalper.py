"""Gamma scalping: what would be bought of options that expire today, and how they are hedged.

Somebody who holds a straddle earns from movement: he sells some of the fund after a rise and buys
after a fall, and so keeps his delta near zero until the options expire. The parts of the rule that
daily prices and the calendar can decide are here, as functions:

- `hedge`: the fund is traded when the delta of the straddles leaves -0.15 .. +0.15.
- `exit_at`: everything is closed at 15:45 New York, a quarter of an hour before the close.
- `size_factor`: half the size in a regime of positive gamma, where dealers trade against moves,
  and half as much again in one of negative gamma, where they trade with them.

What waits for option contracts and chains in the platform: the straddles themselves, their implied
volatility, and the dealers' gamma. Until then the regime is read from prices (negative when the
last sessions moved more than the ones before), the delta is that of a straddle struck at the close
before the last one, and the answer of a daily run is the rule's state at the end of a session:
nothing is held over night.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import NormalDist
from typing import Final, Self

from pydantic import Field, model_validator

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
from quant_platform_kit.market import ExchangeCalendar, indicators
from quant_platform_kit.strategy import StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._inputs import read_history

__all__ = [
    "Config",
    "GammaRegime",
    "decide",
    "exit_at",
    "hedge",
    "manifest",
    "regime_of",
    "size_factor",
    "straddle_delta",
]

_SHARES_PER_CONTRACT: Final = 100


class Config(StrategyConfig):
    """Configuration of the gamma scalping example.

    Parameters
    ----------
    symbol : Symbol
        The fund whose options are meant, and that hedges them.
    straddles : int
        How many are bought in a regime that is neither.
    delta_threshold : float
        Delta of one straddle, up or down, beyond which it is hedged.
    exit_before_close_mins : int
        Minutes before the close at which everything is closed.
    positive_gamma_factor, negative_gamma_factor : Decimal
        What the size is multiplied by, by regime.
    short_window, long_window : int
        Sessions of the two volatilities that stand in for the dealers' gamma.
    """

    symbol: Symbol = "SPY"
    straddles: int = Field(default=10, ge=1)
    delta_threshold: float = Field(default=0.15, gt=0, le=1)
    exit_before_close_mins: int = Field(default=15, ge=1)
    positive_gamma_factor: Decimal = Field(default=Decimal("0.5"), ge=0)
    negative_gamma_factor: Decimal = Field(default=Decimal("1.5"), ge=0)
    short_window: int = Field(default=5, ge=2)
    long_window: int = Field(default=21, ge=3)

    @model_validator(mode="after")
    def _windows_differ(self) -> Self:
        if self.short_window >= self.long_window:
            raise ValueError(
                f"short_window = {self.short_window} must be below long_window = {self.long_window}"
            )
        return self


class GammaRegime(StrEnum):
    """What dealers' hedges do to a move."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


def manifest(config: Config) -> StrategyManifest:
    """Return what the example declares under `config`."""
    return StrategyManifest(
        profile="gamma_scalper",
        display_name={"en": "Example: Gamma Scalper", "zh": "示例：伽马对冲"},
        description={
            "en": (
                f"Says how straddles on {config.symbol} that expire the same day would be sized "
                "and hedged; the options are not traded yet, and nothing is held over night."
            ),
            "zh": (
                f"给出 {config.symbol} 当日到期跨式期权的规模与对冲信号；"
                "期权本身尚不交易，且不持仓过夜。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.symbol,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=(config.symbol,),
        history=HistoryInput((config.symbol,), _sessions(config)),
        role=Role.EXAMPLE,
        icon="⚡",
    )


def decide(context: StrategyContext) -> Decision:
    """Return an empty sleeve for the night, and the last close's hedge as a signal.

    BLOCKED with ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the volatilities
    cannot be measured.
    """
    config: Config = context.config
    history = read_history(context, (config.symbol,), least=_sessions(config))
    if isinstance(history, Decision):
        return history
    closes = history[config.symbol].close
    short = indicators.volatility(closes, config.short_window)
    long = indicators.volatility(closes, config.long_window)
    regime = regime_of(short, long)
    straddles = config.straddles * size_factor(regime, config)
    move = float(closes[-1] / closes[-2])
    delta = straddle_delta(move, long / math.sqrt(indicators.SESSIONS_PER_YEAR))
    leaves = exit_at(context.calendar, context.session, config)
    return replace(
        Decision.weights({}),
        signals=(_signal(delta, straddles, regime, config),),
        diagnostics={
            "gamma": regime.value,
            "straddles": f"{straddles:f}",
            "delta": f"{delta:+.4f}",
            "exit_at": leaves.isoformat(),
        },
    )


def exit_at(calendar: ExchangeCalendar, session: date, config: Config) -> datetime:
    """Return when everything is closed, in UTC: 15:45 New York, earlier on a short day."""
    return calendar.session_close(session) - timedelta(minutes=config.exit_before_close_mins)


def regime_of(short_volatility: float, long_volatility: float) -> GammaRegime:
    """Return the regime that prices suggest: moves that grow are not being dampened."""
    grows = short_volatility > long_volatility
    return GammaRegime.NEGATIVE if grows else GammaRegime.POSITIVE


def size_factor(regime: GammaRegime, config: Config) -> Decimal:
    """Return what the usual size is multiplied by."""
    is_negative = regime is GammaRegime.NEGATIVE
    return config.negative_gamma_factor if is_negative else config.positive_gamma_factor


def straddle_delta(move: float, deviation: float) -> float:
    """Return the delta of a straddle, in [-1, 1], without interest (Black and Scholes, 1973).

    Parameters
    ----------
    move : float
        Price over strike.
    deviation : float
        Standard deviation of the log return that is left until expiry; at 0 the option is decided.
    """
    if deviation == 0:
        return float((move > 1) - (move < 1))
    distance = math.log(move) / deviation + deviation / 2
    return 2 * NormalDist().cdf(distance) - 1


def hedge(delta: float, config: Config) -> float:
    """Return the fund to trade per straddle and share: against the delta, beyond the threshold."""
    return -delta if abs(delta) > config.delta_threshold else 0.0


def _signal(delta: float, straddles: Decimal, regime: GammaRegime, config: Config) -> Signal:
    trade = hedge(delta, config)
    action = SignalAction.HOLD
    if trade:
        action = SignalAction.BUY if trade > 0 else SignalAction.SELL
    shares = int(abs(Decimal(str(trade))) * straddles * _SHARES_PER_CONTRACT)
    return Signal(
        config.symbol,
        action,
        confidence=Decimal(f"{abs(delta):.4f}"),
        reasoning=(
            f"{straddles:f} straddles at {delta:+.2f} delta, {regime.value} gamma; hedged beyond "
            f"{config.delta_threshold:g}"
        ),
        quantity=Decimal(shares),
    )


def _sessions(config: Config) -> int:
    return config.long_window + 1  # a return needs two closes
