"""Files of prices: validated row by row, and put together without mixing adjustments.

A long file, CSV or Parquet, has one row per symbol and session, in any order:

======== ============================ ===========================================
column   holds                        rule
======== ============================ ===========================================
symbol   upper-case ticker            letters, digits, ``.``, ``_`` and ``-``
date     session, ``YYYY-MM-DD``      a session of the exchange, once per symbol
close    USD per share                above 0
open     USD per share, optional      above 0
high     USD per share, optional      above 0, not below the others
low      USD per share, optional      above 0, not above the others
volume   shares, optional             at least 0
======== ============================ ===========================================

A wide CSV file has a first column ``Date`` and a column of closes per symbol. Files may be
increments of each other. Where two of them overlap they have to agree; adjusted prices have to
overlap, since nothing else can show that both were adjusted to the same day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, read_wide_closes
from us_equity_snapshot_pipelines._tables import (
    Rows,
    Table,
    above_zero,
    are_sessions,
    column,
    invalid,
    session_column,
    session_rule,
    symbol_column,
    together,
    validated,
)

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_PRICES: Final = _NUMBERS[:4]
_SAME: Final = 1e-6  # share of a price by which two roundings of it may differ


def price_rows(file: Table, adjustment: Adjustment) -> Rows:
    """Return the prices of one file.

    Raises
    ------
    InputError
        ``BAR_INVALID``, naming the file, the row and the rule.
    """
    if file.raw.empty:
        raise invalid(f"{file.name} has no row")
    if file.is_text and str(file.raw.columns[0]).lower() == "date" and "symbol" not in file.raw:
        frames = read_wide_closes(file.path, adjustment)
        _require_sessions(file)
        return Rows(file.name, _long(frames))
    return validated(
        file,
        schema(),
        day="date",
        numbers=_NUMBERS,
        columns="symbol, date, close, and any of open, high, low, volume",
    )


def frames_in(
    files: Sequence[Rows], adjustment: Adjustment
) -> tuple[dict[str, BarFrame], tuple[str, ...]]:
    """Return the prices of files, by symbol, and what looks odd between the files.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when files cannot be put together, naming file and row.
    """
    table = together(files, "date")
    names = [file.name for file in files]
    findings: tuple[str, ...] = ()
    if len(files) > 1:
        _require_agreement(table, names)
        if adjustment is not Adjustment.RAW:
            _require_overlap(table, names, adjustment)
        findings = tuple(_volumes_apart(table, names))
        table = table.drop_duplicates(["symbol", "date"], keep="first", ignore_index=True)
    return dict(_frames(table, adjustment)), findings


def _require_sessions(wide: Table) -> None:
    """Refuse a day on which nobody traded: it would move every look-back by one."""
    dates = wide.raw.iloc[:, 0]
    strange = dates[~are_sessions(pd.to_datetime(dates).astype("datetime64[s]"))]
    if len(strange):
        raise invalid(
            f"{wide.name}, row {strange.index[0] + wide.first_row} ({dates.name} = "
            f"{strange.iloc[0]}) breaks the rule: {session_rule(str(dates.name))}"
        )


def _long(frames: Mapping[str, BarFrame]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"symbol": symbol, "date": frame.days, "close": frame.close})
            for symbol, frame in frames.items()
        ],
        ignore_index=True,
    ).assign(row=0)


def schema() -> DataFrameSchema:
    """Return the rules of a long file."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "symbol": symbol_column(),
            "date": session_column("date"),
            **{name: above_zero(name, required=name == "close") for name in _PRICES},
            "volume": column(
                float,
                "volume is a number of at least 0",
                lambda volumes: np.isfinite(volumes) & (volumes >= 0),
                required=False,
            ),
        },
        checks=[
            pa.Check(
                lambda table: ~table.duplicated(["symbol", "date"], keep="first"),
                error="a symbol has one row per session",
            ),
            pa.Check(_highest, error="high is not below open, low or close"),
            pa.Check(_lowest, error="low is not above open, high or close"),
        ],
        strict=True,
    )


def _highest(table: pd.DataFrame) -> pd.Series[Any]:
    return _beyond(table, "high", 1.0)


def _lowest(table: pd.DataFrame) -> pd.Series[Any]:
    return _beyond(table, "low", -1.0)


def _beyond(table: pd.DataFrame, bound: str, sign: float) -> pd.Series[Any]:
    good = pd.Series(data=True, index=table.index)
    if bound in table:
        for name in _PRICES:
            if name in table and name != bound:
                good &= ~(sign * (table[name] - table[bound]) > _SAME * table[bound])
    return good


def _require_agreement(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse files that give one session of one symbol two closes."""
    before = table["close"].shift()
    apart = _repeats(table) & ((table["close"] - before).abs() > _SAME * before)
    if not apart.any():
        return
    at = int(np.argmax(apart.to_numpy()))
    row, earlier = table.iloc[at], table.iloc[at - 1]
    raise invalid(
        f"{names[row['file']]}, row {row['row']}: {row['symbol']} closes at {row['close']:g} on "
        f"{row['date']:%Y-%m-%d} and in {names[earlier['file']]}, row {earlier['row']}, at "
        f"{earlier['close']:g}, {row['close'] / earlier['close']:.4g} times as much. The rule is "
        "that files agree where they overlap: these have been adjusted to different days, or one "
        "was corrected"
    )


def _require_overlap(table: pd.DataFrame, names: Sequence[str], adjustment: Adjustment) -> None:
    """Refuse adjusted prices of a symbol from files that nothing connects."""
    own = table[["symbol", "file"]].drop_duplicates().sort_values(["symbol", "file"])
    links = own.assign(other=own["file"].groupby(own["symbol"]).transform("first"))
    met = table[["symbol", "file"]].assign(other=table["file"].shift())[_repeats(table)]
    met = met.drop_duplicates().astype({"other": int})
    meetings: dict[str, list[tuple[int, int]]] = {}
    for symbol, file, other in met.itertuples(index=False):
        meetings.setdefault(symbol, []).append((file, other))
    for symbol, file, first in links.itertuples(index=False):
        if file not in _reached(first, meetings.get(symbol, ())):
            raise invalid(
                f"{names[file]}: nothing connects its {adjustment.value} prices of {symbol} with "
                f"those of {names[first]}. The rule is that adjusted increments overlap by a "
                "session at least, each with another one: nothing else shows that all were "
                "adjusted to the same day"
            )


def _volumes_apart(table: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    """Tell volumes that two files give differently: vendors correct them for days."""
    if "volume" not in table:
        return
    volume, before = table["volume"], table["volume"].shift()
    apart = _repeats(table) & ((volume - before).abs() > _SAME * before)
    for symbol, rows in table[apart].groupby("symbol"):
        last = rows.iloc[-1]
        yield (
            f"{names[last['file']]} has another volume of {symbol} on {last['date']:%Y-%m-%d} than "
            f"an earlier file, and so on {len(rows)} sessions in all: the earlier one is used"
        )


def _repeats(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows have the symbol and session of the row before, in another file."""
    keys = table[["symbol", "date"]]
    return (keys == keys.shift()).all(axis=1)


def _reached(first: int, meetings: Iterable[tuple[int, int]]) -> set[int]:
    """Return the files that share a session with `first`, or with one that does, and so on."""
    reached, left = {first}, [set(pair) for pair in meetings]
    while near := [pair for pair in left if pair & reached]:
        reached.update(*near)
        left = [pair for pair in left if not pair <= reached]
    return reached


def _frames(table: pd.DataFrame, adjustment: Adjustment) -> Iterator[tuple[str, BarFrame]]:
    symbols = table["symbol"].to_numpy(dtype=str)
    days = table["date"].to_numpy().astype("datetime64[D]")
    columns = {name: table[name].to_numpy() for name in _NUMBERS if name in table}
    starts = np.flatnonzero(np.append(True, symbols[1:] != symbols[:-1]))
    for start, stop in zip(starts, [*starts[1:], len(symbols)], strict=True):
        part = slice(int(start), int(stop))
        own = {name: values[part] for name, values in columns.items()}
        # A column that only some of the files have is no column of this symbol.
        whole = {name: values for name, values in own.items() if np.isfinite(values).all()}
        symbol = str(symbols[start])
        yield symbol, BarFrame(symbol=symbol, sessions=days[part], adjustment=adjustment, **whole)
