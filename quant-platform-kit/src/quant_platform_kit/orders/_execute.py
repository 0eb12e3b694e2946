"""Sending legs and following them to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from quant_platform_kit.brokers import Broker
from quant_platform_kit.contracts import Fill, Leg, OrderStatus, SubmitOutcome, Verdict
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode
from quant_platform_kit.market import Clock
from quant_platform_kit.orders._journal import Journal, JournalOrder

_POLL_SECS = 1.0
_CLOCK_SKEW = timedelta(minutes=5)  # the broker's clock is not ours
_END_CODES = {
    OrderStatus.REJECTED: ReasonCode.ORDER_REJECTED,
    OrderStatus.CANCELLED: ReasonCode.NOT_FILLED,
    OrderStatus.EXPIRED: ReasonCode.NOT_FILLED,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending orders needs: the journal, the broker, and who is told about fills.

    Parameters
    ----------
    journal, broker, clock
    book_fills : callable
        Books new fills into the ledger; knows a duplicate when it sees one.
    fill_deadline_secs : float
        How long `settle` waits before it cancels what is still working.
    """

    journal: Journal
    broker: Broker
    clock: Clock
    book_fills: Callable[[Sequence[Fill]], None]
    fill_deadline_secs: float = 120.0


def send(
    desk: Desk, run_key: str, legs: Sequence[Leg], may_send: Callable[[Leg], Verdict]
) -> tuple[tuple[Leg, Verdict], ...]:
    """Submit `legs` one after the other and return those that were refused before the broker.

    `may_send` is asked immediately before each order, so a gate that closes in the middle stops
    the rest; it may also make a leg smaller. Each order's row is committed before the broker is
    called, and its answer after.
    """
    refused: list[tuple[Leg, Verdict]] = []
    for leg in legs:
        verdict = may_send(leg)
        if verdict.approved:
            _submit(desk, desk.journal.write(run_key, leg.limited(verdict)))
        else:
            refused.append((leg, verdict))
    return tuple(refused)


def settle(desk: Desk) -> None:
    """Follow every unfinished order to its end; cancel what is left at the deadline.

    An order that does not end even then stays unfinished and blocks its symbol.
    """
    deadline = desk.clock.now().timestamp() + desk.fill_deadline_secs
    while waiting := _still_working(desk):
        if desk.clock.now().timestamp() >= deadline:
            break
        desk.clock.sleep(_POLL_SECS)
    for order in waiting:
        _cancel(desk, order)


def recover(desk: Desk) -> tuple[JournalOrder, ...]:
    """Find out what became of every order an earlier attempt left behind.

    Asks the broker, never sends anything. An order the broker never saw is void; one that still
    works is cancelled, since the next plan starts from what is held.

    Returns
    -------
    tuple of JournalOrder
        Orders whose fate stays unknown; each blocks its symbol.
    """
    for order in _still_working(desk):
        _cancel(desk, order)
    return desk.journal.unfinished()


def _submit(desk: Desk, order: JournalOrder) -> None:
    answer = desk.broker.submit(order.request())
    if answer.outcome is SubmitOutcome.ACKED:
        desk.journal.mark(
            order.client_id, OrderStatus.SUBMITTED, broker_order_id=answer.broker_order_id
        )
    elif answer.outcome is SubmitOutcome.UNRESOLVED:
        desk.journal.mark(
            order.client_id,
            OrderStatus.UNRESOLVED,
            code=ReasonCode.ORDER_UNRESOLVED,
            detail=answer.detail,
        )
    else:
        desk.journal.mark(
            order.client_id,
            OrderStatus.REJECTED,
            code=ReasonCode.ORDER_REJECTED,
            detail=answer.detail,
        )


def _still_working(desk: Desk) -> tuple[JournalOrder, ...]:
    for order in desk.journal.unfinished():
        _learn(desk, order)
    return desk.journal.unfinished()


def _learn(desk: Desk, order: JournalOrder) -> None:
    """Ask the broker about one order and record the answer; its fills are booked before its end."""
    seen = desk.broker.find_order(order.client_id)
    if seen is None and order.broker_order_id is not None:
        raise BrokerAnswerError(
            f"The broker took the order {order.client_id} for {order.symbol} as "
            f"{order.broker_order_id}, and now does not know it. What became of it is unknown and "
            "nothing more was sent. Look for the order at the broker, then run again.",
            symbol=order.symbol,
        )
    if seen is None:
        desk.journal.mark(
            order.client_id,
            OrderStatus.CANCELLED,
            code=ReasonCode.NEVER_SENT,
            detail="The broker has no order with this client id.",
        )
        return
    if seen.filled_quantity:
        executions = desk.broker.fills_since(order.created_at - _CLOCK_SKEW)
        desk.book_fills([fill for fill in executions if fill.client_id == order.client_id])
    # A status may arrive before its executions: the order has not ended until the shares add up.
    complete = desk.journal.booked_quantity(order.client_id) == seen.filled_quantity
    desk.journal.mark(
        order.client_id,
        seen.status if complete else OrderStatus.PARTIAL,
        broker_order_id=seen.broker_order_id,
        code=_END_CODES.get(seen.status) if complete else None,
        detail=seen.detail,
    )


def _cancel(desk: Desk, order: JournalOrder) -> None:
    if order.broker_order_id is not None:
        desk.broker.cancel(order.broker_order_id)
    _learn(desk, order)
    desk.journal.mark(
        order.client_id,
        OrderStatus.UNRESOLVED,
        code=ReasonCode.NOT_FILLED,
        detail="Not filled before the deadline, and the cancel is not confirmed.",
    )
