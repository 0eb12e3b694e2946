"""What operators did, in a chain of hashes: a changed or missing entry breaks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, String, insert, select, text, type_coerce

from quant_platform_kit.contracts import canonical
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock
from quant_platform_kit.store import Store, audit

PLATFORM = "qpk"
"""Who acted when no person did; no operator may have this name."""

_NAME_LIMIT = 64
_GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done: by whom, when, and what it changed."""

    seq: int
    at: datetime
    who: str
    action: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditBreak:
    """The first entry at which the chain does not hold, and what is wrong with it."""

    seq: int
    problem: str


def record(
    store: Store,
    who: str,
    action: str,
    detail: Mapping[str, object],
    clock: Clock,
    *,
    change: Callable[[Connection], object] | None = None,
) -> None:
    """Write an entry, and make the change it tells of in the same transaction.

    Parameters
    ----------
    store : Store
    who : str
        The operator, or `PLATFORM`.
    action : str
        A verb such as ``halt``, at most 32 characters.
    detail : mapping of str to object
        What was asked for and why; anything that has a canonical form.
    clock : Clock
    change : callable, optional
        Called with the transaction's connection.

    Raises
    ------
    ContractError
        When `who` names nobody.
    """
    check_who(who)
    with store.begin() as connection:
        _queue(connection)
        if change is not None:
            change(connection)
        _append(connection, who, action, canonical(detail), clock.now())


def entries(store: Store, count: int) -> tuple[AuditEntry, ...]:
    """Return the latest `count` entries, newest first."""
    columns = (audit.c.seq, audit.c.at, audit.c.who, audit.c.action, audit.c.payload)
    with store.begin() as connection:
        rows = connection.execute(select(*columns).order_by(audit.c.seq.desc()).limit(count))
        return tuple(
            AuditEntry(seq, at, who, action, json.loads(payload))
            for seq, at, who, action, payload in rows
        )


def verify(store: Store) -> AuditBreak | None:
    """Return where the chain breaks; None when every entry is as it was written.

    Entries cut off at the end leave an intact chain: keep the latest number elsewhere to see
    that too.
    """
    before, expected = _GENESIS, 1
    for row in _raw(store):
        seq = int(row["seq"])
        if seq != expected:
            return AuditBreak(expected, f"missing: the next entry there is has number {seq}")
        if row["previous_sha256"] != before:
            return AuditBreak(seq, "does not follow the entry before it")
        written = (row["at"], row["who"], row["action"], row["payload"])
        if row["sha256"] != _hash(before, seq, *written):
            return AuditBreak(seq, "is not what was written")
        before, expected = row["sha256"], seq + 1
    return None


def check_who(who: str) -> None:
    """Require a name that fits; a person may not pass for the platform, as `TradingGate` sees."""
    if not who.strip() or len(who) > _NAME_LIMIT or not who.isprintable():
        raise ContractError(
            f"who = {who!r}: expected a name of 1 to {_NAME_LIMIT} printable characters"
        )


def check_operator(who: str, why: str) -> None:
    """Require a person with a reason."""
    check_who(who)
    if who == PLATFORM:
        raise ContractError(f"who = {who!r}: expected an operator; this is the platform's name")
    if not why.strip():
        raise ContractError("why is empty: say why, the next person on duty will ask")


def _queue(connection: Connection) -> None:
    """Let operators who act at once write one after the other, each after the last entry."""
    if connection.dialect.name == "postgresql":  # on SQLite a transaction is the only one anyway
        connection.execute(text(f"LOCK TABLE {audit.name} IN SHARE ROW EXCLUSIVE MODE"))


def _append(connection: Connection, who: str, action: str, payload: str, at: datetime) -> None:
    last = connection.execute(
        select(audit.c.seq, audit.c.sha256).order_by(audit.c.seq.desc()).limit(1)
    ).first()
    seq, before = (1, _GENESIS) if last is None else (last.seq + 1, last.sha256)
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    connection.execute(
        insert(audit).values(
            seq=seq,
            at=at,
            who=who,
            action=action,
            payload=payload,
            previous_sha256=before,
            sha256=_hash(before, seq, instant, who, action, payload),
        )
    )


def _hash(*parts: str | int) -> str:
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def _raw(store: Store) -> Iterator[RowMapping]:
    """Read the rows as they are stored: text that parses to the same instant may differ."""
    columns = [c if c.name != "at" else type_coerce(c, String).label("at") for c in audit.c]
    with store.begin() as connection:
        yield from connection.execute(select(*columns).order_by(audit.c.seq)).mappings()
