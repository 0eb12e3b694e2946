"""The book of one simulated account: a pure fold of events, without clock, prices or I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from quant_platform_kit.brokers._events import (
    Accepted,
    Cancelled,
    Event,
    Expired,
    Filled,
    Opened,
    Priced,
    Refused,
)
from quant_platform_kit.contracts import (
    BrokerOrder,
    FeeModel,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Side,
)
from quant_platform_kit.errors import BrokerAnswerError

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_COST_STEP: Final = Decimal("0.0001")  # as brokers show an average cost


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one symbol and what they cost together, without fees; None when unknown."""

    quantity: Decimal
    cost_usd: Decimal | None

    def position(self, symbol: str) -> Position:
        """Return the holding as the port reports it."""
        if self.cost_usd is None:
            return Position(symbol, self.quantity)
        return Position(symbol, self.quantity, (self.cost_usd / self.quantity).quantize(_COST_STEP))


@dataclass(slots=True)
class Book:
    """State of an account after some events; `apply` is its only way to change.

    Two books that saw the same events are equal.

    Parameters
    ----------
    fees : FeeModel
        What a working purchase has to keep in reserve.
    prefix : str
        Begins every order and fill id, so that ids of different books are told apart.
    triggers : dict of str to Decimal
        What each stop waits for now; one that was triggered has none any more.
    tape : dict of str to Priced
        The latest price of each symbol since an order waits for one.
    charged_usd : dict of str to Decimal
        Fees of each order's executions.
    """

    fees: FeeModel = field(default_factory=FeeModel)
    prefix: str = "sim"
    cash_usd: Decimal = _ZERO
    withheld_usd: Decimal = _ZERO
    last_at: datetime | None = None
    holdings: dict[str, Holding] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    working: dict[str, Accepted] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    triggers: dict[str, Decimal] = field(default_factory=dict)
    tape: dict[str, Priced] = field(default_factory=dict)
    charged_usd: dict[str, Decimal] = field(default_factory=dict)
    _by_client_id: dict[str, str] = field(default_factory=dict)

    # ── What it answers ────────────────────────────────────────────────────────────────

    def positions(self) -> tuple[Position, ...]:
        """Return every holding, sorted by symbol."""
        return tuple(self.holdings[symbol].position(symbol) for symbol in sorted(self.holdings))

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders in order of submission."""
        return tuple(self.orders[order_id] for order_id in self.working)

    def find(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this client id, whatever became of it."""
        order_id = self._by_client_id.get(client_id)
        return None if order_id is None else self.orders[order_id]

    def held(self, symbol: str) -> Decimal:
        """Return the shares held."""
        holding = self.holdings.get(symbol)
        return _ZERO if holding is None else holding.quantity

    def free_shares(self, symbol: str) -> Decimal:
        """Return the shares held that no working sale has promised away."""
        promised = sum(
            (
                self.left_of(order_id)
                for order_id, accepted in self.working.items()
                if accepted.request.side is Side.SELL and accepted.request.symbol == symbol
            ),
            start=_ZERO,
        )
        return self.held(symbol) - promised

    def usable_cash_usd(self) -> Decimal:
        """Return the cash that no working purchase has reserved; sale proceeds count at once."""
        reserved = sum(
            (
                self.reserved_usd(accepted)
                for accepted in self.working.values()
                if accepted.request.side is Side.BUY
            ),
            start=_ZERO,
        )
        return self.cash_usd - self.withheld_usd - reserved

    def reserved_usd(self, accepted: Accepted) -> Decimal:
        """Return the cash that a working purchase keeps for what is left of it."""
        left = self.left_of(accepted.order_id)
        price = accepted.price_usd
        return money(price, left) + self.fee(accepted.order_id, left, price)

    def left_of(self, order_id: str) -> Decimal:
        """Return the quantity of an order that is not filled."""
        order = self.orders[order_id]
        return order.quantity - order.filled_quantity

    def fee(self, order_id: str, quantity: Decimal, price_usd: Decimal) -> Decimal:
        """Return the fee of the next `quantity` shares of an order at a price.

        Fees are those of the whole order, so a minimum is charged once, however it fills.
        """
        order = self.orders.get(order_id)
        before = _ZERO if order is None else order.filled_quantity
        charged = self.charged_usd.get(order_id, _ZERO)
        return max(_ZERO, self.fees.fee(before + quantity, price_usd) - charged)

    def next_order_id(self) -> str:
        """Return the id of the next order."""
        return f"{self.prefix}-{len(self.orders) + 1:06d}"

    def next_fill_id(self) -> str:
        """Return the id of the next fill."""
        return f"{self.prefix}-fill-{len(self.fills) + 1:06d}"

    # ── What happens to it ─────────────────────────────────────────────────────────────

    def apply(self, *events: Event) -> None:
        """Let events happen, one after the other.

        Raises
        ------
        BrokerAnswerError
            When an event cannot follow what happened before.
        """
        for event in events:
            match event:
                case Opened():
                    self._open(event)
                case Accepted():
                    self._accept(event)
                case Priced():
                    self._price(event)
                case Refused():
                    self._enter(
                        event.order_id,
                        event.request,
                        OrderStatus.REJECTED,
                        event.at,
                        event.detail,
                    )
                case Filled():
                    self._fill(event.fill)
                case Cancelled():
                    self._end(event.order_id, OrderStatus.CANCELLED, "Cancelled on request.")
                case Expired():
                    self._end(event.order_id, OrderStatus.EXPIRED, event.detail)
            self.last_at = event.at

    def _open(self, opened: Opened) -> None:
        self.cash_usd = opened.cash_usd
        self.withheld_usd = opened.withheld_usd
        for position in opened.positions:
            average = position.average_cost_usd
            cost = None if average is None else money(average, position.quantity)
            self.holdings[position.symbol] = Holding(position.quantity, cost)

    def _accept(self, accepted: Accepted) -> None:
        order_id, trigger = accepted.order_id, accepted.trigger_usd
        self.working[order_id] = accepted
        self._enter(order_id, accepted.request, OrderStatus.SUBMITTED, accepted.at)
        if trigger is not None:
            self._set_trigger(order_id, trigger)

    def _price(self, priced: Priced) -> None:
        """Let a trailing trigger follow the price, and take away those that were reached."""
        self.tape[priced.symbol] = priced
        for order_id, accepted in self.working.items():
            request, trigger = accepted.request, self.triggers.get(order_id)
            if trigger is None or request.symbol != priced.symbol:
                continue
            if is_reached(request.side, trigger, priced.price_usd):
                del self.triggers[order_id]
            elif request.order_type is OrderType.TRAILING_STOP:
                self._set_trigger(order_id, trailed(request, trigger, priced.price_usd))

    def _set_trigger(self, order_id: str, trigger_usd: Decimal) -> None:
        self.triggers[order_id] = trigger_usd
        order = self.orders[order_id]
        self.orders[order_id] = replace(order, trigger_price_usd=trigger_usd)

    def _enter(
        self,
        order_id: str,
        request: OrderRequest,
        status: OrderStatus,
        at: datetime,
        detail: str = "",
    ) -> None:
        if order_id in self.orders or request.client_id in self._by_client_id:
            raise _impossible(f"order {order_id} stands twice")
        self._by_client_id[request.client_id] = order_id
        self.orders[order_id] = BrokerOrder(
            broker_order_id=order_id,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            filled_quantity=_ZERO,
            status=status,
            submitted_at=at,
            detail=detail,
            order_type=request.order_type,
        )

    def _fill(self, fill: Fill) -> None:
        order = self._working_order(fill.broker_order_id)
        if order.client_id != fill.client_id:
            raise _impossible(f"fill {fill.fill_id} does not belong to its order")
        self._hold(fill)
        filled = order.filled_quantity + fill.quantity
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIAL
        self.orders[order.broker_order_id] = replace(order, filled_quantity=filled, status=status)
        self.fills.append(fill)
        charged = self.charged_usd.get(order.broker_order_id, _ZERO)
        self.charged_usd[order.broker_order_id] = charged + fill.fee_usd
        if status.is_final:
            self._leave(order.broker_order_id)

    def _hold(self, fill: Fill) -> None:
        amount = money(fill.price_usd, fill.quantity)
        held = self.holdings.get(fill.symbol, Holding(_ZERO, _ZERO))
        if fill.side is Side.BUY:
            cost = None if held.cost_usd is None else held.cost_usd + amount
            self.holdings[fill.symbol] = Holding(held.quantity + fill.quantity, cost)
            self.cash_usd -= amount + fill.fee_usd
            return
        left = held.quantity - fill.quantity
        if left < _ZERO:
            raise _impossible(f"fill {fill.fill_id} sells {fill.symbol} that is not held")
        if left:
            cost = None if held.cost_usd is None else money(held.cost_usd / held.quantity, left)
            self.holdings[fill.symbol] = Holding(left, cost)
        else:
            del self.holdings[fill.symbol]
        self.cash_usd += amount - fill.fee_usd

    def _end(self, order_id: str, status: OrderStatus, detail: str) -> None:
        order = self._working_order(order_id)
        self.orders[order_id] = replace(order, status=status, detail=detail)
        self._leave(order_id)

    def _leave(self, order_id: str) -> None:
        del self.working[order_id]
        self.triggers.pop(order_id, None)

    def _working_order(self, order_id: str) -> BrokerOrder:
        if order_id not in self.working:
            raise _impossible(f"order {order_id} is not working")
        return self.orders[order_id]


def replay(events: Iterable[Event], *, fees: FeeModel, prefix: str = "sim") -> Book:
    """Return the book that saw `events`."""
    book = Book(fees=fees, prefix=prefix)
    book.apply(*events)
    return book


def is_reached(side: Side, trigger_usd: Decimal, price_usd: Decimal) -> bool:
    """Tell whether a price is at a stop's trigger or beyond: below it for a sale."""
    return price_usd <= trigger_usd if side is Side.SELL else price_usd >= trigger_usd


def trailed(request: OrderRequest, trigger_usd: Decimal | None, price_usd: Decimal) -> Decimal:
    """Return where a trailing stop's trigger stands at a price; it only ever comes closer.

    Parameters
    ----------
    request : OrderRequest
        With its ratio.
    trigger_usd : Decimal or None
        Where it stood.
    price_usd : Decimal
    """
    ratio = request.trailing_ratio or _ZERO
    if request.side is Side.SELL:
        follows = (price_usd * (1 - ratio)).quantize(_CENT, ROUND_FLOOR)
        follows = max(follows, _CENT)
        return follows if trigger_usd is None else max(trigger_usd, follows)
    follows = (price_usd * (1 + ratio)).quantize(_CENT, ROUND_CEILING)
    return follows if trigger_usd is None else min(trigger_usd, follows)


def money(price_usd: Decimal, quantity: Decimal) -> Decimal:
    """Return price times quantity in USD, to the cent."""
    return (price_usd * quantity).quantize(_CENT)


def _impossible(what: str) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"The account's book contradicts itself: {what}. Nothing was sent. Compare the account "
        "with the ledger; a simulated book that was edited or mixed up has to be replaced."
    )
