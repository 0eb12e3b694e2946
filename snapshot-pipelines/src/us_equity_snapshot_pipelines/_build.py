"""From prices to the rows of one snapshot. Pure: same inputs, same rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from quant_platform_kit.contracts import Adjustment, FeatureRow, SnapshotInput, digest
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.market import BarFrame, indicators
from quant_platform_kit.strategy import Strategy

MIN_CLOSES: Final = 274
"""Closes that the longest look-back, mom_12_1, needs; fewer leave a symbol ineligible."""

MIN_CLOSE_USD: Final = 10.0
"""A symbol at or below this close is ineligible."""

_KEYS: Final = ("symbol", "sector")
_ELIGIBLE: Final = "eligible"


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
    min_close_usd: float = MIN_CLOSE_USD,
) -> BuiltSnapshot:
    """Compute the features that `strategy` declares, at the close of `as_of`.

    The universe is the strategy's managed symbols without its safe haven, and its benchmark.
    Prices after `as_of` are cut off first, so nothing later than the snapshot's date can be in it.
    A row is ``eligible`` (1.0, else 0.0) with at least 274 closes, a close above `min_close_usd`
    and every feature defined; the benchmark never is.

    Parameters
    ----------
    strategy : Strategy
        A snapshot-backed profile under its configuration.
    prices : mapping of str to BarFrame
        Daily bars by symbol, all with the same adjustment; symbols outside the universe are
        ignored.
    sectors : mapping of str to str
        The sector of every symbol of the universe; the benchmark needs none.
    as_of : date
        The session whose closes the features end with.
    min_close_usd : float
        On dividend-adjusted prices this is stricter than on traded ones: they lie below them.

    Raises
    ------
    ContractError
        When the profile declares no snapshot, or a column that no pipeline computes.
    InputError
        When the universe is empty, the benchmark cannot be computed at `as_of`, adjustments
        differ, or a symbol has no sector. A single symbol without usable prices is excluded
        instead.
    """
    manifest = strategy.manifest
    need = _declared(strategy)
    features = _features(need)
    universe = _universe(strategy)
    _check_sectors(universe - {manifest.benchmark}, sectors)
    frames = {symbol: prices[symbol].until(as_of) for symbol in universe if symbol in prices}
    benchmark = _checked_benchmark(manifest.benchmark, frames, as_of)

    rows: list[FeatureRow] = []
    excluded: list[Exclusion] = []
    for symbol in sorted(universe):
        fault = _fault(symbol, frames.get(symbol), benchmark)
        if fault is not None:
            excluded.append(fault)
            continue
        values = _values(frames[symbol], features)
        able = symbol != manifest.benchmark and _is_eligible(frames[symbol], values, min_close_usd)
        rows.append(FeatureRow(symbol, sectors.get(symbol, ""), {_ELIGIBLE: float(able), **values}))
    return BuiltSnapshot(
        contract=need.contract,
        profile=manifest.profile,
        config_sha256=strategy.config_sha256,
        as_of=as_of,
        adjustment=benchmark.adjustment,
        columns=(*_KEYS, _ELIGIBLE, *features),
        rows=tuple(rows),
        excluded=tuple(excluded),
        sources={
            "prices": digest({symbol: frame.content_hash() for symbol, frame in frames.items()}),
            "sectors": digest({s: sectors[s] for s in universe if s in sectors}),
        },
    )


def _declared(strategy: Strategy) -> SnapshotInput:
    if strategy.manifest.snapshot is None:
        raise ContractError(
            f"{strategy.manifest.profile} declares no snapshot, so there is none to build"
        )
    return strategy.manifest.snapshot


def _features(need: SnapshotInput) -> tuple[str, ...]:
    features = tuple(name for name in need.columns if name not in (*_KEYS, _ELIGIBLE))
    for name in features:
        if name not in indicators.CLOSE_FEATURES:
            raise ContractError(
                f"SnapshotInput.columns of {need.contract}: no feature {name!r} is computed here; "
                f"known are {', '.join(sorted(indicators.CLOSE_FEATURES))}"
            )
    return features


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


def _checked_benchmark(symbol: str, frames: Mapping[str, BarFrame], as_of: date) -> BarFrame:
    frame = frames.get(symbol)
    if frame is None or len(frame) == 0:
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
        f"The benchmark {symbol} {what}, and no regime can be told without it. Nothing was built; "
        "the last published snapshot stays. Check the price source and the session.",
        code=code,
        symbol=symbol,
    )


def _fault(symbol: str, frame: BarFrame | None, benchmark: BarFrame) -> Exclusion | None:
    """Say why `symbol` cannot have a row; the benchmark's sessions are the yardstick."""
    if frame is None or len(frame) == 0:
        return Exclusion(symbol, ReasonCode.HISTORY_MISSING, "no price up to the snapshot's date")
    if frame.adjustment is not benchmark.adjustment:
        raise InputError(
            f"{symbol} has {frame.adjustment.value} prices and {benchmark.symbol} "
            f"{benchmark.adjustment.value} ones: their features cannot be compared. Nothing was "
            "built. Read all prices with one adjustment.",
            code=ReasonCode.BAR_INVALID,
            symbol=symbol,
        )
    if frame.last_session != benchmark.last_session:
        return Exclusion(symbol, ReasonCode.HISTORY_STALE, f"last price on {frame.last_session}")
    count = min(len(frame), MIN_CLOSES)
    gaps = np.setdiff1d(benchmark.days[-count:], frame.days)
    if len(gaps):
        return Exclusion(symbol, ReasonCode.HISTORY_SHORT, f"no price on {gaps[-1]}")
    return None


def _values(frame: BarFrame, features: Iterable[str]) -> dict[str, float]:
    return {name: indicators.CLOSE_FEATURES[name](frame.close) for name in features}


def _is_eligible(frame: BarFrame, values: Mapping[str, float], min_close_usd: float) -> bool:
    return (
        len(frame) >= MIN_CLOSES
        and float(frame.close[-1]) > min_close_usd
        and all(math.isfinite(value) for value in values.values())
    )
