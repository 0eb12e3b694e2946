"""One writer per account: a lock that the system releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import DBAPIError

from quant_platform_kit.errors import ReasonCode, SlotBusy, StopAndTell, TransientError
from quant_platform_kit.store import _postgresql
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import leases


class AccountLease:
    """The right to trade one account, held by at most one run on this store.

    On SQLite an advisory lock on a file beside the store, on PostgreSQL one of the session that
    writes: a killed process cannot leave it behind, and no clock decides who holds it. The table
    of leases says who does.

    Parameters
    ----------
    store : Store
    account : str
        Its alias.
    now : callable
        The clock's.
    """

    def __init__(self, store: Store, account: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._account = account
        self._now = now

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease for the block.

        Raises
        ------
        SlotBusy
            At once, when another run holds it.
        TransientError
            When it cannot be asked for; nothing was sent to the broker.
        """
        path = self._store.path
        with self._session() if path is None else self._file(path):
            self._write(self._row())
            try:
                yield
            finally:
                with suppress(StopAndTell):  # the row only tells; the lock is what is given back
                    self._write(None)

    @contextmanager
    def _file(self, store: Path) -> Iterator[None]:
        path = store.with_suffix(".lock")
        try:
            handle = path.open("a")
        except OSError as error:
            raise _unavailable(path.name, error.strerror or type(error).__name__) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._busy() from None
            # One session for the whole run: a row then costs no visit to the pool.
            with self._connected() as connection, self._store.bound_to(connection):
                yield

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Lock a session and let this thread write through it alone: lost lock, lost pen."""
        name = f"{self._store.name} {self._account}"
        with self._connected() as connection:
            with connection.begin():
                taken = _postgresql.take_lock(connection, name)
            if not taken:
                raise self._busy()
            try:
                with self._store.bound_to(connection):
                    yield
            finally:
                with suppress(DBAPIError):  # a session that is gone has given its lock back
                    _give_back(connection, name)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = self._store.engine.connect()
        except DBAPIError as error:
            raise _unavailable(self._store.name, _postgresql.cause(error)) from None
        with connection:
            yield connection

    def _busy(self) -> SlotBusy:
        with self._store.begin() as connection:
            row = connection.execute(
                select(leases.c.holder, leases.c.since).where(leases.c.account == self._account)
            ).one_or_none()
        who = f" ({row.holder}, since {row.since:%Y-%m-%d %H:%M:%S} UTC)" if row else ""
        return SlotBusy(
            f"Another run of this account is in progress{who}; this one did nothing. "
            "Ask again when it has ended: the same slot then answers with its report."
        )

    def _row(self) -> dict[str, object]:
        holder = f"{socket.gethostname()[:128]}:{os.getpid()}"
        return {"account": self._account, "holder": holder, "since": self._now()}

    def _write(self, row: dict[str, object] | None) -> None:
        """Replace the row: of a holder that died, only the row is left."""
        with self._store.begin() as connection:
            connection.execute(delete(leases).where(leases.c.account == self._account))
            if row is not None:
                connection.execute(insert(leases).values(row))


def _give_back(connection: Connection, name: str) -> None:
    if not connection.invalidated:
        with connection.begin():
            _postgresql.give_lock(connection, name)


def _unavailable(name: str, cause: str) -> TransientError:
    return TransientError(
        f"The lease {name} cannot be opened ({cause}); no order was sent. "
        "Check that the state folder or the database exists and is writable.",
        code=ReasonCode.STORE_UNAVAILABLE,
    )
