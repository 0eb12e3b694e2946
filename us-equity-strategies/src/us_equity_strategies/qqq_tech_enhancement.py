"""Technology stocks that lead the Nasdaq 100 and have pulled back a little.

Reads a feature snapshot, one row per stock and one for the benchmark, and acts on it during the
`execution_window_sessions` sessions after its date; at other times: HOLD.

- Universe: eligible stocks of `sectors` with a daily turnover of `min_adv20_usd`.
- Regime and breadth, told on that universe: *hard* defence when the benchmark is not above its
  200-session average and breadth is below `breadth_hard`; *soft* when either the trend is down or
  breadth is below `breadth_soft`; else *risk on*. In hard defence nothing is invested.
- Score of a stock: the weighted sum of z-scores of its lead over the benchmark, its lead over its
  sector, trend, pullback, recovery and risk, and `hold_bonus` when it is held. A pullback scores
  best near 8 % below the 63-session high and 12 % below the 126-session high.
- The best `holdings` in order of score, as many of one sector as `sector_cap` allows, at equal
  weights of at most `name_cap`. The rest is the safe haven.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

import numpy as np
from pydantic import Field

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
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._cross_section import (
    TREND,
    Band,
    Bonus,
    Count,
    Floats,
    Floor,
    LiquidConfig,
    Mask,
    Names,
    Scene,
    Table,
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

__all__ = ["Config", "FactorWeights", "decide", "factors", "manifest", "scores"]

_PROFILE: Final = "qqq_tech_enhancement"
_ADMISSION: Final = ("close", "adv20_usd", "history_days")
_FEATURES: Final = (
    *("mom_6_1", "mom_12_1", "sma20_gap", "sma50_gap", "sma200_gap", "ma50_over_ma200"),
    *("vol_63", "maxdd_126", "breakout_252", "dist_63_high", "dist_126_high", "rebound_20"),
)
_OF_BENCHMARK: Final = (TREND, "mom_6_1", "mom_12_1")


class FactorWeights(StrategyConfig):
    """Weight of each factor's z-score; what should be low has a negative one.

    Drawdown counts by its size, so a deep one has a high z-score.
    """

    excess_12_1: float = 0.25
    excess_6_1: float = 0.20
    trend: float = 0.15
    pullback: float = 0.15
    recovery: float = 0.10
    relative: float = 0.10
    vol_63: float = -0.03
    maxdd_126: float = -0.02


class Config(LiquidConfig):
    """Configuration of the technology portfolio.

    Parameters
    ----------
    sectors : tuple of str
        What it chooses from, spelled as in the snapshot.
    sector_cap : Ratio
        Largest weight of a sector.
    execution_window_sessions : int
        Sessions after the snapshot's date on which it may be acted on.
    factors : FactorWeights
    """

    benchmark: Symbol = "QQQ"
    sectors: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "Information Technology",
        "Communication",
    )
    holdings: Count = 8
    name_cap: Ratio = Decimal("0.1")
    sector_cap: Ratio = Decimal("0.4")
    hold_bonus: Bonus = 0.10
    exposure_risk_on: Ratio = Decimal("0.8")
    exposure_soft: Ratio = Decimal("0.6")
    exposure_hard: Ratio = Decimal(0)
    min_adv20_usd: Floor = 50_000_000.0
    execution_window_sessions: Count = 3
    factors: FactorWeights = FactorWeights()
    rebalance_threshold: Band = Decimal("0.01")

    def admits(self, table: Table) -> Mask:
        """Tell which rows of `table` reach the floors and belong to a listed sector."""
        listed = np.array([row.sector in self.sectors for row in table.rows], dtype=np.bool_)
        return listed & super().admits(table)


def manifest(config: Config) -> StrategyManifest:
    """Return what the portfolio declares under `config`."""
    haven_en, haven_zh = config.haven_words
    return StrategyManifest(
        profile=_PROFILE,
        aliases=("tech_pullback_cash_buffer", "tech_communication_pullback_enhancement"),
        display_name={"en": "QQQ Tech Enhancement", "zh": "纳指科技增强"},
        description={
            "en": (
                f"Holds up to {config.holdings} technology and communication stocks that lead "
                f"{config.benchmark} after a moderate pullback, keeps a buffer in {haven_en}, and "
                f"moves everything there when the market breaks."
            ),
            "zh": (
                f"持有最多 {config.holdings} 只领先 {config.benchmark} 且适度回调的科技与通信股，"
                f"保留{haven_zh}作为缓冲，市场破位时全部转入。"
            ),
        },
        cadence=Cadence.MONTHLY,
        benchmark=config.benchmark,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        role=Role.GROWTH,
        managed=config.managed,
        safe_haven=config.safe_haven,
        snapshot=SnapshotInput(
            contract=f"{_PROFILE}.v1",
            columns=("symbol", "sector", *_ADMISSION, *_FEATURES),
            max_age_sessions=config.max_snapshot_age_sessions,
            # One that would stay open for longer ends with the snapshot.
            execution_window_sessions=min(
                config.execution_window_sessions, config.max_snapshot_age_sessions
            ),
        ),
        hints=ExecutionHints(rebalance_threshold_ratio=config.rebalance_threshold),
        icon="💻",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the portfolio that the snapshot calls for, or HOLD outside the execution window.

    BLOCKED with

    - ``CONFIG_INVALID`` when the configuration names no universe;
    - ``SNAPSHOT_MISSING``, ``SNAPSHOT_FUTURE`` or ``SNAPSHOT_STALE`` without a usable snapshot;
    - ``SNAPSHOT_ROW_MISSING`` when it lacks the row of the benchmark or of a stock that is held;
    - ``INDICATOR_UNDEFINED`` when the benchmark's trend or momentum, a feature of a stock that is
      held, or the breadth cannot be computed;
    - ``UNMANAGED_TARGET`` when a stock outside the universe would be bought.
    """
    config: Config = context.config
    snapshot = read_ranked_snapshot(context)
    if isinstance(snapshot, Decision):
        return snapshot
    as_of = snapshot.manifest.as_of
    age = context.calendar.sessions_between(as_of, context.session)
    if age > config.execution_window_sessions:
        return Decision.hold(
            "outside_execution_window",
            diagnostics={
                "snapshot": f"{as_of}, {age} sessions old",
                "window": f"{config.execution_window_sessions} sessions",
            },
        )
    scene = read_scene(snapshot, context, _FEATURES, of_benchmark=_OF_BENCHMARK)
    if isinstance(scene, Decision):
        return scene
    ranking = rank(*_keys(scene, config))
    chosen = pick_by_sector(ranking, scene, holdings=config.holdings, sector_cap=config.sector_cap)
    return portfolio(chosen, scene, context)


def factors(names: Names, benchmark: Mapping[str, float]) -> dict[str, Floats]:
    """Return what a stock is scored by, one value per name; `FactorWeights` weighs them.

    Parameters
    ----------
    names : Names
        With every feature that the profile declares.
    benchmark : mapping of str to float
        The benchmark's ``mom_6_1`` and ``mom_12_1``.
    """
    of = names.features
    excess_12_1 = of["mom_12_1"] - benchmark["mom_12_1"]
    return {
        "excess_12_1": excess_12_1,
        "excess_6_1": of["mom_6_1"] - benchmark["mom_6_1"],
        "trend": (
            0.45 * of["sma200_gap"] + 0.35 * of["breakout_252"] + 0.20 * of["ma50_over_ma200"]
        ),
        "pullback": (
            -0.55 * np.abs(of["dist_63_high"] + 0.08)
            - 0.25 * np.abs(of["dist_126_high"] + 0.12)
            - 0.10 * np.maximum(0.0, -of["sma50_gap"])
            - 0.10 * np.maximum(0.0, -of["sma200_gap"])
        ),
        "recovery": 0.40 * of["sma20_gap"] + 0.35 * of["sma50_gap"] + 0.25 * of["rebound_20"],
        # A single sector's median is the universe's.
        "relative": excess_12_1 - indicators.grouped_median(excess_12_1, names.sectors),
        "vol_63": of["vol_63"],
        "maxdd_126": np.abs(of["maxdd_126"]),
    }


def scores(context: StrategyContext) -> dict[str, float]:
    """Return the score of every eligible stock, best first, also outside the execution window.

    None where `decide` is BLOCKED.
    """
    snapshot = read_ranked_snapshot(context)
    if isinstance(snapshot, Decision):
        return {}
    scene = read_scene(snapshot, context, _FEATURES, of_benchmark=_OF_BENCHMARK)
    if isinstance(scene, Decision):
        return {}
    return scores_by_symbol(scene.names, *_keys(scene, context.config))


def _keys(scene: Scene, config: Config) -> tuple[Floats, ...]:
    """Return what stocks are ordered by: their scores, and what decides between equal ones."""
    values = factors(scene.names, scene.benchmark)
    total = score(scene.names, values, config.factors, hold_bonus=config.hold_bonus)
    return total, values["excess_12_1"], values["trend"]
