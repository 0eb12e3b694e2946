"""SQLite: one file, every commit on disk before it returns, one writer at a time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

_WAIT_SECS: Final = 10
_TRIES_A_SEC: Final = 100


def engine(path: Path, *, read_only: bool) -> Engine:
    """Return an engine on the file `path`; its folder is made unless `read_only`.

    Raises
    ------
    OSError
        When the folder cannot be made.
    """
    made = create_engine(_url(path, read_only=read_only), connect_args={"timeout": _WAIT_SECS})
    if read_only:
        event.listen(made, "connect", _plain)
        event.listen(made, "begin", _begin_reading)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        event.listen(made, "connect", _durable)
        event.listen(made, "begin", _begin_writing)
    return made


def _url(path: Path, *, read_only: bool) -> URL:
    # SQLite reads the name as a URI: a '?', '#' or '%' of the path must not be taken for its parts.
    mode = "ro" if read_only else "rwc"
    return URL.create(
        "sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"}
    )


def _plain(connection: object, _record: object) -> None:
    # Python's driver would begin on its own, too late for a read, and never for a new table.
    connection.isolation_level = None  # type: ignore[attr-defined]  # the DBAPI has no shared type


def _durable(connection: object, record: object) -> None:
    _plain(connection, record)
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the DBAPI has no shared type
    _use_a_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_a_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    # The one statement that does not wait for a lock by itself: of several processes that open a
    # new file, one changes its mode and the others are turned away meanwhile.
    for _ in range(_WAIT_SECS * _TRIES_A_SEC):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            time.sleep(1 / _TRIES_A_SEC)
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")


def _begin_writing(connection: Connection) -> None:
    # A transaction that reads first and writes later must not find that others wrote meanwhile.
    # Said to the driver itself: the way through the engine costs as much as an order's row.
    try:
        connection.connection.driver_connection.execute("BEGIN IMMEDIATE")  # type: ignore[union-attr]
    except sqlite3.Error as error:
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
