"""A book refuses events that cannot follow what happened before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.brokers._book import Book, replay
from quant_platform_kit.brokers._events import (
    Accepted,
    Cancelled,
    Event,
    Expired,
    Filled,
    Opened,
    Refused,
    from_line,
    to_line,
)
from quant_platform_kit.contracts import FeeModel, Fill, OrderRequest, Position, Side
from quant_platform_kit.errors import BrokerAnswerError

AT = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
BUY = OrderRequest("one", "AAA", Side.BUY, Decimal(10))
SELL = OrderRequest("two", "AAA", Side.SELL, Decimal(10))
OPENED = Opened("DU123", Decimal(1000), AT)
ACCEPTED = Accepted("sim-000001", BUY, Decimal(10), AT)
FILL = Fill("f1", "sim-000001", "one", "AAA", Side.BUY, Decimal(10), Decimal(10), Decimal(1), AT)
SALE = replace(FILL, broker_order_id="sim-000002", client_id="two", side=Side.SELL)


def book(*events: Event) -> Book:
    return replay(events, fees=FeeModel())


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([ACCEPTED, ACCEPTED], "order sim-000001 stands twice"),
        ([ACCEPTED, replace(ACCEPTED, order_id="sim-000002")], "order sim-000002 stands twice"),
        ([Filled(FILL)], "order sim-000001 is not working"),
        ([ACCEPTED, Filled(FILL), Filled(FILL)], "order sim-000001 is not working"),
        ([ACCEPTED, Filled(replace(FILL, client_id="two"))], "fill f1 does not belong"),
        ([Accepted("sim-000002", SELL, Decimal(10), AT), Filled(SALE)], "that is not held"),
        ([Cancelled("sim-000001", AT)], "order sim-000001 is not working"),
        ([Refused("sim-000001", BUY, "no", AT), Expired("sim-000001", AT)], "is not working"),
    ],
)
def test_what_cannot_have_happened_is_refused(events: list[Event], why: str) -> None:
    with pytest.raises(BrokerAnswerError, match=why):
        book(OPENED, *events)


def test_a_book_may_open_with_holdings_of_known_and_unknown_cost() -> None:
    held = (Position("AAA", Decimal(4), Decimal("12.3456")), Position("BBB", Decimal("0.5")))
    opened = replace(OPENED, withheld_usd=Decimal(300), positions=held)
    opened_book = book(opened)
    assert opened_book.positions() == (Position("AAA", Decimal(4), Decimal("12.3450")), held[1])
    assert opened_book.usable_cash_usd() == Decimal(700)


def test_every_event_survives_its_text() -> None:
    events: tuple[Event, ...] = (
        replace(OPENED, positions=(Position("AAA", Decimal("0.500")),)),
        replace(ACCEPTED, expires_at=AT, fills_at=AT),
        Filled(FILL),
        Refused("sim-000002", SELL, "Not today: “no”.", AT),
        Cancelled("sim-000003", AT),
        Expired("sim-000004", AT),
    )
    line = to_line(events)
    assert "\n" not in line
    assert from_line(line) == events
