"""The prices of a universe side by side: one row per symbol, one column per session."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import BarFrame

WINDOW: Final = 274
"""Closes that the longest look-back, mom_12_1, needs."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Places = NDArray[np.int32]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class PricePanel:
    """Closes and volumes of many symbols on the sessions of their benchmark.

    Parameters
    ----------
    symbols : tuple of str
        Sorted; one row each.
    days : array of datetime64
        The benchmark's sessions, ascending; one column each.
    close, volume : array of float, (symbols, sessions)
        NaN where a symbol has no price; `volume` is None when no symbol has one.
    adjustment : Adjustment
        What every price has been adjusted for.
    earlier : array of int
        Prices that each symbol has before the first column.
    strays : mapping of str to array of datetime64
        Days on which a symbol has a price and the benchmark has none.
    gaps : pair of arrays of int
        Rows and columns of the cells without a price: they are few, and every date asks for them.
    """

    symbols: tuple[str, ...]
    days: Days
    close: Floats
    volume: Floats | None
    adjustment: Adjustment
    earlier: Counts
    strays: Mapping[str, Days]
    gaps: tuple[Places, Places]

    @classmethod
    def of(
        cls,
        prices: Mapping[str, BarFrame],
        symbols: Iterable[str],
        benchmark: BarFrame,
        first: date,
        last: date,
    ) -> Self:
        """Lay out what a snapshot of every session from `first` to `last` is computed from.

        Prices after `last` are left out, so that nothing later can be in any of them.

        Raises
        ------
        InputError
            ``BAR_INVALID`` when a symbol has been adjusted for something else than the benchmark.
        """
        stop = int(np.searchsorted(benchmark.days, np.datetime64(last), side="right"))
        begin = int(np.searchsorted(benchmark.days[:stop], np.datetime64(first)))
        days = benchmark.days[max(0, begin + 1 - WINDOW) : stop]
        rows = tuple(sorted(symbols))
        close = np.full((len(rows), len(days)), np.nan)
        has_volume = any(s in prices and prices[s].volume is not None for s in rows)
        volume = np.full_like(close, np.nan) if has_volume else None
        earlier = np.zeros(len(rows), dtype=np.int64)
        strays: dict[str, Days] = {}
        for row, symbol in enumerate(rows):
            frame = prices[symbol].until(last) if symbol in prices else None
            if not frame or not len(days):
                continue
            if frame.adjustment is not benchmark.adjustment:
                raise _two_adjustments(frame, benchmark)
            start = int(np.searchsorted(frame.days, days[0]))
            earlier[row] = start
            own = frame.days[start:]
            places = np.minimum(np.searchsorted(days, own), len(days) - 1)
            fits = days[places] == own
            close[row, places[fits]] = frame.close[start:][fits]
            if volume is not None and frame.volume is not None:
                volume[row, places[fits]] = frame.volume[start:][fits]
            if not fits.all():
                strays[symbol] = own[~fits]
        gap_rows, gap_columns = np.nonzero(~np.isfinite(close))
        return cls(
            symbols=rows,
            days=days,
            close=close,
            volume=volume,
            adjustment=benchmark.adjustment,
            earlier=earlier,
            strays=strays,
            gaps=(gap_rows.astype(np.int32), gap_columns.astype(np.int32)),
        )

    def at(self, session: date) -> Window:
        """Return what is known at the close of `session`, one of the panel's days; a view."""
        stop = int(np.searchsorted(self.days, np.datetime64(session), side="right"))
        start = max(0, stop - WINDOW)
        return Window(
            symbols=self.symbols,
            days=self.days[start:stop],
            close=self.close[:, start:stop],
            volume=None if self.volume is None else self.volume[:, start:stop],
            history=self._prices_before(stop),
            strays=self.strays,
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything that windows of this panel can depend on."""
        return _fingerprint(self.symbols, self.days, self.earlier, self.close, self.volume)

    def cut(self, first: date, last: date) -> PricePanel:
        """Return the part that snapshots from `first` to `last` need: what a worker is sent.

        It is a view; another process gets a copy of the part, and no more of the panel.
        """
        stop = int(np.searchsorted(self.days, np.datetime64(last), side="right"))
        begin = int(np.searchsorted(self.days, np.datetime64(first)))
        start = max(0, begin + 1 - WINDOW)
        rows, columns = self.gaps
        kept = (columns >= start) & (columns < stop)
        return PricePanel(
            symbols=self.symbols,
            days=self.days[start:stop],
            close=self.close[:, start:stop],
            volume=None if self.volume is None else self.volume[:, start:stop],
            adjustment=self.adjustment,
            earlier=self._prices_before(start),
            strays=self.strays,
            gaps=(rows[kept], columns[kept] - np.int32(start)),
        )

    def _prices_before(self, column: int) -> Counts:
        rows, columns = self.gaps
        missing = np.bincount(rows[columns < column], minlength=len(self.symbols))
        return self.earlier + column - missing


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The last sessions of a panel up to one date, as many as the longest look-back needs.

    `history` counts all prices that each symbol had by then.
    """

    symbols: tuple[str, ...]
    days: Days
    close: Floats
    volume: Floats | None
    history: Counts
    strays: Mapping[str, Days]

    def row(self, symbol: str) -> int:
        """Return the position of `symbol`, which is one of the rows."""
        return bisect_left(self.symbols, symbol)

    def fault(self, row: int) -> tuple[ReasonCode, str] | None:
        """Say why a symbol cannot have features at the window's last session."""
        if not self.history[row]:
            return ReasonCode.HISTORY_MISSING, "no price up to the snapshot's date"
        (priced,) = np.nonzero(np.isfinite(self.close[row]))
        if not len(priced):
            return ReasonCode.HISTORY_STALE, f"no price since {self.days[0]}"
        if priced[-1] != len(self.days) - 1:
            return ReasonCode.HISTORY_STALE, f"last price on {self.days[priced[-1]]}"
        start = int(priced[0]) if self.history[row] == len(priced) else 0
        (gaps,) = np.nonzero(~np.isfinite(self.close[row, start:]))
        if len(gaps):
            return ReasonCode.HISTORY_SHORT, f"no price on {self.days[start + gaps[-1]]}"
        return self._stray(row, start)

    def suspects(self) -> NDArray[np.intp]:
        """Return the rows that `fault` has to look at: all others have every price they need."""
        priced = np.isfinite(self.close)
        count = priced.sum(axis=1)
        # Unbroken up to the last session: as many prices as sessions since the first of them.
        unbroken = (count > 0) & (count == len(self.days) - priced.argmax(axis=1))
        young_or_full = (self.history == count) | (count == len(self.days))
        sound = unbroken & young_or_full
        sound[[self.row(symbol) for symbol in self.strays]] = False
        return np.flatnonzero(~sound)

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything that features of this window can depend on."""
        return _fingerprint(self.symbols, self.days, self.history, self.close, self.volume)

    def _stray(self, row: int, start: int) -> tuple[ReasonCode, str] | None:
        strays = self.strays.get(self.symbols[row])
        if strays is None:
            return None
        inside = strays[(strays >= self.days[start]) & (strays <= self.days[-1])]
        if not len(inside):
            return None
        # Every look-back of the symbol would be off by one.
        return ReasonCode.BAR_INVALID, f"a price on {inside[-1]}, when the benchmark has none"


def _fingerprint(
    symbols: Iterable[str], days: Days, counts: Counts, close: Floats, volume: Floats | None
) -> str:
    digest = hashlib.sha256("\n".join(symbols).encode())
    digest.update(days.astype("<i8").tobytes())
    digest.update(counts.astype("<i8").tobytes())
    for values in (close, volume):
        digest.update(b"-" if values is None else values.astype("<f8").tobytes())
    return digest.hexdigest()


def _two_adjustments(frame: BarFrame, benchmark: BarFrame) -> InputError:
    return InputError(
        f"{frame.symbol} has {frame.adjustment.value} prices and {benchmark.symbol} "
        f"{benchmark.adjustment.value} ones: their features cannot be compared. Nothing was "
        "built. Read all prices with one adjustment.",
        code=ReasonCode.BAR_INVALID,
        symbol=frame.symbol,
    )
