"""One database of one mode: opening, transactions, and the scratch copy a dry run works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert, select
from sqlalchemy.exc import DatabaseError

from quant_platform_kit.errors import ReasonCode, TransientError
from quant_platform_kit.store._tables import (
    bias,
    cash,
    daily,
    fills,
    gate,
    holdings,
    locks,
    metadata,
    orders,
    pauses,
    peaks,
    runs,
)

# What a dry run starts from: what is held, what may still be working, and whether trading is on.
_SEED: tuple[Table, ...] = (
    runs,
    orders,
    fills,
    holdings,
    cash,
    daily,
    locks,
    gate,
    pauses,
    bias,
    peaks,
)


class Store:
    """The platform's memory: SQLite in one file, every commit on disk before it returns.

    Parameters
    ----------
    engine : Engine
        An SQLAlchemy engine whose tables exist; `Store.open` makes one.
    read_only : bool
        Whether the engine refuses to write.
    """

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        self.engine = engine
        self.read_only = read_only

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the store in `path`, creating file and tables unless `read_only`.

        Raises
        ------
        TransientError
            When the file cannot be opened; nothing was sent to the broker.
        """
        engine = create_engine(_url(path, read_only=read_only), connect_args={"timeout": 10})
        store = cls(engine, read_only=read_only)
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
                event.listen(engine, "connect", _durable)
                metadata.create_all(engine)
            with store.begin() as connection:
                connection.execute(select(gate.c.mode))
        except (DatabaseError, OSError) as error:
            engine.dispose()
            cause = error.orig if isinstance(error, DatabaseError) else error.strerror
            raise TransientError(
                f"The store {path.name} cannot be opened ({cause}); no order was sent. "
                "Check that the state folder exists, is writable and has space.",
                code=ReasonCode.STORE_UNAVAILABLE,
            ) from error
        return store

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction: committed on a normal exit, undone on an exception."""
        with self.engine.begin() as connection:
            yield connection

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


def _url(path: Path, *, read_only: bool) -> URL:
    # SQLite reads the name as a URI: a '?', '#' or '%' of the path must not be taken for its parts.
    mode = "ro" if read_only else "rwc"
    return URL.create(
        "sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"}
    )


def _durable(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the DBAPI has no shared type
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
