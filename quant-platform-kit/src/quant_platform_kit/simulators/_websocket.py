"""The server's side of a WebSocket (RFC 6455) on a connected socket, blocking, no extensions."""

from __future__ import annotations

import base64
import hashlib
import threading
from enum import IntEnum
from socket import socket
from typing import Final

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # the RFC's constant
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_SHORT: Final = 0xFFFF
_MOST_BYTES: Final = 1 << 24  # far more than any message of these protocols


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


def accept_key(key: str) -> str:
    """Return the value of ``Sec-WebSocket-Accept`` for a client's ``Sec-WebSocket-Key``."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class WebSocket:
    """An upgraded connection; send from any thread, receive from one."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._input = connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: str | bytes) -> None:
        """Send one message, as text or binary after its type; OSError when the peer is gone."""
        if isinstance(message, str):
            self._send(Opcode.TEXT, message.encode())
        else:
            self._send(Opcode.BINARY, message)

    def ping(self) -> None:
        """Send a ping; OSError when the peer is gone."""
        self._send(Opcode.PING, b"")

    def receive(self) -> bytes | None:
        """Return the next message; None when the peer has closed or gone."""
        message = b""
        while True:
            try:
                frame = self._frame()
                if frame is None or frame[0] is Opcode.CLOSE:
                    return None
                opcode, final, data = frame
                if opcode is Opcode.PING:
                    self._send(Opcode.PONG, data)
            except (OSError, ValueError):
                return None
            if opcode in {Opcode.PING, Opcode.PONG}:
                continue
            message += data
            if final:
                return message

    def close(self) -> None:
        """Say goodbye, if the peer still listens."""
        try:
            self._send(Opcode.CLOSE, b"\x03\xe8")  # 1000: normal
        except OSError:
            return

    def _send(self, opcode: Opcode, data: bytes) -> None:
        length = len(data)
        if length < _TWO_BYTES:
            size = bytes([length])
        elif length <= _SHORT:
            size = bytes([_TWO_BYTES]) + length.to_bytes(2)
        else:
            size = bytes([_EIGHT_BYTES]) + length.to_bytes(8)
        with self._sending:
            self._connection.sendall(bytes([_FINAL | opcode]) + size + data)

    def _frame(self) -> tuple[Opcode, bool, bytes] | None:
        head = self._input.read(2)
        if len(head) < 2:  # noqa: PLR2004 (the size of a frame's head)
            return None
        length = head[1] & _LENGTH
        if length == _TWO_BYTES:
            length = int.from_bytes(self._input.read(2))
        elif length == _EIGHT_BYTES:
            length = int.from_bytes(self._input.read(8))
        if not head[1] & _MASKED or length > _MOST_BYTES:
            raise ValueError("a client masks its frames, and sends short ones")
        mask, data = self._input.read(4), self._input.read(length)
        if len(data) < length:
            return None
        stream = mask * (length // 4 + 1)
        plain = bytes(a ^ b for a, b in zip(data, stream, strict=False))
        return Opcode(head[0] & 0x0F), bool(head[0] & _FINAL), plain
