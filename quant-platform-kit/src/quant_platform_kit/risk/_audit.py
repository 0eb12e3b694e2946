"""What operators did, in a chain of hashes: a changed or missing entry breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from quant_platform_kit.contracts import ChainBreak, canonical
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock
from quant_platform_kit.store import Chain, Store, audit

PLATFORM = "qpk"
"""Who acted when no person did; no operator may have this name."""

_NAME_LIMIT = 64
_CHAIN = Chain(audit)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done: by whom, when, and what it changed."""

    seq: int
    at: datetime
    who: str
    action: str
    detail: Mapping[str, Any]


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
        _CHAIN.queue(connection)
        if change is not None:
            change(connection)
        row = {"at": clock.now(), "who": who, "action": action, "payload": canonical(detail)}
        _CHAIN.append(connection, [row])


def entries(store: Store, count: int) -> tuple[AuditEntry, ...]:
    """Return the latest `count` entries, newest first."""
    columns = (audit.c.seq, audit.c.at, audit.c.who, audit.c.action, audit.c.payload)
    with store.begin() as connection:
        rows = connection.execute(select(*columns).order_by(audit.c.seq.desc()).limit(count))
        return tuple(
            AuditEntry(seq, at, who, action, json.loads(payload))
            for seq, at, who, action, payload in rows
        )


def verify(store: Store) -> ChainBreak | None:
    """Return where the chain breaks; None when every entry is as it was written.

    Entries cut off at the end leave an intact chain: keep the latest number elsewhere to see
    that too.
    """
    with store.begin() as connection:
        return _CHAIN.verify(connection)


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
