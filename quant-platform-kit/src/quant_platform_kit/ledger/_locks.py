"""Symbols that must not be traded until broker and ledger agree on them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select

from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.store import Store, locks


class Locks:
    """The locks of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, ReasonCode]:
        """Return the locked symbols and why."""
        with self._store.begin() as connection:
            rows = connection.execute(select(locks.c.symbol, locks.c.code))
            return {symbol: ReasonCode(code) for symbol, code in rows}

    def put(self, wrong: Mapping[str, str], code: ReasonCode, at: datetime) -> None:
        """Lock exactly the symbols of `wrong` for `code`; those that agree again are unlocked.

        A lock that stays keeps the instant since when it stands.
        """
        with self._store.begin() as connection:
            standing = set(
                connection.scalars(select(locks.c.symbol).where(locks.c.code == code.value))
            )
            connection.execute(
                delete(locks).where(locks.c.code == code.value, locks.c.symbol.not_in(list(wrong)))
            )
            for symbol, detail in wrong.items():
                if symbol not in standing:
                    connection.execute(
                        insert(locks).values(
                            symbol=symbol, code=code.value, detail=detail, since=at
                        )
                    )
