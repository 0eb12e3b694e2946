"""Broker truth against the ledger, before planning and after trading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection, insert

from quant_platform_kit.contracts import CashMovement, PortfolioSnapshot, canonical, encode
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger import _locks
from quant_platform_kit.ledger._attribution import apportion, attribute, cents
from quant_platform_kit.ledger._entries import (
    FLOWS,
    ZERO,
    Holding,
    Kind,
    Transaction,
    post,
    read_cash,
    read_holdings,
)
from quant_platform_kit.ledger._ledger import (
    UNMANAGED,
    Ledger,
    add_up,
    cost_of,
    is_new,
    last_prices,
)
from quant_platform_kit.ledger._movements import (
    DIFFERENCE,
    book_movements,
    difference_of,
    notes_of,
)
from quant_platform_kit.ledger._splits import split_ratio
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
    """

    notes: tuple[str, ...] = ()
    locked: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cash_difference_usd: Decimal = ZERO


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
        Present prices, to value what is adopted and to recognise splits.
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
        comparison = _Comparison(
            connection,
            snapshot,
            owners,
            sleeves=sleeves | frozenset(owners.values()),
            uncertain=uncertain,
            accepted=accepted,
            movements=movements,
            prices_usd=prices_usd or {},
            tolerances=tolerances,
            run_key=run_key,
        )
        result = comparison.run()
        part = comparison.unexplained_part(result.locked)
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


@dataclass(frozen=True, slots=True)
class _Comparison:
    connection: Connection
    snapshot: PortfolioSnapshot
    owners: Mapping[str, str]
    sleeves: AbstractSet[str]
    uncertain: AbstractSet[str]
    accepted: AbstractSet[str]
    movements: Sequence[CashMovement]
    prices_usd: Mapping[str, Decimal]
    tolerances: Tolerances
    run_key: str | None

    def run(self) -> Reconciliation:
        # What nobody manages a person may sell to the last share.
        managed = self._book().keys() & self.owners.keys()
        unexplained = managed - self.uncertain - self.accepted
        _refuse_the_impossible(self.snapshot, unexplained)
        notes: list[str] = []
        moved = ZERO
        if is_new(self.connection):
            self._post(self._opening(notes))
        else:
            moved = self._move_cash(notes)  # first: a split is known by the cash it does not move
            self._post(self._released())
            self._post(self._loose(notes))
            self._post(self._splits(notes))
            self._post(self._explained(notes))
            self._post(self._strays(notes))
        difference = self._book_cash(notes, moved)
        self._look_at_the_equity(notes)
        return Reconciliation(tuple(notes), self._wrong(), difference)

    def unexplained_part(self, locked: Iterable[str]) -> Decimal:
        """Return the value of all differences as a part of the managed holdings' value."""
        broker, book = self.snapshot.quantities(), self._book()
        wrong = total = ZERO
        for symbol in self.owners:
            here, there = book.get(symbol, ZERO), broker.get(symbol, ZERO)
            total += max(here, there) * self._price(symbol)
        for symbol in locked:
            difference = abs(book.get(symbol, ZERO) - broker.get(symbol, ZERO))
            wrong += difference * self._price(symbol)
        return wrong / total if total else ZERO

    def _price(self, symbol: str) -> Decimal:
        """Return the present price; of what the broker does not hold, what a share cost."""
        price = self.prices_usd.get(symbol)
        if price is not None:
            return price
        held = read_holdings(self.connection, symbol)
        shares = sum((h.quantity for h in held), ZERO)
        return sum((h.cost_usd for h in held), ZERO) / shares if shares else ZERO

    def _book(self) -> dict[str, Decimal]:
        return add_up(read_holdings(self.connection))

    def _post(self, entries: Iterable[Transaction]) -> None:
        for entry in list(entries):
            post(self.connection, entry)

    def _opening(self, notes: list[str]) -> Iterable[Transaction]:
        broker = self.snapshot.quantities()
        adopted = sorted(symbol for symbol in broker if symbol in self.owners)
        loose = sorted(symbol for symbol in broker if symbol not in self.owners)
        if adopted:
            notes.append("opening balance adopted: " + ", ".join(adopted))
        if loose:
            notes.append("unmanaged holdings follow the broker: " + ", ".join(loose))
        for symbol, quantity in sorted(broker.items()):
            yield self._adopt(symbol, quantity, self.owners.get(symbol, UNMANAGED))
        yield Transaction(
            self.snapshot.taken_at,
            UNMANAGED,
            Kind.ADOPTION,
            amount_usd=self.snapshot.account.cash_usd,
            run_key=self.run_key,
            note="opening cash",
        )

    def _move_cash(self, notes: list[str]) -> Decimal:
        """Book what the broker tells and return its sum."""
        booked = book_movements(
            self.connection, self.movements, pool=UNMANAGED, run_key=self.run_key
        )
        notes.extend(notes_of(booked))
        return sum((each.amount_usd for each in booked), ZERO)

    def _released(self) -> Iterable[Transaction]:
        """Let go of what a present sleeve holds and no present sleeve manages any more."""
        for held in read_holdings(self.connection):
            if held.sleeve in self.sleeves and held.symbol not in self.owners:
                yield from self._moved(held, UNMANAGED)

    def _loose(self, notes: list[str]) -> Iterable[Transaction]:
        """Let unmanaged holdings follow the broker."""
        broker, book = self.snapshot.quantities(), self._book()
        changed = [
            symbol
            for symbol in sorted(broker.keys() | book.keys())
            if symbol not in self.owners
            and symbol not in self.uncertain
            and broker.get(symbol, ZERO) != book.get(symbol, ZERO)
        ]
        if changed:
            notes.append("unmanaged holdings follow the broker: " + ", ".join(changed))
        for symbol in changed:
            for held in read_holdings(self.connection, symbol):
                if held.sleeve != UNMANAGED:
                    yield from self._moved(held, UNMANAGED)
            change = broker.get(symbol, ZERO) - book.get(symbol, ZERO)
            yield self._adopt(symbol, change, UNMANAGED)

    def _splits(self, notes: list[str]) -> Iterable[Transaction]:
        broker, book = self.snapshot.quantities(), self._book()
        last = last_prices(self.connection)
        # A difference that was no split when it came up does not become one later.
        unexplained = _locks.standing(self.connection)
        for symbol in sorted(self.owners.keys() & book.keys() - self.uncertain - unexplained):
            before, after = book[symbol], broker.get(symbol, ZERO)
            ratio = split_ratio(
                before,
                after,
                last.get(symbol),
                self.prices_usd.get(symbol),
                self.tolerances.split_price_ratio,
            )
            if ratio is not None and not self._was_paid_for(symbol, after - before):
                notes.append(f"{symbol} split: {before:f} shares became {after:f}")
                yield from self._split(symbol, after)

    def _was_paid_for(self, symbol: str, change: Decimal) -> bool:
        """Tell whether cash moved as a trade by hand would have moved it; a split moves none."""
        ours = sum(read_cash(self.connection).values(), ZERO)
        moved = self.snapshot.account.cash_usd - ours
        price = change * self._price(symbol)
        return abs(moved + price) < abs(price) / 2

    def _split(self, symbol: str, after: Decimal) -> Iterable[Transaction]:
        held = {h.sleeve: h for h in read_holdings(self.connection, symbol)}
        step = Decimal(1) if after == after.to_integral_value() else Decimal("1e-9")
        parts = apportion(after, {sleeve: h.quantity for sleeve, h in held.items()}, step)
        for sleeve, h in held.items():
            # Who is left without a share has lost what it cost; cash for it comes to the pool.
            lost = h.cost_usd if not parts[sleeve] else ZERO
            yield Transaction(
                self.snapshot.taken_at,
                sleeve,
                Kind.SPLIT,
                symbol=symbol,
                quantity=parts[sleeve] - h.quantity,
                cost_usd=-lost,
                realised_usd=-lost,
                run_key=self.run_key,
                note=f"{h.quantity:f} became {parts[sleeve]:f}",
            )

    def _explained(self, notes: list[str]) -> Iterable[Transaction]:
        """Let the ledger follow the broker where an operator says so, in proportion of holders."""
        broker, book = self.snapshot.quantities(), self._book()
        for symbol in sorted(self.accepted & self.owners.keys() - self.uncertain):
            here, there = book.get(symbol, ZERO), broker.get(symbol, ZERO)
            if here == there:
                continue
            notes.append(f"{symbol} accepted: {here:f} shares became {there:f}")
            shares = {h.sleeve: h.quantity for h in read_holdings(self.connection, symbol)}
            moves = attribute(there - here, shares, None, self.owners[symbol])
            for sleeve, move in moves.items():
                yield self._adopt(symbol, move, sleeve)

    def _strays(self, notes: list[str]) -> Iterable[Transaction]:
        """Give managed shares that lie in no present sleeve to the sleeve that manages them."""
        for held in read_holdings(self.connection):
            owner = self.owners.get(held.symbol)
            if owner is not None and held.sleeve not in self.sleeves:
                notes.append(f"now managed by {owner}: {held.symbol}")
                yield from self._moved(held, owner)

    def _moved(self, held: Holding, sleeve: str) -> Iterable[Transaction]:
        """Return the transfers that put a holding, with its cost, into another sleeve."""
        for owner, sign in ((held.sleeve, -1), (sleeve, 1)):
            yield Transaction(
                self.snapshot.taken_at,
                owner,
                Kind.TRANSFER,
                symbol=held.symbol,
                quantity=sign * held.quantity,
                price_usd=self.prices_usd.get(held.symbol),
                cost_usd=sign * held.cost_usd,
                run_key=self.run_key,
                note=f"{held.sleeve} to {sleeve}",
            )

    def _adopt(self, symbol: str, quantity: Decimal, sleeve: str) -> Transaction:
        """Take over shares without a fill: they cost what they are worth now, or nothing.

        Shares that went by hand take their average cost along.
        """
        price = self.prices_usd.get(symbol)
        if quantity < ZERO:
            cost = -self._cost_of(symbol, sleeve, -quantity)
        else:
            cost = ZERO if price is None else cents(quantity * price)
        return Transaction(
            self.snapshot.taken_at,
            sleeve,
            Kind.ADOPTION,
            symbol=symbol,
            quantity=quantity,
            price_usd=price,
            cost_usd=cost,
            run_key=self.run_key,
        )

    def _cost_of(self, symbol: str, sleeve: str, quantity: Decimal) -> Decimal:
        # Whatever is about to be unmanaged is all of what is there.
        held = [
            h for h in read_holdings(self.connection, symbol) if sleeve in (UNMANAGED, h.sleeve)
        ]
        shares, cost = (h.quantity for h in held), (h.cost_usd for h in held)
        return cost_of(Holding(sleeve, symbol, sum(shares, ZERO), sum(cost, ZERO)), quantity)

    def _book_cash(self, notes: list[str], moved_usd: Decimal) -> Decimal:
        difference = self.snapshot.account.cash_usd - sum(read_cash(self.connection).values(), ZERO)
        if not difference:
            return ZERO
        if self.uncertain:
            notes.append(f"cash differs by {difference:+.2f} USD while orders are unresolved")
            return difference
        small = self.tolerances.cash_usd
        kind, note = difference_of(self.connection, difference, moved_usd, small_usd=small)
        notes.append(note)
        post(
            self.connection,
            Transaction(
                self.snapshot.taken_at,
                UNMANAGED,
                kind,
                amount_usd=difference,
                realised_usd=ZERO if kind in FLOWS else difference,
                run_key=self.run_key,
                note=DIFFERENCE,
            ),
        )
        return difference

    def _look_at_the_equity(self, notes: list[str]) -> None:
        positions = self.snapshot.quantities()
        if not positions.keys() <= self.prices_usd.keys():
            return
        account = self.snapshot.account
        worth = account.cash_usd + sum(
            (quantity * self.prices_usd[symbol] for symbol, quantity in positions.items()), ZERO
        )
        if abs(worth - account.equity_usd) > self.tolerances.equity_ratio * account.equity_usd:
            notes.append(
                f"the broker's equity is {account.equity_usd:.2f} USD, its cash and holdings are "
                f"worth {worth:.2f} USD at the quotes"
            )

    def _wrong(self) -> dict[str, str]:
        return _differences(self.snapshot, self._book(), self.owners.keys() - self.uncertain)


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
