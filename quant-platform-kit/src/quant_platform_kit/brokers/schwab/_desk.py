"""The orders of one Schwab account: sent once, found again, and read with care."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import httpx

from quant_platform_kit.brokers.schwab import _orders
from quant_platform_kit.brokers.schwab._finder import Finder, OrderJson
from quant_platform_kit.brokers.schwab._rows import reading
from quant_platform_kit.brokers.schwab._session import SchwabSession, Send, reason
from quant_platform_kit.brokers.schwab._tags import Fate, SentOrder
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import BrokerAnswerError, SettingsError, TransientError
from quant_platform_kit.market import Clock

_MOST_ORDERS: Final = 3000
_ORDER_DAYS: Final = timedelta(days=59)  # Schwab lists orders of 60 days at most
_AHEAD: Final = timedelta(days=1)
_REFUSALS: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, 422}
)
_LOCATION: Final = "/orders/"


class OrderDesk:
    """Sends orders and finds them again.

    Parameters
    ----------
    session : SchwabSession
    account_hash : str
        Schwab's name of the account.
    finder : Finder
    clock : Clock
    """

    def __init__(
        self, session: SchwabSession, account_hash: str, finder: Finder, clock: Clock
    ) -> None:
        self._session = session
        self._hash = account_hash
        self._finder = finder
        self._clock = clock

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders of the last 60 days, in order of submission."""
        orders = self._broker_orders(self._listed())
        return tuple(order for order in orders if not order.status.is_final)

    def find(self, client_id: str) -> BrokerOrder | None:
        """Return the order that was sent under this client id; see `SchwabBroker.find_order`."""
        sent = self._finder.sent(client_id)
        if sent is None or sent.fate is Fate.ABSENT:
            return None
        if sent.order_id is not None:
            named = self._known(sent.order_id)
            if _orders.is_same(named, sent.request):
                return _orders.broker_order(named, client_id)
            sent = self._finder.unbind(sent)
        found = self._finder.match(sent, self._listed())
        if found is None:
            found = self._last_look(sent)
        return None if found is None else _orders.broker_order(found, client_id)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`; Schwab tells seconds."""
        since = instant.replace(microsecond=0)
        listed = self._listed()
        tags = self._finder.client_ids(listed)
        fills = [
            fill
            for order in listed
            for fill in _orders.fills(order, tags.get(str(order["orderId"])))
            if fill.at >= since
        ]
        return tuple(sorted(fills, key=lambda fill: (fill.at, fill.fill_id)))

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order; at most one of a type works in a symbol, so that it can be found."""
        spec = _orders.specification(order)
        return self._hand_in(order, lambda client: client.place_order(self._hash, spec), None)

    def replace(self, broker_order_id: str, order: OrderRequest) -> Submission:
        """Put another order in the place of a working one; it has an id of its own."""
        spec = _orders.specification(order)
        return self._hand_in(
            order,
            lambda client: client.replace_order(self._hash, broker_order_id, spec),
            broker_order_id,
        )

    def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancel; a refusal is no error, the order's state tells."""
        response = self._session.ask(
            f"the cancel of order {broker_order_id}",
            lambda client: client.cancel_order(broker_order_id, self._hash),
        )
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise BrokerAnswerError(
                f"Schwab has no order {broker_order_id} in this account; nothing was cancelled. "
                "The journal and the broker disagree: look for the order at Schwab."
            )

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _listed(self) -> list[OrderJson]:
        """Return the orders of the last 60 days, oldest first, or raise."""
        now = self._clock.now().astimezone(UTC)
        answer = self._session.listed(
            "orders",
            lambda client: client.get_orders_for_account(
                self._hash,
                max_results=_MOST_ORDERS,
                from_entered_datetime=now - _ORDER_DAYS,
                to_entered_datetime=now + _AHEAD,
            ),
        )
        with reading("orders"):
            if len(answer) >= _MOST_ORDERS:
                raise BrokerAnswerError(
                    f"The account has {len(answer)} orders or more in 60 days, and Schwab lists no "
                    "more than that; the rest is unknown and nothing more was sent."
                )
            orders = {
                _orders.name_of(order["orderId"]): order for order in _orders.single_orders(answer)
            }
            return sorted(
                orders.values(), key=lambda order: (order["enteredTime"], order["orderId"])
            )

    def _known(self, order_id: str) -> OrderJson:
        """Return the order that Schwab gave this id."""
        what = f"the order {order_id}"
        order = self._session.query(what, lambda client: client.get_order(order_id, self._hash))
        if str(order.get("orderId")) != order_id:
            raise BrokerAnswerError(
                f"Schwab answered the question for {what} with another one; nothing is assumed "
                "about either. Run again; look for the order at Schwab if it stays so."
            )
        return order

    def _last_look(self, sent: SentOrder) -> OrderJson | None:
        """Look once more when an order had time to show up; then its absence is proved."""
        self._finder.wait_until_settled(sent)
        found = self._finder.match(sent, self._listed())
        if found is None:
            self._finder.absent(sent)
        return found

    def _broker_orders(self, listed: Sequence[OrderJson]) -> list[BrokerOrder]:
        client_ids = self._finder.client_ids(listed)
        return [
            _orders.broker_order(order, client_ids.get(str(order["orderId"]))) for order in listed
        ]

    def _prepare(self, order: OrderRequest, instead_of: str | None) -> SentOrder | Submission:
        """Remember an order that may be sent, or say why it may not."""
        if self._finder.sent(order.client_id) is not None:
            detail = "This client id was used before. Nothing was sent."
            return Submission(SubmitOutcome.REJECTED, detail=detail)
        here = [o for o in self._broker_orders(self._listed()) if o.symbol == order.symbol]
        rivals = [
            each.broker_order_id
            for each in here
            if not each.status.is_final and each.order_type is order.order_type
        ]
        if set(rivals) - {instead_of}:
            return _denied(
                f"A {order.order_type.value} order works in {order.symbol} already ({rivals[0]}). "
                "Schwab keeps no client id: a second one could not be told from it."
            )
        return self._finder.remember(order, here)

    def _hand_in(self, order: OrderRequest, send: Send, instead_of: str | None) -> Submission:
        try:
            sent = self._prepare(order, instead_of)
        except (TransientError, BrokerAnswerError) as error:
            return _denied(error.message)
        if isinstance(sent, Submission):
            return sent
        try:
            response = self._session.send(send)
        except (TransientError, SettingsError) as error:  # no token: nothing was sent
            self._finder.absent(sent)
            return _denied(error.message)
        except httpx.RequestError as error:
            return _unresolved(f"Schwab did not answer ({type(error).__name__}).")
        return self._judge(sent, response)

    def _judge(self, sent: SentOrder, response: httpx.Response) -> Submission:
        if response.status_code in _REFUSALS:
            self._finder.absent(sent)
            return Submission(SubmitOutcome.REJECTED, detail=reason(response))
        if response.is_error:
            return _unresolved(f"Schwab answered with code {response.status_code}.")
        order_id = response.headers.get("Location", "").rpartition(_LOCATION)[2]
        if not order_id.isdecimal():
            return _unresolved("Schwab took the order without naming it.")
        self._finder.bind(sent, order_id)
        return Submission(SubmitOutcome.ACKED, broker_order_id=order_id)


def _denied(why: str) -> Submission:
    return Submission(SubmitOutcome.DENIED, detail=f"The order was not sent. {why}")


def _unresolved(what: str) -> Submission:
    return Submission(
        SubmitOutcome.UNRESOLVED, detail=f"{what} Whether it has the order is not known."
    )
