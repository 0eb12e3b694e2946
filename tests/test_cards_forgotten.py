"""A broker that shows today's orders and executions alone, and what became of those before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import SimulatedBroker
from quant_platform_kit.contracts import (
    BrokerOrder,
    Decision,
    Fill,
    OperatorAction,
    OperatorCommand,
    OrderRequest,
    OrderStatus,
    Outcome,
    Submission,
)
from quant_platform_kit.cycle import operate, reconcile_now
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode
from quant_platform_kit.orders import Journal, _execute
from tests.house import FREE, MONDAY, TUESDAY, by_session
from tests.house import House as Home  # on one database: none of this is the database's
from tests.test_cards_corporate_actions import agrees
from tests.test_cards_stops import guarded, moving_market

WEDNESDAY, THURSDAY = date(2020, 3, 4), date(2020, 3, 5)
KEEP = Decision.hold("nothing new")
GUARDED = guarded({"SIM_A": 0.4}, stop=Decimal(5))
BOTH = guarded({"SIM_A": 0.4, "SIM_B": 0.3}, stop=Decimal(5))
SCRIPT = by_session({MONDAY: GUARDED, TUESDAY: KEEP, WEDNESDAY: BOTH, THURSDAY: BOTH})


@dataclass
class OfToday:
    """A broker as TWS is one: yesterday's orders and executions are nowhere to be found."""

    house: Home

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the inner one has)
        return getattr(self.inner, name)

    @property
    def inner(self) -> SimulatedBroker:
        return self.house.broker

    def find_order(self, client_id: str) -> BrokerOrder | None:
        order = self.inner.find_order(client_id)
        if order is None or order in self.inner.open_orders():
            return order
        return order if order.submitted_at >= self._today() else None

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        return self.inner.fills_since(max(instant, self._today()))

    def cancel(self, broker_order_id: str) -> None:
        if broker_order_id not in {order.broker_order_id for order in self.inner.open_orders()}:
            raise BrokerAnswerError("There is no such order today.")
        self.inner.cancel(broker_order_id)

    def _today(self) -> datetime:
        return self.house.clock.now().replace(hour=0, minute=0)


def house_of_today(folder: Path, **paths: list[float]) -> Home:
    house = Home(folder, SCRIPT, moving_market(**paths), rules=FREE)
    house.with_parts(broker=OfToday(house))
    return house


def test_a_stop_that_filled_after_the_day_s_run_blocks_its_symbol_and_nothing_else(
    tmp_path: Path,
) -> None:
    house = house_of_today(tmp_path, SIM_A=[100.0, 90.0])
    house.run(MONDAY)
    house.clock.advance_to(house.parts.calendar.session_close(TUESDAY))
    assert house.holdings() == {}  # sold on Tuesday, when nobody looked
    report = house.run(WEDNESDAY)
    assert report.outcome is Outcome.TRADED
    assert {order.symbol for order in report.orders} == {"SIM_B"}
    assert {s.symbol for s in report.skipped if s.code is ReasonCode.ORDER_UNRESOLVED} == {"SIM_A"}
    assert house.ledger() == house.holdings() | {"SIM_A": Decimal(40)}

    out = OperatorCommand(OperatorAction.CANCEL_ALL, "ann", "to be sure")
    assert operate(house.parts, out).code is ReasonCode.ORDER_UNRESOLVED
    told = reconcile_now(house.parts).unresolved["SIM_A"]
    assert told.endswith("; the broker holds 0, the ledger 40")
    found = reconcile_now(house.parts, frozenset({"SIM_A"}))
    assert [note.split(":")[0] for note in found.notes][:1] == ["ORDER_UNRESOLVED"]
    assert found.unresolved == {}
    assert agrees(house)
    assert {order.symbol for order in house.run(THURSDAY).orders} >= {"SIM_A"}
    assert agrees(house)


def test_a_stop_that_was_taken_off_by_hand_ends_by_what_is_held_and_is_placed_again(
    tmp_path: Path,
) -> None:
    house = house_of_today(tmp_path)
    house.run(MONDAY)
    (stop,) = house.broker.open_orders()
    house.broker.cancel(stop.broker_order_id)
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.HOLD)
    assert [note.split(":")[:2] for note in report.notes] == [["STOP_REMOVED", " SIM_A"]]
    (anew,) = house.broker.open_orders()
    assert (anew.quantity, anew.trigger_price_usd) == (stop.quantity, stop.trigger_price_usd)
    assert agrees(house)


class _Killed(BaseException):
    """The process dies here; nothing of ours may catch it."""


@pytest.mark.parametrize("arrived", [True, False], ids=["which was filled", "which never arrived"])
def test_an_order_of_a_run_that_was_cut_off_yesterday(tmp_path: Path, *, arrived: bool) -> None:
    house = house_of_today(tmp_path)

    class _Dies(OfToday):
        def submit(self, order: OrderRequest) -> Submission:
            if arrived:
                self.inner.submit(order)
            raise _Killed

    house.with_parts(broker=_Dies(house))
    with pytest.raises(_Killed):
        house.run(MONDAY)
    house.restart()
    house.with_parts(broker=OfToday(house))

    report = house.run(TUESDAY)

    assert report.outcome is Outcome.NO_ACTION
    journal = Journal(house.store, house.clock)
    if arrived:  # as much as can be known: nothing is concluded from its absence
        (order,) = journal.unfinished()
        assert (order.symbol, order.status) == ("SIM_A", OrderStatus.UNRESOLVED)
        reconcile_now(house.parts, frozenset({"SIM_A"}))
    assert journal.unfinished() == ()
    assert agrees(house)


def test_an_order_of_today_that_is_not_shown_is_never_taken_for_an_old_one(tmp_path: Path) -> None:
    house = house_of_today(tmp_path)

    class _Blind(OfToday):
        def find_order(self, _client_id: str) -> BrokerOrder | None:
            return None

    house.with_parts(broker=_Blind(house))
    for _ in range(2):
        report = house.run(MONDAY)
        assert (report.outcome, report.code) == (Outcome.FAILED, ReasonCode.BROKER_ANSWER)
        house.clock.sleep(timedelta(minutes=5).total_seconds())
    assert [o.status for o in Journal(house.store, house.clock).unfinished()] == [
        OrderStatus.SUBMITTED
    ]


def test_a_stop_that_has_rested_for_months_is_renewed_while_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = Home(tmp_path, SCRIPT, moving_market(), rules=FREE)
    house.run(MONDAY)
    (old,) = house.broker.open_orders()
    assert house.run(TUESDAY).outcome is Outcome.NO_ACTION
    assert house.broker.open_orders() == (old,)
    monkeypatch.setattr(_execute, "_RESTED_LONG", timedelta(hours=40))
    house.run(WEDNESDAY)
    anew = {order.symbol: order for order in house.broker.open_orders()}["SIM_A"]
    assert anew.broker_order_id != old.broker_order_id
    assert (anew.quantity, anew.trigger_price_usd) == (old.quantity, old.trigger_price_usd)


def test_a_stop_that_has_rested_for_months_and_is_not_shown_is_looked_up_by_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_of_today(tmp_path)
    house.run(MONDAY)
    monkeypatch.setattr(_execute, "_RESTED_LONG", timedelta(hours=20))
    house.with_parts(broker=_Forgetful(house))
    report = house.run(TUESDAY)
    assert [note.split(":")[:2] for note in report.notes] != [["STOP_REMOVED", " SIM_A"]]
    assert len(house.broker.open_orders()) == 1  # which rests all the same, and got no second one
    assert house.run(WEDNESDAY).orders[0].symbol == "SIM_B"
    assert len([o for o in house.broker.open_orders() if o.symbol == "SIM_A"]) == 1


class _Forgetful(OfToday):
    """A broker that does not even show what rests, when it is old."""

    def find_order(self, client_id: str) -> BrokerOrder | None:
        order = super().find_order(client_id)
        return None if order is None or order.submitted_at < self._today() else order

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        return tuple(o for o in self.inner.open_orders() if o.submitted_at >= self._today())
