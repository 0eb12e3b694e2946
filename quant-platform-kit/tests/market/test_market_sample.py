from __future__ import annotations

import re
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from quant_platform_kit import market
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError
from quant_platform_kit.market import BarFrame, load_sample, xnys
from quant_platform_kit.market.sample import SAMPLE_SHA256, _unpacked

DATA = Path(str(market.__file__)).with_name("data")


@pytest.fixture(scope="module")
def raw() -> dict[str, BarFrame]:
    return load_sample()


@pytest.fixture(scope="module")
def total_return() -> dict[str, BarFrame]:
    return load_sample(Adjustment.TOTAL_RETURN)


def test_the_sample_holds_five_stocks_with_every_column(raw: dict[str, BarFrame]) -> None:
    assert {symbol: len(bars) for symbol, bars in raw.items()} == {
        "AAPL": 3270,
        "FB": 196,
        "GOOG": 2148,
        "IBM": 3270,
        "MSFT": 3270,
    }
    for symbol, bars in raw.items():
        assert bars.symbol == symbol
        assert bars.adjustment is Adjustment.RAW
        assert all(column is not None for column in (bars.open, bars.high, bars.low, bars.volume))


def test_every_bar_of_the_sample_is_a_session_and_none_is_missing(
    raw: dict[str, BarFrame],
) -> None:
    for bars in raw.values():
        assert bars.sessions == xnys().sessions(bars.first_session, bars.last_session)
        assert bars.last_session == date(2013, 3, 1)


def test_raw_bars_are_the_published_figures(raw: dict[str, BarFrame]) -> None:
    first = raw["AAPL"].until(date(2000, 3, 1))

    assert first.close.tolist() == [130.31]
    assert [
        column.tolist()
        for column in (first.open, first.high, first.low, first.volume)
        if column is not None
    ] == [[118.56], [132.06], [118.5], [9616100.0]]


def test_total_return_closes_are_the_published_adjusted_closes(
    total_return: dict[str, BarFrame],
) -> None:
    bars = total_return["AAPL"]

    assert bars.adjustment is Adjustment.TOTAL_RETURN
    assert bars.close[0] == pytest.approx(4.186662803811, rel=1e-12)


def test_a_split_jumps_in_raw_closes_only(
    raw: dict[str, BarFrame], total_return: dict[str, BarFrame]
) -> None:
    eve, day = date(2005, 2, 25), date(2005, 2, 28)  # two for one

    assert raw["AAPL"].close_on(day) / raw["AAPL"].close_on(eve) == pytest.approx(0.5, abs=0.02)
    assert total_return["AAPL"].close_on(day) / total_return["AAPL"].close_on(eve) == pytest.approx(
        1.0, abs=0.02
    )


def test_adjustment_keeps_the_dollars_that_were_traded(
    raw: dict[str, BarFrame], total_return: dict[str, BarFrame]
) -> None:
    for symbol, bars in raw.items():
        adjusted = total_return[symbol]
        assert bars.volume is not None
        assert adjusted.volume is not None
        np.testing.assert_allclose(
            adjusted.close * adjusted.volume, bars.close * bars.volume, rtol=1e-12
        )


def test_the_sample_loads_to_the_same_bytes_every_time(raw: dict[str, BarFrame]) -> None:
    assert load_sample() == raw


def test_the_sample_cannot_be_adjusted_for_splits_alone() -> None:
    with pytest.raises(ContractError, match=r"load_sample\.adjustment"):
        load_sample(Adjustment.SPLIT)


def test_a_sample_file_that_was_touched_is_refused() -> None:
    packed = bytearray((DATA / "stocks.csv.gz").read_bytes())
    packed[-1] ^= 1

    with pytest.raises(InputError, match="SHA-256 differs"):
        _unpacked(bytes(packed))


def test_the_sample_is_its_publishers_file_and_its_provenance_says_which() -> None:
    package = find_spec("bokeh_sampledata")
    assert package is not None
    assert package.origin is not None
    published = Path(package.origin).with_name("_data") / "stocks.csv.gz"

    assert (DATA / "stocks.csv.gz").read_bytes() == published.read_bytes()
    assert re.search(SAMPLE_SHA256, (DATA / "PROVENANCE.md").read_text(encoding="utf-8"))
