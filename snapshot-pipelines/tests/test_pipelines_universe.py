"""The universe file is read whole or refused by line, and answers for any day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from quant_platform_kit.errors import InputError, ReasonCode
from us_equity_snapshot_pipelines import read_universe

HEADER = "symbol,sector,start,end\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "universe.csv"


def test_candidates_are_those_of_the_day_and_both_ends_count(path: Path) -> None:
    path.write_text(
        HEADER + "KO,Consumer Staples,2010-01-04,\nXOM,Energy,2010-01-04,2015-06-30\n"
        "XOM,Energy,2018-01-02,\nFB,Media,2012-05-18,\n"
    )
    universe = read_universe(path)

    assert universe.members(date(2010, 1, 3)) == set()
    assert universe.members(date(2010, 1, 4)) == {"KO", "XOM"}
    assert universe.members(date(2015, 6, 30)) == {"KO", "XOM", "FB"}
    assert universe.members(date(2015, 7, 1)) == {"KO", "FB"}
    assert universe.members(date(2018, 1, 2)) == {"KO", "XOM", "FB"}


def test_a_sector_is_the_one_of_that_time_or_the_last_before(path: Path) -> None:
    path.write_text(HEADER + "GOOG,Technology,2004-08-19,2018-09-23\nGOOG,Media,2018-09-24,\n")
    universe = read_universe(path)

    assert universe.sector("GOOG", date(2018, 9, 23)) == "Technology"
    assert universe.sector("GOOG", date(2018, 9, 24)) == "Media"
    assert universe.sector("GOOG", date(2004, 8, 18)) == ""
    assert universe.sector("KO", date(2018, 9, 24)) == ""


def test_without_dates_everybody_has_always_been_in(path: Path) -> None:
    path.write_text('symbol,sector\nKO,Consumer Staples\nXOM,"Energy, Oil"\n')

    universe = read_universe(path)

    assert universe.members(date(1999, 1, 4)) == {"KO", "XOM"}
    assert universe.sector("XOM", date(1999, 1, 4)) == "Energy, Oil"


def test_a_file_as_a_spreadsheet_saves_it_is_read(path: Path) -> None:
    text = HEADER + "KO,Consumer Staples,2016-02-29,\n\nXOM,Energy,2010-01-04,\n\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert read_universe(path).members(date(2016, 2, 29)) == {"KO", "XOM"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"its header is \[\], neither"),
        ("ticker,sector\nKO,Energy\n", r"its header is \['ticker', 'sector'\], neither"),
        (HEADER, "it has no line"),
        ("symbol,sector\nKO\n", r"line 2 \(KO\) has 1 cells for 2 columns"),
        ("symbol,sector\nKO, \n", r"line 2 \(KO, \) breaks the rule: sector is a name"),
        ("symbol,sector\nKO,A\0\n", "sector is a name"),
        ("symbol,sector\nko,A\n", r"line 2 \(ko,A\) breaks the rule: symbol is an upper-case"),
        ("symbol,sector\nBRK B,A\n", "symbol is an upper-case ticker"),
        ("symbol,sector\n\u041a\u041e,A\n", "symbol is an upper-case ticker"),  # Cyrillic
        ("symbol,sector\n\nKO,A\nKO,B\n", r"line 4 \(KO,B\) repeats KO"),
        (HEADER + "KO,A,2010-01-04,2011-01-03\nKO,A,2011-01-03,\n", r"line 3 .* repeats KO"),
        (HEADER + "KO,A,2010-01-04,\nKO,A,2012-01-03,\n", r"line 3 .* repeats KO"),
        (HEADER + "KO,A,2010-01-04,2009-01-03\n", "KO ends on 2009-01-03, before"),
        (HEADER + "KO,A,soon,\n", r"line 2 \(KO,A,soon,\) breaks the rule: start is a day"),
        (HEADER + "KO,A,,\n", "start is a day"),
        (HEADER + "KO,A,20100104,\n", "start is a day"),
        (HEADER + "KO,A,2010-01-04,2019-02-29\n", "end is a day, YYYY-MM-DD, or blank"),
        ('symbol,sector\nKO,"A\n', "unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(path: Path, text: str, words: str) -> None:
    path.write_text(text)

    with pytest.raises(InputError, match=words) as refusal:
        read_universe(path)

    assert refusal.value.code is ReasonCode.VALUE_MALFORMED
    assert str(path) in refusal.value.message


def test_a_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_universe(path)
