"""The evidence: appended once, in the order of events, and no byte of it changes unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, text

from quant_platform_kit.contracts import ChainBreak, EvidenceKind, Fact
from quant_platform_kit.store import (
    Chain,
    Evidence,
    Store,
    attest,
    attest_once,
    evidence,
    evidence_head,
)

RUN = "ibkr-1:2020-03-31:close"
COLUMNS = [column.name for column in evidence.c]
KINDS = list(EvidenceKind)


def facts(count: int, *, first: int = 0) -> list[Fact]:
    return [
        Fact(KINDS[number % len(KINDS)], f"key {number}", {"n": number, "why": "测试"})
        for number in range(first, first + count)
    ]


def write(store: Store, written: list[Fact], run_key: str = RUN) -> None:
    with store.begin() as connection:
        attest(connection, run_key, written)


@pytest.fixture(scope="module")
def chain(shared_store: Store) -> Iterator[Store]:
    """Return a store with five facts, written in two transactions."""
    shared_store.clear()
    write(shared_store, facts(2))
    write(shared_store, facts(3, first=2))
    yield shared_store
    shared_store.clear()


def test_an_empty_chain_and_a_whole_one_verify(chain: Store, tmp_path: Path) -> None:
    assert Evidence(chain).verify() is None
    assert Evidence(Store.open(tmp_path / "empty.sqlite3")).verify() is None
    assert Evidence(Store.open(tmp_path / "empty.sqlite3")).head() == ""


def test_facts_are_read_in_the_order_they_were_kept(chain: Store) -> None:
    found = Evidence(chain).of_order("none", RUN)
    assert [entry.seq for entry in found] == [1, 2, 3, 4, 5]
    assert [entry.key for entry in found] == [f"key {n}" for n in range(5)]
    assert found[4].payload == '{"n":4,"why":"测试"}'
    assert Evidence(chain).of_order("key 3", "no run") == (found[3],)
    assert Evidence(chain).of_order("key 3", RUN, before=3) == found[:2]
    assert Evidence(chain).head() == found[4].sha256


def _stored(connection: Connection, column: str, seq: int) -> str:
    found = connection.scalar(
        text(f"SELECT {column} FROM evidence WHERE seq = :seq"),  # noqa: S608 (a column of ours)
        {"seq": seq},
    )
    return str(found)


@contextmanager
def undone(store: Store) -> Iterator[Connection]:
    """Open a transaction of which nothing is kept."""
    with store.engine.connect() as connection:
        yield connection
        connection.rollback()


@given(st.data())
def test_one_changed_byte_in_any_column_of_any_row_is_found(
    chain: Store, data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from([name for name in COLUMNS if name != "seq"]))
    seq = data.draw(st.integers(1, 5))
    with undone(chain) as connection:
        changed = bytearray(_stored(connection, column, seq).encode())
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] ^= data.draw(st.integers(1, 127))
        _put(connection, column, seq, bytes(changed))
        found = _verify(connection)
        assert found is not None
        assert found.seq == seq
    assert Evidence(chain).verify() is None


def _put(connection: Connection, column: str, seq: int, changed: bytes) -> None:
    """Write bytes as SQLite would take them from a damaged file; PostgreSQL takes text alone."""
    if connection.dialect.name == "sqlite":
        value, expression = changed, "CAST(:value AS TEXT)"
    else:
        value, expression = changed.decode(errors="replace").replace("\0", "?"), ":value"  # type: ignore[assignment]  # text
    statement = f"UPDATE evidence SET {column} = {expression} WHERE seq = :seq"  # noqa: S608 (a column of ours)
    connection.execute(text(statement), {"value": value, "seq": seq})


def _verify(connection: Connection, head: str = "") -> ChainBreak | None:
    return Chain(evidence).verify(connection, head)


@pytest.mark.parametrize("seq", [1, 2, 3, 4])
def test_a_row_taken_out_before_the_last_is_found(chain: Store, seq: int) -> None:
    with undone(chain) as connection:
        connection.execute(delete(evidence).where(evidence.c.seq == seq))
        missing = f"missing: the next entry there is has number {seq + 1}"
        assert _verify(connection) == ChainBreak(seq, missing)


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_row_that_changed_its_number_is_found(chain: Store, seq: int) -> None:
    with undone(chain) as connection:
        connection.execute(text("UPDATE evidence SET seq = 9 WHERE seq = :seq"), {"seq": seq})
        found = _verify(connection)
        assert found is not None
        assert found.seq == seq


def test_a_row_put_in_by_hand_is_found(chain: Store) -> None:
    with undone(chain) as connection:
        last = connection.execute(select(evidence).where(evidence.c.seq == 5)).mappings().one()
        forged = dict(last) | {"seq": 6, "sha256": "f" * 64}
        connection.execute(insert(evidence).values(forged))
        assert _verify(connection) == ChainBreak(6, "does not follow the entry before it")


def test_a_tail_that_was_cut_off_is_found_by_the_hash_that_somebody_kept(chain: Store) -> None:
    head = Evidence(chain).head()
    with undone(chain) as connection:
        connection.execute(delete(evidence).where(evidence.c.seq >= 4))
        assert _verify(connection) is None
        broken = _verify(connection, head)
        assert broken == ChainBreak(4, f"missing: no entry's hash begins with {head}")
    assert Evidence(chain).verify(head) is None
    assert Evidence(chain).verify(head[:12]) is None


def test_an_older_hash_still_holds_when_the_chain_has_grown(chain: Store) -> None:
    for entry in Evidence(chain).of_order("", RUN):
        assert Evidence(chain).verify(entry.sha256) is None


def test_the_same_chain_written_again_has_the_same_hashes(tmp_path: Path) -> None:
    heads = set()
    for number in range(2):
        store = Store.open(tmp_path / f"{number}.sqlite3")
        write(store, facts(4))
        heads.add(Evidence(store).head())
        store.close()
    assert len(heads) == 1


@given(st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=5))
def test_a_fact_that_is_there_is_not_repeated(chain: Store, batches: list[list[int]]) -> None:
    with undone(chain) as connection:
        for numbers in batches:
            attest_once(connection, "run", [fact for n in numbers for fact in facts(1, first=n)])
        kept = connection.scalars(
            select(evidence.c.key).where(evidence.c.run_key == "run").order_by(evidence.c.seq)
        ).all()
        assert kept == list(dict.fromkeys(f"key {n}" for numbers in batches for n in numbers))
        assert _verify(connection) is None


def test_the_same_fact_of_another_run_and_another_fact_of_the_same_key_are_kept(
    chain: Store,
) -> None:
    with undone(chain) as connection:
        before = evidence_head(connection)
        attest_once(connection, RUN, facts(5))
        assert evidence_head(connection) == before
        attest_once(connection, "another run", facts(1))
        attest_once(connection, RUN, [Fact(KINDS[0], "key 0", {"n": "another"})])
        assert _verify(connection) is None
        assert connection.scalars(select(evidence.c.seq).order_by(evidence.c.seq)).all() == [
            1,
            2,
            3,
            4,
            5,
            6,
            7,
        ]
