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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import BarFrame, read_wide_closes
from us_equity_snapshot_pipelines._odd_prices import findings_in

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_PRICES: Final = _NUMBERS[:4]
_SAME: Final = 1e-6  # share of a price by which two roundings of it may differ
_KINDS: Final = (".csv", ".csv.gz", ".parquet")


def read_price_files(
    files: Sequence[Path], adjustment: Adjustment
) -> tuple[Mapping[str, BarFrame], tuple[str, ...]]:
    """Read price files; return the frames by symbol, and what looks odd in them.

    Raises
    ------
    InputError
        ``BAR_INVALID``, naming the file, the row and the rule.
    """
    parts = [_read(path, adjustment).assign(file=place) for place, path in enumerate(files)]
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    table = table.sort_values(["symbol", "date", "file"], kind="stable", ignore_index=True)
    names = [path.name for path in files]
    if len(files) > 1:
        _require_agreement(table, names)
        if adjustment is not Adjustment.RAW:
            _require_overlap(table, names, adjustment)
        table = table.drop_duplicates(["symbol", "date"], keep="first", ignore_index=True)
    frames = dict(_frames(table, adjustment))
    return frames, findings_in(frames, adjustment)


def _read(path: Path, adjustment: Adjustment) -> pd.DataFrame:
    if not path.name.endswith(_KINDS):
        raise _invalid(f"{path.name} is none of {', '.join(_KINDS)}")
    if path.name.endswith(".parquet"):
        raw, first_row = _read_parquet(path), 1
    else:
        raw, first_row = _read_csv(path), 2
        if str(raw.columns[0]).lower() == "date" and "symbol" not in raw.columns:
            return _long(read_wide_closes(path, adjustment))
    return _validated(path.name, raw, first_row)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise _invalid(f"{path.name} is not CSV ({error})") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise _invalid(f"{path.name} is not Parquet ({error})") from error
    return frame


def _long(frames: Mapping[str, BarFrame]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"symbol": symbol, "date": frame.days, "close": frame.close})
            for symbol, frame in frames.items()
        ],
        ignore_index=True,
    ).assign(row=0)


def _validated(file: str, raw: pd.DataFrame, first_row: int) -> pd.DataFrame:
    from pandera.errors import SchemaErrors

    table = raw.copy()
    if "date" in table:
        # What does not read as a date, or as a number, becomes undefined and breaks its rule.
        if table["date"].dtype.kind != "M":
            days = table["date"].astype(str)
            table["date"] = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
        table["date"] = table["date"].astype("datetime64[s]")
    for name in _NUMBERS:
        if name in table:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype("float64")
    try:
        schema().validate(table, lazy=True)
    except SchemaErrors as error:
        raise _broken_rule(file, raw, first_row, error.failure_cases) from error
    return table.assign(row=np.arange(len(table)) + first_row)


def schema() -> DataFrameSchema:
    """Return the rules of a long file."""
    import pandera.pandas as pa

    def column(kind: object, rule: str, check: Any, *, required: bool) -> pa.Column:  # noqa: ANN401
        return pa.Column(
            kind, pa.Check(check, error=rule, ignore_na=False), required=required, nullable=True
        )

    def price(name: str) -> pa.Column:
        return column(
            float,
            f"{name} is a number above 0",
            lambda prices: np.isfinite(prices) & (prices > 0),
            required=name == "close",
        )

    return pa.DataFrameSchema(
        {
            "symbol": column(
                None,
                "symbol is an upper-case ticker",
                lambda symbols: symbols.astype(str).str.fullmatch(r"[A-Z0-9][A-Z0-9._-]*"),
                required=True,
            ),
            "date": column(None, "date is a session, YYYY-MM-DD", _are_sessions, required=True),
            **{name: price(name) for name in _PRICES},
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


def _are_sessions(dates: pd.Series[Any]) -> pd.Series[Any]:
    from quant_platform_kit.market import xnys

    calendar = xnys()
    sessions = calendar.sessions(calendar.first_day, calendar.last_day)
    known = np.array(sessions, dtype="datetime64[s]")
    return dates.isin(known)


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


def _broken_rule(file: str, raw: pd.DataFrame, first_row: int, cases: pd.DataFrame) -> InputError:
    in_rows = cases[cases["index"].notna()]
    if in_rows.empty:
        names = ", ".join(sorted({str(case) for case in cases["failure_case"]}))
        return _invalid(
            f"{file}, row {first_row - 1}: its columns are {list(raw.columns)}, and the rule is "
            f"'symbol, date, close, and any of open, high, low, volume' ({names})"
        )
    first = in_rows.sort_values(["index", "check_number"], kind="stable").iloc[0]
    row = int(first["index"])
    cells = ", ".join(f"{name} = {raw[name].iloc[row]}" for name in raw.columns)
    return _invalid(f"{file}, row {row + first_row} ({cells}) breaks the rule: {first['check']}")


def _require_agreement(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse files that give one session of one symbol two closes."""
    same = (table["symbol"] == table["symbol"].shift()) & (table["date"] == table["date"].shift())
    before = table["close"].shift()
    apart = same & ((table["close"] - before).abs() > _SAME * before)
    if not apart.any():
        return
    at = int(np.argmax(apart.to_numpy()))
    row, earlier = table.iloc[at], table.iloc[at - 1]
    raise _invalid(
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
            raise _invalid(
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


def _invalid(what: str) -> InputError:
    return InputError(
        f"Prices cannot be used: {what}. Nothing was built and nothing was published. Correct the "
        "file, or fetch it again.",
        code=ReasonCode.BAR_INVALID,
    )
