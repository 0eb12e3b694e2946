"""Every execution counts once: late, early, twice, after a restart, or after its order's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_platform_kit.brokers import Fault, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    BrokerOrder,
    Decision,
    Fill,
    OrderRequest,
    OrderStatus,
    Outcome,
    Submission,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.orders import Journal
from tests.house import FREE, MONDAY, TUESDAY, House, always, by_session

HALF_A = Decision.weights({"SIM_A": 0.5})
KEEP = Decision.hold("nothing new")


def _agrees(house: House) -> bool:
    cash = sum(Ledger(house.store).cash().values())
    return house.ledger() == house.holdings() and cash == house.broker.account().cash_usd


def test_a_late_fill_is_waited_for_and_counted_once(tmp_path: Path) -> None:
    late = FaultSwitch(Fault.LATE_FILL, delay_secs=12)
    house = House(tmp_path, always(HALF_A), rules=FREE, faults=[late])
    report = house.run()
    assert [(o.status, o.filled_quantity) for o in report.orders] == [(OrderStatus.FILLED, 50)]
    assert _agrees(house)


def test_a_fill_while_its_cancel_is_on_the_way_is_counted(tmp_path: Path) -> None:
    house = House(
        tmp_path, always(HALF_A), rules=FREE, faults=[FaultSwitch(Fault.LATE_FILL, delay_secs=31)]
    )

    class _SlowToCancel:
        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def cancel(self, broker_order_id: str) -> None:
            house.clock.sleep(5)  # and meanwhile it fills
            house.broker.cancel(broker_order_id)

    house.with_parts(broker=_SlowToCancel())
    report = house.run()
    assert [(o.status, o.filled_quantity) for o in report.orders] == [(OrderStatus.FILLED, 50)]
    assert _agrees(house)


def test_a_fill_before_its_acknowledgement_is_counted_once(tmp_path: Path) -> None:
    house = House(tmp_path, always(HALF_A), rules=FREE)

    class _StatusBehind:
        """Executions are there at once; the order says so on the third question."""

        asked = 0

        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def find_order(self, client_id: str) -> BrokerOrder | None:
            order = house.broker.find_order(client_id)
            self.asked += 1
            if order is None or self.asked > 2:
                return order
            return replace(order, status=OrderStatus.SUBMITTED, filled_quantity=Decimal(0))

    house.with_parts(broker=_StatusBehind())
    report = house.run()
    assert [(o.status, o.filled_quantity) for o in report.orders] == [(OrderStatus.FILLED, 50)]
    assert _agrees(house)


def test_a_fill_after_a_restart_is_counted_once(tmp_path: Path) -> None:
    class _Killed(BaseException):
        pass

    late = FaultSwitch(Fault.LATE_FILL, delay_secs=5)
    house = House(tmp_path, always(HALF_A), rules=FREE, faults=[late])

    class _Dies:
        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def submit(self, order: OrderRequest) -> Submission:
            house.broker.submit(order)
            raise _Killed

    house.with_parts(broker=_Dies())
    with pytest.raises(_Killed):
        house.run()
    house.restart()
    house.clock.sleep(60)
    report = house.run()
    assert (report.outcome, report.attempt) == (Outcome.TRADED, 2)
    assert [(o.status, o.filled_quantity) for o in report.orders] == [(OrderStatus.FILLED, 50)]
    assert _agrees(house)


class _RememberedFills:
    """Hides one order's executions and says that it was cancelled, until it is told to stop."""

    def __init__(self, inner: SimulatedBroker) -> None:
        self.inner = inner
        self.hides = True

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def find_order(self, client_id: str) -> BrokerOrder | None:
        order = self.inner.find_order(client_id)
        if order is None or not self.hides:
            return order
        return replace(order, status=OrderStatus.CANCELLED, filled_quantity=Decimal(0))

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        return () if self.hides else self.inner.fills_since(instant)


def test_an_execution_that_turns_up_after_its_orders_end_is_booked_by_the_next_run(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), rules=FREE)
    forgetful = _RememberedFills(house.broker)
    house.with_parts(broker=forgetful)
    first = house.run(MONDAY)
    assert (first.outcome, first.code) == (Outcome.FAILED, ReasonCode.QUANTITY_MISMATCH)
    assert house.ledger() == {}

    forgetful.hides = False
    second = house.run(TUESDAY)

    assert (second.outcome, second.code) == (Outcome.NO_ACTION, ReasonCode.HOLD)
    assert house.ledger() == {"SIM_A": Decimal(50)}
    (order,) = Journal(house.store, house.clock).of_run(first.run_key)
    assert order.status is OrderStatus.CANCELLED  # an end is never left
    assert _agrees(house)


def test_more_shares_than_were_ordered_are_booked_and_stop_the_run(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), rules=FREE)
    first = house.run(MONDAY)

    class _Generous:
        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            fills = house.broker.fills_since(instant)
            return (*fills, replace(fills[0], fill_id="one too many", quantity=Decimal(3)))

    house.with_parts(broker=_Generous())
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.FAILED, ReasonCode.BROKER_ANSWER)
    (order,) = first.orders
    assert order.client_id in report.reason
    assert "53 SIM_A" in report.reason
    assert house.ledger() == {"SIM_A": Decimal(53)}  # none is lost


# ── Any order and repetition of what a broker tells ────────────────────────────────────


class _Gossip:
    """Tells of an order that filled in parts: stale states, executions late, twice and shuffled.

    Whatever `script` says, it tells the truth in the end.
    """

    def __init__(self, inner: SimulatedBroker, script: Sequence[tuple[int, int]]) -> None:
        self._inner = inner
        self._script = list(script)
        self._now = (0, 0)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def find_order(self, client_id: str) -> BrokerOrder | None:
        order = self._inner.find_order(client_id)
        if order is None or not self._script:
            self._now = (3, 3)
            return order
        self._now = self._script.pop(0)
        states = (OrderStatus.SUBMITTED, OrderStatus.PARTIAL, OrderStatus.PARTIAL, order.status)
        filled = order.filled_quantity * self._now[0] // 3
        return replace(order, status=states[self._now[0]], filled_quantity=filled)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        told: list[Fill] = []
        for fill in self._inner.fills_since(instant):
            third = fill.quantity // 3
            parts = (third, third, fill.quantity - 2 * third)
            told += [
                replace(fill, fill_id=f"{fill.fill_id}/{n}", quantity=part)
                for n, part in enumerate(parts)
            ][: self._now[1]]
        return (*reversed(told), *told)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_whatever_a_broker_tells_in_between_every_share_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[int, int]]
) -> None:
    house = House(tmp_path_factory.mktemp("gossip"), always(HALF_A), rules=FREE)
    house.with_parts(broker=_Gossip(house.broker, script))
    report = house.run()
    assert [(o.status, o.filled_quantity) for o in report.orders] == [(OrderStatus.FILLED, 50)]
    assert _agrees(house)
