"""Broker truth against the ledger, before planning and after trading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import insert

from quant_platform_kit.contracts import CashMovement, PortfolioSnapshot, canonical, encode
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger import _locks
from quant_platform_kit.ledger._entries import FLOWS, ZERO, Transaction, post, read_cash
from quant_platform_kit.ledger._following import LATER, Rule, Sides, opening
from quant_platform_kit.ledger._ledger import UNMANAGED, Ledger, is_new
from quant_platform_kit.ledger._movements import (
    DIFFERENCE,
    book_movements,
    difference_of,
    notes_of,
)
from quant_platform_kit.ledger._valuing import known_prices
from quant_platform_kit.store import Store, reconciliations, replace_text


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far broker and ledger may differ; shares must agree exactly.

    Parameters
    ----------
    cash_usd : Decimal
        A smaller difference that no movement explains is booked as interest or a fee, a larger
        one as money that came or went; both are reported.
    equity_ratio : Decimal
        How far the broker's equity may be from its cash and holdings at the quotes, before the
        report says so.
    unexplained_ratio : Decimal
        How much of the managed holdings' value may be unexplained in locked symbols; beyond that
        nothing is traded at all.
    split_price_ratio : Decimal
        How far the price may be from what a split would have made of it.
    """

    cash_usd: Decimal = Decimal(1)
    equity_ratio: Decimal = Decimal("0.001")
    unexplained_ratio: Decimal = Decimal("0.5")
    split_price_ratio: Decimal = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a comparison found and what was done about it.

    Parameters
    ----------
    notes : tuple of str
        For the report: what was adopted, moved, split or booked.
    locked : mapping of str to str
        Managed symbols on which broker and ledger disagree, with both quantities.
    cash_difference_usd : Decimal
        Broker's cash less the ledger's, movements included, before it was booked.
    unresolved : mapping of str to str
        Symbols with an order whose end is not known, which were not compared.
    """

    notes: tuple[str, ...] = ()
    locked: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cash_difference_usd: Decimal = ZERO
    unresolved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def reconcile(  # noqa: PLR0913 (all but three have a default)
    store: Store,
    snapshot: PortfolioSnapshot,
    owners: Mapping[str, str],
    *,
    sleeves: AbstractSet[str] = frozenset(),
    uncertain: AbstractSet[str] = frozenset(),
    accepted: AbstractSet[str] = frozenset(),
    movements: Sequence[CashMovement] = (),
    prices_usd: Mapping[str, Decimal] | None = None,
    tolerances: Tolerances | None = None,
    run_key: str | None = None,
    output: Path | None = None,
) -> Reconciliation:
    """Make the ledger agree with the broker where that is safe, and lock what it is not.

    Requires that every order's end is known and its fills are booked, except in `uncertain`.

    - The first look at an account adopts what is there: managed holdings open their sleeve's
      book, the rest and the cash are unmanaged.
    - Later, holdings outside the managed universe follow the broker: a person trades them.
    - A managed symbol whose quantities differ is locked, unless a split explains it; it is
      unlocked when they agree again.
    - What moved the cash beside trades is booked once each, by the broker's id: a dividend and its
      tax to the sleeves that held the symbol, everything else to the unmanaged pool.
    - Cash that differs even then is booked to the pool and reported, once no order is uncertain.

    All of it is one transaction, the record of it included.

    Parameters
    ----------
    store : Store
    snapshot : PortfolioSnapshot
        The broker's truth.
    owners : mapping of str to str
        The sleeve that a managed symbol belongs to when nobody holds it yet.
    sleeves : set of str
        Sleeves that are present beside those of `owners`: they manage nothing that another one
        does not manage first.
    uncertain : set of str
        Symbols with an order whose end is unknown; they are not compared.
    accepted : set of str
        Symbols whose difference an operator has explained: the ledger follows the broker.
    movements : sequence of CashMovement
        What the broker tells of cash that moved beside trades; those that are booked already may
        be among them.
    prices_usd : mapping of str to Decimal, optional
        Present prices, to value what is adopted and to recognise splits; what has none today is
        valued at the last one that was known.
    tolerances : Tolerances, optional
    run_key : str, optional
    output : Path, optional
        A file that gets the record, also when the comparison stops the run.

    Raises
    ------
    ReconciliationError
        ``EQUITY_ZERO`` or ``POSITIONS_VANISHED``: the account cannot be what the broker says, and
        nothing was changed. ``QUANTITY_MISMATCH``: more than the tolerated part of the managed
        holdings is unexplained; the locks are set.
    """
    tolerances = tolerances or Tolerances()
    with store.begin() as connection:
        sides = Sides(
            connection,
            snapshot,
            owners,
            sleeves=sleeves | frozenset(owners.values()),
            uncertain=uncertain,
            accepted=accepted,
            present_usd=prices_usd or {},
            known_usd=known_prices(connection, prices_usd or {}),
            split_price_ratio=tolerances.split_price_ratio,
            run_key=run_key,
        )
        result = _agree(sides, movements, tolerances)
        part = _unexplained_part(sides, result.locked)
        _locks.put(connection, result.locked, ReasonCode.QUANTITY_MISMATCH, snapshot.taken_at)
        row = {"run_key": run_key, "at": snapshot.taken_at}
        connection.execute(insert(reconciliations).values(**row, result=canonical(result)))
    if output is not None:
        replace_text(output, canonical(row | encode(result)) + "\n")
    if part > tolerances.unexplained_ratio:
        raise ReconciliationError(
            f"Broker and ledger differ by {part:.0%} of the managed holdings: "
            f"{_listed(result.locked)}. No order was sent. Look for trades that the platform did "
            "not make, or for an answer of the broker that is not complete, then run again."
        )
    return result


def _agree(
    sides: Sides, movements: Sequence[CashMovement], tolerances: Tolerances
) -> Reconciliation:
    # What nobody manages a person may sell to the last share.
    unexplained = (sides.book.keys() & sides.owners.keys()) - sides.uncertain - sides.accepted
    _refuse_the_impossible(sides.snapshot, unexplained)
    notes: list[str] = []
    moved = ZERO
    if is_new(sides.connection):
        _follow(sides, opening, notes)
    else:
        # First: a split is known by the cash it does not move.
        booked = book_movements(sides.connection, movements, pool=UNMANAGED, run_key=sides.run_key)
        notes.extend(notes_of(booked))
        moved = sum((each.amount_usd for each in booked), ZERO)
        for rule in LATER:
            _follow(sides, rule, notes)
    difference = _book_cash(sides, notes, moved, tolerances)
    notes.extend(_on_equity(sides, tolerances))
    compared = sides.owners.keys() - sides.uncertain
    return Reconciliation(
        tuple(notes), _differences(sides.snapshot, sides.book, compared), difference
    )


def _follow(sides: Sides, rule: Rule, notes: list[str]) -> None:
    for entry in list(rule(sides, notes)):
        post(sides.connection, entry)


def _unexplained_part(sides: Sides, locked: Iterable[str]) -> Decimal:
    """Return the value of all differences as a part of the managed holdings' value."""
    broker, book = sides.broker, sides.book
    wrong = total = ZERO
    for symbol in sides.owners:
        here, there = book.get(symbol, ZERO), broker.get(symbol, ZERO)
        total += max(here, there) * sides.price(symbol)
    for symbol in locked:
        difference = abs(book.get(symbol, ZERO) - broker.get(symbol, ZERO))
        wrong += difference * sides.price(symbol)
    return wrong / total if total else ZERO


def _book_cash(
    sides: Sides, notes: list[str], moved_usd: Decimal, tolerances: Tolerances
) -> Decimal:
    ours = sum(read_cash(sides.connection).values(), ZERO)
    difference = sides.snapshot.account.cash_usd - ours
    if not difference:
        return ZERO
    if sides.uncertain:
        notes.append(f"cash differs by {difference:+.2f} USD while orders are unresolved")
        return difference
    small = tolerances.cash_usd
    kind, note = difference_of(sides.connection, difference, moved_usd, small_usd=small)
    notes.append(note)
    post(
        sides.connection,
        Transaction(
            sides.snapshot.taken_at,
            UNMANAGED,
            kind,
            amount_usd=difference,
            realised_usd=ZERO if kind in FLOWS else difference,
            run_key=sides.run_key,
            note=DIFFERENCE,
        ),
    )
    return difference


def _on_equity(sides: Sides, tolerances: Tolerances) -> Iterable[str]:
    account, held = sides.snapshot.account, sides.broker
    if not held.keys() <= sides.present_usd.keys():
        return
    worth = sum((held[symbol] * sides.present_usd[symbol] for symbol in held), account.cash_usd)
    if abs(worth - account.equity_usd) > tolerances.equity_ratio * account.equity_usd:
        yield (
            f"the broker's equity is {account.equity_usd:.2f} USD, its cash and holdings are "
            f"worth {worth:.2f} USD at the quotes"
        )


def verify(
    ledger: Ledger,
    snapshot: PortfolioSnapshot,
    owners: Mapping[str, str],
    *,
    except_for: AbstractSet[str] = frozenset(),
    tolerances: Tolerances | None = None,
) -> None:
    """Require that ledger and broker agree on every managed symbol, and on the cash.

    Cash may differ by the tolerance, which the next reconciliation books.

    Raises
    ------
    ReconciliationError
        ``QUANTITY_MISMATCH``, naming everything that differs with both amounts.
    """
    wrong = _differences(snapshot, ledger.quantities(), owners.keys() - except_for)
    cash, limit = sum(ledger.cash().values(), ZERO), (tolerances or Tolerances()).cash_usd
    if abs(cash - snapshot.account.cash_usd) > limit and not except_for:
        wrong["cash"] = f"broker {snapshot.account.cash_usd:f}, ledger {cash:f}"
    if wrong:
        raise ReconciliationError(
            f"Broker and ledger disagree: {_listed(wrong)}. No further order was sent. "
            "Look for a manual trade, a split or a late fill at the broker, then run again."
        )


def _differences(
    snapshot: PortfolioSnapshot, book: Mapping[str, Decimal], symbols: Iterable[str]
) -> dict[str, str]:
    broker = snapshot.quantities()
    return {
        symbol: f"broker {broker.get(symbol, ZERO):f}, ledger {book.get(symbol, ZERO):f}"
        for symbol in sorted(symbols)
        if broker.get(symbol, ZERO) != book.get(symbol, ZERO)
    }


def _listed(wrong: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({detail})" for name, detail in wrong.items())


def _refuse_the_impossible(snapshot: PortfolioSnapshot, held: AbstractSet[str]) -> None:
    if snapshot.account.equity_usd <= ZERO:
        raise ReconciliationError(
            "The broker reports no equity; no order was sent. "
            "Check the connection and the account number, then run again.",
            code=ReasonCode.EQUITY_ZERO,
        )
    if held and not snapshot.positions:
        raise ReconciliationError(
            f"The broker reports an empty book, the ledger holds {', '.join(sorted(held))}; "
            "no order was sent. Look at the account at the broker: an interrupted answer and a "
            "liquidated account look the same from here.",
            code=ReasonCode.POSITIONS_VANISHED,
        )
