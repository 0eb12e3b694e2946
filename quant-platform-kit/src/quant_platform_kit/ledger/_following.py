"""How the book follows the broker's holdings where that is safe: one rule each, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from quant_platform_kit.contracts import PortfolioSnapshot
from quant_platform_kit.ledger import _locks
from quant_platform_kit.ledger._attribution import apportion, attribute, cents
from quant_platform_kit.ledger._entries import (
    ZERO,
    Holding,
    Kind,
    Transaction,
    read_cash,
    read_holdings,
)
from quant_platform_kit.ledger._ledger import UNMANAGED, add_up, cost_of
from quant_platform_kit.ledger._splits import split_ratio
from quant_platform_kit.ledger._valuing import last_prices

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FRACTION: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a comparison: what the broker says, and the book within one transaction.

    Parameters
    ----------
    connection : Connection
    snapshot : PortfolioSnapshot
    owners, sleeves, uncertain, accepted
        As of `reconcile`; `sleeves` are all that are present.
    present_usd, known_usd : mapping of str to Decimal
        Present prices, and those with the last known ones for what has none today.
    split_price_ratio : Decimal
        How far the price may be from what a split would have made of it.
    run_key : str or None
    """

    connection: Connection
    snapshot: PortfolioSnapshot
    owners: Mapping[str, str]
    sleeves: AbstractSet[str]
    uncertain: AbstractSet[str]
    accepted: AbstractSet[str]
    present_usd: Mapping[str, Decimal]
    known_usd: Mapping[str, Decimal]
    split_price_ratio: Decimal
    run_key: str | None

    @property
    def broker(self) -> dict[str, Decimal]:
        """The broker's shares, by symbol."""
        return self.snapshot.quantities()

    @property
    def book(self) -> dict[str, Decimal]:
        """The book's shares, by symbol."""
        return add_up(read_holdings(self.connection))

    def held(self, symbol: str) -> dict[str, Holding]:
        """Return who holds a symbol, by sleeve."""
        return {h.sleeve: h for h in read_holdings(self.connection, symbol)}

    def price(self, symbol: str) -> Decimal:
        """Return the known price; of what never had one, what a share cost."""
        price = self.known_usd.get(symbol)
        if price is not None:
            return price
        held = self.held(symbol).values()
        shares = sum((h.quantity for h in held), ZERO)
        return sum((h.cost_usd for h in held), ZERO) / shares if shares else ZERO


Rule = Callable[[Sides, list[str]], Iterable[Transaction]]
"""What the book has to post to follow the broker; adds to the notes what the report shall say."""


def opening(sides: Sides, notes: list[str]) -> Iterable[Transaction]:
    """Adopt what is there at the first look: managed holdings open their sleeve's book."""
    broker = sides.broker
    adopted = sorted(symbol for symbol in broker if symbol in sides.owners)
    loose = sorted(symbol for symbol in broker if symbol not in sides.owners)
    if adopted:
        notes.append("opening balance adopted: " + ", ".join(adopted))
    if loose:
        notes.append("unmanaged holdings follow the broker: " + ", ".join(loose))
    for symbol, quantity in sorted(broker.items()):
        yield _adopted(sides, symbol, quantity, sides.owners.get(symbol, UNMANAGED))
    yield Transaction(
        sides.snapshot.taken_at,
        UNMANAGED,
        Kind.ADOPTION,
        amount_usd=sides.snapshot.account.cash_usd,
        run_key=sides.run_key,
        note="opening cash",
    )


def _released(sides: Sides, _notes: list[str]) -> Iterable[Transaction]:
    """Let go of what a present sleeve holds and no present sleeve manages any more."""
    for held in read_holdings(sides.connection):
        if held.sleeve in sides.sleeves and held.symbol not in sides.owners:
            yield from _moved(sides, held, UNMANAGED)


def _loose(sides: Sides, notes: list[str]) -> Iterable[Transaction]:
    """Let unmanaged holdings follow the broker."""
    broker, book = sides.broker, sides.book
    changed = [
        symbol
        for symbol in sorted(broker.keys() | book.keys())
        if symbol not in sides.owners
        and symbol not in sides.uncertain
        and broker.get(symbol, ZERO) != book.get(symbol, ZERO)
    ]
    if changed:
        notes.append("unmanaged holdings follow the broker: " + ", ".join(changed))
    for symbol in changed:
        for held in sides.held(symbol).values():
            if held.sleeve != UNMANAGED:
                yield from _moved(sides, held, UNMANAGED)
        change = broker.get(symbol, ZERO) - book.get(symbol, ZERO)
        yield _adopted(sides, symbol, change, UNMANAGED)


def _split(sides: Sides, notes: list[str]) -> Iterable[Transaction]:
    """Let a split change the shares of everybody who holds the symbol."""
    broker, book, last = sides.broker, sides.book, last_prices(sides.connection)
    # A difference that was no split when it came up does not become one later.
    unexplained = _locks.standing(sides.connection)
    for symbol in sorted(sides.owners.keys() & book.keys() - sides.uncertain - unexplained):
        before, after = book[symbol], broker.get(symbol, ZERO)
        ratio = split_ratio(
            before,
            after,
            last.get(symbol),
            sides.present_usd.get(symbol),
            sides.split_price_ratio,
        )
        if ratio is not None and not _was_paid_for(sides, symbol, after - before):
            notes.append(f"{symbol} split: {before:f} shares became {after:f}")
            yield from _divided(sides, symbol, after)


def _was_paid_for(sides: Sides, symbol: str, change: Decimal) -> bool:
    """Tell whether cash moved as a trade by hand would have moved it; a split moves none."""
    ours = sum(read_cash(sides.connection).values(), ZERO)
    moved = sides.snapshot.account.cash_usd - ours
    price = change * sides.price(symbol)
    return abs(moved + price) < abs(price) / 2


def _divided(sides: Sides, symbol: str, after: Decimal) -> Iterable[Transaction]:
    held = sides.held(symbol)
    step = Decimal(1) if after == after.to_integral_value() else _FRACTION
    parts = apportion(after, {sleeve: h.quantity for sleeve, h in held.items()}, step)
    for sleeve, h in held.items():
        # Who is left without a share has lost what it cost; cash for it comes to the pool.
        lost = h.cost_usd if not parts[sleeve] else ZERO
        yield Transaction(
            sides.snapshot.taken_at,
            sleeve,
            Kind.SPLIT,
            symbol=symbol,
            quantity=parts[sleeve] - h.quantity,
            cost_usd=-lost,
            realised_usd=-lost,
            run_key=sides.run_key,
            note=f"{h.quantity:f} became {parts[sleeve]:f}",
        )


def _explained(sides: Sides, notes: list[str]) -> Iterable[Transaction]:
    """Let the book follow where an operator says so, in proportion of who holds the symbol."""
    broker, book = sides.broker, sides.book
    for symbol in sorted(sides.accepted & sides.owners.keys() - sides.uncertain):
        here, there = book.get(symbol, ZERO), broker.get(symbol, ZERO)
        if here == there:
            continue
        notes.append(f"{symbol} accepted: {here:f} shares became {there:f}")
        shares = {sleeve: h.quantity for sleeve, h in sides.held(symbol).items()}
        moves = attribute(there - here, shares, None, sides.owners[symbol])
        for sleeve, move in moves.items():
            yield _adopted(sides, symbol, move, sleeve)


def _taken_over(sides: Sides, notes: list[str]) -> Iterable[Transaction]:
    """Give managed shares that lie in no present sleeve to the sleeve that manages them."""
    for held in read_holdings(sides.connection):
        owner = sides.owners.get(held.symbol)
        if owner is not None and held.sleeve not in sides.sleeves:
            notes.append(f"now managed by {owner}: {held.symbol}")
            yield from _moved(sides, held, owner)


LATER: Final[tuple[Rule, ...]] = (_released, _loose, _split, _explained, _taken_over)
"""The rules of every look but the first; each sees what the ones before it have posted."""


def _moved(sides: Sides, held: Holding, sleeve: str) -> Iterable[Transaction]:
    """Return the transfers that put a holding, with its cost, into another sleeve."""
    for owner, sign in ((held.sleeve, -1), (sleeve, 1)):
        yield Transaction(
            sides.snapshot.taken_at,
            owner,
            Kind.TRANSFER,
            symbol=held.symbol,
            quantity=sign * held.quantity,
            price_usd=sides.known_usd.get(held.symbol),
            cost_usd=sign * held.cost_usd,
            run_key=sides.run_key,
            note=f"{held.sleeve} to {sleeve}",
        )


def _adopted(sides: Sides, symbol: str, quantity: Decimal, sleeve: str) -> Transaction:
    """Take over shares without a fill: they cost what they are worth, or nothing.

    Shares that went by hand take their average cost along; they went for what they were last
    known to be worth, since the broker quotes only what is held.
    """
    price = sides.known_usd.get(symbol)
    if quantity < ZERO:
        cost = -_cost_of(sides, symbol, sleeve, -quantity)
    else:
        cost = ZERO if price is None else cents(quantity * price)
    return Transaction(
        sides.snapshot.taken_at,
        sleeve,
        Kind.ADOPTION,
        symbol=symbol,
        quantity=quantity,
        price_usd=price,
        cost_usd=cost,
        run_key=sides.run_key,
    )


def _cost_of(sides: Sides, symbol: str, sleeve: str, quantity: Decimal) -> Decimal:
    # Whatever is about to be unmanaged is all of what is there.
    held = [h for h in sides.held(symbol).values() if sleeve in (UNMANAGED, h.sleeve)]
    shares, cost = (h.quantity for h in held), (h.cost_usd for h in held)
    return cost_of(Holding(sleeve, symbol, sum(shares, ZERO), sum(cost, ZERO)), quantity)
