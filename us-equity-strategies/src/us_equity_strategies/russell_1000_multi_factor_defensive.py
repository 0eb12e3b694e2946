"""Large US stocks by momentum, trend and risk, with an exposure that falls with the market.

Reads a feature snapshot, one row per stock and one for the benchmark.

- Regime: *hard* defence when the benchmark is not above its 200-session average and the breadth
  (share of eligible stocks above theirs) is below `breadth_hard`; *soft* when either the trend is
  down or breadth is below `breadth_soft`; else *risk on*. Each has its own exposure.
- Score of a stock: the weighted sum of its factors' z-scores inside its sector, and `hold_bonus`
  when it is held. The best `holdings` are taken in order of score, as many of one sector as
  `sector_cap` allows, at equal weights of at most `name_cap`. The rest is the safe haven.

The choice is stable between two snapshots (what was bought ranks higher afterwards), so it is
answered on every run, and the no-trade band keeps small drifts from trading.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

import numpy as np
from pydantic import Field, model_validator

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    ExecutionHints,
    FeatureRow,
    ProfileStatus,
    SnapshotInput,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol, Symbols
from us_equity_strategies._inputs import read_snapshot
from us_equity_strategies._weights import with_safe_haven

__all__ = ["Config", "FactorWeights", "decide", "manifest"]

_PROFILE: Final = "russell_1000_multi_factor_defensive"
_FEATURES: Final = ("mom_6_1", "mom_12_1", "sma200_gap", "vol_63", "maxdd_126")


class FactorWeights(StrategyConfig):
    """Weight of each factor's z-score; what should be low has a negative one.

    Drawdown counts by its size, so a deep one has a high z-score.
    """

    mom_6_1: float = 0.35
    mom_12_1: float = 0.30
    sma200_gap: float = 0.15
    vol_63: float = -0.10
    maxdd_126: float = -0.10


class Config(StrategyConfig):
    """Configuration of the factor portfolio.

    Parameters
    ----------
    universe : Symbols
        Every stock it may hold. Index membership changes and is nobody's default: the operator's
        configuration file names it. A stock that left the index stays named until it is sold: one
        that is not named is no longer managed, and kept.
    benchmark : Symbol
        The snapshot row whose trend sets the regime; never held.
    safe_haven : Symbol or None
        Holds what is not in stocks; None keeps cash.
    holdings : int
        Stocks at most.
    name_cap, sector_cap : Ratio
        Largest weight of a stock and of a sector.
    hold_bonus : float
        Added to the score of a stock that is held.
    exposure_risk_on, exposure_soft, exposure_hard : Ratio
        Weight of all stocks together, by regime.
    breadth_soft, breadth_hard : float
        Breadth below which the regime turns defensive.
    factors : FactorWeights
    max_snapshot_age_sessions : int
        23 is the longest month: a monthly snapshot serves until its successor can exist, and a
        publication that failed is noticed on the first session that misses it.
    rebalance_threshold : Ratio
        No-trade band around each target, as a share of capital.
    """

    universe: Symbols = ()
    benchmark: Symbol = "SPY"
    safe_haven: Symbol | None = "BOXX"
    holdings: int = Field(default=24, ge=1)
    name_cap: Ratio = Decimal("0.06")
    sector_cap: Ratio = Decimal("0.2")
    hold_bonus: float = Field(default=0.15, ge=0)
    exposure_risk_on: Ratio = Decimal(1)
    exposure_soft: Ratio = Decimal("0.5")
    exposure_hard: Ratio = Decimal("0.1")
    breadth_soft: float = Field(default=0.55, ge=0, le=1)
    breadth_hard: float = Field(default=0.35, ge=0, le=1)
    factors: FactorWeights = FactorWeights()
    max_snapshot_age_sessions: int = Field(default=23, ge=1)
    rebalance_threshold: Ratio = Field(default=Decimal("0.005"), lt=1)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if not self.universe and self.safe_haven is None:
            raise ValueError("universe is empty and safe_haven is null: nothing could be held")
        for role in ("benchmark", "safe_haven"):
            if getattr(self, role) in self.universe:
                raise ValueError(f"{role} {getattr(self, role)} may not stand in universe")
        if self.breadth_hard > self.breadth_soft:
            raise ValueError(
                f"breadth_hard = {self.breadth_hard} is above breadth_soft = {self.breadth_soft}"
            )
        return self


class _Regime(StrEnum):
    RISK_ON = "risk_on"
    SOFT = "soft_defense"
    HARD = "hard_defense"


@dataclass(frozen=True, slots=True)
class _Ranked:
    row: FeatureRow
    score: float

    @property
    def order(self) -> tuple[float, float, float, str]:
        features = self.row.features
        return (-self.score, -features["mom_12_1"], -features["mom_6_1"], self.row.symbol)


def manifest(config: Config) -> StrategyManifest:
    """Return what the portfolio declares under `config`."""
    haven = () if config.safe_haven is None else (config.safe_haven,)
    haven_en = config.safe_haven or "cash"
    haven_zh = f" {config.safe_haven}" if config.safe_haven else "现金"
    return StrategyManifest(
        profile=_PROFILE,
        aliases=("r1000_multifactor_defensive",),
        display_name={"en": "Russell 1000 Multi-Factor Defensive", "zh": "罗素 1000 多因子防御"},
        description={
            "en": (
                f"Holds up to {config.holdings} large US stocks with strong momentum and low risk "
                f"for their sector, and shifts towards {haven_en} as the market weakens."
            ),
            "zh": (
                f"持有最多 {config.holdings} 只在所属行业内动量强、风险低的美国大盘股，"
                f"市场走弱时逐步转入{haven_zh}。"
            ),
        },
        cadence=Cadence.MONTHLY,
        benchmark=config.benchmark,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=(*config.universe, *haven),
        safe_haven=config.safe_haven,
        snapshot=SnapshotInput(
            contract=f"{_PROFILE}.v1",
            columns=("symbol", "sector", *_FEATURES),
            max_age_sessions=config.max_snapshot_age_sessions,
        ),
        hints=ExecutionHints(rebalance_threshold_ratio=config.rebalance_threshold),
        icon="🧭",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the portfolio that the snapshot calls for.

    BLOCKED with

    - ``CONFIG_INVALID`` when the configuration names no universe;
    - ``SNAPSHOT_MISSING``, ``SNAPSHOT_FUTURE`` or ``SNAPSHOT_STALE`` without a usable snapshot;
    - ``SNAPSHOT_ROW_MISSING`` when it lacks the row of the benchmark or of a stock that is held;
    - ``INDICATOR_UNDEFINED`` when the benchmark's trend or the breadth cannot be computed;
    - ``UNMANAGED_TARGET`` when a stock outside the universe would be bought.
    """
    config: Config = context.config
    if not config.universe:
        return Decision.blocked(
            ReasonCode.CONFIG_INVALID, "universe is empty: name the stocks in STRATEGY_CONFIG_PATH"
        )
    snapshot = read_snapshot(context, max_age_sessions=config.max_snapshot_age_sessions)
    if isinstance(snapshot, Decision):
        return snapshot
    rows = {row.symbol: row for row in snapshot.rows}
    fault = _fault(rows, context, config)
    if fault is not None:
        return fault
    # By symbol, so that the order of the file cannot reach a sum of floats.
    eligible = [rows[symbol] for symbol in sorted(rows) if _is_eligible(rows[symbol], config)]
    if not eligible:
        return Decision.blocked(
            ReasonCode.INDICATOR_UNDEFINED, "no stock is eligible, so breadth is undefined"
        )
    return _portfolio(eligible, rows[config.benchmark].features["sma200_gap"], context, config)


def _fault(
    rows: Mapping[str, FeatureRow], context: StrategyContext, config: Config
) -> Decision | None:
    benchmark = rows.get(config.benchmark)
    if benchmark is None:
        return Decision.blocked(
            ReasonCode.SNAPSHOT_ROW_MISSING,
            f"the snapshot has no row of benchmark {config.benchmark}",
        )
    if not math.isfinite(benchmark.features.get("sma200_gap", math.nan)):
        return Decision.blocked(
            ReasonCode.INDICATOR_UNDEFINED,
            f"sma200_gap of benchmark {config.benchmark} is undefined",
        )
    lost = [s for s in config.universe if s not in rows and context.sleeve.holds(s)]
    if lost:  # not ranking them would sell them for want of data
        return Decision.blocked(
            ReasonCode.SNAPSHOT_ROW_MISSING,
            f"the snapshot has no row of {', '.join(lost)}, which the sleeve holds",
        )
    return None


def _portfolio(
    eligible: Sequence[FeatureRow], trend_gap: float, context: StrategyContext, config: Config
) -> Decision:
    breadth = sum(row.features["sma200_gap"] > 0 for row in eligible) / len(eligible)
    regime = _regime(trend_gap, breadth, config)
    exposure = _exposure(regime, config)
    held = {row.symbol for row in eligible if context.sleeve.holds(row.symbol)}
    chosen = _pick(_ranking(eligible, held, config), exposure, config)
    strangers = [symbol for symbol in chosen if symbol not in config.universe]
    if strangers:
        return Decision.blocked(
            ReasonCode.UNMANAGED_TARGET,
            f"the snapshot ranks stocks outside the universe: {', '.join(strangers)}",
        )
    weight = min(config.name_cap, exposure / len(chosen)) if chosen else Decimal(0)
    return Decision.weights(
        with_safe_haven(dict.fromkeys(chosen, weight), config.safe_haven),
        risk_flags=(regime.value,) if regime is _Regime.HARD else (),
        diagnostics={
            "regime": regime.value,
            "trend": f"{config.benchmark} {trend_gap:+.4f}",
            "breadth": f"{breadth:.4f} of {len(eligible)}",
        },
    )


def _is_eligible(row: FeatureRow, config: Config) -> bool:
    if row.symbol in (config.benchmark, config.safe_haven):
        return False
    flagged = row.features.get("eligible", 1.0) > 0  # an undefined flag is not a yes
    return flagged and all(math.isfinite(row.features.get(name, math.nan)) for name in _FEATURES)


def _regime(trend_gap: float, breadth: float, config: Config) -> _Regime:
    is_up = trend_gap > 0
    if not is_up and breadth < config.breadth_hard:
        return _Regime.HARD
    if not is_up or breadth < config.breadth_soft:
        return _Regime.SOFT
    return _Regime.RISK_ON


def _exposure(regime: _Regime, config: Config) -> Decimal:
    return {
        _Regime.RISK_ON: config.exposure_risk_on,
        _Regime.SOFT: config.exposure_soft,
        _Regime.HARD: config.exposure_hard,
    }[regime]


def _ranking(
    eligible: Sequence[FeatureRow], held: set[str], config: Config
) -> tuple[FeatureRow, ...]:
    sectors = [row.sector for row in eligible]
    scores = np.array([config.hold_bonus if row.symbol in held else 0.0 for row in eligible])
    for name, weight in config.factors:
        values = np.array([row.features[name] for row in eligible])
        sizes = np.abs(values) if name == "maxdd_126" else values
        scores += weight * indicators.grouped_zscore(sizes, sectors)
    ranked = [_Ranked(row, float(score)) for row, score in zip(eligible, scores, strict=True)]
    return tuple(entry.row for entry in sorted(ranked, key=lambda entry: entry.order))


def _pick(ranking: Sequence[FeatureRow], exposure: Decimal, config: Config) -> tuple[str, ...]:
    if exposure == 0:
        return ()
    # floor(sector_cap / (exposure / holdings)), in an order that keeps the division exact.
    slots = max(1, int(config.sector_cap * config.holdings / exposure))
    taken: Counter[str] = Counter()
    chosen: list[str] = []
    for row in ranking:
        if len(chosen) < config.holdings and taken[row.sector] < slots:
            taken[row.sector] += 1
            chosen.append(row.symbol)
    return tuple(chosen)
