"""The trading gate: kept, read anew each time, and closed when it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from quant_platform_kit import risk as room
from quant_platform_kit.contracts import Side
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import GateMode, GateState, TradingGate
from quant_platform_kit.store import Store, gate

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "paper.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def trading(store: Store) -> TradingGate:
    return TradingGate(store, SimulatedClock(NOW))


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    assert room.__all__ == sorted(room.__all__, key=lambda name: (name[0].islower(), name))
    assert all(hasattr(room, name) for name in room.__all__)


@pytest.mark.parametrize(
    ("mode", "buys", "sells"),
    [
        (GateMode.ACTIVE, True, True),
        (GateMode.REDUCING, False, True),
        (GateMode.HALTED, False, False),
    ],
)
def test_a_mode_permits_what_its_name_says(mode: GateMode, buys: bool, sells: bool) -> None:
    state = GateState(mode)
    assert (state.permits(Side.BUY), state.permits(Side.SELL)) == (buys, sells)


def test_a_gate_that_was_never_set_is_open(trading: TradingGate) -> None:
    assert trading.state() == GateState(GateMode.ACTIVE)


def test_the_gate_remembers_who_set_it_why_and_when(trading: TradingGate) -> None:
    trading.set(GateMode.HALTED, who="operator", why="earnings")
    trading.set(GateMode.REDUCING, who="desk", why="smaller")
    assert trading.state() == GateState(GateMode.REDUCING, "desk", "smaller", NOW)


def test_another_process_sees_the_gate_at_once(trading: TradingGate, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "paper.sqlite3")
    trading.set(GateMode.HALTED, who="operator", why="earnings")
    assert TradingGate(other, SimulatedClock(NOW)).state().mode is GateMode.HALTED
    other.close()


def test_an_unreadable_gate_is_closed(trading: TradingGate, store: Store) -> None:
    trading.set(GateMode.ACTIVE, who="operator", why="")
    with store.begin() as connection:
        connection.execute(update(gate).values(mode="ACTVE"))
    state = trading.state()
    assert state.mode is GateMode.HALTED
    assert "ACTVE" in state.why
