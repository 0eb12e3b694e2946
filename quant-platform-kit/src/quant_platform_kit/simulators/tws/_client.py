"""One client of the door: its handshake, and what becomes of its requests and their answers."""

from __future__ import annotations

import re
import socket
import struct
import threading
from queue import SimpleQueue
from time import sleep
from typing import Final, Protocol

from quant_platform_kit.contracts import BrokerOrder, Fill
from quant_platform_kit.errors import PlatformError
from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._mangling import mangled_frame
from quant_platform_kit.simulators.tws._codec import MalformedMessage, fields, frames, pack
from quant_platform_kit.simulators.tws._desk import Cut, Desk
from quant_platform_kit.simulators.tws._queries import Frames, Venue
from quant_platform_kit.simulators.tws._requests import OPERATIONS, Requests, read, request_id
from quant_platform_kit.simulators.tws._tables import Ask, Tell

_GREETING: Final = b"API\0"
_VERSIONS: Final = re.compile(rb"v(\d+)\.\.(\d+).*")
_RST: Final = struct.pack("ii", 1, 0)  # a close that loses what was not read yet
_TOO_OLD: Final = 100
_TORN_BYTES: Final = 3
_WITH_ADVICE: Final = 166  # the version since which errors carry a second text

_FAULTS: Final = frozenset(
    {
        WireFault.REPLY_LOST_BEFORE_BOOKING,
        WireFault.REPLY_LOST_AFTER_BOOKING,
        WireFault.DROP_CONNECTION,
        WireFault.NO_ANSWER,
        WireFault.SLOW_ANSWER,
        WireFault.MALFORMED,
        WireFault.SERVER_ERROR,
        WireFault.RATE_LIMIT,
        WireFault.EMPTY_POSITIONS_LOST,
        WireFault.TORN_FRAMES,
        WireFault.CONNECTIVITY_LOST,
        WireFault.LATE_COMMISSION,
    }
)
_ON_CONNECTING: Final = frozenset(
    {
        WireFault.DROP_CONNECTION,
        WireFault.NO_ANSWER,
        WireFault.SLOW_ANSWER,
        WireFault.SERVER_TOO_OLD,
        WireFault.LOGIN_DENIED,
    }
)
_SILENT: Final = frozenset({WireFault.NO_ANSWER, WireFault.EMPTY_POSITIONS_LOST})
_ERRORS: Final = {
    WireFault.SERVER_ERROR: (320, "Server error when reading an API client request."),
    WireFault.RATE_LIMIT: (100, "Max rate of messages per second has been exceeded."),
}
_PACING: Final = (162, "Historical Market Data Service error message: pacing violation")
_IN_USE: Final = (326, "Unable to connect as the client id is already in use.")
_LINE_LOST: Final = (1100, "Connectivity between IB and the program has been lost.")
_LINE_BACK: Final = (1102, "Connectivity has been restored - data maintained.")


class Reception(Protocol):
    """What a client is let in by, and shares with the others."""

    @property
    def venue(self) -> Venue:
        """Where everybody trades."""

    @property
    def desk(self) -> Desk:
        """Where everybody hands orders in."""

    @property
    def newest(self) -> int:
        """The newest version of the protocol that is spoken."""

    def enter(self, client: Client, number: int) -> bool:
        """Let a client have its number; False when another one has it."""

    def leave(self, client: Client) -> None:
        """Forget a client whose connection has ended."""

    def drop_connections(self) -> None:
        """Cut every connection."""


class Client:
    """One connection, served by a thread that reads and one that writes."""

    def __init__(self, door: Reception, connection: socket.socket) -> None:
        self._door = door
        self._connection = connection
        self._host = door.venue.host
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._requests: Requests | None = None
        self._version = 0
        self._torn = False
        self.number: int | None = None

    def serve(self) -> None:
        """Read and answer until the connection ends."""
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        try:
            if self._greet():
                for body in frames(self._connection):
                    self._take(fields(body))
        except (OSError, Cut, MalformedMessage, UnicodeDecodeError, PlatformError):
            self.cut()
        finally:
            self._outgoing.put(None)
            writer.join()
            self._connection.close()
            self._door.leave(self)

    def cut(self) -> None:
        """Break the connection; what was not read yet is lost."""
        try:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is broken already
        self._connection.close()

    def tell(self, order: BrokerOrder, fills: tuple[Fill, ...]) -> None:
        """Send the news of an order of this client that changed by itself."""
        if self._requests is None:
            return
        if self._host.wire.strike({WireFault.LOST_PUSHES}, "push", order.symbol) is None:
            request = self._host.request(order.broker_order_id)
            writer = self._requests.queries.writer
            for news in writer.news(order, request, fills, first=False):
                self._send(news.frame)

    def tell_position(self, symbol: str) -> None:
        """Send a holding that changed, where the client watches holdings."""
        if self._requests is not None and self._requests.wants_positions:
            self._send(self._requests.queries.position(symbol))

    # ── Connecting ─────────────────────────────────────────────────────────────────────

    def _greet(self) -> bool:
        with self._host.lock:
            switch = self._host.wire.strike(_ON_CONNECTING, "connect")
        fault = None if switch is None else switch.fault
        if fault in {WireFault.LOGIN_DENIED, WireFault.DROP_CONNECTION}:
            raise Cut
        if self._connection.recv(len(_GREETING), socket.MSG_WAITALL) != _GREETING:
            raise MalformedMessage("no greeting")
        asked = _VERSIONS.fullmatch(next(frames(self._connection), b""))
        if asked is None:
            raise MalformedMessage("no versions")
        if fault is WireFault.NO_ANSWER:
            for _ in frames(self._connection):
                pass
            return False
        _wait(switch)
        newest = min(int(asked[2]), self._door.newest)
        self._version = _TOO_OLD if fault is WireFault.SERVER_TOO_OLD else newest
        self._send(pack(self._version, f"{self._host.clock.now():%Y%m%d %H:%M:%S} UTC"))
        return True

    def _start(self, number: int) -> Frames:
        in_use = self._host.wire.strike({WireFault.CLIENT_ID_IN_USE}, "connect") is not None
        if in_use or not self._door.enter(self, number):
            self._send(self._complaint(-1, *_IN_USE))
            self._outgoing.put(None)
            return []
        venue, desk = self._door.venue, self._door.desk
        self._requests = Requests(venue, desk, number, self._version, self._complaint)
        return [
            *self._requests.queries.managed_accounts(),
            *self._requests.queries.next_id(),
            self._complaint(-1, 2104, "Market data farm connection is OK:simulated"),
        ]

    # ── Requests ───────────────────────────────────────────────────────────────────────

    def _take(self, given: list[str]) -> None:
        asked = read(given, self._version)
        if asked is None:
            return
        ask, named = asked
        operation = OPERATIONS.get(ask)
        switch: WireSwitch | None = None
        with self._host.lock:
            if operation is not None:
                self._host.requests[operation] += 1
                symbol = named.get("symbol", "").replace(" ", ".") or None
                switch = self._host.wire.strike(_FAULTS, operation, symbol)
            answer = self._prevented(switch, ask, given)
            if answer is None:
                answer = self._spoilt(switch, self._answered(ask, given, named))
            late = switch is not None and switch.fault is WireFault.SLOW_ANSWER
            if not late:  # under the lock, so that no news comes in between
                self._send(*answer)
        if late:
            _wait(switch)
            self._send(*answer)

    def _answered(self, ask: Ask, given: list[str], named: dict[str, str]) -> Frames:
        if ask is Ask.START:
            return self._start(int(given[2]))
        if self._requests is None:
            raise MalformedMessage("a request before the start")
        return self._requests.answer(ask, given, named)

    def _prevented(self, switch: WireSwitch | None, ask: Ask, given: list[str]) -> Frames | None:
        """Do what a fault does before a request takes effect; None when it takes effect."""
        fault = None if switch is None else switch.fault
        if fault is WireFault.DROP_CONNECTION:
            self._door.drop_connections()
            raise Cut
        if fault is WireFault.REPLY_LOST_BEFORE_BOOKING:
            raise Cut
        if fault not in _ERRORS:
            return None
        pacing = fault is WireFault.RATE_LIMIT and ask is Ask.HISTORY
        return [self._complaint(request_id(ask, given), *(_PACING if pacing else _ERRORS[fault]))]

    def _spoilt(self, switch: WireSwitch | None, answer: Frames) -> Frames:
        """Return what a fault leaves of an answer."""
        fault = None if switch is None else switch.fault
        if switch is None or fault is None:
            return answer
        if fault is WireFault.REPLY_LOST_AFTER_BOOKING:
            raise Cut
        if fault in _SILENT:
            return []
        if fault is WireFault.MALFORMED:
            return _mangled(answer, switch.seed)
        if fault is WireFault.CONNECTIVITY_LOST:
            self._send_later(switch, self._complaint(-1, *_LINE_BACK))
            return [self._complaint(-1, *_LINE_LOST), *answer]
        if fault is WireFault.LATE_COMMISSION:
            costs = [frame for frame in answer if _kind(frame) == Tell.COMMISSION]
            self._send_later(switch, *costs)
            return [frame for frame in answer if frame not in costs]
        self._torn = fault is WireFault.TORN_FRAMES
        return answer

    # ── Writing ────────────────────────────────────────────────────────────────────────

    def _complaint(self, about: int, code: int, text: str) -> bytes:
        advice = [""] if self._version >= _WITH_ADVICE else []
        return pack(Tell.ERROR, 2, about, code, text, *advice)

    def _send(self, *answer: bytes) -> None:
        for frame in answer:
            self._outgoing.put(frame)

    def _send_later(self, switch: WireSwitch, *answer: bytes) -> None:
        timer = threading.Timer(switch.seconds, self._send, answer)
        timer.daemon = True
        timer.start()

    def _write(self) -> None:
        try:
            while (frame := self._outgoing.get()) is not None:
                step = _TORN_BYTES if self._torn else len(frame)
                for start in range(0, len(frame), step):
                    self._connection.sendall(frame[start : start + step])
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the reader notices as well, and takes the client off


def _mangled(answer: Frames, seed: int | None) -> Frames:
    """Return an answer one of whose frames is damaged."""
    if seed is None:
        return [pack(_kind(answer[0]), "?"), *answer[1:]]
    places = [place for place, frame in enumerate(answer) if len(fields(frame[4:])) > 1]
    if not places:
        return answer
    place = places[seed % len(places)]
    damaged = pack(*mangled_frame(fields(answer[place][4:]), seed))
    return [*answer[:place], damaged, *answer[place + 1 :]]


def _kind(frame: bytes) -> int:
    return int(fields(frame[4:])[0])


def _wait(switch: WireSwitch | None) -> None:
    if switch is not None and switch.fault is WireFault.SLOW_ANSWER:
        sleep(switch.seconds)
