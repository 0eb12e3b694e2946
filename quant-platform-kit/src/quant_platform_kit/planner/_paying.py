"""How far cash goes when it does not pay for every purchase. Lots, never fractions of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import heapify, heappop, heappush

from quant_platform_kit.contracts import FeeModel

_ZERO = Decimal(0)
_CENT = Decimal("0.01")  # a fee is rounded up by less
_SPLITS = 60
_FEW = 1000  # lots that are handed out one by one without looking for a level again


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
        The most that are wanted, and the fewest that make an order.
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
    once it has the lot; a symbol whose next lot does not fit gets no more. Otherwise the
    purchases are paid in the order given: each takes the most lots that fit.

    In the end no further lot fits anywhere. More cash never buys for less, and what remains of a
    distribution is the distribution among what remains.

    Parameters
    ----------
    purchases : sequence of Purchase
        In order of priority, which with `level` decides between equals.
    cash_usd : Decimal
    level : bool
    """
    total = sum((each.cost_usd(each.lots) for each in purchases), _ZERO)
    if total <= cash_usd:
        return [each.lots for each in purchases], cash_usd - total
    counts = _levelled(purchases, cash_usd) if level else _in_order(purchases, cash_usd)
    return counts, cash_usd - _total_usd(purchases, counts)


def short_of(needed_usd: Decimal, left_usd: Decimal) -> str:
    """Say what a purchase needs and what there is."""
    return f"{needed_usd:.2f} USD needed with head room and fee, {max(left_usd, _ZERO):.2f} left"


def least_lots(lot_usd: Decimal, least_usd: Decimal) -> int:
    """Return the fewest lots of `lot_usd` each that make an order of `least_usd`."""
    whole, rest = divmod(least_usd, lot_usd)
    return max(1, int(whole) + (1 if rest else 0))


def _in_order(purchases: Sequence[Purchase], cash_usd: Decimal) -> list[int]:
    counts = []
    for each in purchases:
        # A search over lots, not a division: a minimum fee and whole cents make cost uneven.
        most = bisect_right(range(1, each.lots + 1), cash_usd, key=each.cost_usd)
        counts.append(most if most >= each.least_lots else 0)
        cash_usd -= each.cost_usd(counts[-1])
    return counts


def _levelled(purchases: Sequence[Purchase], cash_usd: Decimal) -> list[int]:
    """Hand out lots, the largest remaining shortfall first.

    The lots above a shortfall that cash surely reaches are handed out at once, the others one by
    one; and so again whenever a purchase that ends leaves cash for many lots of others.
    """
    counts = [0] * len(purchases)
    unmet = {place for place, each in enumerate(purchases) if each.lots}
    left = cash_usd
    while unmet:
        left = _down_to_a_level(purchases, counts, unmet, left)
        left = _lot_by_lot(purchases, counts, unmet, left)
    return counts


def _lot_by_lot(
    purchases: Sequence[Purchase], counts: list[int], unmet: set[int], cash_usd: Decimal
) -> Decimal:
    """Hand out one lot after the other; return the cash that is left.

    Ends when every purchase is complete or its next lot does not fit, or as soon as one does not
    and more than a few lots of others could follow.
    """
    few_usd = _FEW * min(purchases[place].lot_usd for place in unmet)
    queue = []
    for place in unmet:
        following = _next(purchases[place], counts[place])
        queue.append((-_remaining_usd(purchases[place], following), place))
    heapify(queue)
    while queue:
        _, place = heappop(queue)
        each, lots = purchases[place], _next(purchases[place], counts[place])
        if lots > each.lots:
            unmet.discard(place)
            continue
        extra = each.cost_usd(lots) - each.cost_usd(counts[place])
        if extra > cash_usd:
            unmet.discard(place)
            if cash_usd > few_usd:
                break
            continue
        cash_usd -= extra
        counts[place] = lots
        heappush(queue, (-_remaining_usd(each, lots + 1), place))
    return cash_usd


def _down_to_a_level(
    purchases: Sequence[Purchase], counts: list[int], unmet: set[int], cash_usd: Decimal
) -> Decimal:
    """Hand out the lots above a level that cash reaches; return the cash that is left.

    The level is searched in floats, with every cost a little too high; whether cash reaches it
    is then counted exactly.
    """
    if cash_usd <= _ZERO:
        return cash_usd
    places = sorted(unmet)
    level, step = Decimal(_level(purchases, counts, places, float(cash_usd))), _CENT
    while True:
        reached = {place: max(counts[place], _above(purchases[place], level)) for place in places}
        cost = sum(
            (
                purchases[place].cost_usd(lots) - purchases[place].cost_usd(counts[place])
                for place, lots in reached.items()
            ),
            _ZERO,
        )
        if cost <= cash_usd:
            break
        level += step
        step *= 2
    for place, lots in reached.items():
        counts[place] = lots
    return cash_usd - cost


def _level(
    purchases: Sequence[Purchase], counts: Sequence[int], places: Sequence[int], cash_usd: float
) -> float:
    """Return a shortfall in USD down to which cash surely pays, close to the lowest such."""
    facts = [
        (
            float(each.shortfall_usd),
            float(each.lot_usd),
            counts[place],
            each.lots,
            float(each.budget_lot_usd + each.fee_lot_usd),
            float(each.fees.minimum_usd + _CENT),
        )
        for place in places
        for each in [purchases[place]]
    ]
    low = min(short - lots * lot for short, lot, _, lots, _, _ in facts)
    high = max(short for short, *_ in facts)
    fine = min(lot for _, lot, *_ in facts) / 2
    for _ in range(_SPLITS):
        if high - low <= fine:
            break
        level = (low + high) / 2
        spent = 0.0
        for short, lot, count, lots, cost, fixed in facts:
            more = min(int((short - level) / lot), lots) - count
            if more > 0:
                spent += more * cost + fixed
        if spent > cash_usd:
            low = level
        else:
            high = level
    return high


def _above(each: Purchase, level_usd: Decimal) -> int:
    """Return the lots after each of which the shortfall is still `level_usd` or more."""
    if each.shortfall_usd <= level_usd:
        return 0
    lots = min(int((each.shortfall_usd - level_usd) // each.lot_usd), each.lots)
    return lots if lots >= each.least_lots else 0


def _next(each: Purchase, lots: int) -> int:
    return lots + 1 if lots else each.least_lots


def _remaining_usd(each: Purchase, lots: int) -> Decimal:
    return each.shortfall_usd - lots * each.lot_usd


def _total_usd(purchases: Sequence[Purchase], counts: Sequence[int]) -> Decimal:
    return sum((each.cost_usd(lots) for each, lots in zip(purchases, counts, strict=True)), _ZERO)
