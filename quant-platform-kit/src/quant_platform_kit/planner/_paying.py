"""How far cash goes when it does not pay for every purchase. Lots, never fractions of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import heapify, heappop, heapreplace

from quant_platform_kit.contracts import FeeModel, TradingRules

_ZERO = Decimal(0)
_CENT = Decimal("0.01")  # a fee is rounded up by less
_SPLITS = 60


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase in lots, and what it costs.

    Parameters
    ----------
    shortfall_usd : Decimal
        By how much the symbol lies below its target before the purchase.
    lot_usd : Decimal
        Value of a lot at the quote.
    lots, least_lots : int
        The most that are wanted, and the fewest that the broker takes.
    budget_lot_usd, fee_lot_usd : Decimal
        A lot with the head room, and what it adds to the fee.
    fees : FeeModel
    """

    shortfall_usd: Decimal
    lot_usd: Decimal
    lots: int
    least_lots: int
    budget_lot_usd: Decimal
    fee_lot_usd: Decimal
    fees: FeeModel

    def cost_usd(self, lots: int) -> Decimal:
        """Return the cash to set aside for `lots`, head room and fee included."""
        if not lots:
            return _ZERO
        return lots * self.budget_lot_usd + self.fees.charge(lots * self.fee_lot_usd)


def afford(
    purchases: Sequence[Purchase], cash_usd: Decimal, *, level: bool
) -> tuple[list[int], Decimal]:
    """Return the lots of each purchase that cash pays for, and the cash that is left.

    With `level`, cash goes lot by lot to the symbol that still lies furthest below its target
    once it has the lot, until one does not fit. What is then left, or else everything, goes
    through the purchases in the order given: each takes the most lots that fit.

    More cash never buys for less, and in the end no further lot fits anywhere.

    Parameters
    ----------
    purchases : sequence of Purchase
        In order of priority, which also decides between equals.
    cash_usd : Decimal
    level : bool
    """
    total = sum((each.cost_usd(each.lots) for each in purchases), _ZERO)
    if total <= cash_usd:
        return [each.lots for each in purchases], cash_usd - total
    counts = [0] * len(purchases)
    if level and cash_usd > _ZERO:
        counts = _levelled(purchases, cash_usd)
    left = cash_usd - _total_usd(purchases, counts)
    for place, each in enumerate(purchases):
        spent = each.cost_usd(counts[place])
        most = _most(each, counts[place], left + spent)
        left += spent - each.cost_usd(most)
        counts[place] = most
    return counts, left


def short_of(needed_usd: Decimal, left_usd: Decimal) -> str:
    """Say what a purchase needs and what there is."""
    return f"{needed_usd:.2f} USD needed with head room and fee, {max(left_usd, _ZERO):.2f} left"


def least_lots(lot_usd: Decimal, rules: TradingRules) -> int:
    """Return the fewest lots of `lot_usd` each that the broker takes as an order."""
    whole, rest = divmod(rules.minimum_notional_usd, lot_usd)
    return max(1, int(whole) + (1 if rest else 0))


def _most(each: Purchase, lots: int, cash_usd: Decimal) -> int:
    """Return the most lots that `cash_usd` pays for; it pays for `lots`."""
    # A search over lots, not a division: a minimum fee and whole cents make the cost uneven.
    most = lots + bisect_right(range(lots + 1, each.lots + 1), cash_usd, key=each.cost_usd)
    return most if most >= each.least_lots else lots


def _levelled(purchases: Sequence[Purchase], cash_usd: Decimal) -> list[int]:
    """Hand out lots, the largest remaining shortfall first, until one does not fit."""
    level = _affordable_level(purchases, cash_usd)
    counts = [_lots_above(each, level) for each in purchases]
    left = cash_usd - _total_usd(purchases, counts)
    queue = [
        (-_remaining_usd(each, _next(each, lots)), place)
        for place, (each, lots) in enumerate(zip(purchases, counts, strict=True))
        if lots < each.lots
    ]
    heapify(queue)
    while queue:
        place = queue[0][1]
        each, lots = purchases[place], _next(purchases[place], counts[place])
        extra = each.cost_usd(lots) - each.cost_usd(counts[place])
        if extra > left:
            break
        left -= extra
        counts[place] = lots
        if lots < each.lots:
            heapreplace(queue, (-_remaining_usd(each, lots + 1), place))
        else:
            heappop(queue)
    return counts


def _affordable_level(purchases: Sequence[Purchase], cash_usd: Decimal) -> Decimal:
    """Return a shortfall down to which every purchase can be paid, close to the lowest one.

    Found in floats, whose error the exact count of `_levelled` makes good; fees are taken a
    little too high, so that the level is on the safe side.
    """
    facts = [
        (
            float(each.shortfall_usd),
            float(each.lot_usd),
            each.lots,
            float(each.budget_lot_usd + each.fee_lot_usd),
            float(each.fees.minimum_usd + _CENT),
        )
        for each in purchases
    ]
    low = min(short - lots * lot for short, lot, lots, _, _ in facts)
    high = max(short for short, *_ in facts)
    cash, fine = float(cash_usd), min(lot for _, lot, *_ in facts) / 2
    for _ in range(_SPLITS):
        if high - low <= fine:
            break
        level = (low + high) / 2
        spent = 0.0
        for short, lot, lots, cost, fixed in facts:
            if short - lot >= level:
                spent += min(int((short - level) / lot), lots) * cost + fixed
        if spent > cash:
            low = level
        else:
            high = level
    safe, step = Decimal(high), _CENT
    while _total_usd(purchases, [_lots_above(each, safe) for each in purchases]) > cash_usd:
        safe += step
        step *= 2
    return safe


def _lots_above(each: Purchase, level_usd: Decimal) -> int:
    """Return the lots after each of which the shortfall is still `level_usd` or more."""
    if each.shortfall_usd <= level_usd:
        return 0
    lots = min(int((each.shortfall_usd - level_usd) // each.lot_usd), each.lots)
    return lots if lots >= each.least_lots else 0


def _next(each: Purchase, lots: int) -> int:
    return lots + 1 if lots else each.least_lots


def _remaining_usd(each: Purchase, lots: int) -> Decimal:
    return each.shortfall_usd - lots * each.lot_usd


def _total_usd(purchases: Iterable[Purchase], counts: Iterable[int]) -> Decimal:
    return sum((each.cost_usd(lots) for each, lots in zip(purchases, counts, strict=True)), _ZERO)
