"""From a scene to a portfolio: the steps of the profiles that rank the rows of a snapshot.

`score` adds up standardised factors, `rank` orders the names, `pick_by_sector` (or a rule of the
profile's own) takes the best of them, and `portfolio` weighs what was taken. `scores_by_symbol`
tells the ranking to whoever looks at a snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from quant_platform_kit.contracts import Decision
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import StrategyContext
from us_equity_strategies._cross_section import (
    TREND,
    CrossSectionConfig,
    Floats,
    Names,
    Regime,
    Scene,
)
from us_equity_strategies._weights import with_safe_haven


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


def scores_by_symbol(names: Names, *keys: Floats) -> dict[str, float]:
    """Return each name's score, the first of the `keys` that `rank` orders by, best first."""
    return {names.rows[position].symbol: float(keys[0][position]) for position in rank(*keys)}


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
    weight = min(config.name_cap, scene.exposure / max(1, len(chosen)))
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
