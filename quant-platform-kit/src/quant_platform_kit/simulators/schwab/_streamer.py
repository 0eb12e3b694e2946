"""The streamer: login, and account activity for every order that changes."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from quant_platform_kit.contracts import BrokerOrder, Fill, OrderStatus
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._websocket import WebSocket
from quant_platform_kit.simulators.schwab._orders import wire_id

if TYPE_CHECKING:
    from quant_platform_kit.simulators.schwab._api import Api

_OK: Final = 0
_LOGIN_DENIED: Final = 3
_NOT_LOGGED_IN: Final = 20
_EVENTS: Final = {
    OrderStatus.SUBMITTED: "OrderAccepted",
    OrderStatus.PARTIAL: "ExecutionCreated",
    OrderStatus.FILLED: "OrderFillCompleted",
    OrderStatus.CANCELLED: "OrderUROutCompleted",
    OrderStatus.EXPIRED: "OrderExpired",
    OrderStatus.REJECTED: "OrderRejected",
}


class Streamer:
    """Every client that is logged in to the stream of an account."""

    def __init__(self, host: Host, api: Api) -> None:
        self._host = host
        self._api = api
        self._subscribed: dict[queue.Queue[str | None], str] = {}
        self._sequence = 0
        host.on_change(self._changed)

    def serve(self, peer: WebSocket, gone: threading.Event) -> None:
        """Serve one client until it closes or is cut off."""
        outbox: queue.Queue[str | None] = queue.Queue()
        sender = threading.Thread(target=_send_all, args=(peer, outbox), daemon=True)
        sender.start()
        try:
            self._converse(peer, outbox)
        finally:
            with self._host.lock:
                self._subscribed.pop(outbox, None)
            outbox.put(None)
            sender.join()
            if not gone.is_set():
                peer.close()

    def _converse(self, peer: WebSocket, outbox: queue.Queue[str | None]) -> None:
        logged_in = False
        while (message := peer.receive()) is not None:
            for request in json.loads(message)["requests"]:
                code = self._code(request, logged_in=logged_in)
                if code is None:
                    continue
                logged_in = logged_in or (code == _OK and request["command"] == "LOGIN")
                outbox.put(_response(request, code))
                if code == _LOGIN_DENIED or request["command"] == "LOGOUT":
                    return
                if request["service"] == "ACCT_ACTIVITY":
                    self._subscribe(request, outbox)

    def _code(self, request: Mapping[str, Any], *, logged_in: bool) -> int | None:
        """Return the code of the answer; None when none is given."""
        host = self._host
        with host.lock:
            host.requests["stream"] += 1
            if host.wire.strike({WireFault.NO_ANSWER}, "stream") is not None:
                return None
            if request["command"] == "LOGIN":
                denied = host.wire.strike({WireFault.LOGIN_DENIED}, "stream") is not None
                good = self._api.tokens.is_good(request["parameters"]["Authorization"])
                return _OK if good and not denied else _LOGIN_DENIED
        return _OK if logged_in else _NOT_LOGGED_IN

    def _subscribe(self, request: Mapping[str, Any], outbox: queue.Queue[str | None]) -> None:
        with self._host.lock:
            if request["command"] == "SUBS":
                self._subscribed[outbox] = request["parameters"]["keys"]
            else:
                self._subscribed.pop(outbox, None)

    def _changed(self, order: BrokerOrder, fills: tuple[Fill, ...]) -> None:
        wire = self._host.wire
        if wire.strike({WireFault.LOST_PUSHES}, "stream", order.symbol) is not None:
            return
        twice = wire.strike({WireFault.DUPLICATE_PUSH}, "stream", order.symbol) is not None
        self._sequence += 1
        activity = {
            "SchwabOrderID": str(wire_id(order.broker_order_id)),
            "AccountNumber": self._host.account_id,
            "BaseEvent": {"EventType": _EVENTS[order.status]},
            "FilledQuantity": str(sum((fill.quantity for fill in fills), start=0)),
        }
        for outbox, key in self._subscribed.items():
            content = {
                "seq": self._sequence,
                "key": key,
                "1": self._host.account_id,
                "2": _EVENTS[order.status],
                "3": json.dumps(activity),
            }
            data = {
                "service": "ACCT_ACTIVITY",
                "timestamp": int(self._host.clock.now().timestamp() * 1000),
                "command": "SUBS",
                "content": [content],
            }
            for _ in range(2 if twice else 1):
                outbox.put(json.dumps({"data": [data]}))


def _response(request: Mapping[str, Any], code: int) -> str:
    answer = {
        "service": request["service"],
        "command": request["command"],
        "requestid": request["requestid"],
        "SchwabClientCorrelId": request.get("SchwabClientCorrelId"),
        "timestamp": 0,
        "content": {"code": code, "msg": "" if code == _OK else "The request was denied."},
    }
    return json.dumps({"response": [answer]})


def _send_all(peer: WebSocket, outbox: queue.Queue[str | None]) -> None:
    while (message := outbox.get()) is not None:
        try:
            peer.send(message)
        except OSError:
            return
