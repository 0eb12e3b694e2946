"""What must be true of an account after every step, however the step ended."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Protocol

from sqlalchemy import select

from proof._account import TrialAccount
from quant_platform_kit.contracts import (
    CycleReport,
    EvidenceKind,
    OrderStatus,
    OrderType,
    Outcome,
    Side,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import Kind, Locks
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.store import Evidence, Store, evidence, fills

_ZERO: Final = Decimal(0)
WAITS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_LATEST: Final = 20  # more than one call sends


class Kept(Protocol):
    """Anything with a store."""

    @property
    def store(self) -> Store:
        """What the platform keeps."""


class Broken(AssertionError):
    """An invariant does not hold; the message names it and what was found."""


def require(holds: object, invariant: str, found: object = "") -> None:
    """Raise `Broken` unless `holds`."""
    if not holds:
        raise Broken(f"{invariant}: {found}")


def what_broke(error: Exception) -> str:
    """Return the broken invariant as text; anything else that is raised breaks one, too."""
    if isinstance(error, Broken):
        return str(error)
    return f"a run answers and raises nothing: {type(error).__name__}: {error}"


def check_far_side(account: TrialAccount) -> None:
    """Check what may never happen at the broker, whether or not the platform is alive."""
    far = account.far
    twice = [client_id for client_id, times in far.submitted.items() if times > 1]
    require(not twice, "no order is sent twice", twice)
    managed = account.managed()
    strange = [order for order in far.requests if order.symbol not in managed]
    require(not strange, "only managed symbols are traded", strange)
    cash = account.truth.account().cash_usd
    require(cash >= _ZERO, "cash is never negative", cash)
    refused = [
        seen.detail
        for seen in (account.truth.find_order(order.client_id) for order in far.requests[-_LATEST:])
        if seen is not None and seen.status is OrderStatus.REJECTED
    ]
    require(not refused, "nothing is sent that cash or holdings do not cover", refused)
    _check_stops(account)


def _check_stops(account: TrialAccount) -> None:
    held = account.held()
    stops = [order for order in account.truth.open_orders() if order.order_type in WAITS]
    symbols = [order.symbol for order in stops]
    twice = {symbol for symbol in symbols if symbols.count(symbol) > 1}
    require(not twice, "a symbol has one working stop at most", twice)
    larger = [o for o in stops if o.quantity - o.filled_quantity > held.get(o.symbol, _ZERO)]
    require(not larger, "a stop is never for more than is held", larger)
    buying = [order for order in stops if order.side is not Side.SELL]
    require(not buying, "a stop sells", buying)


def check_evidence(account: Kept, head: str) -> str:
    """Check that the evidence holds, with the entry that was its last; return the last one now.

    Parameters
    ----------
    account : Kept
    head : str
        What an earlier check returned; empty at first.
    """
    kept = Evidence(account.store)
    found = kept.verify(head)
    require(found is None, "the evidence is a whole chain that only grows", found)
    return kept.head()


def check_explained(account: TrialAccount) -> None:
    """Check that every order that was sent and every booked fill has its evidence, once."""
    with account.store.begin() as connection:
        facts = connection.execute(select(evidence.c.kind, evidence.c.key)).all()
        booked = connection.scalars(select(fills.c.client_id)).all()
    ordered = [key for kind, key in facts if kind == EvidenceKind.ORDER]
    unexplained = account.far.submitted.keys() - set(ordered)
    require(not unexplained, "every order that was sent has its evidence", unexplained)
    require(len(ordered) == len(set(ordered)), "the evidence of an order is there once", ordered)
    executed = sorted(key for kind, key in facts if kind == EvidenceKind.FILL)
    require(executed == sorted(map(str, booked)), "every booked fill has its evidence", executed)


def check_books(account: TrialAccount) -> None:
    """Check ledger against broker after a run that compared them."""
    journal, ledger = account.journal(), account.ledger()
    open_symbols = {order.symbol for order in journal.unfinished()}
    _check_fills(account)
    book, held = ledger.quantities(), account.held()
    apart = {
        symbol: (held.get(symbol, _ZERO), book.get(symbol, _ZERO))
        for symbol in book.keys() | held.keys()
        if book.get(symbol, _ZERO) != held.get(symbol, _ZERO)
    }
    unexplained = apart.keys() - open_symbols - Locks(account.store).all().keys()
    require(not unexplained, "the ledger has the broker's shares", apart)
    if not open_symbols:
        ours = sum(ledger.cash().values(), _ZERO)
        theirs = account.truth.account().cash_usd
        require(ours == theirs, "the sleeves' cash adds up to the broker's", (ours, theirs))
    _check_movements(account)


def _check_movements(account: TrialAccount) -> None:
    """Check that shares came and went by fills alone: here are no splits and no new sleeves."""
    for sleeve in account.sleeves:
        moved = [
            entry
            for entry in account.ledger().transactions(sleeve.name)
            if entry.quantity and entry.kind in {Kind.TRANSFER, Kind.SPLIT}
        ]
        require(not moved, "a strategy's shares move by fills alone", moved)


def _check_fills(account: TrialAccount) -> None:
    journal, sent = account.journal(), account.far.submitted.keys()
    filled = filled_by_order(account)
    unknown = sent - {order.client_id for order in journal.of(sent)}
    require(not unknown, "every order is in the journal before it is sent", unknown)
    booked: dict[str, Decimal] = {}
    with account.store.begin() as connection:
        for client_id, quantity in connection.execute(select(fills.c.client_id, fills.c.quantity)):
            booked[client_id] = booked.get(client_id, _ZERO) + quantity
    apart = {
        client_id: (filled.get(client_id, _ZERO), booked.get(client_id, _ZERO))
        for client_id in sent - {order.client_id for order in journal.unfinished()}
        if booked.get(client_id, _ZERO) != filled.get(client_id, _ZERO)
    }
    require(not apart, "no fill is lost and none is counted twice", apart)


def check_slot(orders: Iterable[JournalOrder], filled: dict[str, Decimal], lot: Decimal) -> None:
    """Check that all attempts of a slot together traded what one plan wants."""
    first: dict[str, JournalOrder] = {}
    total: dict[str, Decimal] = {}
    for order in orders:
        if order.purpose.protects:
            continue
        began = first.setdefault(order.symbol, order)
        require(began.side is order.side, "a slot trades a symbol in one direction", order)
        total[order.symbol] = total.get(order.symbol, _ZERO) + filled.get(order.client_id, _ZERO)
    for symbol, order in first.items():
        wanted = abs(order.leg.target_quantity - order.leg.current_quantity)
        require(
            total[symbol] <= wanted + lot,
            "a slot trades no more than one plan wants",
            (symbol, total[symbol], wanted),
        )


def check_report(report: CycleReport) -> None:
    """Check that the slot has one outcome with a name."""
    require(isinstance(report.outcome, Outcome), "every slot has an outcome", report.outcome)
    require(
        report.outcome is Outcome.TRADED or report.code is not None,
        "what is no trade has a code",
        report.outcome,
    )
    require(report.code is not ReasonCode.UNEXPECTED, "no defect", report.reason)


def check_frozen(report: CycleReport, sent: Iterable[tuple[str, Side]]) -> None:
    """Check that nothing was sent in the symbols of a sleeve that keeps what it has."""
    kept = {symbol for sleeve in report.frozen for symbol in sleeve.symbols}
    moved = [(symbol, side) for symbol, side in sent if symbol in kept]
    require(not moved, "a frozen sleeve has no orders", moved)


def filled_by_order(account: TrialAccount) -> dict[str, Decimal]:
    """Return the shares that the broker filled of each of our orders, by client id."""
    filled: dict[str, Decimal] = {}
    for fill in account.fills():
        if fill.client_id is not None:
            filled[fill.client_id] = filled.get(fill.client_id, _ZERO) + fill.quantity
    return filled
