"""The trading gate: kept, read anew each time, and closed when it cannot be read. Card A16."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from quant_platform_kit import risk as room
from quant_platform_kit.contracts import Side
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import PLATFORM, Action, GateMode, GateState, TradingGate, entries
from quant_platform_kit.store import Store, gate

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def trading(store: Store, clock: SimulatedClock) -> TradingGate:
    return TradingGate(store, clock)


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    def rank(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert room.__all__ == sorted(room.__all__, key=rank)
    assert all(hasattr(room, name) for name in room.__all__)


MATRIX = {
    GateMode.ACTIVE: {*Action},
    GateMode.REDUCING: {
        Action.REDUCE,
        Action.CLOSE,
        Action.CANCEL,
        Action.RECONCILE,
        Action.QUERY,
    },
    GateMode.HALTED: {Action.CLOSE, Action.CANCEL, Action.RECONCILE, Action.QUERY},
}


@pytest.mark.parametrize("mode", GateMode)
@pytest.mark.parametrize("action", Action)
def test_each_mode_permits_what_the_matrix_says(mode: GateMode, action: Action) -> None:
    assert GateState(mode).permits(action) is (action in MATRIX[mode])


def test_a_purchase_opens_and_a_sale_reduces() -> None:
    assert (Action.of(Side.BUY), Action.of(Side.SELL)) == (Action.OPEN, Action.REDUCE)


def test_a_gate_that_was_never_set_is_open(trading: TradingGate) -> None:
    assert trading.state() == GateState(GateMode.ACTIVE)


def test_the_gate_remembers_who_set_it_why_and_when(trading: TradingGate) -> None:
    trading.set(GateMode.HALTED, who="operator", why="earnings")
    trading.set(GateMode.REDUCING, who="desk", why="smaller")
    assert trading.state() == GateState(GateMode.REDUCING, "desk", "smaller", NOW)


def test_another_process_sees_the_gate_at_once(
    trading: TradingGate, open_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    other = TradingGate(open_store(tmp_path), SimulatedClock(NOW))
    assert other.state().mode is GateMode.ACTIVE
    trading.set(GateMode.HALTED, who="operator", why="earnings")
    assert other.state().mode is GateMode.HALTED


def test_an_unreadable_gate_is_closed(trading: TradingGate, store: Store) -> None:
    trading.set(GateMode.ACTIVE, who="operator", why="done")
    with store.begin() as connection:
        connection.execute(update(gate).values(mode="ACTVE"))
    state = trading.state()
    assert state.mode is GateMode.HALTED
    assert "ACTVE" in state.why


def test_an_override_counts_until_its_end_and_then_lapses_into_active(
    trading: TradingGate, clock: SimulatedClock
) -> None:
    trading.set(GateMode.REDUCING, who="operator", why="lunch", until=NOW + HOUR)
    clock.advance_to(NOW + HOUR - timedelta(microseconds=1))
    assert trading.state() == GateState(GateMode.REDUCING, "operator", "lunch", NOW, NOW + HOUR)

    clock.advance_to(NOW + HOUR)
    lapsed = trading.state()
    assert (lapsed.mode, lapsed.who, lapsed.since) == (GateMode.ACTIVE, PLATFORM, NOW + HOUR)
    assert lapsed.until is None
    assert lapsed.why == "what operator set (reducing: lunch) has ended"


def test_a_halt_has_no_end(trading: TradingGate) -> None:
    with pytest.raises(ContractError, match="only an operator who resumes"):
        trading.set(GateMode.HALTED, who="operator", why="x", until=NOW + HOUR)
    assert trading.state() == GateState(GateMode.ACTIVE)


def test_a_halt_with_an_end_in_the_store_stays_a_halt(
    trading: TradingGate, store: Store, clock: SimulatedClock
) -> None:
    row = {"name": "trading", "mode": "halted", "who": "x", "why": "", "since": NOW, "until": NOW}
    with store.begin() as connection:
        connection.execute(insert(gate).values(row))
    clock.advance_to(NOW + HOUR)
    assert trading.state().mode is GateMode.HALTED


def test_an_end_must_lie_ahead(trading: TradingGate) -> None:
    with pytest.raises(ContractError, match="an instant to come"):
        trading.set(GateMode.REDUCING, who="operator", why="x", until=NOW)


def test_the_platform_can_halt_and_nothing_else(trading: TradingGate) -> None:
    trading.halt("daily loss")
    assert trading.state() == GateState(GateMode.HALTED, PLATFORM, "daily loss", NOW)
    with pytest.raises(ContractError, match="platform's name"):
        trading.set(GateMode.ACTIVE, who=PLATFORM, why="recovered")
    assert trading.state().mode is GateMode.HALTED


@pytest.mark.parametrize(
    ("who", "why"), [("", "x"), (" ", "x"), ("a" * 65, "x"), ("a\nb", "x"), ("ann", " ")]
)
def test_somebody_must_say_who_and_why(trading: TradingGate, who: str, why: str) -> None:
    with pytest.raises(ContractError, match=r"who = |why is empty"):
        trading.set(GateMode.HALTED, who=who, why=why)
    assert trading.state() == GateState(GateMode.ACTIVE)


def test_every_change_of_the_gate_is_in_the_audit_log(trading: TradingGate, store: Store) -> None:
    trading.set(GateMode.REDUCING, who="a" * 64, why="smaller", until=NOW + HOUR)
    trading.halt("daily loss")
    second, first = entries(store, 9)
    assert (first.seq, first.who, first.action, first.at) == (1, "a" * 64, "reduce", NOW)
    assert first.detail == {"why": "smaller", "until": "2020-03-31T20:30:00+00:00"}
    assert (second.seq, second.who, second.action) == (2, PLATFORM, "halt")
    assert second.detail == {"why": "daily loss", "until": None}

    trading.set(GateMode.ACTIVE, who="ann", why="looked at it")
    assert entries(store, 1)[0].action == "resume"
