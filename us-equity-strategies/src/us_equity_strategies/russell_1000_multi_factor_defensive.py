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

from decimal import Decimal
from typing import Final

import numpy as np

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    ExecutionHints,
    ProfileStatus,
    Role,
    SnapshotInput,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._cross_section import (
    Band,
    Bonus,
    Count,
    CrossSectionConfig,
    Floats,
    Names,
    Scene,
    read_ranked_snapshot,
    read_scene,
)
from us_equity_strategies._selection import (
    pick_by_sector,
    portfolio,
    rank,
    score,
    scores_by_symbol,
)

__all__ = ["Config", "FactorWeights", "decide", "manifest", "scores"]

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


class Config(CrossSectionConfig):
    """Configuration of the factor portfolio.

    Parameters
    ----------
    sector_cap : Ratio
        Largest weight of a sector.
    factors : FactorWeights
    """

    benchmark: Symbol = "SPY"
    holdings: Count = 24
    name_cap: Ratio = Decimal("0.06")
    sector_cap: Ratio = Decimal("0.2")
    hold_bonus: Bonus = 0.15
    exposure_risk_on: Ratio = Decimal(1)
    exposure_soft: Ratio = Decimal("0.5")
    exposure_hard: Ratio = Decimal("0.1")
    factors: FactorWeights = FactorWeights()
    rebalance_threshold: Band = Decimal("0.005")


def manifest(config: Config) -> StrategyManifest:
    """Return what the portfolio declares under `config`."""
    haven_en, haven_zh = config.haven_words
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
        role=Role.DEFENSIVE,
        managed=config.managed,
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
    - ``INDICATOR_UNDEFINED`` when the benchmark's trend, a feature of a stock that is held, or the
      breadth cannot be computed;
    - ``UNMANAGED_TARGET`` when a stock outside the universe would be bought.
    """
    config: Config = context.config
    scene = _read(context)
    if isinstance(scene, Decision):
        return scene
    ranking = rank(*_keys(scene.names, config))
    chosen = pick_by_sector(ranking, scene, holdings=config.holdings, sector_cap=config.sector_cap)
    return portfolio(chosen, scene, context)


def scores(context: StrategyContext) -> dict[str, float]:
    """Return the score of every eligible stock, best first; none where `decide` is BLOCKED."""
    scene = _read(context)
    if isinstance(scene, Decision):
        return {}
    return scores_by_symbol(scene.names, *_keys(scene.names, context.config))


def _read(context: StrategyContext) -> Scene | Decision:
    snapshot = read_ranked_snapshot(context)
    if isinstance(snapshot, Decision):
        return snapshot
    return read_scene(snapshot, context, _FEATURES)


def _keys(names: Names, config: Config) -> tuple[Floats, ...]:
    """Return what stocks are ordered by: their scores, and what decides between equal ones."""
    features = names.features
    total = score(
        names,
        {**features, "maxdd_126": np.abs(features["maxdd_126"])},
        config.factors,
        hold_bonus=config.hold_bonus,
        within_sectors=True,
    )
    return total, features["mom_12_1"], features["mom_6_1"]
