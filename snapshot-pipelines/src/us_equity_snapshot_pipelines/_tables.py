"""Files of rows, CSV or Parquet: read as they are, and held against rules that name file and row.

What does not read as a date, or as a number, becomes undefined and breaks the rule of its column.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import xnys

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema

_KINDS: Final = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One file as it was read: texts of a CSV file, typed columns of a Parquet file.

    `first_row` is what a person calls its first row: a CSV file's header is row 1. The index counts
    from there, lines that were left out included.
    """

    path: Path
    raw: pd.DataFrame
    first_row: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def is_text(self) -> bool:
        """Whether it is a CSV file."""
        return not self.name.endswith(".parquet")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one file, held against its rules: typed, with the number of each as `row`."""

    name: str
    table: pd.DataFrame


def read_table(path: Path) -> Table:
    """Read one file.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when it is neither CSV nor Parquet.
    """
    if not path.name.endswith(_KINDS):
        raise invalid(f"{path.name} is none of {', '.join(_KINDS)}")
    if path.name.endswith(".parquet"):
        return Table(path, _parquet(path), first_row=1)
    return Table(path, _csv(path), first_row=2)


def _csv(path: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise invalid(f"{path.name} is not CSV ({str(error).strip()})") from error
    if not isinstance(raw.index, pd.RangeIndex):  # pandas takes the surplus for names of rows
        raise invalid(f"{path.name}, row 2, has more cells than the header")
    starts_blank = raw[raw.iloc[:, 0] == ""]
    blank = starts_blank.index[(starts_blank == "").all(axis=1)]
    return raw.drop(index=blank) if len(blank) else raw


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise invalid(f"{path.name} is not Parquet ({error})") from error
    return frame.reset_index(drop=list(frame.index.names) == [None])  # rows' numbers, no column


def validated(
    table: Table, rules: DataFrameSchema, *, day: str, numbers: Sequence[str], columns: str
) -> Rows:
    """Hold a file against its rules.

    Parameters
    ----------
    table : Table
    rules : DataFrameSchema
        The text of each check is the rule that people are told.
    day : str
        The column of dates.
    numbers : sequence of str
        The columns of numbers.
    columns : str
        The rule about the columns themselves, for people.

    Raises
    ------
    InputError
        ``BAR_INVALID``, naming the file, the first row that breaks a rule, and the rule.
    """
    from pandera.errors import SchemaErrors

    rows = table.raw.copy()
    if day in rows:
        rows[day] = _dates(rows[day])
    for name in numbers:
        if name in rows:
            rows[name] = _numbers(rows[name])
    try:
        rules.validate(rows, lazy=True)
    except SchemaErrors as error:
        raise _broken_rule(table, error.failure_cases, columns) from error
    return Rows(table.name, rows.assign(row=rows.index + table.first_row))


def _dates(cells: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        cells = cells.dt.tz_localize(
            None
        )  # the day that its own clock shows; at another hour, none
    elif cells.dtype.kind != "M":
        cells = pd.to_datetime(cells.astype(str), format="%Y-%m-%d", errors="coerce")
    return cells.astype("datetime64[s]")


def _numbers(cells: pd.Series[Any]) -> pd.Series[Any]:
    numbers = pd.to_numeric(cells, errors="coerce")
    if pd.api.types.is_bool_dtype(numbers):  # true is no price of 1
        return pd.Series(np.nan, index=cells.index)
    return numbers.astype("float64")


def together(files: Sequence[Rows], day: str) -> pd.DataFrame:
    """Return the rows of all files by symbol and day, the number of each one's file as `file`."""
    parts = [file.table.assign(file=place) for place, file in enumerate(files)]
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return table.sort_values(["symbol", day, "file"], kind="stable", ignore_index=True)


def column(
    kind: object,
    rule: str,
    check: Any,  # noqa: ANN401 (what pandera takes)
    *,
    required: bool,
) -> Column:
    """Return a column of a schema; an undefined cell is held against the rule too."""
    import pandera.pandas as pa

    return pa.Column(
        kind, pa.Check(check, error=rule, ignore_na=False), required=required, nullable=True
    )


def symbol_column() -> Column:
    """Return the column of tickers, as every file has it."""
    return column(
        None,
        "symbol is an upper-case ticker",
        lambda symbols: symbols.astype(str).str.fullmatch(r"[A-Z0-9][A-Z0-9._-]*"),
        required=True,
    )


def session_column(name: str) -> Column:
    """Return a column of exchange sessions."""
    return column(None, session_rule(name), are_sessions, required=True)


def session_rule(name: str) -> str:
    """Return the rule of a column of exchange sessions, for people."""
    return f"{name} is a session, YYYY-MM-DD, in {xnys().first_day.year} or later"


def above_zero(name: str, *, required: bool) -> Column:
    """Return a column of finite numbers above zero."""
    return column(
        float,
        f"{name} is a number above 0",
        lambda numbers: np.isfinite(numbers) & (numbers > 0),
        required=required,
    )


def invalid(what: str) -> InputError:
    """Return the refusal of a file."""
    return InputError(
        f"Prices cannot be used: {what}. Nothing was built and nothing was published. Correct the "
        "file, or fetch it again.",
        code=ReasonCode.BAR_INVALID,
    )


def are_sessions(dates: pd.Series[Any]) -> pd.Series[Any]:
    """Tell which dates are sessions of the exchange."""
    calendar = xnys()
    sessions = calendar.sessions(calendar.first_day, calendar.last_day)
    known = np.array(sessions, dtype="datetime64[s]")
    return dates.isin(known)


def _broken_rule(table: Table, cases: pd.DataFrame, columns: str) -> InputError:
    raw, first_row = table.raw, table.first_row
    in_rows = cases[cases["index"].notna()]
    if in_rows.empty:
        about_columns = cases[cases["check"].isin(["column_in_dataframe", "column_in_schema"])]
        names = ", ".join(sorted({str(case) for case in about_columns["failure_case"]}))
        return invalid(
            f"{table.name}, row {first_row - 1}: its columns are {list(raw.columns)}, and the rule "
            f"is '{columns}' ({names})"
        )
    first = in_rows.sort_values(["index", "check_number"], kind="stable").iloc[0]
    row = int(first["index"])
    cells = ", ".join(f"{name} = {raw[name].loc[row]}" for name in raw.columns)
    return invalid(
        f"{table.name}, row {row + first_row} ({cells}) breaks the rule: {first['check']}"
    )
