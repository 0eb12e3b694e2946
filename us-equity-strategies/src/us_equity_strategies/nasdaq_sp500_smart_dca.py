"""A purchase of index funds each month, of a fixed amount or of one that follows the market.

- When: on the first session of the window, which opens on the 25th and lasts five calendar days.
  That is one purchase a month, told by the calendar: a month whose first session was missed is not
  made up for. A second slot on that session buys what the first could not, and never more.
- How much: `fixed` buys the base amount. `smart` multiplies it by what the signal symbols show on
  average: 2, 1.5 or 1.25 after a fall, 0.5 or nothing when prices are far above their average,
  else 1. The amount is at most the maximum and at most the cash above the reserve; below the
  minimum order nothing is bought.
- What: equal dollars of each fund. Nothing is ever sold: a target is what the fund is worth now
  and its part of the purchase.

Averaged in `smart`: the fall from the highest close of 252 sessions, the gap to the 200-session
average, and the relative strength index of 14 sessions (Wilder, 1978; simple averages), of which
the lowest counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    ExecutionHints,
    HistoryInput,
    ProfileStatus,
    Role,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.market import BarFrame, ExchangeCalendar, indicators
from quant_platform_kit.strategy import (
    SleeveView,
    StrategyConfig,
    StrategyContext,
    Symbol,
    Symbols,
)
from us_equity_strategies._dollars import Usd, cents_below
from us_equity_strategies._inputs import read_history, read_sleeve

__all__ = [
    "Config",
    "Level",
    "Market",
    "Sizing",
    "decide",
    "level_of",
    "manifest",
    "market_of",
    "window_start",
]

_HIGH_SESSIONS: Final = 252
_TREND_SESSIONS: Final = 200
_RSI_SESSIONS: Final = 14
_DIGITS: Final = 10  # a fall from 100 to 92 is one of 8 %, and of 7.9999999999999996 % to a float


class Sizing(StrEnum):
    """How the amount of a purchase is found."""

    FIXED = "fixed"
    SMART = "smart"


class Level(StrEnum):
    """What the market offers, from cheap to dear."""

    SEVERE = "severe"
    DEEP = "deep"
    MILD = "mild"
    NORMAL = "normal"
    EXPENSIVE = "expensive"
    VERY_EXPENSIVE = "very_expensive"


# By what the base amount is multiplied; a level that is not here buys nothing.
_MULTIPLIERS: Final = {
    Level.SEVERE: Decimal(2),
    Level.DEEP: Decimal("1.5"),
    Level.MILD: Decimal("1.25"),
    Level.NORMAL: Decimal(1),
    Level.EXPENSIVE: Decimal("0.5"),
}

# The first that holds: a fall of at least so much, or a gap of at most so much.
_CHEAP: Final = (
    (Level.SEVERE, 0.25, -math.inf),
    (Level.DEEP, 0.15, -0.10),
    (Level.MILD, 0.08, -0.05),
)
# The first that holds near the high: a gap and a strength index of at least so much.
_DEAR: Final = ((Level.VERY_EXPENSIVE, 0.20, 70.0), (Level.EXPENSIVE, 0.12, 0.0))
_NEAR_HIGH: Final = 0.03


class Config(StrategyConfig):
    """Configuration of the monthly purchase.

    Parameters
    ----------
    signal_symbols : Symbols
        Whose closes tell how much to buy.
    buy_symbols : Symbols
        What is bought, for equal dollars each.
    benchmark : Symbol
    sizing : Sizing
        ``fixed`` or ``smart``.
    base_usd, max_usd : Usd
        The ordinary and the largest purchase of a month.
    cash_reserve_usd : Usd
        Cash that is never spent.
    min_order_usd : Usd
        The smallest purchase.
    window_day : int
        Day of the month on which the window opens.
    window_days : int
        Calendar days that it lasts. Exchanges close for up to four days in a row: a shorter window
        can pass without a session, and its month without a purchase.
    """

    signal_symbols: Symbols = Field(default=("QQQ", "SPY"), min_length=1)
    buy_symbols: Symbols = Field(default=("QQQM", "SPLG"), min_length=1)
    benchmark: Symbol = "VOO"
    sizing: Sizing = Sizing.FIXED
    base_usd: Usd = Decimal(1000)
    max_usd: Usd = Decimal(2000)
    cash_reserve_usd: Usd = Decimal(50)
    min_order_usd: Usd = Decimal(200)
    window_day: int = Field(default=25, ge=1, le=28)
    window_days: int = Field(default=5, ge=1, le=28)

    @model_validator(mode="after")
    def _amounts_fit(self) -> Self:
        if self.base_usd > self.max_usd:
            raise ValueError(f"base_usd = {self.base_usd} is above max_usd = {self.max_usd}")
        smart = min(_MULTIPLIERS.values())
        least = self.base_usd * (smart if self.sizing is Sizing.SMART else 1)
        if least < max(self.min_order_usd, Decimal("0.01")):
            raise ValueError(
                f"min_order_usd = {self.min_order_usd} is above a purchase of {least} that "
                f"base_usd = {self.base_usd} asks for"
            )
        return self


@dataclass(frozen=True, slots=True)
class Market:
    """What the signal symbols show.

    Parameters
    ----------
    drawdown : float
        Mean fall from the 252-session high, at least 0.
    gap : float
        Mean of the last close over its 200-session average, less one.
    rsi : float
        Lowest relative strength index, in 0..100.
    """

    drawdown: float
    gap: float
    rsi: float


def manifest(config: Config) -> StrategyManifest:
    """Return what the purchase declares under `config`."""
    signals = " and ".join(config.signal_symbols)
    bought = " and ".join(config.buy_symbols)
    is_smart = config.sizing is Sizing.SMART
    amount_en = (
        f"up to {config.max_usd:,f} USD, more after a fall of {signals} and less near a high,"
        if is_smart
        else f"{config.base_usd:,f} USD"
    )
    amount_zh = (
        f"至多 {config.max_usd:,f} 美元（{'、'.join(config.signal_symbols)} 下跌后多买，高位少买）"
        if is_smart
        else f" {config.base_usd:,f} 美元"
    )
    return StrategyManifest(
        profile="nasdaq_sp500_smart_dca",
        display_name={"en": "Nasdaq and S&P 500 Smart DCA", "zh": "纳斯达克与标普 500 智能定投"},
        description={
            "en": (
                f"Buys {amount_en} of {bought} once a month, from day {config.window_day} on, and "
                "never sells."
            ),
            "zh": (
                f"每月 {config.window_day} 日起买入一次{amount_zh}的 "
                f"{'、'.join(config.buy_symbols)}，从不卖出。"
            ),
        },
        cadence=Cadence.MONTHLY,
        benchmark=config.benchmark,
        target_mode=TargetMode.VALUE,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=config.buy_symbols,
        history=HistoryInput(symbols=config.signal_symbols, sessions=_HIGH_SESSIONS),
        reads_portfolio=True,
        role=Role.ACCUMULATION,
        hints=ExecutionHints(buy_only=True),
        icon="📅",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the month's purchase on its session, and HOLD on every other.

    HOLD says ``outside_purchase_window``, ``purchase_session_passed``, ``very_expensive``,
    ``purchase_made`` or ``insufficient_cash``. BLOCKED, on whatever session, so that a fault is
    known before the day that needs its input, with

    - ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when a signal symbol cannot be
      read or has fewer than 252 closes;
    - ``CAPITAL_ZERO``, ``PRICE_MISSING`` or ``VALUE_MALFORMED`` without a sound account of what
      the sleeve holds.
    """
    config: Config = context.config
    history = read_history(context, config.signal_symbols, least=_HIGH_SESSIONS)
    if isinstance(history, Decision):
        return history
    sleeve = read_sleeve(context, config.buy_symbols)
    if isinstance(sleeve, Decision):
        return sleeve
    idle = _idle_reason(context.session, context.calendar, config)
    if idle:
        return Decision.hold(idle)
    if config.sizing is Sizing.FIXED:
        return _purchase(sleeve, config, Level.NORMAL, {"sizing": config.sizing.value})
    market = market_of(history.values())
    level = level_of(market)
    notes = {
        "sizing": config.sizing.value,
        "level": level.value,
        "drawdown": f"{market.drawdown:.4f}",
        "gap": f"{market.gap:+.4f}",
        "rsi": f"{market.rsi:.1f}",
    }
    if level not in _MULTIPLIERS:
        return Decision.hold(level.value, diagnostics=notes)
    return _purchase(sleeve, config, level, notes)


def window_start(day: date, window_day: int) -> date:
    """Return the day on which the window that `day` may lie in opened."""
    if day.day >= window_day:
        return day.replace(day=window_day)
    year, month = (day.year, day.month - 1) if day.month > 1 else (day.year - 1, 12)
    return date(year, month, window_day)


def market_of(frames: Iterable[BarFrame]) -> Market:
    """Return what the signal symbols show; each has at least 252 closes."""
    columns = [frame.close for frame in frames]
    falls = [-indicators.high_gap(closes, _HIGH_SESSIONS) for closes in columns]
    gaps = [indicators.sma_gap(closes, _TREND_SESSIONS) for closes in columns]
    return Market(
        # Exact sums, so that the order of the symbols cannot reach the mean.
        drawdown=round(math.fsum(falls) / len(columns), _DIGITS),
        gap=round(math.fsum(gaps) / len(columns), _DIGITS),
        rsi=round(min(indicators.rsi(closes, _RSI_SESSIONS) for closes in columns), _DIGITS),
    )


def level_of(market: Market) -> Level:
    """Return the first rule that holds, cheap ones before dear ones."""
    for level, least_fall, most_gap in _CHEAP:
        if market.drawdown >= least_fall or market.gap <= most_gap:
            return level
    if market.drawdown <= _NEAR_HIGH:
        for level, least_gap, least_rsi in _DEAR:
            if market.gap >= least_gap and market.rsi >= least_rsi:
                return level
    return Level.NORMAL


def _idle_reason(session: date, calendar: ExchangeCalendar, config: Config) -> str | None:
    start = window_start(session, config.window_day)
    if (session - start).days >= config.window_days:
        return "outside_purchase_window"
    return "purchase_session_passed" if calendar.previous(session) >= start else None


def _purchase(sleeve: SleeveView, config: Config, level: Level, notes: dict[str, str]) -> Decision:
    values = {symbol: sleeve.values_usd.get(symbol, Decimal(0)) for symbol in config.buy_symbols}
    # A cash floor or a capital limit leaves less to spend than there is cash.
    usable = min(sleeve.cash_usd, sleeve.equity_usd - sum(values.values(), Decimal(0)))
    part = min(config.base_usd * _MULTIPLIERS[level], config.max_usd) / len(values)
    bought = {symbol: sleeve.bought_usd.get(symbol, Decimal(0)) for symbol in values}
    wished = {symbol: max(part - bought[symbol], Decimal(0)) for symbol in values}
    whole, spent = sum(wished.values(), Decimal(0)), sum(bought.values(), Decimal(0))
    if spent and whole < config.min_order_usd:
        return Decision.hold(
            "purchase_made", diagnostics={**notes, "bought_today_usd": f"{spent:.2f}"}
        )
    amount = min(whole, usable - config.cash_reserve_usd)
    if amount < config.min_order_usd:
        return Decision.hold(
            "insufficient_cash", diagnostics={**notes, "usable_cash_usd": f"{usable:.2f}"}
        )
    spend = {symbol: cents_below(wish * amount / whole) for symbol, wish in wished.items()}
    return Decision.values(
        {symbol: value + spend[symbol] for symbol, value in values.items()},
        diagnostics={**notes, "purchase_usd": f"{sum(spend.values(), Decimal(0)):.2f}"},
    )
