"""The sectors file: which sector each symbol of a universe belongs to."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import InputError, ReasonCode

_HEADER: Final = ["symbol", "sector"]


def read_sectors(path: Path) -> dict[str, str]:
    """Read a CSV file with the header ``symbol,sector``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str
        Sector by symbol, in file order.

    Raises
    ------
    InputError
        ``VALUE_MALFORMED`` when the file cannot be read; the message names it, and the line.
    """
    try:
        lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True)
        if next(lines, None) != _HEADER:
            raise _malformed(path, f"its header is not {','.join(_HEADER)!r}")
        sectors: dict[str, str] = {}
        for cells in lines:
            if len(cells) != len(_HEADER) or not all(cell.strip() for cell in cells):
                raise _malformed(path, f"line {lines.line_num} reads {cells!r}")
            symbol, sector = cells
            if symbol in sectors:
                raise _malformed(path, f"line {lines.line_num} repeats {symbol}")
            sectors[symbol] = sector
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, str(error)) from error
    return sectors


def _malformed(path: Path, what: str) -> InputError:
    return InputError(
        f"The sectors file {path} cannot be used: {what}. Nothing was built. It needs the header "
        "'symbol,sector' and one line per symbol.",
        code=ReasonCode.VALUE_MALFORMED,
    )
