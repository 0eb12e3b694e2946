"""Scoring a snapshot: 1,000 names by 18 features, against plain NumPy on the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import (
    Adjustment,
    Decision,
    FeatureRow,
    FeatureSnapshot,
    SnapshotManifest,
)
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import SleeveView, StrategyContext
from us_equity_strategies._cross_section import read_scene
from us_equity_strategies._selection import rank, score
from us_equity_strategies.russell_1000_multi_factor_defensive import Config

NAMES = 1000
FEATURES = ("sma200_gap", *(f"feature_{index:02}" for index in range(17)))
_SECTORS = 11
_SEED = 20200331
_AS_OF = date(2020, 3, 30)
_SESSION = date(2020, 3, 31)
_HELD = 24
_BONUS = 0.15
_ROUNDS = 200
_TARGET = 2.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Universe:
    """The same numbers twice: as arrays, and as the rows of a snapshot."""

    values: Floats
    weights: tuple[float, ...]
    sectors: NDArray[np.intp]
    held: NDArray[np.bool_]
    context: StrategyContext

    def fresh(self) -> FeatureSnapshot:
        """Return the snapshot as the loader hands it over: no column of it was read yet."""
        snapshot = self.context.snapshot
        assert snapshot is not None  # noqa: S101 (made below)
        return FeatureSnapshot(snapshot.manifest, snapshot.rows)

    def ranking(self, snapshot: FeatureSnapshot, *, within_sectors: bool) -> list[int]:
        """Rank as the profiles do: from a snapshot's rows to positions, best first."""
        scene = read_scene(snapshot, self.context, FEATURES)
        if isinstance(scene, Decision):
            raise TypeError(scene.reason)
        features = scene.names.features
        scores = score(
            scene.names,
            features,
            zip(FEATURES, self.weights, strict=True),
            hold_bonus=_BONUS,
            within_sectors=within_sectors,
        )
        return rank(scores, features[FEATURES[1]], features[FEATURES[2]])

    def plain(self) -> list[int]:
        """Rank as one writes it on bare arrays, without a check of anything."""
        means = self.values.mean(axis=1, keepdims=True)
        standardised = (self.values - means) / self.values.std(axis=1, keepdims=True)
        return self._sorted(standardised)

    def plain_within_sectors(self) -> list[int]:
        """Do the same inside each sector, its members found beforehand."""
        standardised = np.empty_like(self.values)
        for sector in range(_SECTORS):
            members = self.sectors == sector
            part = self.values[:, members]
            means = part.mean(axis=1, keepdims=True)
            standardised[:, members] = (part - means) / part.std(axis=1, keepdims=True)
        return self._sorted(standardised)

    def _sorted(self, standardised: Floats) -> list[int]:
        scores = np.where(self.held, _BONUS, 0.0)
        for weight, row in zip(self.weights, standardised, strict=True):
            scores += weight * row
        order: list[int] = np.lexsort((-self.values[2], -self.values[1], -scores)).tolist()
        return order


def universe() -> Universe:
    """Return seeded names; every one of them is eligible."""
    random = np.random.default_rng(_SEED)
    values = random.normal(size=(len(FEATURES), NAMES))
    symbols = [f"SIM{index:04}" for index in range(NAMES)]
    sectors = np.arange(NAMES) % _SECTORS
    rows = tuple(
        FeatureRow(symbol, f"Sector {sector}", dict(zip(FEATURES, column, strict=True)))
        for symbol, sector, column in zip(symbols, sectors, values.T.tolist(), strict=True)
    )
    benchmark = FeatureRow("SPY", "", dict.fromkeys(FEATURES, 0.1))
    held = symbols[:: NAMES // _HELD]
    return Universe(
        values=values,
        weights=tuple(random.uniform(-1, 1, size=len(FEATURES)).tolist()),
        sectors=sectors,
        held=np.isin(symbols, held),
        context=StrategyContext(
            session=_SESSION,
            calendar=xnys(),
            history={},
            snapshot=_snapshot((*rows, benchmark)),
            sleeve=SleeveView(dict.fromkeys(held, Decimal(10))),
            config=Config(universe=tuple(symbols)),
        ),
    )


def _snapshot(rows: tuple[FeatureRow, ...]) -> FeatureSnapshot:
    manifest = SnapshotManifest(
        contract="bench.v1",
        profile="bench",
        version=f"{_AS_OF}-0123456789ab",
        as_of=_AS_OF,
        snapshot_file="snapshot.csv",
        snapshot_sha256="0" * 64,
        row_count=len(rows),
        columns=("symbol", "sector", *FEATURES),
        config_sha256="1" * 64,
        adjustment=Adjustment.TOTAL_RETURN,
        generated_at=datetime(2020, 3, 30, 22, tzinfo=UTC),
        code_version="bench",
        sources={},
    )
    return FeatureSnapshot(manifest, rows)


def run() -> BenchResult:
    """Measure both ways of scoring, from a snapshot whose columns are laid out, and a fresh one."""
    names = universe()
    ready = names.fresh()
    fresh = iter([names.fresh() for _ in range(_ROUNDS + 1)])
    work: dict[str, Callable[[], list[int]]] = {
        "plain": names.plain,
        "ours": lambda: names.ranking(ready, within_sectors=False),
        "plain within sectors": names.plain_within_sectors,
        "ours within sectors": lambda: names.ranking(ready, within_sectors=True),
        "fresh": lambda: names.ranking(next(fresh), within_sectors=False),
    }
    for ours, plain in (("ours", "plain"), ("ours within sectors", "plain within sectors")):
        if work[ours]() != work[plain]():
            raise RuntimeError(f"{ours} ranks otherwise than {plain}; compare like with like")
    seconds = interleaved_medians(work, rounds=_ROUNDS)
    ratio = seconds["ours"] / seconds["plain"]
    within = seconds["ours within sectors"] / seconds["plain within sectors"]
    return BenchResult(
        what=f"scoring of {NAMES:,} names x {len(FEATURES)} features, from a snapshot to a ranking",
        figure=(
            f"{seconds['ours'] * 1e3:.2f} ms, {seconds['ours within sectors'] * 1e3:.2f} ms within "
            f"sectors (first time on a snapshot, its columns laid out: "
            f"{seconds['fresh'] * 1e3:.2f} ms)"
        ),
        ratio=f"{ratio:.2f}x and {within:.2f}x plain NumPy on arrays of the same numbers",
        target=f"at most {_TARGET:.0f}x",
        met=max(ratio, within) <= _TARGET,
    )


if __name__ == "__main__":
    print(run())
