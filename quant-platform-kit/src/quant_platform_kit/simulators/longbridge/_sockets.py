"""The two sockets: sessions, requests and their answers, and the notices of changed orders."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from quant_platform_kit.contracts import BrokerOrder, Fill
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators._mangling import mangled_message
from quant_platform_kit.simulators._websocket import WebSocket
from quant_platform_kit.simulators.longbridge import _messages as messages
from quant_platform_kit.simulators.longbridge._messages import Command
from quant_platform_kit.simulators.longbridge._packet import Request, push, read_request, response
from quant_platform_kit.simulators.longbridge._protobuf import Message
from quant_platform_kit.simulators.longbridge._quotes import Quotes
from quant_platform_kit.simulators.longbridge._trades import Trades

Operation: TypeAlias = tuple[
    str, Message, Message, Callable[[dict[str, Any], WireFault | None], Mapping[str, Any]]
]
"""Name, request, answer and what happens in between."""

LIMIT: Final = 10
"""Connections that one account may have."""

_PRIVATE: Final = "private"
_EVENT: Final = "order_changed_lb"
_SESSION_SECS: Final = 86_400
_PING_SECS: Final = 20.0  # clients that hear nothing for two minutes hang up
_FAILED: Final = 1  # status of an answer that carries an error
_NOT_DONE: Final = (301600, "invalid request")
_NOT_LET_IN: Final = (401001, "token verification failed")
_BEFORE: Final = frozenset(
    {WireFault.DROP_CONNECTION, WireFault.SERVER_ERROR, WireFault.AUTH_EXPIRED}
)
_AFTER: Final = frozenset(
    {WireFault.NO_ANSWER, WireFault.SLOW_ANSWER, WireFault.MALFORMED, WireFault.STALE_QUOTE}
)
_PUSHES: Final = frozenset({WireFault.LOST_PUSHES, WireFault.DUPLICATE_PUSH})


class _Dropped(Exception):
    """Every connection is cut instead of an answer."""


@dataclass(slots=True, eq=False)
class _Peer:
    socket: WebSocket
    outbox: queue.Queue[bytes | None] = field(default_factory=queue.Queue)
    is_let_in: bool = False
    topics: list[str] = field(default_factory=list)


class Sockets:
    """Every client that has a socket open.

    Parameters
    ----------
    host : Host
    trades : Trades
        Where changed orders are looked up.
    drop : callable
        Cuts every connection of the door.
    """

    def __init__(self, host: Host, trades: Trades, drop: Callable[[], None]) -> None:
        self._host = host
        self._trades = trades
        self._drop = drop
        self._quotes = Quotes(host)
        self._peers: list[_Peer] = []
        self._passwords: set[str] = set()
        self._sessions: set[str] = set()
        self._issued = 0
        host.on_change(self._changed)

    @property
    def online(self) -> int:
        """How many clients are connected."""
        return len(self._peers)

    def one_time_password(self) -> str:
        """Return a password that opens one socket."""
        password = self._next("otp")
        self._passwords.add(password)
        return password

    def serve(self, socket: WebSocket, path: str, gone: threading.Event) -> None:
        """Serve one client until it closes or is cut off."""
        peer = _Peer(socket)
        operations = self._operations(peer, quotes=path.startswith("/quote"))
        with self._host.lock:
            self._peers.append(peer)
        sender = threading.Thread(target=_send_all, args=(peer, gone), daemon=True)
        sender.start()
        try:
            while (packet := socket.receive()) is not None:
                self._answer(peer, operations, read_request(packet), gone)
        except _Dropped:
            self._drop()
        except ContractError:
            return  # a client that breaks the protocol is cut off
        finally:
            with self._host.lock:
                self._peers.remove(peer)
            peer.outbox.put(None)

    # ── Requests ───────────────────────────────────────────────────────────────────────

    def _answer(
        self,
        peer: _Peer,
        operations: Mapping[int, Operation],
        request: Request,
        gone: threading.Event,
    ) -> None:
        if request.command == Command.HEARTBEAT:
            peer.outbox.put(response(request, request.body))
            return
        operation = operations.get(request.command)
        if operation is None or not (peer.is_let_in or operation[0] in {"auth", "reconnect"}):
            peer.outbox.put(_error(request, _NOT_LET_IN if operation else _NOT_DONE))
            return
        packet, late = self._run(operation, request)
        if late is not None and late.fault is WireFault.SLOW_ANSWER:
            gone.wait(late.seconds)
        if late is None or late.fault is not WireFault.NO_ANSWER:
            peer.outbox.put(packet)

    def _run(self, operation: Operation, request: Request) -> tuple[bytes, WireSwitch | None]:
        name, asked, answered, function = operation
        with self._host.lock:
            self._host.requests[name] += 1
            before = self._host.wire.strike(_BEFORE, name)
            if before is not None and before.fault is WireFault.DROP_CONNECTION:
                raise _Dropped
            if before is not None:
                refused = before.fault is WireFault.AUTH_EXPIRED
                return _error(request, _NOT_LET_IN if refused else (500000, "server error")), None
            after = self._host.wire.strike(_AFTER, name)
            try:
                fault = None if after is None else after.fault
                answer = function(asked.decode(request.body), fault)
            except ContractError as error:
                return _error(request, (_NOT_DONE[0], error.message)), None
        body = answered.encode(answer)
        if after is not None and after.fault is WireFault.MALFORMED:
            body = b"\xff\xff" if after.seed is None else mangled_message(body, after.seed)
        return response(request, body), after

    def _operations(self, peer: _Peer, *, quotes: bool) -> Mapping[int, Operation]:
        both: dict[int, Operation] = {
            Command.AUTH: (
                "auth",
                messages.AUTH_REQUEST,
                messages.SESSION,
                lambda request, _: self._let_in(peer, request["token"], self._passwords),
            ),
            Command.RECONNECT: (
                "reconnect",
                messages.RECONNECT_REQUEST,
                messages.SESSION,
                lambda request, _: self._let_in(peer, request["session_id"], self._sessions),
            ),
        }
        if quotes:
            return {**both, **self._quotes.operations()}
        return both | {
            Command.SUBSCRIBE_TRADES: (
                "subscribe",
                messages.TOPICS,
                messages.SUBSCRIBED,
                lambda request, _: self._subscribe(peer, request["topics"]),
            ),
            Command.UNSUBSCRIBE_TRADES: (
                "unsubscribe",
                messages.TOPICS,
                messages.SUBSCRIBED,
                lambda request, _: self._unsubscribe(peer, request["topics"]),
            ),
        }

    def _let_in(self, peer: _Peer, proof: str, proofs: set[str]) -> Mapping[str, Any]:
        if proof not in proofs:
            raise ContractError("token verification failed")
        proofs.discard(proof)
        peer.is_let_in = True
        session = self._next("session")
        self._sessions.add(session)
        expires = self._host.clock.now().timestamp() + _SESSION_SECS
        return {
            "session_id": session,
            "expires": int(expires * 1000),
            "limit": LIMIT,
            "online": self.online,
        }

    def _subscribe(self, peer: _Peer, topics: list[str]) -> Mapping[str, Any]:
        peer.topics += [topic for topic in topics if topic not in peer.topics]
        return {"success": topics, "current": peer.topics}

    def _unsubscribe(self, peer: _Peer, topics: list[str]) -> Mapping[str, Any]:
        peer.topics = [topic for topic in peer.topics if topic not in topics]
        return {"success": topics, "current": peer.topics}

    # ── Notices ────────────────────────────────────────────────────────────────────────

    def _changed(self, order: BrokerOrder, _fills: tuple[Fill, ...]) -> None:
        switch = self._host.wire.strike(_PUSHES, "push", order.symbol)
        if switch is not None and switch.fault is WireFault.LOST_PUSHES:
            return
        view = self._trades.view(order.broker_order_id)
        data = {"event": _EVENT, "data": view.notification(self._host.account_id)}
        body = messages.NOTIFICATION.encode(
            {
                "topic": _PRIVATE,
                "content_type": messages.JSON_CONTENT,
                "dispatch_type": messages.DIRECT,
                "data": json.dumps(data).encode(),
            }
        )
        for peer in self._peers:
            for _ in range(0 if _PRIVATE not in peer.topics else 1 if switch is None else 2):
                peer.outbox.put(push(Command.NOTIFICATION, body))

    def _next(self, what: str) -> str:
        self._issued += 1
        return f"{what}-{self._issued:06d}"


def _send_all(peer: _Peer, gone: threading.Event) -> None:
    while not gone.is_set():
        try:
            packet = peer.outbox.get(timeout=_PING_SECS)
            if packet is None:
                return
            peer.socket.send(packet)
        except queue.Empty:
            _ping(peer)
        except OSError:
            return  # the reader notices as well, and ends


def _ping(peer: _Peer) -> None:
    try:
        peer.socket.ping()
    except OSError:
        peer.outbox.put(None)


def _error(request: Request, error: tuple[int, str]) -> bytes:
    code, message = error
    return response(request, messages.ERROR.encode({"code": code, "msg": message}), status=_FAILED)
