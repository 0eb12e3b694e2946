"""A leveraged index fund while the index is in an uptrend; income funds as the account grows.

- Trend, from the daily bars of the index fund: the 200-session average, an exit line below it and
  an entry line above it. The lines move away from the average by 2 and 2.5 average true ranges
  (Wilder, 1978; simple mean of 14), within 2 to 8 percent.
- Who holds the leveraged fund leaves it below the exit line, keeps a third of the full share
  between the exit line and the average, and the full share above the average. Who does not hold it
  buys above the entry line only.
- Income: nothing below 100,000 USD of capital; a share that grows to 40 % at 200,000, and 60 %
  beyond, halved between two income funds. What follows applies to the rest.
- Full share: it falls with the capital, from all of it to 50 % at 140,000 USD. Beyond, it is so
  large that a fall of the index to its exit line costs 30 % of the rest, and at most 50 %.
- The safe haven holds what is left but for a cash reserve of 5 %. The leveraged fund never takes
  from the reserve: a full share above 95 % is trimmed to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

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
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._dollars import Curve, cents_below, interpolate, nearest_cent
from us_equity_strategies._inputs import read_history, read_sleeve

__all__ = [
    "Config",
    "State",
    "Trend",
    "decide",
    "full_share",
    "income_share",
    "manifest",
    "state_of",
    "trend_of",
]

_LEAST_LOSS: Final = 0.01  # an index at its exit line does not ask for an endless share


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{bounds[0]} is above {bounds[1]}")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_rising)]
"""The least and the most that a factor may be."""


class Config(StrategyConfig):
    """Configuration of the growth and income sleeve.

    Parameters
    ----------
    signal_symbol : Symbol
        The index fund whose bars decide; never held.
    risk_symbol : Symbol
        The leveraged fund on the same index.
    safe_haven : Symbol
        Holds what is neither in the leveraged fund nor in income nor in reserve.
    spyi_symbol, qqqi_symbol : Symbol
        The two income funds.
    benchmark : Symbol
    income_curve : Curve
        Share of the capital that is in income funds, by capital in USD.
    income_above : Ratio
        That share beyond the curve's last point.
    qqqi_income_ratio : Ratio
        How much of the income is in `qqqi_symbol`.
    cash_reserve : Ratio
        How much of what is not income stays cash.
    share_curve : Curve
        Full share of the leveraged fund, by dollars that are not income. The formula of the last
        four parameters applies beyond its last point.
    reduced_ratio : Ratio
        How much of the full share is kept between the exit line and the average.
    trend_period, atr_period : int
        Sessions of the average and of the average true range.
    atr_exit, atr_entry : float
        Distance of the lines from the average, in average true ranges.
    exit_bounds, entry_bounds : tuple of float
        Least and most of the lines, as factors of the average.
    rebalance_threshold : Ratio
        No-trade band around each target, as a share of the capital.
    leverage : float
        What the leveraged fund does for each percent of the index.
    loss_budget : Ratio
        Loss that a fall to the exit line may cause.
    share_cap : Ratio
        Most of the full share beyond the curve.
    """

    signal_symbol: Symbol = "QQQ"
    risk_symbol: Symbol = "TQQQ"
    safe_haven: Symbol = "BOXX"
    spyi_symbol: Symbol = "SPYI"
    qqqi_symbol: Symbol = "QQQI"
    benchmark: Symbol = "QQQ"
    income_curve: Curve = (
        (Decimal(100_000), Decimal(0)),
        (Decimal(200_000), Decimal("0.4")),
    )
    income_above: Ratio = Decimal("0.6")
    qqqi_income_ratio: Ratio = Decimal("0.5")
    cash_reserve: Ratio = Decimal("0.05")
    share_curve: Curve = (
        (Decimal(0), Decimal(1)),
        (Decimal(15_000), Decimal("0.95")),
        (Decimal(30_000), Decimal("0.85")),
        (Decimal(70_000), Decimal("0.7")),
        (Decimal(140_000), Decimal("0.5")),
    )
    reduced_ratio: Ratio = Decimal("0.33")
    trend_period: int = Field(default=200, ge=1)
    atr_period: int = Field(default=14, ge=1)
    atr_exit: float = Field(default=2.0, ge=0)
    atr_entry: float = Field(default=2.5, ge=0)
    exit_bounds: Bounds = (0.92, 0.98)
    entry_bounds: Bounds = (1.02, 1.08)
    rebalance_threshold: Ratio = Field(default=Decimal("0.01"), lt=1)
    leverage: float = Field(default=3.0, gt=0)
    loss_budget: Ratio = Decimal("0.3")
    share_cap: Ratio = Decimal("0.5")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        traded = _managed(self)
        if len(set(traded)) < len(traded):
            raise ValueError(f"each fund needs its own symbol, not {', '.join(traded)}")
        if self.exit_bounds[1] > self.entry_bounds[0]:
            raise ValueError("exit_bounds and entry_bounds overlap: the lines could cross")
        return self


class State(StrEnum):
    """Where the last close stands to the lines, seen from what is held."""

    ENTRY = "entry"
    HOLD = "hold"
    REDUCE = "reduce"
    EXIT = "exit"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Trend:
    """The last close of the index fund, its average and the two lines, in USD."""

    price: float
    average: float
    exit_line: float
    entry_line: float


def manifest(config: Config) -> StrategyManifest:
    """Return what the sleeve declares under `config`."""
    income = f"{config.spyi_symbol} and {config.qqqi_symbol}"
    start = config.income_curve[0][0]
    return StrategyManifest(
        profile="tqqq_growth_income",
        aliases=("hybrid_growth_income", "qqq_tqqq_growth_income"),
        display_name={
            "en": f"{config.risk_symbol} Growth Income",
            "zh": f"{config.risk_symbol} 成长与收益",
        },
        description={
            "en": (
                f"Holds {config.risk_symbol} while {config.signal_symbol} is in an uptrend, "
                f"otherwise {config.safe_haven}; above {start:,f} USD of capital a growing share "
                f"moves to the income funds {income}."
            ),
            "zh": (
                f"{config.signal_symbol} 处于上升趋势时持有 {config.risk_symbol}，"
                f"否则持有 {config.safe_haven}；资金超过 {start:,f} 美元后，"
                f"逐步配置收益型基金 {config.spyi_symbol} 与 {config.qqqi_symbol}。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.benchmark,
        target_mode=TargetMode.VALUE,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=_managed(config),
        safe_haven=config.safe_haven,
        history=HistoryInput(
            symbols=(config.signal_symbol,),
            sessions=_sessions(config),
            columns=("close", "high", "low"),
        ),
        reads_portfolio=True,
        role=Role.GROWTH,
        hints=ExecutionHints(rebalance_threshold_ratio=config.rebalance_threshold),
        icon="🚀",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the dollars of all four funds, zeros included.

    BLOCKED with

    - ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the index fund's closes,
      highs and lows do not give the average and the average true range;
    - ``CAPITAL_ZERO``, ``PRICE_MISSING`` or ``VALUE_MALFORMED`` without a sound account of what
      the sleeve holds.
    """
    config: Config = context.config
    history = read_history(context, (config.signal_symbol,), least=_sessions(config))
    if isinstance(history, Decision):
        return history
    frame = history[config.signal_symbol]
    if frame.high is None or frame.low is None:
        return Decision.blocked(
            ReasonCode.HISTORY_MISSING, f"{frame.symbol} has closes, but no highs and lows"
        )
    sleeve = read_sleeve(context, _managed(config))
    if isinstance(sleeve, Decision):
        return sleeve
    trend = trend_of(
        float(frame.close[-1]),
        indicators.sma(frame.close, config.trend_period),
        indicators.atr(frame.high, frame.low, frame.close, config.atr_period),
        config,
    )
    state = state_of(trend, is_held=sleeve.holds(config.risk_symbol))
    return _rebalance(cents_below(sleeve.equity_usd), trend, state, config)


def trend_of(price: float, average: float, true_range: float, config: Config) -> Trend:
    """Return the lines around the average; all in USD, the true range being its mean."""
    range_ratio = true_range / price
    return Trend(
        price,
        average,
        exit_line=average * _within(1 - config.atr_exit * range_ratio, config.exit_bounds),
        entry_line=average * _within(1 + config.atr_entry * range_ratio, config.entry_bounds),
    )


def state_of(trend: Trend, *, is_held: bool) -> State:
    """Return what the trend asks for; a close at a line has not crossed it."""
    if not is_held:
        return State.ENTRY if trend.price > trend.entry_line else State.IDLE
    if trend.price < trend.exit_line:
        return State.EXIT
    return State.REDUCE if trend.price < trend.average else State.HOLD


def income_share(capital_usd: Decimal, config: Config) -> Decimal:
    """Return how much of the capital belongs in income funds."""
    if capital_usd > config.income_curve[-1][0]:
        return config.income_above
    return interpolate(config.income_curve, capital_usd)


def full_share(growth_usd: Decimal, trend: Trend, config: Config) -> Decimal:
    """Return how much of `growth_usd`, the capital that is not income, the leveraged fund takes.

    Beyond the curve: the share whose loss in a fall of the index to its exit line is the loss
    budget, at most the cap; nothing when the index is already there.
    """
    if growth_usd <= config.share_curve[-1][0]:
        return interpolate(config.share_curve, growth_usd)
    if trend.price <= trend.exit_line:
        return Decimal(0)
    loss = config.leverage * (trend.price - trend.exit_line) / trend.price
    return min(config.share_cap, config.loss_budget / Decimal(str(max(_LEAST_LOSS, loss))))


def _rebalance(capital_usd: Decimal, trend: Trend, state: State, config: Config) -> Decision:
    income = nearest_cent(capital_usd * income_share(capital_usd, config))
    qqqi = nearest_cent(income * config.qqqi_income_ratio)
    growth = capital_usd - income
    share = full_share(growth, trend, config)
    kept = {State.ENTRY: Decimal(1), State.HOLD: Decimal(1), State.REDUCE: config.reduced_ratio}
    budget = cents_below(growth * (1 - config.cash_reserve))
    risk = min(budget, nearest_cent(growth * share * kept.get(state, Decimal(0))))
    return Decision.values(
        {
            config.risk_symbol: risk,
            config.safe_haven: budget - risk,
            config.spyi_symbol: income - qqqi,
            config.qqqi_symbol: qqqi,
        },
        diagnostics={
            "state": state.value,
            "price": f"{trend.price:.2f}",
            "average": f"{trend.average:.2f}",
            "exit_line": f"{trend.exit_line:.2f}",
            "entry_line": f"{trend.entry_line:.2f}",
            "full_share": f"{share:.6f}",
        },
    )


def _within(factor: float, bounds: tuple[float, float]) -> float:
    return min(max(factor, bounds[0]), bounds[1])


def _managed(config: Config) -> tuple[str, ...]:
    return (config.risk_symbol, config.safe_haven, config.spyi_symbol, config.qqqi_symbol)


def _sessions(config: Config) -> int:
    return max(config.trend_period, config.atr_period + 1)
