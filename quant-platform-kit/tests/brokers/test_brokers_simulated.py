"""What the simulated broker does beyond the cards that every broker passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    FeeModel,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import BrokerAnswerError, ContractError, InputError, TransientError
from quant_platform_kit.market import SimulatedClock

OpenBroker = Callable[..., SimulatedBroker]
TOTAL_RETURN = Adjustment.TOTAL_RETURN
CLOSE = datetime(2020, 3, 31, 20, tzinfo=UTC)


def trade(
    broker: SimulatedBroker,
    quantity: str,
    symbol: str = "AAA",
    *,
    side: Side,
    limit: str | None = None,
    client_id: str | None = None,
) -> Submission:
    """Hand in one order, under an id of its own unless one is given."""
    seen = len(broker._book.orders)  # noqa: SLF001 (a fresh id is not what is tested)
    return broker.submit(
        OrderRequest(
            client_id or f"id-{seen}",
            symbol,
            side,
            Decimal(quantity),
            OrderType.MARKET if limit is None else OrderType.LIMIT,
            None if limit is None else Decimal(limit),
        )
    )


buy = partial(trade, side=Side.BUY)
sell = partial(trade, side=Side.SELL)


# ── Money ──────────────────────────────────────────────────────────────────────────────


def test_a_purchase_and_a_sale_add_up_to_the_cent(broker: SimulatedBroker) -> None:
    buy(broker, "30")  # 300.00, fee 1.00
    sell(broker, "10")  # 100.00, fee 1.00
    account = broker.account()
    assert account.cash_usd == Decimal("798.00")
    assert account.equity_usd == Decimal("998.00")


def test_the_average_cost_is_that_of_the_shares_without_fees(
    broker: SimulatedBroker, clock: SimulatedClock
) -> None:
    buy(broker, "10", "UP")  # at 22.00
    clock.advance_to(clock.now() + timedelta(days=1))
    buy(broker, "5", "UP")  # at 23.00
    sell(broker, "3", "UP")
    (position,) = broker.positions()
    assert position.quantity == 12
    assert position.average_cost_usd == Decimal("22.3333")


@pytest.mark.parametrize(("shares", "outcome"), [("99", "acked"), ("100", "rejected")])
def test_cash_has_to_pay_the_fee_too(broker: SimulatedBroker, shares: str, outcome: str) -> None:
    assert buy(broker, shares).outcome == outcome


def test_the_last_cent_may_be_spent(open_broker: OpenBroker) -> None:
    broker = open_broker(opening_cash_usd=Decimal("991.00"))
    assert buy(broker, "99").outcome is SubmitOutcome.ACKED
    assert broker.account().cash_usd == 0


def test_proceeds_of_a_sale_pay_for_the_next_purchase(broker: SimulatedBroker) -> None:
    buy(broker, "99")
    sell(broker, "99")
    assert buy(broker, "49", "BBB").outcome is SubmitOutcome.ACKED


def test_a_resting_purchase_reserves_its_cash(broker: SimulatedBroker) -> None:
    buy(broker, "60", limit="9.00")
    account = broker.account()
    assert account.cash_usd == Decimal("1000.00")
    assert account.usable_cash_usd == Decimal("459.00")
    refused = buy(broker, "46")
    assert refused.outcome is SubmitOutcome.REJECTED
    assert "459.00 USD are usable" in refused.detail


def test_a_resting_sale_keeps_its_shares_from_being_sold_twice(broker: SimulatedBroker) -> None:
    buy(broker, "10")
    sell(broker, "6", limit="11.00")
    refused = sell(broker, "5")
    assert refused.outcome is SubmitOutcome.REJECTED
    assert "4 of the 10 held are free" in refused.detail
    assert sell(broker, "4").outcome is SubmitOutcome.ACKED


def test_a_minimum_fee_is_charged_once_however_an_order_fills(
    broker: SimulatedBroker, faults: Faults, clock: SimulatedClock
) -> None:
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    buy(broker, "10")
    (fill,) = broker.fills_since(clock.now())
    assert (fill.quantity, fill.fee_usd) == (Decimal(5), Decimal("1.00"))
    assert broker.account().usable_cash_usd == Decimal("899.00")  # the rest costs no fee again


def test_a_holding_that_is_not_priced_today_counts_at_its_last_price(
    broker: SimulatedBroker, clock: SimulatedClock, open_broker: OpenBroker
) -> None:
    earlier = open_broker(clock=SimulatedClock(clock.now() - timedelta(days=1)))
    buy(earlier, "10", "GAP")
    earlier._clock.advance_to(clock.now())  # type: ignore[attr-defined] # noqa: SLF001
    assert "GAP" not in earlier.quotes(["GAP"])
    assert earlier.account().equity_usd == Decimal("999.00")


def test_a_holding_that_the_market_does_not_know_stops_the_valuation(
    open_broker: OpenBroker, book_path: object, market: FrameMarket
) -> None:
    buy(open_broker(book_path=book_path), "10")
    bbb = market.frame("BBB", TOTAL_RETURN)
    assert bbb is not None
    poorer = open_broker(book_path=book_path, market=FrameMarket({"BBB": bbb}))
    with pytest.raises(BrokerAnswerError, match=r"holds AAA, .* does not price") as caught:
        poorer.account()
    assert caught.value.symbol == "AAA"


# ── Rules ──────────────────────────────────────────────────────────────────────────────


def test_less_than_the_smallest_order_is_refused(open_broker: OpenBroker) -> None:
    broker = open_broker(rules=TradingRules(minimum_notional_usd=Decimal(50)))
    assert buy(broker, "4").outcome is SubmitOutcome.REJECTED
    assert buy(broker, "5").outcome is SubmitOutcome.ACKED


def test_lots_may_be_fractions_of_a_share(open_broker: OpenBroker) -> None:
    broker = open_broker(rules=TradingRules(lot_shares=Decimal("0.001")))
    assert buy(broker, "0.3335").outcome is SubmitOutcome.REJECTED
    assert buy(broker, "0.333").outcome is SubmitOutcome.ACKED
    assert broker.account().cash_usd == Decimal("996.67")


def test_a_sale_whose_fee_eats_more_than_cash_and_proceeds_is_refused(
    open_broker: OpenBroker,
) -> None:
    free = open_broker(opening_cash_usd=Decimal(10), rules=TradingRules())
    assert buy(free, "1").outcome is SubmitOutcome.ACKED
    dear = TradingRules(fees=FeeModel(minimum_usd=Decimal(20)))
    free._rules = dear  # noqa: SLF001 (fees rose after the purchase)
    assert sell(free, "1").outcome is SubmitOutcome.REJECTED


def test_a_refused_order_is_found_with_its_reason(broker: SimulatedBroker) -> None:
    answer = sell(broker, "1", client_id="short")
    order = broker.find_order("short")
    assert order is not None
    assert order.status is OrderStatus.REJECTED
    assert order.detail == answer.detail
    assert order.broker_order_id == answer.broker_order_id


def test_a_refused_client_id_stays_used(broker: SimulatedBroker) -> None:
    sell(broker, "1", client_id="once")
    answer = buy(broker, "1", client_id="once")
    assert answer.outcome is SubmitOutcome.REJECTED
    assert "uplicate" in answer.detail


def test_cancelling_an_order_that_the_account_never_had_is_an_error(
    broker: SimulatedBroker,
) -> None:
    with pytest.raises(BrokerAnswerError, match="no order sim-000009"):
        broker.cancel("sim-000009")


def test_the_same_orders_give_the_same_book(open_broker: OpenBroker) -> None:
    books = []
    for _ in range(2):
        broker = open_broker(clock=SimulatedClock(datetime(2020, 3, 31, 19, 30, tzinfo=UTC)))
        buy(broker, "10")
        sell(broker, "20")
        sell(broker, "10")
        books.append(broker._book)  # noqa: SLF001 (all of it is compared)
    assert books[0] == books[1]
    assert list(books[0].orders) == ["sim-000001", "sim-000002", "sim-000003"]
    assert [fill.fill_id for fill in books[0].fills] == ["sim-fill-000001", "sim-fill-000002"]


# ── Time ───────────────────────────────────────────────────────────────────────────────

NEW_YORK_HOURS = [
    # UTC instant, whose close is quoted, when that price was made
    (
        datetime(2020, 3, 31, 12, tzinfo=UTC),
        date(2020, 3, 30),
        datetime(2020, 3, 30, 20, tzinfo=UTC),
    ),
    (datetime(2020, 3, 31, 13, 30, tzinfo=UTC), date(2020, 3, 31), None),
    (datetime(2020, 3, 31, 19, 59, tzinfo=UTC), date(2020, 3, 31), None),
    (datetime(2020, 3, 31, 20, 5, tzinfo=UTC), date(2020, 3, 31), CLOSE),
    (datetime(2020, 4, 4, 15, tzinfo=UTC), date(2020, 4, 3), datetime(2020, 4, 3, 20, tzinfo=UTC)),
    (datetime(2020, 4, 10, 15, tzinfo=UTC), date(2020, 4, 9), datetime(2020, 4, 9, 20, tzinfo=UTC)),
]


@pytest.mark.parametrize(("now", "session", "made_at"), NEW_YORK_HOURS)
def test_a_quote_is_the_price_of_the_session_that_has_begun(
    now: datetime,
    session: date,
    made_at: datetime | None,
    open_broker: OpenBroker,
    market: FrameMarket,
) -> None:
    quote = open_broker(clock=SimulatedClock(now)).quotes(["UP"])["UP"]
    assert quote.price_usd == market.price("UP", session)
    assert quote.at == (made_at or now)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2020, 3, 31, 13, 29, 59, tzinfo=UTC),  # before the open
        datetime(2020, 3, 31, 20, tzinfo=UTC),  # at the close
        datetime(2020, 4, 4, 15, tzinfo=UTC),  # Saturday
        datetime(2020, 4, 10, 15, tzinfo=UTC),  # Good Friday
    ],
)
def test_no_order_is_taken_outside_the_session(now: datetime, open_broker: OpenBroker) -> None:
    answer = buy(open_broker(clock=SimulatedClock(now)), "1")
    assert answer.outcome is SubmitOutcome.REJECTED
    assert "closed" in answer.detail


def test_a_symbol_that_was_not_priced_today_has_no_quote_and_takes_no_order(
    broker: SimulatedBroker,
) -> None:
    assert tuple(broker.quotes(["AAA", "GAP"])) == ("AAA",)
    assert buy(broker, "1", "GAP").outcome is SubmitOutcome.REJECTED


def test_a_resting_order_goes_with_its_session(
    broker: SimulatedBroker, clock: SimulatedClock
) -> None:
    buy(broker, "10", limit="9.00", client_id="day")
    clock.advance_to(CLOSE - timedelta(seconds=1))
    assert [order.client_id for order in broker.open_orders()] == ["day"]
    clock.advance_to(CLOSE)
    assert broker.open_orders() == ()
    order = broker.find_order("day")
    assert order is not None
    assert order.status is OrderStatus.EXPIRED
    assert broker.account().usable_cash_usd == Decimal(1000)


def test_a_fill_that_comes_too_late_expires(
    broker: SimulatedBroker, faults: Faults, clock: SimulatedClock
) -> None:
    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=3600))
    buy(broker, "10", client_id="late")
    clock.sleep(7200)
    order = broker.find_order("late")
    assert order is not None
    assert order.status is OrderStatus.EXPIRED
    assert broker.positions() == ()


def test_late_fills_arrive_in_the_order_of_their_time(
    broker: SimulatedBroker, faults: Faults, clock: SimulatedClock
) -> None:
    faults.set(
        FaultSwitch(Fault.LATE_FILL, symbol="AAA", delay_secs=20),
        FaultSwitch(Fault.LATE_FILL, symbol="BBB", delay_secs=10),
    )
    start = clock.now()
    buy(broker, "1", "AAA")
    buy(broker, "1", "BBB")
    clock.sleep(60)
    fills = broker.fills_since(start)
    assert [(f.symbol, (f.at - start).seconds) for f in fills] == [("BBB", 10), ("AAA", 20)]


def test_bars_end_with_the_last_session_that_closed(
    broker: SimulatedBroker, clock: SimulatedClock
) -> None:
    today, later = date(2020, 3, 31), date(2020, 4, 30)
    before = broker.daily_bars(["UP"], 3, later, TOTAL_RETURN)["UP"]
    assert before.last_session == date(2020, 3, 30)
    clock.advance_to(CLOSE)
    after = broker.daily_bars(["UP"], 3, later, TOTAL_RETURN)["UP"]
    assert after.last_session == today
    asked = broker.daily_bars(["UP"], 3, date(2020, 3, 20), TOTAL_RETURN)["UP"]
    assert asked.last_session == date(2020, 3, 20)


def test_a_symbol_without_a_bar_by_then_is_absent(broker: SimulatedBroker) -> None:
    assert broker.daily_bars(["AAA"], 3, date(2020, 2, 28), TOTAL_RETURN) == {}


def test_bars_are_asked_for_in_positive_numbers(broker: SimulatedBroker) -> None:
    with pytest.raises(ContractError, match="sessions"):
        broker.daily_bars(["AAA"], 0, date(2020, 3, 30), TOTAL_RETURN)


def test_bars_of_another_adjustment_are_an_error_not_an_absence(broker: SimulatedBroker) -> None:
    with pytest.raises(InputError, match="AAA"):
        broker.daily_bars(["AAA"], 3, date(2020, 3, 30), Adjustment.RAW)


def test_within_a_session_the_broker_s_time_never_runs_back(
    open_broker: OpenBroker, book_path: object, clock: SimulatedClock
) -> None:
    first = open_broker(book_path=book_path)
    start = clock.now()
    clock.sleep(90)
    buy(first, "10")
    resumed = open_broker(book_path=book_path, clock=SimulatedClock(start))
    buy(resumed, "5")
    early, late = resumed.fills_since(start)
    assert early.at == late.at == start + timedelta(seconds=90)


def test_a_clock_on_an_earlier_day_than_the_book_is_refused(
    open_broker: OpenBroker, book_path: object, clock: SimulatedClock
) -> None:
    buy(open_broker(book_path=book_path), "10")
    yesterday = SimulatedClock(clock.now() - timedelta(days=1))
    with pytest.raises(TransientError, match="2020-03-31 19:30 UTC, the clock shows 2020-03-30"):
        open_broker(book_path=book_path, clock=yesterday).account()


def test_a_reopened_book_says_how_long_its_account_has_lived(
    open_broker: OpenBroker, book_path: object, clock: SimulatedClock
) -> None:
    first = open_broker(book_path=book_path)
    clock.sleep(90)
    buy(first, "10")
    start = SimulatedClock(datetime(2020, 3, 2, 15, tzinfo=UTC))
    assert open_broker(book_path=book_path, clock=start).last_event_at == clock.now()


# ── Faults and latency ─────────────────────────────────────────────────────────────────


def test_half_of_an_odd_lot_fills_rounded_down(broker: SimulatedBroker, faults: Faults) -> None:
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    buy(broker, "7")
    assert [p.quantity for p in broker.positions()] == [3]


def test_half_of_one_share_is_none(broker: SimulatedBroker, faults: Faults) -> None:
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    assert buy(broker, "1").outcome is SubmitOutcome.ACKED
    assert broker.positions() == ()
    assert len(broker.open_orders()) == 1


def test_a_fault_strikes_the_nth_submission_only(broker: SimulatedBroker, faults: Faults) -> None:
    faults.set(FaultSwitch(Fault.REJECT, nth=2))
    answers = [buy(broker, "1").outcome for _ in range(3)]
    assert answers == [SubmitOutcome.ACKED, SubmitOutcome.REJECTED, SubmitOutcome.ACKED]


def test_a_missing_quote_does_not_close_the_exchange(
    broker: SimulatedBroker, faults: Faults
) -> None:
    faults.set(FaultSwitch(Fault.QUOTE_MISSING, symbol="AAA"))
    assert broker.quotes(["AAA"]) == {}
    assert buy(broker, "1").outcome is SubmitOutcome.ACKED


def test_latency_lies_before_and_after_the_booking(open_broker: OpenBroker) -> None:
    booked: list[tuple[float, bool]] = []

    def pause(seconds: float) -> None:
        booked.append((seconds, broker.find_order("slow") is not None))

    broker = open_broker(latency_secs=0.25, pause=pause)
    buy(broker, "1", client_id="slow")
    assert booked == [(0.25, False), (0.25, True)]
