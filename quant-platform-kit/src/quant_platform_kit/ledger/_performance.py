"""How a strategy has done: from its daily rows and its sales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from quant_platform_kit.ledger._entries import ZERO, Kind, read_transactions
from quant_platform_kit.store import Store, daily

_DAYS_A_YEAR: Final = 365.25
_SESSIONS_A_YEAR: Final = 252.0


@dataclass(frozen=True, slots=True)
class Performance:
    """One sleeve since its first day, as of its latest one.

    Capital that came or went is no gain: a day's return is what was earned on what the sleeve had
    that day after it came. Ratios are None while there is nothing to take them of.

    Parameters
    ----------
    positions_value_usd : Decimal
        Market value of the holdings; with the cash it is `equity_usd`.
    realised_usd, unrealised_usd : Decimal
        With fees, dividends and interest. Their sum is everything the sleeve has earned.
    return_ratio : float or None
        Compounded over the days.
    win_rate : float or None
        Sales with a gain, of all sales.
    sharpe : float or None
        Mean by standard deviation of the days' returns, to the year by the days' own frequency.
    max_drawdown_ratio : float or None
        The deepest fall of the compounded return from its highest point, 0 or below.
    """

    sleeve: str
    session: date
    equity_usd: Decimal
    positions_value_usd: Decimal
    realised_usd: Decimal
    unrealised_usd: Decimal
    return_ratio: float | None
    win_rate: float | None
    sharpe: float | None
    max_drawdown_ratio: float | None


@dataclass(frozen=True, slots=True)
class _Day:
    session: date
    equity_usd: Decimal
    cash_usd: Decimal
    realised_usd: Decimal
    unrealised_usd: Decimal
    flow_usd: Decimal


def performance(store: Store, sleeve: str) -> Performance | None:
    """Return how a sleeve has done; None before its first day is closed."""
    with store.begin() as connection:
        rows = connection.execute(
            select(
                daily.c.session,
                daily.c.equity_usd,
                daily.c.cash_usd,
                daily.c.realised_usd,
                daily.c.unrealised_usd,
                daily.c.flow_usd,
            )
            .where(daily.c.sleeve == sleeve)
            .order_by(daily.c.session)
        ).mappings()
        days = [_Day(**row) for row in rows]
        sales = [t for t in read_transactions(connection, sleeve) if t.kind is Kind.SELL]
    if not days:
        return None
    last, returns = days[-1], _returns(days)
    return Performance(
        sleeve=sleeve,
        session=last.session,
        equity_usd=last.equity_usd,
        positions_value_usd=last.equity_usd - last.cash_usd,
        realised_usd=last.realised_usd,
        unrealised_usd=last.unrealised_usd,
        return_ratio=math.prod(1 + r for r in returns) - 1 if returns else None,
        win_rate=sum(t.realised_usd > 0 for t in sales) / len(sales) if sales else None,
        sharpe=_sharpe(returns, _a_year(days)),
        max_drawdown_ratio=_max_drawdown(returns),
    )


def _returns(days: Sequence[_Day]) -> list[float]:
    """Return each day's earnings by what the sleeve began it with, capital of the day included."""
    found: list[float] = []
    equity = flow = ZERO
    for day in days:
        begun = equity + day.flow_usd - flow
        if begun > ZERO:
            found.append(float(day.equity_usd / begun) - 1)
        equity, flow = day.equity_usd, day.flow_usd
    return found


def _a_year(days: Sequence[_Day]) -> float:
    """Return how many of such rows a year has: a sleeve may run daily or monthly."""
    span = (days[-1].session - days[0].session).days
    return min((len(days) - 1) * _DAYS_A_YEAR / span, _SESSIONS_A_YEAR) if span else 0.0


def _sharpe(returns: Sequence[float], a_year: float) -> float | None:
    if len(returns) < 2:  # noqa: PLR2004 (a deviation needs two)
        return None
    mean = sum(returns) / len(returns)
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    return mean / deviation * math.sqrt(a_year) if deviation else None


def _max_drawdown(returns: Sequence[float]) -> float | None:
    worth = peak = 1.0
    deepest = 0.0
    for earned in returns:
        worth *= 1 + earned
        peak = max(peak, worth)
        deepest = min(deepest, worth / peak - 1)
    return deepest if returns else None
