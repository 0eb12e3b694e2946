"""Holds dividends that a source tells against its closes, and tells what does not fit.

Whether closes are adjusted for dividends cannot be seen on an ordinary ex-date: the dividend is
smaller than what prices move by anyway. So the two readings are weighed: how much likelier are the
moves of the ex-dates if the closes fall by the dividend than if they do not? The answers of one
dividend, of one symbol and of all multiply; what is ten thousand times likelier than the adjustment
that was declared contradicts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame
from us_equity_snapshot_pipelines._dividends import Dividend, Payment, by_symbol
from us_equity_snapshot_pipelines._panel import Floats

_CONCLUSIVE: Final = math.log(10_000)
_AROUND: Final = 31  # sessions on each side that say how much a price moves by anyway
_LEAST_AROUND: Final = 10
_LEAST_DEVIATION: Final = 1e-3
_MEAN_TO_DEVIATION: Final = math.sqrt(math.pi / 2)  # of normal moves, from their mean size
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A dividend, the move of its ex-date, and the logarithm of how likely it is a drop by it."""

    dividend: Dividend
    move: float
    evidence: float


def assess(
    payments: Iterable[Payment], frames: Mapping[str, BarFrame], adjustment: Adjustment
) -> tuple[tuple[Dividend, ...], tuple[str, ...]]:
    """Return the dividends that fall between two closes of their symbol, and what is odd.

    Parameters
    ----------
    payments : iterable of Payment
    frames : mapping of str to BarFrame
        All prices, by symbol.
    adjustment : Adjustment
        What these are declared to be adjusted for; where the closes contradict it, the dividends
        say what the closes do.
    """
    oldest = min((frame.first_session for frame in frames.values()), default=date.max)
    newest = max((frame.last_session for frame in frames.values()), default=date.min)
    weighed: list[_Weighed] = []
    findings: list[str] = []
    strangers: list[str] = []
    for symbol, own in by_symbol(payments):
        if symbol not in frames:
            strangers.append(symbol)
            continue
        frame = frames[symbol]
        findings += _outside(own, frame, oldest, newest)
        places = np.searchsorted(frame.days, np.array([each.ex_date for each in own], "M8[D]"))
        between = [
            (each, int(place))
            for each, place in zip(own, places, strict=True)
            if 0 < place < len(frame)
        ]
        found, odd = _shares(between, frame)
        findings += odd
        weighed += _weigh(found, frame)
    if strangers:
        findings.append(f"{_listed(strangers)} paid dividends and no price is given")
    dividends, contradictions = _against_declaration(weighed, adjustment)
    return dividends, (*findings, *contradictions)


def _outside(
    payments: Sequence[Payment], frame: BarFrame, oldest: date, newest: date
) -> Iterator[str]:
    """Tell dividends from before a listing or after its end; older prices may just not be given."""
    if frame.first_session > oldest:
        early = [each for each in payments if each.ex_date <= frame.first_session]
        if early:
            yield (
                f"{_paid(early)}, not after its first close on {frame.first_session}: its prices "
                "begin too late, or another share had its name"
            )
    if frame.last_session < newest:
        late = [each for each in payments if each.ex_date > frame.last_session]
        if late:
            yield (
                f"{_paid(late)}, after its last close on {frame.last_session}: its prices end too "
                "early, or another share has its name"
            )


def _shares(
    payments: Sequence[tuple[Payment, int]], frame: BarFrame
) -> tuple[list[tuple[Dividend, int]], list[str]]:
    """Relate each amount to the close before it, as it was traded.

    A close that is adjusted for dividends lies below the traded one by all that came later, this
    dividend included: so the newest is looked at first.
    """
    is_accounted = frame.adjustment is Adjustment.TOTAL_RETURN
    found: list[tuple[Dividend, int]] = []
    odd: list[str] = []
    kept = 1.0  # what is left of a traded close after the adjustment for later dividends
    for payment, place in reversed(payments):
        before = float(frame.close[place - 1])
        ratio = float(payment.amount_usd) * kept / before
        if ratio >= 1:
            odd.append(
                f"{_paid([payment])}, which is not less than the close before, {before:g} USD: an "
                "amount for shares of another size, perhaps"
            )
            continue
        share = ratio / (1 + ratio) if is_accounted else ratio
        kept *= 1 - share if is_accounted else 1.0
        fact = (payment.symbol, payment.ex_date, payment.amount_usd)
        found.append((Dividend(*fact, share, is_accounted), place))
    return found[::-1], odd[::-1]


def _weigh(dividends: Sequence[tuple[Dividend, int]], frame: BarFrame) -> Iterator[_Weighed]:
    moves = frame.close[1:] / frame.close[:-1] - 1
    sizes = np.concatenate([[0.0], np.cumsum(np.abs(moves))])
    for dividend, place in dividends:
        move = float(moves[place - 1])
        evidence = _evidence(move, dividend.share, _deviation(sizes, place - 1))
        yield _Weighed(dividend, move, evidence)


def _deviation(sizes: Floats, at: int) -> float | None:
    """Return how much a price moves by around its ex-date; None when too little is known."""
    start, stop = max(0, at - _AROUND), min(len(sizes) - 1, at + 1 + _AROUND)
    count = stop - start - 1
    if count < _LEAST_AROUND:
        return None
    others = float(sizes[stop] - sizes[start] - (sizes[at + 1] - sizes[at]))
    return max(_MEAN_TO_DEVIATION * others / count, _LEAST_DEVIATION)


def _evidence(move: float, share: float, deviation: float | None) -> float:
    """Return the logarithm of the likelihood of a drop by `share`, over that of none.

    Both are normal with one deviation. A move far beyond both is news of another kind, and says
    no more than one a little beyond.
    """
    if deviation is None:
        return 0.0
    told = min(max(move, -1.5 * share), 0.5 * share)
    return -share * (told + share / 2) / deviation**2


def _against_declaration(
    weighed: Sequence[_Weighed], adjustment: Adjustment
) -> tuple[tuple[Dividend, ...], tuple[str, ...]]:
    is_adjusted = adjustment is Adjustment.TOTAL_RETURN
    sign = 1 if is_adjusted else -1

    def contradict(group: Sequence[_Weighed]) -> bool:
        return sign * sum(each.evidence for each in group) >= _CONCLUSIVE

    alone = [each for each in weighed if contradict([each])]
    findings = [_of_one(each, adjustment) for each in alone]
    wrong = set(alone)
    small = [each for each in weighed if each not in wrong]
    for _, of_symbol in groupby(small, lambda each: each.dividend.symbol):
        together = list(of_symbol)
        if contradict(together):
            wrong.update(together)
            findings.append(_of_many(together, adjustment))
    rest = [each for each in small if each not in wrong]
    if contradict(rest):
        wrong.update(rest)
        findings.append(_of_many(rest, adjustment))
    dividends = (
        replace(each.dividend, is_accounted=not is_adjusted) if each in wrong else each.dividend
        for each in weighed
    )
    return tuple(dividends), tuple(findings)


def _of_one(each: _Weighed, adjustment: Adjustment) -> str:
    dividend = each.dividend
    what = (
        f"{dividend.symbol} moves by {each.move:+.1%} on {dividend.ex_date}, when it paid "
        f"{dividend.amount_usd:f} USD, {dividend.share:.1%} of the close before: "
    )
    if adjustment is Adjustment.TOTAL_RETURN:
        return f"{what}total_return closes should not fall by it, so two adjustments are mixed"
    return f"{what}{adjustment.value} closes should fall by it, so they seem adjusted for it"


def _of_many(group: Sequence[_Weighed], adjustment: Adjustment) -> str:
    symbols = sorted({each.dividend.symbol for each in group})
    days: list[date] = sorted(each.dividend.ex_date for each in group)
    what = (
        f"the closes of {_listed(symbols)} on {len(group)} ex-dates from {days[0]} to {days[-1]}, "
        "taken together,"
    )
    if adjustment is Adjustment.TOTAL_RETURN:
        return f"{what} fall by the dividends, and total_return closes should not"
    return f"{what} do not fall by the dividends, and {adjustment.value} closes should"


def _paid(payments: Sequence[Payment]) -> str:
    first = payments[0]
    more = f" (and {len(payments) - 1} more)" if len(payments) > 1 else ""
    return f"{first.symbol} paid {first.amount_usd:f} USD on {first.ex_date}{more}"


def _listed(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
    return ", ".join(symbols[:_NAMED]) + more
