"""The audit log: in the order of events, whole, and no byte of it changes unnoticed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text

from quant_platform_kit.contracts import ChainBreak
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import GateMode, TradingGate, entries, record, verify
from quant_platform_kit.store import Store, audit, pauses

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)


@pytest.fixture
def three(store: Store, clock: SimulatedClock) -> Store:
    """Return a store with three entries."""
    for number in range(3):
        record(store, "ann", "note", {"n": number, "why": "测试"}, clock)
        clock.advance_to(clock.now() + timedelta(seconds=1))
    return store


def test_an_empty_log_and_a_whole_one_verify(
    three: Store, open_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    assert verify(three) is None
    assert verify(open_store(tmp_path / "empty")) is None


def test_entries_come_newest_first(three: Store) -> None:
    found = entries(three, 2)
    assert [entry.seq for entry in found] == [3, 2]
    assert found[0].detail == {"n": 2, "why": "测试"}
    assert found[1].at == NOW + timedelta(seconds=1)


def _raw(store: Store, column: str) -> str:
    with store.begin() as connection:
        return str(connection.scalar(text(f"SELECT {column} FROM audit WHERE seq = 2")))  # noqa: S608 (a column of ours)


@pytest.mark.parametrize("column", [c.name for c in audit.c if c.name != "seq"])
def test_one_changed_character_anywhere_breaks_the_chain(three: Store, column: str) -> None:
    written = _raw(three, column)
    change = text(f"UPDATE audit SET {column} = :value WHERE seq = 2")  # noqa: S608 (a column of ours)
    for place, character in enumerate(written):
        other = "-" if character == "+" else chr(ord(character) ^ 1)
        with three.begin() as connection:
            changed = written[:place] + other + written[place + 1 :]
            connection.execute(change, {"value": changed})
        found = verify(three)
        assert found is not None, (column, place)
        assert found.seq in {2, 3}
    with three.begin() as connection:
        connection.execute(change, {"value": written})
    assert verify(three) is None


def test_a_missing_entry_is_named(three: Store) -> None:
    with three.begin() as connection:
        connection.execute(delete(audit).where(audit.c.seq == 2))
    assert verify(three) == ChainBreak(2, "missing: the next entry there is has number 3")


def test_an_entry_that_was_put_in_by_hand_is_named(three: Store) -> None:
    with three.begin() as connection:
        last = connection.execute(select(audit).where(audit.c.seq == 3)).mappings().one()
        forged = dict(last) | {"seq": 4, "sha256": "f" * 64}
        connection.execute(insert(audit).values(forged))
    assert verify(three) == ChainBreak(4, "does not follow the entry before it")


def test_a_change_that_fails_leaves_no_entry(store: Store, clock: SimulatedClock) -> None:
    def change(_connection: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record(store, "ann", "note", {}, clock, change=change)
    assert entries(store, 1) == ()


def test_a_change_and_its_entry_are_one_transaction(store: Store, clock: SimulatedClock) -> None:
    row = {"strategy": "s", "who": "ann", "why": "w", "since": NOW}
    with pytest.raises(ContractError):
        record(
            store,
            "",
            "note",
            {},
            clock,
            change=lambda connection: connection.execute(insert(pauses).values(row)),
        )
    with store.begin() as connection:
        assert connection.execute(select(pauses)).all() == []


def test_operators_at_the_same_time_are_put_in_one_chain(store: Store) -> None:
    def write(name: str) -> None:
        trading = TradingGate(store, SimulatedClock(NOW))
        for _ in range(5):
            trading.set(GateMode.REDUCING, who=name, why="both at once")

    operators = [threading.Thread(target=write, args=(name,)) for name in ("ann", "ben")]
    for operator in operators:
        operator.start()
    for operator in operators:
        operator.join()
    assert verify(store) is None
    assert [entry.seq for entry in entries(store, 99)] == list(range(10, 0, -1))
