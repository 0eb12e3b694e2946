"""Placing and cancelling: what a client asks the book, and what it is told, faults included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import BrokerOrder, Fill, SubmitOutcome
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators.tws._orders import Kind, News, OrderWriter, to_request
from quant_platform_kit.simulators.tws._queries import Refused, Venue

Change: TypeAlias = tuple[BrokerOrder, tuple[Fill, ...]]
Complain: TypeAlias = Callable[[int, int, str], bytes]
"""Writes an error about an order's number: code and text."""

_ORDER_FAULTS: Final = frozenset(
    {
        WireFault.REJECT,
        WireFault.REJECT_LATER,
        WireFault.INACTIVE,
        WireFault.PARTIAL_THEN_CANCEL,
        WireFault.ERROR_ON_LIVE_ORDER,
        WireFault.WARNING_ON_ORDER,
        WireFault.WARNING_AFTER_FILL,
        WireFault.LATE_STATUS,
        WireFault.DUPLICATE_PUSH,
        WireFault.LOST_PUSHES,
        WireFault.PUSH_BEFORE_REPLY,
    }
)
_CANCEL_FAULTS: Final = frozenset({WireFault.CANCEL_REFUSED, WireFault.FILL_BEATS_CANCEL})
_UNDER: Final = {
    WireFault.REJECT: Fault.REJECT,
    WireFault.REJECT_LATER: Fault.NO_FILL,
    WireFault.INACTIVE: Fault.NO_FILL,
    WireFault.PARTIAL_THEN_CANCEL: Fault.PARTIAL_FILL,
}
_ENDED_BY_VENUE: Final = {
    WireFault.REJECT_LATER: (201, "Order rejected - reason: refused by the exchange."),
    WireFault.PARTIAL_THEN_CANCEL: (202, "Order Canceled - reason: no more liquidity."),
}
_CANCELLED: Final = (202, "Order Canceled - reason:")
_NOTICE: Final = (10349, "Order TIF was set to DAY based on order preset.")
_WARNING: Final = (399, "Order Message: your order will be held until the open.")


class Cut(Exception):
    """The connection breaks before anything is answered."""


class Desk:
    """Takes the orders of every client of a door; used under the host's lock."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._host = venue.host
        self._collected: list[Change] | None = None

    def collect(self, order: BrokerOrder, fills: tuple[Fill, ...]) -> bool:
        """Keep a change for the one who causes it just now; False when nobody does."""
        if self._collected is None:
            return False
        self._collected.append((order, fills))
        return True

    def place(
        self, client: int, asked: Mapping[str, str], writer: OrderWriter, complain: Complain
    ) -> list[bytes]:
        """Book an order and return what its client is told.

        Raises
        ------
        Refused
            When it never becomes an order.
        Cut
            When the client is told nothing; the order may be booked.
        """
        number = int(asked["orderId"])
        self._check(client, number, asked)
        try:
            request = to_request(asked)
        except ContractError as error:
            raise Refused(321, error.message) from error
        switch = self._host.wire.strike(_ORDER_FAULTS, "order", request.symbol)
        fault = None if switch is None else switch.fault
        with self._collecting() as changes:
            tagged = bool(asked["orderRef"])
            under = None if fault is None else _UNDER.get(fault)
            answer = self._host.submit(request, tagged=tagged, under=under)
        order_id = answer.broker_order_id
        if order_id is not None:
            self._venue.numbers.note(order_id, client, number)
        if answer.outcome is SubmitOutcome.UNRESOLVED or order_id is None:
            raise Cut
        if fault is WireFault.INACTIVE:
            self._venue.inactive.add(order_id)
        told = self._told(order_id, changes, writer, first=True)
        if answer.outcome is SubmitOutcome.REJECTED:
            reason = f"Order rejected - reason:{answer.detail}"
            return [complain(number, 201, reason), *(news.frame for news in told)]
        frames = self._shaped(told, fault, lambda code, text: complain(number, code, text))
        return [*frames, *self._ended(order_id, fault, writer, complain)]

    def cancel(
        self, client: int, number: int, writer: OrderWriter, complain: Complain
    ) -> list[bytes]:
        """Cancel an order and return what its client is told.

        Raises
        ------
        Refused
            When there is nothing to cancel.
        """
        order_id = self._venue.numbers.order_id(client, number)
        order = None if order_id is None else self._host.order(order_id)
        if order is None or order_id is None:
            raise Refused(10147, f"OrderId {number} that needs to be cancelled is not found.")
        switch = self._host.wire.strike(_CANCEL_FAULTS, "cancel", order.symbol)
        if switch is not None and switch.fault is WireFault.CANCEL_REFUSED:
            raise Refused(161, "Cancel attempted when order is not in a cancellable state.")
        frames: list[bytes] = []
        if switch is not None:
            with self._collecting() as changes:
                self._host.fill(order_id)
            frames = [news.frame for news in self._told(order_id, changes, writer, first=False)]
        if switch is not None or order.status.is_final:
            text = f"OrderId {number} that needs to be cancelled can not be cancelled."
            return [*frames, complain(number, 10148, text)]
        return self._end(order_id, _CANCELLED, writer, complain)

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _check(self, client: int, number: int, asked: Mapping[str, str]) -> None:
        if self._venue.numbers.taken(client, number):
            raise Refused(103, "Duplicate order id")
        if not asked["account"] and self._venue.decoys:
            raise Refused(435, "You must specify an account.")
        if asked["account"] not in {"", self._host.account_id}:
            raise Refused(201, "Order rejected - reason: this account takes no orders here.")

    def _told(
        self, order_id: str, changes: Sequence[Change], writer: OrderWriter, *, first: bool
    ) -> list[News]:
        told: list[News] = []
        for order, fills in changes:
            if order.broker_order_id == order_id:
                request = self._host.request(order_id)
                told += writer.news(self._venue.shown(order), request, fills, first=first)
        return told

    def _shaped(
        self, told: list[News], fault: WireFault | None, complain: Callable[[int, str], bytes]
    ) -> list[bytes]:
        """Leave out, repeat or reorder messages as a fault wants it."""
        orders = [news.frame for news in told if news.kind is Kind.ORDER]
        executions = [news.frame for news in told if news.kind is Kind.EXECUTION]
        ends = [news.frame for news in told if news.kind is Kind.END]
        usual = [news.frame for news in told]
        shapes = {
            WireFault.ERROR_ON_LIVE_ORDER: [complain(*_NOTICE)],
            WireFault.WARNING_ON_ORDER: [complain(*_WARNING), *usual],
            WireFault.WARNING_AFTER_FILL: [*usual, complain(*_WARNING)],
            WireFault.LATE_STATUS: [*orders, *ends],
            WireFault.DUPLICATE_PUSH: [*usual, *usual],
            WireFault.LOST_PUSHES: orders,
            WireFault.PUSH_BEFORE_REPLY: [*executions, *ends, *orders],
        }
        return usual if fault is None else shapes.get(fault, usual)

    def _ended(
        self, order_id: str, fault: WireFault | None, writer: OrderWriter, complain: Complain
    ) -> list[bytes]:
        if fault is WireFault.REJECT_LATER:
            self._venue.refused_later.add(order_id)
        if fault is WireFault.LATE_STATUS:
            self._venue.unlist(order_id)
        ended = None if fault is None else _ENDED_BY_VENUE.get(fault)
        return [] if ended is None else self._end(order_id, ended, writer, complain)

    def _end(
        self, order_id: str, words: tuple[int, str], writer: OrderWriter, complain: Complain
    ) -> list[bytes]:
        _, number = self._venue.numbers.pair(order_id)
        with self._collecting() as changes:
            self._host.cancel(order_id)
        told = self._told(order_id, changes, writer, first=False)
        return [*(news.frame for news in told), complain(number, *words)]

    @contextmanager
    def _collecting(self) -> Iterator[list[Change]]:
        changes: list[Change] = []
        self._collected = changes
        try:
            yield changes
        finally:
            self._collected = None
