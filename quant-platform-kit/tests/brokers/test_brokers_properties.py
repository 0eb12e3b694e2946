"""What holds for every sequence of orders, faults, time and restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    FeeModel,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

CASH = Decimal(1000)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SESSIONS = xnys().sessions(date(2020, 3, 30), date(2020, 5, 29))
FEES = FeeModel(
    per_share_usd=Decimal("0.005"), notional_bps=Decimal(3), minimum_usd=Decimal("0.35")
)

Order: TypeAlias = tuple[str, Side, int, Decimal | None, Fault | None]
Step: TypeAlias = Order | str

orders: st.SearchStrategy[Order] = st.tuples(
    st.sampled_from(["AAA", "BBB"]),
    st.sampled_from(Side),
    st.integers(1, 60),
    st.none() | st.decimals("1", "30", places=2),
    st.none()
    | st.sampled_from([Fault.NO_FILL, Fault.PARTIAL_FILL, Fault.LATE_FILL, Fault.REPLY_LOST_AFTER]),
)
steps: st.SearchStrategy[Step] = st.one_of(
    orders,
    st.sampled_from(["cancel", "reopen", "wait", "next session"]),
)


class World:
    """An account on disk that is put through steps."""

    def __init__(self, folder: str) -> None:
        self.clock = SimulatedClock(datetime(2020, 3, 31, 15, tzinfo=UTC))
        self.faults = Faults()
        self.path = Path(folder, "book.jsonl")
        self.market = FrameMarket(
            {
                symbol: BarFrame(
                    symbol=symbol,
                    sessions=SESSIONS,
                    close=[base + (n * n % 7) / 3 for n in range(len(SESSIONS))],
                    adjustment=Adjustment.TOTAL_RETURN,
                )
                for symbol, base in (("AAA", 8.0), ("BBB", 17.5))
            }
        )
        self.sent = 0
        self.broker = self.connect()

    def connect(self) -> SimulatedBroker:
        return SimulatedBroker(
            "DU123",
            self.market,
            self.clock,
            xnys(),
            rules=TradingRules(fees=FEES),
            opening_cash_usd=CASH,
            book_path=self.path,
            faults=self.faults,
        )

    def take(self, step: Step) -> None:
        match step:
            case "cancel":
                for order in self.broker.open_orders()[:1]:
                    self.broker.cancel(order.broker_order_id)
            case "reopen":
                self.broker = self.connect()
            case "wait":
                self.clock.sleep(30)
            case "next session":
                session = xnys().next(self.clock.now().date())
                self.clock.advance_to(xnys().session_open(session) + timedelta(hours=1))
            case (symbol, side, shares, limit, fault):
                self.faults.set(*([] if fault is None else [FaultSwitch(fault, delay_secs=45)]))
                kind = OrderType.MARKET if limit is None else OrderType.LIMIT
                self.sent += 1
                self.broker.submit(
                    OrderRequest(f"id-{self.sent}", symbol, side, Decimal(shares), kind, limit)
                )

    def everything(self, broker: SimulatedBroker) -> tuple[object, ...]:
        found = tuple(broker.find_order(f"id-{n}") for n in range(1, self.sent + 1))
        fills = broker.fills_since(LONG_AGO)
        return (broker.account(), broker.positions(), broker.open_orders(), fills, found)


def worlds(taken: list[Step]) -> Iterator[World]:
    """Yield the world after each step."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        for step in taken:
            world.take(step)
            yield world


@contextmanager
def world_after(taken: list[Step]) -> Iterator[World]:
    """Give the world after all steps."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        for step in taken:
            world.take(step)
        yield world


@settings(max_examples=60)
@given(st.lists(steps, max_size=25))
def test_reopening_a_book_changes_nothing(taken: list[Step]) -> None:
    for world in worlds(taken):
        assert world.everything(world.connect()) == world.everything(world.broker)


@settings(max_examples=100)
@given(st.lists(steps, max_size=25))
def test_every_cent_and_every_share_is_explained_by_executions(taken: list[Step]) -> None:
    for world in worlds(taken):
        cash, shares = CASH, dict.fromkeys(("AAA", "BBB"), Decimal(0))
        for fill in world.broker.fills_since(LONG_AGO):
            sign = 1 if fill.side is Side.BUY else -1
            cash -= sign * fill.quantity * fill.price_usd + fill.fee_usd
            shares[fill.symbol] += sign * fill.quantity
        held = {position.symbol: position.quantity for position in world.broker.positions()}
        account = world.broker.account()
        assert account.cash_usd == cash
        assert held == {symbol: quantity for symbol, quantity in shares.items() if quantity}
        assert Decimal(0) <= account.usable_cash_usd <= account.cash_usd


@settings(max_examples=100)
@given(st.lists(steps, max_size=25))
def test_the_executions_of_an_order_are_its_filled_quantity_and_its_fee(
    taken: list[Step],
) -> None:
    with world_after(taken) as world:
        fills = world.broker.fills_since(LONG_AGO)
        assert len({fill.fill_id for fill in fills}) == len(fills)
        assert [fill.at for fill in fills] == sorted(fill.at for fill in fills)
        for n in range(1, world.sent + 1):
            order = world.broker.find_order(f"id-{n}")
            assert order is not None
            own = [fill for fill in fills if fill.client_id == order.client_id]
            filled = sum((fill.quantity for fill in own), start=Decimal(0))
            assert order.filled_quantity == filled
            assert (order.status is OrderStatus.FILLED) == (filled == order.quantity)
            if own:
                charged = sum((fill.fee_usd for fill in own), start=Decimal(0))
                assert charged == FEES.fee(filled, own[0].price_usd)


@settings(max_examples=50)
@given(orders, st.lists(steps, max_size=10))
def test_no_client_id_is_booked_twice(first: Order, taken: list[Step]) -> None:
    for world in worlds([first, *taken]):
        before = world.everything(world.broker)
        again = OrderRequest("id-1", "BBB", Side.BUY, Decimal(1))
        world.faults.set()
        assert world.broker.submit(again).outcome is SubmitOutcome.REJECTED
        assert world.everything(world.broker) == before
