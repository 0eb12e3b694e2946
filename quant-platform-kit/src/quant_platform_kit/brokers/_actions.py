"""Corporate actions of a market of raw prices: splits and cash dividends, read from a file.

The file is a CSV beside the prices, plain or UTF-8 with a byte order mark, with a header and one
action a row, in any order:

========= ==========================================================================
symbol    upper-case ticker
ex_date   ISO date of a session: from its open on the price is without the dividend,
          or of the new shares
kind      ``split`` or ``dividend``
value     of a split the new shares for old ones, ``4:1`` or ``4``, ``1:10`` or
          ``0.1``; of a dividend USD per share, of shares as they were before the
          ex-date
========= ==========================================================================

One row per symbol, day and kind: dividends of one day are added up by who writes the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from quant_platform_kit.errors import CalendarError, InputError, ReasonCode

if TYPE_CHECKING:
    from quant_platform_kit.market import ExchangeCalendar

_COLUMNS: Final = ["symbol", "ex_date", "kind", "value"]
_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Dividend:
    """Cash for every share that was held before the ex-date."""

    symbol: str
    ex_date: date
    amount_usd: Decimal


@dataclass(frozen=True, slots=True)
class StockSplit:
    """`new` shares for every `old` ones that were held before the ex-date."""

    symbol: str
    ex_date: date
    new: Decimal
    old: Decimal = _ONE


CorporateAction: TypeAlias = Dividend | StockSplit
"""What happens to the shares of a symbol before the open of a session."""


def read_corporate_actions(path: Path, calendar: ExchangeCalendar) -> tuple[CorporateAction, ...]:
    """Read a file of corporate actions.

    Parameters
    ----------
    path : Path
    calendar : ExchangeCalendar
        Every ex-date is one of its sessions.

    Returns
    -------
    tuple of CorporateAction
        By ex-date and symbol; of one day a dividend before a split, since it is paid on the old
        shares.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when the file cannot be read; the message names it and the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error)) from error
    reader = csv.reader(text.splitlines(), strict=True)
    actions: dict[tuple[date, str, str], CorporateAction] = {}
    try:
        if next(reader, []) != _COLUMNS:
            raise _unusable(path, f"line 1 is not the header {','.join(_COLUMNS)}")
        for line, cells in _rows(reader):
            action = _action(path, line, cells, calendar)
            key = (action.ex_date, action.symbol, type(action).__name__)
            if key in actions:
                raise _unusable(
                    path, f"line {line}: a second {cells[2]} of {action.symbol} on {cells[1]}"
                )
            actions[key] = action
    except csv.Error as error:
        raise _unusable(path, f"line {reader.line_num}: {error}") from error
    return tuple(actions[key] for key in sorted(actions))


def _rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for line, cells in enumerate(reader, start=2):
        if cells:
            yield line, [cell.strip() for cell in cells]


def _action(
    path: Path, line: int, cells: Sequence[str], calendar: ExchangeCalendar
) -> CorporateAction:
    if len(cells) != len(_COLUMNS):
        raise _unusable(path, f"line {line} has {len(cells)} cells, not {len(_COLUMNS)}")
    symbol, ex_date, kind, value = cells
    if not symbol or symbol != symbol.upper():
        raise _unusable(path, f"line {line}: {symbol!r} is not an upper-case symbol")
    try:
        day = date.fromisoformat(ex_date)
        if not calendar.is_session(day):
            raise _unusable(path, f"line {line}: {ex_date} is not a session of {calendar.name}")
        match kind:
            case "dividend":
                return Dividend(symbol, day, _positive(value))
            case "split":
                return _split(symbol, day, value)
    except (ValueError, ArithmeticError, CalendarError) as error:
        raise _unusable(path, f"line {line}: {error}") from error
    raise _unusable(path, f"line {line}: {kind!r} is neither split nor dividend")


def _split(symbol: str, day: date, value: str) -> StockSplit:
    new, colon, old = value.partition(":")
    split = StockSplit(symbol, day, _positive(new), _positive(old) if colon else _ONE)
    if split.new == split.old:
        raise ValueError(f"{value!r} changes nothing")
    return split


def _positive(text: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{text!r} is not a number above 0")
    return number


def _unusable(path: Path, what: str) -> InputError:
    return InputError(
        f"The file of corporate actions {path} cannot be used: {what}. Nothing is traded on it; "
        "correct the file, or leave it out for prices that are adjusted already.",
        code=ReasonCode.BAR_INVALID,
    )
