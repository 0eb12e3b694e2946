"""Lines that an adapter has kept beside the platform's own memory, from a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from quant_platform_kit.errors import ReasonCode, StopAndTell, TransientError
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import notes


class StoredNotes:
    """Notes in the schema of an account and mode; opened at the first use, in whichever process.

    Parameters
    ----------
    url, name : str
        As of `Store.connect`; the address is not shown.
    read_only : bool
        Whether every line is refused, as in a dry run.
    """

    def __init__(self, url: str, name: str, *, read_only: bool = False) -> None:
        self._url = url
        self._name = name
        self._read_only = read_only
        self._store: Store | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Travel to another process without the connection."""
        return _stored_notes, (self._url, self._name, self._read_only)

    def lines_after(self, number: int) -> Sequence[tuple[int, str]]:
        """Return the lines beyond a number, each with its own, oldest first.

        Raises
        ------
        TransientError
            When the store cannot be read.
        """
        query = select(notes.c.seq, notes.c.line).where(notes.c.seq > number).order_by(notes.c.seq)
        try:
            with self._opened().begin() as connection:
                return [(row.seq, row.line) for row in connection.execute(query)]
        except StopAndTell as error:
            raise _unusable(error) from error

    def append(self, line: str) -> None:
        """Keep a line; it is committed on return.

        Raises
        ------
        TransientError
            When the store cannot keep it.
        """
        try:
            with self._opened().begin() as connection:
                connection.execute(insert(notes).values(line=line))
        except StopAndTell as error:
            raise _unusable(error) from error

    def close(self) -> None:
        """Release the connection; a later call opens another."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store.connect(self._url, self._name, read_only=self._read_only)
        return self._store


def _stored_notes(url: str, name: str, read_only: bool) -> StoredNotes:  # noqa: FBT001 (pickle calls it)
    return StoredNotes(url, name, read_only=read_only)


def _unusable(error: StopAndTell) -> TransientError:
    return TransientError(error.message, code=ReasonCode.STORE_UNAVAILABLE)
