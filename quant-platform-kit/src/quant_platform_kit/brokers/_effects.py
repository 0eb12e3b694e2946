"""What a corporate action does to an account."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers._actions import CorporateAction, Dividend, StockSplit
from quant_platform_kit.brokers._book import Book, money
from quant_platform_kit.brokers._events import Cancelled, Paid, Split
from quant_platform_kit.brokers._terms import Terms
from quant_platform_kit.errors import BrokerAnswerError

_SHARE: Final = Decimal(1)


def effect_of(
    book: Book, action: CorporateAction, at: datetime, terms: Terms
) -> Paid | Split | Cancelled | None:
    """Return the next thing that an action does to the book at the open of its ex-date.

    Entitled are the shares that were held when that instant began. A dividend is cash at once,
    weeks before a real one is paid, and without the tax that a broker may withhold. A split takes
    working orders of its symbol off the book first, one by one: their quantities and prices are
    those of the old shares. (In reality FINRA's rule 5330 has brokers adjust them when shares are
    split, cancel them when shares are joined, and lower some limits by a dividend.) Then it
    exchanges the shares; a fraction of one is paid in cash at the session's price where lots are
    whole. The cost of the holding stays, the fraction's too.

    Parameters
    ----------
    book : Book
    action : CorporateAction
    at : datetime
        The open of the ex-date.
    terms : Terms
        What the session offers the symbol.
    """
    match action:
        case Dividend():
            return _paid(book, action, at)
        case StockSplit():
            return _cancelled(book, action, at) or _split(book, action, at, terms)


def _paid(book: Book, dividend: Dividend, at: datetime) -> Paid | None:
    symbol, ex_date = dividend.symbol, dividend.ex_date
    shares = book.held_before(symbol, at)
    if not shares or (Paid, symbol, ex_date) in book.acted:
        return None
    return Paid(symbol, ex_date, shares, money(dividend.amount_usd, shares), at)


def _cancelled(book: Book, split: StockSplit, at: datetime) -> Cancelled | None:
    for order_id, accepted in book.working.items():
        if accepted.request.symbol == split.symbol and accepted.at < at:
            return Cancelled(
                order_id,
                at,
                f"Cancelled by the venue: {split.symbol} split {split.new:f} for {split.old:f}.",
            )
    return None


def _split(book: Book, split: StockSplit, at: datetime, terms: Terms) -> Split | None:
    symbol, ex_date = split.symbol, split.ex_date
    before = book.held_before(symbol, at)
    if not before or (Split, symbol, ex_date) in book.acted:
        return None
    exact = before * split.new / split.old
    step = min(terms.rules.lot_shares, _SHARE)
    after = exact // step * step
    paid = money(_price(split, terms), exact - after) if exact != after else Decimal(0)
    return Split(symbol, ex_date, before, after, paid, at)


def _price(split: StockSplit, terms: Terms) -> Decimal:
    if terms.price_usd is None:
        raise BrokerAnswerError(
            f"{split.symbol} split on {split.ex_date} and left the account with a fraction of a "
            "share, which the simulated market does not price in that session; what the account "
            "is worth is unknown and nothing was sent. Add the session's price to the market.",
            symbol=split.symbol,
        )
    return terms.price_usd
