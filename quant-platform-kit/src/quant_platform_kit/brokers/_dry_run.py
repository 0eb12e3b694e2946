"""A dry run: the real account to look at, and orders that happen on paper only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from quant_platform_kit.brokers._book import Book, money, replay
from quant_platform_kit.brokers._events import Cancelled, Event, Opened, Refused
from quant_platform_kit.brokers._matching import enter
from quant_platform_kit.brokers._port import Broker
from quant_platform_kit.brokers._terms import Terms
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    OrderStatus,
    Position,
    Quote,
    Side,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.market import Clock

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

_AFTER_THE_RUN: Final = datetime.max.replace(tzinfo=UTC)
_UNTOLD: Final = (
    "The dry run bought for {:.2f} USD with what its own sales brought. The broker does not tell "
    "whether the account may: a cash account waits for their settlement, and buys that much less."
)


class DryRunBroker:
    """Reads the inner broker and lays this run's orders over what it says; implements `Broker`.

    `submit` and `cancel` never reach the inner broker. An order happens here, at the quote and
    for the fee that the real one would have, and from then on every answer contains it: cash,
    positions, orders and executions are those of the account as it is now with the run's orders
    done. So a cycle goes the same way that it would have gone, to its end.

    Orders live as long as this object, which is one run; a limit order away from the quote rests
    for that long. Sales pay for purchases where they do at the real account. Where the broker does
    not tell, they pay too, and `health` says so once a purchase has needed it.

    Parameters
    ----------
    inner : Broker
        Only its queries are used.
    clock : Clock
        Dates the executions.
    """

    def __init__(self, inner: Broker, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._events: list[Event] = []
        self._orders = Book()  # as folded at the last order; its money is of that instant
        self._cancelled: set[str] = set()
        self._real: Account | None = None  # as it was at the last order

    @property
    def environment(self) -> Environment:
        """What the inner connection says it is."""
        return self._inner.environment

    @property
    def rules(self) -> TradingRules:
        """The inner broker's rules; orders here obey and pay the same."""
        return self._inner.rules

    def health(self) -> tuple[str, ...]:
        """Return what the inner broker says, and what nobody could tell this run."""
        told = self._inner.health()
        if self._real is None or self._real.sales_pay_at_once is not None:
            return told
        paid = self._paid_by_sales_usd(self._real)
        return (*told, _UNTOLD.format(paid)) if paid > 0 else told

    def release(self) -> None:
        """As the inner broker's."""
        self._inner.release()

    # ── Queries ────────────────────────────────────────────────────────────────────────

    def account(self) -> Account:
        """Return the inner account's money after this run's orders."""
        real = self._inner.account()
        book = self._overlay(real, self._inner.positions())
        spent = book.cash_usd - real.cash_usd
        return replace(
            real,
            cash_usd=book.cash_usd,
            usable_cash_usd=book.usable_cash_usd(),
            equity_usd=real.equity_usd + spent + self._worth_of_moves(),
        )

    def positions(self) -> tuple[Position, ...]:
        """Return the inner holdings after this run's orders."""
        held = self._inner.positions()
        traded = {fill.symbol for fill in self._orders.fills}
        as_told = {position.symbol: position for position in held if position.symbol not in traded}
        overlaid = self._overlay(self._inner.account(), held).positions()
        return tuple(as_told.get(position.symbol, position) for position in overlaid)

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the inner working orders, but for those cancelled here, and this run's own."""
        inner = self._inner.open_orders()
        kept = tuple(order for order in inner if order.broker_order_id not in self._cancelled)
        return kept + self._orders.open_orders()

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this client id, of this run or of the inner broker."""
        own = self._orders.find(client_id)
        if own is not None:
            return own
        order = self._inner.find_order(client_id)
        if order is None or order.broker_order_id not in self._cancelled:
            return order
        return replace(order, status=OrderStatus.CANCELLED)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the inner executions and this run's own at or after `instant`, by time."""
        own = tuple(fill for fill in self._orders.fills if fill.at >= instant)
        return tuple(sorted(self._inner.fills_since(instant) + own, key=lambda fill: fill.at))

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        """Return what moved the inner account's cash beside trades."""
        return self._inner.cash_movements(since)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the inner broker's quotes."""
        return self._inner.quotes(symbols)

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return the inner broker's bars."""
        return self._inner.daily_bars(symbols, sessions, last_session, adjustment)

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def submit(self, order: OrderRequest) -> Submission:
        """Let one order happen on paper.

        Raises
        ------
        TransientError
            When the inner account or quote cannot be read; nothing happened then.
        """
        if self.find_order(order.client_id) is not None:
            return Submission(
                SubmitOutcome.REJECTED, detail="Duplicate client id. Nothing was booked."
            )
        real = self._inner.account()
        book = self._overlay(real, self._inner.positions())
        quote = self._inner.quotes((order.symbol,)).get(order.symbol)
        price = None if quote is None else quote.price_usd
        settles_at = _AFTER_THE_RUN if real.sales_pay_at_once is False else None
        terms = Terms(self._clock.now(), price, self.rules, settles_at=settles_at)
        events = enter(book, order, terms)
        self._real = real
        self._happen(book, *events)
        first = events[0]
        if isinstance(first, Refused):
            return Submission(SubmitOutcome.REJECTED, first.order_id, first.detail)
        return Submission(SubmitOutcome.ACKED, first.order_id)

    def cancel(self, broker_order_id: str) -> None:
        """Take an order off the book on paper; one that does not work stays as it is."""
        if broker_order_id in self._orders.working:
            self._happen(self._orders, Cancelled(broker_order_id, self._clock.now()))
        elif any(o.broker_order_id == broker_order_id for o in self._inner.open_orders()):
            self._cancelled.add(broker_order_id)

    # ── The overlay ────────────────────────────────────────────────────────────────────

    def _overlay(self, real: Account, held: tuple[Position, ...]) -> Book:
        """Fold this run's events over the inner account as it is now."""
        opened = Opened(
            account_id=real.account_id,
            cash_usd=real.cash_usd,
            at=self._clock.now(),
            withheld_usd=real.cash_usd - real.usable_cash_usd,
            positions=held,
        )
        return replay((opened, *self._events), fees=self.rules.fees, prefix="dry")

    def _happen(self, book: Book, *events: Event) -> None:
        book.apply(*events)
        self._events.extend(events)
        self._orders = book

    def _paid_by_sales_usd(self, real: Account) -> Decimal:
        """Return what this run's purchases took, or reserve, beyond the cash that was there."""
        proceeds = sum(
            (
                money(fill.price_usd, fill.quantity) - fill.fee_usd
                for fill in self._orders.fills
                if fill.side is Side.SELL
            ),
            start=Decimal(0),
        )
        return proceeds - self._orders.usable_cash_usd() + min(Decimal(0), real.usable_cash_usd)

    def _worth_of_moves(self) -> Decimal:
        """Return what the shares moved by this run are worth now; sales count below zero."""
        moves: dict[str, Decimal] = {}
        prices: dict[str, Decimal] = {}
        for fill in self._orders.fills:
            signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
            moves[fill.symbol] = moves.get(fill.symbol, Decimal(0)) + signed
            prices[fill.symbol] = fill.price_usd
        quotes = self._inner.quotes(tuple(moves)) if moves else {}
        prices |= {symbol: quote.price_usd for symbol, quote in quotes.items()}
        return sum(
            (money(prices[symbol], quantity) for symbol, quantity in moves.items()),
            start=Decimal(0),
        )
