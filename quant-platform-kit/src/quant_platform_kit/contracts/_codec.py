"""One canonical JSON form for every contract: same digits, same bytes.

Decimals, dates and enums are written as strings, a Decimal with every digit it has; keys are
sorted; nothing is lost on the way back.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from quant_platform_kit.errors import ContractError

T = TypeVar("T")

_PLAIN = frozenset({type(None), bool, int, str})
_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def encode(value: object) -> Any:  # noqa: ANN401 (JSON has no narrower type)
    """Return `value` as plain JSON types.

    Raises
    ------
    ContractError
        For a type that has no canonical form.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Decimal:
        return format(value, "f")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):  # a datetime is a date as well
        return value.isoformat()
    if is_dataclass(kind):
        return {name: encode(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise ContractError(f"{type(value).__name__} has no canonical JSON form")


def canonical(value: object) -> str:
    """Return the one JSON text of `value`."""
    return _JSON.encode(encode(value))


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def decode(kind: type[T], data: object) -> T:
    """Read a contract of type `kind` back from its JSON form.

    Raises
    ------
    ContractError
        When the data does not fit the type; the message names the field.
    """
    try:
        return cast("T", _decode(kind, data))
    except ContractError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ContractError(f"not a stored {kind.__name__}: {error}") from error


def revive(kind: type[T], data: object) -> T:
    """Read a contract back from the platform's own store, as `decode` does.

    Fields that are not the contract's are left out: a later version wrote them, and was taken back.
    """
    return decode(kind, _without_strangers(kind, data))


def _decode(kind: Any, data: Any) -> Any:  # noqa: ANN401 (walks arbitrary type hints)
    if kind is object:  # whatever it was, its plain form is what is kept
        return data
    origin = typing.get_origin(kind)
    if origin is types.UnionType or origin is typing.Union:
        return None if data is None else _decode(_without_none(kind), data)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decode(item, entry) for entry in _require(list, data))
    if origin is not None and issubclass(origin, Mapping):
        item = typing.get_args(kind)[1]
        return {key: _decode(item, entry) for key, entry in _require(dict, data).items()}
    if isinstance(kind, type) and is_dataclass(kind):
        entries = _require(dict, data).items()
        return kind(**{name: _decode_field(kind, name, entry) for name, entry in entries})
    return _decode_scalar(kind, data)


def _decode_field(owner: Any, name: str, entry: Any) -> Any:  # noqa: ANN401 (walks arbitrary type hints)
    hint = _hints(owner).get(name)
    if hint is None:
        raise ContractError(f"{owner.__name__}.{name}: there is no such field")
    try:
        return _decode(hint, entry)
    except ContractError:  # names the innermost field already
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ContractError(f"{owner.__name__}.{name}: {error}") from error


def _without_strangers(kind: Any, data: Any) -> Any:  # noqa: ANN401 (walks arbitrary type hints)
    origin = typing.get_origin(kind)
    if origin is types.UnionType or origin is typing.Union:
        return _without_strangers(_without_none(kind), data)
    if isinstance(data, list) and origin is tuple:
        return [_without_strangers(typing.get_args(kind)[0], entry) for entry in data]
    if not isinstance(data, dict):
        return data
    if is_dataclass(kind):
        known = _hints(cast("type", kind))
        return {name: _without_strangers(known[name], data[name]) for name in data if name in known}
    if origin is None:
        return data
    item = typing.get_args(kind)[1]
    return {key: _without_strangers(item, entry) for key, entry in data.items()}


def _decode_scalar(kind: Any, data: Any) -> Any:  # noqa: ANN401 (walks arbitrary type hints)
    if kind is datetime or kind is date:
        return kind.fromisoformat(_require(str, data))
    if kind is Decimal:
        return _decimal(_require(str, data))
    if issubclass(kind, Enum):
        return kind(_require(str, data))
    return _require(kind, data)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"expected a decimal number, got {text!r}") from None


def _require(kind: type[T], data: object) -> T:
    # Exactly the type: a bool is no int, and no text passes for a list of its letters.
    if type(data) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {data!r}")
    return data


def _without_none(kind: Any) -> Any:  # noqa: ANN401 (walks arbitrary type hints)
    return next(arm for arm in typing.get_args(kind) if arm is not type(None))


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
