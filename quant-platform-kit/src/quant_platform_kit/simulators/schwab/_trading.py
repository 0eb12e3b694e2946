"""Orders: list, show, place, replace, cancel."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import (
    BrokerOrder,
    OrderRequest,
    OrderStatus,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.schwab._http import (
    CUT,
    Reply,
    Request,
    bad,
    unknown_account,
    unknown_order,
)
from quant_platform_kit.simulators.schwab._orders import order_json, parse_order, wire_id

_REAL_HOST: Final = "https://api.schwabapi.com"  # clients look for it in the answer


class Trading:
    """The orders of a host's account; every method is called under its lock."""

    def __init__(self, host: Host, account_hash: str) -> None:
        self._host = host
        self._account_hash = account_hash
        self._hidden: set[str] = set()  # refused in the answer: never an order
        self._replaced: set[str] = set()

    def orders(self, request: Request, account_hash: str) -> Reply:
        """List orders by the time they were entered, newest first."""
        if account_hash != self._account_hash:
            return unknown_account()
        bounds = request.argument("fromEnteredTime"), request.argument("toEnteredTime")
        if None in bounds:
            return bad("fromEnteredTime and toEnteredTime are required.")
        first, last = (datetime.fromisoformat(str(bound)) for bound in bounds)
        limit = int(request.argument("maxResults") or 3000)
        found = [
            o for o in self._visible() if first <= o.submitted_at.replace(microsecond=0) <= last
        ]
        shown = [self._shown(order) for order in reversed(found[-limit:])]  # newest first
        if self._host.wire.strike({WireFault.TRUNCATED}, "orders") is not None:
            shown = shown[1:]
        return Reply(200, shown)

    def order(self, _: Request, account_hash: str, number: str) -> Reply:
        """Show one order."""
        order = self._numbered(account_hash, number)
        return unknown_order() if order is None else Reply(200, self._shown(order))

    def place(self, request: Request, account_hash: str) -> Reply:
        """Take an order."""
        if account_hash != self._account_hash:
            return unknown_account()
        return self._enter(request, None)

    def replace(self, request: Request, account_hash: str, number: str) -> Reply:
        """Put an order in the place of another."""
        order = self._numbered(account_hash, number)
        return unknown_order() if order is None else self._enter(request, order.broker_order_id)

    def _enter(self, request: Request, instead_of: str | None) -> Reply:
        wire = self._host.wire
        try:
            spec = parse_order(json.loads(request.body))
        except (ContractError, ValueError) as error:
            return bad(str(error))
        operation = "place" if instead_of is None else "replace"
        if wire.strike({WireFault.REJECT}, operation, spec.symbol) is not None:
            return bad("The order was refused.")
        answer = self._booked(spec, operation, instead_of)
        if answer.outcome is SubmitOutcome.UNRESOLVED or answer.broker_order_id is None:
            return CUT if answer.outcome is SubmitOutcome.UNRESOLVED else bad(answer.detail)
        if answer.outcome is SubmitOutcome.REJECTED:
            self._hidden.add(answer.broker_order_id)
            return bad(answer.detail)
        if wire.strike({WireFault.NO_ORDER_ID}, operation, spec.symbol) is not None:
            return Reply(201)
        return Reply(201, headers={"Location": self._location(answer.broker_order_id)})

    def _booked(self, spec: OrderRequest, operation: str, instead_of: str | None) -> Submission:
        host = self._host
        if host.wire.strike({WireFault.REJECT_LATER}, operation, spec.symbol) is not None:
            later = host.submit(spec, tagged=False, under=Fault.REJECT)
            return replace(later, outcome=SubmitOutcome.ACKED)
        if host.wire.strike({WireFault.PARTIAL_THEN_CANCEL}, operation, spec.symbol) is not None:
            answer = host.submit(spec, tagged=False, under=Fault.PARTIAL_FILL)
            if answer.outcome is SubmitOutcome.ACKED:
                host.cancel(str(answer.broker_order_id))
            return answer
        if instead_of is None:
            return host.submit(spec, tagged=False)
        answer = host.replace(instead_of, spec, tagged=False)
        if answer.outcome is SubmitOutcome.ACKED:
            self._replaced.add(instead_of)
        return answer

    def cancel(self, _: Request, account_hash: str, number: str) -> Reply:
        """Cancel an order."""
        order, wire = self._numbered(account_hash, number), self._host.wire
        if order is None:
            return unknown_order()
        if wire.strike({WireFault.CANCEL_REFUSED}, "cancel", order.symbol) is not None:
            return bad("The order cannot be cancelled.")
        if wire.strike({WireFault.FILL_BEATS_CANCEL}, "cancel", order.symbol) is not None:
            self._host.fill(order.broker_order_id)
            return bad("The order is already filled.")
        if order.status.is_final:
            return bad(f"The order cannot be cancelled: it is {order.status.name}.")
        self._host.cancel(order.broker_order_id)
        return Reply(200)

    def _location(self, order_id: str) -> str:
        return f"{_REAL_HOST}/trader/v1/accounts/{self._account_hash}/orders/{wire_id(order_id)}"

    def _visible(self) -> list[BrokerOrder]:
        return [o for o in self._host.orders() if o.broker_order_id not in self._hidden]

    def _numbered(self, account_hash: str, number: str) -> BrokerOrder | None:
        if account_hash != self._account_hash:
            return None
        found = (o for o in self._visible() if str(wire_id(o.broker_order_id)) == number)
        return next(found, None)

    def _shown(self, order: BrokerOrder) -> dict[str, Any]:
        host, order_id = self._host, order.broker_order_id
        fills, wire = host.fills(order_id), host.wire
        if wire.strike({WireFault.LATE_STATUS}, "order", order.symbol) is not None:
            fills = ()
        if (
            fills
            and wire.strike({WireFault.DUPLICATE_EXECUTION}, "order", order.symbol) is not None
        ):
            fills = (*fills, fills[-1])
        shown = order_json(order, host.request(order_id), fills, host.account_id)
        if order_id in self._replaced and order.status is OrderStatus.CANCELLED:
            shown["status"] = "REPLACED"
        return shown
