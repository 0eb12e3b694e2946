"""Symbols that must not be traded until broker and ledger agree on them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.store import Store, locks


class Locks:
    """The locks of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, ReasonCode]:
        """Return the locked symbols and why."""
        with self._store.begin() as connection:
            rows = connection.execute(select(locks.c.symbol, locks.c.code)).all()
        return {symbol: ReasonCode(code) for symbol, code in sorted(rows)}

    def put(self, wrong: Mapping[str, str], code: ReasonCode, at: datetime) -> None:
        """Lock exactly the symbols of `wrong` for `code`; those that agree again are unlocked.

        A lock that stays keeps the instant since when it stands, and one for another code stays.
        """
        with self._store.begin() as connection:
            put(connection, wrong, code, at)


def standing(connection: Connection) -> frozenset[str]:
    """Return the locked symbols, in the caller's transaction."""
    return frozenset(connection.scalars(select(locks.c.symbol)))


def put(connection: Connection, wrong: Mapping[str, str], code: ReasonCode, at: datetime) -> None:
    """Lock exactly the symbols of `wrong` for `code`, in the caller's transaction."""
    rows = connection.execute(select(locks.c.symbol, locks.c.code))
    standing: dict[str, str] = {symbol: held for symbol, held in rows}  # noqa: C416 (rows are no pairs to mypy)
    connection.execute(
        delete(locks).where(locks.c.code == code.value, locks.c.symbol.not_in(list(wrong)))
    )
    for symbol, detail in wrong.items():
        if symbol not in standing:
            row = {"symbol": symbol, "code": code.value, "detail": detail, "since": at}
            connection.execute(insert(locks).values(row))
        elif standing[symbol] == code.value:
            connection.execute(update(locks).where(locks.c.symbol == symbol).values(detail=detail))
