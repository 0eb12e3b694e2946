"""The door: lets clients in, and tells each of what happens to its orders."""

from __future__ import annotations

import socket
import threading
from typing import Final

from quant_platform_kit.contracts import BrokerOrder, Fill
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.tws._client import Client
from quant_platform_kit.simulators.tws._desk import Desk
from quant_platform_kit.simulators.tws._numbers import Numbers
from quant_platform_kit.simulators.tws._queries import Venue
from quant_platform_kit.simulators.tws._tables import NEWEST

_LOOPBACK: Final = "127.0.0.1"


def serve(host: Host, port: int, *, newest: int = NEWEST, decoys: tuple[str, ...] = ()) -> TwsDoor:
    """Serve the account on a loopback port.

    Parameters
    ----------
    host : Host
    port : int
        0 takes a free one.
    newest : int
        The newest version of the protocol that the server speaks.
    decoys : tuple of str
        Other accounts of the same login, as an adviser has; they take no orders.
    """
    return TwsDoor(host, port, newest, decoys)


class TwsDoor:
    """Serves every client on threads of its own; implements `Door`."""

    def __init__(self, host: Host, port: int, newest: int, decoys: tuple[str, ...]) -> None:
        self.venue = Venue(host, Numbers.beside(host.book_path), decoys)
        self.desk = Desk(self.venue)
        self.newest = newest
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._port = port
        self._listen()
        host.on_change(self._changed)

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self._port

    def drop_connections(self) -> None:
        """Cut every connection; later ones are let in."""
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            client.cut()

    def refuse(self, refused: bool) -> None:  # noqa: FBT001 (a switch)
        """Cut every connection and refuse new ones while True."""
        if refused:
            self._deafen()
            self.drop_connections()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        """Stop serving."""
        self.refuse(refused=True)

    def enter(self, client: Client, number: int) -> bool:
        """Let a client have its number; False when another one has it."""
        with self._lock:
            if any(other.number == number for other in self._clients):
                return False
            client.number = number
            return True

    def leave(self, client: Client) -> None:
        """Forget a client whose connection has ended."""
        with self._lock:
            self._clients.discard(client)

    def _listen(self) -> None:
        listener = socket.create_server((_LOOPBACK, self._port), reuse_port=False)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the door was closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(self, connection)
            with self._lock:
                self._clients.add(client)
            if self._listener is not listener:  # let in before the door was closed, noted after
                client.cut()
            threading.Thread(target=client.serve, daemon=True).start()

    def _changed(self, order: BrokerOrder, fills: tuple[Fill, ...]) -> None:
        """Tell whoever placed the order, unless it is the one who acts just now."""
        owner, _ = self.venue.numbers.pair(order.broker_order_id)
        mine = self.desk.collect(order, fills)
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            if not mine and client.number == owner:
                client.tell(order, fills)
            for symbol in {fill.symbol for fill in fills}:
                client.tell_position(symbol)
