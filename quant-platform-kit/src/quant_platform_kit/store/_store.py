"""One database of one account and mode: opening, transactions, and a dry run's scratch copy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, Table, insert, select
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

from quant_platform_kit.errors import ReasonCode, RefuseRun, StopAndTell, TransientError
from quant_platform_kit.store import _postgresql, _schema, _sqlite
from quant_platform_kit.store._tables import (
    bias,
    cash,
    daily,
    fills,
    gate,
    holdings,
    locks,
    metadata,
    movements,
    orders,
    pauses,
    peaks,
    protections,
    runs,
    transactions,
)

# What a dry run starts from: what is held, what may still be working, and whether trading is on.
_SEED: tuple[Table, ...] = (
    runs,
    orders,
    fills,
    holdings,
    cash,
    movements,
    transactions,
    daily,
    locks,
    gate,
    pauses,
    bias,
    peaks,
    protections,
)

_DEFECTS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
"""What a database raises at a statement that is wrong; anything else is a fault of its own."""


class Store:
    """The platform's memory of one account in one mode; every commit is kept before it returns.

    A file of SQLite (`open`) or a schema of a PostgreSQL database (`connect`). Both hold the same
    tables and refuse the same rows.

    Parameters
    ----------
    engine : Engine
        An SQLAlchemy engine whose tables exist.
    name : str
        What messages call the store: the file's or the schema's name.
    path : Path, optional
        The file; None for PostgreSQL.
    read_only : bool
        Whether the engine refuses to write.
    """

    def __init__(
        self, engine: Engine, name: str, *, path: Path | None = None, read_only: bool = False
    ) -> None:
        self.engine = engine
        self.name = name
        self.path = path
        self.read_only = read_only
        self._bound = threading.local()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the store in the file `path`; unless `read_only`, create it or bring it up to date.

        Raises
        ------
        TransientError
            When the file cannot be opened; nothing was sent to the broker.
        RefuseRun
            ``STORE_NEWER``, when a newer version of the platform wrote it.
        """
        try:
            engine = _sqlite.engine(path, read_only=read_only)
        except OSError as error:
            raise _unopenable(path.name, error.strerror or type(error).__name__) from error
        store = cls(engine, path.name, path=path, read_only=read_only)
        store._prepare()
        return store

    @classmethod
    def connect(cls, url: str, name: str, *, read_only: bool = False) -> Self:
        """Open the store in the schema `name` of a PostgreSQL database.

        Parameters
        ----------
        url : str
            Address with user and password; no message repeats it.
        name : str
            Lower-case letters, digits and underscores.

        Raises
        ------
        SettingsError
            When the address cannot be read or the driver is not installed.
        TransientError, RefuseRun
            As `open`.
        """
        store = cls(_postgresql.engine(url, name, read_only=read_only), name, read_only=read_only)
        store._prepare()
        return store

    @classmethod
    def exists(cls, url: str, name: str) -> bool:
        """Tell whether the database has a schema `name`.

        Raises
        ------
        SettingsError, TransientError
            As `connect`.
        """
        store = cls(_postgresql.engine(url, name, read_only=True), name, read_only=True)
        try:
            with store.engine.begin() as connection:
                return _postgresql.has_schema(connection, name)
        except DBAPIError as error:
            raise _unopenable(name, _postgresql.cause(error)) from None
        finally:
            store.close()

    def _prepare(self) -> None:
        try:
            with self._preparing() as connection:
                if self.read_only:
                    _schema.require_current(connection, self.name)
                else:
                    _schema.upgrade(connection, self.name)
        except DBAPIError as error:
            self.engine.dispose()
            raise _unopenable(self.name, self._cause(error)) from None
        except RefuseRun:
            self.engine.dispose()
            raise

    @contextmanager
    def _preparing(self) -> Iterator[Connection]:
        """Open a transaction in which nobody else prepares the store."""
        with self.engine.connect() as connection:
            if self.path is None:
                # Who waited for another one's migrations must see them.
                connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                if self.path is None and not self.read_only:
                    _postgresql.make_schema(connection, self.name)
                yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction: committed on a normal exit, undone on an exception.

        While a lease is held, on the session that holds it: what lost its lease cannot write.

        Raises
        ------
        StopAndTell
            ``STORE_UNAVAILABLE``, when the database fails; nothing of the transaction is kept.
        """
        bound: Connection | None = getattr(self._bound, "connection", None)
        if bound is not None and bound.invalidated:
            raise self._failed("the session that held the account's lease was lost")
        try:
            if bound is None:
                with self.engine.begin() as connection:
                    yield connection
            else:
                with bound.begin():
                    yield bound
        except _DEFECTS:
            raise
        except DBAPIError as error:
            raise self._failed(self._cause(error)) from None

    @contextmanager
    def bound_to(self, connection: Connection) -> Iterator[None]:
        """Make every transaction of this thread use `connection` for the block."""
        self._bound.connection = connection
        try:
            yield
        finally:
            self._bound.connection = None

    def clear(self) -> None:
        """Forget everything; only a dry run's scratch store is ever cleared."""
        with self.begin() as mine:
            for table in reversed(metadata.sorted_tables):
                mine.execute(table.delete())

    def seed_from(self, other: Store) -> None:
        """Take over what `other` knows of the account; reads `other` only."""
        with self.begin() as mine, other.begin() as theirs:
            for table in _SEED:
                rows = [dict(row) for row in theirs.execute(select(table)).mappings()]
                if rows:
                    mine.execute(insert(table), rows)

    def close(self) -> None:
        """Release every connection."""
        self.engine.dispose()

    def _failed(self, cause: str) -> StopAndTell:
        return StopAndTell(
            f"The store {self.name} failed ({cause}). What it committed before stands, and no "
            "order was sent without its row. Check the store's disk or database, then run again: "
            "the next run first looks up every unfinished order at the broker.",
            code=ReasonCode.STORE_UNAVAILABLE,
        )

    def _cause(self, error: DBAPIError) -> str:
        # PostgreSQL's own words name hosts and users, which belong to the address.
        return _postgresql.cause(error) if self.path is None else str(error.orig)


def _unopenable(name: str, cause: str) -> TransientError:
    return TransientError(
        f"The store {name} cannot be opened ({cause}); no order was sent. "
        "Check that the state folder or the database exists, is writable and has space.",
        code=ReasonCode.STORE_UNAVAILABLE,
    )
