"""Results: what was earned, whatever came or went."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.ledger import (
    UNMANAGED,
    Kind,
    Ledger,
    SleeveResult,
    Transaction,
    profits_before,
    results_now,
)
from quant_platform_kit.store import Store

AT = datetime(2020, 3, 2, 20, 45, tzinfo=UTC)
MONDAY, TUESDAY = date(2020, 3, 2), date(2020, 3, 3)


def dollars(amount: float) -> Decimal:
    return Decimal(str(amount))


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    """Return a ledger with 10,000 in the pool, and ten shares for 1,000 in a sleeve."""
    ledger = Ledger(Store.open(tmp_path / "paper.sqlite3"))
    ledger.post(
        [
            Transaction(AT, UNMANAGED, Kind.ADOPTION, amount_usd=dollars(10_000)),
            Transaction(AT, UNMANAGED, Kind.TRANSFER, amount_usd=dollars(-5_000)),
            Transaction(AT, "income", Kind.TRANSFER, amount_usd=dollars(5_000)),
            Transaction(
                AT,
                "income",
                Kind.BUY,
                symbol="SPY",
                quantity=dollars(10),
                price_usd=dollars(100),
                amount_usd=dollars(-1_001),
                fee_usd=dollars(1),
                cost_usd=dollars(1_001),
            ),
        ]
    )
    return ledger


def test_a_sleeve_has_earned_what_its_holdings_gained_less_fees(
    book: Ledger, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "paper.sqlite3")
    found = results_now(store, {"SPY": dollars(120)})
    assert found == {
        "income": SleeveResult(dollars(5_199), dollars(199)),
        UNMANAGED: SleeveResult(dollars(5_000), dollars(0)),
    }
    assert results_now(store, {})["income"].profit_usd == 0  # without a price, at cost


def test_money_that_moves_is_no_profit(book: Ledger, tmp_path: Path) -> None:
    book.post(
        [
            Transaction(AT, "income", Kind.TRANSFER, amount_usd=dollars(-3_000)),
            Transaction(AT, UNMANAGED, Kind.TRANSFER, amount_usd=dollars(3_000)),
            Transaction(AT, UNMANAGED, Kind.TRANSFER, amount_usd=dollars(-7_000)),
        ]
    )
    found = results_now(Store.open(tmp_path / "paper.sqlite3"), {"SPY": dollars(100)})
    assert found["income"] == SleeveResult(dollars(1_999), dollars(-1))
    assert found[UNMANAGED] == SleeveResult(dollars(1_000), dollars(0))


def test_a_dividend_is_profit(book: Ledger, tmp_path: Path) -> None:
    book.post([Transaction(AT, "income", Kind.DIVIDEND, amount_usd=dollars(9))])
    found = results_now(Store.open(tmp_path / "paper.sqlite3"), {"SPY": dollars(100)})
    assert found["income"].profit_usd == 8


def test_an_earlier_close_tells_what_had_been_earned_by_then(book: Ledger, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "paper.sqlite3")
    assert profits_before(store, TUESDAY) == {}
    book.close_day(MONDAY, {"SPY": dollars(110)})
    book.close_day(TUESDAY, {"SPY": dollars(90)})
    assert profits_before(store, MONDAY) == {}
    assert profits_before(store, TUESDAY) == {"income": dollars(99), UNMANAGED: dollars(0)}
    assert profits_before(store, date(2020, 4, 1)) == {"income": dollars(-101), UNMANAGED: 0}


def test_a_price_that_is_missing_for_a_day_is_neither_loss_nor_gain(
    book: Ledger, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "paper.sqlite3")
    book.close_day(MONDAY, {"SPY": dollars(150)})
    assert results_now(store, {})["income"].profit_usd == 499
    book.close_day(TUESDAY, {})
    assert profits_before(store, date(2020, 3, 4))["income"] == 499  # and so on the day after
    assert results_now(store, {})["income"].profit_usd == 499
    assert results_now(store, {"SPY": dollars(140)})["income"].profit_usd == 399
