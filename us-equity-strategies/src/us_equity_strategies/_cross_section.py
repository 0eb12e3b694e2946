"""What the profiles that rank a feature snapshot share: one definition of each step.

A decision takes the steps in this order: `read_ranked_snapshot`, `read_scene`, `score`, `rank`, a
pick (`pick_by_sector`, or a rule of the profile's own) and `portfolio`.

- Eligible: every feature that the profile ranks by is defined, the row's ``eligible`` flag, where
  the snapshot has one, says so, and the profile's own conditions hold. Benchmarks and the safe
  haven never are.
- Breadth: the share of eligible names above their 200-session average.
- Regime: *hard* defence when the benchmark is not above its 200-session average and breadth is
  below `breadth_hard`; *soft* when either the trend is down or breadth is below `breadth_soft`;
  else *risk on*.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import compress
from typing import Annotated, ClassVar, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from quant_platform_kit.contracts import Decision, FeatureRow, FeatureSnapshot
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol, Symbols
from us_equity_strategies._inputs import read_snapshot
from us_equity_strategies._weights import with_safe_haven

TREND: Final = "sma200_gap"
"""The feature that tells a trend, of the benchmark and of every name."""

_FLAG: Final = "eligible"

Floats: TypeAlias = NDArray[np.float64]
"""One number per name."""

Mask: TypeAlias = NDArray[np.bool_]
"""One answer per name."""

Count = Annotated[int, Field(ge=1)]
"""At least one."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share of names, in [0, 1]."""

Bonus = Annotated[float, Field(ge=0)]
"""What is added to a score."""

Band = Annotated[Decimal, Field(ge=0, lt=1)]
"""A share of capital, in [0, 1)."""


class CrossSectionConfig(StrategyConfig):
    """What every profile that ranks a snapshot is configured with.

    Parameters
    ----------
    universe : Symbols
        Every stock it may hold. Which stocks those are changes with the market and is nobody's
        default: the operator's configuration file names them. A stock that left the list of
        candidates stays named until it is sold: one that is not named is no longer managed, and
        kept.
    benchmark : Symbol
        The snapshot row whose trend sets the regime; never held.
    safe_haven : Symbol or None
        Holds what is not in stocks; None keeps cash.
    holdings : int
        Stocks at most.
    name_cap : Ratio
        Largest weight of a stock.
    hold_bonus : float
        Added to the score of a stock that is held.
    exposure_risk_on, exposure_soft, exposure_hard : Ratio
        Weight of all stocks together, by regime.
    breadth_soft, breadth_hard : float
        Breadth below which the regime turns defensive.
    max_snapshot_age_sessions : int
        23 is the longest month: a monthly snapshot serves until its successor can exist, and a
        publication that failed is noticed on the first session that misses it.
    rebalance_threshold : Decimal
        No-trade band around each target, as a share of capital.
    """

    roles_apart: ClassVar[tuple[str, ...]] = ("benchmark", "safe_haven")
    """Fields whose symbols are never ranked."""

    universe: Symbols = ()
    benchmark: Symbol
    safe_haven: Symbol | None = "BOXX"
    holdings: Count
    name_cap: Ratio
    hold_bonus: Bonus
    exposure_risk_on: Ratio
    exposure_soft: Ratio
    exposure_hard: Ratio
    breadth_soft: Share = 0.55
    breadth_hard: Share = 0.35
    max_snapshot_age_sessions: Count = 23
    rebalance_threshold: Band

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if not self.universe and self.safe_haven is None:
            raise ValueError("universe is empty and safe_haven is null: nothing could be held")
        for role in self.roles_apart:
            if getattr(self, role) in self.universe:
                raise ValueError(f"{role} {getattr(self, role)} may not stand in universe")
        if self.breadth_hard > self.breadth_soft:
            raise ValueError(
                f"breadth_hard = {self.breadth_hard} is above breadth_soft = {self.breadth_soft}"
            )
        return self

    @property
    def managed(self) -> tuple[str, ...]:
        """The universe, and the safe haven where there is one."""
        return self.universe if self.safe_haven is None else (*self.universe, self.safe_haven)

    @property
    def haven_words(self) -> tuple[str, str]:
        """The safe haven inside an English and a Chinese sentence."""
        return (self.safe_haven, f" {self.safe_haven}") if self.safe_haven else ("cash", "现金")


class LiquidConfig(CrossSectionConfig):
    """The same, of a profile that asks for a price, a history and a daily turnover.

    Parameters
    ----------
    min_close_usd : float
        A stock at or below this close is not eligible.
    min_history_days : int
        Closes that a stock must have.
    min_adv20_usd : float
        Mean dollar volume of the last 20 sessions that a stock must reach; 0 asks for none, and
        then a snapshot without volumes will do.
    """

    min_close_usd: float = Field(default=10.0, ge=0)
    min_history_days: Count = 274
    min_adv20_usd: float = Field(ge=0)

    def admits(self, table: Table) -> Mask:
        """Tell which rows of `table` reach the three floors; what is undefined reaches none."""
        admitted: Mask = (table["close"] > self.min_close_usd) & (
            table["history_days"] >= self.min_history_days
        )
        if self.min_adv20_usd > 0:
            admitted &= table["adv20_usd"] >= self.min_adv20_usd
        return admitted


class Regime(StrEnum):
    """How much the market invites."""

    RISK_ON = "risk_on"
    SOFT = "soft_defense"
    HARD = "hard_defense"


class Table:
    """A snapshot by columns, its rows sorted by symbol.

    Sorted, so that the order of a file cannot reach a sum of floats, or decide between equals.
    """

    __slots__ = ("_order", "_snapshot", "_symbols", "rows")

    def __init__(self, snapshot: FeatureSnapshot) -> None:
        self.rows = snapshot.rows
        self._symbols = [row.symbol for row in snapshot.rows]
        self._snapshot = snapshot
        self._order: NDArray[np.intp] | None = None
        if self._symbols != sorted(self._symbols):  # our pipelines publish them sorted
            order = sorted(range(len(self.rows)), key=self._symbols.__getitem__)
            self.rows = tuple(self.rows[position] for position in order)
            self._symbols.sort()
            self._order = np.array(order, dtype=np.intp)

    def __getitem__(self, feature: str) -> Floats:
        """Return one value per row; NaN where the snapshot has none."""
        return self.column(feature)

    def column(self, feature: str, missing: float = math.nan) -> Floats:
        """Return one value per row; `missing` where the snapshot has none."""
        column: Floats = np.asarray(self._snapshot.column(feature, missing))
        return column if self._order is None else column[self._order]

    def find(self, symbol: str) -> int | None:
        """Return the position of the row of `symbol`."""
        position = bisect_left(self._symbols, symbol)
        is_here = position < len(self._symbols) and self._symbols[position] == symbol
        return position if is_here else None

    def mark(self, symbols: Iterable[str | None]) -> Mask:
        """Tell which rows are those of `symbols`."""
        positions = [self.find(symbol) for symbol in symbols if symbol is not None]
        marked = np.zeros(len(self.rows), dtype=np.bool_)
        marked[[position for position in positions if position is not None]] = True
        return marked


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The eligible names side by side, sorted by symbol.

    Parameters
    ----------
    rows : tuple of FeatureRow
    features : mapping of str to Floats
        Every feature that the profile ranks by, all defined.
    held : Mask
        Which of them the sleeve holds.
    """

    rows: tuple[FeatureRow, ...]
    features: Mapping[str, Floats]
    held: Mask

    @property
    def sectors(self) -> tuple[str, ...]:
        """The sector of every name."""
        return tuple(row.sector for row in self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a snapshot says before anything is ranked.

    Parameters
    ----------
    names : Names
    benchmark : mapping of str to float
        Features of the benchmark's row.
    breadth : float
    regime : Regime
    exposure : Decimal
        Weight of all stocks together in this regime.
    """

    names: Names
    benchmark: Mapping[str, float]
    breadth: float
    regime: Regime
    exposure: Decimal


def read_ranked_snapshot(context: StrategyContext) -> FeatureSnapshot | Decision:
    """Return the snapshot, or BLOCKED with ``CONFIG_INVALID`` or a ``SNAPSHOT_`` code."""
    config: CrossSectionConfig = context.config
    if not config.universe:
        return Decision.blocked(
            ReasonCode.CONFIG_INVALID, "universe is empty: name the stocks in STRATEGY_CONFIG_PATH"
        )
    return read_snapshot(context, max_age_sessions=config.max_snapshot_age_sessions)


def read_scene(
    snapshot: FeatureSnapshot,
    context: StrategyContext,
    features: Sequence[str],
    *,
    of_benchmark: Sequence[str] = (TREND,),
    admits: Callable[[Table], Mask] | None = None,
) -> Scene | Decision:
    """Lay out the eligible names of `snapshot` and tell the regime.

    BLOCKED with ``SNAPSHOT_ROW_MISSING`` when the benchmark or a stock that is held has no row,
    and with ``INDICATOR_UNDEFINED`` when the benchmark's trend or the breadth is undefined.

    Parameters
    ----------
    snapshot : FeatureSnapshot
    context : StrategyContext
    features : sequence of str
        What a name must have to be eligible.
    of_benchmark : sequence of str
        What the benchmark must have.
    admits : callable, optional
        Conditions of the profile's own.
    """
    config: CrossSectionConfig = context.config
    table = Table(snapshot)
    benchmark = _benchmark(table, config, of_benchmark)
    if isinstance(benchmark, Decision):
        return benchmark
    held = [symbol for symbol in context.sleeve.quantities if context.sleeve.holds(symbol)]
    lost = sorted(s for s in held if table.find(s) is None and s in config.universe)
    if lost:  # not ranking them would sell them for want of data
        return Decision.blocked(
            ReasonCode.SNAPSHOT_ROW_MISSING,
            f"the snapshot has no row of {', '.join(lost)}, which the sleeve holds",
        )
    names = _eligible(table, config, held, features, admits)
    if not names.rows:
        return Decision.blocked(
            ReasonCode.INDICATOR_UNDEFINED, "no stock is eligible, so breadth is undefined"
        )
    breadth = int(np.count_nonzero(names.features[TREND] > 0)) / len(names.rows)
    regime = _regime(benchmark[TREND], breadth, config)
    return Scene(names, benchmark, breadth, regime, _exposure(regime, config))


def score(
    names: Names,
    factors: Mapping[str, Floats],
    weights: Iterable[tuple[str, float]],
    *,
    hold_bonus: float,
    within_sectors: bool = False,
) -> Floats:
    """Return each name's weighted sum of standardised `factors`, with the bonus if it is held.

    A factor is standardised among all names, or inside each sector.
    """
    kinds, shares = zip(*weights, strict=True)
    values = np.stack([factors[kind] for kind in kinds])
    if within_sectors:
        standardised = indicators.grouped_zscore(values, names.sectors)
    else:
        standardised = indicators.zscore(values)
    total = np.where(names.held, hold_bonus, 0.0)
    # One by one: a matrix product rounds differently from machine to machine.
    for share, row in zip(shares, standardised, strict=True):
        total += share * row
    return total


def rank(*keys: Floats) -> list[int]:
    """Return the positions of the names, best first.

    Descending by the first key, then by the next, and between equals by symbol.
    """
    # Names are sorted by symbol, and both sorts are stable.
    order = np.argsort(-keys[0], kind="stable")
    scores = keys[0][order]
    if (scores[1:] == scores[:-1]).any():  # rare, and the sort by all keys takes much longer
        order = np.lexsort([-key for key in reversed(keys)])
    ranking: list[int] = order.tolist()
    return ranking


def pick_by_sector(
    ranking: Sequence[int], scene: Scene, *, holdings: int, sector_cap: Decimal
) -> tuple[str, ...]:
    """Return the best `holdings` names, as many of one sector as `sector_cap` has room for."""
    if scene.exposure == 0:
        return ()
    # floor(sector_cap / (exposure / holdings)), in an order that keeps the division exact.
    slots = max(1, int(sector_cap * holdings / scene.exposure))
    taken: Counter[str] = Counter()
    chosen: list[str] = []
    for position in ranking:
        row = scene.names.rows[position]
        if len(chosen) < holdings and taken[row.sector] < slots:
            taken[row.sector] += 1
            chosen.append(row.symbol)
    return tuple(chosen)


def portfolio(
    chosen: Sequence[str],
    scene: Scene,
    context: StrategyContext,
    notes: Mapping[str, str] | None = None,
) -> Decision:
    """Return equal weights of at most `name_cap` for `chosen`, the rest being the safe haven.

    BLOCKED with ``UNMANAGED_TARGET`` when one of them is not in the universe. Hard defence raises
    the risk flag ``hard_defense``.
    """
    config: CrossSectionConfig = context.config
    universe = frozenset(config.universe)
    strangers = [symbol for symbol in chosen if symbol not in universe]
    if strangers:
        return Decision.blocked(
            ReasonCode.UNMANAGED_TARGET,
            f"the snapshot ranks stocks outside the universe: {', '.join(strangers)}",
        )
    weight = min(config.name_cap, scene.exposure / len(chosen)) if chosen else Decimal(0)
    return Decision.weights(
        with_safe_haven(dict.fromkeys(chosen, weight), config.safe_haven),
        risk_flags=(scene.regime.value,) if scene.regime is Regime.HARD else (),
        diagnostics={
            "regime": scene.regime.value,
            "trend": f"{config.benchmark} {scene.benchmark[TREND]:+.4f}",
            "breadth": f"{scene.breadth:.4f} of {len(scene.names.rows)}",
            **(notes or {}),
        },
    )


def _benchmark(
    table: Table, config: CrossSectionConfig, needed: Iterable[str]
) -> Mapping[str, float] | Decision:
    position = table.find(config.benchmark)
    if position is None:
        return Decision.blocked(
            ReasonCode.SNAPSHOT_ROW_MISSING,
            f"the snapshot has no row of benchmark {config.benchmark}",
        )
    features = table.rows[position].features
    for feature in needed:
        if not math.isfinite(features.get(feature, math.nan)):
            return Decision.blocked(
                ReasonCode.INDICATOR_UNDEFINED,
                f"{feature} of benchmark {config.benchmark} is undefined",
            )
    return features


def _eligible(
    table: Table,
    config: CrossSectionConfig,
    held: Iterable[str],
    features: Sequence[str],
    admits: Callable[[Table], Mask] | None,
) -> Names:
    values = np.stack([table[feature] for feature in features])
    eligible = np.isfinite(values).all(axis=0)
    eligible &= table.column(_FLAG, missing=1.0) > 0  # an undefined flag is not a yes
    eligible &= ~table.mark(getattr(config, role) for role in config.roles_apart)
    if admits is not None:
        eligible &= admits(table)
    (positions,) = np.nonzero(eligible)
    return Names(
        rows=tuple(compress(table.rows, eligible.tolist())),
        features=dict(zip(features, values.take(positions, axis=1), strict=True)),
        held=table.mark(held)[positions],
    )


def _regime(trend_gap: float, breadth: float, config: CrossSectionConfig) -> Regime:
    is_up = trend_gap > 0
    if not is_up and breadth < config.breadth_hard:
        return Regime.HARD
    if not is_up or breadth < config.breadth_soft:
        return Regime.SOFT
    return Regime.RISK_ON


def _exposure(regime: Regime, config: CrossSectionConfig) -> Decimal:
    return {
        Regime.RISK_ON: config.exposure_risk_on,
        Regime.SOFT: config.exposure_soft,
        Regime.HARD: config.exposure_hard,
    }[regime]
