"""What a publisher writes, the loader reads back; anything else is refused by line and column."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import FeatureRow
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.inputs import (
    SnapshotPointer,
    decode_document,
    decode_features,
    encode_document,
    encode_features,
)

COLUMNS = ("symbol", "sector", "mom_6_1", "vol_63")

symbols = st.from_regex(r"[A-Z][A-Z0-9.\-]{0,5}", fullmatch=True)
sectors = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
values = st.floats(allow_infinity=False)
tables = st.lists(
    st.builds(
        lambda symbol, sector, mom, vol: FeatureRow(
            symbol, sector, {"mom_6_1": mom, "vol_63": vol}
        ),
        symbols,
        sectors,
        values,
        values,
    ),
    unique_by=lambda row: row.symbol,
)


@given(tables)
def test_a_table_reads_back_as_it_was_written(rows: list[FeatureRow]) -> None:
    data = encode_features(COLUMNS, rows)
    columns, read = decode_features(data, "snapshot.csv")

    assert columns == COLUMNS
    assert [(row.symbol, row.sector) for row in read] == [(row.symbol, row.sector) for row in rows]
    for before, after in zip(rows, read, strict=True):
        for name, value in before.features.items():
            assert after.features[name] == value or math.isnan(value)
            assert math.isnan(after.features[name]) == math.isnan(value)
    assert encode_features(columns, read) == data


def test_floats_are_written_in_full_and_an_undefined_one_as_a_blank() -> None:
    row = FeatureRow("AAA", "Energy, Oil", {"mom_6_1": 0.1 + 0.2, "vol_63": math.nan})

    assert encode_features(COLUMNS, [row]) == (
        b'symbol,sector,mom_6_1,vol_63\nAAA,"Energy, Oil",0.30000000000000004,\n'
    )


@pytest.mark.parametrize(
    "columns",
    [
        ("sector", "symbol", "mom_6_1", "vol_63"),
        ("symbol", "sector", "mom_6_1", "mom_6_1"),
        ("symbol", "sector", "mom_6_1"),
        ("symbol", "sector", "mom_6_1", "vol_63", "maxdd_126"),
    ],
)
def test_a_header_that_is_not_the_rows_is_not_written(columns: tuple[str, ...]) -> None:
    row = FeatureRow("AAA", "Energy", {"mom_6_1": 0.1, "vol_63": 0.2})

    with pytest.raises(ContractError, match="encode_features"):
        encode_features(columns, [row])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "its header begins"),
        ("sector,symbol\n", "its header begins"),
        ("symbol,sector,a,a\n", "repeats the column 'a'"),
        ("symbol,sector,a\nAAA,X\n", "line 2 has 2 cells for 3 columns"),
        ("symbol,sector,a\nAAA,X,1\n\n", "line 3 has 0 cells"),
        ("symbol,sector,a\nAAA,X,1\nAAA,X,2\n", "line 3 repeats the symbol AAA"),
        ("symbol,sector,a\nAAA,X,1\nBBB,X,high\n", "line 3, column a reads 'high'"),
        ("symbol,sector,a\nAAA,X,inf\n", "line 2, column a reads 'inf'"),
        ("symbol,sector,a\nAAA,X,nan\n", "line 2, column a reads 'nan'"),
        ("symbol,sector,a\naaa,X,1\n", "line 2: FeatureRow.symbol = 'aaa'"),
        ('symbol,sector,a\nAAA,"X,1\n', "line 2 is not CSV"),
    ],
)
def test_a_table_that_does_not_parse_is_named_by_line_and_column(table: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        decode_features(table.encode(), "snapshot.csv")

    assert refusal.value.code is ReasonCode.SNAPSHOT_UNREADABLE
    assert refusal.value.message.startswith("snapshot.csv cannot be used: ")
    assert words in refusal.value.message


def test_a_table_that_is_not_text_is_refused() -> None:
    with pytest.raises(InputError, match="not UTF-8") as refusal:
        decode_features(b"symbol,sector\nAAA,\xff\n", "snapshot.csv")

    assert refusal.value.code is ReasonCode.SNAPSHOT_UNREADABLE


def test_a_pointer_reads_back_and_its_bytes_are_for_people_too() -> None:
    pointer = SnapshotPointer("2020-03-30-aaaaaaaaaaaa", "0" * 64)
    data = encode_document(pointer)

    assert decode_document(SnapshotPointer, data, "latest.json") == pointer
    assert data.decode() == (
        '{\n  "manifest_sha256": "' + "0" * 64 + '",\n  "version": "2020-03-30-aaaaaaaaaaaa"\n}\n'
    )


@pytest.mark.parametrize("version", ["", ".", "..", "a/b", "/a", ".hidden", "a\\b"])
def test_a_pointer_never_leaves_its_folder(version: str) -> None:
    with pytest.raises(ContractError, match=r"SnapshotPointer\.version"):
        SnapshotPointer(version, "0" * 64)


def test_a_pointer_needs_a_hash() -> None:
    with pytest.raises(ContractError, match=r"SnapshotPointer\.manifest_sha256"):
        SnapshotPointer("2020-03-30", "0" * 63)
