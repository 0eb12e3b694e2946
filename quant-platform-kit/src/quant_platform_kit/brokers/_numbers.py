"""Numbers as brokers tell them: beyond any account is what an SDK or a defect says for "none"."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_BEYOND: Final = Decimal(10) ** 15


def measured(value: object) -> Decimal:
    """Return a number of shares or dollars, which no account and no market has a quadrillion of.

    Raises
    ------
    ArithmeticError, ValueError
        When it is no number, not finite, or beyond that.
    """
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or abs(number) >= _BEYOND:
        raise ValueError(f"{value} is no amount")
    return number
