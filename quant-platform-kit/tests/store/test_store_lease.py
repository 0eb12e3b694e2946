"""One writer per account, across processes, and no lease outlives its holder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from quant_platform_kit.errors import ReasonCode, SlotBusy, StopAndTell, TransientError
from quant_platform_kit.store import AccountLease, RunBook, Store, leases

OpenStore = Callable[[Path], Store]
NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
HOLDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from quant_platform_kit.store import AccountLease, Store

where, name = sys.argv[1:]
store = Store.connect(where, name) if "://" in where else Store.open(Path(where))
with AccountLease(store, "ibkr-1", lambda: datetime(2020, 3, 31, 19, 30, tzinfo=UTC)).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def lease_on(store: Store, account: str = "ibkr-1") -> AccountLease:
    return AccountLease(store, account, lambda: NOW)


def rows(store: Store) -> list[tuple[str, datetime]]:
    with store.begin() as connection:
        found = connection.execute(select(leases.c.account, leases.c.since)).all()
    return [(row.account, row.since) for row in found]


@contextmanager
def another_process_holding(store: Store) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lease until its input ends."""
    where = store.engine.url.render_as_string(hide_password=False)
    place = str(store.path) if store.path else where
    command = [sys.executable, "-c", HOLDER, place, store.name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def eventually(held: Callable[[], bool]) -> None:
    for _ in range(2000):  # the server notices a killed client as soon as it reads from it
        if held():
            return
    pytest.fail("it never came")


def test_a_second_process_is_refused_until_the_first_is_killed(store: Store) -> None:
    lease = lease_on(store)

    def taken() -> bool:
        try:
            with lease.held():
                return True
        except SlotBusy:
            return False

    with another_process_holding(store) as process:
        with pytest.raises(SlotBusy) as refused, lease.held():
            pytest.fail("two processes hold the lease")
        process.kill()  # SIGKILL: it cleans nothing up
        process.wait()
        assert rows(store) == [("ibkr-1", NOW)]  # only the row is left of it
        eventually(taken)
    assert refused.value.code is ReasonCode.LEASE_HELD
    assert f":{process.pid}, since 2020-03-31 19:30:00 UTC" in refused.value.message
    assert rows(store) == []


def test_a_second_run_of_the_same_process_is_refused(store: Store) -> None:
    first, second = lease_on(store), lease_on(store)
    with first.held(), pytest.raises(SlotBusy), second.held():
        pytest.fail("two runs hold the lease")
    with second.held():
        assert rows(store) == [("ibkr-1", NOW)]


def test_a_run_that_fails_gives_the_lease_back(store: Store) -> None:
    lease = lease_on(store)
    with pytest.raises(ZeroDivisionError), lease.held():
        raise ZeroDivisionError
    with lease_on(store).held():
        pass


def test_accounts_do_not_wait_for_each_other(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        lease_on(open_store(tmp_path / "a")).held(),
        lease_on(open_store(tmp_path / "b")).held(),
    ):
        pass


def test_a_lease_that_cannot_be_opened_is_a_transient_error(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "paper.sqlite3")
    (tmp_path / "paper.lock").mkdir()
    lease = lease_on(store)
    with pytest.raises(TransientError, match=r"paper\.lock cannot be") as refused, lease.held():
        pytest.fail("nothing was locked")
    store.close()
    assert refused.value.code is ReasonCode.STORE_UNAVAILABLE


def test_whose_session_is_gone_can_write_no_more(postgresql: str) -> None:
    store = Store.connect(postgresql, "lost_session")
    watcher = Store.connect(postgresql, "lost_session")
    book = RunBook(store)
    with lease_on(store).held():
        book.open("before", NOW)
        with store.begin() as connection:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
        with watcher.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": session})
        for _ in range(2):  # not the second time either, on a fresh session without the lock
            with pytest.raises(StopAndTell) as stopped:
                book.open("after", NOW)
            assert stopped.value.code is ReasonCode.STORE_UNAVAILABLE
        with lease_on(watcher).held():  # somebody else may go on
            RunBook(watcher).open("other", NOW)
    assert [book.frame(key) for key in ("before", "other")] == [None, None]
    with store.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 2
        connection.execute(text("DROP SCHEMA lost_session CASCADE"))
    store.close()
    watcher.close()
