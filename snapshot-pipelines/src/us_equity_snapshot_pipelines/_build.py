"""From prices to the rows of one snapshot. Pure: same inputs, same rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quant_platform_kit.contracts import Adjustment, FeatureRow, digest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines._features import (
    ADV20_USD,
    ELIGIBLE,
    FEATURES,
    KEYS,
    Prices,
    compute,
)
from us_equity_snapshot_pipelines._panel import WINDOW, Floats, PricePanel, Window
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._splits import suspected_splits
from us_equity_snapshot_pipelines._universe import Universe

Mask = NDArray[np.bool_]


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
    contract, profile, config_sha256, config_name : str
        What the snapshot is for, from the strategy.
    as_of : date
        Session whose closes the features end with.
    adjustment : Adjustment
        What the prices behind the features were adjusted for.
    columns : tuple of str
        The header: ``symbol``, ``sector``, ``price_date``, ``eligible``, then the declared
        features.
    rows : tuple of FeatureRow
        Sorted by symbol; the benchmark's row is one of them.
    excluded : tuple of Exclusion
        Sorted by symbol.
    outside : tuple of str
        Stocks with a row that were no candidates on `as_of`: never eligible, but one that is held
        can still be judged, and sold.
    sources : mapping of str to str
        SHA-256 of the ``prices`` and ``sectors`` that were used.
    """

    contract: str
    profile: str
    config_sha256: str
    config_name: str
    as_of: date
    adjustment: Adjustment
    columns: tuple[str, ...]
    rows: tuple[FeatureRow, ...]
    excluded: tuple[Exclusion, ...]
    outside: tuple[str, ...]
    sources: Mapping[str, str]


def build_snapshot(
    strategy: Strategy,
    prices: Mapping[str, BarFrame],
    universe: Universe | Mapping[str, str],
    as_of: date,
    *,
    config_name: str = "default",
    min_close_usd: float | None = None,
) -> BuiltSnapshot:
    """Compute the features that `strategy` declares, at the close of `as_of`.

    The rows are the strategy's managed symbols without its safe haven, and its benchmark. Prices
    after `as_of` are cut off first, so nothing later than the snapshot's date can be in it. A row
    is ``eligible`` (1.0, else 0.0) when the symbol was a candidate on `as_of`, with at least 274
    closes, a close above 10 USD and every feature defined, and with the daily turnover that the
    profile asks for; a profile whose configuration names other floors (``min_history_days``,
    ``min_close_usd``, ``min_adv20_usd``) has those. The benchmark never is eligible.

    Parameters
    ----------
    strategy : Strategy
        A snapshot-backed profile under its configuration.
    prices : mapping of str to BarFrame
        Daily bars by symbol, all with the same adjustment; symbols outside the universe are
        ignored. Volumes, where there are any, fit the closes: their product is the dollars traded.
    universe : Universe, or mapping of str to str
        The candidates over time; or the sector of each stock, when every one has always been a
        candidate. The benchmark needs no entry.
    as_of : date
        The session whose closes the features end with.
    config_name : str
        What people call the configuration.
    min_close_usd : float, optional
        Replaces the profile's floor for the close.

    Raises
    ------
    ContractError
        When the profile declares no snapshot, or a column that no pipeline computes.
    InputError
        When no stock is a candidate on `as_of`, a benchmark cannot be computed, adjustments differ,
        a symbol has no sector, or a turnover is asked for and no price has a volume. A single
        symbol without usable prices is excluded instead.
    """
    recipe = Recipe.of(strategy, config_name=config_name, min_close_usd=min_close_usd)
    if isinstance(universe, Universe):
        known = universe
    else:
        known = Universe.of_sectors({symbol: universe.get(symbol, "") for symbol in recipe.stocks})
    return build_rows(recipe, lay_out(recipe, prices, as_of, as_of), known, as_of)


def lay_out(recipe: Recipe, prices: Mapping[str, BarFrame], first: date, last: date) -> PricePanel:
    """Return the panel for snapshots of `recipe` from `first` to `last`, benchmarks checked.

    Raises
    ------
    InputError
        When a benchmark has not the prices it needs, adjustments differ, or a turnover is asked
        for and no price has a volume.
    """
    for symbol in recipe.benchmarks:
        _check_benchmark(symbol, prices, first, last)
    panel = PricePanel.of(prices, recipe.symbols, prices[recipe.benchmark], first, last)
    if recipe.min_adv20_usd > 0 and panel.volume is None:
        raise InputError(
            f"{recipe.profile} asks for a daily turnover of {recipe.min_adv20_usd:,.0f} USD, and "
            "no price comes with a volume, so no stock could be ranked. Nothing was built; the "
            "last published snapshot stays. Give prices with volumes, or set min_adv20_usd to 0 "
            "in the profile's configuration.",
            code=ReasonCode.HISTORY_MISSING,
        )
    return panel


def build_rows(recipe: Recipe, panel: PricePanel, universe: Universe, as_of: date) -> BuiltSnapshot:
    """Compute one snapshot from a panel that `lay_out` made."""
    window = panel.at(as_of)
    known, members = universe.known(as_of), universe.members(as_of)
    candidates = members & frozenset(recipe.stocks)
    if not candidates:
        raise _no_candidate(recipe, as_of)
    sectors = universe.sectors(recipe.stocks, as_of)
    if recipe.by_sector:
        coming = universe.symbols - known
        _check_sectors([s for s in recipe.stocks if s not in coming], sectors)
    broad = recipe.broad_benchmark
    prices = Prices(
        window, window.row(recipe.benchmark), None if broad is None else window.row(broad)
    )
    cells = compute(recipe.features, prices)
    is_candidate = np.array([symbol in candidates for symbol in window.symbols])
    eligible = is_candidate & _reaches_floors(recipe, prices, cells)
    excluded = {e.symbol: e for e in _exclusions(recipe, panel, window, known)}
    table = _plain([eligible.astype(np.float64), *cells.values()])
    names = (ELIGIBLE, *recipe.features)
    shown = frozenset((*recipe.stocks, recipe.benchmark))
    rows = tuple(
        FeatureRow(symbol, sectors.get(symbol, ""), dict(zip(names, values, strict=True)), as_of)
        for symbol, values in zip(window.symbols, table, strict=True)
        if symbol in shown and symbol not in excluded
    )
    return BuiltSnapshot(
        contract=recipe.contract,
        profile=recipe.profile,
        config_sha256=recipe.config_sha256,
        config_name=recipe.config_name,
        as_of=as_of,
        adjustment=panel.adjustment,
        columns=(*KEYS, *names),
        rows=rows,
        excluded=tuple(excluded[symbol] for symbol in sorted(excluded)),
        outside=tuple(
            row.symbol
            for row in rows
            if row.symbol != recipe.benchmark and row.symbol not in members
        ),
        sources={
            "prices": window.fingerprint(),
            "universe": digest({"members": sorted(members & shown), "sectors": sectors}),
        },
    )


def _plain(columns: Sequence[Floats]) -> list[list[float]]:
    """Return the rows of a table; NaN is one object, so that equal rows compare as equal."""
    cells = np.stack(columns, axis=1).astype(object)
    cells[np.isnan(cells.astype(np.float64))] = math.nan
    rows: list[list[float]] = cells.tolist()
    return rows


def _reaches_floors(recipe: Recipe, prices: Prices, cells: Mapping[str, Floats]) -> Mask:
    window = prices.window
    able: Mask = (window.history >= recipe.min_closes) & (
        window.close[:, -1] > recipe.min_close_usd
    )
    if recipe.min_adv20_usd > 0:
        able &= FEATURES[ADV20_USD](prices) >= recipe.min_adv20_usd
    for name, column in cells.items():
        if name != ADV20_USD:  # where no turnover is asked for, prices without volumes will do
            able &= np.isfinite(column)
    return able


def _exclusions(
    recipe: Recipe, panel: PricePanel, window: Window, known: frozenset[str]
) -> Iterable[Exclusion]:
    stocks = frozenset(recipe.stocks)
    for symbol in stocks - known:
        yield Exclusion(symbol, ReasonCode.HISTORY_MISSING, "no candidate up to the date")
    for row in window.suspects().tolist():
        symbol, fault = window.symbols[row], window.fault(row)
        if fault is not None and symbol in stocks:
            yield Exclusion(symbol, *fault)
    if panel.adjustment is not Adjustment.RAW:
        return
    for split in suspected_splits(window):
        if split.symbol in stocks:
            yield Exclusion(split.symbol, ReasonCode.BAR_INVALID, split.words)


def _check_sectors(symbols: Iterable[str], sectors: Mapping[str, str]) -> None:
    missing = [symbol for symbol in symbols if symbol not in sectors]
    if missing:
        raise InputError(
            f"No sector is given for {', '.join(missing)}, so no score inside a sector can be "
            "computed. Nothing was built. Add them to the universe file, or take them out of the "
            "profile's universe.",
            code=ReasonCode.VALUE_MALFORMED,
            symbol=missing[0],
        )


def _check_benchmark(symbol: str, prices: Mapping[str, BarFrame], first: date, last: date) -> None:
    frame = prices[symbol].until(last) if symbol in prices else None
    if not frame:
        raise _no_benchmark(ReasonCode.HISTORY_MISSING, symbol, f"has no price up to {last}")
    if frame.last_session != last:
        raise _no_benchmark(
            ReasonCode.HISTORY_STALE, symbol, f"ends at {frame.last_session}, not at {last}"
        )
    closes = len(frame.until(first))
    if closes < WINDOW:
        raise _no_benchmark(
            ReasonCode.HISTORY_SHORT,
            symbol,
            f"has {closes} of the {WINDOW} closes needed by {first}",
        )


def _no_candidate(recipe: Recipe, as_of: date) -> InputError:
    return InputError(
        f"The universe has no stock of {recipe.profile} as a candidate on {as_of}, so there is "
        "nothing to rank. Nothing was built; the last published snapshot stays. Check the universe "
        "file, its dates and the profile's configuration.",
        code=ReasonCode.HISTORY_MISSING,
    )


def _no_benchmark(code: ReasonCode, symbol: str, what: str) -> InputError:
    return InputError(
        f"The benchmark {symbol} {what}, and nothing can be ranked without it. Nothing was built; "
        "the last published snapshot stays. Check the price source and the session.",
        code=code,
        symbol=symbol,
    )
