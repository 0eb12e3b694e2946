"""The door's sockets: HTTP/1.1 on threads, faults of the wire, and the way to the streamer."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._websocket import WebSocket, accept_key
from quant_platform_kit.simulators.schwab._api import Api, Call
from quant_platform_kit.simulators.schwab._http import CUT, Reply, Request
from quant_platform_kit.simulators.schwab._streamer import Streamer

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)  # closing sends a reset, as a broken network does
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


class SchwabDoor:
    """Serves an `Api` until it is closed; a refused client finds no listener at all."""

    def __init__(self, host: Host, api: Api, port: int) -> None:
        self.host = host
        self.api = api
        self.streamer = Streamer(host, api)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Event] = {}
        self._server: _Server | None = self._listen(port)
        self.port: int = self._server.server_port

    def drop_connections(self) -> None:
        """Reset every connection."""
        with self._lock:
            connections = list(self._connections.items())
        for connection, gone in connections:
            gone.set()
            reset(connection)

    def refuse(self, refused: bool) -> None:  # noqa: FBT001 (a switch)
        """Stop listening and reset everyone, or listen again."""
        if refused and self._server is not None:
            self._server.end()
            self._server = None
            self.drop_connections()
        elif not refused and self._server is None:
            self._server = self._listen(self.port)

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

    def _listen(self, port: int) -> _Server:
        return _Server(self, port)


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, door: SchwabDoor, port: int) -> None:
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

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Close the connection at once: a polite end first would hide a reset."""
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Say nothing: clients are cut off on purpose."""


class _Handler(BaseHTTPRequestHandler):
    served_by: ClassVar[SchwabDoor]
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

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the time of the host's clock, which is the broker's."""
        now = self.served_by.host.clock.now().timestamp()
        return super().date_time_string(now if timestamp is None else timestamp)

    def do_GET(self) -> None:
        if self.path == "/ws" and self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    do_PUT = do_DELETE = do_POST  # noqa: N815 (http.server's names)

    def _answer(self) -> None:
        door = self.served_by
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name: self.headers.get(name) for name in ("Authorization",)}
        headers["X-Served-At"] = f"{_LOOPBACK}:{door.port}"
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        with door.host.lock:
            reply, late = self._reply(request)
        if late is not None and late.fault is WireFault.SLOW_ANSWER:
            self._gone.wait(late.seconds)
        elif late is not None and late.fault is WireFault.NO_ANSWER:
            self._gone.wait()
        if reply.status is None or self._gone.is_set():
            self._cut()
        else:
            broken = late is not None and late.fault is WireFault.MALFORMED
            self._send(reply, broken=broken)

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

    def _send(self, reply: Reply, *, broken: bool) -> None:
        body = b"" if reply.body is None else json.dumps(reply.body, default=_number).encode()
        if broken:
            body = body[: len(body) // 2]
        self.send_response(reply.status or 0)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        reset(self.connection)

    def _upgrade(self) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.served_by.streamer.serve(WebSocket(self.connection), self._gone)


def reset(connection: socket.socket) -> None:
    """Close a connection the way a broken network does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
        connection.close()


def _unauthorized() -> Reply:
    return Reply(401, {"errors": [{"status": 401, "title": "Unauthorized"}]})


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} has no JSON form")
