"""The same situation, changed in one way: what cards compare a strategy's answers on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, TypeVar

import numpy as np

from quant_platform_kit.contracts import FeatureRow, FeatureSnapshot
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import StrategyContext
from quant_platform_kit.testing._strategy_inputs import Days, Floats

OLDER_SESSIONS: Final = 120
"""Sessions that `with_past` puts before every history."""

_LATER_SESSIONS: Final = 4
_PRICES: Final = ("open", "high", "low", "close")
_COLUMNS: Final = (*_PRICES, "volume")

V = TypeVar("V")

# ── Histories ──────────────────────────────────────────────────────────────────────────


def with_frame(context: StrategyContext, frame: BarFrame) -> StrategyContext:
    """Return the context with another history of one symbol, in the same place."""
    return replace(context, history={**context.history, frame.symbol: frame})


def without_symbol(context: StrategyContext, symbol: str) -> StrategyContext:
    """Return the context without the history of one symbol."""
    return replace(context, history={s: f for s, f in context.history.items() if s != symbol})


def without_column(frame: BarFrame, column: str) -> BarFrame:
    """Return the frame as a source without `column` sends it."""
    kept = {name: values for name, values in _columns(frame).items() if name != column}
    return _frame(frame, frame.days, kept)


def with_future(context: StrategyContext) -> StrategyContext:
    """Return the context with prices of its own session and later ones, at thrice and a third."""
    last = context.calendar.offset(context.session, _LATER_SESSIONS)
    longer = {}
    for symbol, frame in context.history.items():
        days = context.calendar.sessions(context.calendar.next(frame.last_session), last)
        factors = np.array([3.0 if number % 2 else 1 / 3 for number in range(len(days))])
        longer[symbol] = _joined(frame, days, factors, after=True)
    return replace(context, history=longer)


def with_past(context: StrategyContext) -> StrategyContext:
    """Return the context with older prices: each symbol's own first steps, further back."""
    longer = {}
    for symbol, frame in context.history.items():
        last = context.calendar.previous(frame.first_session)
        days = context.calendar.sessions(context.calendar.offset(last, 1 - OLDER_SESSIONS), last)
        steps = np.resize(np.diff(np.log(frame.close))[:OLDER_SESSIONS], OLDER_SESSIONS)
        longer[symbol] = _joined(frame, days, np.exp(-np.cumsum(steps))[::-1], after=False)
    return replace(context, history=longer)


def rescaled(context: StrategyContext) -> StrategyContext:
    """Return the context with each symbol's prices times a power of two, which is exact."""
    scaled = {}
    for number, (symbol, frame) in enumerate(context.history.items()):
        factor = 2.0 ** (number % 5 - 2)
        columns = {
            name: values * factor if name in _PRICES else values
            for name, values in _columns(frame).items()
        }
        scaled[symbol] = _frame(frame, frame.days, columns)
    return replace(context, history=scaled)


# ── Snapshots ──────────────────────────────────────────────────────────────────────────


def dated(context: StrategyContext, snapshot: FeatureSnapshot, as_of: date) -> StrategyContext:
    """Return the context with its snapshot's features, published for another session."""
    manifest = replace(snapshot.manifest, as_of=as_of)
    return replace(context, snapshot=replace(snapshot, manifest=manifest))


def without_snapshot(context: StrategyContext) -> StrategyContext:
    """Return the context of a snapshot that was not published."""
    return replace(context, snapshot=None)


def without_row(
    context: StrategyContext, snapshot: FeatureSnapshot, row: FeatureRow
) -> StrategyContext:
    """Return the context with a row less in its snapshot."""
    return _with_rows(context, snapshot, [other for other in snapshot.rows if other is not row])


def without_feature(
    context: StrategyContext, snapshot: FeatureSnapshot, row: FeatureRow, feature: str
) -> StrategyContext:
    """Return the context with one feature of one row undefined."""
    broken = replace(row, features={**row.features, feature: math.nan})
    rows = [broken if other is row else other for other in snapshot.rows]
    return _with_rows(context, snapshot, rows)


def _with_rows(
    context: StrategyContext, snapshot: FeatureSnapshot, rows: Sequence[FeatureRow]
) -> StrategyContext:
    manifest = replace(snapshot.manifest, row_count=len(rows))
    return replace(context, snapshot=FeatureSnapshot(manifest, tuple(rows)))


# ── Sleeves ────────────────────────────────────────────────────────────────────────────


def without_value(context: StrategyContext, symbol: str) -> StrategyContext:
    """Return the context whose sleeve holds `symbol` at an unknown price."""
    sleeve = context.sleeve
    values = {other: value for other, value in sleeve.values_usd.items() if other != symbol}
    return replace(context, sleeve=replace(sleeve, values_usd=values))


# ── Orders ─────────────────────────────────────────────────────────────────────────────


def reordered(context: StrategyContext) -> dict[str, StrategyContext]:
    """Return the context with its inputs in other orders, by the name of the order."""
    sleeve, snapshot = context.sleeve, context.snapshot
    holdings = replace(
        sleeve,
        quantities=_reversed(sleeve.quantities),
        values_usd=_reversed(sleeve.values_usd),
    )
    orders = {
        "histories in reverse order": replace(context, history=_reversed(context.history)),
        "holdings in reverse order": replace(context, sleeve=holdings),
    }
    if snapshot is not None:
        rows = [replace(row, features=_reversed(row.features)) for row in snapshot.rows]
        orders["rows in reverse order"] = _with_rows(context, snapshot, rows[::-1])
        orders["every second row first"] = _with_rows(context, snapshot, rows[::2] + rows[1::2])
    return orders


def _reversed(mapping: Mapping[str, V]) -> dict[str, V]:
    return dict(reversed(list(mapping.items())))


def _columns(frame: BarFrame) -> dict[str, Floats]:
    columns: dict[str, Floats | None] = {name: getattr(frame, name) for name in _COLUMNS}
    return {name: values for name, values in columns.items() if values is not None}


def _joined(frame: BarFrame, days: Sequence[date], factors: Floats, *, after: bool) -> BarFrame:
    """Return the frame with bars on one side: its bar on that side, times `factors`."""
    edge = -1 if after else 0
    new = np.array(days, dtype=frame.days.dtype)
    sessions = (frame.days, new) if after else (new, frame.days)
    columns = {
        name: np.concatenate((old, old[edge] * factors) if after else (old[edge] * factors, old))
        for name, old in _columns(frame).items()
    }
    return _frame(frame, np.concatenate(sessions), columns)


def _frame(like: BarFrame, days: Days, columns: Mapping[str, Floats]) -> BarFrame:
    return BarFrame(symbol=like.symbol, sessions=days, adjustment=like.adjustment, **columns)
