"""Frames and fields of the TWS socket protocol, and tables that lay messages out by version.

A frame is a length (four bytes, big-endian) and its fields, each ended by a zero byte. Messages
have no field names on the wire: a table names the places, and from or up to which version of the
protocol a place exists.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

Value: TypeAlias = str | int | float | bool | Decimal | None
"""What a field can be made of; None and "" are both the empty field."""

_LENGTH: Final = struct.Struct(">I")
_NEVER: Final = 1 << 31
_LONGEST: Final = 1 << 20  # a longer frame is no frame of this protocol


class MalformedMessage(Exception):
    """What arrived cannot be a message of the protocol."""


def pack(*values: Value) -> bytes:
    """Return a frame of `values`."""
    body = "".join(f"{text(value)}\0" for value in values).encode(errors="surrogateescape")
    return _LENGTH.pack(len(body)) + body


def text(value: Value) -> str:
    """Return a field's text: nothing for None, digits for a truth value, no exponents."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def frames(connection: socket.socket) -> Iterator[bytes]:
    """Yield the body of each frame until the peer closes the connection."""
    while (length := _read(connection, _LENGTH.size)) is not None:
        (size,) = _LENGTH.unpack(length)
        if size > _LONGEST:
            raise MalformedMessage(f"a frame of {size} bytes")
        body = _read(connection, size)
        if body is None:
            return
        yield body


def fields(body: bytes) -> list[str]:
    """Return the fields of a frame's body."""
    return body.decode().split("\0")[:-1]


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    default: str
    since: int
    before: int


class Layout:
    """The places of one message, written as words: ``name``, ``name=default``, ``name@160-177``.

    The versions that have the place stand behind the ``@``: from the first on, and before the
    second; either may be left out.

    Parameters
    ----------
    words : str
        The places in order, separated by white space.
    """

    __slots__ = ("_places",)

    def __init__(self, words: str) -> None:
        self._places = tuple(_place(word) for word in words.split())

    def write(self, version: int, values: Mapping[str, Value]) -> list[Value]:
        """Return the values in their places; a place without one has its default."""
        return [values.get(place.name, place.default) for place in self._of(version)]

    def read(self, version: int, given: Sequence[str]) -> dict[str, str]:
        """Return the fields by name.

        Raises
        ------
        MalformedMessage
            When there are more or fewer fields than places.
        """
        places = self._of(version)
        if len(given) != len(places):
            raise MalformedMessage(f"{len(given)} fields where {len(places)} belong")
        return {place.name: field for place, field in zip(places, given, strict=True)}

    def _of(self, version: int) -> list[_Place]:
        return [place for place in self._places if place.since <= version < place.before]


def _place(word: str) -> _Place:
    name, _, versions = word.partition("@")
    name, _, default = name.partition("=")
    since, _, before = versions.partition("-")
    return _Place(name, default, int(since or 0), int(before or _NEVER))
