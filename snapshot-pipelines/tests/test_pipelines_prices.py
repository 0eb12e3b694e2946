"""Price files are read as they are meant, or refused by file, row and rule."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("KO,2020-01-03", "\nKO,2020-01-03").encode() + b"\n\n",
        GOOD.rstrip("\n").encode(),
        GOOD.replace("KO", '"KO"').encode(),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no last newline", "quotes"],
)
def test_csv_as_other_programs_write_it_is_read(write: Write, data: bytes) -> None:
    expected = read(write("prices.csv", GOOD))
    folder = write("prices.csv", "")
    (folder / "prices.csv").write_bytes(data)

    assert read(folder) == expected


MIDNIGHT = [datetime(2020, 1, 2), datetime(2020, 1, 3)]  # noqa: DTZ001 (the zone is the column's)
TABLE = {"symbol": ["KO", "KO"], "date": ["2020-01-02", "2020-01-03"], "close": [55.0, 54.75]}


def parquet(folder: Path, **columns: Any) -> Path:  # noqa: ANN401 (what a column can be made of)
    pq.write_table(pa.table({**TABLE, **columns}), folder / "prices.parquet")
    return folder / "prices.parquet"


@pytest.mark.parametrize(
    "columns",
    [
        {"close": pa.array([55.0, 54.75], pa.float32())},
        {"close": pa.array([Decimal("55.00"), Decimal("54.75")])},
        {"close": pa.array([55.0, 54.75]).dictionary_encode()},
        {"symbol": pa.array(["KO", "KO"]).dictionary_encode()},
        {"symbol": pa.array(["KO", "KO"], pa.large_string())},
        {"date": pa.array(["2020-01-02", "2020-01-03"]).dictionary_encode()},
        {"date": pa.array([day.date() for day in MIDNIGHT], pa.date32())},
        {"date": pa.array([day.date() for day in MIDNIGHT], pa.date64())},
        {"date": pa.array(MIDNIGHT, pa.timestamp("us"))},
        {"date": pa.array(MIDNIGHT, pa.timestamp("ns", "UTC"))},
        {
            "date": pa.array(
                [day + timedelta(hours=5) for day in MIDNIGHT],
                pa.timestamp("ns", "America/New_York"),
            )
        },
    ],
    ids=lambda columns: "-".join(str(getattr(each, "type", "")) for each in columns.values()),
)
def test_parquet_of_any_type_that_says_the_same_is_read(
    tmp_path: Path, columns: dict[str, Any]
) -> None:
    assert read(parquet(tmp_path, **columns)) == read(parquet(tmp_path))


def test_symbol_and_date_may_be_the_index_of_a_parquet_file(tmp_path: Path) -> None:
    plain = read(parquet(tmp_path))
    indexed = tmp_path / "indexed.parquet"
    pd.DataFrame(TABLE).set_index(["symbol", "date"]).to_parquet(indexed)

    assert read(indexed) == plain


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
    ("columns", "rule"),
    [
        ({"close": [True, True]}, "row 1 .*: close is a number above 0"),
        ({"close": [55.0, None]}, "row 2 .*: close is a number above 0"),
        ({"close": [[55.0], [54.0]]}, "row 1 .*: close is a number above 0"),
        ({"volume": pa.array([1, None], pa.int64())}, "row 2 .*: volume is a number of at least 0"),
        ({"symbol": ["KO", None]}, "row 2 .*: symbol is an upper-case ticker"),
        ({"date": [20200102, 20200103]}, "row 1 .*: date is a session"),
        ({"date": [MIDNIGHT[0], None]}, "row 2 .*: date is a session"),
        (
            {
                "date": pa.array(
                    [day + timedelta(hours=21) for day in MIDNIGHT], pa.timestamp("ns", "UTC")
                )
            },
            "row 1 .*: date is a session",
        ),
    ],
)
def test_parquet_of_a_type_that_says_something_else_is_refused(
    tmp_path: Path, columns: dict[str, Any], rule: str
) -> None:
    assert re.search(rule, refusal_of(parquet(tmp_path, **columns)))


@pytest.mark.parametrize("closed", ["2001-09-11", "2012-10-29", "2018-12-05", "2025-01-09"])
def test_a_price_of_a_day_on_which_the_exchange_stayed_closed_is_refused(
    write: Write, closed: str
) -> None:
    assert "row 2 (" in refusal_of(write("prices.csv", CLOSES + f"KO,{closed},55\n"))
    wide = refusal_of(write("prices.csv", f"Date,KO\n1999-12-31,55\n{closed},55\n"))
    assert f"prices.csv, row 3 (Date = {closed}) breaks the rule: Date is a session" in wide


def test_half_days_and_leap_days_are_sessions(write: Write) -> None:
    days = (date(2016, 2, 29), date(2019, 7, 3), date(2023, 11, 24))
    folder = write("prices.csv", CLOSES + "".join(f"KO,{day},55\n" for day in days))

    assert read(folder)["KO"].sessions == days


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("prices.csv", CLOSES, "has no row"),
        ("prices.csv", "", "No columns"),
        ("prices.csv", CLOSES + "KO,2020-01-02,1,055.0\n", "row 2, has more cells than the header"),
        ("prices.csv", CLOSES + 'KO,2020-01-02,"1,055.0"\n', "close is a number above 0"),
        (
            "prices.csv",
            CLOSES + "KO,2020-01-02,55\nKO,2020-01-03,55,9\n",
            "Expected 3 fields in line 3",
        ),
        ("prices.csv", CLOSES + "\nKO,2020-01-02,55\n\nKO,2020-01-03,-1\n", "row 5 ("),
        ("prices.csv", CLOSES + "KO,2020-01-02,55\n" + CLOSES, "row 3 (symbol = symbol"),
        ("prices.csv", "symbol,date,close,close\nKO,2020-01-02,55,56\n", "(close.1)"),
        ("prices.csv", "Symbol,Date,Close\nKO,2020-01-02,55\n", "(Close, Date, Symbol, close"),
        (
            "prices.csv",
            CLOSES.replace(",", ";") + "KO;2020-01-02;55\n",
            "its columns are ['symbol;",
        ),
        ("prices.csv", CLOSES + "\u041a\u041e,2020-01-02,55\n", "symbol is an upper-case ticker"),
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


def test_a_packed_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.csv.gz").write_bytes(gzip.compress(GOOD.encode())[:-6])

    assert "prices.csv.gz is not CSV" in refusal_of(tmp_path)


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


def test_volumes_that_were_corrected_since_are_told(write: Write) -> None:
    header = "symbol,date,close,volume\n"
    write("1.csv", header + "KO,2020-01-30,58.0,900\nKO,2020-01-31,57.4,500\n")
    folder = write("2.csv", header + "KO,2020-01-30,58.0,900\nKO,2020-01-31,57.4,1000\n")

    found = read_prices(str(folder), Adjustment.RAW)

    assert found.findings == (
        (
            "2.csv has another volume of KO on 2020-01-31 than an earlier file, and so on 1 "
            "sessions in all: the earlier one is used"
        ),
    )
    assert found.frames["KO"].volume is not None
    assert found.frames["KO"].volume.tolist() == [900, 500]


def test_increments_adjusted_to_different_days_are_never_mixed(write: Write) -> None:
    write("2020-01.csv", JANUARY)
    folder = write("2020-02.csv", CLOSES + "KO,2020-01-31,28.7\nKO,2020-02-03,29.05\n")

    message = refusal_of(folder)
    assert "2020-02.csv, row 2: KO closes at 28.7 on 2020-01-31" in message
    assert "in 2020-01.csv, row 3, at 57.4, 0.5 times as much" in message


def test_adjusted_increments_that_nothing_connects_are_refused(write: Write) -> None:
    write("2020-01.csv", JANUARY)
    folder = write("2020-02.csv", CLOSES + "KO,2020-02-03,58.1\n")

    assert (
        "2020-02.csv: nothing connects its total_return prices of KO with those of 2020-01.csv"
        in (refusal_of(folder))
    )
    assert len(read(folder, Adjustment.RAW)["KO"]) == 3


def test_two_pairs_of_increments_that_nothing_connects_are_refused(write: Write) -> None:
    write("1.csv", JANUARY)
    write("2.csv", CLOSES + "KO,2020-01-31,57.4\nKO,2020-02-03,58.1\n")
    write("3.csv", CLOSES + "KO,2020-02-05,29.1\nKO,2020-02-06,29.2\n")
    folder = write("4.csv", CLOSES + "KO,2020-02-06,29.2\nKO,2020-02-07,29.3\n")

    assert "3.csv: nothing connects" in refusal_of(folder)
    write("5.csv", CLOSES + "KO,2020-02-03,58.1\nKO,2020-02-05,29.1\n")
    assert len(read(folder)["KO"]) == 6


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
