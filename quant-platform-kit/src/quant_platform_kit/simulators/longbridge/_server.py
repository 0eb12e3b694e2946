"""The door's port: HTTP requests with their signatures and faults, and the way to the sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._http_door import HttpDoor, HttpHandler
from quant_platform_kit.simulators._mangling import Answer
from quant_platform_kit.simulators.longbridge import _credentials
from quant_platform_kit.simulators.longbridge._rows import Row, ticker
from quant_platform_kit.simulators.longbridge._sockets import LIMIT, Sockets
from quant_platform_kit.simulators.longbridge._trades import Query, Refusal, Trades, Unanswered

_TOKEN: Final = ("GET", "/v1/socket/token")
_RATE_LIMIT: Final = (429002, "api request is limited, please slow down request frequency")
_DEFECT: Final = b"<html><body>500 Internal Server Error</body></html>"
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_SLOW_DOWN: Final = b"Too Many Requests"

_BEFORE: Final = frozenset(
    {
        WireFault.REPLY_LOST_BEFORE_BOOKING,
        WireFault.DROP_CONNECTION,
        WireFault.AUTH_EXPIRED,
        WireFault.RATE_LIMIT,
        WireFault.RATE_LIMIT_AT_GATEWAY,
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
_WITHIN: Final = frozenset(
    {
        WireFault.REJECT,
        WireFault.REJECT_LATER,
        WireFault.NO_ORDER_ID,
        WireFault.CANCEL_REFUSED,
        WireFault.PARTIAL_THEN_CANCEL,
        WireFault.ERROR_ON_LIVE_ORDER,
        WireFault.LATE_STATUS,
        WireFault.EMPTY_POSITIONS_LOST,
        WireFault.DUPLICATE_EXECUTION,
        WireFault.TRUNCATED,
        WireFault.CONNECTION_LIMIT,
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back; a status of None cuts the connection instead."""

    status: int | None
    body: bytes = b""


CUT: Final = Reply(None)


class LongbridgeDoor(HttpDoor):
    """Serves HTTP and both sockets on one port until it is closed.

    The addresses of a client's configuration are ``http://127.0.0.1:PORT``,
    ``ws://127.0.0.1:PORT/quote`` and ``ws://127.0.0.1:PORT/trade``.
    """

    def __init__(self, host: Host, port: int) -> None:
        self.host = host
        trades = Trades(host)
        self.sockets = Sockets(host, trades, self.drop_connections)
        self._operations = dict(trades.operations())
        self._operations[_TOKEN] = ("token", self._token)
        super().__init__(_Handler, port)

    # ── Requests ───────────────────────────────────────────────────────────────────────

    def reply(
        self, method: str, target: str, headers: dict[str, str], text: bytes
    ) -> tuple[Reply, WireSwitch | None]:
        """Do what a request asks for; also return the fault that its answer still has to suffer."""
        url = urlsplit(target)
        found = self._operations.get((method, url.path))
        if found is None:
            return _refused(HTTPStatus.NOT_FOUND, 404001, "not found"), None
        name, function = found
        query, body = parse_qs(url.query), json.loads(text) if text else {}
        symbol = ticker(body.get("symbol", ""))
        with self.host.lock:
            self.host.requests[name] += 1
            before = self.host.wire.strike(_BEFORE, name, symbol)
            if before is not None:
                return self._refusal(before.fault), None
            asked = (method, url.path, url.query)
            refused = _credentials.refusal(asked, headers, text, self.host.clock.now())
            if refused is not None:
                return _refused(HTTPStatus.UNAUTHORIZED, *refused), None
            after = self.host.wire.strike(_AFTER, name, symbol)
            within = self.host.wire.strike(_WITHIN, name, symbol)
            fault = None if within is None else within.fault
            reply = _run(partial(function, query, body, fault))
        if after is not None and after.fault is WireFault.REPLY_LOST_AFTER_BOOKING:
            return CUT, None
        return reply, after

    def _token(self, _query: Query, _body: Row, fault: WireFault | None) -> Row:
        full = fault is WireFault.CONNECTION_LIMIT
        online = LIMIT if full else min(self.sockets.online, LIMIT - 1)
        return {"otp": self.sockets.one_time_password(), "limit": LIMIT, "online": online}

    def _refusal(self, fault: WireFault) -> Reply:
        match fault:
            case WireFault.AUTH_EXPIRED:
                return _refused(HTTPStatus.UNAUTHORIZED, *_credentials.TOKEN_EXPIRED)
            case WireFault.RATE_LIMIT:
                return _refused(HTTPStatus.TOO_MANY_REQUESTS, *_RATE_LIMIT)
            case WireFault.RATE_LIMIT_AT_GATEWAY:
                return Reply(HTTPStatus.TOO_MANY_REQUESTS, _SLOW_DOWN)
            case WireFault.SERVER_ERROR:
                return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, _DEFECT)
            case WireFault.DROP_CONNECTION:
                self.drop_connections()
        return CUT


class _Handler(HttpHandler):
    served_by: ClassVar[LongbridgeDoor]

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, late = self.served_by.reply(self.command, self.path, headers, text)
        self._suffer(late)
        if reply.status is None or self._gone.is_set():
            self._cut()
        else:
            self._send(Answer(reply.status, reply.body, _JSON), late)

    def _upgrade(self) -> None:
        self.served_by.sockets.serve(self._to_websocket(), self.path, self._gone)


def _run(function: partial[Row]) -> Reply:
    try:
        data = function()
    except Refusal as refusal:
        return _refused(HTTPStatus.BAD_REQUEST, refusal.code, refusal.message)
    except Unanswered:
        return CUT
    return Reply(
        HTTPStatus.OK, json.dumps({"code": 0, "message": "success", "data": data}).encode()
    )


def _refused(status: int, code: int, message: str) -> Reply:
    return Reply(status, json.dumps({"code": code, "message": message, "data": None}).encode())
