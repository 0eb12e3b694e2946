"""Semiconductors, leveraged in an uptrend; income funds, never sold down, as the account grows.

- Risk asset: the leveraged fund while its close is above its 150-session average, else the plain
  fund. There is always one, never cash instead.
- Income: from 150,000 USD of capital a share that grows to 15 % at 300,000. What the income funds
  hold already is never sold down, so the larger of the two is locked; what is missing is added,
  70 % to the first fund and 30 % to the second.
- What is not locked is split between the risk asset and the safe haven. The risk asset's share
  falls with the dollars: 60 % to 10,000, 57 % at 80,000, 50 % at 180,000, and beyond that by 4
  percentage points each time the dollars grow tenfold.

The targets add up to the whole capital. The cash reserve is a hint to the planner, which buys less
for it; so are the smallest trade and the no-trade band. The band, a share of the capital, also is
the rule that no trade is smaller than 1 % of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

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
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._dollars import (
    Curve,
    Usd,
    cents_above,
    cents_below,
    interpolate,
    nearest_cent,
)
from us_equity_strategies._inputs import read_history, read_sleeve

__all__ = ["Config", "Split", "decide", "deploy_ratio", "manifest", "split_capital"]


class Config(StrategyConfig):
    """Configuration of the semiconductor sleeve.

    Parameters
    ----------
    leveraged_symbol, plain_symbol : Symbol
        The two risk assets; the closes of the leveraged one decide between them.
    safe_haven : Symbol
        Holds what is neither in the risk asset nor in income.
    qqqi_symbol, spyi_symbol : Symbol
        The first and the second income fund.
    benchmark : Symbol
    trend_period : int
        Sessions of the average.
    income_curve : Curve
        Share of the capital that is in income funds, by capital in USD; flat beyond its ends.
    qqqi_income_ratio : Ratio
        How much of an addition to income goes to `qqqi_symbol`.
    deploy_curve : Curve
        Share of the risk asset, by dollars that are not income.
    deploy_decay : Ratio
        How much that share loses for each tenfold beyond the curve's last point.
    cash_reserve : Ratio
        Share of the capital that never buys anything.
    rebalance_threshold : Ratio
        No-trade band around each target, as a share of the capital.
    min_trade_usd : Usd
        The smallest trade.
    """

    leveraged_symbol: Symbol = "SOXL"
    plain_symbol: Symbol = "SOXX"
    safe_haven: Symbol = "BOXX"
    qqqi_symbol: Symbol = "QQQI"
    spyi_symbol: Symbol = "SPYI"
    benchmark: Symbol = "SOXX"
    trend_period: int = Field(default=150, ge=1)
    income_curve: Curve = (
        (Decimal(150_000), Decimal(0)),
        (Decimal(300_000), Decimal("0.15")),
    )
    qqqi_income_ratio: Ratio = Decimal("0.7")
    deploy_curve: Curve = (
        (Decimal(10_000), Decimal("0.6")),
        (Decimal(80_000), Decimal("0.57")),
        (Decimal(180_000), Decimal("0.5")),
    )
    deploy_decay: Ratio = Decimal("0.04")
    cash_reserve: Ratio = Field(default=Decimal("0.03"), lt=1)
    rebalance_threshold: Ratio = Field(default=Decimal("0.01"), lt=1)
    min_trade_usd: Usd = Decimal(100)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        traded = _managed(self)
        if len(set(traded)) < len(traded):
            raise ValueError(f"each fund needs its own symbol, not {', '.join(traded)}")
        if self.deploy_curve[-1][0] == 0:
            raise ValueError("deploy_curve ends at 0 USD, and nothing is a tenfold of that")
        return self


@dataclass(frozen=True, slots=True)
class Split:
    """Dollars of each part of the sleeve, in whole cents."""

    risk_usd: Decimal
    haven_usd: Decimal
    qqqi_usd: Decimal
    spyi_usd: Decimal


def manifest(config: Config) -> StrategyManifest:
    """Return what the sleeve declares under `config`."""
    start = config.income_curve[0][0]
    risk_assets = (config.leveraged_symbol, config.plain_symbol)
    return StrategyManifest(
        profile="soxl_soxx_trend_income",
        aliases=("semiconductor_rotation_income", "semiconductor_trend_income"),
        display_name={
            "en": f"{'/'.join(risk_assets)} Trend Income",
            "zh": f"{'/'.join(risk_assets)} 趋势与收益",
        },
        description={
            "en": (
                f"Holds {config.leveraged_symbol} while it is above its {config.trend_period}-"
                f"session average, otherwise {config.plain_symbol}, beside {config.safe_haven}; "
                f"above {start:,f} USD of capital a growing share moves to the income funds "
                f"{config.qqqi_symbol} and {config.spyi_symbol}."
            ),
            "zh": (
                f"{config.leveraged_symbol} 高于 {config.trend_period} 日均线时持有它，否则持有 "
                f"{config.plain_symbol}，其余为 {config.safe_haven}；资金超过 {start:,f} 美元后，"
                f"逐步配置收益型基金 {config.qqqi_symbol} 与 {config.spyi_symbol}。"
            ),
        },
        cadence=Cadence.DAILY,
        benchmark=config.benchmark,
        target_mode=TargetMode.VALUE,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=_managed(config),
        safe_haven=config.safe_haven,
        history=HistoryInput(symbols=risk_assets, sessions=config.trend_period),
        reads_portfolio=True,
        role=Role.GROWTH,
        hints=ExecutionHints(
            rebalance_threshold_ratio=config.rebalance_threshold,
            cash_reserve_ratio=config.cash_reserve,
            min_trade_usd=config.min_trade_usd,
        ),
        icon="🔌",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the dollars of all five funds, zeros included.

    They add up to the capital base. Where a capital limit is lower than the worth of the income
    funds, these are kept, and everything else is sold.

    BLOCKED with

    - ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the closes of either risk
      asset cannot be read or are too few for the average;
    - ``CAPITAL_ZERO``, ``PRICE_MISSING`` or ``VALUE_MALFORMED`` without a sound account of what
      the sleeve holds.
    """
    config: Config = context.config
    risk_assets = (config.leveraged_symbol, config.plain_symbol)
    history = read_history(context, risk_assets, least=config.trend_period)
    if isinstance(history, Decision):
        return history
    sleeve = read_sleeve(context, _managed(config))
    if isinstance(sleeve, Decision):
        return sleeve
    closes = history[config.leveraged_symbol].close
    average = indicators.sma(closes, config.trend_period)
    is_up = float(closes[-1]) > average
    split = split_capital(
        cents_below(sleeve.equity_usd),
        # Up, so that a holding worth a fraction of a cent more is not above its target.
        cents_above(sleeve.values_usd.get(config.qqqi_symbol, Decimal(0))),
        cents_above(sleeve.values_usd.get(config.spyi_symbol, Decimal(0))),
        config,
    )
    return Decision.values(
        {
            config.leveraged_symbol: split.risk_usd if is_up else Decimal(0),
            config.plain_symbol: Decimal(0) if is_up else split.risk_usd,
            config.safe_haven: split.haven_usd,
            config.qqqi_symbol: split.qqqi_usd,
            config.spyi_symbol: split.spyi_usd,
        },
        diagnostics={
            "trend": "up" if is_up else "down",
            "price": f"{closes[-1]:.2f}",
            "average": f"{average:.2f}",
        },
    )


def split_capital(
    capital_usd: Decimal, qqqi_usd: Decimal, spyi_usd: Decimal, config: Config
) -> Split:
    """Split the capital, given what each income fund is worth now; all in whole cents."""
    held = qqqi_usd + spyi_usd
    wanted = nearest_cent(capital_usd * interpolate(config.income_curve, capital_usd))
    added = max(Decimal(0), wanted - held)
    added_to_qqqi = nearest_cent(added * config.qqqi_income_ratio)
    core = max(Decimal(0), capital_usd - held - added)
    risk = nearest_cent(core * deploy_ratio(core, config))
    return Split(
        risk_usd=risk,
        haven_usd=core - risk,
        qqqi_usd=qqqi_usd + added_to_qqqi,
        spyi_usd=spyi_usd + added - added_to_qqqi,
    )


def deploy_ratio(core_usd: Decimal, config: Config) -> Decimal:
    """Return how much of `core_usd`, the capital that is not income, the risk asset takes."""
    last_usd, last_ratio = config.deploy_curve[-1]
    if core_usd <= last_usd:
        return interpolate(config.deploy_curve, core_usd)
    return max(Decimal(0), last_ratio - config.deploy_decay * (core_usd / last_usd).log10())


def _managed(config: Config) -> tuple[str, ...]:
    return (
        config.leveraged_symbol,
        config.plain_symbol,
        config.safe_haven,
        config.qqqi_symbol,
        config.spyi_symbol,
    )
