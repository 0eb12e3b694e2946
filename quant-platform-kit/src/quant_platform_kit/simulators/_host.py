"""The far side of a wire: one simulated account that a protocol door and a control port share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    Fault,
    Faults,
    FaultSwitch,
    FrameMarket,
    Liquidity,
    SimulatedBroker,
    open_market,
)
from quant_platform_kit.brokers._book import Book
from quant_platform_kit.brokers._events import (
    Accepted,
    Cancelled,
    Event,
    Expired,
    Filled,
    Refused,
)
from quant_platform_kit.brokers._matching import enter, execution
from quant_platform_kit.contracts import (
    BrokerOrder,
    FeeModel,
    Fill,
    OrderRequest,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock, ExchangeCalendar, SimulatedClock, SystemClock, xnys
from quant_platform_kit.simulators._faults import WireFaults

Listener: TypeAlias = Callable[[BrokerOrder, tuple[Fill, ...]], None]
"""Told of an order that changed and of its new fills, under the host's lock: it only enqueues."""

# Real brokers take the same tag twice; the book does not. Between tag and number stands a sign
# that no tag has.
_MARK: Final = "\x1f"
_ID_LIMIT: Final = 40


class Door(Protocol):
    """A protocol served on a loopback port."""

    @property
    def port(self) -> int:
        """Where clients connect."""

    def drop_connections(self) -> None:
        """Cut every connection, as a network does; later ones are let in."""

    def refuse(self, refused: bool) -> None:  # noqa: FBT001 (a switch)
        """Refuse new connections while True, as a program that does not run."""

    def close(self) -> None:
        """Stop serving and cut every connection."""


Serve: TypeAlias = "Callable[[Host, int], Door]"
"""Opens a door of a host on a port; 0 takes a free one."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What a simulated account begins with.

    Parameters
    ----------
    account_id : str
    market : str
        As in `QPK_SIMULATED_MARKET`: paths of price files, or ``sample``.
    start : datetime or None
        The first instant, aware; None lets the machine's clock run.
    cash_usd : Decimal
    book_path : str, optional
        File of the book; the account lives in memory when absent.
    fees : FeeModel
    terms : AccountTerms
        Cash or margin, and when sales settle.
    liquidity : Liquidity
        How much of an order a session takes, and at what cost.
    actions : str, optional
        File of corporate actions; the market's prices are raw then.
    """

    account_id: str
    market: str
    start: datetime | None
    cash_usd: Decimal
    book_path: str | None = None
    fees: FeeModel = field(default_factory=FeeModel)
    terms: AccountTerms = field(default_factory=AccountTerms)
    liquidity: Liquidity = field(default_factory=Liquidity)
    actions: str | None = None


class Host:
    """One account, its market and its faults; everything is done under `lock`.

    Time moves only when `advance_to` is told to, unless the machine's clock runs. Orders and fills
    that this object shows carry the client's tag as `client_id`, or None where it gave none.

    Attributes
    ----------
    lock : threading.RLock
    broker : VenueBroker
        The book; ask it for money, positions, quotes and bars.
    market : FrameMarket
    clock : Clock
    calendar : ExchangeCalendar
    account_id : str
    book_path : Path or None
        File of the book; what a door has to remember for as long lies beside it.
    environment_label : str
        What doors call this environment where their protocol has a word for it.
    faults : Faults
        Of the book.
    wire : WireFaults
        Of the wire.
    requests : collections.Counter
        How often each operation was asked for; doors count.
    """

    environment_label: Final = "simulated"

    def __init__(self, options: HostOptions) -> None:
        self.lock = threading.RLock()
        self.account_id = options.account_id
        self.book_path = None if options.book_path is None else Path(options.book_path)
        self.calendar: ExchangeCalendar = xnys()
        self.clock: Clock = (
            SystemClock() if options.start is None else SimulatedClock(options.start)
        )
        self.market: FrameMarket = _opened(options.market, options.actions)
        self.faults = Faults()
        self.wire = WireFaults()
        self.broker = VenueBroker(
            options.account_id,
            self.market,
            self.clock,
            self.calendar,
            rules=TradingRules(fees=options.fees),
            opening_cash_usd=options.cash_usd,
            terms=options.terms,
            liquidity=options.liquidity,
            book_path=self.book_path,
            faults=self.faults,
        )
        self.requests: Counter[str] = Counter()
        self._listeners: list[Listener] = []
        self._seen = {order.broker_order_id: order for order in self.broker.orders()}
        self._seen_fills = len(self.broker.fills())

    def on_change(self, listener: Listener) -> None:
        """Call `listener` after every booking, fill, cancel and expiry from now on."""
        self._listeners.append(listener)

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def submit(
        self, request: OrderRequest, *, tagged: bool = True, under: Fault | None = None
    ) -> Submission:
        """Book an order under the client's tag, `request.client_id`.

        Tags may come twice. UNRESOLVED means that a fault of the book struck: the door cuts the
        connection and answers nothing.

        Parameters
        ----------
        request : OrderRequest
        tagged : bool
            False when the protocol carries no tag, and `client_id` is a placeholder.
        under : Fault, optional
            A fault of the book that strikes this order, whatever the switches say.
        """
        named = self._named(request, tagged=tagged)
        with self.lock:
            answer = self.broker.submit(named) if under is None else self.broker.take(named, under)
            self.settle()
            return answer

    def cancel(self, order_id: str) -> None:
        """Take a working order off the book; one that has ended stays as it is.

        Raises
        ------
        BrokerAnswerError
            When the account has no such order.
        """
        with self.lock:
            self.broker.cancel(order_id)
            self.settle()

    def fill(self, order_id: str) -> None:
        """Fill what is left of a working order at the price of now."""
        with self.lock:
            self.broker.fill(order_id)
            self.settle()

    def replace(self, order_id: str, request: OrderRequest, *, tagged: bool = True) -> Submission:
        """Put `request` in the place of what is left of a working order, or change nothing.

        `request.quantity` is that of the new order alone: a door whose protocol counts what the
        old one had filled subtracts it. The new order has an id of its own.
        """
        with self.lock:
            answer = self.broker.replace(order_id, self._named(request, tagged=tagged))
            self.settle()
            return answer

    def orders(self) -> tuple[BrokerOrder, ...]:
        """Return every order of the account, in order of submission."""
        with self.lock:
            self.settle()
            return tuple(_shown(order) for order in self.broker.orders())

    def order(self, order_id: str) -> BrokerOrder | None:
        """Return one order; None when the account has no such order."""
        with self.lock:
            self.settle()
            found = self.broker.order(order_id)
            return None if found is None else _shown(found)

    def fills(self, order_id: str | None = None) -> tuple[Fill, ...]:
        """Return the executions of one order, or of all, in order of execution."""
        with self.lock:
            self.settle()
            fills = self.broker.fills()
            return tuple(
                _tagged(f) for f in fills if order_id is None or f.broker_order_id == order_id
            )

    def request(self, order_id: str) -> OrderRequest:
        """Return what was asked for; its `client_id` is the book's own, not the tag."""
        with self.lock:
            return self.broker.request(order_id)

    # ── Time and market ────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Let happen what time alone does, and tell the listeners of all that changed."""
        with self.lock:
            for order, fills in self._changes():
                for listener in self._listeners:
                    listener(order, fills)

    def advance_to(self, instant: datetime) -> None:
        """Move the clock and settle.

        Raises
        ------
        ContractError
            When `instant` lies in the past, or the machine's clock runs.
        """
        with self.lock:
            if not isinstance(self.clock, SimulatedClock):
                raise ContractError("the simulator runs on the machine's clock, which nobody moves")
            self.clock.advance_to(instant)
            self.settle()

    def set_market(self, spec: str, actions: str | None = None) -> None:
        """Replace the market and what happens to its shares; working orders meet the new prices."""
        with self.lock:
            self.market = _opened(spec, actions)
            self.broker.set_market(self.market)
            self.settle()

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _named(self, request: OrderRequest, *, tagged: bool) -> OrderRequest:
        tag = request.client_id if tagged else ""
        name, count = tag, 1
        while not name or self.broker.find_order(name) is not None:
            count += 1
            end = f"{_MARK}{count}"
            name = tag[: _ID_LIMIT - len(end)] + end
        return replace(request, client_id=name)

    def _changes(self) -> Sequence[tuple[BrokerOrder, tuple[Fill, ...]]]:
        fills = self.broker.fills()[self._seen_fills :]
        self._seen_fills += len(fills)
        changed: list[tuple[BrokerOrder, tuple[Fill, ...]]] = []
        for order in self.broker.orders():
            order_id = order.broker_order_id
            if self._seen.get(order_id) != order:
                self._seen[order_id] = order
                mine = tuple(_tagged(fill) for fill in fills if fill.broker_order_id == order_id)
                changed.append((_shown(order), mine))
        return changed


class VenueBroker(SimulatedBroker):
    """The simulated broker with the views that only its own side has."""

    _requests: dict[str, OrderRequest]
    _changed_at: dict[str, datetime]

    def orders(self) -> tuple[BrokerOrder, ...]:
        """Return every order, in order of submission."""
        return tuple(self._present().orders.values())

    def order(self, order_id: str) -> BrokerOrder | None:
        """Return one order."""
        return self._present().orders.get(order_id)

    def fills(self) -> tuple[Fill, ...]:
        """Return every execution, in order of execution."""
        return tuple(self._present().fills)

    def request(self, order_id: str) -> OrderRequest:
        """Return what an order asked for."""
        return self._requests[order_id]

    def changed_at(self, order_id: str) -> datetime | None:
        """Return when an order last filled or ended; None when neither has happened."""
        return self._changed_at.get(order_id)

    @property
    def kind(self) -> AccountKind:
        """Whether the account is one of cash or margin."""
        return self._account_terms.kind

    def unsettled_usd(self) -> Decimal:
        """Return the part of the cash that sales brought and that cannot pay yet."""
        return self._present().unsettled_usd()

    def set_market(self, market: FrameMarket) -> None:
        """Trade on other prices from now on."""
        self._market = market

    def take(self, order: OrderRequest, fault: Fault) -> Submission:
        """Enter an order that a fault strikes."""
        return self._take(order, FaultSwitch(fault))

    def fill(self, order_id: str) -> None:
        """Execute what is left of a working order at its quote, whatever the session takes."""
        book = self._present()
        accepted = book.working[order_id]
        symbol = accepted.request.symbol
        price = self.quotes([symbol])[symbol].price_usd
        left = book.left_of(order_id)
        self._record((execution(book, accepted, left, price, self._terms(symbol, None)),))

    def replace(self, order_id: str, request: OrderRequest) -> Submission:
        """Cancel a working order and enter `request` as one event, or change nothing."""
        book = self._present()
        if order_id not in book.working:
            return Submission(SubmitOutcome.REJECTED, detail=f"Order {order_id} does not work.")
        cancelled = Cancelled(order_id, self._now())
        without = deepcopy(book)
        without.apply(cancelled)
        events = enter(without, request, self._terms(request.symbol, None))
        first = events[0]
        if isinstance(first, Refused):
            return Submission(SubmitOutcome.REJECTED, detail=first.detail)
        self._record((cancelled, *events))
        return Submission(SubmitOutcome.ACKED, broker_order_id=first.order_id)

    def _record(self, events: Sequence[Event]) -> None:
        super()._record(events)
        self._remember(events)

    def _load(self) -> Book:
        self._requests, self._changed_at = {}, {}
        book = super()._load()
        if self._file is not None:
            self._remember(self._file.read())
        return book

    def _remember(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Accepted | Refused):
                self._requests[event.order_id] = event.request
            elif isinstance(event, Cancelled | Expired):
                self._changed_at[event.order_id] = event.at
            elif isinstance(event, Filled):
                self._changed_at[event.fill.broker_order_id] = event.fill.at


def _opened(spec: str, actions: str | None) -> FrameMarket:
    return open_market(spec, None if actions is None else Path(actions))


def _tag(client_id: str | None) -> str | None:
    return (client_id or "").partition(_MARK)[0] or None


def _shown(order: BrokerOrder) -> BrokerOrder:
    return replace(order, client_id=_tag(order.client_id))


def _tagged(fill: Fill) -> Fill:
    return replace(fill, client_id=_tag(fill.client_id))
