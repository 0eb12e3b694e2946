"""How one key of the limits file is read, and how its limit answers to the bias."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

_NO_LIMIT = "none"
_ALL_PCT = Decimal(100)


class Unreadable(ValueError):
    """A key or a value that cannot be used: where it stands, and what is wrong with it."""

    def __init__(self, problem: str, *path: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def under(self, name: str) -> Unreadable:
        """Return the same problem, seen from the section above."""
        return Unreadable(self.problem, name, *self.path)


class Unwanted(ValueError):
    """A value that does not fit its key; the text says what would."""


@dataclass(frozen=True, slots=True)
class LossLimit:
    """How much may be lost: an amount in USD, or a percentage of the equity it began with."""

    amount: Decimal
    is_pct: bool = False

    def __str__(self) -> str:
        """Write it as the file does."""
        return f"{self.amount:f}%" if self.is_pct else f"{self.amount:f}"


def read_section(kind: type[T], data: object) -> T:
    """Build a section of limits out of plain YAML, each key by its own reader.

    Raises
    ------
    Unreadable
        For a key that does not exist, or a value that does not fit; nothing is guessed.
    """
    if not isinstance(data, dict):
        raise Unreadable(f"= {data!r}: expected keys with their values")
    keys = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    values = {}
    for name, given in data.items():
        if name not in keys:
            raise Unreadable(f"is no limit.{near_miss(name, keys)}", name)
        try:
            values[name] = keys[name].metadata["read"](given)
        except Unwanted as error:
            raise Unreadable(f"= {given!r}: expected {error}", name) from None
        except Unreadable as error:
            raise error.under(name) from None
    return kind(**values)


def near_miss(name: object, known: Mapping[str, object]) -> str:
    """Return the question whether another name was meant, or nothing."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def scaled(section: T, factor: Decimal) -> T:
    """Return a section of limits times the bias."""
    changes = {
        key.name: key.metadata["scale"](getattr(section, key.name), factor)
        for key in fields(section)  # type: ignore[arg-type]  # a dataclass
    }
    return replace(section, **changes)  # type: ignore[type-var]  # a dataclass


# ── What a key is made of ──────────────────────────────────────────────────────────────


def key(
    meaning: str,
    read: Callable[[object], object],
    scale: Callable[[Any, Decimal], object] | None = None,
) -> Mapping[str, Any]:
    """Return the metadata of a key; without `scale` the bias does not touch it."""
    return MappingProxyType({"meaning": meaning, "read": read, "scale": scale or _untouched})


def limit(meaning: str) -> Mapping[str, Any]:
    """Return the metadata of an ordinary limit: a number, or none."""
    return key(meaning, or_none(number), times)


def section(kind: type) -> Mapping[str, Any]:
    """Return the metadata of a section."""
    return key("", lambda data: read_section(kind, data), scaled)


# ── Readers: from plain YAML, where every value is text, to the value ──────────────────


def or_none(read: Callable[[object], object]) -> Callable[[object], object]:
    """Let the word ``none`` stand for no limit."""
    return lambda text: None if text == _NO_LIMIT else read(text)


def number(text: object) -> Decimal:
    """Read a number of at least 0."""
    value = _decimal(text, "a number of at least 0, or none")
    if value < 0:
        raise Unwanted("a number of at least 0, or none")
    return value


def signed(text: object) -> Decimal:
    """Read a number."""
    return _decimal(text, "a number, or none")


def count(text: object) -> int:
    """Read a whole number of at least 0."""
    return _whole(text, 0, "a whole number of at least 0, or none")


def runs(text: object) -> int:
    """Read a whole number of runs."""
    return _whole(text, 1, "a whole number of at least 1, or none")


def minutes(text: object) -> int:
    """Read a whole number of minutes."""
    return _whole(text, 1, "a whole number of minutes above 0")


def flag(text: object) -> bool:
    """Read ``true`` or ``false``; no other word means either."""
    if text not in ("true", "false"):
        raise Unwanted("true or false")
    return text == "true"


def loss(text: object) -> LossLimit:
    """Read an amount in USD or a percentage."""
    wanted = "an amount in USD such as 2000, a share such as 2% of at most 100%, or none"
    written = text if isinstance(text, str) else ""
    try:
        found = LossLimit(number(written.removesuffix("%").rstrip()), written.endswith("%"))
    except Unwanted:
        raise Unwanted(wanted) from None
    if found.is_pct and found.amount > _ALL_PCT:
        raise Unwanted(wanted)
    return found


def sectors(data: object) -> Mapping[str, str]:
    """Read lists of symbols by sector into the sector of each symbol."""
    wanted = "sectors with lists of their symbols, such as energy: [XOM, CVX]"
    if not isinstance(data, dict) or not all(isinstance(own, list) for own in data.values()):
        raise Unwanted(wanted)
    sector_of: dict[str, str] = {}
    for sector, symbols in data.items():
        for symbol in symbols:
            if not isinstance(symbol, str) or sector_of.setdefault(symbol, sector) != sector:
                raise Unwanted(f"{wanted}, each symbol in one of them; {symbol!r} is not")
    return MappingProxyType(sector_of)


def _whole(text: object, least: int, wanted: str) -> int:
    value = _decimal(text, wanted)
    if value < least or value != int(value):
        raise Unwanted(wanted)
    return int(value)


def _decimal(text: object, wanted: str) -> Decimal:
    if not isinstance(text, str) or "_" in text:  # Decimal takes 2_000, YAML's readers do not
        raise Unwanted(wanted)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Unwanted(wanted) from None
    if not value.is_finite():
        raise Unwanted(wanted)
    return value


# ── What the bias does ─────────────────────────────────────────────────────────────────


def times(value: Decimal | None, factor: Decimal) -> Decimal | None:
    """Multiply an amount."""
    return None if value is None else value * factor


def whole_times(value: int | None, factor: Decimal) -> int | None:
    """Multiply a number of things, rounded down."""
    return None if value is None else int((value * factor).to_integral_value(ROUND_FLOOR))


def loss_times(value: LossLimit | None, factor: Decimal) -> LossLimit | None:
    """Multiply a loss limit."""
    return None if value is None else replace(value, amount=value.amount * factor)


def _untouched(value: object, _factor: Decimal) -> object:
    return value
