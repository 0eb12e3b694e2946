"""The binary packets inside LongBridge's WebSocket messages."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from typing import Final

from quant_platform_kit.errors import ContractError

_REQUEST, _RESPONSE, _PUSH = 1, 2, 3
_TYPE_MASK: Final = 0x0F
_SIGNED: Final = 0x10
_GZIPPED: Final = 0x20
_WORTH_ZIPPING: Final = 1024  # bytes; the real server zips what is large, so clients must unzip

_REQUEST_HEAD: Final = struct.Struct(">BBIH")
_SIGNATURE_BYTES: Final = 24  # nonce and signature


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: a command, its own number for the answer, and a message's bytes."""

    command: int
    request_id: int
    body: bytes


def read_request(packet: bytes) -> Request:
    """Return the request in `packet`.

    Raises
    ------
    ContractError
        When the bytes are no request.
    """
    head = _REQUEST_HEAD.size + 3
    if len(packet) < head or packet[0] & _TYPE_MASK != _REQUEST:
        raise ContractError("the packet is no request")
    flags, command, request_id, _ = _REQUEST_HEAD.unpack_from(packet)
    end = head + int.from_bytes(packet[head - 3 : head], "big")
    if len(packet) != end + (_SIGNATURE_BYTES if flags & _SIGNED else 0):
        raise ContractError("the packet's length is not what its head says")
    body = packet[head:end]
    return Request(command, request_id, gzip.decompress(body) if flags & _GZIPPED else body)


def response(request: Request, body: bytes, *, status: int = 0) -> bytes:
    """Return the packet that answers `request`; a status other than 0 carries an error."""
    flags, body = _zipped(body)
    head = struct.pack(">BBIB", _RESPONSE | flags, request.command, request.request_id, status)
    return head + len(body).to_bytes(3, "big") + body


def push(command: int, body: bytes) -> bytes:
    """Return a packet that nobody asked for."""
    return bytes((_PUSH, command)) + len(body).to_bytes(3, "big") + body


def _zipped(body: bytes) -> tuple[int, bytes]:
    return (0, body) if len(body) < _WORTH_ZIPPING else (_GZIPPED, gzip.compress(body, mtime=0))
