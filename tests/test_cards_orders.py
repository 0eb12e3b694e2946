"""Acceptance cards about orders: once, never twice, never lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event

from quant_platform_kit.brokers import Fault, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    CycleRequest,
    Decision,
    OrderRequest,
    OrderStatus,
    Outcome,
    Side,
    Submission,
)
from quant_platform_kit.errors import ReasonCode, SlotBusy
from quant_platform_kit.risk import GateMode, TradingGate
from tests.house import FREE, MONDAY, TUESDAY, House, always, by_session

INVESTED = Decision.weights({"SIM_A": 0.4, "SIM_B": 0.3, "SIM_C": 0.2})
ROTATED = Decision.weights({"SIM_B": 0.1, "SIM_C": 0.5, "SIM_HAVEN": 0.4})
Booked = list[tuple[str, Side, Decimal, Decimal]]


def booked(house: House) -> Booked:
    """Return every share that changed hands, by order."""
    fills = house.broker.fills_since(house.parts.calendar.session_open(MONDAY))
    return sorted((f.symbol, f.side, f.quantity, f.price_usd) for f in fills)


def test_a7_a_slot_that_ran_answers_with_its_first_report(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: ROTATED}))
    first = house.run()
    after = booked(house)

    second = house.result(CycleRequest("close", MONDAY))
    house.restart()
    third = house.result(CycleRequest("close", MONDAY))

    assert (second.repeated, third.repeated) == (True, True)
    assert second.report == third.report == first
    assert booked(house) == after


def test_a7_a_manual_run_never_suppresses_the_scheduled_one(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), rules=FREE)
    manual = house.run(MONDAY, slot="by-hand-1")
    scheduled = house.result(CycleRequest("close", MONDAY))
    assert manual.outcome is Outcome.TRADED
    assert (scheduled.repeated, scheduled.report.code) == (False, ReasonCode.NOTHING_TO_DO)


def test_a7_a_caller_during_the_run_is_turned_away_and_later_gets_the_report(
    tmp_path: Path,
) -> None:
    deciding, go_on = threading.Event(), threading.Event()

    def slowly(_context: object) -> Decision:
        deciding.set()
        go_on.wait(10)
        return INVESTED

    house = House(tmp_path, slowly)
    runner = threading.Thread(target=house.run)
    runner.start()
    assert deciding.wait(10)
    with pytest.raises(SlotBusy) as refused:
        house.run()
    go_on.set()
    runner.join()

    assert refused.value.code is ReasonCode.LEASE_HELD
    assert house.result(CycleRequest("close", MONDAY)).repeated
    assert len(booked(house)) == 3


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST_AFTER, Fault.REPLY_LOST_BEFORE])
def test_a8_a_lost_reply_is_resolved_by_asking_never_by_sending_again(
    tmp_path: Path, fault: Fault
) -> None:
    house = House(tmp_path, always(INVESTED), faults=[FaultSwitch(fault, symbol="SIM_B")])
    report = house.run()
    order = next(order for order in report.orders if order.symbol == "SIM_B")
    arrived = fault is Fault.REPLY_LOST_AFTER
    assert order.status is (OrderStatus.FILLED if arrived else OrderStatus.CANCELLED)
    assert order.code is (ReasonCode.ORDER_UNRESOLVED if arrived else ReasonCode.NEVER_SENT)
    assert len([order for order in report.orders if order.symbol == "SIM_B"]) == 1
    assert house.ledger() == house.holdings()


class _Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


class _MortalBroker:
    """Passes calls on, and dies around the n-th submission."""

    def __init__(self, inner: SimulatedBroker, death: int, *, after: bool) -> None:
        self._inner = inner
        self._left = death
        self._after = after

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def submit(self, order: OrderRequest) -> Submission:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise _Killed
        answer = self._inner.submit(order)
        if self._left == 0:
            raise _Killed
        return answer


@contextmanager
def _killed_at_commit(house: House, number: int) -> Iterator[None]:
    """Die when the store is about to make its `number`-th commit durable."""
    left = number

    def count(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Killed

    event.listen(house.store.engine, "commit", count)
    yield
    event.remove(house.store.engine, "commit", count)


def _rotation(folder: Path) -> House:
    """Return a house that holds a portfolio on Monday's close and is about to rotate it."""
    house = House(folder, by_session({MONDAY: INVESTED, TUESDAY: ROTATED}))
    house.run(MONDAY)
    return house


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Booked:
    house = _rotation(tmp_path_factory.mktemp("undisturbed"))
    house.run(TUESDAY)
    return booked(house)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 5))
def test_a9_a_kill_around_any_submission_leaves_exactly_the_undisturbed_orders(
    tmp_path: Path, undisturbed: Booked, number: int, after: bool
) -> None:
    house = _rotation(tmp_path)
    house.with_parts(broker=_MortalBroker(house.broker, number, after=after))
    with pytest.raises(_Killed):
        house.run(TUESDAY)
    house.restart()
    report = house.run(TUESDAY)
    assert (report.outcome, report.attempt) == (Outcome.TRADED, 2)
    assert booked(house) == undisturbed
    assert house.ledger() == house.holdings()


def test_a9_a_kill_at_any_commit_leaves_exactly_the_undisturbed_orders(
    tmp_path: Path, undisturbed: Booked
) -> None:
    deaths = 0
    for number in range(1, 200, 5):  # the proof goes through all of them
        house = _rotation(tmp_path / str(number))
        try:
            with _killed_at_commit(house, number):
                house.run(TUESDAY)
        except _Killed:
            deaths += 1
        else:
            break
        house.restart()
        house.run(TUESDAY)
        assert booked(house) == undisturbed, f"killed at commit {number}"
        assert house.ledger() == house.holdings()
    assert deaths > 4


def test_a10_a_duplicate_fill_is_counted_once(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), faults=[FaultSwitch(Fault.DUPLICATE_FILL)])
    report = house.run()
    assert report.outcome is Outcome.TRADED
    assert house.ledger() == house.holdings()


def test_a10_what_a_cancelled_order_left_over_is_planned_again(tmp_path: Path) -> None:
    partial = FaultSwitch(Fault.PARTIAL_FILL, symbol="SIM_A")
    house = House(tmp_path, always(INVESTED), rules=FREE, faults=[partial])
    first = house.run(MONDAY)
    order = next(order for order in first.orders if order.symbol == "SIM_A")
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, Decimal(20))

    house.faults = []
    house.restart()
    second = house.run(TUESDAY)

    assert [(o.symbol, o.filled_quantity) for o in second.orders] == [("SIM_A", Decimal(20))]
    assert house.ledger() == house.holdings()


def test_a11_buys_shrink_to_confirmed_cash_when_sells_do_not_fill(tmp_path: Path) -> None:
    house = _rotation(tmp_path)
    house.faults = [FaultSwitch(Fault.NO_FILL, symbol="SIM_A")]
    house.restart()
    report = house.run(TUESDAY)
    bought = [order for order in report.orders if order.side is Side.BUY]
    assert house.holdings()["SIM_A"] == Decimal(40)
    assert sum(order.filled_quantity * order.leg.price_usd for order in bought) < 4_000
    assert any(note.startswith("SELLS_UNFILLED: SIM_A") for note in report.notes)
    assert {order.leg.limited_by for order in bought} == {ReasonCode.CASH_SHORT}
    assert report.cash_usd is not None
    assert report.cash_usd >= 0


def test_a11_a_sale_that_a_later_attempt_made_is_not_called_unfilled(tmp_path: Path) -> None:
    answers = {MONDAY: Decision.weights({"SIM_A": 1}), TUESDAY: Decision.weights({"SIM_B": 1})}
    house = House(tmp_path, by_session(answers), rules=FREE)
    house.run(MONDAY)
    house.faults = [FaultSwitch(Fault.NO_FILL, symbol="SIM_A")]
    house.restart()
    first = house.run(TUESDAY)
    house.faults = []
    house.restart()
    second = house.run(TUESDAY)
    assert (first.outcome, first.code) == (Outcome.FAILED, ReasonCode.NOT_FILLED)
    assert (second.outcome, second.attempt) == (Outcome.TRADED, 2)
    assert [note.partition(":")[0] for note in first.notes] == ["SELLS_UNFILLED"]
    assert second.notes == ()


def test_a12_a_gate_that_closes_between_two_orders_stops_the_second(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    gate = TradingGate(house.store, house.clock)

    class _HaltsAfterFirst:
        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def submit(self, order: OrderRequest) -> Submission:
            answer = house.broker.submit(order)
            gate.set(GateMode.HALTED, who="operator", why="looks odd")
            return answer

    house.with_parts(broker=_HaltsAfterFirst())
    report = house.run()

    assert len(report.orders) == 1
    assert [s.code for s in report.skipped].count(ReasonCode.GATE_CLOSED) == 2
    assert house.ledger() == house.holdings()
    halted = house.run(TUESDAY)
    assert (halted.outcome, halted.code) == (Outcome.BLOCKED, ReasonCode.GATE_CLOSED)


def test_a13_one_missing_quote_means_no_order_at_all(tmp_path: Path) -> None:
    house = House(
        tmp_path, always(INVESTED), faults=[FaultSwitch(Fault.QUOTE_MISSING, symbol="SIM_C")]
    )
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.PRICE_MISSING)
    assert "SIM_C" in report.reason
    assert report.orders == ()
    assert booked(house) == []

    house.faults = []
    house.restart()
    assert house.run().outcome is Outcome.TRADED  # the slot was not consumed
