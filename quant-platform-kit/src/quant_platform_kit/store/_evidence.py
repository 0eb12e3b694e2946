"""Why every order exists: facts of every run, in the transactions that make them true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select

from quant_platform_kit.contracts import (
    ChainBreak,
    EvidenceEntry,
    Fact,
    canonical,
)
from quant_platform_kit.store._chain import Chain
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import evidence

_CHAIN = Chain(evidence)


def attest(connection: Connection, run_key: str, facts: Sequence[Fact]) -> None:
    """Keep `facts` in the transaction that makes them true; the caller holds the lease.

    For facts that cannot come twice, since a row beside them cannot; `attest_once` for others.
    """
    _CHAIN.append(connection, _rows(run_key, facts))


def attest_once(connection: Connection, run_key: str, facts: Sequence[Fact]) -> None:
    """Keep those of `facts` that the run's evidence does not have yet, word for word."""
    columns = (evidence.c.kind, evidence.c.key, evidence.c.payload)
    there = connection.execute(
        select(*columns).where(
            evidence.c.run_key == run_key, evidence.c.key.in_({fact.key for fact in facts})
        )
    )
    known = {tuple(row) for row in there}
    rows = {(row["kind"], row["key"], row["payload"]): row for row in _rows(run_key, facts)}
    _CHAIN.append(connection, [row for words, row in rows.items() if words not in known])


def evidence_head(connection: Connection) -> str:
    """Return the hash of the last entry, which stands for all before it; empty without one."""
    return _CHAIN.head(connection)


class Evidence:
    """The evidence of one store, to read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_order(
        self, client_id: str, run_key: str, *, before: int | None = None
    ) -> tuple[EvidenceEntry, ...]:
        """Return what is kept of one order, its answers and fills, and of its run, oldest first.

        Parameters
        ----------
        client_id, run_key : str
        before : int, optional
            Number of the first entry that is not to be believed.
        """
        behind = or_(evidence.c.key == client_id, evidence.c.run_key == run_key)
        if before is not None:
            behind &= evidence.c.seq < before
        columns = [c for c in evidence.c if c.name != "previous_sha256"]
        with self._store.begin() as connection:
            rows = connection.execute(select(*columns).where(behind).order_by(evidence.c.seq))
            return tuple(EvidenceEntry(**row) for row in rows.mappings())

    def head(self) -> str:
        """Return the hash of the last entry; empty without one."""
        with self._store.begin() as connection:
            return _CHAIN.head(connection)

    def verify(self, head: str = "") -> ChainBreak | None:
        """Return where the chain breaks; None when every entry is as it was written.

        Parameters
        ----------
        head : str
            The hash, or the beginning of the hash, that a report or a heartbeat carried: its
            entry must still be there. Without one, entries cut off at the end are not seen.
        """
        with self._store.begin() as connection:
            return _CHAIN.verify(connection, head)


def _rows(run_key: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    return [
        {
            "run_key": run_key,
            "kind": fact.kind.value,
            "key": fact.key,
            "payload": canonical(fact.content),
        }
        for fact in facts
    ]
