"""The few largest US companies that lead the others.

Reads a feature snapshot, one row per company and one for the benchmark. The universe is the
operator's list of the largest companies, twenty as the strategy was designed.

- Regime and breadth: *hard* defence when the benchmark is not above its 200-session average and
  the breadth (share of eligible companies above theirs) is below `breadth_hard`; *soft* when either
  the trend is down or breadth is below `breadth_soft`; else *risk on*. Both defences halve the
  exposure.
- Score of a company: the weighted sum of z-scores of its momentum, its lead over the benchmark and
  over the broad benchmark, its distance from the high, trend and risk, and `hold_bonus` when it is
  held. Equal scores go by 12-month, then by 6-month momentum.
- Held companies ranked `holdings` + `hold_buffer` or better stay; the best others fill the free
  places, at equal weights of at most `name_cap`. The rest is the safe haven.
- A position of less than `min_position_usd` is not opened: a smaller sleeve opens fewer of them,
  and one whose largest allowed position is smaller opens none. What is held already may shrink
  below, so that a sleeve near the limit does not sell and buy back.

The choice is stable between two snapshots, so it is answered on every run, and the no-trade band
keeps small drifts from trading.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Final

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
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._cross_section import (
    Band,
    Bonus,
    Count,
    Floats,
    Floor,
    LiquidConfig,
    Names,
    read_ranked_snapshot,
    read_scene,
)
from us_equity_strategies._dollars import Usd
from us_equity_strategies._inputs import read_sleeve
from us_equity_strategies._selection import portfolio, rank, score, scores_by_symbol

__all__ = ["Config", "FactorWeights", "decide", "manifest", "scores"]

_PROFILE: Final = "mega_cap_leader_rotation"
_ADMISSION: Final = ("close", "adv20_usd", "history_days")
_FEATURES: Final = (
    *("mom_3m", "mom_6m", "mom_12_1"),
    *("rel_mom_6m_vs_benchmark", "rel_mom_6m_vs_broad_benchmark"),
    *("high_252_gap", "sma200_gap", "vol_63", "maxdd_126"),
)


class FactorWeights(StrategyConfig):
    """Weight of each factor's z-score; what should be low has a negative one.

    Drawdown counts by its size, so a deep one has a high z-score.
    """

    mom_6m: float = 0.25
    mom_3m: float = 0.20
    rel_mom_6m_vs_benchmark: float = 0.20
    rel_mom_6m_vs_broad_benchmark: float = 0.10
    high_252_gap: float = 0.10
    sma200_gap: float = 0.10
    vol_63: float = -0.025
    maxdd_126: float = -0.025


class Config(LiquidConfig):
    """Configuration of the rotation.

    Parameters
    ----------
    broad_benchmark : Symbol
        The wider market that the snapshot measures momentum against; never held.
    hold_buffer : int
        So many ranks below `holdings` a held company may fall before it is sold.
    min_position_usd : Usd
        Smallest position to open; 0 sets no limit.
    factors : FactorWeights
    """

    roles_apart: ClassVar[tuple[str, ...]] = (*LiquidConfig.roles_apart, "broad_benchmark")

    benchmark: Symbol = "QQQ"
    broad_benchmark: Symbol = "SPY"
    holdings: Count = 4
    hold_buffer: Annotated[int, Field(ge=0)] = 2
    name_cap: Ratio = Decimal("0.25")
    hold_bonus: Bonus = 0.10
    exposure_risk_on: Ratio = Decimal(1)
    exposure_soft: Ratio = Decimal("0.5")
    exposure_hard: Ratio = Decimal("0.5")
    min_adv20_usd: Floor = 20_000_000.0
    min_position_usd: Usd = Decimal(3000)
    factors: FactorWeights = FactorWeights()
    rebalance_threshold: Band = Decimal("0.02")


def manifest(config: Config) -> StrategyManifest:
    """Return what the rotation declares under `config`."""
    haven_en, haven_zh = config.haven_words
    return StrategyManifest(
        profile=_PROFILE,
        aliases=("mega_cap_leader_rotation_dynamic_top20",),
        display_name={"en": "Mega-Cap Leader Rotation", "zh": "超大盘龙头轮动"},
        description={
            "en": (
                f"Holds the {config.holdings} strongest of the largest US companies, keeps a "
                f"leader until it clearly falls behind, and moves part of the sleeve to "
                f"{haven_en} when the market weakens."
            ),
            "zh": (
                f"持有美国最大公司中最强的 {config.holdings} 家，龙头明显落后时才更换，"
                f"市场走弱时将部分资金转入{haven_zh}。"
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
            columns=("symbol", *_ADMISSION, *_FEATURES),
            max_age_sessions=config.max_snapshot_age_sessions,
        ),
        reads_portfolio=True,
        hints=ExecutionHints(rebalance_threshold_ratio=config.rebalance_threshold),
        icon="👑",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the portfolio that the snapshot and the size of the sleeve call for.

    BLOCKED with

    - ``CONFIG_INVALID`` when the configuration names no universe;
    - ``SNAPSHOT_MISSING``, ``SNAPSHOT_FUTURE`` or ``SNAPSHOT_STALE`` without a usable snapshot;
    - ``SNAPSHOT_ROW_MISSING`` when it lacks the row of the benchmark or of a company that is held;
    - ``INDICATOR_UNDEFINED`` when the benchmark's trend, a feature of a company that is held, or
      the breadth cannot be computed;
    - ``CAPITAL_ZERO``, ``PRICE_MISSING`` or ``VALUE_MALFORMED`` when the sleeve's worth is unknown
      or nothing;
    - ``UNMANAGED_TARGET`` when a company outside the universe would be bought.
    """
    config: Config = context.config
    snapshot = read_ranked_snapshot(context)
    if isinstance(snapshot, Decision):
        return snapshot
    sleeve = read_sleeve(context, config.managed)
    if isinstance(sleeve, Decision):
        return sleeve
    scene = read_scene(snapshot, context, _FEATURES)
    if isinstance(scene, Decision):
        return scene
    places = _places(sleeve.equity_usd, scene.exposure, config)
    chosen = _pick(rank(*_keys(scene.names, config)), scene.names, places, config)
    return portfolio(chosen, scene, context, {"places": f"{places} of {config.holdings}"})


def scores(context: StrategyContext) -> dict[str, float]:
    """Return the score of every eligible company, best first; none where there is no ranking."""
    snapshot = read_ranked_snapshot(context)
    if isinstance(snapshot, Decision):
        return {}
    scene = read_scene(snapshot, context, _FEATURES)
    if isinstance(scene, Decision):
        return {}
    return scores_by_symbol(scene.names, *_keys(scene.names, context.config))


def _places(equity_usd: Decimal, exposure: Decimal, config: Config) -> int:
    """Return how many equal positions of the least size or more the exposure pays for."""
    least_usd = config.min_position_usd
    if least_usd == 0:
        return config.holdings
    if config.name_cap * equity_usd < least_usd:
        return 0
    return min(config.holdings, int(exposure * equity_usd / least_usd))


def _keys(names: Names, config: Config) -> tuple[Floats, ...]:
    """Return what companies are ordered by: their scores, and what decides between equal ones."""
    features = names.features
    total = score(
        names,
        {**features, "maxdd_126": np.abs(features["maxdd_126"])},
        config.factors,
        hold_bonus=config.hold_bonus,
    )
    return total, features["mom_12_1"], features["mom_6m"]


def _pick(ranking: Sequence[int], names: Names, places: int, config: Config) -> tuple[str, ...]:
    near = ranking[: config.holdings + config.hold_buffer]
    kept = [position for position in near if names.held[position]][: config.holdings]
    others = [position for position in ranking if position not in kept]
    chosen = kept + others[: max(0, places - len(kept))]
    return tuple(names.rows[position].symbol for position in chosen)
