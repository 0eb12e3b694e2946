"""Shapes of the report's charts: pure functions from numbers to SVG paths and axis ticks.

Every chart is drawn on a canvas of `WIDTH` x `HEIGHT` units that the page stretches to whatever
room it has; ticks are shares of that canvas, so that their labels stay text of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH = 1000.0
HEIGHT = 300.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MONTHS_A_YEAR = 12
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of an axis: its label and its place, in percent of the axis from left or top."""

    label: str
    percent: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A vertical axis from `low` at the bottom to `high` at the top, in the data's unit."""

    low: float
    high: float

    def y(self, value: float) -> float:
        """Return the canvas ordinate of `value`; 0 is the top."""
        return HEIGHT * (self.high - value) / (self.high - self.low)

    def percent(self, value: float) -> float:
        """Return the place of `value` in percent of the height from the top."""
        return round(100 * self.y(value) / HEIGHT, 3)


def nice_step(span: float, count: int) -> float:
    """Return the smallest of 1, 2, 2.5 or 5 times a power of ten that cuts `span` into `count`.

    Parameters
    ----------
    span : float
        Length to cut, above zero.
    count : int
        The most pieces wanted.
    """
    rough = span / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return magnitude * next(s for s in _STEPS if s * magnitude >= rough * (1 - 1e-9))


def nice_scale(
    values: Sequence[float], *, count: int = 5, include: float | None = None
) -> tuple[Scale, tuple[float, ...]]:
    """Return an axis around `values` that begins and ends on a tick, and its tick values.

    Parameters
    ----------
    values : sequence of float
        At least one finite number.
    count : int
        About how many steps the axis has.
    include : float, optional
        A value the axis must reach, for example zero.
    """
    reached = [*values, *(() if include is None else (include,))]
    low, high = min(reached), max(reached)
    span = high - low or abs(high) * 0.02 or 1.0
    step = nice_step(span, count)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    # Multiples of the step, not sums of it: 0.1 + 0.2 would put a label of its own on the axis.
    ticks = tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))
    return Scale(ticks[0], ticks[-1]), ticks


def abscissae(days: Sequence[date]) -> tuple[float, ...]:
    """Return the canvas abscissa of each day, proportional to the calendar."""
    first = days[0].toordinal()
    span = max(days[-1].toordinal() - first, 1)
    return tuple(round(WIDTH * (day.toordinal() - first) / span, 2) for day in days)


def line_path(xs: Sequence[float], values: Sequence[float], scale: Scale) -> str:
    """Return the path of a line through `values`."""
    points = (f"{x:g} {scale.y(v):.2f}" for x, v in zip(xs, values, strict=True))
    return "M" + "L".join(points)


def band_path(
    xs: Sequence[float], lower: Sequence[float], upper: Sequence[float], scale: Scale
) -> str:
    """Return the closed path of the area between two lines."""
    back = reversed(list(zip(xs, lower, strict=True)))
    floor = "L".join(f"{x:g} {scale.y(v):.2f}" for x, v in back)
    return f"{line_path(xs, upper, scale)}L{floor}Z"


def stacked_bands(
    xs: Sequence[float], layers: Sequence[Sequence[float]], scale: Scale
) -> tuple[str, ...]:
    """Return one closed path per layer, each standing on the ones before it.

    Parameters
    ----------
    xs : sequence of float
        Canvas abscissae.
    layers : sequence of sequence of float
        Heights at every abscissa, from the bottom layer up.
    """
    below = [0.0] * len(xs)
    paths: list[str] = []
    for layer in layers:
        above = [base + height for base, height in zip(below, layer, strict=True)]
        paths.append(band_path(xs, below, above, scale))
        below = above
    return tuple(paths)


def month_ticks(first: date, last: date, *, count: int = 9) -> tuple[Tick, ...]:
    """Return ticks on firsts of months: years where the span is long, months where it is short."""
    begins = first.year * _MONTHS_A_YEAR + first.month - 1
    ends = last.year * _MONTHS_A_YEAR + last.month - 1
    step = next((s for s in _MONTH_STEPS if (ends - begins) / s <= count), _MONTH_STEPS[-1])
    span = max((last - first).days, 1)
    ticks: list[Tick] = []
    for month in range(begins - begins % step, ends + 1, step):
        day = date(month // _MONTHS_A_YEAR, month % _MONTHS_A_YEAR + 1, 1)
        if first <= day:
            label = f"{day:%Y}" if day.month == 1 else f"{day:%b}"
            ticks.append(Tick(label, round(100 * (day - first).days / span, 3)))
    return tuple(ticks)
