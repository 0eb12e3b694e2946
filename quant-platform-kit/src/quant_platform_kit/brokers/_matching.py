"""How a simulated venue answers: pure functions from a book and terms to the next events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers._book import Book, money
from quant_platform_kit.brokers._events import Accepted, Event, Expired, Filled, Refused
from quant_platform_kit.contracts import Fill, OrderRequest, Side, TradingRules

_ZERO: Final = Decimal(0)
_WHOLE: Final = Decimal(1)


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
    resting = _resting_price(request, quote)
    price = quote if resting is None else resting
    refusal = _refusal(book, request, terms.rules, price)
    if refusal:
        return (Refused(order_id, request, refusal, terms.at),)
    accepted = Accepted(order_id, request, price, terms.at, terms.expires_at, terms.fills_at)
    quantity = _at_once(request, terms) if resting is None else _ZERO
    if not quantity:
        return (accepted,)
    return (accepted, _fill(book, accepted, quantity, terms.at))


def next_due(book: Book, now: datetime) -> Event | None:
    """Return the earliest thing that time alone does to the book up to `now`; None when none."""
    due: tuple[datetime, Event] | None = None
    for order_id, accepted in book.working.items():
        moment, event = _destiny(book, order_id, accepted)
        if event is not None and moment <= now and (due is None or moment < due[0]):
            due = (moment, event)
    return None if due is None else due[1]


def _destiny(book: Book, order_id: str, accepted: Accepted) -> tuple[datetime, Event | None]:
    fills_at, expires_at = accepted.fills_at, accepted.expires_at
    if fills_at is not None and (expires_at is None or fills_at < expires_at):
        return fills_at, _fill(book, accepted, book.left_of(order_id), fills_at)
    if expires_at is not None:
        return expires_at, Expired(order_id, expires_at)
    return accepted.at, None


def _resting_price(request: OrderRequest, quote_usd: Decimal) -> Decimal | None:
    """Return the limit of an order that cannot trade at the quote; None when it can."""
    limit = request.limit_price_usd
    if limit is None:
        return None
    away = quote_usd > limit if request.side is Side.BUY else quote_usd < limit
    return limit if away else None


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


def _fill(book: Book, accepted: Accepted, quantity: Decimal, at: datetime) -> Filled:
    request = accepted.request
    return Filled(
        Fill(
            fill_id=book.next_fill_id(),
            broker_order_id=accepted.order_id,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            quantity=quantity,
            price_usd=accepted.price_usd,
            fee_usd=book.fee(accepted, quantity),
            at=at,
        )
    )
