"""Which symbols hold one lot more than the whole lots of their targets: decided together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

_ZERO = Decimal(0)
_FREE = Decimal("Infinity")
EXACT_UP_TO = 10  # wanted symbols: every combination is tried; with more nobody would notice


class Candidate(NamedTuple):
    """A lot that would bring a symbol closer to its target.

    Parameters
    ----------
    place : int
        Of the symbol.
    gain_usd : Decimal
        Dollars by which it comes closer, less the fee; above zero.
    cost_usd : Decimal
        Cash that it takes; zero or less where the fee that it saves is worth more.
    """

    place: int
    gain_usd: Decimal
    cost_usd: Decimal


def choose(candidates: Sequence[Candidate], cash_usd: Decimal, *, exact: bool) -> list[Candidate]:
    """Return the candidates to take: those that together gain the most for `cash_usd`.

    A 0/1 knapsack: solved exactly, or else by taking the candidates in order of their gain per
    dollar, each that still fits. Either way nothing that was left out fits in the end, more cash
    never buys for less, and what remains of a choice is the choice among what remains.

    Parameters
    ----------
    candidates : sequence of Candidate
        Equal ones are preferred in this order.
    cash_usd : Decimal
    exact : bool
        Takes up to two to the power of their number of steps.
    """
    if sum((each.cost_usd for each in candidates), _ZERO) <= cash_usd:
        return list(candidates)
    ranked = sorted(candidates, key=_gain_per_dollar, reverse=True)
    return _best(ranked, cash_usd) if exact else _greedy(ranked, cash_usd)


def _gain_per_dollar(each: Candidate) -> Decimal:
    return each.gain_usd / each.cost_usd if each.cost_usd > _ZERO else _FREE


def _greedy(ranked: Sequence[Candidate], cash_usd: Decimal) -> list[Candidate]:
    taken = []
    for each in ranked:
        if each.cost_usd <= cash_usd:
            cash_usd -= each.cost_usd
            taken.append(each)
    return taken


def _best(ranked: Sequence[Candidate], cash_usd: Decimal) -> list[Candidate]:
    """Try every combination that could still gain more than the best one so far."""
    hope = [_ZERO]  # what all candidates from here on would gain
    for each in reversed(ranked):
        hope.append(hope[-1] + each.gain_usd)
    hope.reverse()
    best, most = [], _ZERO

    def search(at: int, left: Decimal, gain: Decimal, taken: list[Candidate]) -> None:
        nonlocal best, most
        if gain > most:
            best, most = list(taken), gain
        if at == len(ranked) or gain + hope[at] <= most:
            return
        each = ranked[at]
        if each.cost_usd <= left:
            taken.append(each)
            search(at + 1, left - each.cost_usd, gain + each.gain_usd, taken)
            taken.pop()
        search(at + 1, left, gain, taken)

    search(0, cash_usd, _ZERO, [])
    return best
