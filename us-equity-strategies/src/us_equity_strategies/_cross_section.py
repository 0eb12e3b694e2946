"""What a feature snapshot says, for the profiles that rank its rows: one definition of each part.

A decision reads its snapshot (`read_ranked_snapshot`), lays out the scene (`read_scene`), and goes
on with `us_equity_strategies._selection`.

- Eligible: every feature that the profile ranks by is defined, the row's ``eligible`` flag, where
  the snapshot has one, says so, and the configuration admits it. Benchmarks and the safe haven
  never are.
- Breadth: the share of eligible names above their 200-session average.
- Regime: *hard* defence when the benchmark is not above its 200-session average and breadth is
  below `breadth_hard`; *soft* when either the trend is down or breadth is below `breadth_soft`;
  else *risk on*.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
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
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol, Symbols
from us_equity_strategies._inputs import read_snapshot

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

Floor = Annotated[float, Field(ge=0)]
"""The least that is asked for; 0 asks for nothing."""

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
    def admission(self) -> tuple[str, ...]:
        """The columns that `admits` reads."""
        return ()

    def admits(self, table: Table) -> Mask:
        """Tell which rows of `table` the profile admits to its ranking."""
        return np.ones(len(table.rows), dtype=np.bool_)

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

    min_close_usd: Floor = 10.0
    min_history_days: Count = 274
    min_adv20_usd: Floor

    @property
    def admission(self) -> tuple[str, ...]:
        """The columns that `admits` reads."""
        turnover = ("adv20_usd",) if self.min_adv20_usd > 0 else ()
        return ("close", "history_days", *turnover)

    def admits(self, table: Table) -> Mask:
        """Tell which rows of `table` reach the floors."""
        admitted: Mask = (table["close"] > self.min_close_usd) & (
            table["history_days"] >= self.min_history_days
        )
        if "adv20_usd" in self.admission:
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
) -> Scene | Decision:
    """Lay out the eligible names of `snapshot` and tell the regime.

    BLOCKED with ``SNAPSHOT_ROW_MISSING`` when the benchmark or a stock that is held has no row,
    and with ``INDICATOR_UNDEFINED`` when a figure of theirs, or the breadth, is undefined.

    Parameters
    ----------
    snapshot : FeatureSnapshot
    context : StrategyContext
    features : sequence of str
        What a name must have to be eligible.
    of_benchmark : sequence of str
        What the benchmark must have.
    """
    config: CrossSectionConfig = context.config
    table = Table(snapshot)
    benchmark = _benchmark(table, config, of_benchmark)
    if isinstance(benchmark, Decision):
        return benchmark
    names = _eligible(table, context, features)
    if isinstance(names, Decision):
        return names
    if not names.rows:
        return Decision.blocked(
            ReasonCode.INDICATOR_UNDEFINED, "no stock is eligible, so breadth is undefined"
        )
    breadth = int(np.count_nonzero(names.features[TREND] > 0)) / len(names.rows)
    regime = _regime(benchmark[TREND], breadth, config)
    return Scene(names, benchmark, breadth, regime, _exposure(regime, config))


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


def _eligible(table: Table, context: StrategyContext, features: Sequence[str]) -> Names | Decision:
    config: CrossSectionConfig = context.config
    values = np.stack([table[feature] for feature in features])
    flags = table.column(_FLAG, missing=1.0)
    defined = np.isfinite(values).all(axis=0) & np.isfinite(flags)
    for column in config.admission:
        defined &= np.isfinite(table[column])
    held = [symbol for symbol in context.sleeve.quantities if context.sleeve.holds(symbol)]
    is_held = table.mark(held)
    # Not to rank a stock that is held would be to sell it for want of data.
    lost = [s for s in sorted(held) if table.find(s) is None and s in config.universe]
    vague = [
        row
        for row in compress(table.rows, (is_held & ~defined).tolist())
        if row.symbol in config.universe
    ]
    if lost or vague:
        return _lacking(lost, vague, (*features, *config.admission))
    eligible = defined & (flags > 0) & config.admits(table)
    eligible &= ~table.mark(getattr(config, role) for role in config.roles_apart)
    (positions,) = np.nonzero(eligible)
    return Names(
        rows=tuple(compress(table.rows, eligible.tolist())),
        features=dict(zip(features, values.take(positions, axis=1), strict=True)),
        held=is_held[positions],
    )


def _lacking(lost: Sequence[str], vague: Sequence[FeatureRow], needed: Sequence[str]) -> Decision:
    if lost:
        return Decision.blocked(
            ReasonCode.SNAPSHOT_ROW_MISSING,
            f"the snapshot has no row of {', '.join(lost)}, which the sleeve holds",
        )
    row = vague[0]
    undefined = [f for f in needed if not math.isfinite(row.features.get(f, math.nan))]
    return Decision.blocked(
        ReasonCode.INDICATOR_UNDEFINED,
        f"{', '.join(undefined) or _FLAG} of {row.symbol}, which the sleeve holds, is undefined",
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
