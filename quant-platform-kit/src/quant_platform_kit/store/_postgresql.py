"""PostgreSQL: a schema of its own for each account and mode, and locks that a session holds."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from quant_platform_kit.errors import SettingsError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CONNECT_SECS: Final = 10
_KNOWN_CAUSES: Final = (
    "connection refused",
    "connection timeout expired",
    "does not exist",
    "no password supplied",
    "password authentication failed",
    "permission denied",
    "read-only transaction",
    "server closed the connection unexpectedly",
    "too many connections",
)


def engine(url: str, name: str, *, read_only: bool) -> Engine:
    """Return an engine that sees the schema `name` alone.

    Raises
    ------
    SettingsError
        When the address cannot be read or the driver is not installed; the address is not shown.
    """
    if _NAME.fullmatch(name) is None:
        raise SettingsError(
            f"{name!r} cannot be a schema of the store: expected lower-case letters, digits and _."
        )
    options = [f"-csearch_path={name}"]
    if read_only:
        options.append("-cdefault_transaction_read_only=on")
    try:
        return create_engine(
            url,
            # A reader sees one state of the book, and a lost update is an error.
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            connect_args={
                "application_name": "qpk",
                "connect_timeout": _CONNECT_SECS,
                "options": " ".join(options),
            },
        )
    except ArgumentError:
        raise SettingsError(
            "QPK_STORE_URL = ***: expected postgresql+psycopg://user:password@host/database."
        ) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            "QPK_STORE_URL names a PostgreSQL database and its driver is not installed: install "
            "quant-platform-kit[postgres]."
        ) from error


def make_schema(connection: Connection, name: str) -> None:
    """Create the schema where it is missing; until the transaction ends nobody else prepares it."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(f"prepare {name}")}
    )
    if not has_schema(connection, name):
        connection.execute(text(f"CREATE SCHEMA {name}"))


def has_schema(connection: Connection, name: str) -> bool:
    """Tell whether the database has a schema `name`."""
    return bool(
        connection.scalar(text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": name})
    )


def lock_key(name: str) -> int:
    """Return the number that stands for `name` among the database's advisory locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def take_lock(connection: Connection, name: str) -> bool:
    """Take the session's lock `name`; False when another session has it."""
    taken = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": lock_key(name)})
    return bool(taken)


def give_lock(connection: Connection, name: str) -> None:
    """Release the session's lock `name`."""
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": lock_key(name)})


def cause(error: DBAPIError) -> str:
    """Return what went wrong without the address: hosts and users are not for messages."""
    words = str(error.orig).lower()
    known = next((known for known in _KNOWN_CAUSES if known in words), None)
    state = getattr(error.orig, "sqlstate", None)
    return known or f"{type(error.orig).__name__}{f' {state}' if state else ''}"
