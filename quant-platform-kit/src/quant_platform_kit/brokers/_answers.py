"""What brokers answer, read with care: what makes no sense is an error, never a figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from quant_platform_kit.errors import BrokerAnswerError

MALFORMED: Final = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)
"""What reading an answer may raise that is not of the form it should have."""

_BEYOND: Final = Decimal(10) ** 15


@contextmanager
def reading(broker: str, what: str) -> Iterator[None]:
    """Turn what an answer that makes no sense raises into the error that it deserves."""
    try:
        yield
    except MALFORMED as error:
        raise BrokerAnswerError(
            f"{broker}'s answer about {what} cannot be read ({error!r}); nothing is assumed about "
            "it and nothing more was sent. Run the slot again, and report the answer if it stays "
            "so."
        ) from error


def measured(value: object) -> Decimal:
    """Return a number of shares or dollars, which no account and no market has a quadrillion of.

    What is beyond is what an SDK or a defect says for "none".

    Raises
    ------
    ArithmeticError, ValueError
        When it is no number, not finite, or beyond that.
    """
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or abs(number) >= _BEYOND:
        raise ValueError(f"{value} is no amount")
    return number
