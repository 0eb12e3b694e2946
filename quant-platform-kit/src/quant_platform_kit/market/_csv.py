"""Wide price files: a date column and one column of closes per symbol."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market._frames import BarFrame, Days, Floats

_GZIP_MAGIC = b"\x1f\x8b"


def read_wide_closes(path: Path, adjustment: Adjustment) -> dict[str, BarFrame]:
    """Read the closes of many symbols from one CSV file, plain or gzipped.

    The first column holds ISO dates, ascending; every other column is headed by its symbol and
    holds closes in USD. Blank cells before a symbol's first close mean that it was not listed
    yet, after its last one that it no longer was; a blank between two closes is an error.

    Parameters
    ----------
    path : Path
        The file; whether it is gzipped is seen from its content.
    adjustment : Adjustment
        What the file's prices have been adjusted for: the file itself cannot say.

    Returns
    -------
    dict of str to BarFrame
        In the file's column order, each frame from its symbol's first close to its last.

    Raises
    ------
    InputError
        ``HISTORY_MISSING`` when the file cannot be opened, ``BAR_INVALID`` when it cannot be
        read; the message names the file, and the line and column where there is one.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        symbols = _header(path, next(reader, []))
        rows = list(_rows(path, symbols, reader))
    except csv.Error as error:
        raise _unreadable(path, f"line {reader.line_num}: {error}") from error
    if not rows:
        raise _unreadable(path, "it holds no row of prices")
    lines, dates, prices = zip(*rows, strict=True)
    days: Days = np.array(dates, dtype="datetime64[D]")
    table = np.array(prices, dtype=np.float64)
    frames = {}
    for column, symbol in enumerate(symbols):
        listed = _listed(path, symbol, table[:, column], lines)
        frames[symbol] = BarFrame(
            symbol=symbol,
            sessions=days[listed],
            close=table[listed, column],
            adjustment=adjustment,
        )
    return frames


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The price file {path} cannot be opened ({error.strerror}): there is no history to "
            "decide on. Check the path and its permissions."
        ) from error
    try:
        plain = gzip.decompress(raw) if raw.startswith(_GZIP_MAGIC) else raw
        return plain.decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    symbols = [cell.strip() for cell in cells[1:]]
    if not symbols:
        raise _unreadable(path, "line 1 names no symbol after its date column")
    for column, symbol in enumerate(symbols, start=2):
        if not symbol or symbol != symbol.upper() or symbol in symbols[: column - 2]:
            raise _unreadable(
                path, f"line 1, column {column}: {symbol!r} is not a new upper-case symbol"
            )
    return symbols


def _rows(
    path: Path, symbols: Sequence[str], reader: Iterator[list[str]]
) -> Iterator[tuple[int, date, list[float]]]:
    newest = date.min
    for line, cells in enumerate(reader, start=2):
        if not cells:
            continue
        day = _date(path, line, cells[0])
        if day <= newest:
            raise _unreadable(path, f"line {line}: {day} does not follow {newest}")
        if len(cells) != len(symbols) + 1:
            raise _unreadable(
                path, f"line {line} has {len(cells)} cells under a header of {len(symbols) + 1}"
            )
        newest = day
        yield (
            line,
            day,
            [_price(path, line, *pair) for pair in zip(symbols, cells[1:], strict=True)],
        )


def _date(path: Path, line: int, cell: str) -> date:
    try:
        return date.fromisoformat(cell.strip())
    except ValueError as error:
        raise _unreadable(path, f"line {line}: {cell!r} is not a date") from error


def _price(path: Path, line: int, symbol: str, cell: str) -> float:
    try:
        price = float(cell)
    except ValueError as error:
        if not cell.strip():
            return math.nan
        raise _unreadable(path, f"line {line}, column {symbol}: {cell!r} is no price") from error
    if not 0.0 < price < math.inf:
        raise _unreadable(path, f"line {line}, column {symbol}: {cell!r} is not a price above 0")
    return price


def _listed(path: Path, symbol: str, closes: Floats, lines: Sequence[int]) -> slice:
    priced = np.flatnonzero(np.isfinite(closes))
    if priced.size == 0:
        raise _unreadable(path, f"column {symbol} holds no price")
    gaps = np.flatnonzero(np.diff(priced) > 1)
    if gaps.size:
        line = lines[int(priced[gaps[0]]) + 1]
        raise _unreadable(path, f"line {line}, column {symbol}: blank between two closes")
    return slice(int(priced[0]), int(priced[-1]) + 1)


def _unreadable(path: Path, what: str) -> InputError:
    return InputError(
        f"The price file {path} cannot be used: {what}. Nothing is decided on it; correct the "
        "file, or fetch it again.",
        code=ReasonCode.BAR_INVALID,
    )
