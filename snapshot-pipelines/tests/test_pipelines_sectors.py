"""The sectors file is read whole or refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant_platform_kit.errors import InputError, ReasonCode
from us_equity_snapshot_pipelines import read_sectors


def test_sectors_are_read_by_symbol(tmp_path: Path) -> None:
    path = tmp_path / "sectors.csv"
    path.write_text('symbol,sector\nKO,Consumer Staples\nXOM,"Energy, Oil"\n')

    assert read_sectors(path) == {"KO": "Consumer Staples", "XOM": "Energy, Oil"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its header is not 'symbol,sector'"),
        ("ticker,sector\nKO,Energy\n", "its header is not 'symbol,sector'"),
        ("symbol,sector\nKO\n", r"line 2 reads \['KO'\]"),
        ("symbol,sector\nKO, \n", "line 2 reads"),
        ("symbol,sector\nKO,A\nKO,B\n", "line 3 repeats KO"),
        ('symbol,sector\nKO,"A\n', "unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "sectors.csv"
    path.write_text(text)

    with pytest.raises(InputError, match=words) as refusal:
        read_sectors(path)

    assert refusal.value.code is ReasonCode.VALUE_MALFORMED
    assert str(path) in refusal.value.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_sectors(tmp_path / "sectors.csv")
