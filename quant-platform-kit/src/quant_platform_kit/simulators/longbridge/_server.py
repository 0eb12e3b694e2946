"""The door's port: HTTP requests with their signatures and faults, and the way to the sockets."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._websocket import WebSocket, accept_key
from quant_platform_kit.simulators.longbridge import _credentials
from quant_platform_kit.simulators.longbridge._rows import Row, ticker
from quant_platform_kit.simulators.longbridge._sockets import LIMIT, Sockets
from quant_platform_kit.simulators.longbridge._trades import Query, Refusal, Trades, Unanswered

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)  # closing sends a reset, as a broken network does
_TOKEN: Final = ("GET", "/v1/socket/token")
_RATE_LIMIT: Final = (429002, "api request is limited, please slow down request frequency")
_DEFECT: Final = b"<html><body>500 Internal Server Error</body></html>"
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


class LongbridgeDoor:
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
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Event] = {}
        self._server: _Server | None = _Server(self, port)
        self.port: int = self._server.server_port

    def drop_connections(self) -> None:
        """Reset every connection."""
        with self._lock:
            connections = list(self._connections.items())
        for connection, gone in connections:
            gone.set()
            _reset(connection)

    def refuse(self, refused: bool) -> None:  # noqa: FBT001 (a switch)
        """Stop listening and reset everyone, or listen again."""
        if refused and self._server is not None:
            self._server.end()
            self._server = None
            self.drop_connections()
        elif not refused and self._server is None:
            self._server = _Server(self, self.port)

    def close(self) -> None:
        """Stop serving."""
        self.refuse(refused=True)

    def opened(self, connection: socket.socket) -> threading.Event:
        """Note a connection; the event is set when it is cut."""
        gone = threading.Event()
        with self._lock:
            self._connections[connection] = gone
        return gone

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            gone = self._connections.pop(connection, None)
        if gone is not None:
            gone.set()

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


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, door: LongbridgeDoor, port: int) -> None:
        class Handler(_Handler):
            served_by: ClassVar = door

        super().__init__((_LOOPBACK, port), Handler)
        serve = partial(self.serve_forever, poll_interval=_POLL_SECS)
        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.socket.close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Say nothing: clients are cut off on purpose."""


class _Handler(BaseHTTPRequestHandler):
    served_by: ClassVar[LongbridgeDoor]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._gone = self.served_by.opened(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.served_by.closed(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Say nothing: standard output carries the ports alone."""

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    do_PUT = do_DELETE = do_POST  # noqa: N815 (http.server's names)

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, late = self.served_by.reply(self.command, self.path, headers, text)
        if late is not None and late.fault is WireFault.SLOW_ANSWER:
            self._gone.wait(late.seconds)
        elif late is not None and late.fault is WireFault.NO_ANSWER:
            self._gone.wait()
        if reply.status is None or self._gone.is_set():
            self.close_connection = True
            _reset(self.connection)
        else:
            broken = late is not None and late.fault is WireFault.MALFORMED
            self._send(reply.status, reply.body[: len(reply.body) // 2] if broken else reply.body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _upgrade(self) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.served_by.sockets.serve(WebSocket(self.connection), self.path, self._gone)


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


def _reset(connection: socket.socket) -> None:
    """Close a connection the way a broken network does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
        connection.close()
