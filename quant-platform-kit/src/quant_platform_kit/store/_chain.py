"""Rows in a chain of hashes: one that is changed, taken out or put in breaks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    String,
    Table,
    TypeDecorator,
    cast,
    insert,
    select,
    text,
    type_coerce,
)

from quant_platform_kit.contracts import ChainBreak, canonical

_GENESIS: Final = "0" * 64
_OF_THE_CHAIN: Final = frozenset({"seq", "previous_sha256", "sha256"})


class Chain:
    """A table whose rows each carry a hash of their own content and of the row before.

    Every column of the table is hashed, in the table's order, as the text that is stored. The
    entries cut off at the end leave a whole chain: keep a hash elsewhere to see that too.

    Parameters
    ----------
    table : Table
        With the columns `seq`, `previous_sha256` and `sha256`; all others hold text.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._content = tuple(c for c in table.c if c.name not in _OF_THE_CHAIN)
        # Built once: a chain grows in the transactions that trade.
        self._insert = insert(table)
        self._last = select(table.c.seq, table.c.sha256).order_by(table.c.seq.desc()).limit(1)

    def queue(self, connection: Connection) -> None:
        """Let writers who act at once write one after the other; first thing in a transaction.

        Not needed by who holds the account's lease: nobody else writes then.
        """
        if connection.dialect.name == "postgresql":  # on SQLite a transaction is alone anyway
            connection.execute(text(f"LOCK TABLE {self._table.name} IN SHARE ROW EXCLUSIVE MODE"))

    def append(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in the caller's transaction; of two writers at once the table refuses one."""
        last = connection.execute(self._last).first()
        seq, before = (0, _GENESIS) if last is None else (int(last[0]), str(last[1]))
        chained = []
        for row in rows:
            seq += 1
            content = (_bound(column, row[column.name], connection) for column in self._content)
            links = {"seq": seq, "previous_sha256": before}
            before = _hash(before, seq, *content)
            chained.append({**row, **links, "sha256": before})
        if chained:
            connection.execute(self._insert, chained)

    def head(self, connection: Connection) -> str:
        """Return the hash of the last entry, which stands for all of them; empty without one."""
        last = connection.execute(self._last).first()
        return "" if last is None else str(last[1])

    def verify(self, connection: Connection, head: str = "") -> ChainBreak | None:
        """Return where the chain breaks; None when every entry is as it was written.

        Parameters
        ----------
        connection : Connection
        head : str
            The hash, or the beginning of the hash, of an entry that must be there.
        """
        before, expected, met = _GENESIS, 1, not head
        for row in self._stored(connection):
            seq = int(row["seq"])
            if seq != expected:
                return ChainBreak(expected, f"missing: the next entry there is has number {seq}")
            content = [_text(row[column.name]) for column in self._content]
            if _text(row["previous_sha256"]) != before:
                return ChainBreak(seq, "does not follow the entry before it")
            before = _hash(before, seq, *content)
            if None in content or _text(row["sha256"]) != before:
                return ChainBreak(seq, "is not what was written")
            met, expected = met or before.startswith(head), seq + 1
        return None if met else ChainBreak(expected, f"missing: no entry's hash begins with {head}")

    def _stored(self, connection: Connection) -> Iterator[RowMapping]:
        """Read the rows as they are stored: text that parses to the same value may differ."""
        on_sqlite = connection.dialect.name == "sqlite"
        columns = [_unread(c, on_sqlite=on_sqlite) for c in self._table.c if c.name != "seq"]
        seq = self._table.c.seq
        yield from connection.execute(select(seq, *columns).order_by(seq)).mappings()


def _unread(column: Column[Any], *, on_sqlite: bool) -> ColumnElement[Any]:
    # SQLite hands out any bytes as text, and its driver gives up on those that are none.
    read = cast(column, LargeBinary) if on_sqlite else type_coerce(column, String)
    return read.label(column.name)


def _text(stored: str | bytes) -> str | None:
    if isinstance(stored, str):
        return stored
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return None


def _bound(column: Column[Any], value: object, connection: Connection) -> object:
    if isinstance(column.type, TypeDecorator):
        return column.type.process_bind_param(value, connection.dialect)
    return value


def _hash(*parts: object) -> str:
    return hashlib.sha256(canonical(parts).encode()).hexdigest()
