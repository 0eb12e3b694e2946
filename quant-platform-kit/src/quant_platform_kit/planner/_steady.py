"""Holdings that leave nothing to do: sized, paid for, and sized again on what fees leave.

The fees of a plan lower the capital that the next plan sees. A plan made for the capital before
its fees would be followed by one that sells a share here and there. So lots are sized for the
capital after the plan's own fees, and the outcome is sized once more: the plan leads to holdings
that ask for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quant_platform_kit.contracts import TradingRules
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner._line import Line
from quant_platform_kit.planner._paying import Purchase, afford, least_lots, short_of
from quant_platform_kit.planner._rounding import EXACT_UP_TO, Candidate, choose
from quant_platform_kit.planner._sizing import Terms, Wish, size, spare_lot

_ZERO = Decimal(0)
_FRESH_TRIES = 4  # one is the rule
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Book:
    """What a plan starts from; money in USD.

    Parameters
    ----------
    lines : sequence of Line
        The symbols that may be traded.
    cash_usd : Decimal
        Usable cash.
    expected_usd : Decimal
        What sales of ours that are already working will bring.
    rules : TradingRules
    terms : callable
        From a capital base to the terms of sizing.
    base_usd : Decimal
        The capital base before any order.
    base_after : callable or None
        From the cash and the fees of a plan to the capital base that is left; None where the
        lots are sized for `base_usd` whatever they cost.
    """

    lines: Sequence[Line]
    cash_usd: Decimal
    expected_usd: Decimal
    rules: TradingRules
    terms: Callable[[Decimal], Terms]
    base_usd: Decimal
    base_after: Callable[[Decimal, Decimal], Decimal] | None


@dataclass(frozen=True, slots=True)
class End:
    """Where orders lead; money in USD.

    Parameters
    ----------
    shares : list of Decimal
        Of each line, when every order has filled.
    granted : list of Wish
        What each line asked for and was given.
    wishes : list of Wish
        What each line asks for then, and why not for more. Of a plan: for nothing.
    sized_on_usd : Decimal
        The capital base that the lots were sized for.
    terms : Terms
        They sized the lots.
    left_usd : Decimal
        The capital base that is left.
    cash_usd, fees_usd : Decimal
        The cash that is left, and what all orders cost.
    room_usd : Decimal
        The part of that cash that was set aside as head room: no order may count on it.
    """

    shares: list[Decimal]
    granted: list[Wish]
    wishes: list[Wish]
    sized_on_usd: Decimal
    terms: Terms
    left_usd: Decimal
    cash_usd: Decimal
    fees_usd: Decimal
    room_usd: Decimal


def steady(book: Book) -> End:
    """Return where a plan for `book` leads.

    When an outcome still asks for something, the capital it leaves is tried, from the start
    again: so the lots follow from one capital base, and a later attempt that is given the base
    finds the same. Only when that goes round in circles is an outcome corrected instead.
    """
    start = [line.shares for line in book.lines]
    end = _trade(book, start, book.cash_usd, _first_base(book))
    for tried in range(1, _TRIES):
        if not any(wish.shares for wish in end.wishes):
            break
        if tried < _FRESH_TRIES:
            end = _trade(book, start, book.cash_usd, end.left_usd)
        else:
            end = _trade(book, end.shares, end.cash_usd - end.room_usd, end.left_usd)
    return end


def _trade(book: Book, shares: list[Decimal], cash_usd: Decimal, base_usd: Decimal) -> End:
    """Trade for one capital base, and ask again with the one that is left."""
    terms = book.terms(base_usd)
    granted = wishes = _ask(book, shares, terms, cash_usd)
    traded = any(wish.shares for wish in granted)
    after = _fill(book, shares, granted) if traded else shares
    cash, fees, room = _settle(book, after)
    left = base_usd if book.base_after is None else book.base_after(cash, fees)
    if traded or left != base_usd:
        wishes = _ask(book, after, book.terms(left), cash - room)
    return End(after, granted, wishes, base_usd, terms, left, cash, fees, room)


def _first_base(book: Book) -> Decimal:
    """Return what fees would leave of the capital if targets were met to the fraction.

    Where nothing can move, no fee is paid: a want of cash must not lower the targets.
    """
    terms, fees = book.terms(book.base_usd), _ZERO
    if book.base_after is None or _is_still(book, terms):
        return book.base_usd
    unit, band = terms.unit_usd, terms.band_usd
    for line in book.lines:
        gap = abs(line.gap_usd(line.shares, unit))
        if line.amount and (gap + gap <= line.lot_usd or (line.shares and gap <= band)):
            continue
        fees += line.fees.charge(gap / line.price_usd * line.fee_rate)
    left = book.base_after(book.cash_usd, fees)
    return left if left > _ZERO else book.base_usd


def _is_still(book: Book, terms: Terms) -> bool:
    """Tell whether no order at all would be made; the first sure one ends the search."""
    cash = book.cash_usd + book.expected_usd - terms.reserve_usd
    for line in book.lines:
        wish = size(line, line.shares, terms)
        if wish.shares < _ZERO:
            return False
        if wish.shares:
            least = least_lots(line.lot_usd, terms.least_trade_usd) * terms.lot_shares
            if line.budget_usd(least) <= cash:
                return False
    start = [line.shares for line in book.lines]
    return not any(wish.shares for wish in _ask(book, start, terms, book.cash_usd))


def _ask(book: Book, shares: Sequence[Decimal], terms: Terms, cash_usd: Decimal) -> list[Wish]:
    """Size every symbol, and grant what cash pays for: whole targets first, then a lot more."""
    wishes: list[Wish] = []
    buys: list[int] = []
    rests: list[int] = []
    left, needed = cash_usd + book.expected_usd - terms.reserve_usd, _ZERO
    for place, (line, held) in enumerate(zip(book.lines, shares, strict=True)):
        wish = size(line, held, terms)
        wishes.append(wish)
        asked = wish.shares
        if asked:
            if asked > _ZERO:
                buys.append(place)
                needed += line.budget_usd(asked)
            else:
                left += line.proceeds_usd(-asked)
        if wish.rest_usd is not None:
            rests.append(place)
    candidates = _candidates(book.lines, wishes, rests, terms)
    if needed + sum((each.cost_usd for each in candidates), _ZERO) > left:
        spare = _spare_lots(book.lines, shares, wishes, terms)
        freed = sum((book.lines[place].proceeds_usd(terms.lot_shares) for place in spare), _ZERO)
        # They cannot make up for more than they are: a want of another size leaves them alone.
        if needed <= left + freed:
            left += freed
            for place, wish in spare.items():
                wishes[place] = wish
            candidates += _candidates(book.lines, wishes, spare, terms)
    if needed <= left:
        left -= needed
    else:
        short = {place: book.lines[place].gap_usd(shares[place], terms.unit_usd) for place in buys}
        left = _pay(book, wishes, short, left, terms)
        candidates = [each for each in candidates if not wishes[each.place].short_shares]
    # Counted over wishes, not over candidates, of which a later attempt finds fewer.
    exact = sum(1 for line in book.lines if line.amount) <= EXACT_UP_TO
    for each in choose(candidates, left, exact=exact):
        more = wishes[each.place].shares + terms.lot_shares
        wishes[each.place] = Wish(more, None, ReasonCode.AT_TARGET)
    return wishes


def _candidates(
    lines: Sequence[Line], wishes: Sequence[Wish], places: Iterable[int], terms: Terms
) -> list[Candidate]:
    """Return the lots that would bring symbols closer to their targets: bought, or not sold.

    Both are one question: an attempt that finds the sales done must answer it as the first did.
    """
    candidates: list[Candidate] = []
    for place in places:
        line, shares, rest = lines[place], wishes[place].shares, wishes[place].rest_usd or _ZERO
        more = shares + terms.lot_shares
        fee = line.fee_usd(abs(more)) - line.fee_usd(abs(shares))
        gain = rest + rest - line.lot_usd - fee
        if gain <= _ZERO:
            continue
        if shares < _ZERO or line.budget_price_usd == line.price_usd:
            cost = line.lot_usd + fee
        else:
            cost = line.budget_usd(more) - line.budget_usd(shares)
        candidates.append(Candidate(place, gain, cost))
    return candidates


def _spare_lots(
    lines: Sequence[Line], shares: Sequence[Decimal], wishes: Sequence[Wish], terms: Terms
) -> dict[int, Wish]:
    """Return the lots that holdings a part of a lot above their targets could give up."""
    spare = {}
    for place, line in enumerate(lines):
        if not wishes[place].shares:
            wish = spare_lot(line, shares[place], terms)
            if wish is not None and line.proceeds_usd(terms.lot_shares) > _ZERO:
                spare[place] = wish
    return spare


def _pay(
    book: Book, wishes: list[Wish], short_usd: dict[int, Decimal], cash_usd: Decimal, terms: Terms
) -> Decimal:
    """Cut purchases down to what cash pays for; return the cash that is left.

    `short_usd` holds what each of them lacks to its target.
    """
    places = sorted(short_usd, key=short_usd.__getitem__, reverse=True)
    purchases = [
        _purchase(book.lines[place], wishes[place].shares, short_usd[place], terms)
        for place in places
    ]
    counts, left = afford(purchases, cash_usd, level=terms.nearest)
    for place, each, lots in zip(places, purchases, counts, strict=True):
        if lots < each.lots:
            paid = lots * terms.lot_shares
            unpaid = wishes[place].shares - paid
            detail = short_of(each.cost_usd(each.lots), left)
            wishes[place] = Wish(paid, None, ReasonCode.CASH_SHORT, unpaid, detail)
    return left


def _purchase(line: Line, shares: Decimal, short_usd: Decimal, terms: Terms) -> Purchase:
    return Purchase(
        shortfall_usd=short_usd,
        lot_usd=line.lot_usd,
        lots=int(shares / terms.lot_shares),
        least_lots=least_lots(line.lot_usd, terms.least_trade_usd),
        budget_lot_usd=terms.lot_shares * line.budget_price_usd,
        fee_lot_usd=terms.lot_shares * line.budget_rate,
        fees=line.fees,
    )


def _fill(book: Book, shares: Sequence[Decimal], wishes: Sequence[Wish]) -> list[Decimal]:
    """Return the holdings after `wishes`; what is too small as one order is left out."""
    filled = [held + wish.shares for held, wish in zip(shares, wishes, strict=True)]
    least_usd = book.rules.minimum_notional_usd
    if least_usd:
        for place, line in enumerate(book.lines):
            if abs(filled[place] - line.shares) * line.price_usd < least_usd:
                filled[place] = line.shares
    return filled


def _settle(book: Book, shares: Sequence[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Return the cash, the fees and the unused head room when holdings have become `shares`."""
    cash, fees, room = book.cash_usd, _ZERO, _ZERO
    headroom = book.rules.buy_price_buffer_ratio > _ZERO
    for line, after in zip(book.lines, shares, strict=True):
        traded = after - line.shares
        if traded:
            value, fee = traded * line.price_usd, line.fee_usd(abs(traded))
            cash -= value
            fees += fee
            if headroom and traded > _ZERO:
                room += line.budget_usd(traded) - value - fee
    return cash - fees, fees, room
