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

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, read_wide_closes
from us_equity_snapshot_pipelines._tables import (
    Rows,
    Table,
    above_zero,
    column,
    invalid,
    session_column,
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
    if file.is_text and str(file.raw.columns[0]).lower() == "date" and "symbol" not in file.raw:
        return Rows(file.name, _long(read_wide_closes(file.path, adjustment)))
    return validated(
        file,
        schema(),
        day="date",
        numbers=_NUMBERS,
        columns="symbol, date, close, and any of open, high, low, volume",
    )


def frames_in(files: Sequence[Rows], adjustment: Adjustment) -> dict[str, BarFrame]:
    """Return the prices of files, by symbol.

    Raises
    ------
    InputError
        ``BAR_INVALID`` when files cannot be put together, naming file and row.
    """
    table = together(files, "date")
    names = [file.name for file in files]
    if len(files) > 1:
        _require_agreement(table, names)
        if adjustment is not Adjustment.RAW:
            _require_overlap(table, names, adjustment)
        table = table.drop_duplicates(["symbol", "date"], keep="first", ignore_index=True)
    return dict(_frames(table, adjustment))


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
    same = (table["symbol"] == table["symbol"].shift()) & (table["date"] == table["date"].shift())
    before = table["close"].shift()
    apart = same & ((table["close"] - before).abs() > _SAME * before)
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
    shared = table.duplicated(["symbol", "date"], keep=False)
    spans = table.groupby(["symbol", "file"], sort=True)["date"].agg(["min", "max"])
    for symbol, of_symbol in spans.groupby(level="symbol"):
        files = of_symbol.index.get_level_values("file")
        if len(files) < 2:  # noqa: PLR2004 (one file needs no other)
            continue
        connected = set(table.loc[shared & (table["symbol"] == symbol), "file"])
        alone = [file for file in files if file not in connected]
        if alone:
            raise invalid(
                f"{names[alone[0]]}: its {adjustment.value} prices of {symbol} share no session "
                "with another file's. The rule is that adjusted increments overlap by a session "
                "at least: nothing else shows that both were adjusted to the same day"
            )


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
