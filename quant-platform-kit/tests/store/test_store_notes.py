"""What an adapter keeps beside the platform's memory, in PostgreSQL, from another process."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing

import pytest

from quant_platform_kit.errors import ReasonCode, TransientError
from quant_platform_kit.store import Store, StoredNotes

NAME = "schwab_notes_paper"


@pytest.fixture
def notes(postgresql: str) -> Iterator[StoredNotes]:
    with_tables = Store.connect(postgresql, NAME)
    with_tables.clear()
    with_tables.close()
    with closing(StoredNotes(postgresql, NAME)) as notes:
        yield notes


def test_lines_come_back_in_order_also_in_another_process(notes: StoredNotes) -> None:
    notes.append("first")
    (number, line), *_ = notes.lines_after(0)
    assert line == "first"
    with closing(pickle.loads(pickle.dumps(notes))) as elsewhere:  # noqa: S301 (our own)
        elsewhere.append("second")
        assert [text for _, text in notes.lines_after(0)] == ["first", "second"]
        assert [text for _, text in notes.lines_after(number)] == ["second"]
        assert elsewhere.lines_after(number + 1) == []


def test_a_dry_run_reads_notes_and_writes_none(notes: StoredNotes, postgresql: str) -> None:
    notes.append("kept")
    with closing(StoredNotes(postgresql, NAME, read_only=True)) as rehearsal:
        assert [text for _, text in rehearsal.lines_after(0)] == ["kept"]
        with pytest.raises(TransientError) as raised:
            rehearsal.append("refused")
    assert raised.value.code is ReasonCode.STORE_UNAVAILABLE
    assert [text for _, text in notes.lines_after(0)] == ["kept"]


def test_a_database_that_is_gone_keeps_the_address_to_itself() -> None:
    password = "hush" + "-hush"
    notes = StoredNotes(f"postgresql+psycopg://desk:{password}@127.0.0.1:9/desk", NAME)
    for call in (lambda: notes.lines_after(0), lambda: notes.append("line")):
        with pytest.raises(TransientError) as raised:
            call()
        assert password not in f"{raised.value} {notes!r}"
