"""The file behind the store: what opens it, what can be written, and what a crash leaves."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from quant_platform_kit.errors import ReasonCode, StopAndTell, TransientError
from quant_platform_kit.store import Store, gate, runs

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
HALTED = {"name": "trading", "mode": "halted", "who": "operator", "why": "looks odd", "since": NOW}


def run_row(run_key: str = "key") -> dict[str, object]:
    return {"run_key": run_key, "attempt": 1, "started_at": NOW, "consumed": False}


def content(folder: Path) -> dict[str, bytes]:
    """Return the documents of a store; ``-shm`` is SQLite's own memory of who reads."""
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")
    }


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


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_a_commit_is_on_disk_before_it_returns(
    file_store: Store, pragma: str, value: str | int
) -> None:
    with file_store.begin() as connection:
        assert connection.scalar(text(f"PRAGMA {pragma}")) == value


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


def test_a_read_only_store_reads_and_cannot_write(file_store: Store, path: Path) -> None:
    with file_store.begin() as connection:
        connection.execute(insert(gate).values(HALTED))
    before = content(path.parent)

    reader = Store.open(path, read_only=True)
    with reader.begin() as connection:
        assert connection.scalar(select(gate.c.mode)) == "halted"
    for change in (insert(runs).values(run_row()), update(gate).values(mode="active")):
        with (
            pytest.raises(StopAndTell, match="readonly") as refused,
            reader.begin() as connection,
        ):
            connection.execute(change)
        assert refused.value.code is ReasonCode.STORE_UNAVAILABLE
    reader.close()

    assert content(path.parent) == before


def test_reading_what_a_killed_service_left_changes_no_byte(
    file_store: Store, tmp_path: Path
) -> None:
    with file_store.begin() as connection:
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


def test_a_damaged_file_is_a_store_that_failed(path: Path) -> None:
    store = Store.open(path)
    with store.begin() as connection:
        connection.execute(insert(runs), [run_row(f"key {number}") for number in range(500)])
    store.close()
    with path.open("r+b") as file:  # all but what opening it reads
        where = file.read().index(b"key 100")
        file.seek(where // 4096 * 4096)
        file.write(b"\xff" * 4096)
    damaged = Store.open(path)
    with pytest.raises(StopAndTell, match="malformed") as failed, damaged.begin() as connection:
        connection.execute(select(runs)).all()
    assert failed.value.code is ReasonCode.STORE_UNAVAILABLE
    damaged.close()
