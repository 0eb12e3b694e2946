"""What doors that speak HTTP share: a port to close and open, and connections to cut."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._mangling import Answer, mangled_answer
from quant_platform_kit.simulators._websocket import WebSocket, accept_key

LOOPBACK: Final = "127.0.0.1"
_POLL_SECS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)  # closing sends a reset, as a broken network does


class HttpDoor:
    """Serves until it is closed; a refused client finds no listener at all.

    Parameters
    ----------
    handler : type of HttpHandler
        Answers a connection.
    port : int
        0 takes a free one.
    server : type of HttpServer
    """

    def __init__(
        self, handler: type[HttpHandler], port: int, server: type[HttpServer] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Event] = {}
        self._refuses = False
        self._listen = partial(server or HttpServer, self, handler)
        self._server: HttpServer | None = self._listen(port)
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
        self._refuses = refused
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
        if self._refuses:  # let in before, and noted only now
            gone.set()
            _reset(connection)
        return gone

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            gone = self._connections.pop(connection, None)
        if gone is not None:
            gone.set()


class HttpServer(ThreadingHTTPServer):
    """A listener with a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, door: HttpDoor, handler: type[HttpHandler], port: int) -> None:
        super().__init__((LOOPBACK, port), type("Handler", (handler,), {"served_by": door}))
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


class HttpHandler(BaseHTTPRequestHandler):
    """One connection to a door; `_gone` is set when it is cut.

    A subclass answers requests in `_answer`, and serves a WebSocket in `_upgrade`.
    """

    served_by: ClassVar[Any]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Make the connection known to the door."""
        super().setup()
        self._gone: threading.Event = self.served_by.opened(self.connection)

    def finish(self) -> None:
        """Take it off the door's list."""
        with suppress(OSError):
            super().finish()
        self.served_by.closed(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Say nothing: standard output carries the ports alone."""

    def parse_request(self) -> bool:
        """Take a request; not one that arrives while a connection that was cut is being closed."""
        if self._gone.is_set():
            self.close_connection = True
            return False
        return super().parse_request()

    def do_GET(self) -> None:
        """Answer, or change the protocol where that is asked for."""
        if self._asks_for_websocket():
            self._upgrade()
        else:
            self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    do_PUT = do_DELETE = do_POST  # noqa: N815 (http.server's names)

    def _answer(self) -> None:
        raise NotImplementedError

    def _upgrade(self) -> None:
        raise NotImplementedError

    def _asks_for_websocket(self) -> bool:
        return self.headers.get("Upgrade", "").lower() == "websocket"

    def _suffer(self, late: WireSwitch | None) -> None:
        """Wait as long as a fault holds the answer back, or until the connection is cut."""
        if late is not None and late.fault is WireFault.SLOW_ANSWER:
            self._gone.wait(late.seconds)
        elif late is not None and late.fault is WireFault.NO_ANSWER:
            self._gone.wait()

    def _send(self, answer: Answer, fault: WireSwitch | None) -> None:
        """Send an answer, or what a fault leaves of it."""
        if fault is not None and fault.fault is WireFault.MALFORMED:
            half = replace(answer, body=answer.body[: len(answer.body) // 2])
            answer = half if fault.seed is None else mangled_answer(answer, fault.seed)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _cut(self) -> None:
        self.close_connection = True
        _reset(self.connection)

    def _to_websocket(self) -> WebSocket:
        """Change the protocol of the connection."""
        self.close_connection = True
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        return WebSocket(self.connection)


def _reset(connection: socket.socket) -> None:
    """Close a connection the way a broken network does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
        connection.close()
