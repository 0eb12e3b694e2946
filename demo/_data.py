"""The demo's market data: daily closes that a pinned package of the environment brings along.

The files are read where they are installed and never copied; the package's own code is not
imported.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from demo._accounts import BENCHMARK
from demo._errors import DemoError
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, ExchangeCalendar, read_wide_closes

_PACKAGE = "skfolio"
_FILES = ("sp500_dataset.csv.gz", "sp500_index.csv.gz", "factors_dataset.csv.gz")


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """Adjusted closes of every symbol, and the files they came from."""

    files: tuple[Path, ...]
    frames: Mapping[str, BarFrame]

    @property
    def setting(self) -> str:
        """The files as ``QPK_SIMULATED_MARKET`` names them."""
        return os.pathsep.join(map(str, self.files))

    @property
    def last_session(self) -> date:
        """The last session on which every symbol has a close."""
        return min(frame.last_session for frame in self.frames.values())

    def sessions(self, first: date) -> tuple[date, ...]:
        """Return the index's sessions from `first` to the last one of the data."""
        days = self.frames[BENCHMARK].sessions
        return days[days.index(first) : bisect_right(days, self.last_session)]

    def closes(self, symbol: str, days: tuple[date, ...]) -> tuple[float, ...]:
        """Return the closes of `symbol` on consecutive sessions `days`, in USD."""
        frame = self.frames[symbol].until(days[-1]).tail(len(days))
        if frame.sessions != days:
            raise DemoError(f"{symbol} lacks closes between {days[0]} and {days[-1]}.")
        return tuple(frame.close.tolist())


def open_market() -> DemoMarket:
    """Find and read the data files of the environment.

    Raises
    ------
    DemoError
        When the package that carries them is not installed, or is another edition of it.
    """
    files = _find_files()
    frames: dict[str, BarFrame] = {}
    for file in files:
        frames |= read_wide_closes(file, Adjustment.TOTAL_RETURN)
    return DemoMarket(files=files, frames=frames)


def month_ends(market: DemoMarket, calendar: ExchangeCalendar, count: int) -> tuple[date, ...]:
    """Return the last session of each of the last `count` months that the data covers whole.

    Raises
    ------
    DemoError
        When the data does not reach back that far.
    """
    first = max(frame.first_session for frame in market.frames.values())
    ends = [
        day
        for day in calendar.sessions(first, market.last_session)
        if calendar.is_last_session_of_month(day)
    ]
    # A year of history has to come before the first decision.
    possible = [day for day in ends if (day - first).days > 2 * 365]
    if not 1 <= count <= len(possible):
        raise DemoError(f"--months {count}: the data holds 1 to {len(possible)} month-ends.")
    return tuple(possible[-count:])


def _find_files() -> tuple[Path, ...]:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise DemoError(
            f"The market data is not here: it comes with the package {_PACKAGE}, which this "
            "environment lacks. Run `make install`, then `make demo`."
        )
    folder = Path(spec.origin).parent / "datasets" / "data"
    files = tuple(folder / name for name in _FILES)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DemoError(
            f"The installed {_PACKAGE} does not carry {', '.join(missing)}: it is another edition "
            "than the pinned one. Run `make clean`, then `make demo`."
        )
    return files
