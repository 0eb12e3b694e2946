"""Sending legs and following them to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from quant_platform_kit.brokers import Broker
from quant_platform_kit.contracts import (
    Fill,
    Leg,
    OrderStatus,
    OrderType,
    Purpose,
    SubmitOutcome,
    TimeInForce,
    Verdict,
)
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode
from quant_platform_kit.market import Clock
from quant_platform_kit.orders._journal import Journal
from quant_platform_kit.orders._rows import Draft, JournalOrder

_POLL_SECS = 1.0
_CANCEL_SECS = 10.0  # until a cancel that was asked for is confirmed
_CLOCK_SKEW = timedelta(minutes=5)  # the broker's clock is not ours
_SESSION = timedelta(hours=12)  # an order that was sent longer ago is of an earlier session
_RESTED_LONG = timedelta(days=60)  # brokers end a resting order after months, or look no farther
_LATE = timedelta(days=5)  # how long after an order's end an execution of it may still turn up
_END_CODES = {
    OrderStatus.REJECTED: ReasonCode.ORDER_REJECTED,
    OrderStatus.CANCELLED: ReasonCode.NOT_FILLED,
    OrderStatus.EXPIRED: ReasonCode.NOT_FILLED,
}
_STOP_END_CODES = _END_CODES | {
    OrderStatus.CANCELLED: ReasonCode.STOP_REMOVED,
    OrderStatus.EXPIRED: ReasonCode.STOP_REMOVED,
    OrderStatus.FILLED: ReasonCode.STOP_FILLED,
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
    desk: Desk,
    run_key: str,
    legs: Sequence[Leg],
    may_send: Callable[[Leg], Verdict],
    *,
    purpose: Purpose = Purpose.REBALANCE,
) -> tuple[tuple[Leg, Verdict], ...]:
    """Submit `legs` one after the other and return those that were refused before the broker.

    All of them are written first, PENDING, so their order is fixed. `may_send` is asked
    immediately before each order, so a gate that closes in the middle stops the rest; it may also
    make a leg smaller. A stop that rests on the symbol is taken off next, since it holds the
    shares: when it filled meanwhile, or its end is not known, the leg is refused. Then the row
    says SUBMITTING, committed before the broker is called, and the answer is recorded after.
    """
    refused: list[tuple[Leg, Verdict]] = []
    drafts = [Draft(leg, purpose) for leg in legs]
    stops = _stops(desk) if drafts else {}
    for order in desk.journal.write(run_key, drafts):
        verdict = may_send(order.leg)
        objection = verdict
        if verdict.approved:
            objection = taken_off(desk, stops.get(order.symbol, ()))
        if objection.approved:
            sent = desk.journal.submitting(order, order.leg.limited(verdict))
            submit(desk, sent, verdict)
        else:
            withdraw(desk, order, objection)
            refused.append((order.leg, objection))
    return tuple(refused)


def settle(desk: Desk) -> None:
    """Follow every unfinished order to its end; cancel what is left at the deadline.

    An order that does not end even then stays unfinished and blocks its symbol. Stops that rest
    at the broker are left alone.
    """
    deadline = desk.clock.now().timestamp() + desk.fill_deadline_secs
    while waiting := _still_working(desk):
        if desk.clock.now().timestamp() >= deadline:
            break
        desk.clock.sleep(_POLL_SECS)
    cancel(desk, waiting)


def recover(desk: Desk) -> tuple[JournalOrder, ...]:
    """Find out what became of every order that earlier runs left behind.

    Asks the broker, never sends anything. An order that was never handed over, or that the broker
    never saw, is void; one that still works is cancelled, since the next plan starts from what is
    held. A stop that rests is meant to: it is only asked whether it filled. Executions of orders
    that had ended are booked as well. Of an order that the broker shows no more, see `conclude`.

    Returns
    -------
    tuple of JournalOrder
        Orders whose fate stays unknown; each blocks its symbol.
    """
    desk.journal.withdraw_pending()
    book_late_fills(desk)
    for order in desk.journal.resting():
        learn(desk, order)
    cancel(desk, _still_working(desk))
    return desk.journal.unfinished()


def cancel(desk: Desk, orders: Sequence[JournalOrder]) -> tuple[JournalOrder, ...]:
    """Take orders off the broker's book and learn their end; what filled before is booked.

    Returns
    -------
    tuple of JournalOrder
        Those whose cancel is not confirmed: UNRESOLVED, each blocks its symbol.
    """
    asked = [order for order in orders if _ask_to_cancel(desk, order)]
    deadline = desk.clock.now().timestamp() + _CANCEL_SECS
    while waiting := _not_ended(desk, asked):
        if desk.clock.now().timestamp() >= deadline:
            break
        desk.clock.sleep(_POLL_SECS)
    for order in waiting:
        desk.journal.mark(
            order.client_id,
            OrderStatus.UNRESOLVED,
            code=ReasonCode.NOT_FILLED,
            detail="Not filled before the deadline, and the cancel is not confirmed.",
        )
    return tuple(order for order in _as_recorded(desk, orders) if not order.status.is_final)


def submit(desk: Desk, order: JournalOrder, verdict: Verdict | None = None) -> None:
    """Hand over one order whose row says SUBMITTING, and record the broker's answer.

    The checks that let it go are kept with the answer: before, every commit costs time in which
    the price moves.
    """
    answer = desk.broker.submit(order.request())
    if answer.outcome is SubmitOutcome.ACKED:
        desk.journal.mark(
            order.client_id,
            OrderStatus.SUBMITTED,
            broker_order_id=answer.broker_order_id,
            verdict=verdict,
        )
    elif answer.outcome is SubmitOutcome.UNRESOLVED:
        desk.journal.mark(
            order.client_id,
            OrderStatus.UNRESOLVED,
            code=ReasonCode.ORDER_UNRESOLVED,
            detail=answer.detail,
            verdict=verdict,
        )
    else:
        sent = answer.outcome is not SubmitOutcome.DENIED
        desk.journal.mark(
            order.client_id,
            OrderStatus.REJECTED,
            code=ReasonCode.ORDER_REJECTED if sent else ReasonCode.NEVER_SENT,
            detail=answer.detail,
            verdict=verdict,
        )


def is_of_an_earlier_session(desk: Desk, order: JournalOrder) -> bool:
    """Tell whether an order was sent so long ago that a broker may not show it any more."""
    return order.sent_at is not None and desk.clock.now() - order.sent_at > _SESSION


def has_rested_long(desk: Desk, order: JournalOrder) -> bool:
    """Tell whether an order may have been ended for its age, or rest and be shown no more."""
    if order.sent_at is None or order.terms.time_in_force is not TimeInForce.GTC:
        return False
    return desk.clock.now() - order.sent_at > _RESTED_LONG


def learn(desk: Desk, order: JournalOrder) -> bool:
    """Ask the broker about one order and record the answer; its fills are booked before its end.

    Returns
    -------
    bool
        False when it is of an earlier session and not shown any more, as by brokers that tell of
        today alone: it is UNRESOLVED then, and what the account holds has to tell.

    Raises
    ------
    BrokerAnswerError
        When the broker took it in this session and does not know it.
    """
    seen = desk.broker.find_order(order.client_id)
    if seen is None and is_of_an_earlier_session(desk, order):
        desk.journal.mark(
            order.client_id,
            OrderStatus.UNRESOLVED,
            code=ReasonCode.ORDER_UNRESOLVED,
            detail="It is of an earlier session, and the broker does not show it any more.",
        )
        return False
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
        return True
    if seen.filled_quantity:
        executions = desk.broker.fills_since(order.created_at - _CLOCK_SKEW)
        _book(desk, [fill for fill in executions if fill.client_id == order.client_id])
    # A status may arrive before its executions: the order has not ended until the shares add up.
    complete = desk.journal.booked_quantity(order.client_id) == seen.filled_quantity
    codes = _STOP_END_CODES if order.purpose.protects else _END_CODES
    trails = order.terms.order_type is OrderType.TRAILING_STOP
    desk.journal.mark(
        order.client_id,
        seen.status if complete else OrderStatus.PARTIAL,
        broker_order_id=seen.broker_order_id,
        code=codes.get(seen.status) if complete else None,
        detail=seen.detail,
        trigger_usd=seen.trigger_price_usd if trails else None,
    )
    return True


def _ask_to_cancel(desk: Desk, order: JournalOrder) -> bool:
    """Ask, where there is somebody to ask; False for an order that the broker shows no more."""
    if order.status is OrderStatus.PENDING:
        desk.journal.mark(order.client_id, OrderStatus.CANCELLED, code=ReasonCode.NEVER_SENT)
        return True
    # One whose answer was lost the broker knows under its own id, and an old one perhaps not.
    if order.broker_order_id is None or is_of_an_earlier_session(desk, order):
        if not learn(desk, order):
            return False
        order = desk.journal.get(order.client_id)
    if order.broker_order_id is not None and not order.status.is_final:
        desk.broker.cancel(order.broker_order_id)
    return True


def _still_working(desk: Desk) -> tuple[JournalOrder, ...]:
    """Return what is unfinished and shown: of the others no waiting makes an end."""
    shown = {order.client_id for order in desk.journal.unfinished() if learn(desk, order)}
    return tuple(order for order in desk.journal.unfinished() if order.client_id in shown)


def _not_ended(desk: Desk, orders: Sequence[JournalOrder]) -> tuple[JournalOrder, ...]:
    for order in _as_recorded(desk, orders):
        if not order.status.is_final:
            learn(desk, order)
    return tuple(order for order in _as_recorded(desk, orders) if not order.status.is_final)


def _as_recorded(desk: Desk, orders: Sequence[JournalOrder]) -> tuple[JournalOrder, ...]:
    return tuple(desk.journal.get(order.client_id) for order in orders)


def book_late_fills(desk: Desk) -> bool:
    """Book what was executed of orders whose end nobody waits for; tell whether any was new."""
    executions = desk.broker.fills_since(desk.clock.now() - _LATE)
    named = {fill.client_id for fill in executions if fill.client_id is not None}
    ours = {order.client_id for order in desk.journal.of(named)}
    return _book(desk, [fill for fill in executions if fill.client_id in ours])


def _book(desk: Desk, executions: Sequence[Fill]) -> bool:
    """Book what is new of `executions`, all of our orders; none is lost, nor where too many.

    Too many are told when they are new, here or by the ledger that did not hold what was sold:
    later runs, and whoever wants to sell, go on.
    """
    named = {fill.client_id for fill in executions if fill.client_id is not None}
    before = desk.journal.booked_quantities(named)
    desk.book_fills(executions)
    booked = desk.journal.booked_quantities(named)
    for order in desk.journal.of(named):
        shares = booked[order.client_id]
        if shares > order.quantity and shares != before.get(order.client_id):
            raise BrokerAnswerError(
                f"The broker reports {shares:f} {order.symbol} executed for the order "
                f"{order.client_id}, which was for {order.quantity:f}. All of it is booked and "
                "nothing more was sent. Compare the order's executions with the broker's "
                "statement, then run again.",
                symbol=order.symbol,
            )
    return booked != before


def _stops(desk: Desk) -> dict[str, tuple[JournalOrder, ...]]:
    """Return the resting stops by symbol."""
    stops: dict[str, tuple[JournalOrder, ...]] = {}
    for order in desk.journal.resting():
        stops[order.symbol] = (*stops.get(order.symbol, ()), order)
    return stops


def taken_off(desk: Desk, stops: Sequence[JournalOrder]) -> Verdict:
    """Cancel stops and say whether their symbol may be traded now."""
    if not stops:
        return Verdict()
    if left := cancel(desk, stops):
        detail = f"the cancel of its stop {left[0].client_id} is not confirmed"
        return Verdict(ReasonCode.ORDER_UNRESOLVED, detail)
    for stop in stops:
        if sold := desk.journal.booked_quantity(stop.client_id):
            detail = f"its stop {stop.client_id} sold {sold:f} shares before this order"
            return Verdict(ReasonCode.STOP_FILLED, detail)
    return Verdict()


def withdraw(desk: Desk, order: JournalOrder, objection: Verdict) -> None:
    """Record that a PENDING order is not sent after all, and why."""
    desk.journal.mark(
        order.client_id,
        OrderStatus.CANCELLED,
        code=objection.code,
        detail=objection.detail,
        verdict=objection,
    )
