"""How orders, holdings and bars of Schwab are read, and which order is taken for a lost one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Environment,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Side,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    InputError,
    PlatformError,
    StopAndTell,
    TransientError,
)
from quant_platform_kit.market import SimulatedClock, xnys
from quant_platform_kit.simulators import SimulatorControl, WireFault

pytest.importorskip("quant_platform_kit.brokers.schwab")

from httpx import Response
from schwab.client import Client

from quant_platform_kit.brokers.schwab._bars import Span
from quant_platform_kit.brokers.schwab._finder import Finder
from quant_platform_kit.brokers.schwab._orders import (
    broker_order,
    fills,
    is_match,
    single_orders,
    specification,
)
from quant_platform_kit.brokers.schwab._rows import money, positions
from quant_platform_kit.brokers.schwab._session import ServerClock
from quant_platform_kit.brokers.schwab._tags import Fate, InMemoryTags, SentOrder, TagFile

Connect = Callable[..., Any]
Json = dict[str, Any]

AT = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
ASKED = OrderRequest("ours", "BRK.B", Side.BUY, Decimal(10), OrderType.LIMIT, Decimal("180.50"))
SENT = SentOrder(ASKED, AT, known=("1",))


def shown(**changes: Any) -> Json:  # noqa: ANN401 (JSON)
    order: Json = {
        "session": "NORMAL",
        "duration": "DAY",
        "orderType": "LIMIT",
        "price": Decimal("180.5"),
        "quantity": Decimal("10.0"),
        "filledQuantity": Decimal("0.0"),
        "status": "WORKING",
        "orderId": 2,
        "enteredTime": "2020-03-31T19:30:01+0000",
        "orderLegCollection": [
            {
                "orderLegType": "EQUITY",
                "instruction": "BUY",
                "instrument": {"symbol": "BRK/B", "assetType": "EQUITY"},
            }
        ],
    }
    return order | changes


def executed(*quantities: str, status: str = "FILLED") -> Json:
    leg = {"legId": 1, "price": Decimal(180), "time": "2020-03-31T19:30:02+0000"}
    activities = [
        {
            "activityType": "EXECUTION",
            "activityId": number,
            "executionLegs": [leg | {"quantity": Decimal(quantity)}],
        }
        for number, quantity in enumerate(quantities, 1)
    ]
    return shown(status=status, filledQuantity=Decimal("10.0"), orderActivityCollection=activities)


# ── Reading orders ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("order", "status", "filled"),
    [
        (shown(), OrderStatus.SUBMITTED, "0"),
        (executed("4", "6"), OrderStatus.FILLED, "10"),
        (executed("4", status="WORKING"), OrderStatus.PARTIAL, "4"),
        (executed("4"), OrderStatus.PARTIAL, "4"),  # the rest is not listed yet
        (executed("4", status="CANCELED"), OrderStatus.PARTIAL, "4"),
    ],
)
def test_an_order_has_ended_when_its_executions_agree(
    order: Json, status: OrderStatus, filled: str
) -> None:
    read = broker_order(order, "ours")
    assert (read.status, str(read.filled_quantity)) == (status, filled)
    assert (read.symbol, str(read.quantity), read.client_id) == ("BRK.B", "10", "ours")


STATUSES = {
    "AWAITING_PARENT_ORDER": OrderStatus.SUBMITTED,
    "AWAITING_CONDITION": OrderStatus.SUBMITTED,
    "AWAITING_STOP_CONDITION": OrderStatus.SUBMITTED,
    "AWAITING_MANUAL_REVIEW": OrderStatus.SUBMITTED,
    "AWAITING_UR_OUT": OrderStatus.SUBMITTED,
    "AWAITING_RELEASE_TIME": OrderStatus.SUBMITTED,
    "ACCEPTED": OrderStatus.SUBMITTED,
    "NEW": OrderStatus.SUBMITTED,
    "PENDING_ACKNOWLEDGEMENT": OrderStatus.SUBMITTED,
    "PENDING_ACTIVATION": OrderStatus.SUBMITTED,
    "PENDING_CANCEL": OrderStatus.SUBMITTED,
    "PENDING_RECALL": OrderStatus.SUBMITTED,
    "PENDING_REPLACE": OrderStatus.SUBMITTED,
    "QUEUED": OrderStatus.SUBMITTED,
    "WORKING": OrderStatus.SUBMITTED,
    "FILLED": OrderStatus.SUBMITTED,  # so it says; without an execution it has not ended
    "CANCELED": OrderStatus.CANCELLED,
    "REPLACED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    "UNKNOWN": OrderStatus.UNRESOLVED,
}


def test_every_status_that_the_sdk_knows_has_a_meaning() -> None:
    assert set(STATUSES) == {status.value for status in Client.Order.Status}
    for name, status in STATUSES.items():
        filled = Decimal(10 if name == "FILLED" else 0)
        assert broker_order(shown(status=name, filledQuantity=filled), None).status is status, name


def test_a_status_that_nobody_knows_is_no_end_of_an_order() -> None:
    for name in ("DONE_FOR_DAY", "", None):
        status = broker_order(shown(status=name), None).status
        assert status is OrderStatus.UNRESOLVED, name


def test_executions_are_told_apart_by_their_ids() -> None:
    order = executed("5", "5")
    order["orderActivityCollection"] *= 2
    assert [(f.fill_id, str(f.price_usd)) for f in fills(order, None)] == [
        ("2-1-1", "180.00"),
        ("2-2-1", "180.00"),
    ]


@pytest.mark.parametrize(
    "order",
    [
        shown(quantity="many"),
        shown(quantity=Decimal(0)),
        shown(enteredTime="yesterday"),
        shown(orderLegCollection=[]),
        shown(orderActivityCollection=[{"activityType": "EXECUTION"}]),
        {"orderId": 2},
    ],
)
def test_an_order_that_cannot_be_read_is_an_error(order: Json) -> None:
    with pytest.raises(BrokerAnswerError, match="cannot be read"):
        broker_order(order, None)


def test_orders_inside_of_others_are_listed_and_spreads_are_not() -> None:
    (leg,) = shown()["orderLegCollection"]
    option = leg | {"orderLegType": "OPTION"}
    spread = shown(orderId=3, orderLegCollection=[option, option])
    covered = shown(orderId=6, orderLegCollection=[leg, option])
    parent = shown(orderId=4, childOrderStrategies=[shown(orderId=5)])
    listed = single_orders([shown(), spread, covered, parent])
    assert [order["orderId"] for order in listed] == [2, 4, 5]


@pytest.mark.parametrize("legs", [(), ("EQUITY", "EQUITY"), ("SWAP",), (None,)])
def test_an_order_that_may_be_ours_is_never_left_out(legs: tuple[str | None, ...]) -> None:
    (leg,) = shown()["orderLegCollection"]
    order = shown(orderLegCollection=[leg | {"orderLegType": kind} for kind in legs])
    with pytest.raises(ValueError, match="an order for"):
        list(single_orders([order]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"order_type": OrderType.MARKET, "limit_price_usd": None},
            {"orderType": "MARKET", "duration": "DAY"},
        ),
        (
            {"time_in_force": TimeInForce.GTC},
            {"orderType": "LIMIT", "price": "180.50", "duration": "GOOD_TILL_CANCEL"},
        ),
        (
            {"order_type": OrderType.STOP_LIMIT, "stop_price_usd": Decimal("181.00")},
            {"orderType": "STOP_LIMIT", "price": "180.50", "stopPrice": "181.00"},
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP,
                "limit_price_usd": None,
                "trailing_ratio": Decimal("0.075"),
            },
            {
                "orderType": "TRAILING_STOP",
                "stopPriceLinkBasis": "LAST",
                "stopPriceLinkType": "PERCENT",
                "stopPriceOffset": 7.5,
            },
        ),
    ],
)
def test_every_type_of_order_has_its_words(changes: Json, expected: Json) -> None:
    spec = specification(replace(ASKED, **changes))
    assert {name: spec.get(name) for name in expected} == expected
    assert spec["orderLegCollection"][0]["instrument"]["symbol"] == "BRK/B"


# ── Matching ───────────────────────────────────────────────────────────────────────────


def test_an_order_that_says_what_was_sent_may_be_it() -> None:
    assert is_match(shown(), SENT)
    assert is_match(shown(enteredTime="2020-03-31T18:00:00+0000"), SENT)  # its clock is not ours


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": 1},
        {"quantity": Decimal(11)},
        {"price": Decimal("180.51")},
        {"orderType": "MARKET", "price": None},
        {"duration": "GOOD_TILL_CANCEL"},
        {"session": "AM"},
        {"enteredTime": "2020-03-31T20:30:01+0000"},
    ],
)
def test_an_order_that_says_otherwise_or_came_much_later_is_not_it(changes: Json) -> None:
    assert not is_match(shown(**changes), SENT)


def test_a_trailing_stop_is_known_by_its_distance_wherever_its_trigger_stands() -> None:
    trailing = OrderRequest(
        "ours",
        "BRK.B",
        Side.SELL,
        Decimal(10),
        OrderType.TRAILING_STOP,
        trailing_ratio=Decimal("0.05"),
    )
    leg = shown()["orderLegCollection"][0] | {"instruction": "SELL"}
    facts = {"orderType": "TRAILING_STOP", "orderLegCollection": [leg], "price": None}
    sent = replace(SENT, request=trailing)
    assert is_match(shown(**facts, stopPriceOffset=Decimal("5.0"), stopPrice=171.5), sent)
    assert not is_match(shown(**facts, stopPriceOffset=Decimal("6.0")), sent)


def test_an_order_by_hand_is_not_taken_for_one_that_was_proved_lost(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab()
    schwab_control.fault(WireFault.REPLY_LOST_BEFORE_BOOKING, operation="place")
    broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(10)))
    schwab_control.clear()
    assert broker.find_order("ours") is None
    schwab_control.trade("AAA", Side.BUY, Decimal(10))
    assert broker.find_order("ours") is None
    assert [fill.client_id for fill in broker.fills_since(AT)] == [None]


def test_an_order_that_is_one_of_ours_already_is_not_taken_for_another() -> None:
    tags = InMemoryTags()
    theirs = replace(SENT, request=replace(ASKED, client_id="other"))
    tags.note(replace(theirs, fate=Fate.BOUND, order_id="2"))
    finder = Finder(tags, SimulatedClock(AT), settle_secs=1)
    assert finder.match(SENT, [shown()]) is None
    assert finder.client_ids([shown()]) == {"2": "other"}


def test_an_execution_within_the_second_that_is_asked_for_is_listed(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab()
    schwab_control.sleep(0.7)
    broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(10)))
    assert len(broker.fills_since(AT + timedelta(seconds=0.4))) == 1
    assert broker.fills_since(AT + timedelta(seconds=1)) == ()


# ── The file of what was sent ──────────────────────────────────────────────────────────


def test_what_was_sent_is_read_by_another_process(tmp_path: Path) -> None:
    first, second = TagFile(tmp_path / "tags"), TagFile(tmp_path / "tags")
    assert second.orders() == {}
    first.note(SENT)
    assert second.orders() == {"ours": SENT}
    bound = replace(SENT, fate=Fate.BOUND, order_id="2")
    second.note(bound)
    assert first.orders() == {"ours": bound}


def test_a_line_that_was_cut_off_never_happened(tmp_path: Path) -> None:
    path = tmp_path / "tags"
    TagFile(path).note(SENT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    memory = TagFile(path)
    assert memory.orders() == {"ours": SENT}
    memory.note(replace(SENT, fate=Fate.ABSENT))
    assert path.read_bytes().startswith(whole)
    assert TagFile(path).orders()["ours"].fate is Fate.ABSENT


def test_a_file_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "tags").write_text("nonsense\n")
    with pytest.raises(StopAndTell, match="nothing was sent"):
        TagFile(tmp_path / "tags").orders()


def test_an_order_that_cannot_be_remembered_is_not_sent(
    connect_schwab: Connect, schwab_control: SimulatorControl, tmp_path: Path
) -> None:
    broker = connect_schwab()
    (tmp_path / "tags.jsonl").mkdir()
    with pytest.raises(PlatformError) as error:
        broker.find_order("ours")
    assert isinstance(error.value, TransientError)
    answer = broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(10)))
    assert answer.outcome is SubmitOutcome.DENIED
    assert schwab_control.book()["orders"] == []


# ── Money and holdings ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "usable", "sales_pay"),
    [("CASH", "60.00", False), ("MARGIN", "100.00", True)],
)
def test_only_settled_cash_is_usable_and_never_what_is_lent(
    kind: str, usable: str, sales_pay: bool
) -> None:
    balances = {
        "cashBalance": Decimal("100.0"),
        "cashAvailableForTrading": Decimal("60.0"),
        "availableFunds": Decimal("5000.0"),
        "liquidationValue": Decimal("900.129"),
    }
    account = money({"type": kind, "currentBalances": balances}, "1", Environment.LIVE)
    assert str(account.usable_cash_usd) == usable
    assert account.sales_pay_at_once is sales_pay
    assert str(account.equity_usd) == "900.13"


def holding(symbol: str, kind: str | None = "EQUITY", short: int = 0) -> Json:
    return {
        "instrument": {"symbol": symbol, "assetType": kind},
        "longQuantity": Decimal("3.0"),
        "shortQuantity": Decimal(short),
        "averagePrice": Decimal("12.345"),
    }


def test_shares_and_funds_are_positions_and_options_are_not() -> None:
    rows = [holding("SPY", "COLLECTIVE_INVESTMENT"), holding("BRK/B"), holding("X 1C", "OPTION")]
    account = {"positions": rows, "currentBalances": {"longMarketValue": Decimal(9)}}
    three, cost = Decimal(3), Decimal("12.345")
    assert positions(account) == (Position("BRK.B", three, cost), Position("SPY", three, cost))


@pytest.mark.parametrize("odd", ["TOKENIZED_EQUITY", "", None])
def test_a_holding_of_a_kind_that_nobody_knows_is_an_error(odd: str | None) -> None:
    account = {"positions": [holding("SPY", odd)], "currentBalances": {"longMarketValue": 9}}
    with pytest.raises(ValueError, match="of the kind"):
        positions(account)


def test_a_symbol_that_stands_twice_is_an_error() -> None:
    account = {"positions": [holding("SPY")] * 2, "currentBalances": {"longMarketValue": 9}}
    with pytest.raises(ValueError, match="twice"):
        positions(account)


def test_a_short_position_is_an_error() -> None:
    rows = [holding("SPY", short=1)]
    account = {"positions": rows, "currentBalances": {"longMarketValue": Decimal(0)}}
    with pytest.raises(BrokerAnswerError, match="short of SPY"):
        positions(account)


# ── Bars ───────────────────────────────────────────────────────────────────────────────


def candles(*days: str, hour: int = 5) -> Json:
    moments = [datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00") for day in days]
    rows = [
        {
            "datetime": int(at.timestamp() * 1000),
            "open": 100.0,
            "high": 110.0,
            "low": 90.0,
            "close": 100.0,
            "volume": 1000,
        }
        for at in moments
    ]
    return {"candles": rows}


SPAN = Span.ending(date(2020, 3, 31), 3, xnys())
THREE = candles("2020-03-27", "2020-03-30", "2020-03-31")


def test_a_candle_s_session_is_its_day_in_new_york_in_winter_too() -> None:
    winter = Span.ending(date(2020, 1, 3), 2, xnys())
    frame = winter.frame("X", candles("2020-01-02", "2020-01-03", hour=6), Adjustment.SPLIT, None)
    assert frame is not None
    assert frame.sessions == (date(2020, 1, 2), date(2020, 1, 3))


def test_dividends_lower_the_bars_before_their_day() -> None:
    def paid(symbol: str, first: date, last: date) -> dict[date, Decimal]:
        assert (symbol, first, last) == ("X", date(2020, 3, 27), date(2020, 3, 31))
        return {date(2020, 3, 30): Decimal(10), date(2020, 3, 31): Decimal(20)}

    frame = SPAN.frame("X", THREE, Adjustment.TOTAL_RETURN, paid)
    assert frame is not None
    assert frame.close.tolist() == pytest.approx([72.0, 80.0, 100.0])
    assert frame.volume is not None
    assert frame.volume.tolist() == pytest.approx([1000 / 0.72, 1250, 1000])
    assert (frame.close * frame.volume).tolist() == pytest.approx([100_000.0] * 3)


def test_bars_outside_of_the_span_are_left_out() -> None:
    more = candles("2020-03-26", "2020-03-27", "2020-03-30", "2020-03-31", "2020-04-01")
    frame = SPAN.frame("X", more, Adjustment.SPLIT, None)
    assert frame is not None
    assert frame.sessions == SPAN.sessions


@pytest.mark.parametrize("adjustment", [Adjustment.RAW, Adjustment.TOTAL_RETURN])
def test_an_adjustment_that_schwab_does_not_have_is_an_error(adjustment: Adjustment) -> None:
    with pytest.raises(InputError, match=f"no {adjustment.value} bars of X"):
        SPAN.frame("X", THREE, adjustment, None)


@pytest.mark.parametrize(
    "days",
    [("2020-03-27", "2020-03-31"), ("2020-03-27", "2020-03-28", "2020-03-30", "2020-03-31")],
)
def test_bars_that_are_not_those_of_the_sessions_are_an_error(days: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="1 too few or too many"):
        SPAN.frame("X", candles(*days), Adjustment.SPLIT, None)


def test_bars_in_another_form_are_an_error() -> None:
    with pytest.raises(BrokerAnswerError, match="cannot be read"):
        SPAN.frame("X", {"candles": [{"open": 1}]}, Adjustment.SPLIT, None)


# ── Clocks ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Tue, 31 Mar 2020 19:30:03 GMT", timedelta(0)),  # which is on its way as well
        ("Tue, 31 Mar 2020 19:40:00 GMT", timedelta(minutes=10)),
        ("Tue, 31 Mar 2020 19:40:00 -0000", timedelta(0)),  # in no time zone
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta(0)),
        ("Mon, 31 Mar 2036 19:40:00 GMT", timedelta(0)),
        ("yesterday", timedelta(0)),
    ],
)
def test_schwab_s_clock_is_read_off_its_answers_where_it_can_be_one(
    date: str, ahead: timedelta
) -> None:
    clock = ServerClock(SimulatedClock(AT), timedelta(hours=12))
    clock.note(Response(200, headers={"Date": date}))
    assert clock.now() == AT + ahead


def test_without_a_clock_the_broker_s_own_counts(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab(clock=None)
    assert (
        broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(10))).outcome.value == "acked"
    )
    assert [fill.client_id for fill in broker.fills_since(AT)] == ["ours"]
    last = schwab_control.now().date() + timedelta(days=1)
    frame = broker.daily_bars(["AAA"], 2, last, Adjustment.SPLIT)["AAA"]
    assert frame.last_session == xnys().previous(schwab_control.now().date())
