"""Acceptance cards about what is remembered, and when a run is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from quant_platform_kit.contracts import CycleRequest, Decision, ExecutionMode, Outcome
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import SimulatedClock, xnys
from quant_platform_kit.risk import GateMode, TradingGate
from tests.house import MONDAY, TUESDAY, House, always, by_session

if TYPE_CHECKING:
    import pytest

INVESTED = Decision.weights({"SIM_A": 0.5, "SIM_B": 0.5})
WEDNESDAY = date(2020, 3, 4)
SUNDAY = date(2020, 3, 8)


def test_a_difference_in_a_managed_symbol_locks_it_and_agreement_unlocks_it(
    tmp_path: Path,
) -> None:
    sold = Decision.weights({"SIM_C": 0.4})
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: sold, WEDNESDAY: sold}))
    house.run(MONDAY)
    house.sell_by_hand("SIM_A", 7)

    report = house.run(TUESDAY)

    assert any(note.startswith("QUANTITY_MISMATCH: SIM_A") for note in report.notes)
    assert [s.symbol for s in report.skipped if s.code is ReasonCode.QUANTITY_MISMATCH] == ["SIM_A"]
    assert {order.symbol for order in report.orders} == {"SIM_B", "SIM_C"}

    house.buy_by_hand("SIM_A", 7)
    assert {order.symbol for order in house.run(WEDNESDAY).orders} >= {"SIM_A"}
    assert house.ledger() == house.holdings()


def test_live_mode_refuses_a_simulated_broker(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), mode=ExecutionMode.LIVE)
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.LIVE_NEEDS_BROKER)
    assert house.holdings() == {}


def test_a_day_without_a_session_is_no_action_and_does_not_consume_the_slot(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    first = house.result(CycleRequest("close", SUNDAY))
    second = house.result(CycleRequest("close", SUNDAY))
    assert (first.report.outcome, first.report.code) == (
        Outcome.NO_ACTION,
        ReasonCode.MARKET_CLOSED,
    )
    assert not second.repeated


def test_a19_a_run_after_an_early_close_does_not_trade(tmp_path: Path) -> None:
    thanksgiving_friday = date(2019, 11, 29)
    house = House(tmp_path, always(INVESTED))
    # The usual 15:45 in New York; that day's session ended at 13:00.
    clock = SimulatedClock(xnys().session_close(date(2019, 11, 27)).replace(day=29, minute=45))
    house.with_parts(clock=clock, replay=None)
    report = house.result(CycleRequest("close", thanksgiving_friday)).report
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.OUTSIDE_WINDOW)


def test_a_session_that_is_not_the_clocks_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    house.with_parts(replay=None)
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.SESSION_MISMATCH)


def test_a_halted_gate_blocks_the_run_until_an_operator_resumes(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    gate = TradingGate(house.store, house.clock)
    gate.set(GateMode.HALTED, who="operator", why="earnings")
    halted = house.run()
    assert (halted.outcome, halted.code) == (Outcome.BLOCKED, ReasonCode.GATE_CLOSED)
    assert "earnings" in halted.reason

    gate.set(GateMode.ACTIVE, who="operator", why="done")
    assert house.run().outcome is Outcome.TRADED


def test_a_reducing_gate_lets_only_sales_through(tmp_path: Path) -> None:
    rotated = Decision.weights({"SIM_C": 1.0})
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: rotated}))
    house.run(MONDAY)
    TradingGate(house.store, house.clock).set(GateMode.REDUCING, who="operator", why="smaller")
    report = house.run(TUESDAY)
    assert {order.symbol for order in report.orders} == {"SIM_A", "SIM_B"}
    assert house.holdings() == {}


def test_a_dead_channel_never_stops_a_trade_and_its_message_waits(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), notify_urls=("json://127.0.0.1:9/",))
    report = house.run()
    assert report.outcome is Outcome.TRADED
    result = house.parts.outbox.deliver()
    assert (result.sent, result.failed) == (0, 1)


def test_the_cash_floor_is_never_spent(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    house.with_parts(policy=replace(house.policy, cash_floor_usd=Decimal(4_000)))
    report = house.run()
    assert report.capital_base_usd == Decimal(6_000)
    assert report.cash_usd is not None
    assert report.cash_usd >= 4_000


def test_a_defect_in_a_part_becomes_a_failed_slot_without_its_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = "abc" + "123"  # a traceback quotes the source, which must not hold it whole

    class _Broken:
        def __getattr__(self, name: str) -> object:
            if name == "positions":
                raise ValueError(token)
            return getattr(house.broker, name)

    house = House(tmp_path, always(INVESTED))
    house.with_parts(broker=_Broken())
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.FAILED, ReasonCode.UNEXPECTED)
    assert report.reason == "ValueError"
    assert "positions" in caplog.text
    assert token not in caplog.text


def test_the_same_house_writes_the_same_report(tmp_path: Path) -> None:
    first = House(tmp_path / "1", always(INVESTED)).run()
    second = House(tmp_path / "2", always(INVESTED)).run()
    assert first == second
