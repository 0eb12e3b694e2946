"""The checks that contracts make at their door; each error names the type and the field."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from quant_platform_kit.errors import ContractError

_SYMBOL = re.compile(r"\^?[A-Z0-9][A-Z0-9._\-=]{0,31}")
ZERO = Decimal(0)


def refuse(owner: object, field: str, value: object, want: str) -> ContractError:
    """Build the error for `field` of `owner`, saying what was wanted."""
    return ContractError(f"{type(owner).__name__}.{field} = {value!r}: expected {want}")


def check_symbol(owner: object, field: str, value: object) -> None:
    """Require an upper-case symbol such as ``SPY`` or ``BRK.B``."""
    if not isinstance(value, str) or _SYMBOL.fullmatch(value) is None:
        raise refuse(owner, field, value, "an upper-case symbol such as 'SPY' or 'BRK.B'")


def check_text(owner: object, field: str, value: object) -> None:
    """Require a non-blank string."""
    if not isinstance(value, str) or not value.strip():
        raise refuse(owner, field, value, "a non-blank text")


def check_decimal(
    owner: object, field: str, value: object, *, least: Decimal | None = None
) -> None:
    """Require a finite Decimal, at least `least` where given."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise refuse(owner, field, value, "a finite Decimal")
    if least is not None and value < least:
        raise refuse(owner, field, value, f"a Decimal of at least {least}")


def check_positive(owner: object, field: str, value: object) -> None:
    """Require a finite Decimal above zero."""
    check_decimal(owner, field, value)
    if isinstance(value, Decimal) and value <= ZERO:
        raise refuse(owner, field, value, "a Decimal above zero")


def check_instant(owner: object, field: str, value: object) -> None:
    """Require an aware datetime in UTC."""
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
        raise refuse(owner, field, value, "an aware UTC datetime")


def check_member(owner: object, field: str, value: object, kind: type[Enum]) -> None:
    """Require a member of `kind`: its bare text would pass for equal and fail every `is`."""
    if not isinstance(value, kind):
        raise refuse(owner, field, value, f"a member of {kind.__name__}")


def check_unique(owner: object, field: str, values: tuple[str, ...]) -> None:
    """Require that no value stands twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise refuse(owner, field, value, "each symbol once")
        seen.add(value)
