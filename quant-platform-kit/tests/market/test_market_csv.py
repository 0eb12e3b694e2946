from __future__ import annotations

import gzip
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import BarFrame, read_wide_closes, xnys

TABLE = """\
Date,SPY,NEW,GONE
2024-07-01,10.5,,1
2024-07-02,11, ,2.5
2024-07-03,12,7.25,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "closes.csv"


def read(file: Path) -> dict[str, BarFrame]:
    return read_wide_closes(file, Adjustment.TOTAL_RETURN)


def test_each_column_becomes_a_frame_over_the_sessions_it_was_listed(file: Path) -> None:
    file.write_text(TABLE)

    frames = read(file)

    assert list(frames) == ["SPY", "NEW", "GONE"]
    assert frames["SPY"].sessions == (date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3))
    assert frames["SPY"].close.tolist() == [10.5, 11.0, 12.0]
    assert frames["NEW"].sessions == (date(2024, 7, 3),)
    assert frames["GONE"].close.tolist() == [1.0, 2.5]
    assert {bars.adjustment for bars in frames.values()} == {Adjustment.TOTAL_RETURN}
    assert frames["SPY"].open is None


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TABLE.encode()),
        TABLE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        (TABLE + "\n\n").encode(),
    ],
    ids=["gzip", "windows lines", "byte order mark", "blank last lines"],
)
def test_the_same_table_reads_the_same_in_every_dress(file: Path, content: bytes) -> None:
    file.write_text(TABLE)
    plain = read(file)
    file.write_bytes(content)

    assert read(file) == plain


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("", "line 1 names no symbol"),
        ("Date\n2024-07-01\n", "line 1 names no symbol"),
        ("Date,SPY\n", "no row of prices"),
        ("Date,SPY,SPY\n", "line 1, column 3: 'SPY'"),
        ("Date,SPY,\n", "line 1, column 3: ''"),
        ("Date,spy\n", "line 1, column 2: 'spy'"),
        ("Date,SPY\n2024-07-01,1\n01/07/2024,1\n", "line 3: '01/07/2024' is not a date"),
        ("Date,SPY\n2024-07-02,1\n2024-07-01,1\n", "line 3: 2024-07-01 does not follow"),
        ("Date,SPY\n2024-07-01,1\n2024-07-01,1\n", "line 3: 2024-07-01 does not follow"),
        ("Date,SPY\n2024-07-01,1,2\n", "line 2 has 3 cells under a header of 2"),
        ("Date,SPY,QQQ\n2024-07-01,1\n", "line 2 has 2 cells under a header of 3"),
        ("Date,SPY,QQQ\n2024-07-01,1,n/a\n", "line 2, column QQQ: 'n/a' is no price"),
        ("Date,SPY\n2024-07-01,nan\n", "line 2, column SPY: 'nan' is not a price above 0"),
        ("Date,SPY\n2024-07-01,0\n", "line 2, column SPY: '0' is not a price above 0"),
        ("Date,SPY\n2024-07-01,-1\n", "line 2, column SPY: '-1' is not a price above 0"),
        ("Date,SPY\n2024-07-01,inf\n", "line 2, column SPY: 'inf' is not a price above 0"),
        (
            "Date,SPY,QQQ\n2024-07-01,1,1\n\n2024-07-02,1,\n2024-07-03,1,1\n",
            "line 4, column QQQ: blank between two closes",
        ),
        ("Date,SPY,QQQ\n2024-07-01,1,\n", "column QQQ holds no price"),
        ('Date,SPY\n2024-07-01,"1\n', "line 2: unexpected end of data"),
    ],
)
def test_a_broken_table_is_refused_by_file_line_and_column(
    file: Path, table: str, complaint: str
) -> None:
    file.write_text(table)

    with pytest.raises(InputError) as error:
        read(file)

    assert str(file) in str(error.value)
    assert complaint in str(error.value)
    assert error.value.code is ReasonCode.BAR_INVALID


@pytest.mark.parametrize(
    "content",
    [gzip.compress(TABLE.encode())[:-9], b"\x1f\x8b\x08garbage", b"Date,SPY\n2024-07-01,\xff\n"],
    ids=["cut short", "damaged", "not UTF-8"],
)
def test_bytes_that_cannot_be_read_are_refused_by_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(InputError, match=r"closes\.csv cannot be used"):
        read(file)


def test_a_missing_file_is_refused_and_never_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be opened") as error:
        read(tmp_path / "nowhere.csv")

    assert error.value.code is ReasonCode.HISTORY_MISSING


def test_the_demos_stocks_have_a_close_on_every_session_of_33_years() -> None:
    package = find_spec("skfolio")
    assert package is not None
    assert package.origin is not None
    frames = read(Path(package.origin).parent / "datasets" / "data" / "sp500_dataset.csv.gz")

    assert len(frames) == 20
    sessions = xnys().sessions(date(1990, 1, 2), date(2022, 12, 28))
    assert {bars.sessions for bars in frames.values()} == {sessions}
    assert frames["XOM"].close_on(date(2022, 12, 28)) == 106.627
