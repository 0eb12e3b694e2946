"""The protocol buffer encoding, as far as LongBridge's messages need it.

A message is a mapping of field names; a field that is absent has its type's zero value, as in
proto3. Unknown fields are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from quant_platform_kit.errors import ContractError

Values: TypeAlias = Mapping[str, Any]
"""Fields by name: int, bool, str, bytes, another mapping, or a list of one of them."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_SKIPPED: Final = {_FIXED64: 8, _FIXED32: 4}
_MASK64: Final = (1 << 64) - 1
_SIGN64: Final = 1 << 63
_LONGEST_VARINT: Final = 10


class Scalar(Enum):
    """The scalar types that are used; INTEGER also stands for enumerations."""

    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its number on the wire, its name and its type."""

    number: int
    name: str
    kind: Scalar | Message
    repeated: bool = False

    @property
    def _is_number(self) -> bool:
        return self.kind in (Scalar.INTEGER, Scalar.BOOLEAN)


@dataclass(frozen=True, slots=True)
class Message:
    """A message type, as the tuple of its fields."""

    fields: tuple[Field, ...] = ()

    def encode(self, values: Values) -> bytes:
        """Return the message's bytes.

        Raises
        ------
        ContractError
            When a value has a name that the message does not know.
        """
        unknown = values.keys() - {field.name for field in self.fields}
        if unknown:
            raise ContractError(f"message has no field {', '.join(sorted(unknown))}")
        return b"".join(_encode_field(field, values.get(field.name)) for field in self.fields)

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return every field of the message, zero values included.

        Raises
        ------
        ContractError
            When the bytes are no such message.
        """
        values: dict[str, Any] = {field.name: _zero(field) for field in self.fields}
        by_number = {field.number: field for field in self.fields}
        for number, wire_type, raw in _wire(data):
            field = by_number.get(number)
            if field is not None:
                _take(values, field, wire_type, raw)
        return values


# ── Writing ────────────────────────────────────────────────────────────────────────────


def _encode_field(field: Field, value: Any) -> bytes:  # noqa: ANN401 (any field's value)
    if field.repeated:
        if field.kind is Scalar.INTEGER:
            return _prefixed(field, b"".join(map(_varint, value))) if value else b""
        return b"".join(_prefixed(field, _payload(field, each)) for each in value or ())
    if not value and value != {}:
        return b""
    if field.kind in (Scalar.INTEGER, Scalar.BOOLEAN):
        return _varint(field.number << 3 | _VARINT) + _varint(int(value))
    return _prefixed(field, _payload(field, value))


def _payload(field: Field, value: Any) -> bytes:  # noqa: ANN401 (any field's value)
    if isinstance(field.kind, Message):
        return field.kind.encode(value)
    return value.encode() if field.kind is Scalar.TEXT else bytes(value)


def _prefixed(field: Field, payload: bytes) -> bytes:
    return _varint(field.number << 3 | _LENGTH) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    value &= _MASK64  # a negative number takes all ten bytes
    parts = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits a byte)
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


# ── Reading ────────────────────────────────────────────────────────────────────────────


def _wire(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire_type = key & 7
        if wire_type == _VARINT:
            number, at = _read_varint(data, at)
            yield key >> 3, wire_type, number
            continue
        if wire_type == _LENGTH:
            length, at = _read_varint(data, at)
        elif wire_type in _SKIPPED:
            length = _SKIPPED[wire_type]
        else:
            raise ContractError(f"wire type {wire_type} at byte {at}: expected 0, 1, 2 or 5")
        if at + length > len(data):
            raise ContractError(f"field {key >> 3} is cut off at byte {len(data)}")
        yield key >> 3, wire_type, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            value &= _MASK64
            return value - (1 << 64) if value & _SIGN64 else value, at + index + 1
    raise ContractError(f"a number is cut off at byte {at}")


def _take(values: dict[str, Any], field: Field, wire_type: int, raw: int | bytes) -> None:
    if isinstance(raw, bytes) and field.kind is Scalar.INTEGER and field.repeated:
        values[field.name].extend(_packed(raw))
        return
    if isinstance(raw, bytes) is (field.kind in (Scalar.INTEGER, Scalar.BOOLEAN)):
        raise ContractError(f"field {field.name} has wire type {wire_type}")
    value = _value(field, raw)
    if field.repeated:
        values[field.name].append(value)
    else:
        values[field.name] = value


def _value(field: Field, raw: int | bytes) -> Any:  # noqa: ANN401 (any field's value)
    if isinstance(raw, int):
        return bool(raw) if field.kind is Scalar.BOOLEAN else raw
    if isinstance(field.kind, Message):
        return field.kind.decode(raw)
    try:
        return raw.decode() if field.kind is Scalar.TEXT else raw
    except UnicodeDecodeError as error:
        raise ContractError(f"field {field.name} is no text") from error


def _packed(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        number, at = _read_varint(raw, at)
        yield number


def _zero(field: Field) -> Any:  # noqa: ANN401 (any field's value)
    if field.repeated:
        return []
    zeros = {Scalar.INTEGER: 0, Scalar.BOOLEAN: False, Scalar.TEXT: "", Scalar.BYTES: b""}
    return None if isinstance(field.kind, Message) else zeros[field.kind]
