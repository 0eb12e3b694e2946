"""Files of dividends beside the prices: validated row by row, and never in silent contradiction.

A file, CSV or Parquet, has one row per symbol and ex-date, in any order, and is known by its
columns:

========== ========================================= ==========================================
column     holds                                     rule
========== ========================================= ==========================================
symbol     upper-case ticker                         letters, digits, ``.``, ``_`` and ``-``
ex_date    session, ``YYYY-MM-DD``                   a session of the exchange, once per symbol
amount_usd USD per share, of shares as the closes    above 0
           beside it are the price of
========== ========================================= ==========================================

Dividends of one day are added up by who writes the file. A symbol without a row paid nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from us_equity_snapshot_pipelines._dividends import Payment
from us_equity_snapshot_pipelines._tables import (
    Rows,
    Table,
    above_zero,
    invalid,
    session_column,
    symbol_column,
    together,
    validated,
)

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

_MARK: Final = "ex_date"
_COLUMNS: Final = ("symbol", _MARK, "amount_usd")


def has_dividends(file: Table) -> bool:
    """Tell a file of dividends from one of prices."""
    return _MARK in file.raw.columns


def dividend_rows(file: Table) -> Rows:
    """Return the dividends of one file.

    Raises
    ------
    InputError
        ``BAR_INVALID``, naming the file, the row and the rule.
    """
    return validated(
        file, schema(), day=_MARK, numbers=("amount_usd",), columns=", ".join(_COLUMNS)
    )


def payments_in(files: Sequence[Rows]) -> tuple[tuple[Payment, ...], tuple[str, ...]]:
    """Return every dividend of the files, once, and what looks odd between the files.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when two files give one dividend two amounts, naming both rows.
    """
    if not files:
        return (), ()
    names = [file.name for file in files]
    table = together(files, _MARK)
    _require_agreement(table, names)
    findings = tuple(_left_out(table, names)) if len(files) > 1 else ()
    once = table.drop_duplicates(["symbol", _MARK])
    payments = (
        Payment(str(symbol), day.date(), Decimal(repr(float(amount))))
        for symbol, day, amount in zip(once["symbol"], once[_MARK], once["amount_usd"], strict=True)
    )
    return tuple(payments), findings


def schema() -> DataFrameSchema:
    """Return the rules of a file of dividends."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "symbol": symbol_column(),
            _MARK: session_column(_MARK),
            "amount_usd": above_zero("amount_usd", required=True),
        },
        checks=[
            pa.Check(
                lambda table: ~table.duplicated(["symbol", _MARK], keep="first"),
                error="a symbol has one row per ex_date",
            )
        ],
        strict=True,
    )


def _require_agreement(table: pd.DataFrame, names: Sequence[str]) -> None:
    same = (table["symbol"] == table["symbol"].shift()) & (table[_MARK] == table[_MARK].shift())
    apart = same & (table["amount_usd"] != table["amount_usd"].shift())
    if not apart.any():
        return
    at = int(apart.to_numpy().argmax())
    row, earlier = table.iloc[at], table.iloc[at - 1]
    raise invalid(
        f"{names[row['file']]}, row {row['row']}: {row['symbol']} pays {row['amount_usd']:g} USD "
        f"on {row[_MARK]:%Y-%m-%d} and in {names[earlier['file']]}, row {earlier['row']}, "
        f"{earlier['amount_usd']:g}. The rule is that files agree where they overlap: these are "
        "amounts for shares of two sizes, or one was corrected"
    )


def _left_out(table: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    """Tell dividends that a file lacks although it has an earlier and a later one of the symbol."""
    spans = table.groupby(["symbol", "file"], as_index=False)[_MARK].agg(["min", "max"])
    told = table.drop_duplicates(["symbol", _MARK])[["symbol", _MARK, "file"]]
    asked = told.merge(spans, on="symbol", suffixes=("_with", ""))
    asked = asked[(asked["min"] < asked[_MARK]) & (asked[_MARK] < asked["max"])]
    keys = ["symbol", _MARK, "file"]
    answers = asked.merge(table[keys], on=keys, how="left", indicator="found")
    for row in answers[answers["found"] == "left_only"].itertuples():
        yield (
            f"{names[row.file_with]} has a dividend of {row.symbol} on {row.ex_date:%Y-%m-%d}, and "
            f"{names[row.file]} has earlier and later ones and not that one"
        )
