"""Between the library's objects and the kit's: numbers, contracts, holdings, prices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from quant_platform_kit.brokers import _answers
from quant_platform_kit.brokers._answers import measured
from quant_platform_kit.contracts import (
    Adjustment,
    Position,
    Quote,
)
from quant_platform_kit.errors import BrokerAnswerError, InputError, ReasonCode
from quant_platform_kit.market import ExchangeCalendar

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

reading = partial(_answers.reading, "Interactive Brokers")
"""Turn what an answer that makes no sense raises into the error that it deserves."""

STOCK: Final = "STK"
USD: Final = "USD"

_NEW_YORK: Final = ZoneInfo("America/New_York")
_ZERO: Final = Decimal(0)
_COST_STEP: Final = Decimal("0.0001")
_UNSET: Final = 1e300  # the library's word for "no value" is the largest float
_MOST_DAYS: Final = 365
_SESSIONS_OF_A_YEAR: Final = 250
_SHOW: Final = {Adjustment.SPLIT: "TRADES", Adjustment.TOTAL_RETURN: "ADJUSTED_LAST"}


def to_decimal(value: float | str) -> Decimal:
    """Return the number that a float was written as.

    Raises
    ------
    ArithmeticError, ValueError
        Where there is none, for which the library has the largest float and "not a number".
    """
    number = measured(value if isinstance(value, str) else repr(float(value)))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def to_price(value: Any) -> Decimal | None:  # noqa: ANN401 (the library's)
    """Return a price; None where there is none: not a number, zero or less, or the unset value."""
    number = float(value or 0)
    return to_decimal(number) if math.isfinite(number) and 0 < number < _UNSET else None


def to_symbol(contract: Any) -> str | None:  # noqa: ANN401 (the library's)
    """Return the symbol of a US stock; None for everything else that an account can hold."""
    if contract.secType != STOCK or contract.currency != USD:
        return None
    return str(contract.symbol).replace(" ", ".").upper()


def day_of(instant: datetime) -> datetime:
    """Return when the exchange's day of an instant began."""
    day = instant.astimezone(_NEW_YORK).date()
    return datetime.combine(day, time.min, _NEW_YORK).astimezone(UTC)


def to_wire_symbol(symbol: str) -> str:
    """Return a symbol as the broker writes it: ``BRK.B`` is ``BRK B``."""
    return symbol.replace(".", " ")


# ── Holdings and prices ────────────────────────────────────────────────────────────────


def to_positions(rows: Iterable[Any], account: str) -> tuple[Position, ...]:
    """Return the US stocks that an account holds, sorted by symbol; the last row of each counts."""
    held: dict[str, Position] = {}
    contracts: dict[str, int] = {}
    for row in rows:
        symbol = to_symbol(row.contract)
        if row.account != account or symbol is None:
            continue
        if contracts.setdefault(symbol, row.contract.conId) != row.contract.conId:
            raise _impossible(f"{symbol} stands for two contracts among the holdings", symbol)
        quantity = to_decimal(row.position)
        if quantity < _ZERO:
            raise _impossible(f"{-quantity} {symbol} are held short", symbol)
        cost = to_decimal(row.avgCost).quantize(_COST_STEP)
        held[symbol] = Position(symbol, quantity, cost)
    return tuple(held[symbol] for symbol in sorted(held) if held[symbol].quantity)


def to_quote(symbol: str, ticker: Any, made_at: datetime | None) -> Quote | None:  # noqa: ANN401
    """Return the last price; None without one, or without the instant at which it was made."""
    price = to_price(ticker.last)
    if price is None or made_at is None:
        return None
    bid, ask = to_price(ticker.bid), to_price(ticker.ask)
    if bid is None or ask is None or bid > ask:
        return Quote(symbol, price, made_at)
    return Quote(symbol, price, made_at, bid, ask)


def what_to_show(adjustment: Adjustment) -> str:
    """Return the broker's word for an adjustment.

    Raises
    ------
    InputError
        For raw prices: the broker has none.
    """
    if adjustment not in _SHOW:
        raise InputError(
            f"Interactive Brokers has no {adjustment.value} daily bars; nothing was decided. Ask "
            "for split or total_return bars in the profile's history input.",
        )
    return _SHOW[adjustment]


def duration(sessions: int) -> str:
    """Return the broker's words for a length of time that holds `sessions` sessions."""
    if sessions <= _MOST_DAYS:
        return f"{sessions} D"
    return f"{-(-sessions // _SESSIONS_OF_A_YEAR)} Y"


def to_frame(
    symbol: str, rows: Sequence[Any], adjustment: Adjustment, calendar: ExchangeCalendar
) -> BarFrame | None:
    """Return bars as a frame; None without any.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when a session between the first and the last bar has none, or a bar stands
        on a day without a session.
    """
    from quant_platform_kit.market import BarFrame

    if not rows:
        return None
    days: list[date] = [row.date for row in rows]
    expected = calendar.sessions(days[0], days[-1])
    wrong = sorted(set(expected) ^ set(days))
    if wrong:
        raise InputError(
            f"The daily bars of {symbol} do not agree with the exchange's sessions: {wrong[0]} "
            f"and {len(wrong) - 1} others. Nothing is decided on them; run the slot again, and "
            "look at the symbol's history at the broker if this repeats.",
            code=ReasonCode.BAR_INVALID,
            symbol=symbol,
        )
    columns: Mapping[str, list[float]] = {
        name: [float(getattr(row, name)) for row in rows]
        for name in ("open", "high", "low", "close", "volume")
    }
    return BarFrame(symbol=symbol, sessions=days, adjustment=adjustment, **columns)


def _impossible(what: str, symbol: str) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"The broker's answer cannot be used: {what}. Nothing was sent. Look at the account at the "
        "broker; only long holdings of US stocks are traded here.",
        symbol=symbol,
    )
