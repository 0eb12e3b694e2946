"""Orders that wait for a price: when they trade, at what, and that no restart changes it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    BrokerOrder,
    FeeModel,
    OrderRequest,
    OrderStatus,
    OrderTerms,
    OrderType,
    Side,
    SubmitOutcome,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SESSIONS = xnys().sessions(date(2020, 3, 30), date(2020, 4, 30))
CENT = Decimal("0.01")
TEN = Decimal(10)
GTC, DAY = TimeInForce.GTC, TimeInForce.DAY
STOP, STOP_LIMIT, TRAILING = OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP


class World:
    """An account on disk that holds ten AAA, whose prices of each session are given."""

    def __init__(self, folder: Path, path: Sequence[Decimal | None], cash: int = 1_000) -> None:
        self.path = path
        self.folder = folder
        self.cash = cash
        self.clock = SimulatedClock(xnys().session_open(SESSIONS[0]) + timedelta(hours=1))
        self.faults = Faults()
        self.session = 0
        days = [day for day, price in zip(SESSIONS, path, strict=False) if price is not None]
        self.market = FrameMarket(
            {
                "AAA": BarFrame(
                    symbol="AAA",
                    sessions=days,
                    close=[float(price) for price in path if price is not None],
                    adjustment=Adjustment.TOTAL_RETURN,
                )
            }
        )
        self.broker = self.connect()
        self.send(OrderTerms(), Side.BUY, "holding")

    def connect(self) -> SimulatedBroker:
        return SimulatedBroker(
            "DU123",
            self.market,
            self.clock,
            xnys(),
            rules=TradingRules(),
            opening_cash_usd=Decimal(self.cash),
            book_path=self.folder / "book.jsonl",
            faults=self.faults,
        )

    def send(
        self, terms: OrderTerms, side: Side = Side.SELL, client_id: str = "waits"
    ) -> SubmitOutcome:
        order = OrderRequest(
            client_id,
            "AAA",
            side,
            TEN,
            terms.order_type,
            terms.limit_price_usd,
            terms.stop_price_usd,
            terms.trailing_ratio,
            terms.time_in_force,
            "holding" if side is Side.SELL else None,
        )
        return self.broker.submit(order).outcome

    def next_session(self) -> None:
        self.session += 1
        self.clock.advance_to(xnys().session_open(SESSIONS[self.session]) + timedelta(hours=1))

    def order(self, client_id: str = "waits") -> BrokerOrder:
        found = self.broker.find_order(client_id)
        assert found is not None
        return found

    def fill(self) -> tuple[int, Decimal] | None:
        """Return the session and the price at which the order traded."""
        fills = [f for f in self.broker.fills_since(LONG_AGO) if f.client_id == "waits"]
        assert len(fills) <= 1
        return (SESSIONS.index(fills[0].at.date()), fills[0].price_usd) if fills else None


def d(*prices: str) -> list[Decimal]:
    return [Decimal(price) for price in prices]


def test_a_stop_sells_at_the_first_price_at_or_below_its_trigger(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "9.5", "9", "12"))
    assert world.send(OrderTerms(STOP, stop_price_usd=Decimal(9), time_in_force=GTC)) == "acked"
    assert (world.order().order_type, world.order().trigger_price_usd) == (STOP, Decimal(9))
    world.next_session()
    assert world.order().status is OrderStatus.SUBMITTED
    world.next_session()
    assert world.order().status is OrderStatus.FILLED
    assert world.fill() == (2, Decimal(9))
    (fill,) = (f for f in world.broker.fills_since(LONG_AGO) if f.client_id == "waits")
    assert fill.at == xnys().session_open(SESSIONS[2])


def test_a_stop_that_is_gapped_over_trades_beyond_its_trigger(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "4"))
    world.send(OrderTerms(STOP, stop_price_usd=Decimal(9), time_in_force=GTC))
    world.next_session()
    assert world.fill() == (1, Decimal(4))
    assert world.broker.account().cash_usd == 1_000 - 100 + 40


def test_a_stop_whose_price_is_there_already_trades_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, d("10"))
    world.send(OrderTerms(STOP, stop_price_usd=Decimal(10), time_in_force=GTC))
    assert world.fill() == (0, TEN)


def test_a_stop_limit_is_a_limit_order_once_it_was_triggered(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "7", "7.5", "8.25", "20"))
    world.send(OrderTerms(STOP_LIMIT, Decimal(8), Decimal(9), time_in_force=GTC))
    world.next_session()  # triggered, and below its limit
    world.next_session()
    assert world.order().status is OrderStatus.SUBMITTED
    world.next_session()
    assert world.fill() == (3, Decimal("8.25"))


def test_a_trailing_stop_may_begin_closer_than_its_distance(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "10.4", "12", "10.7"))
    terms = OrderTerms(
        TRAILING,
        stop_price_usd=Decimal("9.50"),
        trailing_ratio=Decimal("0.1"),
        time_in_force=GTC,
    )
    world.send(terms)
    assert world.order().trigger_price_usd == Decimal("9.50")
    world.next_session()
    assert world.order().trigger_price_usd == Decimal("9.50")
    world.next_session()
    assert world.order().trigger_price_usd == Decimal("10.80")
    world.next_session()
    assert world.fill() == (3, Decimal("10.7"))
    assert world.order().trigger_price_usd == Decimal("10.80")  # as it was last


def test_a_stop_for_the_day_expires_with_its_session(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "5"))
    world.send(OrderTerms(STOP, stop_price_usd=Decimal(9)))
    world.next_session()
    assert (world.order().status, world.fill()) == (OrderStatus.EXPIRED, None)


def test_a_stop_keeps_its_shares_until_it_is_cancelled(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "5"))
    world.send(OrderTerms(STOP, stop_price_usd=Decimal(9), time_in_force=GTC))
    assert world.send(OrderTerms(), client_id="sale") == "rejected"
    world.broker.cancel(world.order().broker_order_id)
    world.next_session()
    assert (world.order().status, world.fill()) == (OrderStatus.CANCELLED, None)
    assert world.send(OrderTerms(), client_id="another sale") == "acked"


def test_a_purchase_that_a_gap_made_too_dear_leaves_the_book(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "30"), cash=300)
    terms = OrderTerms(STOP, stop_price_usd=Decimal(15), time_in_force=GTC)
    assert world.send(terms, Side.BUY) == "acked"
    assert world.broker.account().usable_cash_usd == 200 - 150
    world.next_session()
    order = world.order()
    assert (order.status, world.fill()) == (OrderStatus.EXPIRED, None)
    assert "takes 300.00 USD; 200.00 USD are usable" in order.detail
    assert world.broker.account().usable_cash_usd == 200


def test_a_late_fill_never_comes_before_the_trigger(tmp_path: Path) -> None:
    world = World(tmp_path, d("10", "10"))
    world.faults.set(FaultSwitch(Fault.LATE_FILL))
    world.send(OrderTerms(STOP, stop_price_usd=Decimal(9), time_in_force=GTC))
    world.clock.sleep(60)
    assert (world.order().status, world.fill()) == (OrderStatus.SUBMITTED, None)


def test_a_fee_minimum_is_charged_once_over_fills_at_different_prices(tmp_path: Path) -> None:
    fees = FeeModel(minimum_usd=Decimal(2), notional_bps=Decimal(100))
    world = World(tmp_path, d("10", "6"))
    world.broker = SimulatedBroker(
        "DU123",
        world.market,
        world.clock,
        xnys(),
        rules=TradingRules(fees=fees),
        opening_cash_usd=Decimal(1_000),
        faults=world.faults,
    )
    world.send(OrderTerms(), Side.BUY, "holding")
    world.faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    world.send(OrderTerms(STOP, stop_price_usd=TEN, time_in_force=GTC))
    world.next_session()
    fills = [f for f in world.broker.fills_since(LONG_AGO) if f.client_id == "waits"]
    assert [(f.quantity, f.price_usd, f.fee_usd) for f in fills] == [(5, 10, 2), (5, 6, 0)]


# ── Against a plain reading of the rules ───────────────────────────────────────────────


@dataclass(frozen=True)
class Case:
    path: list[Decimal | None]
    side: Side
    terms: OrderTerms


prices = st.integers(500, 2_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    path = [Decimal(10), *draw(st.lists(st.none() | prices, min_size=1, max_size=8))]
    kind = draw(st.sampled_from([STOP, STOP_LIMIT, TRAILING, OrderType.LIMIT]))
    near = st.integers(700, 1_300).map(lambda cents: Decimal(cents) / 100)
    stopped = kind in (STOP, STOP_LIMIT) or (kind is TRAILING and draw(st.booleans()))
    terms = OrderTerms(
        kind,
        limit_price_usd=draw(near) if kind in (STOP_LIMIT, OrderType.LIMIT) else None,
        stop_price_usd=draw(near) if stopped else None,
        trailing_ratio=Decimal(draw(st.integers(1, 60))) / 100 if kind is TRAILING else None,
        time_in_force=GTC,
    )
    return Case(path, draw(st.sampled_from(Side)), terms)


def expected(case: Case) -> tuple[tuple[int, Decimal] | None, list[Decimal]]:
    """Walk the prices by hand: return the fill, and every trigger on the way."""
    terms, sells = case.terms, case.side is Side.SELL
    trigger, waits, triggers = terms.stop_price_usd, terms.order_type is not OrderType.LIMIT, []
    for session, price in enumerate(case.path):
        if price is None:
            continue
        reached = trigger is not None and (price <= trigger if sells else price >= trigger)
        if waits and terms.trailing_ratio is not None and not reached:
            if sells:
                follows = (price * (1 - terms.trailing_ratio)).quantize(CENT, ROUND_FLOOR)
                trigger = follows if trigger is None else max(trigger, follows)
            else:
                follows = (price * (1 + terms.trailing_ratio)).quantize(CENT, ROUND_CEILING)
                trigger = follows if trigger is None else min(trigger, follows)
        if waits and reached:
            waits = False
        if waits and trigger is not None:
            triggers.append(trigger)
        limit = terms.limit_price_usd
        allowed = limit is None or (price >= limit if sells else price <= limit)
        if not waits and allowed:
            return (session, price), triggers
    return None, triggers


@settings(max_examples=300)
@given(cases())
def test_every_order_trades_where_a_plain_reading_of_the_rules_says(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), case.path, cash=10_000)
        world.send(case.terms, case.side)
        fill, _ = expected(case)
        for _ in case.path[1:]:
            world.next_session()
        assert world.fill() == fill


@settings(max_examples=150)
@given(cases(), st.data())
def test_no_restart_and_no_look_changes_what_becomes_of_an_order(
    case: Case, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as nervous:
        one, other = World(Path(calm), case.path, 10_000), World(Path(nervous), case.path, 10_000)
        for world in (one, other):
            world.send(case.terms, case.side)
        for _ in case.path[1:]:
            one.next_session()
            other.next_session()
            if data.draw(st.booleans()):
                other.broker.account()
            if data.draw(st.booleans()):
                other.broker = other.connect()
        for world in (one, other):  # what was worked out is written with the next order
            world.send(OrderTerms(), Side.BUY, "another")
        assert one.broker.positions() == other.broker.positions()
        assert one.order() == other.order()
        books = [Path(folder, "book.jsonl").read_bytes() for folder in (calm, nervous)]
        assert books[0] == books[1]


@settings(max_examples=150)
@given(cases())
def test_a_trigger_never_moves_away_and_an_order_never_trades_before_it(case: Case) -> None:
    sells = case.side is Side.SELL
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), case.path, cash=10_000)
        world.send(case.terms, case.side)
        seen: list[Decimal] = []
        for _ in case.path[1:]:
            trigger = world.order().trigger_price_usd
            if trigger is not None:
                assert not seen or (trigger >= seen[-1] if sells else trigger <= seen[-1])
                seen.append(trigger)
            world.next_session()
        fill = world.fill()
        if fill is not None and seen and case.terms.limit_price_usd is None:
            assert fill[1] <= seen[-1] if sells else fill[1] >= seen[-1]


@pytest.mark.parametrize("side", list(Side))
def test_a_trailing_trigger_is_the_best_price_less_its_distance(tmp_path: Path, side: Side) -> None:
    path = d("10", "9", "11", "10") if side is Side.SELL else d("10", "11", "9", "10")
    world = World(tmp_path, path)
    world.send(OrderTerms(TRAILING, trailing_ratio=Decimal("0.2"), time_in_force=GTC), side)
    triggers = [world.order().trigger_price_usd]
    for _ in path[1:]:
        world.next_session()
        triggers.append(world.order().trigger_price_usd)
    assert triggers == (
        d("8.00", "8.00", "8.80", "8.80")
        if side is Side.SELL
        else d("12.00", "12.00", "10.80", "10.80")
    )
