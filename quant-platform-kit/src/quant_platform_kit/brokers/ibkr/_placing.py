"""Handing in and cancelling one order: what the broker's messages prove about it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from quant_platform_kit.brokers.ibkr._inbox import Complaint
from quant_platform_kit.brokers.ibkr._orders import to_order
from quant_platform_kit.brokers.ibkr._session import Session
from quant_platform_kit.contracts import (
    BrokerOrder,
    OrderRequest,
    OrderStatus,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import BrokerAnswerError

_TAKEN: Final = frozenset(
    {"PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel", "Filled", "Cancelled"}
)
# Codes that turn an order away. Any other error may name an order that lives on.
_REFUSALS: Final = frozenset(
    {100, 103, 104, 110, 200, 201, 203, 320, 321, 388, 434, 435, 10243, 10268, 10289}
)


async def place(
    session: Session,
    contract: Any,  # noqa: ANN401 (the library's)
    order: OrderRequest,
    client: int,
    secs: float,
) -> Submission:
    """Hand in an order and return what is known of it within `secs`."""
    try:
        number = session.hand_in(contract, order)
    except ConnectionError as error:
        return Submission(
            SubmitOutcome.DENIED, detail=f"Not connected to TWS ({error}); nothing was sent."
        )
    loop = asyncio.get_running_loop()
    until = loop.time() + secs
    inbox = session.inbox
    while not inbox.closed:
        seen = inbox.by_number(client, number)
        if seen is not None and seen.confirmed and seen.status in _TAKEN:
            return Submission(SubmitOutcome.ACKED, broker_order_id=str(seen.permanent))
        complaints = inbox.about(number)
        left = until - loop.time()
        if complaints or (left <= 0 and seen is not None):
            return await _clarified(session, order.client_id, complaints)
        if left <= 0:
            inbox.damaged = True  # a connection that swallows orders is not used again
            return _unresolved(f"TWS did not answer within {secs:g} s.")
        try:
            await asyncio.wait_for(inbox.news(), left)
        except TimeoutError:
            continue
    return _unresolved("The connection to TWS broke before the order was answered.")


async def cancel(session: Session, permanent: int, number: int, secs: float) -> None:
    """Ask for a cancel and wait until the broker has said something about it."""
    session.ask_to_cancel(number)
    loop = asyncio.get_running_loop()
    until = loop.time() + secs
    inbox = session.inbox
    while (left := until - loop.time()) > 0:
        seen = inbox.orders.get(permanent)
        if (seen is not None and seen.is_ended) or inbox.about(number):
            return
        if inbox.closed:
            raise ConnectionError("the connection broke before the cancel was answered")
        try:
            await asyncio.wait_for(inbox.news(), left)
        except TimeoutError:
            return


async def _clarified(session: Session, client_id: str, complaints: list[Complaint]) -> Submission:
    """Ask what became of an order that the broker complained about, or left undecided."""
    words = "; ".join(f"{each.text} ({each.code})" for each in complaints)
    try:
        found = await find(session, client_id)
    except (OSError, BrokerAnswerError) as error:
        return _unresolved(f"{words} Asking for the order failed: {error}")
    if found is not None and found.status is not OrderStatus.REJECTED:
        return Submission(SubmitOutcome.ACKED, broker_order_id=found.broker_order_id, detail=words)
    refused = {each.code for each in complaints} & _REFUSALS
    if found is not None or refused:
        order_id = None if found is None else found.broker_order_id
        detail = words or (found.detail if found is not None else "")
        return Submission(SubmitOutcome.REJECTED, broker_order_id=order_id, detail=detail)
    return _unresolved(words)


async def find(session: Session, client_id: str) -> BrokerOrder | None:
    """Return today's order with this tag.

    Raises
    ------
    BrokerAnswerError
        When there are several.
    """
    trace = await session.trace()
    found = [order for order in trace.orders.values() if order.tag == client_id]
    if len(found) > 1:
        raise BrokerAnswerError(
            f"{len(found)} orders for {found[0].symbol} carry the client id {client_id}; nothing "
            "more was sent. Look at both at the broker and cancel the one that is too many.",
            symbol=found[0].symbol,
        )
    if not found:
        return None
    executed = trace.executed_of(found[0].permanent)
    return to_order(found[0], executed, await session.day())


def _unresolved(detail: str) -> Submission:
    return Submission(SubmitOutcome.UNRESOLVED, detail=detail.strip())
