"""What a curve of daily values says: returns, drawdown, volatility. Floats, for display only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import accumulate, pairwise
from statistics import pstdev

_SESSIONS_A_YEAR = 252
_DAYS_A_YEAR = 365.25


def total_return(values: Sequence[float]) -> float:
    """Return last over first minus one; 0.25 is a gain of a quarter."""
    return values[-1] / values[0] - 1


def years(days: Sequence[date]) -> float:
    """Return the calendar years between the first and the last day."""
    return (days[-1] - days[0]).days / _DAYS_A_YEAR


def annual_return(values: Sequence[float], days: Sequence[date]) -> float | None:
    """Return the compound annual growth rate; None below one year, where it would mislead."""
    span = years(days)
    return None if span < 1 else (values[-1] / values[0]) ** (1 / span) - 1


def drawdowns(values: Sequence[float]) -> tuple[float, ...]:
    """Return each value over the highest one so far, minus one: 0 at a peak, else negative."""
    return tuple(
        value / peak - 1 for value, peak in zip(values, accumulate(values, max), strict=True)
    )


def max_drawdown(values: Sequence[float]) -> float:
    """Return the deepest drawdown, zero or negative."""
    return min(drawdowns(values))


def volatility(values: Sequence[float]) -> float:
    """Return the population deviation of daily returns times the square root of 252 sessions."""
    returns = [after / before - 1 for before, after in pairwise(values)]
    return pstdev(returns) * math.sqrt(_SESSIONS_A_YEAR) if returns else 0.0


def annual_turnover(traded_usd: float, values: Sequence[float], days: Sequence[date]) -> float:
    """Return what was bought and sold in a year as a multiple of the average equity."""
    average = sum(values) / len(values)
    return traded_usd / average / max(years(days), 1 / _DAYS_A_YEAR)
