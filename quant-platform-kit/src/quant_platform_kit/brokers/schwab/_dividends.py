"""Cash dividends from a file: Schwab's bars are adjusted for splits, and it tells no dividends."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import SettingsError

_COLUMNS: Final = ["symbol", "ex_date", "amount_usd"]


class DividendFile:
    """Dividends of a CSV file with the columns symbol, ex_date and amount_usd.

    A symbol without a row paid nothing. Amounts are USD a share, in shares of today.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SettingsError
        When the file cannot be read; the message names the line.
    """

    def __init__(self, path: Path) -> None:
        self._paid: dict[str, dict[date, Decimal]] = {}
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if next(rows, None) != _COLUMNS:
                    raise _unreadable(path, f"line 1: expected {','.join(_COLUMNS)}")
                for row in rows:
                    self._keep(path, rows.line_num, row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _unreadable(path, str(error)) from error

    def __call__(self, symbol: str, first: date, last: date) -> Mapping[date, Decimal]:
        """Return USD a share by ex-dividend date, from `first` to `last`."""
        paid = self._paid.get(symbol, {})
        return {day: amount for day, amount in paid.items() if first <= day <= last}

    def _keep(self, path: Path, line: int, row: list[str]) -> None:
        try:
            symbol, ex_date, text = row
            day, amount = date.fromisoformat(ex_date), Decimal(text)
        except (ValueError, InvalidOperation) as error:
            raise _unreadable(path, f"line {line}: {row!r}") from error
        if not (symbol and amount.is_finite() and amount > 0):
            raise _unreadable(path, f"line {line}: {row!r}")
        of_symbol = self._paid.setdefault(symbol, {})
        if day in of_symbol:
            raise _unreadable(path, f"line {line}: {symbol} has {day} twice")
        of_symbol[day] = amount


def _unreadable(path: Path, what: str) -> SettingsError:
    return SettingsError(
        f"The dividends of SCHWAB_DIVIDENDS_PATH cannot be used: {path}: {what}. Nothing was "
        "decided or traded; correct the file."
    )
