"""A made-up market for the charts: one seeded path for every symbol that a profile names.

Nothing in it is a quotation. Each symbol of the real world has a stand-in called ``SIM_`` and its
name, so that nobody takes a chart for a record of the fund. The paths share one script of bull
markets, falls and recoveries; leveraged, cash-like and inverse instruments follow their kind.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, xnys

Floats: TypeAlias = NDArray[np.float64]

PREFIX: Final = "SIM_"
FIRST, LAST = date(2013, 1, 2), date(2022, 12, 30)
_YEAR: Final = 252.0

# Sessions, yearly drift and yearly deviation of the market in each act of the script.
_SCRIPT: Final = (
    (680, 0.15, 0.11),
    (45, -0.75, 0.24),
    (330, 0.20, 0.11),
    (190, -0.02, 0.15),
    (28, -3.30, 0.55),
    (170, 0.60, 0.22),
    (420, 0.15, 0.12),
    (240, -0.30, 0.23),
    (1000, 0.14, 0.13),
)
_MOODS: Final = 90  # sessions that a symbol's own drift lasts
_FIRST_CLOSE_USD: Final = 100.0
_TURNOVER_USD: Final = 4e8


@dataclass(frozen=True, slots=True)
class _Kind:
    """What moves an instrument: yearly figures, and how much of which other one it follows."""

    drift: float = 0.0
    noise: float = 0.0
    follows: str = "MARKET"
    times: float = 1.0
    mood: float = 0.0


_CASH: Final = _Kind(drift=0.02, noise=0.001, times=0.0)
_KINDS: Final[Mapping[str, _Kind]] = {
    **dict.fromkeys(("SPY", "VOO", "SPLG"), _Kind()),
    "QQQ": _Kind(drift=0.02, noise=0.07, times=1.15),
    "QQQM": _Kind(follows="QQQ"),
    "TQQQ": _Kind(follows="QQQ", times=3.0, drift=-0.04),
    "SOXX": _Kind(noise=0.16, times=1.4, mood=0.25),
    "SOXL": _Kind(follows="SOXX", times=3.0, drift=-0.05),
    "QQQI": _Kind(follows="QQQ", times=0.7),
    "SPYI": _Kind(follows="SPY", times=0.7),
    **dict.fromkeys(("BIL", "BOXX", "SGOV"), _CASH),
    "AGG": _Kind(drift=0.03, noise=0.04, times=-0.05, mood=0.04),
    "EFA": _Kind(noise=0.06, times=0.95, mood=0.06),
    "EEM": _Kind(noise=0.10, times=1.05, mood=0.12),
    "VIXY": _Kind(drift=0.08, noise=0.30, times=-2.0),
    **dict.fromkeys(("GLD", "SLV", "USO", "DBA"), _Kind(noise=0.17, times=0.15, mood=0.12)),
}
_OTHER: Final = _Kind(drift=0.01, noise=0.17, times=0.95, mood=0.12)

SECTORS: Final[Mapping[str, str]] = {
    f"{code}{number}": sector
    for code, sector, count in (
        ("TECH", "Information Technology", 10),
        ("COMM", "Communication", 6),
        ("HLTH", "Health Care", 5),
        ("FINL", "Financials", 5),
        ("INDU", "Industrials", 5),
        ("CONS", "Consumer Staples", 5),
    )
    for number in range(1, count + 1)
}
"""Companies of the made-up market, by sector; for a profile whose universe the operator names."""


def bars(stand_in: str) -> BarFrame:
    """Return the daily bars of the stand-in ``SIM_...`` of a symbol, all sessions of the market.

    Adjusted for splits and dividends by construction: there are none.
    """
    name = stand_in.removeprefix(PREFIX)
    closes = _FIRST_CLOSE_USD * np.exp(np.cumsum(_steps(name)))
    wiggle = _noise(f"{name} range", 0.004 * math.sqrt(_YEAR))
    opens = np.concatenate((closes[:1], closes[:-1])) * np.exp(0.3 * wiggle)
    spread = np.exp(np.abs(wiggle))
    return BarFrame(
        symbol=stand_in,
        sessions=_sessions(),
        open=opens,
        high=np.maximum(opens, closes) * spread,
        low=np.minimum(opens, closes) / spread,
        close=closes,
        volume=np.floor(_TURNOVER_USD / closes),
        adjustment=Adjustment.TOTAL_RETURN,
    )


@cache
def _sessions() -> tuple[date, ...]:
    return xnys().sessions(FIRST, LAST)


@cache
def _steps(name: str) -> Floats:
    """Return the daily log returns of a symbol."""
    if name == "MARKET":
        return _market_steps()
    kind = _KINDS.get(name, _OTHER)
    simple = kind.times * np.expm1(_steps(kind.follows)) if kind.times else 0.0
    own = kind.drift / _YEAR + _noise(name, kind.noise) + _moods(name, kind.mood)
    steps: Floats = np.log1p(np.maximum(simple, -0.9)) + own
    return steps


def _market_steps() -> Floats:
    drifts = [drift / _YEAR for count, drift, _ in _SCRIPT for _ in range(count)]
    deviations = [deviation for count, _, deviation in _SCRIPT for _ in range(count)]
    count = len(_sessions())
    steps: Floats = np.array(drifts[:count]) + _noise("MARKET", 1.0) * deviations[:count]
    return steps


@cache
def _noise(name: str, deviation: float) -> Floats:
    # The standard library's generator: its numbers are the same under every version of NumPy.
    draw = random.Random(f"noise {name}")  # noqa: S311 (no secret)
    count = len(_sessions())
    scale = deviation / math.sqrt(_YEAR)
    return np.fromiter((draw.gauss(0.0, scale) for _ in range(count)), np.float64, count)


def _moods(name: str, deviation: float) -> Floats:
    """Return drifts that last a while, so that leaders change."""
    draw = random.Random(f"mood {name}")  # noqa: S311 (no secret)
    count = len(_sessions())
    levels = [draw.gauss(0.0, deviation) / _YEAR for _ in range(count // _MOODS + 1)]
    return np.repeat(levels, _MOODS)[:count]
