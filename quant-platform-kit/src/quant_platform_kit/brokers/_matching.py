"""How a simulated venue answers: pure functions from a book and terms to the next events.

The path of a price is one price a session, from the session's open on. So a stop is triggered by
the first session's price at its trigger or beyond, the one of its own submission included, and
trades there: after a gap, beyond its trigger. A stop-limit is a limit order from then on. A
trailing stop's trigger follows each session's price. Within a session the price stands still: an
order for the day that does not trade at once expires with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from quant_platform_kit.brokers._book import Book, is_reached, money, trailed
from quant_platform_kit.brokers._events import Accepted, Event, Expired, Filled, Priced, Refused
from quant_platform_kit.contracts import (
    Fill,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    TradingRules,
)

_ZERO: Final = Decimal(0)
_WHOLE: Final = Decimal(1)

NextPrice: TypeAlias = Callable[[str, datetime, datetime], Priced | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a venue offers one order at one instant.

    Parameters
    ----------
    at : datetime
    price_usd : Decimal or None
        At which it trades the symbol now; None when it does not.
    rules : TradingRules
    expires_at : datetime or None
        When an order that rests leaves the book by itself.
    fill_ratio : Decimal
        Share of the order that fills at once.
    fills_at : datetime or None
        When the rest fills by itself.
    refusal : str
        Why the venue takes no order at all; blank when it does.
    """

    at: datetime
    price_usd: Decimal | None
    rules: TradingRules
    expires_at: datetime | None = None
    fill_ratio: Decimal = _WHOLE
    fills_at: datetime | None = None
    refusal: str = ""


def enter(
    book: Book, request: OrderRequest, terms: Terms
) -> tuple[Refused] | tuple[Accepted] | tuple[Accepted, Filled]:
    """Return what happens when `request` reaches the venue; nothing has happened yet.

    Either it is refused, or it is accepted and fills as far as price and terms allow.
    """
    order_id, quote = book.next_order_id(), terms.price_usd
    if terms.refusal or quote is None:
        detail = terms.refusal or f"{request.symbol} is not traded here now."
        return (Refused(order_id, request, detail, terms.at),)
    stance = _stance(request, quote)
    refusal = _refusal(book, request, terms.rules, stance.price_usd)
    if refusal:
        return (Refused(order_id, request, refusal, terms.at),)
    accepted = Accepted(
        order_id,
        request,
        stance.price_usd,
        terms.at,
        expires_at=terms.expires_at if request.time_in_force is TimeInForce.DAY else None,
        fills_at=terms.fills_at if stance.trigger_usd is None else None,
        trigger_usd=stance.trigger_usd,
    )
    quantity = _at_once(request, terms) if stance.trades else _ZERO
    if not quantity:
        return (accepted,)
    return (accepted, _fill(book, accepted, quantity, accepted.price_usd, terms.at))


def next_due(book: Book, now: datetime, next_price: NextPrice) -> Event | None:
    """Return the earliest thing that time alone does to the book up to `now`; None when none.

    Parameters
    ----------
    book : Book
    now : datetime
    next_price : callable
        The first price of a symbol that a session makes after one instant and up to another.
    """
    due: Event | None = None
    for accepted in book.working.values():
        for event in _destiny(book, accepted, now, next_price):
            if event.at <= now and (due is None or event.at < due.at):
                due = event
    return due


def _destiny(
    book: Book, accepted: Accepted, now: datetime, next_price: NextPrice
) -> Iterator[Event]:
    order_id, fills_at, expires_at = accepted.order_id, accepted.fills_at, accepted.expires_at
    if fills_at is not None and (expires_at is None or fills_at < expires_at):
        left = book.left_of(order_id)
        yield _fill(book, accepted, left, accepted.price_usd, fills_at)
    elif expires_at is not None:
        yield Expired(order_id, expires_at)
    if accepted.request.time_in_force is TimeInForce.GTC:
        yield from _at_a_price(book, accepted, now, next_price)


def _at_a_price(
    book: Book, accepted: Accepted, now: datetime, next_price: NextPrice
) -> Iterator[Event]:
    """Yield what the latest price does to an order that waits for one, or else the next price."""
    symbol = accepted.request.symbol
    latest = book.tape.get(symbol)
    if latest is None or latest.at <= accepted.at:
        latest, seen_until = None, accepted.at
    else:
        seen_until = latest.at
    if latest is not None and _trades(book, accepted, latest.price_usd):
        yield _execution(book, accepted, latest)
    else:
        priced = next_price(symbol, seen_until, now)
        if priced is not None:
            yield priced


def _trades(book: Book, accepted: Accepted, price_usd: Decimal) -> bool:
    """Tell whether an order trades at a price: no trigger is left, and its limit allows it."""
    request = accepted.request
    limit = request.limit_price_usd
    if accepted.order_id in book.triggers:
        return False
    return limit is None or not _is_away(request.side, limit, price_usd)


def _execution(book: Book, accepted: Accepted, priced: Priced) -> Filled | Expired:
    """Fill what is left at a session's price, unless a gap made it more than the cash pays."""
    order_id, price = accepted.order_id, priced.price_usd
    left = book.left_of(order_id)
    amount, fee = money(price, left), book.fee(order_id, left, price)
    usable = book.usable_cash_usd()
    if accepted.request.side is Side.BUY:
        usable += book.reserved_usd(accepted)
        cost = fee + amount
    else:
        cost = fee - amount
    if cost > _ZERO and cost > usable:
        detail = f"At {price} USD it takes {cost} USD; {usable} USD are usable."
        return Expired(order_id, priced.at, detail)
    return _fill(book, accepted, left, price, priced.at)


class _Stance(NamedTuple):
    """How an order meets the market: its price, the trigger it waits for, whether it trades."""

    price_usd: Decimal
    trigger_usd: Decimal | None
    trades: bool


def _stance(request: OrderRequest, quote_usd: Decimal) -> _Stance:
    trigger, limit = request.stop_price_usd, request.limit_price_usd
    if request.order_type is OrderType.TRAILING_STOP:
        trigger = trailed(request, trigger, quote_usd)
    if trigger is not None and not is_reached(request.side, trigger, quote_usd):
        return _Stance(trigger if limit is None else limit, trigger, trades=False)
    if limit is not None and _is_away(request.side, limit, quote_usd):
        return _Stance(limit, None, trades=False)
    return _Stance(quote_usd, None, trades=True)


def _is_away(side: Side, limit_usd: Decimal, price_usd: Decimal) -> bool:
    return price_usd > limit_usd if side is Side.BUY else price_usd < limit_usd


def _refusal(book: Book, request: OrderRequest, rules: TradingRules, price_usd: Decimal) -> str:
    """Return why the order cannot be taken at this price; blank when it can."""
    symbol, quantity = request.symbol, request.quantity
    held, free = book.held(symbol), book.free_shares(symbol)
    if request.side is Side.SELL and quantity > free:
        return f"{quantity} {symbol} cannot be sold: {free} of the {held} held are free."
    # A holding can always be closed, even one that a transfer left with a fraction.
    closing = request.side is Side.SELL and quantity == held
    if quantity % rules.lot_shares and not closing:
        return f"{quantity} {symbol} is no multiple of the lot of {rules.lot_shares} shares."
    amount = money(price_usd, quantity)
    if amount < rules.minimum_notional_usd:
        return f"{amount} USD is less than the smallest order of {rules.minimum_notional_usd} USD."
    fee = rules.fees.fee(quantity, price_usd)
    cost = fee + (amount if request.side is Side.BUY else -amount)
    usable = book.usable_cash_usd()
    if cost > _ZERO and cost > usable:
        return (
            f"{quantity} {symbol} at {price_usd} USD with a fee of {fee} USD takes {cost} USD; "
            f"{usable} USD are usable."
        )
    return ""


def _at_once(request: OrderRequest, terms: Terms) -> Decimal:
    if terms.fill_ratio == _WHOLE:
        return request.quantity
    lot = terms.rules.lot_shares
    return request.quantity * terms.fill_ratio // lot * lot


def _fill(
    book: Book, accepted: Accepted, quantity: Decimal, price_usd: Decimal, at: datetime
) -> Filled:
    request = accepted.request
    return Filled(
        Fill(
            fill_id=book.next_fill_id(),
            broker_order_id=accepted.order_id,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            quantity=quantity,
            price_usd=price_usd,
            fee_usd=book.fee(accepted.order_id, quantity, price_usd),
            at=at,
        )
    )
