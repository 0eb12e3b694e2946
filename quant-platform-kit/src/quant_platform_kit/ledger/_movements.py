"""What moved the broker's cash beside trades, booked once each, to whom it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, func, insert, select

from quant_platform_kit.contracts import CashMovement, EvidenceKind, Fact, MovementKind
from quant_platform_kit.ledger._attribution import CENT, apportion
from quant_platform_kit.ledger._entries import FLOWS, ZERO, Kind, Transaction, post
from quant_platform_kit.store import attest, movements, transactions

_KINDS: Final = {
    MovementKind.DIVIDEND: Kind.DIVIDEND,
    MovementKind.TAX: Kind.TAX,
    MovementKind.INTEREST: Kind.INTEREST,
    MovementKind.FEE: Kind.FEE,
    MovementKind.TRANSFER: Kind.TRANSFER,
    MovementKind.OTHER: Kind.TRANSFER,  # nobody says that it was earned
}
_OF_HOLDERS: Final = frozenset({MovementKind.DIVIDEND, MovementKind.TAX})

DIFFERENCE: Final = "difference to the broker's cash"
"""The note of cash that no movement explains."""


def book_movements(
    connection: Connection, told: Sequence[CashMovement], *, pool: str, run_key: str | None
) -> tuple[CashMovement, ...]:
    """Book what is not booked yet, with its evidence, and return it; in the caller's transaction.

    A dividend and what is withheld from it go to the sleeves that held the symbol, by their
    shares; everything else to the `pool`. What moved before the book began is in its opening cash.
    """
    if not told:
        return ()
    began = connection.scalar(select(func.min(transactions.c.at)))
    ids = {moved.movement_id for moved in told}
    there = select(movements.c.movement_id).where(movements.c.movement_id.in_(ids))
    known = set(connection.scalars(there))
    new = {
        moved.movement_id: moved
        for moved in told
        if began is not None and moved.at > began and moved.movement_id not in known
    }
    facts = []
    for moved in new.values():
        connection.execute(insert(movements).values(_row(moved)))
        parts = _parts(moved, _holders(connection, moved, pool))
        for sleeve, part in sorted(parts.items()):
            post(connection, _entry(moved, sleeve, part, run_key))
        content = {"movement": moved, "parts": parts}
        facts.append(Fact(EvidenceKind.MOVEMENT, moved.movement_id, content))
    attest(connection, run_key or "", facts)
    return tuple(new.values())


def difference_of(
    connection: Connection, difference: Decimal, moved_usd: Decimal, *, small_usd: Decimal
) -> tuple[Kind, str]:
    """Return as what a difference that nothing explains is booked, and what to note.

    A movement may be told after its cash has come. Its cash was then booked as a difference
    already; exactly that is left over now with the other sign, and is taken back as what it was.
    """
    before = _difference_before(connection, moved_usd) if difference == -moved_usd else None
    if before is not None:
        kind = before
        note = f"taken back, now that the broker tells what it was: {difference:+.2f} USD"
    elif abs(difference) > small_usd:
        kind = Kind.TRANSFER
        note = f"cash that came or went outside the platform: {difference:+.2f} USD"
    else:
        kind = Kind.INTEREST if difference > ZERO else Kind.FEE
        note = f"{kind.value} booked: {difference:+.2f} USD"
    return kind, note


def _difference_before(connection: Connection, amount_usd: Decimal) -> Kind | None:
    rows = connection.execute(
        select(transactions.c.kind, transactions.c.amount_usd)
        .where(transactions.c.note == DIFFERENCE)
        .order_by(transactions.c.id.desc())
    )
    return next((Kind(kind) for kind, amount in rows if amount == amount_usd), None)


def dividends_of(connection: Connection, run_key: str) -> dict[str, Decimal]:
    """Return what holdings paid, after tax, as a run booked it; blank is a symbol not told."""
    kinds = (Kind.DIVIDEND.value, Kind.TAX.value)
    rows = connection.execute(
        select(transactions.c.symbol, transactions.c.amount_usd)
        .where(transactions.c.run_key == run_key, transactions.c.kind.in_(kinds))
        .order_by(transactions.c.symbol)
    )
    paid: dict[str, Decimal] = {}
    for symbol, amount in rows:
        paid[symbol or ""] = paid.get(symbol or "", ZERO) + amount
    return paid


def notes_of(booked: Iterable[CashMovement]) -> tuple[str, ...]:
    """Return what was booked, for the report; the broker's words may name people and stay here."""
    return tuple(
        f"{moved.kind.value} booked: {f'{moved.symbol} ' if moved.symbol else ''}"
        f"{moved.amount_usd:+.2f} USD"
        for moved in booked
    )


def _holders(connection: Connection, moved: CashMovement, pool: str) -> Mapping[str, Decimal]:
    found: Mapping[str, Decimal] = {}
    if moved.kind in _OF_HOLDERS and moved.symbol is not None:
        found = _held_before(connection, moved.symbol, moved.at)
    return found or {pool: Decimal(1)}


def _held_before(connection: Connection, symbol: str, instant: datetime) -> dict[str, Decimal]:
    """Return who held a symbol when `instant` began, or else when it was last held before.

    A dividend is paid weeks after the day that entitles to it; by then all may be sold.
    """
    rows = connection.execute(
        select(transactions.c.at, transactions.c.sleeve, transactions.c.quantity)
        .where(transactions.c.symbol == symbol, transactions.c.at < instant)
        .order_by(transactions.c.at, transactions.c.id)
    ).all()
    shares: dict[str, Decimal] = {}
    last: dict[str, Decimal] = {}
    for _, moves in groupby(rows, key=itemgetter(0)):
        for _, sleeve, quantity in moves:
            shares[sleeve] = shares.get(sleeve, ZERO) + quantity
        last = {sleeve: held for sleeve, held in shares.items() if held > ZERO} or last
    return last


def _parts(moved: CashMovement, holders: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Divide a movement to the cent; what goes is divided as what comes is."""
    sign = 1 if moved.amount_usd > ZERO else -1
    parts = apportion(abs(moved.amount_usd), holders, CENT)
    return {sleeve: sign * part for sleeve, part in parts.items() if part}


def _entry(moved: CashMovement, sleeve: str, part: Decimal, run_key: str | None) -> Transaction:
    kind = _KINDS[moved.kind]
    return Transaction(
        moved.at,
        sleeve,
        kind,
        symbol=moved.symbol,
        amount_usd=part,
        realised_usd=ZERO if kind in FLOWS else part,
        movement_id=moved.movement_id,
        run_key=run_key,
        note=moved.text,
    )


def _row(moved: CashMovement) -> dict[str, object]:
    return {
        "movement_id": moved.movement_id,
        "at": moved.at,
        "kind": moved.kind.value,
        "symbol": moved.symbol,
        "amount_usd": moved.amount_usd,
        "text": moved.text,
    }
