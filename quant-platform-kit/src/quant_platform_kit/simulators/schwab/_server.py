"""The door's sockets: HTTP/1.1 on threads, faults of the wire, and the way to the streamer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar, Final

from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._http_door import (
    LOOPBACK,
    HttpDoor,
    HttpHandler,
    HttpServer,
)
from quant_platform_kit.simulators._mangling import Answer
from quant_platform_kit.simulators.schwab._api import Api, Call
from quant_platform_kit.simulators.schwab._http import CUT, Reply, Request
from quant_platform_kit.simulators.schwab._streamer import Streamer

_BEFORE: Final = frozenset(
    {
        WireFault.REPLY_LOST_BEFORE_BOOKING,
        WireFault.DROP_CONNECTION,
        WireFault.AUTH_EXPIRED,
        WireFault.RATE_LIMIT,
        WireFault.SERVER_ERROR,
    }
)
_AFTER: Final = frozenset(
    {
        WireFault.REPLY_LOST_AFTER_BOOKING,
        WireFault.NO_ANSWER,
        WireFault.SLOW_ANSWER,
        WireFault.MALFORMED,
    }
)


class SchwabDoor(HttpDoor):
    """Serves an `Api` until it is closed; a refused client finds no listener at all."""

    def __init__(self, host: Host, api: Api, port: int) -> None:
        self.host = host
        self.api = api
        self.streamer = Streamer(host, api)
        super().__init__(_Handler, port, _Server)


class _Server(HttpServer):
    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Close the connection at once: a polite end first would hide a reset."""
        request.close()


class _Handler(HttpHandler):
    served_by: ClassVar[SchwabDoor]

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the time of the host's clock, which is the broker's."""
        now = self.served_by.host.clock.now().timestamp()
        return super().date_time_string(now if timestamp is None else timestamp)

    def _asks_for_websocket(self) -> bool:
        return self.path == "/ws" and super()._asks_for_websocket()

    def _answer(self) -> None:
        door = self.served_by
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name: self.headers.get(name) for name in ("Authorization",)}
        headers["X-Served-At"] = f"{LOOPBACK}:{door.port}"
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        with door.host.lock:
            reply, late = self._reply(request)
        self._suffer(late)
        if reply.status is None or self._gone.is_set():
            self._cut()
        else:
            self._send(_answer(reply.status, reply), late)

    def _reply(self, request: Request) -> tuple[Reply, WireSwitch | None]:
        door = self.served_by
        call = door.api.find(request)
        if call is None:
            return Reply(404, {"message": "There is no such resource.", "errors": []}), None
        door.host.requests[call.operation] += 1
        before = door.host.wire.strike(_BEFORE, call.operation, call.symbol)
        if before is not None:
            return self._refusal(before.fault), None
        if call.operation != "token" and not door.api.tokens.knows(
            request.headers["Authorization"]
        ):
            return _unauthorized(), None
        return self._run(call)

    def _run(self, call: Call) -> tuple[Reply, WireSwitch | None]:
        after = self.served_by.host.wire.strike(_AFTER, call.operation, call.symbol)
        reply = call.run()
        if after is not None and after.fault is WireFault.REPLY_LOST_AFTER_BOOKING:
            reply = CUT
        return reply, after

    def _refusal(self, fault: WireFault) -> Reply:
        door = self.served_by
        match fault:
            case WireFault.AUTH_EXPIRED:
                door.api.tokens.revoke()
                return _unauthorized()
            case WireFault.RATE_LIMIT:
                body = {"message": "Too many requests.", "errors": []}
                return Reply(429, body, {"Retry-After": "1"})
            case WireFault.SERVER_ERROR:
                return Reply(500, {"message": "Unexpected error.", "errors": []})
            case WireFault.DROP_CONNECTION:
                door.drop_connections()
        return CUT

    def _upgrade(self) -> None:
        self.served_by.streamer.serve(self._to_websocket(), self._gone)


def _answer(status: int, reply: Reply) -> Answer:
    body = b"" if reply.body is None else json.dumps(reply.body, default=_number).encode()
    return Answer(status, body, {**reply.headers, "Content-Type": "application/json"})


def _unauthorized() -> Reply:
    return Reply(401, {"errors": [{"status": 401, "title": "Unauthorized"}]})


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} has no JSON form")
