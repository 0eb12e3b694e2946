"""Prices of a simulated market."""

from __future__ import annotations

import gzip
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import FrameMarket, open_market
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError, SettingsError
from quant_platform_kit.market import BarFrame

MONDAY, TUESDAY, WEDNESDAY = date(2020, 3, 30), date(2020, 3, 31), date(2020, 4, 1)


def a_market(*closes: float, sessions: tuple[date, ...] = (MONDAY, TUESDAY)) -> FrameMarket:
    bars = BarFrame(
        symbol="AAA", sessions=sessions, close=closes, adjustment=Adjustment.TOTAL_RETURN
    )
    return FrameMarket({"AAA": bars})


@pytest.mark.parametrize(
    ("close", "price"),
    [
        (10.0, "10.00"),
        (2.675, "2.68"),
        (2.665, "2.66"),
        (1.005, "1.00"),
        (1e6 + 0.125, "1000000.12"),
    ],
)
def test_a_price_is_the_close_to_the_cent_half_to_even(close: float, price: str) -> None:
    assert a_market(close, 1.0).price("AAA", MONDAY) == Decimal(price)


def test_a_session_without_a_close_has_no_price_but_a_last_one() -> None:
    market = a_market(10.0, 12.0, sessions=(MONDAY, WEDNESDAY))
    assert market.price("AAA", TUESDAY) is None
    assert market.last_price("AAA", TUESDAY) == Decimal("10.00")
    assert market.last_price("AAA", date(2020, 3, 27)) is None


def test_an_unknown_symbol_has_no_price_and_no_bars() -> None:
    market = a_market(10.0, 11.0)
    assert market.price("BBB", MONDAY) is None
    assert market.last_price("BBB", MONDAY) is None
    assert market.frame("BBB", Adjustment.TOTAL_RETURN) is None


def test_less_than_half_a_cent_is_no_price() -> None:
    assert a_market(0.004, 1.0).price("AAA", MONDAY) is None


def test_bars_are_never_passed_off_as_adjusted_otherwise() -> None:
    with pytest.raises(InputError, match=r"total_return bars of AAA, .* asks for raw"):
        a_market(10.0, 11.0).frame("AAA", Adjustment.RAW)


def test_a_frame_stands_under_its_own_symbol() -> None:
    bars = a_market(10.0, 11.0).frame("AAA", Adjustment.TOTAL_RETURN)
    assert bars is not None
    with pytest.raises(ContractError, match=r"frames\[BBB\] holds the bars of AAA"):
        FrameMarket({"BBB": bars})


def test_a_market_opens_from_several_files(tmp_path: Path) -> None:
    plain, packed = tmp_path / "stocks.csv", tmp_path / "index.csv.gz"
    plain.write_text("Date,AAA,BBB\n2020-03-30,10,20.5\n2020-03-31,11,21.5\n")
    packed.write_bytes(gzip.compress(b"Date,IDX\n2020-03-31,2584.59\n"))
    market = open_market(f"{plain}{os.pathsep}{packed}")
    assert market.symbols == ("AAA", "BBB", "IDX")
    assert market.price("BBB", MONDAY) == Decimal("20.50")
    assert market.price("IDX", TUESDAY) == Decimal("2584.59")


def test_a_symbol_in_two_files_is_refused_and_both_are_named(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("Date,AAA\n2020-03-30,10\n")
    with pytest.raises(SettingsError, match=r"two sources for AAA: .*one\.csv and .*two\.csv"):
        open_market(os.pathsep.join(str(tmp_path / name) for name in ("one.csv", "two.csv")))


@pytest.mark.parametrize("spec", ["", " ", f"a.csv{os.pathsep}", f"{os.pathsep}a.csv"])
def test_a_blank_path_is_refused_by_the_setting_s_name(spec: str) -> None:
    with pytest.raises(SettingsError, match="QPK_SIMULATED_MARKET"):
        open_market(spec)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        open_market(str(tmp_path / "nowhere.csv"))


def test_the_sample_trades_on_adjusted_prices() -> None:
    market = open_market("sample")
    assert market.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    # Apple split 2 for 1 before 2005-02-28; a raw price would have halved.
    before = market.price("AAPL", date(2005, 2, 25))
    after = market.price("AAPL", date(2005, 2, 28))
    assert before is not None
    assert after is not None
    assert Decimal("0.9") < after / before < Decimal("1.1")
