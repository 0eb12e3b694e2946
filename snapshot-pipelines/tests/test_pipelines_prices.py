"""Price files are read as they are meant, or refused by file, row and rule."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.market import BarFrame, load_sample
from us_equity_snapshot_pipelines import fetch_prices, read_prices

GOOD = """symbol,date,open,high,low,close,volume
KO,2020-01-02,54.9,55.1,54.5,55.0,1000
KO,2020-01-03,54.8,55.0,54.3,54.7,1200
XOM,2020-01-02,70.2,71.0,70.1,70.9,900
XOM,2020-01-03,70.5,70.9,69.8,70.3,0
"""
CLOSES = "symbol,date,close\n"

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    folder = tmp_path / "prices"
    folder.mkdir()

    def put(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        return folder

    return put


def read(folder: Path, adjustment: Adjustment = Adjustment.TOTAL_RETURN) -> dict[str, BarFrame]:
    return dict(read_prices(str(folder), adjustment).frames)


def refusal_of(folder: Path, adjustment: Adjustment = Adjustment.TOTAL_RETURN) -> str:
    with pytest.raises(InputError) as refusal:
        read(folder, adjustment)
    assert refusal.value.code is ReasonCode.BAR_INVALID
    assert "Nothing was built and nothing was published" in refusal.value.message
    return refusal.value.message


# ── What is read ───────────────────────────────────────────────────────────────────────


def test_a_long_file_is_read_by_symbol(write: Write) -> None:
    frames = read(write("prices.csv", GOOD))

    assert list(frames) == ["KO", "XOM"]
    assert frames["KO"].sessions == (date(2020, 1, 2), date(2020, 1, 3))
    assert frames["XOM"].close.tolist() == [70.9, 70.3]
    assert frames["XOM"].volume is not None
    assert frames["XOM"].volume.tolist() == [900, 0]
    assert frames["KO"].adjustment is Adjustment.TOTAL_RETURN


def test_rows_may_stand_in_any_order(write: Write) -> None:
    header, *rows = GOOD.splitlines(keepends=True)
    ordered = read(write("prices.csv", GOOD))

    assert read(write("prices.csv", header + "".join(reversed(rows)))) == ordered


def test_parquet_and_gzipped_csv_say_the_same(write: Write, tmp_path: Path) -> None:
    expected = read(write("prices.csv", GOOD))
    table = pd.read_csv(tmp_path / "prices" / "prices.csv")
    (tmp_path / "parquet").mkdir()
    table.assign(date=pd.to_datetime(table["date"])).to_parquet(tmp_path / "parquet" / "p.parquet")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(GOOD.encode()))

    assert read(tmp_path / "parquet") == expected
    assert read(tmp_path / "packed.csv.gz") == expected


def test_a_wide_file_of_closes_is_read_too(write: Write) -> None:
    frames = read(write("prices.csv", "Date,KO,XOM\n2020-01-02,55.0,70.9\n2020-01-03,54.7,70.3\n"))

    assert frames["XOM"].close.tolist() == [70.9, 70.3]


def test_the_sample_of_the_kit_is_a_source() -> None:
    assert dict(read_prices("sample", Adjustment.RAW).frames) == load_sample(Adjustment.RAW)


def test_files_are_told_by_their_hashes(write: Write) -> None:
    found = read_prices(str(write("prices.csv", GOOD)), Adjustment.RAW)

    assert list(found.files) == ["prices.csv"]
    assert len(found.files["prices.csv"]) == 64


def test_whatever_answers_for_bars_is_a_source() -> None:
    class Broker:
        def daily_bars(self, symbols: object, *_: object) -> dict[str, BarFrame]:
            assert symbols in (("AAPL", "NOPE"), ("AAPL",))
            return {"AAPL": load_sample()["AAPL"]}

    found = fetch_prices(Broker(), ["NOPE", "AAPL"], 300, date(2013, 3, 1), Adjustment.RAW)

    assert list(found.frames) == ["AAPL"]
    assert found.findings[0] == "the source has no bar of NOPE"
    assert found.findings[1] == "AAPL moves by -50% on 2005-02-28, a split, perhaps"


# ── What breaks a rule ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("KO,2020-01-06,54,55,53,-54,10", "close is a number above 0"),
        ("KO,2020-01-06,54,55,53,0,10", "close is a number above 0"),
        ("KO,2020-01-06,54,55,53,,10", "close is a number above 0"),
        ("KO,2020-01-06,54,55,53,inf,10", "close is a number above 0"),
        ("KO,2020-01-06,n/a,55,53,54,10", "open is a number above 0"),
        ("KO,2020-01-06,54,55,53,54,-1", "volume is a number of at least 0"),
        ("KO,2020-01-06,54,53,52,53.5,10", "high is not below open, low or close"),
        ("KO,2020-01-06,54,55,54.5,54.6,10", "low is not above open, high or close"),
        ("KO,2020-01-04,54,55,53,54,10", "date is a session"),
        ("KO,2020-13-06,54,55,53,54,10", "date is a session"),
        ("KO,06/01/2020,54,55,53,54,10", "date is a session"),
        ("ko,2020-01-06,54,55,53,54,10", "symbol is an upper-case ticker"),
        (",2020-01-06,54,55,53,54,10", "symbol is an upper-case ticker"),
        ("KO,2020-01-03,54,55,53,54,10", "a symbol has one row per session"),
    ],
)
def test_a_bad_row_is_refused_by_file_row_and_rule(write: Write, row: str, rule: str) -> None:
    message = refusal_of(write("prices.csv", GOOD + row + "\n"))

    assert "prices.csv, row 6 (" in message
    assert f"breaks the rule: {rule}" in message
    assert f"symbol = {row.split(',', maxsplit=1)[0]}" in message


def test_the_first_bad_row_is_the_one_told(write: Write) -> None:
    bad = "KO,2020-01-06,54,55,53,-54,10\nKO,2020-01-07,54,55,53,0,10\n"

    assert "row 6 (" in refusal_of(write("prices.csv", GOOD + bad))


def test_rows_of_parquet_are_counted_from_the_first(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"symbol": ["KO", "KO"], "date": ["2020-01-02", "2020-01-03"], "close": [55.0, -1.0]}
    )
    table.to_parquet(tmp_path / "prices.parquet")

    assert "prices.parquet, row 2 (" in refusal_of(tmp_path / "prices.parquet")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("prices.csv", "symbol,date,open\nKO,2020-01-02,1\n", "close"),
        ("prices.csv", "symbol,date,close,colour\nKO,2020-01-02,1,red\n", "colour"),
        ("prices.txt", "anything", "is none of .csv"),
        ("prices.parquet", "no parquet", "is not Parquet"),
    ],
)
def test_a_file_of_another_shape_is_refused(write: Write, name: str, text: str, words: str) -> None:
    message = refusal_of(write(name, text))

    assert name in message
    assert words in message


def test_no_file_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no price file") as refusal:
        read_prices(str(tmp_path / "nowhere"), Adjustment.RAW)
    assert refusal.value.code is ReasonCode.HISTORY_MISSING


# ── Increments ─────────────────────────────────────────────────────────────────────────

JANUARY = CLOSES + "KO,2020-01-30,58.0\nKO,2020-01-31,57.4\n"


def test_increments_that_overlap_and_agree_are_put_together(write: Write) -> None:
    write("2020-01.csv", JANUARY)
    folder = write("2020-02.csv", CLOSES + "KO,2020-01-31,57.4\nKO,2020-02-03,58.1\n")

    assert read(folder)["KO"].close.tolist() == [58.0, 57.4, 58.1]


def test_increments_adjusted_to_different_days_are_never_mixed(write: Write) -> None:
    write("2020-01.csv", JANUARY)
    folder = write("2020-02.csv", CLOSES + "KO,2020-01-31,28.7\nKO,2020-02-03,29.05\n")

    message = refusal_of(folder)
    assert "2020-02.csv, row 2: KO closes at 28.7 on 2020-01-31" in message
    assert "in 2020-01.csv, row 3, at 57.4, 0.5 times as much" in message


def test_adjusted_increments_that_nothing_connects_are_refused(write: Write) -> None:
    write("2020-01.csv", JANUARY)
    folder = write("2020-02.csv", CLOSES + "KO,2020-02-03,58.1\n")

    assert "share no session with another file's" in refusal_of(folder)
    assert len(read(folder, Adjustment.RAW)["KO"]) == 3


# ── What is told and left as it is ─────────────────────────────────────────────────────


def test_what_looks_odd_is_told(write: Write) -> None:
    text = (
        CLOSES + "FB,2022-06-07,190\nFB,2022-06-08,196\n"
        "META,2022-06-09,184\nMETA,2022-06-10,175\n"
        "KO,2022-06-07,62\nKO,2022-06-08,61\nKO,2022-06-09,61\nKO,2022-06-10,30\n"
    )

    found = read_prices(str(write("prices.csv", text)), Adjustment.RAW)

    assert found.findings == (
        "FB ends on 2022-06-08: delisted, or its data stopped",
        (
            "META begins on 2022-06-09 about where FB ended: if it was renamed, give its whole "
            "history under the new name"
        ),
        "KO moves by -51% on 2022-06-10, a split, perhaps",
    )
    assert np.isclose(found.frames["KO"].close[-1], 30)
