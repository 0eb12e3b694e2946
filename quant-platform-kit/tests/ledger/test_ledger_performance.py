"""What a day is worth and how a strategy has done; capital that comes is no gain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev

import pytest
from sqlalchemy import func, select

from quant_platform_kit.contracts import Side
from quant_platform_kit.ledger import UNMANAGED, Kind, Ledger, Transaction, performance
from quant_platform_kit.store import Store, daily

Trade = Callable[..., None]
DAYS = [date(2020, 3, day) for day in (2, 3, 4, 5)]
BUY, SELL = Side.BUY, Side.SELL


def prices(aaa: str) -> dict[str, Decimal]:
    return {"AAA": Decimal(aaa)}


@pytest.fixture
def give(ledger: Ledger, trade: Trade) -> Callable[[str], None]:
    """Return a function that gives sleeve `a` capital."""
    trade("warm-up", BUY, "1", symbol="ZZZ")
    at = ledger.transactions("warm-up")[0].at

    def transfer(usd: str) -> None:
        for sleeve, sign in (("a", 1), (UNMANAGED, -1)):
            amount = sign * Decimal(usd)
            ledger.post([Transaction(at, sleeve, Kind.TRANSFER, amount_usd=amount)])

    return transfer


def test_a_day_is_closed_once_however_often_it_is(
    ledger: Ledger, store: Store, trade: Trade, give: Callable[[str], None]
) -> None:
    give("1000")
    trade("a", BUY, "10", "50")
    for price in ("50", "55", "60"):
        ledger.close_day(DAYS[0], prices(price))
    with store.begin() as connection:
        row = connection.execute(select(daily).where(daily.c.sleeve == "a")).mappings().one()
        assert connection.scalar(select(func.count(daily.c.session.distinct()))) == 1
    kept = {name: row[f"{name}_usd"] for name in ("equity", "cash", "realised", "flow")}
    assert kept == {"equity": 1100, "cash": 500, "realised": 0, "flow": 1000}
    assert row["unrealised_usd"] == 100
    assert ledger.last_prices() == prices("60")


def test_a_holding_without_a_price_counts_at_its_cost(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10", "50")
    ledger.close_day(DAYS[0], {})
    assert ledger.last_prices() == {}


def test_nothing_is_known_of_a_sleeve_before_its_first_day(store: Store) -> None:
    assert performance(store, "a") is None


def test_gains_are_compounded_and_capital_is_not_one_of_them(
    ledger: Ledger, store: Store, trade: Trade, give: Callable[[str], None]
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    ledger.close_day(DAYS[0], prices("100"))
    ledger.close_day(DAYS[1], prices("110"))  # +10 %
    give("1100")
    trade("a", BUY, "10", "110")
    ledger.close_day(DAYS[2], prices("88"))  # -20 %
    trade("a", SELL, "5", "88")
    trade("a", SELL, "5", "120")
    ledger.close_day(DAYS[3], prices("120"))

    found = performance(store, "a")

    assert found is not None
    assert found.session == DAYS[3]
    assert found.equity_usd == Decimal(10 * 120 + 5 * 88 + 5 * 120)
    assert found.positions_value_usd == Decimal(1200)
    assert found.realised_usd + found.unrealised_usd == found.equity_usd - 2100
    assert found.return_ratio == pytest.approx(1.1 * 0.8 * (2240 / 1760) - 1)
    assert found.max_drawdown_ratio == pytest.approx(-0.2)
    assert found.win_rate == 0.5
    earned = [0.0, 0.1, -0.2, 2240 / 1760 - 1]
    assert found.sharpe == pytest.approx(fmean(earned) / stdev(earned) * 252**0.5)


def test_a_sleeve_that_never_moved_has_no_ratios_of_nothing(
    ledger: Ledger, store: Store, give: Callable[[str], None]
) -> None:
    give("1000")
    for day in DAYS[:2]:
        ledger.close_day(day, {})
    found = performance(store, "a")
    assert found is not None
    assert (found.return_ratio, found.max_drawdown_ratio) == (0.0, 0.0)
    assert (found.sharpe, found.win_rate) == (None, None)


def test_monthly_rows_are_not_taken_for_daily_ones(
    ledger: Ledger, store: Store, trade: Trade, give: Callable[[str], None]
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    months = [date(2020, month, 28) for month in range(1, 13)]
    closes = [100 + number + number % 2 for number in range(12)]
    for day, close in zip(months, closes, strict=True):
        ledger.close_day(day, prices(str(close)))
    found = performance(store, "a")
    assert found is not None
    earned = [0.0, *(now / before - 1 for before, now in pairwise(closes))]
    twelve_a_year = fmean(earned) / stdev(earned) * 12**0.5
    assert found.sharpe == pytest.approx(twelve_a_year, rel=0.01)


def test_a_sleeve_that_has_gone_empty_keeps_what_it_realised(
    ledger: Ledger, store: Store, trade: Trade, give: Callable[[str], None]
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    ledger.close_day(DAYS[0], prices("100"))
    trade("a", SELL, "10", "90")
    give("-900")
    ledger.close_day(DAYS[1], {})
    found = performance(store, "a")
    assert found is not None
    assert (found.equity_usd, found.realised_usd) == (Decimal(0), Decimal(-100))
