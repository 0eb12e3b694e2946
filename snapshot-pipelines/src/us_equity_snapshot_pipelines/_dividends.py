"""Cash dividends: what was paid, and whether the closes that are built on account for it.

A close that is adjusted for dividends does not fall on an ex-date; any other one falls by the
dividend, and a feature takes that for a loss. So each dividend is told, with which of the two the
closes are. Nothing is corrected here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Final

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError
from quant_platform_kit.inputs import BarSource
from quant_platform_kit.market import BarFrame
from us_equity_snapshot_pipelines._panel import Floats, PricePanel

_LIKE_A_SPLIT: Final = 0.31  # of the close; prices as traded fall by more only in a split
_EXACT: Final = 1e-9
_CENT: Final = 0.01
# The second adjustment that shows dividends, best first: bars that know splits are as good as any.
_COUNTERPARTS: Final[Mapping[Adjustment, tuple[Adjustment, ...]]] = {
    Adjustment.RAW: (Adjustment.TOTAL_RETURN,),
    Adjustment.SPLIT: (Adjustment.TOTAL_RETURN,),
    Adjustment.TOTAL_RETURN: (Adjustment.SPLIT, Adjustment.RAW),
}


@dataclass(frozen=True, slots=True, order=True)
class Payment:
    """A dividend as a source tells it.

    `amount_usd` is for one share of the size that the closes before the ex-date are the price of:
    as it was paid beside prices as traded, adjusted for splits beside adjusted ones.
    """

    symbol: str
    ex_date: date
    amount_usd: Decimal


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend held against the closes around its ex-date.

    Parameters
    ----------
    symbol : str
    ex_date : date
        The first session whose close is without it.
    amount_usd : Decimal
        As of `Payment`.
    share : float
        Of the close before the ex-date, as it was traded.
    is_accounted : bool
        Whether the closes have been adjusted for it; if not, the drop of that day is the dividend.
    """

    symbol: str
    ex_date: date
    amount_usd: Decimal
    share: float
    is_accounted: bool


def by_symbol(payments: Iterable[Payment]) -> Iterator[tuple[str, list[Payment]]]:
    """Yield the payments of each symbol, by ex-date."""
    for symbol, own in groupby(sorted(payments), attrgetter("symbol")):
        yield symbol, list(own)


def between(
    traded: BarFrame, total: BarFrame, built_on: Adjustment, *, of_ex_close: bool = False
) -> Iterator[Dividend]:
    """Yield the dividends that one symbol's bars tell by being adjusted in two ways.

    The ratio of the two closes moves on ex-dates and nowhere else. Where prices come in whole
    cents, what lies below their rounding is not seen.

    Parameters
    ----------
    traded : BarFrame
        Not adjusted for dividends. In raw prices a move as of a split is none of them.
    total : BarFrame
        Adjusted for dividends.
    built_on : Adjustment
        Which of the two the features are made of.
    of_ex_close : bool
        Whether the vendor relates a dividend to the close of the ex-date with the dividend put
        back, not to the close before it.
    """
    _, left, right = np.intersect1d(traded.days, total.days, return_indices=True)
    days, plain, adjusted = traded.days[left], traded.close[left], total.close[right]
    factor = adjusted / plain
    shares = 1 - factor[:-1] / factor[1:]
    noise = _rounding(plain) + _rounding(adjusted) + _EXACT
    most = _LIKE_A_SPLIT if traded.adjustment is Adjustment.RAW else 1.0
    (places,) = np.nonzero((shares > noise) & (shares < most))
    for place in places.tolist():
        share = float(shares[place])
        base = plain[place + 1] / (1 - share) if of_ex_close else plain[place]
        digits = 2 if noise[place] > 2 * _EXACT else 4
        yield Dividend(
            symbol=traded.symbol,
            ex_date=days[place + 1].item(),
            amount_usd=Decimal(repr(round(share * float(base), digits))),
            share=share,
            is_accounted=built_on is Adjustment.TOTAL_RETURN,
        )


def gone_ex(dividends: Iterable[Dividend], panel: PricePanel, as_of: date) -> tuple[Dividend, ...]:
    """Return what went ex between two closes that the features of `as_of` look at."""
    first: date = panel.at(as_of).days[0].item()
    symbols = frozenset(panel.symbols)
    return tuple(
        each for each in dividends if each.symbol in symbols and first < each.ex_date <= as_of
    )


def told_by_bars(
    source: BarSource,
    frames: Mapping[str, BarFrame],
    sessions: int,
    last_session: date,
    adjustment: Adjustment,
) -> tuple[tuple[Dividend, ...], tuple[str, ...]]:
    """Ask a source for its bars a second time, adjusted otherwise; return what the two tell.

    A source that has one adjustment only tells no dividends, which is one of the findings then.

    Parameters
    ----------
    source : BarSource
    frames : mapping of str to BarFrame
        What it answered the first time.
    sessions, last_session, adjustment
        As it was asked.
    """
    others = _COUNTERPARTS[adjustment]
    for other in others:
        try:
            answer = source.daily_bars(tuple(frames), sessions, last_session, other)
        except InputError:  # as a source says that it has none
            continue
        found: list[Dividend] = []
        for symbol in sorted(frames.keys() & answer.keys()):
            pair = (answer[symbol], frames[symbol])
            traded, total = pair if adjustment is Adjustment.TOTAL_RETURN else pair[::-1]
            found += between(traded, total, adjustment)
        return tuple(found), ()
    tried = " or ".join(other.value for other in others)
    return (), (f"the source gives no {tried} bars to compare with, so it tells no dividends",)


def _rounding(closes: Floats) -> Floats:
    """Return by what share of itself each ratio of neighbours may be off, for whole cents."""
    cents = closes / _CENT
    if len(closes) and np.abs(cents - np.round(cents)).max() > 1e-6:  # noqa: PLR2004 (no cents)
        return np.zeros(max(0, len(closes) - 1))
    apart: Floats = _CENT / 2 * (1 / closes[:-1] + 1 / closes[1:])
    return apart
