"""Inputs made up from a manifest: seeded price paths, features computed on them, sleeves.

Nothing here is a market: the paths exist to bring a rule into its corners. Same manifest, same
inputs, in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quant_platform_kit.contracts import (
    Adjustment,
    FeatureRow,
    FeatureSnapshot,
    HistoryInput,
    SnapshotInput,
    SnapshotManifest,
    StrategyManifest,
    digest,
)
from quant_platform_kit.market import BarFrame, indicators, xnys
from quant_platform_kit.strategy import SleeveView, Strategy, StrategyContext

Floats: TypeAlias = NDArray[np.float64]
"""One number per session, ascending by session."""

Days: TypeAlias = NDArray[np.datetime64]
"""Session dates with the unit of a day, ascending."""

SESSIONS: Final[Mapping[str, date]] = {
    "the quarter's last session": date(2021, 6, 30),
    "the month's last session": date(2021, 5, 28),
    "an ordinary session": date(2021, 5, 12),
    "the 25th": date(2021, 5, 25),
    "the month's first session": date(2021, 7, 1),
}
"""One session for each kind of day that a calendar rule may ask about."""

_FEATURE_SESSIONS: Final = 400  # the longest feature reads 274
_SECTORS: Final = ("Information Technology", "Communication", "Health Care")
_CENT: Final = Decimal("0.01")
_PER_SYMBOL: Final = 2e-4  # drift by which one symbol outruns the one before it

_Path = Callable[[int, "np.random.Generator", int], Floats]
"""Daily log returns: how many, from which generator, of the symbol with which number."""


def _rise(count: int, noise: np.random.Generator, number: int) -> Floats:
    return 0.0008 + _PER_SYMBOL * (number % 5) + 0.006 * noise.standard_normal(count)


def _fall(count: int, noise: np.random.Generator, number: int) -> Floats:
    return -_rise(count, noise, number)


def _crash(count: int, noise: np.random.Generator, number: int) -> Floats:
    steps = _rise(count, noise, number)
    steps[-15:] = -0.04
    return steps


def _jump(count: int, noise: np.random.Generator, number: int) -> Floats:
    steps = _fall(count, noise, number)
    steps[-2:] = 0.25
    return steps


def _flat(count: int, _noise: np.random.Generator, _number: int) -> Floats:
    return np.zeros(count)


def _mixed(count: int, noise: np.random.Generator, number: int) -> Floats:
    drift = 0.001 if number % 2 else -0.001
    return drift + 0.02 * noise.standard_normal(count)


PATHS: Final[Mapping[str, _Path]] = {
    "rise": _rise,
    "fall": _fall,
    "crash": _crash,
    "jump": _jump,
    "flat": _flat,
    "mixed": _mixed,
}
"""Shapes of price paths, by name."""


@dataclass(frozen=True, slots=True)
class _Funding:
    """How a case's sleeve is filled: with every `stride`-th managed symbol, or none at 0."""

    name: str
    equity_usd: Decimal
    stride: int


_FUNDINGS: Final = (
    _Funding("in cash", Decimal(60_000), 0),
    _Funding("holding everything", Decimal(250_000), 1),
    _Funding("small", Decimal(8_000), 3),
    _Funding("holding half", Decimal(120_000), 2),
)


@dataclass(frozen=True, slots=True)
class StrategyCase:
    """One situation that a strategy is asked about, and what to call it in a message."""

    name: str
    context: StrategyContext


def make_cases(strategy: Strategy, rows: Sequence[str] = ()) -> tuple[StrategyCase, ...]:
    """Return thirty situations for a strategy: every path on every kind of session.

    Parameters
    ----------
    strategy : Strategy
    rows : sequence of str
        Symbols that a snapshot needs a row of, besides the managed ones and the benchmark.
    """
    return tuple(
        _case(strategy, rows, path, day, _FUNDINGS[(i + j) % len(_FUNDINGS)])
        for i, path in enumerate(PATHS)
        for j, day in enumerate(SESSIONS)
    )


def _case(
    strategy: Strategy, rows: Sequence[str], path: str, day: str, funding: _Funding
) -> StrategyCase:
    manifest, session = strategy.manifest, SESSIONS[day]
    symbols = _symbols(manifest, rows)
    count = max(_FEATURE_SESSIONS, manifest.history.sessions if manifest.history else 0)
    closes = {
        symbol: _closes(PATHS[path], path, day, number, count)
        for number, symbol in enumerate(symbols)
    }
    context = StrategyContext(
        session=session,
        calendar=xnys(),
        history=_history(manifest.history, closes, session),
        snapshot=_snapshot(strategy, manifest.snapshot, closes, rows, session),
        sleeve=_sleeve(manifest, closes, funding),
        config=strategy.config,
    )
    return StrategyCase(f"{path}, {day}, {funding.name}", context)


def _symbols(manifest: StrategyManifest, rows: Sequence[str]) -> tuple[str, ...]:
    declared = manifest.history.symbols if manifest.history else ()
    return tuple(dict.fromkeys((*declared, manifest.benchmark, *rows, *manifest.managed)))


def _closes(path: _Path, name: str, day: str, number: int, count: int) -> Floats:
    seed = int(digest({"path": name, "day": day, "number": number})[:16], 16)
    steps = path(count, np.random.default_rng(seed), number)
    start = 60.0 + 7.0 * (number % 20)
    closes: Floats = start * np.exp(np.cumsum(steps))
    return closes


# ── History ────────────────────────────────────────────────────────────────────────────


def _history(
    need: HistoryInput | None, closes: Mapping[str, Floats], session: date
) -> dict[str, BarFrame]:
    if need is None:
        return {}
    calendar = xnys()
    last = calendar.previous(session)
    days = calendar.sessions(calendar.offset(last, 1 - need.sessions), last)
    return {
        symbol: BarFrame(
            symbol=symbol,
            sessions=days,
            adjustment=need.adjustment,
            **_columns(closes[symbol][-need.sessions :], need.columns),
        )
        for symbol in need.symbols
    }


def _columns(closes: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """Return the declared columns of bars with these closes; a flat path has flat bars."""
    opens = np.concatenate((closes[:1], closes[:-1]))
    spread = 0.25 * np.abs(closes - opens)
    bars = {
        "open": opens,
        "high": np.maximum(opens, closes) + spread,
        "low": np.minimum(opens, closes) - spread,
        "close": closes,
        "volume": np.full(len(closes), 2e6),
    }
    return {name: bars[name] for name in names}


# ── Snapshot ───────────────────────────────────────────────────────────────────────────


def _snapshot(
    strategy: Strategy,
    need: SnapshotInput | None,
    closes: Mapping[str, Floats],
    rows: Sequence[str],
    session: date,
) -> FeatureSnapshot | None:
    if need is None:
        return None
    manifest = strategy.manifest
    ranked = [symbol for symbol in manifest.managed if symbol != manifest.safe_haven]
    symbols = tuple(dict.fromkeys((manifest.benchmark, *rows, *ranked)))
    names = [name for name in need.columns if name not in ("symbol", "sector")]
    table = tuple(
        FeatureRow(
            symbol,
            _SECTORS[number % len(_SECTORS)],
            {
                name: _feature(name, closes[symbol], closes[manifest.benchmark], number)
                for name in names
            },
        )
        for number, symbol in enumerate(symbols)
    )
    return FeatureSnapshot(_vouch(strategy, need, table, session), table)


def _vouch(
    strategy: Strategy, need: SnapshotInput, table: Sequence[FeatureRow], session: date
) -> SnapshotManifest:
    as_of = xnys().previous(session)
    return SnapshotManifest(
        contract=need.contract,
        profile=strategy.manifest.profile,
        version="generated",
        as_of=as_of,
        snapshot_file="snapshot.csv",
        snapshot_sha256=digest([f"{row}" for row in table]),
        row_count=len(table),
        columns=tuple(dict.fromkeys(("symbol", "sector", *need.columns))),
        config_sha256=strategy.config_sha256,
        adjustment=Adjustment.TOTAL_RETURN,
        generated_at=datetime.combine(as_of, time(22), UTC),
        code_version="0",
        sources={},
    )


def _feature(name: str, closes: Floats, benchmark: Floats, number: int) -> float:
    """Return a declared column: computed where the kit defines it, else a number of the row's."""
    if name in indicators.CLOSE_FEATURES:
        return indicators.CLOSE_FEATURES[name](closes)
    if name.startswith("rel_mom_6m"):
        return indicators.mom_6m(closes) - indicators.mom_6m(benchmark)
    plain = {
        "close": float(closes[-1]),
        "adv20_usd": 4e8 + 1e7 * number,
        "history_days": float(len(closes)),
        "eligible": 1.0,
    }
    return plain.get(name, 0.01 * ((7 * number + len(name)) % 11 - 5))


# ── Sleeve ─────────────────────────────────────────────────────────────────────────────


def _sleeve(
    manifest: StrategyManifest, closes: Mapping[str, Floats], funding: _Funding
) -> SleeveView:
    held = manifest.managed[:: funding.stride] if funding.stride else ()
    share = funding.equity_usd * Decimal("0.9") / len(held) if held else Decimal(0)
    quantities: dict[str, Decimal] = {}
    values: dict[str, Decimal] = {}
    for symbol in held:
        price = Decimal(f"{closes[symbol][-1]:.2f}")
        quantities[symbol] = max(Decimal(1), share // price)
        values[symbol] = (quantities[symbol] * price).quantize(_CENT)
    cash = max(Decimal(1000), funding.equity_usd - sum(values.values(), Decimal(0)))
    equity = cash + sum(values.values(), Decimal(0))
    return SleeveView(quantities, values, cash, equity)
