"""Moves of a price that no trading made: splits that somebody forgot to adjust for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from us_equity_snapshot_pipelines._panel import Window

_RATIOS: Final = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 1.5)
_LEAST: Final = 1.45  # a smaller move is too common a day to ask about
_TOLERANCE: Final = 0.04  # the day's own return on top of the split


@dataclass(frozen=True, slots=True)
class SuspectedSplit:
    """A move of a price over one session that looks like a split.

    `ratio` is new shares for each old one: above 1 in a split, below in a reverse split.
    """

    symbol: str
    session: date
    ratio: float

    @property
    def words(self) -> str:
        """The suspicion as part of a sentence."""
        times = max(self.ratio, 1 / self.ratio)
        kind = "split" if self.ratio > 1 else "reverse split"
        return f"what looks like a {times:g}-for-1 {kind} on {self.session}"


def suspected_splits(window: Window) -> Iterator[SuspectedSplit]:
    """Yield the latest suspected split of each symbol, in the order of the rows."""
    moves = window.close[:, :-1] / window.close[:, 1:]  # NaN next to a gap compares as False
    rows, columns = np.nonzero((moves >= _LEAST) | (moves <= 1 / _LEAST))
    latest = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    for row, column in latest.items():
        ratio = _nearest(float(moves[row, column]))
        if ratio is not None:
            day: date = window.days[column + 1].item()
            yield SuspectedSplit(window.symbols[row], day, ratio)


def _nearest(move: float) -> float | None:
    for ratio in _RATIOS:
        for candidate in (ratio, 1 / ratio):
            if abs(move / candidate - 1) <= _TOLERANCE:
                return candidate
    return None
