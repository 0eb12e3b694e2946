"""How a simulated venue answers: pure functions from a book and terms to the next events.

The path of a price is one price a session, from the session's open on. So a stop is triggered by
the first session's price at its trigger or beyond, the one of its own submission included, and
trades there: after a gap, beyond its trigger. A stop-limit is a limit order from then on. A
trailing stop's trigger follows each session's price. Within a session the price stands still: an
order for the day that does not trade at once expires with it.

A session takes no more of an account's orders than its liquidity allows, first come, first
served. The rest of a day order expires; that of an order until cancelled meets the next session's
price and volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from quant_platform_kit.brokers._actions import CorporateAction
from quant_platform_kit.brokers._book import Book, money
from quant_platform_kit.brokers._effects import effect_of
from quant_platform_kit.brokers._events import (
    Accepted,
    Event,
    Expired,
    Filled,
    Priced,
    Refused,
    Settled,
)
from quant_platform_kit.brokers._terms import Terms
from quant_platform_kit.brokers._triggers import is_reached, trailed
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


class Venue(Protocol):
    """What time brings to an account."""

    def next_price(self, symbol: str, after: datetime, until: datetime) -> Priced | None:
        """Return the first price that a session makes after one instant and up to another."""

    def terms(self, symbol: str, at: datetime) -> Terms:
        """Return what a session offers at an instant in it."""

    def actions(
        self, symbol: str, since: datetime, until: datetime
    ) -> Sequence[tuple[datetime, CorporateAction]]:
        """Return what happens to a symbol from one instant to another, both included."""


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
    price = stance.price_usd
    if stance.trades:
        price = _traded_at(request, request.quantity, quote, terms)
    refusal = _refusal(book, request, terms.rules, price)
    if refusal:
        return (Refused(order_id, request, refusal, terms.at),)
    accepted = Accepted(
        order_id,
        request,
        price,
        terms.at,
        expires_at=terms.expires_at if request.time_in_force is TimeInForce.DAY else None,
        fills_at=terms.fills_at if stance.trigger_usd is None else None,
        trigger_usd=stance.trigger_usd,
    )
    quantity = _taken(book, request, _at_once(request, terms), terms) if stance.trades else _ZERO
    if not quantity:
        return (accepted,)
    filled = execution(book, accepted, quantity, _traded_at(request, quantity, quote, terms), terms)
    # A part of a sale may bring less than the least fee of the whole: then it waits for the rest.
    return (accepted,) if _lacking(book, filled.fill) else (accepted, filled)


def next_due(book: Book, now: datetime, venue: Venue) -> Event | None:
    """Return the earliest thing that time alone does to the book up to `now`; None when none.

    Of what happens at one instant, corporate actions come first, then settlements.
    """
    due: Event | None = None
    for event in _coming(book, now, venue):
        if event.at <= now and (due is None or event.at < due.at):
            due = event
    return due


def _coming(book: Book, now: datetime, venue: Venue) -> Iterator[Event]:
    yield from _of_companies(book, now, venue)
    if book.unsettled:
        settles_at = min(book.unsettled)
        yield Settled(book.unsettled[settles_at], settles_at)
    for accepted in book.working.values():
        yield from _destiny(book, accepted, now, venue)


def _of_companies(book: Book, now: datetime, venue: Venue) -> Iterator[Event]:
    """Yield the first effect of a corporate action on each symbol that is held or waited for."""
    waited = {accepted.request.symbol for accepted in book.working.values()}
    for symbol in sorted(waited.union(book.holdings)):
        # What came before the last event came before its shares, or has had its effect.
        for at, action in venue.actions(symbol, book.last_at or now, now):
            event = effect_of(book, action, at, venue.terms(symbol, at))
            if event is not None:
                yield event
                break


def _destiny(book: Book, accepted: Accepted, now: datetime, venue: Venue) -> Iterator[Event]:
    late = _late(book, accepted, venue)
    if late is not None:
        yield late
    elif accepted.expires_at is not None:
        yield Expired(accepted.order_id, accepted.expires_at)
    if accepted.request.time_in_force is TimeInForce.GTC:
        yield from _at_a_price(book, accepted, now, venue)


def _late(book: Book, accepted: Accepted, venue: Venue) -> Filled | None:
    """Return the execution that an order was told to wait for, at the price of its submission."""
    fills_at, expires_at = accepted.fills_at, accepted.expires_at
    if fills_at is None or (expires_at is not None and fills_at >= expires_at):
        return None
    terms = venue.terms(accepted.request.symbol, fills_at)
    quantity = _taken(book, accepted.request, book.left_of(accepted.order_id), terms)
    if not quantity:
        return None
    filled = execution(book, accepted, quantity, accepted.price_usd, terms)
    return None if _lacking(book, filled.fill, reserved_usd=_reserve(book, accepted)) else filled


def _at_a_price(book: Book, accepted: Accepted, now: datetime, venue: Venue) -> Iterator[Event]:
    """Yield what the latest price does to an order that waits for one, or else the next price."""
    symbol = accepted.request.symbol
    latest = book.tape.get(symbol)
    if latest is None or latest.at <= accepted.at:
        latest, seen_until = None, accepted.at
    else:
        seen_until = latest.at
    if latest is not None and _trades(book, accepted, latest.price_usd):
        event = _in_session(book, accepted, latest, venue.terms(symbol, latest.at))
        if event is not None:
            yield event
            return
    priced = venue.next_price(symbol, seen_until, now)
    if priced is not None:
        yield priced


def _trades(book: Book, accepted: Accepted, price_usd: Decimal) -> bool:
    """Tell whether an order trades at a price: no trigger is left, and its limit allows it."""
    request = accepted.request
    limit = request.limit_price_usd
    if accepted.order_id in book.triggers:
        return False
    return limit is None or not _is_away(request.side, limit, price_usd)


def _in_session(
    book: Book, accepted: Accepted, priced: Priced, terms: Terms
) -> Filled | Expired | None:
    """Fill what the session takes, unless a gap made it more than the cash pays."""
    request = accepted.request
    left = book.left_of(accepted.order_id)
    quantity = _taken(book, request, left, terms)
    if not quantity:
        return None
    price = _traded_at(request, quantity, priced.price_usd, terms)
    filled = execution(book, accepted, quantity, price, terms)
    lacking = _lacking(book, filled.fill, reserved_usd=_reserve(book, accepted))
    return Expired(accepted.order_id, priced.at, lacking) if lacking else filled


def _reserve(book: Book, accepted: Accepted) -> Decimal:
    return book.reserved_usd(accepted) if accepted.request.side is Side.BUY else _ZERO


def _lacking(book: Book, fill: Fill, *, reserved_usd: Decimal = _ZERO) -> str:
    """Return why the cash does not pay for an execution; blank when it does."""
    amount = money(fill.price_usd, fill.quantity)
    cost = fill.fee_usd + (amount if fill.side is Side.BUY else -amount)
    usable = book.usable_cash_usd() + reserved_usd
    if cost <= _ZERO or cost <= usable:
        return ""
    return f"At {fill.price_usd} USD it takes {cost} USD; {usable} USD are usable."


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
    return _whole_lots(request.quantity * terms.fill_ratio, terms)


def _taken(book: Book, request: OrderRequest, wanted: Decimal, terms: Terms) -> Decimal:
    """Return how much of `wanted` the session still takes, in whole lots where not all of it."""
    capacity = terms.liquidity.capacity(terms.volume)
    if capacity is None:
        return wanted
    room = max(_ZERO, capacity - book.traded_on(request.symbol, terms.at.date()))
    return wanted if wanted <= room else _whole_lots(room, terms)


def _whole_lots(quantity: Decimal, terms: Terms) -> Decimal:
    lot = terms.rules.lot_shares
    return quantity // lot * lot


def _traded_at(
    request: OrderRequest, quantity: Decimal, price_usd: Decimal, terms: Terms
) -> Decimal:
    """Return the price that an order gets when the session's is given; its limit holds."""
    tick, limit = terms.rules.tick_usd, request.limit_price_usd
    price = terms.liquidity.price(request.side, price_usd, quantity, terms.volume, tick)
    return limit if limit is not None and _is_away(request.side, limit, price) else price


def execution(
    book: Book, accepted: Accepted, quantity: Decimal, price_usd: Decimal, terms: Terms
) -> Filled:
    """Return the execution of some of a working order at a price, whatever the venue bounds."""
    request = accepted.request
    fill = Fill(
        fill_id=book.next_fill_id(),
        broker_order_id=accepted.order_id,
        client_id=request.client_id,
        symbol=request.symbol,
        side=request.side,
        quantity=quantity,
        price_usd=price_usd,
        fee_usd=book.fee(accepted.order_id, quantity, price_usd),
        at=terms.at,
    )
    return Filled(fill, terms.settles_at if request.side is Side.SELL else None)
