"""Which stocks were candidates on a day, as was known on that day, and in which sector."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Self

from quant_platform_kit.errors import InputError, ReasonCode

_HEADER: Final = ["symbol", "sector", "start", "end"]
_SHORT_HEADER: Final = _HEADER[:2]
_TICKER: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Membership:
    """A symbol's time among the candidates: from `start` to `end`, both included.

    `end` is None while it is one.
    """

    symbol: str
    sector: str
    start: date = date.min
    end: date | None = None

    def holds_on(self, day: date) -> bool:
        """Tell whether the symbol was a candidate on `day`."""
        return self.start <= day and (self.end is None or day <= self.end)


class Universe:
    """Every membership, ordered by symbol and start; a symbol's do not overlap."""

    __slots__ = ("_by_symbol",)

    def __init__(self, memberships: Iterable[Membership]) -> None:
        self._by_symbol: dict[str, list[Membership]] = {}
        for each in sorted(memberships, key=lambda m: (m.symbol, m.start)):
            self._by_symbol.setdefault(each.symbol, []).append(each)

    @classmethod
    def of_sectors(cls, sectors: Mapping[str, str]) -> Self:
        """Return the universe whose members have always been the same."""
        return cls(Membership(symbol, sector) for symbol, sector in sectors.items())

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol that was ever a candidate, or will be."""
        return frozenset(self._by_symbol)

    def known(self, day: date) -> frozenset[str]:
        """Return the symbols that were candidates on `day` or at some time before."""
        return frozenset(s for s, spans in self._by_symbol.items() if spans[0].start <= day)

    def members(self, day: date) -> frozenset[str]:
        """Return the candidates of `day`."""
        return frozenset(
            symbol
            for symbol, spans in self._by_symbol.items()
            if any(span.holds_on(day) for span in spans)
        )

    def sector(self, symbol: str, day: date) -> str:
        """Return the sector that `symbol` had on `day`, or last before; blank when never."""
        known = [span.sector for span in self._by_symbol.get(symbol, ()) if span.start <= day]
        return known[-1] if known else ""

    def sectors(self, symbols: Iterable[str], day: date) -> dict[str, str]:
        """Return the sector of each of `symbols` that has one by `day`."""
        found = {symbol: self.sector(symbol, day) for symbol in symbols}
        return {symbol: sector for symbol, sector in found.items() if sector}


def read_universe(path: Path) -> Universe:
    """Read a CSV file with the header ``symbol,sector,start,end``, or ``symbol,sector``.

    Dates are ISO dates and both included. A blank end means still in; without the two columns a
    symbol has always been in. A symbol that left and came back has a line for each time.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        ``VALUE_MALFORMED`` when the file cannot be read; the message names it, and the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(lines, [])
        if header not in (_HEADER, _SHORT_HEADER):
            raise _malformed(path, f"its header is {header}, neither {_HEADER} nor {_SHORT_HEADER}")
        found: dict[str, Membership] = {}
        earlier: list[Membership] = []
        for cells in filter(None, lines):
            where = f"line {lines.line_num} ({','.join(cells)})"
            if len(cells) != len(header):
                raise _malformed(path, f"{where} has {len(cells)} cells for {len(header)} columns")
            each = _membership(path, where, cells)
            before = found.get(each.symbol)
            if before is not None:
                if before.end is None or each.start <= before.end:
                    raise _malformed(
                        path,
                        f"{where} repeats {each.symbol}, which an earlier line has in at that "
                        "time; the times of a symbol ascend and do not overlap",
                    )
                earlier.append(before)
            found[each.symbol] = each
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, str(error)) from error
    if not found:
        raise _malformed(path, "it has no line, so nothing is a candidate")
    return Universe([*earlier, *found.values()])


def _membership(path: Path, where: str, cells: list[str]) -> Membership:
    symbol, sector, *span = (cell.strip() for cell in cells)
    if not _TICKER.fullmatch(symbol):
        raise _malformed(path, f"{where} breaks the rule: symbol is an upper-case ticker")
    if not sector or not sector.isprintable():
        raise _malformed(path, f"{where} breaks the rule: sector is a name")
    if not span:
        return Membership(symbol, sector)
    start, end = _day(span[0]), _day(span[1])
    if start is None:
        raise _malformed(path, f"{where} breaks the rule: start is a day, YYYY-MM-DD")
    if end is None and span[1]:
        raise _malformed(path, f"{where} breaks the rule: end is a day, YYYY-MM-DD, or blank")
    if end is not None and end < start:
        raise _malformed(path, f"{where}: {symbol} ends on {end}, before it starts on {start}")
    return Membership(symbol, sector, start, end)


def _day(text: str) -> date | None:
    try:
        if len(text) != len("YYYY-MM-DD"):
            return None
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 (a day, and no instant)
    except ValueError:
        return None


def _malformed(path: Path, what: str) -> InputError:
    return InputError(
        f"The universe file {path} cannot be used: {what}. Nothing was built. It needs the header "
        "'symbol,sector,start,end' and one line per symbol and time.",
        code=ReasonCode.VALUE_MALFORMED,
    )
