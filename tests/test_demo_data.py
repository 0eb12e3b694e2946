"""The demo's market data is found where it is installed, and says so when it is not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from demo import _data
from demo._accounts import BENCHMARK, FUNDS, SECTORS
from demo._errors import DemoError
from quant_platform_kit.market import xnys


@pytest.fixture(scope="module")
def market() -> _data.DemoMarket:
    return _data.open_market()


def test_every_symbol_of_the_accounts_has_prices(market: _data.DemoMarket) -> None:
    assert {BENCHMARK, *SECTORS, *FUNDS} <= market.frames.keys()


def test_slots_are_consecutive_last_sessions_of_months_with_prices(
    market: _data.DemoMarket,
) -> None:
    calendar = xnys()

    ends = _data.month_ends(market, calendar, 48)

    assert len(ends) == 48
    assert (ends[0], ends[-1]) == (date(2018, 12, 31), date(2022, 11, 30))
    assert all(calendar.is_last_session_of_month(day) for day in ends)
    months = [day.year * 12 + day.month for day in ends]
    assert months == list(range(months[0], months[0] + 48))


@pytest.mark.parametrize("months", [0, -3, 1_000])
def test_a_span_that_the_data_does_not_cover_is_refused(
    market: _data.DemoMarket, months: int
) -> None:
    with pytest.raises(DemoError, match=rf"--months {months}: the data holds 1 to \d+"):
        _data.month_ends(market, xnys(), months)


def test_closes_are_given_for_exactly_the_sessions_asked(market: _data.DemoMarket) -> None:
    days = market.sessions(date(2022, 12, 22))

    assert days == (
        *(date(2022, 12, 22) + timedelta(n) for n in (0, 1)),
        date(2022, 12, 27),
        date(2022, 12, 28),
    )
    assert market.closes("AAPL", days)[-1] == pytest.approx(125.674)
    with pytest.raises(DemoError, match="AAPL lacks closes"):
        market.closes("AAPL", (date(2022, 12, 22), date(2022, 12, 25)))


def test_an_environment_without_the_data_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_data, "_PACKAGE", "a_package_that_is_not_installed")

    with pytest.raises(DemoError, match="make install"):
        _data.open_market()


def test_another_edition_of_the_data_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_data, "_PACKAGE", "rich")

    with pytest.raises(DemoError, match=r"sp500_dataset\.csv\.gz"):
        _data.open_market()
