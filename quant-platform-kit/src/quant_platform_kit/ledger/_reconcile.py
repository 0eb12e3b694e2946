"""Broker truth against the ledger, before planning and after trading."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from quant_platform_kit.contracts import PortfolioSnapshot
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger._ledger import UNMANAGED, Ledger

_ZERO = Decimal(0)


def reconcile(
    ledger: Ledger,
    snapshot: PortfolioSnapshot,
    managed: Sequence[str],
    sleeve: str,
    *,
    unsettled: Collection[str] = (),
) -> tuple[str, ...]:
    """Make the ledger agree with the broker where that is safe, and stop where it is not.

    On the first look at an account its managed holdings open the sleeve's book. Later, holdings
    outside the managed universe are copied from the broker (a person trades them); a difference
    in a managed symbol stops the run, since either the broker's answer or our book is wrong.

    Parameters
    ----------
    ledger : Ledger
    snapshot : PortfolioSnapshot
    managed : sequence of str
        Symbols of the sleeve.
    sleeve : str
    unsettled : collection of str
        Symbols of orders whose end is not known: fills may still be booked, so a difference says
        nothing yet and nothing is copied, moved or refused.

    Returns
    -------
    tuple of str
        What was adopted or moved, for the report.

    Raises
    ------
    ReconciliationError
        ``EQUITY_ZERO``, ``POSITIONS_VANISHED`` or ``QUANTITY_MISMATCH``.
    """
    broker = snapshot.quantities()
    book = ledger.quantities()
    _refuse_the_impossible(snapshot, book)
    certain = [symbol for symbol in managed if symbol not in unsettled]
    notes: list[str] = []
    if ledger.is_new():
        opening = {symbol: broker[symbol] for symbol in certain if broker.get(symbol)}
        if opening:
            ledger.adopt(opening, sleeve)
            notes.append("opening balance adopted: " + ", ".join(sorted(opening)))
        book = ledger.quantities()
    ours = frozenset(managed).union(unsettled)
    loose = {
        symbol: broker.get(symbol, _ZERO)
        for symbol in sorted(broker.keys() | book.keys())
        if symbol not in ours and broker.get(symbol, _ZERO) != book.get(symbol, _ZERO)
    }
    if loose:
        ledger.move(tuple(loose), UNMANAGED)
        ledger.adopt(loose, UNMANAGED)
        notes.append("unmanaged holdings follow the broker: " + ", ".join(loose))
    verify(ledger, snapshot, certain)
    moved = ledger.move(certain, sleeve)
    if moved:
        notes.append(f"now managed by {sleeve}: " + ", ".join(moved))
    return tuple(notes)


def verify(ledger: Ledger, snapshot: PortfolioSnapshot, managed: Sequence[str]) -> None:
    """Require that ledger and broker hold the same shares of every managed symbol.

    Raises
    ------
    ReconciliationError
        ``QUANTITY_MISMATCH``, naming every symbol with both quantities.
    """
    broker = snapshot.quantities()
    book = ledger.quantities()
    wrong = [
        f"{symbol} (broker {broker.get(symbol, _ZERO)}, ledger {book.get(symbol, _ZERO)})"
        for symbol in sorted(managed)
        if broker.get(symbol, _ZERO) != book.get(symbol, _ZERO)
    ]
    if wrong:
        raise ReconciliationError(
            f"Broker and ledger disagree: {', '.join(wrong)}. No further order was sent. "
            "Look for a manual trade, a split or a late fill at the broker, then run again."
        )


def _refuse_the_impossible(snapshot: PortfolioSnapshot, book: dict[str, Decimal]) -> None:
    if snapshot.account.equity_usd <= _ZERO:
        raise ReconciliationError(
            "The broker reports no equity; no order was sent. "
            "Check the connection and the account number, then run again.",
            code=ReasonCode.EQUITY_ZERO,
        )
    if book and not snapshot.positions:
        raise ReconciliationError(
            f"The broker reports an empty book, the ledger holds {', '.join(sorted(book))}; "
            "no order was sent. Look at the account at the broker: an interrupted answer and a "
            "liquidated account look the same from here.",
            code=ReasonCode.POSITIONS_VANISHED,
        )
