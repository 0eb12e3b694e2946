"""Splits and dividends: the file that lists them, the account that has them, the bars after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import (
    CorporateAction,
    Dividend,
    FrameMarket,
    SimulatedBroker,
    StockSplit,
    open_market,
    read_corporate_actions,
)
from quant_platform_kit.brokers._book import Book, replay
from quant_platform_kit.brokers._events import (
    Event,
    Filled,
    Opened,
    Paid,
    Settled,
    Split,
    from_line,
    to_line,
)
from quant_platform_kit.contracts import (
    Adjustment,
    FeeModel,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Side,
    SubmitOutcome,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.errors import BrokerAnswerError, ContractError, InputError
from quant_platform_kit.market import BarFrame, SimulatedClock, load_sample, xnys

OpenBroker = Callable[..., SimulatedBroker]
MONDAY, TUESDAY, WEDNESDAY = date(2020, 3, 30), date(2020, 3, 31), date(2020, 4, 1)
DAYS = xnys().sessions(MONDAY, date(2020, 4, 8))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
GTC = TimeInForce.GTC
TWO_FOR_ONE = StockSplit("AAA", WEDNESDAY, Decimal(2))
A_DOLLAR = Dividend("AAA", WEDNESDAY, Decimal(1))


def market_with(
    *actions: CorporateAction, closes: Sequence[float] = (10.0, 10.0, 5.0)
) -> FrameMarket:
    """Return a market of AAA and of BBB at 20; AAA closes as given, at last the same every day."""
    path = [*closes, *[closes[-1]] * (len(DAYS) - len(closes))]
    return FrameMarket(
        {
            symbol: BarFrame(symbol=symbol, sessions=DAYS, close=prices, adjustment=Adjustment.RAW)
            for symbol, prices in (("AAA", path), ("BBB", [20.0] * len(DAYS)))
        },
        actions,
    )


@pytest.fixture
def raw(open_broker: OpenBroker) -> OpenBroker:
    """Open an account without fees on a market where something happens on Wednesday."""

    def build(*actions: CorporateAction, **parts: Any) -> SimulatedBroker:  # noqa: ANN401
        closes = parts.pop("closes", (10.0, 10.0, 5.0))
        usual = {"rules": TradingRules(), "market": market_with(*actions, closes=closes)}
        return open_broker(**usual | parts)

    return build


def send(
    broker: SimulatedBroker,
    client_id: str,
    shares: str,
    side: Side = Side.BUY,
    **more: Any,  # noqa: ANN401 (any field of an order)
) -> None:
    order = OrderRequest(client_id, "AAA", side, Decimal(shares), **more)
    assert broker.submit(order).outcome is SubmitOutcome.ACKED


def limit(price: str) -> dict[str, Any]:
    return {
        "order_type": OrderType.LIMIT,
        "limit_price_usd": Decimal(price),
        "time_in_force": GTC,
    }


# ── In the account ─────────────────────────────────────────────────────────────────────


def test_a_dividend_is_cash_from_the_open_of_its_ex_date(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(A_DOLLAR, closes=(10.0, 10.0, 9.0))
    send(broker, "in", "30")
    opens_at = xnys().session_open(WEDNESDAY)
    clock.advance_to(opens_at - timedelta(seconds=1))
    assert broker.account().cash_usd == 700
    clock.advance_to(opens_at)
    account = broker.account()
    assert (account.cash_usd, account.usable_cash_usd, account.equity_usd) == (730, 730, 1_000)


def test_a_split_changes_shares_and_average_cost_and_neither_equity_nor_cost(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(TWO_FOR_ONE)
    send(broker, "in", "30")
    opens_at = xnys().session_open(WEDNESDAY)
    clock.advance_to(opens_at - timedelta(seconds=1))
    assert broker.positions() == (Position("AAA", Decimal(30), Decimal("10.0000")),)
    clock.advance_to(opens_at)
    assert broker.positions() == (Position("AAA", Decimal(60), Decimal("5.0000")),)
    assert broker.account().equity_usd == 1_000


@pytest.mark.parametrize(
    ("lot", "held", "paid"),
    [("1", "4", "10.00"), ("10", "4", "10.00"), ("0.01", "4.28", "0.20")],
)
def test_a_fraction_of_a_share_is_paid_where_the_broker_keeps_none(
    lot: str, held: str, paid: str, raw: OpenBroker, clock: SimulatedClock
) -> None:
    reverse = StockSplit("AAA", WEDNESDAY, Decimal(1), Decimal(7))
    rules = TradingRules(lot_shares=Decimal(lot))
    broker = raw(reverse, closes=(10.0, 10.0, 35.0), rules=rules)
    send(broker, "in", "30")
    clock.advance_to(clock.now() + timedelta(days=1))
    (position,) = broker.positions()
    assert position.quantity == Decimal(held)
    # Two sevenths of a share are 10.00 USD.
    assert broker.account().cash_usd == 700 + Decimal(paid)


def test_a_holding_of_which_no_whole_share_is_left_is_paid_out(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(StockSplit("AAA", WEDNESDAY, Decimal("0.1")), closes=(10.0, 10.0, 100.0))
    send(broker, "in", "9")
    clock.advance_to(clock.now() + timedelta(days=1))
    assert broker.positions() == ()
    assert broker.account().cash_usd == 1_000


def test_a_dividend_and_a_split_of_one_day_are_told_by_the_old_shares(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(A_DOLLAR, TWO_FOR_ONE, closes=(10.0, 10.0, 4.5))
    send(broker, "in", "30")
    clock.advance_to(clock.now() + timedelta(days=1))
    assert broker.account().cash_usd == 730
    assert broker.account().equity_usd == 1_000


def test_who_buys_on_the_ex_date_has_no_part_in_it_and_who_sells_has(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(A_DOLLAR, TWO_FOR_ONE, closes=(10.0, 10.0, 4.5))
    send(broker, "before", "10")
    clock.advance_to(xnys().session_open(WEDNESDAY))  # the very instant
    send(broker, "out", "20", Side.SELL)
    send(broker, "after", "7")
    for _ in range(3):
        assert broker.positions() == (Position("AAA", Decimal(7), Decimal("4.5000")),)
        assert broker.account().cash_usd == 900 + 10 + 90 - Decimal("31.50")
        clock.advance_to(clock.now() + timedelta(days=1))


def test_an_order_that_is_sent_at_the_open_of_an_ex_date_is_one_for_the_new_shares(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(TWO_FOR_ONE)
    clock.advance_to(xnys().session_open(WEDNESDAY))
    send(broker, "in", "10")
    send(broker, "gtc", "10", **limit("4.00"))
    assert [p.quantity for p in broker.positions()] == [10]
    assert [order.client_id for order in broker.open_orders()] == ["gtc"]


def test_an_order_that_is_filled_at_the_open_of_an_ex_date_has_no_part_in_it(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(A_DOLLAR, closes=(10.0, 10.0, 9.0))
    send(broker, "gtc", "10", **limit("9.50"))
    clock.advance_to(clock.now() + timedelta(days=2))
    assert [p.quantity for p in broker.positions()] == [10]
    assert broker.account().cash_usd == 910


def test_a_split_takes_working_orders_of_its_symbol_off_the_book_and_says_so(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    broker = raw(StockSplit("AAA", WEDNESDAY, Decimal(3), Decimal(2)), closes=(10.0, 10.0, 6.67))
    send(broker, "holding", "10")
    send(broker, "buy", "10", **limit("7.00"))
    stop = {"order_type": OrderType.STOP, "stop_price_usd": Decimal(8), "time_in_force": GTC}
    send(broker, "stop", "10", Side.SELL, **stop)
    other = OrderRequest("other", "BBB", Side.BUY, Decimal(1), **limit("15.00"))
    broker.submit(other)
    clock.advance_to(clock.now() + timedelta(days=1))

    assert [order.client_id for order in broker.open_orders()] == ["other"]
    for client_id in ("buy", "stop"):
        order = broker.find_order(client_id)
        assert order is not None
        assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, 0)
        assert order.detail == "Cancelled by the venue: AAA split 3 for 2."
    assert [p.quantity for p in broker.positions()] == [15]


def test_what_happened_before_the_account_or_its_holding_changes_nothing(
    raw: OpenBroker, clock: SimulatedClock
) -> None:
    yesterday = [Dividend("AAA", MONDAY, Decimal(1)), StockSplit("AAA", TUESDAY, Decimal(2))]
    broker = raw(*yesterday)
    send(broker, "in", "10")
    assert [p.quantity for p in broker.positions()] == [10]
    assert broker.account().cash_usd == 900


def test_what_happens_is_written_with_the_next_order_and_read_back(
    raw: OpenBroker, clock: SimulatedClock, book_path: Path
) -> None:
    actions = (A_DOLLAR, TWO_FOR_ONE)
    broker = raw(*actions, book_path=book_path)
    send(broker, "in", "10")
    send(broker, "gtc", "10", **limit("2.00"))
    clock.advance_to(clock.now() + timedelta(days=1))
    assert broker.account().cash_usd == 910
    assert '"event":"split"' not in book_path.read_text()  # looking never writes
    send(broker, "next", "1")
    for name in ("dividend", "split", "cancel"):
        assert book_path.read_text().count(f'"event":"{name}"') == 1
    # Even when the list of actions is gone: they are events of the book.
    reopened = raw(book_path=book_path)
    assert reopened.account() == broker.account()
    assert reopened.positions() == broker.positions()


def test_a_fraction_that_nothing_prices_stops_the_account(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    days = [day for day in DAYS if day != WEDNESDAY]
    bars = BarFrame(
        symbol="AAA", sessions=days, close=[10.0] * len(days), adjustment=Adjustment.RAW
    )
    split = StockSplit("AAA", WEDNESDAY, Decimal(1), Decimal(7))
    broker = open_broker(market=FrameMarket({"AAA": bars}, [split]), rules=TradingRules())
    send(broker, "in", "10")
    clock.advance_to(clock.now() + timedelta(days=1))
    with pytest.raises(BrokerAnswerError, match=r"AAA split on 2020-04-01 .* nothing was sent"):
        broker.account()


# ── In the book ────────────────────────────────────────────────────────────────────────

AT = datetime(2020, 4, 1, 13, 30, tzinfo=UTC)
OPENED = Opened("DU123", Decimal(1000), AT, positions=(Position("AAA", Decimal(10)),))
PAID = Paid("AAA", WEDNESDAY, Decimal(10), Decimal(5), AT)
SPLIT = Split("AAA", WEDNESDAY, Decimal(10), Decimal(15), Decimal(0), AT)


def test_an_account_of_before_is_still_read_and_every_new_event_survives_its_text() -> None:
    old = (
        '[{"account_id":"DU123","at":"2020-03-31T19:30:00+00:00","cash_usd":"1000",'
        '"event":"opened","positions":[],"withheld_usd":"0"},'
        '{"at":"2020-03-31T19:30:00+00:00","event":"order","expires_at":null,"fills_at":null,'
        '"order_id":"sim-000001","price_usd":"10.00","request":{"client_id":"one",'
        '"order_type":"market","quantity":"10","side":"buy","symbol":"AAA"}},'
        '{"event":"fill","fill":{"at":"2020-03-31T19:30:00+00:00",'
        '"broker_order_id":"sim-000001","client_id":"one","fee_usd":"1.00","fill_id":"f-1",'
        '"price_usd":"10.00","quantity":"10","side":"buy","symbol":"AAA"}},'
        '{"at":"2020-03-31T19:31:00+00:00","event":"price","price_usd":"9","symbol":"AAA"}]'
    )
    book = replay(from_line(old), fees=FeeModel())
    assert (book.cash_usd, book.held("AAA"), book.unsettled_usd()) == (899, 10, 0)

    fill = Fill("f1", "o1", "one", "AAA", Side.SELL, Decimal(1), Decimal(9), Decimal(0), AT)
    new: tuple[Event, ...] = (Filled(fill, AT), Settled(Decimal(9), AT), PAID, SPLIT)
    assert from_line(to_line(new)) == new


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([PAID, PAID], "an action of AAA on 2020-04-01 happens twice"),
        ([SPLIT, SPLIT], "an action of AAA on 2020-04-01 happens twice"),
        (
            [Split("AAA", WEDNESDAY, Decimal(9), Decimal(18), Decimal(0), AT)],
            "a split of 9 AAA that are not held",
        ),
        ([Settled(Decimal(1), AT)], "1 USD settle that no sale brought"),
    ],
)
def test_what_cannot_have_happened_is_refused(events: list[Event], why: str) -> None:
    book = Book()
    with pytest.raises(BrokerAnswerError, match=why):
        book.apply(OPENED, *events)


# ── In the bars ────────────────────────────────────────────────────────────────────────


def closes_of(market: FrameMarket, adjustment: Adjustment, until: date) -> list[float]:
    frame = market.frame("AAA", adjustment, until)
    assert frame is not None
    assert frame.adjustment is adjustment
    return [round(close, 6) for close in frame.close.tolist()]


def test_bars_are_adjusted_for_what_had_happened_by_their_last_session() -> None:
    market = market_with(A_DOLLAR, TWO_FOR_ONE, closes=(10.0, 10.0, 4.5))
    for adjustment in (Adjustment.SPLIT, Adjustment.TOTAL_RETURN):
        assert closes_of(market, adjustment, TUESDAY) == [10.0, 10.0]
    assert closes_of(market, Adjustment.RAW, WEDNESDAY) == [10.0, 10.0, 4.5]
    assert closes_of(market, Adjustment.SPLIT, WEDNESDAY) == [5.0, 5.0, 4.5]
    assert closes_of(market, Adjustment.TOTAL_RETURN, WEDNESDAY) == [4.5, 4.5, 4.5]


def test_volume_is_adjusted_so_that_the_dollars_traded_stay() -> None:
    bars = load_sample(Adjustment.RAW)["AAPL"]
    split = StockSplit("AAPL", date(2005, 2, 28), Decimal(2))
    market = FrameMarket({"AAPL": bars}, [split])
    adjusted = market.frame("AAPL", Adjustment.SPLIT)
    assert adjusted is not None
    assert adjusted.volume is not None
    assert bars.volume is not None
    assert adjusted.close * adjusted.volume == pytest.approx(bars.close * bars.volume)
    before, after = adjusted.close_on(date(2005, 2, 25)), adjusted.close_on(date(2005, 2, 28))
    assert 0.95 < after / before < 1.05


def test_the_sample_s_splits_and_dividends_make_its_own_adjusted_returns() -> None:
    """IBM's payments, as its publisher's adjusted closes tell them, lead back to those closes."""
    raw = load_sample(Adjustment.RAW)["IBM"]
    theirs = load_sample(Adjustment.TOTAL_RETURN)["IBM"]
    factors = theirs.close / raw.close
    steps = [n for n in range(1, len(raw)) if abs(factors[n - 1] / factors[n] - 1) > 1e-3]
    paid = [
        Dividend(
            "IBM",
            raw.sessions[n],
            Decimal(repr(float(raw.close[n - 1] * (1 - factors[n - 1] / factors[n])))),
        )
        for n in steps
    ]
    assert len(paid) > 40
    ours = FrameMarket({"IBM": raw}, paid).frame("IBM", Adjustment.TOTAL_RETURN)
    assert ours is not None
    assert ours.close / ours.close[-1] == pytest.approx(theirs.close / theirs.close[-1], rel=5e-3)


def test_a_dividend_beyond_the_price_is_no_dividend() -> None:
    market = market_with(Dividend("AAA", WEDNESDAY, Decimal(10)))
    with pytest.raises(InputError, match="dividend of AAA on 2020-04-01"):
        market.frame("AAA", Adjustment.TOTAL_RETURN)


def test_actions_stand_beside_raw_prices_only(market: FrameMarket) -> None:
    bars = market.frame("AAA", Adjustment.TOTAL_RETURN)
    assert bars is not None
    with pytest.raises(ContractError, match="total_return bars of AAA"):
        FrameMarket({"AAA": bars}, [])


# ── In their file ──────────────────────────────────────────────────────────────────────

HEADER = "symbol,ex_date,kind,value\n"


def test_a_file_is_read_in_the_order_of_days(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(
        "\ufeff" + HEADER + "BBB,2020-04-01,split,1:10\nAAA,2020-04-01,split,3 : 2\n\n"
        "AAA,2020-04-01,dividend, 0.25\nBBB,2020-03-30,split,4\n"
    )
    assert read_corporate_actions(path, xnys()) == (
        StockSplit("BBB", MONDAY, Decimal(4)),
        Dividend("AAA", WEDNESDAY, Decimal("0.25")),
        StockSplit("AAA", WEDNESDAY, Decimal(3), Decimal(2)),
        StockSplit("BBB", WEDNESDAY, Decimal(1), Decimal(10)),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1 is not the header symbol,ex_date,kind,value"),
        ("symbol,date,kind,value\n", "line 1 is not the header"),
        (HEADER + "AAA,2020-04-01,split\n", "line 2 has 3 cells, not 4"),
        (HEADER + "\naaa,2020-04-01,split,2\n", "line 3: 'aaa' is not an upper-case symbol"),
        (HEADER + "AAA,1 April,split,2\n", "line 2: Invalid isoformat"),
        (HEADER + "AAA,2020-04-04,split,2\n", "line 2: 2020-04-04 is not a session of XNYS"),
        (HEADER + "AAA,1820-04-04,split,2\n", "line 2: 1820-04-04 lies outside"),
        (HEADER + "AAA,2020-04-01,merger,2\n", "line 2: 'merger' is neither split nor dividend"),
        (HEADER + "AAA,2020-04-01,split,1\n", "line 2: '1' changes nothing"),
        (HEADER + "AAA,2020-04-01,split,2:2\n", "line 2: '2:2' changes nothing"),
        (HEADER + "AAA,2020-04-01,split,2:\n", "line 2: '' is no number"),
        (HEADER + "AAA,2020-04-01,split,0:1\n", "line 2: '0' is not a number above 0"),
        (HEADER + "AAA,2020-04-01,dividend,-1\n", "line 2: '-1' is not a number above 0"),
        (HEADER + "AAA,2020-04-01,dividend,NaN\n", "line 2: 'NaN' is not a number above 0"),
        (HEADER + 'AAA,2020-04-01,dividend,"1\n', "line 2: "),
        (
            HEADER + "AAA,2020-04-01,dividend,1\nAAA,2020-04-01,dividend,2\n",
            "line 3: a second dividend of AAA on 2020-04-01",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_and_line(
    text: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"actions\.csv cannot be used: .*{why}"):
        read_corporate_actions(path, xnys())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be used: .*No such file"):
        read_corporate_actions(tmp_path / "nowhere.csv", xnys())


def test_a_market_beside_its_actions_is_one_of_raw_prices(tmp_path: Path) -> None:
    prices, actions = tmp_path / "closes.csv", tmp_path / "actions.csv"
    prices.write_text("Date,AAA\n2020-03-31,10\n2020-04-01,5\n")
    actions.write_text(HEADER + "AAA,2020-04-01,split,2\n")
    market = open_market(str(prices), actions)
    assert market.actions("AAA") == [TWO_FOR_ONE]
    assert closes_of(market, Adjustment.TOTAL_RETURN, WEDNESDAY) == [5.0, 5.0]
    assert open_market(str(prices)).actions("AAA") == ()
