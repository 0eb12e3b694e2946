"""From prices to the rows of one snapshot. Pure: same inputs, same rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import numpy as np

from quant_platform_kit.contracts import Adjustment, FeatureRow, SnapshotInput, digest
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines._features import (
    ADV20_USD,
    ELIGIBLE,
    FEATURES,
    KEYS,
    NEED_BROAD_BENCHMARK,
    Prices,
    compute,
    declared_features,
)

MIN_CLOSES: Final = 274
"""Closes that the longest look-back, mom_12_1, needs; fewer leave a symbol ineligible."""

MIN_CLOSE_USD: Final = 10.0
"""A symbol at or below this close is ineligible, unless the profile has a floor of its own."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A symbol of the universe that has no row, and why."""

    symbol: str
    code: ReasonCode
    detail: str


@dataclass(frozen=True, slots=True)
class BuiltSnapshot:
    """Everything about a snapshot but when and by which code version it was published.

    Parameters
    ----------
    contract, profile, config_sha256 : str
        What the snapshot is for, from the strategy.
    as_of : date
        Session whose closes the features end with.
    adjustment : Adjustment
        What the prices behind the features were adjusted for.
    columns : tuple of str
        The header: ``symbol``, ``sector``, ``eligible``, then the declared features.
    rows : tuple of FeatureRow
        Sorted by symbol; the benchmark's row is one of them.
    excluded : tuple of Exclusion
        Sorted by symbol.
    sources : mapping of str to str
        SHA-256 of the ``prices`` and ``sectors`` that were used.
    """

    contract: str
    profile: str
    config_sha256: str
    as_of: date
    adjustment: Adjustment
    columns: tuple[str, ...]
    rows: tuple[FeatureRow, ...]
    excluded: tuple[Exclusion, ...]
    sources: Mapping[str, str]


def build_snapshot(
    strategy: Strategy,
    prices: Mapping[str, BarFrame],
    sectors: Mapping[str, str],
    as_of: date,
    *,
    min_close_usd: float | None = None,
) -> BuiltSnapshot:
    """Compute the features that `strategy` declares, at the close of `as_of`.

    The universe is the strategy's managed symbols without its safe haven, and its benchmark.
    Prices after `as_of` are cut off first, so nothing later than the snapshot's date can be in it.
    A row is ``eligible`` (1.0, else 0.0) with at least 274 closes, a close above 10 USD and every
    feature defined, and with the daily turnover that the profile asks for; a profile whose
    configuration names other floors (``min_history_days``, ``min_close_usd``, ``min_adv20_usd``)
    has those. The benchmark never is eligible.

    Parameters
    ----------
    strategy : Strategy
        A snapshot-backed profile under its configuration.
    prices : mapping of str to BarFrame
        Daily bars by symbol, all with the same adjustment; symbols outside the universe are
        ignored. Volumes, where there are any, fit the closes: their product is the dollars traded.
    sectors : mapping of str to str
        The sector of every symbol of the universe, for a profile that declares the column; the
        benchmark needs none.
    as_of : date
        The session whose closes the features end with.
    min_close_usd : float, optional
        Replaces the floor for the close. On dividend-adjusted prices any floor is stricter than
        on traded ones: they lie below them.

    Raises
    ------
    ContractError
        When the profile declares no snapshot, or a column that no pipeline computes.
    InputError
        When the universe is empty, a benchmark cannot be computed at `as_of`, adjustments differ,
        a symbol has no sector, or a turnover is asked for and no price has a volume. A single
        symbol without usable prices is excluded instead.
    """
    manifest = strategy.manifest
    need = _declared(strategy)
    features = declared_features(need)
    universe = _universe(strategy)
    if "sector" in need.columns:
        _check_sectors(universe - {manifest.benchmark}, sectors)
    floors = _Floors.of(strategy, min_close_usd)
    peers = _Peers.of(strategy, features, prices, as_of)
    frames = {symbol: prices[symbol].until(as_of) for symbol in universe if symbol in prices}
    _check_volumes(floors, frames.values(), manifest.profile)

    rows: list[FeatureRow] = []
    excluded: list[Exclusion] = []
    for symbol in sorted(universe):
        fault = _fault(symbol, frames.get(symbol), peers.benchmark)
        if fault is not None:
            excluded.append(fault)
            continue
        own = Prices(frames[symbol], peers.benchmark, peers.broad_benchmark)
        cells = compute(features, own)
        able = symbol != manifest.benchmark and floors.admit(own, cells)
        rows.append(FeatureRow(symbol, sectors.get(symbol, ""), {ELIGIBLE: float(able), **cells}))
    read = {frame.symbol: frame.content_hash() for frame in (*frames.values(), *peers.frames())}
    return BuiltSnapshot(
        contract=need.contract,
        profile=manifest.profile,
        config_sha256=strategy.config_sha256,
        as_of=as_of,
        adjustment=peers.benchmark.adjustment,
        columns=(*KEYS, ELIGIBLE, *features),
        rows=tuple(rows),
        excluded=tuple(excluded),
        sources={
            "prices": digest(read),
            "sectors": digest({s: sectors[s] for s in universe if s in sectors}),
        },
    )


@dataclass(frozen=True, slots=True)
class _Floors:
    """What a symbol must reach to be eligible."""

    closes: int
    close_usd: float
    adv20_usd: float

    @classmethod
    def of(cls, strategy: Strategy, min_close_usd: float | None) -> Self:
        """Return the floors of the profile's configuration, and the base ones where it has none."""
        config = strategy.config
        if min_close_usd is None:
            min_close_usd = getattr(config, "min_close_usd", MIN_CLOSE_USD)
        return cls(
            closes=getattr(config, "min_history_days", MIN_CLOSES),
            close_usd=min_close_usd,
            adv20_usd=getattr(config, "min_adv20_usd", 0.0),
        )

    def admit(self, prices: Prices, cells: Mapping[str, float]) -> bool:
        """Tell whether a row may be ranked: every floor reached, every feature defined."""
        frame = prices.frame
        if len(frame) < self.closes or frame.close[-1] <= self.close_usd:
            return False
        if self.adv20_usd > 0 and not FEATURES[ADV20_USD](prices) >= self.adv20_usd:
            return False
        # Where no turnover is asked for, prices without volumes will do.
        return all(math.isfinite(cell) for name, cell in cells.items() if name != ADV20_USD)


@dataclass(frozen=True, slots=True)
class _Peers:
    """What every symbol is measured against, cut off at the snapshot's date."""

    benchmark: BarFrame
    broad_benchmark: BarFrame | None

    @classmethod
    def of(
        cls,
        strategy: Strategy,
        features: Iterable[str],
        prices: Mapping[str, BarFrame],
        as_of: date,
    ) -> Self:
        """Return the benchmarks that `features` need, checked."""
        benchmark = _checked_benchmark(strategy.manifest.benchmark, prices, as_of)
        if NEED_BROAD_BENCHMARK.isdisjoint(features):
            return cls(benchmark, None)
        symbol = getattr(strategy.config, "broad_benchmark", None)
        if symbol is None:
            raise ContractError(
                f"{strategy.manifest.profile} declares a feature against a broad benchmark: "
                "its Config needs a broad_benchmark"
            )
        broad = _checked_benchmark(symbol, prices, as_of)
        if broad.adjustment is not benchmark.adjustment:
            raise _two_adjustments(broad, benchmark)
        return cls(benchmark, broad)

    def frames(self) -> tuple[BarFrame, ...]:
        return tuple(frame for frame in (self.benchmark, self.broad_benchmark) if frame)


def _declared(strategy: Strategy) -> SnapshotInput:
    if strategy.manifest.snapshot is None:
        raise ContractError(
            f"{strategy.manifest.profile} declares no snapshot, so there is none to build"
        )
    return strategy.manifest.snapshot


def _universe(strategy: Strategy) -> set[str]:
    manifest = strategy.manifest
    stocks = {symbol for symbol in manifest.managed if symbol != manifest.safe_haven}
    if not stocks - {manifest.benchmark}:
        raise InputError(
            f"{manifest.profile} names no stock to rank, so there is no snapshot to build. Give "
            "the configuration that the service runs with.",
            code=ReasonCode.CONFIG_INVALID,
        )
    return stocks | {manifest.benchmark}


def _check_sectors(symbols: Iterable[str], sectors: Mapping[str, str]) -> None:
    missing = sorted(symbol for symbol in symbols if not sectors.get(symbol))
    if missing:
        raise InputError(
            f"No sector is given for {', '.join(missing)}, so no score inside a sector can be "
            "computed. Nothing was built. Add them to the sectors file, or take them out of the "
            "profile's universe.",
            code=ReasonCode.VALUE_MALFORMED,
            symbol=missing[0],
        )


def _check_volumes(floors: _Floors, frames: Iterable[BarFrame], profile: str) -> None:
    if floors.adv20_usd > 0 and all(frame.volume is None for frame in frames):
        raise InputError(
            f"{profile} asks for a daily turnover of {floors.adv20_usd:,.0f} USD, and no price "
            "comes with a volume, so no stock could be ranked. Nothing was built; the last "
            "published snapshot stays. Give prices with volumes, or set min_adv20_usd to 0 in the "
            "profile's configuration.",
            code=ReasonCode.HISTORY_MISSING,
        )


def _checked_benchmark(symbol: str, prices: Mapping[str, BarFrame], as_of: date) -> BarFrame:
    frame = prices[symbol].until(as_of) if symbol in prices else None
    if not frame:
        raise _no_benchmark(ReasonCode.HISTORY_MISSING, symbol, f"has no price up to {as_of}")
    if frame.last_session != as_of:
        raise _no_benchmark(
            ReasonCode.HISTORY_STALE, symbol, f"ends at {frame.last_session}, not at {as_of}"
        )
    if len(frame) < MIN_CLOSES:
        raise _no_benchmark(
            ReasonCode.HISTORY_SHORT, symbol, f"has {len(frame)} of the {MIN_CLOSES} closes needed"
        )
    return frame


def _no_benchmark(code: ReasonCode, symbol: str, what: str) -> InputError:
    return InputError(
        f"The benchmark {symbol} {what}, and nothing can be ranked without it. Nothing was built; "
        "the last published snapshot stays. Check the price source and the session.",
        code=code,
        symbol=symbol,
    )


def _fault(symbol: str, frame: BarFrame | None, benchmark: BarFrame) -> Exclusion | None:
    """Say why `symbol` cannot have a row; the benchmark's sessions are the yardstick."""
    if frame is None or len(frame) == 0:
        return Exclusion(symbol, ReasonCode.HISTORY_MISSING, "no price up to the snapshot's date")
    if frame.adjustment is not benchmark.adjustment:
        raise _two_adjustments(frame, benchmark)
    if frame.last_session != benchmark.last_session:
        return Exclusion(symbol, ReasonCode.HISTORY_STALE, f"last price on {frame.last_session}")
    count = min(len(frame), MIN_CLOSES)
    expected, found = benchmark.days[-count:], frame.days[-count:]
    if np.array_equal(expected, found):
        return None
    gaps = np.setdiff1d(expected, frame.days, assume_unique=True)
    if len(gaps):
        return Exclusion(symbol, ReasonCode.HISTORY_SHORT, f"no price on {gaps[-1]}")
    strays = np.setdiff1d(found, expected, assume_unique=True)  # every look-back would be off
    return Exclusion(
        symbol, ReasonCode.BAR_INVALID, f"a price on {strays[-1]}, when {benchmark.symbol} has none"
    )


def _two_adjustments(frame: BarFrame, benchmark: BarFrame) -> InputError:
    return InputError(
        f"{frame.symbol} has {frame.adjustment.value} prices and {benchmark.symbol} "
        f"{benchmark.adjustment.value} ones: their features cannot be compared. Nothing was "
        "built. Read all prices with one adjustment.",
        code=ReasonCode.BAR_INVALID,
        symbol=frame.symbol,
    )
