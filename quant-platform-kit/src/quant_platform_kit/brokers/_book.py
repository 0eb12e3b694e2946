"""The book of one simulated account: a pure fold of events, without clock, prices or I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers._events import (
    Accepted,
    Cancelled,
    Event,
    Expired,
    Filled,
    Moved,
    Opened,
    Paid,
    Priced,
    Refused,
    Settled,
    Split,
)
from quant_platform_kit.brokers._tallies import Holding, Tally
from quant_platform_kit.brokers._triggers import is_reached, trailed
from quant_platform_kit.contracts import (
    BrokerOrder,
    CashMovement,
    FeeModel,
    Fill,
    MovementKind,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Side,
)
from quant_platform_kit.errors import BrokerAnswerError

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_NOTHING: Final = Tally()


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
    tallies : dict of str to Tally
        Of each order that was executed.
    unsettled : dict of datetime to Decimal
        Proceeds that are cash already and pay for purchases only from then on.
    movements : list of CashMovement
        What moved the cash beside trades, in order.
    acted : set of tuple
        Kind, symbol and ex-date of each corporate action that changed the account.
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
    tallies: dict[str, Tally] = field(default_factory=dict)
    unsettled: dict[datetime, Decimal] = field(default_factory=dict)
    movements: list[CashMovement] = field(default_factory=list)
    acted: set[tuple[type[Event], str, date]] = field(default_factory=set)
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

    def held_before(self, symbol: str, instant: datetime) -> Decimal:
        """Return the shares held when `instant` began."""
        shares = self.held(symbol)
        for fill in reversed(self.fills):
            if fill.at < instant:
                break
            if fill.symbol == symbol:
                shares -= fill.quantity if fill.side is Side.BUY else -fill.quantity
        return shares

    def traded_on(self, symbol: str, day: date) -> Decimal:
        """Return the shares bought and sold on a UTC day, which holds one session."""
        shares = _ZERO
        for fill in reversed(self.fills):
            if fill.at.date() < day:
                break
            if fill.symbol == symbol:
                shares += fill.quantity
        return shares

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

    def unsettled_usd(self) -> Decimal:
        """Return the part of the cash that sales brought and that cannot pay yet."""
        return sum(self.unsettled.values(), start=_ZERO)

    def usable_cash_usd(self) -> Decimal:
        """Return the settled cash that no working purchase has reserved."""
        reserved = sum(
            (
                self.reserved_usd(accepted)
                for accepted in self.working.values()
                if accepted.request.side is Side.BUY
            ),
            start=_ZERO,
        )
        return self.cash_usd - self.withheld_usd - self.unsettled_usd() - reserved

    def reserved_usd(self, accepted: Accepted) -> Decimal:
        """Return the cash that a working purchase keeps for what is left of it.

        Never more than it began with less what it spent: parts that are rounded one by one could
        otherwise reserve a cent that nobody has.
        """
        left, price = self.left_of(accepted.order_id), accepted.price_usd
        quantity = accepted.request.quantity
        needed = money(price, left) + self.fee(accepted.order_id, left, price)
        at_first = money(price, quantity) + self.fees.fee(quantity, price)
        spent = self.tallies.get(accepted.order_id, _NOTHING).spent_usd
        return max(_ZERO, min(needed, at_first - spent))

    def left_of(self, order_id: str) -> Decimal:
        """Return the quantity of an order that is not filled."""
        order = self.orders[order_id]
        return order.quantity - order.filled_quantity

    def fee(self, order_id: str, quantity: Decimal, price_usd: Decimal) -> Decimal:
        """Return the fee of the next `quantity` shares of an order at a price.

        Fees are those of the whole order, so a minimum is charged once, however it fills.
        """
        before = self.tallies.get(order_id, _NOTHING)
        rated = before.rated_usd + quantity * self.fees.rate(price_usd)
        notional = before.notional_usd + quantity * price_usd
        return max(_ZERO, self.fees.charge(rated, notional) - before.fees_usd)

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
                case Accepted() | Refused() | Filled() | Cancelled() | Expired():
                    self._change_order(event)
                case Opened():
                    self._open(event)
                case Priced():
                    self._price(event)
                case Settled():
                    self._settle(event)
                case Paid() | Split():
                    self._act(event)
                case Moved():
                    self._move_cash(f"cash-{len(self.movements) + 1:06d}", event)
            self.last_at = event.at

    def _change_order(self, event: Accepted | Refused | Filled | Cancelled | Expired) -> None:
        match event:
            case Accepted():
                self._accept(event)
            case Refused(order_id, request, detail, at):
                self._enter(order_id, request, OrderStatus.REJECTED, at, detail)
            case Filled():
                self._fill(event)
            case Cancelled():
                self._end(event.order_id, OrderStatus.CANCELLED, event.detail)
            case Expired():
                self._end(event.order_id, OrderStatus.EXPIRED, event.detail)

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

    def _fill(self, filled: Filled) -> None:
        fill = filled.fill
        order = self._working_order(fill.broker_order_id)
        if order.client_id != fill.client_id:
            raise _impossible(f"fill {fill.fill_id} does not belong to its order")
        self._hold(fill)
        self._withhold(filled)
        quantity = order.filled_quantity + fill.quantity
        status = OrderStatus.FILLED if quantity == order.quantity else OrderStatus.PARTIAL
        self.orders[order.broker_order_id] = replace(order, filled_quantity=quantity, status=status)
        self.fills.append(fill)
        before = self.tallies.get(order.broker_order_id, _NOTHING)
        self.tallies[order.broker_order_id] = Tally(
            before.rated_usd + fill.quantity * self.fees.rate(fill.price_usd),
            before.notional_usd + fill.quantity * fill.price_usd,
            before.amount_usd + money(fill.price_usd, fill.quantity),
            before.fees_usd + fill.fee_usd,
        )
        if status.is_final:
            self._leave(order.broker_order_id)

    def _withhold(self, filled: Filled) -> None:
        fill, settles_at = filled.fill, filled.settles_at
        proceeds = money(fill.price_usd, fill.quantity) - fill.fee_usd
        if settles_at is not None and proceeds > _ZERO:
            self.unsettled[settles_at] = self.unsettled.get(settles_at, _ZERO) + proceeds

    def _settle(self, settled: Settled) -> None:
        if self.unsettled.pop(settled.at, None) != settled.amount_usd:
            raise _impossible(f"{settled.amount_usd} USD settle that no sale brought")

    def _act(self, event: Paid | Split) -> None:
        key = (type(event), event.symbol, event.ex_date)
        if key in self.acted:
            raise _impossible(f"an action of {event.symbol} on {event.ex_date} happens twice")
        self.acted.add(key)
        match event:
            case Paid(amount_usd=amount):
                name, kind, text = "dividend", MovementKind.DIVIDEND, "cash dividend"
            case Split(paid_usd=amount):
                name, kind, text = "split", MovementKind.OTHER, "cash in lieu"
                self._split(event)
        moved = Moved(kind, amount, event.at, event.symbol, f"{event.symbol} {text}")
        self._move_cash(f"{name}-{event.symbol}-{event.ex_date}", moved)

    def _move_cash(self, name: str, moved: Moved) -> None:
        self.cash_usd += moved.amount_usd
        if moved.amount_usd:
            self.movements.append(
                CashMovement(
                    f"{self.prefix}-{name}",
                    moved.at,
                    moved.amount_usd,
                    moved.kind,
                    moved.symbol,
                    moved.text,
                )
            )

    def _split(self, split: Split) -> None:
        """Exchange the shares; what they cost together stays, whatever is left of them."""
        if self.held(split.symbol) != split.before:
            raise _impossible(f"a split of {split.before} {split.symbol} that are not held")
        if split.after:
            held = self.holdings[split.symbol]
            self.holdings[split.symbol] = replace(held, quantity=split.after)
        else:
            del self.holdings[split.symbol]

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


def money(price_usd: Decimal, quantity: Decimal) -> Decimal:
    """Return price times quantity in USD, to the cent."""
    return (price_usd * quantity).quantize(_CENT)


def _impossible(what: str) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"The account's book contradicts itself: {what}. Nothing was sent. Compare the account "
        "with the ledger; a simulated book that was edited or mixed up has to be replaced."
    )
