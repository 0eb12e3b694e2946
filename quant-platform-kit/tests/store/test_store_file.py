"""The file behind the store: what opens it, what can be written, and what a crash leaves."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from quant_platform_kit import store as room
from quant_platform_kit.errors import ReasonCode, TransientError
from quant_platform_kit.store import Store, gate, holdings, metadata, runs

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
HALTED = {"name": "trading", "mode": "halted", "who": "operator", "why": "looks odd", "since": NOW}


def run_row(run_key: str = "key") -> dict[str, object]:
    return {"run_key": run_key, "attempt": 1, "started_at": NOW, "consumed": False}


def content(folder: Path) -> dict[str, bytes]:
    """Return the documents of a store; ``-shm`` is SQLite's own memory of who reads."""
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")
    }


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    assert room.__all__ == sorted(room.__all__, key=lambda name: (name[0].islower(), name))
    assert all(hasattr(room, name) for name in room.__all__)


def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    first = Store.open(path)
    with first.begin() as connection:
        connection.execute(insert(gate).values(HALTED))
    first.close()
    second = Store.open(path)
    with second.begin() as connection:
        row = dict(connection.execute(select(gate)).mappings().one())
    assert row | HALTED == row
    second.close()


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    def halfway() -> None:
        with store.begin() as connection:
            connection.execute(insert(gate).values(HALTED))
            raise KeyError

    with pytest.raises(KeyError):
        halfway()
    with store.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(gate)) == 0


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_a_commit_is_on_disk_before_it_returns(store: Store, pragma: str, value: str | int) -> None:
    with store.begin() as connection:
        assert connection.scalar(text(f"PRAGMA {pragma}")) == value


def test_an_order_needs_its_run(store: Store) -> None:
    order = {
        "client_id": "qpk-1",
        "run_key": "unknown",
        "number": 0,
        "position": 0,
        "symbol": "SPY",
        "side": "buy",
        "quantity": Decimal(1),
        "status": "submitting",
        "detail": "",
        "leg": "{}",
        "created_at": NOW,
        "updated_at": NOW,
    }
    with pytest.raises(IntegrityError), store.begin() as connection:
        connection.execute(insert(room.orders).values(order))


@pytest.mark.parametrize("folder", ["plain", "two words", "a?b", "a#b", "50%20", "a&b=c", "数据"])
def test_the_store_is_exactly_where_its_path_says(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "paper.sqlite3"
    Store.open(path).close()
    Store.open(path, read_only=True).close()
    assert path.is_file()
    assert [entry.name for entry in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("read_only", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize("obstacle", ["a folder", "a file above", "no database"])
def test_a_store_that_cannot_be_opened_is_a_transient_error(
    tmp_path: Path, obstacle: str, read_only: bool
) -> None:
    path = tmp_path / "paper.sqlite3"
    if obstacle == "a folder":
        path.mkdir()
    elif obstacle == "a file above":
        path.write_text("")
        path /= "paper.sqlite3"
    else:
        path.write_text("this is no database. " * 100)
    with pytest.raises(TransientError, match=r"paper\.sqlite3 cannot be opened") as refused:
        Store.open(path, read_only=read_only)
    assert refused.value.code is ReasonCode.STORE_UNAVAILABLE
    assert str(tmp_path) not in refused.value.message


def test_reading_a_store_that_does_not_exist_creates_nothing(path: Path) -> None:
    with pytest.raises(TransientError):
        Store.open(path, read_only=True)
    assert not path.parent.exists()


def test_a_read_only_store_reads_and_cannot_write(store: Store, path: Path) -> None:
    with store.begin() as connection:
        connection.execute(insert(gate).values(HALTED))
    before = content(path.parent)

    reader = Store.open(path, read_only=True)
    with reader.begin() as connection:
        assert connection.scalar(select(gate.c.mode)) == "halted"
    for change in (insert(runs).values(run_row()), update(gate).values(mode="active")):
        with pytest.raises(OperationalError, match="readonly"), reader.begin() as connection:
            connection.execute(change)
    reader.close()

    assert content(path.parent) == before


def test_reading_what_a_killed_service_left_changes_no_byte(store: Store, tmp_path: Path) -> None:
    with store.begin() as connection:
        connection.execute(insert(gate).values(HALTED))
    # The files of an open store are what a kill leaves: the last commits are in the log alone.
    left = tmp_path / "left"
    shutil.copytree(tmp_path / "state", left, ignore=shutil.ignore_patterns("*-shm"))
    before = content(left)
    assert before["paper.sqlite3-wal"]

    reader = Store.open(left / "paper.sqlite3", read_only=True)
    with reader.begin() as connection:
        assert connection.scalar(select(gate.c.mode)) == "halted"
    reader.close()

    assert content(left) == before


def test_a_scratch_store_takes_over_what_is_known_and_leaves_the_other_alone(
    store: Store, tmp_path: Path
) -> None:
    with store.begin() as connection:
        connection.execute(insert(runs).values(run_row()))
        connection.execute(insert(gate).values(HALTED))
        connection.execute(
            insert(holdings).values(
                sleeve="a", symbol="SPY", quantity=Decimal(3), cost_usd=Decimal(0)
            )
        )
    before = content(tmp_path / "state")

    scratch = Store.open(tmp_path / "scratch.sqlite3")
    scratch.seed_from(store)
    with scratch.begin() as connection:
        assert connection.scalar(select(gate.c.why)) == "looks odd"
        assert connection.scalar(select(holdings.c.symbol)) == "SPY"
        assert connection.scalar(select(runs.c.run_key)) == "key"
    scratch.clear()
    with scratch.begin() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in metadata.sorted_tables
        }
    scratch.close()

    assert set(counts.values()) == {0}
    assert content(tmp_path / "state") == before
