"""What the library's objects become, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.brokers.ibkr._orders import WireOrder, latest, to_fill, to_order
from quant_platform_kit.brokers.ibkr._rows import (
    duration,
    to_decimal,
    to_positions,
    to_price,
    to_quote,
    to_symbol,
    to_wire_symbol,
)
from quant_platform_kit.brokers.ibkr._sdk import load_library
from quant_platform_kit.contracts import OrderStatus, Position, Side
from quant_platform_kit.errors import BrokerAnswerError

SDK = load_library()
DAY = datetime(2012, 3, 30, 4, tzinfo=UTC)
NOON = datetime(2012, 3, 30, 16, tzinfo=UTC)


@dataclass
class Row:
    account: str
    contract: Any
    position: float
    avgCost: float = 1.5  # noqa: N815 (the library's)


def stock(symbol: str, *, number: int = 1, currency: str = "USD", kind: str = "STK") -> Any:  # noqa: ANN401
    return SDK.Contract(conId=number, symbol=symbol, secType=kind, currency=currency)


def execution(execution_id: str, price: float = 1.0) -> Any:  # noqa: ANN401
    return SimpleNamespace(execution=SDK.Execution(execId=execution_id, price=price))


A_WORKING_ORDER = WireOrder(
    permanent=7,
    number=1,
    client=1,
    tag="order",
    account="DU123",
    symbol="IBM",
    side=Side.BUY,
    quantity=Decimal(10),
    filled=Decimal(0),
    order_type=None,
    trigger_usd=None,
    outlives_session=False,
    status="Submitted",
)


@given(st.decimals(0, 1_000_000, places=4))
def test_a_number_survives_its_float(number: Decimal) -> None:
    assert to_decimal(float(number)) == number


@pytest.mark.parametrize(
    "nothing", [None, 0.0, -1.0, float("nan"), float("inf"), 1.7976931348623157e308]
)
def test_no_price_is_none(nothing: float | None) -> None:
    assert to_price(nothing) is None


@pytest.mark.parametrize("unset", [1.7976931348623157e308, float("nan"), "inf", "-1e15", "", "?"])
def test_what_the_library_says_for_none_is_no_amount(unset: float | str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        to_decimal(unset)


def test_only_us_stocks_have_a_symbol() -> None:
    assert to_symbol(stock("BRK B")) == "BRK.B"
    assert to_wire_symbol("BRK.B") == "BRK B"
    assert to_symbol(stock("SPY", kind="OPT")) is None
    assert to_symbol(stock("SHOP", currency="CAD")) is None


def test_the_last_row_of_a_holding_counts_and_others_accounts_do_not() -> None:
    rows = [
        Row("DU123", stock("IBM"), 5.0),
        Row("DU999", stock("IBM"), 7.0),
        Row("DU123", stock("AAPL", number=2), 1.0),
        Row("DU123", stock("AAPL", number=2), 0.0),
        Row("DU123", stock("IBM"), 6.0),
    ]
    assert to_positions(rows, "DU123") == (Position("IBM", Decimal(6), Decimal("1.5000")),)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([Row("DU123", stock("IBM"), -5.0)], "held short"),
        ([Row("DU123", stock("IBM"), 5.0), Row("DU123", stock("IBM", number=2), 5.0)], "two"),
    ],
)
def test_a_holding_that_cannot_be_meant_is_refused(rows: list[Row], what: str) -> None:
    with pytest.raises(BrokerAnswerError, match=what):
        to_positions(rows, "DU123")


def test_a_corrected_execution_replaces_the_first() -> None:
    rows = [execution("0a.1b.01.01", 1.0), execution("0a.2b.01.01"), execution("0a.1b.01.02", 2.0)]
    assert [row.execution.execId for row in latest(rows)] == ["0a.1b.01.02", "0a.2b.01.01"]


def test_a_commission_that_is_not_in_dollars_is_no_fee_in_dollars() -> None:
    sold = SDK.Execution(execId="0a.1b.01.01", permId=7, side="SLD", shares=1.0, price=10.0)
    sold.time = NOON
    for currency, commission in (("EUR", 1.0), ("", 1.0), ("USD", 1.7976931348623157e308)):
        cost = SDK.CommissionReport(commission=commission, currency=currency)
        with pytest.raises(ValueError, match=r"a commission in|no amount"):
            to_fill(SimpleNamespace(execution=sold, commissionReport=cost), "IBM")


def test_a_quote_needs_its_instant_and_no_crossed_market() -> None:
    ticker = SimpleNamespace(last=10.0, bid=10.2, ask=10.1)
    assert to_quote("IBM", ticker, None) is None
    quote = to_quote("IBM", ticker, NOON)
    assert quote is not None
    assert (quote.price_usd, quote.bid_usd, quote.at) == (Decimal(10), None, NOON)


@pytest.mark.parametrize(
    ("sessions", "words"), [(5, "5 D"), (365, "365 D"), (366, "2 Y"), (500, "2 Y")]
)
def test_a_length_of_time_is_written_in_days_or_years(sessions: int, words: str) -> None:
    assert duration(sessions) == words


@pytest.mark.parametrize(
    ("status", "filled", "executed", "detail", "expected"),
    [
        ("Submitted", 0, 0, "", OrderStatus.SUBMITTED),
        ("Submitted", 4, 4, "", OrderStatus.PARTIAL),
        ("Submitted", 0, 10, "", OrderStatus.FILLED),  # executions know it first
        ("Filled", 10, 0, "", OrderStatus.SUBMITTED),  # executions are not there yet
        ("Filled", 10, 4, "", OrderStatus.PARTIAL),
        ("Filled", 10, 10, "", OrderStatus.FILLED),
        ("Cancelled", 0, 0, "", OrderStatus.CANCELLED),
        ("Cancelled", 4, 4, "", OrderStatus.CANCELLED),
        ("Cancelled", 4, 0, "", OrderStatus.SUBMITTED),
        ("Cancelled", 0, 0, "Rejected by System", OrderStatus.REJECTED),
        ("Cancelled", 0, 0, "Expired", OrderStatus.EXPIRED),
    ],
)
def test_an_order_has_ended_when_its_executions_say_so_too(
    status: str, filled: int, executed: int, detail: str, expected: OrderStatus
) -> None:
    wire = replace(A_WORKING_ORDER, status=status, filled=Decimal(filled), detail=detail)
    assert to_order(wire, Decimal(executed), DAY).status is expected


STATUSES = {
    "ApiPending": OrderStatus.SUBMITTED,
    "PendingSubmit": OrderStatus.SUBMITTED,
    "PreSubmitted": OrderStatus.SUBMITTED,
    "Submitted": OrderStatus.SUBMITTED,
    "PendingCancel": OrderStatus.SUBMITTED,
    "Inactive": OrderStatus.SUBMITTED,
    "Filled": OrderStatus.SUBMITTED,  # so it says; without an execution it has not ended
    "Cancelled": OrderStatus.CANCELLED,
    "ApiCancelled": OrderStatus.CANCELLED,
    "ApiUpdate": OrderStatus.UNRESOLVED,  # the library's own words, never the broker's
    "ValidationError": OrderStatus.UNRESOLVED,
}


def test_every_status_that_the_library_knows_has_a_meaning() -> None:
    known = {name for name, value in vars(SDK.OrderStatus).items() if name == value}
    assert known <= set(STATUSES)
    for name, status in STATUSES.items():
        assert to_order(replace(A_WORKING_ORDER, status=name), Decimal(0), DAY).status is status


def test_a_status_that_nobody_knows_is_no_end_of_an_order() -> None:
    for name in ("DoneForDay", ""):
        order = to_order(replace(A_WORKING_ORDER, status=name), Decimal(0), DAY)
        assert order.status is OrderStatus.UNRESOLVED


@pytest.mark.parametrize(
    ("status", "size", "filled", "expected"),
    [
        ("Filled", 0, 10, OrderStatus.FILLED),
        ("Cancelled", 0, 4, OrderStatus.CANCELLED),
        ("Cancelled", 4, 6, OrderStatus.CANCELLED),  # if the size were what was left
        ("Cancelled", 10, 0, OrderStatus.CANCELLED),
        ("Inactive", 10, 0, OrderStatus.CANCELLED),
    ],
)
def test_a_completed_order_has_ended_though_its_size_is_not_told(
    status: str, size: int, filled: int, expected: OrderStatus
) -> None:
    listed = replace(A_WORKING_ORDER, status=status, quantity=Decimal(size), filled=Decimal(filled))
    order = to_order(listed.ended, Decimal(filled), DAY)
    assert (order.status, order.filled_quantity) == (expected, Decimal(filled))


def test_an_order_of_many_days_has_executions_that_are_not_shown_any_more() -> None:
    wire = replace(A_WORKING_ORDER, status="Filled", filled=Decimal(10), outlives_session=True)
    order = to_order(wire, Decimal(4), DAY)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
