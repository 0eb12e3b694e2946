"""What runs and operators' commands ask of the account: its state, and a desk to trade it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from quant_platform_kit.contracts import CashMovement, Fill, PortfolioSnapshot, Quote
from quant_platform_kit.cycle._parts import Parts
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode, TransientError
from quant_platform_kit.ledger import Ledger, Locks
from quant_platform_kit.orders import Desk, Journal, book_late_fills, conclude, recover

_MOVEMENT_DAYS: Final = timedelta(days=59)  # the shortest memory of the brokers that tell any


def take_snapshot(parts: Parts) -> PortfolioSnapshot:
    """Ask the broker for everything the account has, but for our orders that wait for a price.

    A stop that rests trades nothing yet: to a plan it is no working order.
    """
    broker = parts.broker
    waiting = Journal(parts.store, parts.clock).waiting_ids()
    working = tuple(order for order in broker.open_orders() if order.client_id not in waiting)
    return PortfolioSnapshot(broker.account(), broker.positions(), working, parts.clock.now())


def recover_orders(
    parts: Parts, run_key: str, accepted: AbstractSet[str] = frozenset()
) -> tuple[PortfolioSnapshot, tuple[str, ...]]:
    """Learn the end of every earlier order; return the account after it, and what to report.

    Parameters
    ----------
    parts : Parts
    run_key : str
    accepted : set of str
        Symbols whose difference an operator has explained.
    """
    desk = open_desk(parts, run_key)
    recover(desk)
    snapshot = take_snapshot(parts)
    if desk.journal.resting() and book_late_fills(desk):  # a stop filled meanwhile
        snapshot = take_snapshot(parts)
    here, there = Ledger(parts.store).quantities(), snapshot.quantities()
    ended = conclude(
        desk, lambda symbol: here.get(symbol, 0) == there.get(symbol, 0), accepted=accepted
    )
    notes = tuple(f"{order.code}: {order.symbol}: {order.detail}" for order in ended)
    return snapshot, notes


def tell_movements(parts: Parts) -> tuple[tuple[CashMovement, ...], tuple[str, ...]]:
    """Ask what moved the cash beside trades, and return it with what the report has to say.

    Nothing is refused for want of an answer: the cash is then taken for money that came or went,
    until a later run is told what it was.
    """
    try:
        told = parts.broker.cash_movements(parts.clock.now() - _MOVEMENT_DAYS)
    except (TransientError, BrokerAnswerError) as error:
        note = (
            f"the broker did not tell what moved the cash ({error.code}): a difference counts as "
            "money that came or went, until a later run is told"
        )
        return (), (note,)
    return told or (), ()


def prices(quotes: Mapping[str, Quote]) -> dict[str, Decimal]:
    """Return the prices of quotes, in USD by symbol."""
    return {symbol: quote.price_usd for symbol, quote in quotes.items()}


def uncertain_symbols(parts: Parts) -> frozenset[str]:
    """Return the symbols with an order whose end is not known."""
    unfinished = Journal(parts.store, parts.clock).unfinished()
    return frozenset(order.symbol for order in unfinished)


def unsettled_symbols(parts: Parts) -> frozenset[str]:
    """Return the symbols on which broker and ledger may differ: uncertain or locked ones."""
    return uncertain_symbols(parts) | Locks(parts.store).all().keys()


def stops_sold(parts: Parts, run_key: str) -> tuple[str, ...]:
    """Return a note for each symbol that a protective stop sold, as this run found out.

    Asked of the book, not of the run: also an attempt that failed later has told nobody yet.
    """
    sold = Journal(parts.store, parts.clock).sold_by_stops(run_key)
    return tuple(
        f"{ReasonCode.STOP_FILLED}: {symbol}: its stop sold {shares:f} shares"
        for symbol, shares in sorted(sold.items())
    )


def open_desk(parts: Parts, run_key: str) -> Desk:
    """Return a desk that sends orders and books their fills into the ledger."""
    journal = Journal(parts.store, parts.clock)
    return Desk(
        journal,
        parts.broker,
        parts.clock,
        partial(_book, journal, Ledger(parts.store), run_key),
        parts.fill_deadline_secs,
    )


def _book(journal: Journal, ledger: Ledger, run_key: str, executions: Sequence[Fill]) -> None:
    named = {fill.client_id for fill in executions if fill.client_id is not None}
    legs = {order.client_id: order.leg for order in journal.of(named)}
    ledger.book(executions, legs, run_key=run_key)
