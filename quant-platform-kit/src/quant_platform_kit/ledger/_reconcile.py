"""Broker truth against the ledger, before planning and after trading."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from sqlalchemy import insert

from quant_platform_kit.contracts import PortfolioSnapshot, canonical
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger._entries import ZERO, Kind, Transaction
from quant_platform_kit.ledger._ledger import UNMANAGED, Ledger
from quant_platform_kit.ledger._locks import Locks
from quant_platform_kit.store import Store, reconciliations

_SPLITS: Final = tuple(
    Decimal(new) / Decimal(old)
    for new, old in ((2, 1), (3, 1), (4, 1), (5, 1), (7, 1), (10, 1), (15, 1), (20, 1), (3, 2))
)


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far broker and ledger may differ; shares must agree exactly.

    Parameters
    ----------
    cash_usd : Decimal
        A smaller difference is booked as interest or a fee, a larger one as money that came or
        went; both are reported.
    split_price_ratio : Decimal
        How far the price may be from what a split would have made of it.
    """

    cash_usd: Decimal = Decimal(1)
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
        Broker's cash less the ledger's, before it was booked.
    """

    notes: tuple[str, ...] = ()
    locked: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cash_difference_usd: Decimal = ZERO


def reconcile(
    store: Store,
    snapshot: PortfolioSnapshot,
    owners: Mapping[str, str],
    *,
    uncertain: frozenset[str] = frozenset(),
    prices_usd: Mapping[str, Decimal] | None = None,
    tolerances: Tolerances | None = None,
    run_key: str | None = None,
) -> Reconciliation:
    """Make the ledger agree with the broker where that is safe, and lock what it is not.

    Requires that every order's end is known and its fills are booked, except in `uncertain`.

    - The first look at an account adopts what is there: managed holdings open their sleeve's
      book, the rest and the cash are unmanaged.
    - Later, holdings outside the managed universe follow the broker: a person trades them.
    - A managed symbol whose quantities differ is locked, unless a split explains it; it is
      unlocked when they agree again.
    - Cash that differs is booked to the unmanaged pool and reported.

    Parameters
    ----------
    store : Store
    snapshot : PortfolioSnapshot
        The broker's truth.
    owners : mapping of str to str
        The sleeve that a managed symbol belongs to when nobody holds it yet.
    uncertain : frozenset of str
        Symbols with an order whose end is unknown; they are not compared.
    prices_usd : mapping of str to Decimal, optional
        Present prices, to recognise splits.
    tolerances : Tolerances, optional
    run_key : str, optional

    Raises
    ------
    ReconciliationError
        ``EQUITY_ZERO`` or ``POSITIONS_VANISHED``: the account cannot be what the broker says.
    """
    comparison = _Comparison(
        Ledger(store), snapshot, owners, uncertain, prices_usd or {}, tolerances or Tolerances()
    )
    result = comparison.run(run_key)
    Locks(store).put(result.locked, ReasonCode.QUANTITY_MISMATCH, snapshot.taken_at)
    with store.begin() as connection:
        connection.execute(
            insert(reconciliations).values(
                run_key=run_key, at=snapshot.taken_at, result=canonical(result)
            )
        )
    return result


@dataclass(frozen=True, slots=True)
class _Comparison:
    ledger: Ledger
    snapshot: PortfolioSnapshot
    owners: Mapping[str, str]
    uncertain: frozenset[str]
    prices_usd: Mapping[str, Decimal]
    tolerances: Tolerances

    def run(self, run_key: str | None) -> Reconciliation:
        book = self.ledger.quantities()
        _refuse_the_impossible(self.snapshot, self.owners.keys() & book.keys())
        notes: list[str] = []
        entries: list[Transaction] = []
        if self.ledger.is_new():
            entries += self._opening(notes, run_key)
        else:
            entries += self._loose(book, notes, run_key)
            entries += self._splits(book, notes, run_key)
            entries += self._strays(notes, run_key)
        self.ledger.post(entries)
        difference = self._book_cash(notes, run_key)
        return Reconciliation(tuple(notes), self._wrong(), difference)

    def _opening(self, notes: list[str], run_key: str | None) -> list[Transaction]:
        broker = self.snapshot.quantities()
        adopted = sorted(symbol for symbol in broker if symbol in self.owners)
        loose = sorted(symbol for symbol in broker if symbol not in self.owners)
        if adopted:
            notes.append("opening balance adopted: " + ", ".join(adopted))
        if loose:
            notes.append("unmanaged holdings follow the broker: " + ", ".join(loose))
        cash = self.snapshot.account.cash_usd
        return [
            *(self._adopt(s, broker[s], self.owners.get(s, UNMANAGED), run_key) for s in broker),
            Transaction(
                self.snapshot.taken_at,
                UNMANAGED,
                Kind.ADOPTION,
                amount_usd=cash,
                run_key=run_key,
                note="opening cash",
            ),
        ]

    def _loose(
        self, book: Mapping[str, Decimal], notes: list[str], run_key: str | None
    ) -> list[Transaction]:
        """Let unmanaged holdings follow the broker."""
        broker = self.snapshot.quantities()
        changed = {
            symbol: broker.get(symbol, ZERO) - book.get(symbol, ZERO)
            for symbol in sorted(broker.keys() | book.keys())
            if symbol not in self.owners and broker.get(symbol, ZERO) != book.get(symbol, ZERO)
        }
        if changed:
            notes.append("unmanaged holdings follow the broker: " + ", ".join(changed))
        entries: list[Transaction] = []
        for symbol, change in changed.items():
            entries += self._moved(symbol, UNMANAGED, run_key)
            entries.append(self._adopt(symbol, change, UNMANAGED, run_key))
        return entries

    def _splits(
        self, book: Mapping[str, Decimal], notes: list[str], run_key: str | None
    ) -> list[Transaction]:
        entries: list[Transaction] = []
        broker, last = self.snapshot.quantities(), self.ledger.last_prices()
        for symbol in sorted(self.owners.keys() & book.keys() - self.uncertain):
            before, after = book[symbol], broker.get(symbol, ZERO)
            prices = (last.get(symbol), self.prices_usd.get(symbol))
            ratio = self._split_ratio(before, after, *prices)
            if ratio is not None:
                notes.append(f"{symbol} split: {before:f} shares became {after:f}")
                entries += [
                    Transaction(
                        self.snapshot.taken_at,
                        h.sleeve,
                        Kind.SPLIT,
                        symbol=symbol,
                        quantity=h.quantity * (ratio - 1),
                        run_key=run_key,
                        note=f"{ratio.normalize():f} for 1",
                    )
                    for h in self.ledger.holdings()
                    if h.symbol == symbol
                ]
        return entries

    def _split_ratio(
        self, before: Decimal, after: Decimal, old: Decimal | None, new: Decimal | None
    ) -> Decimal | None:
        if not before or not after or before == after or not old or not new:
            return None
        ratio = after / before
        known = next((s for s in _SPLITS if ratio in (s, 1 / s)), None)
        if known is None:
            return None
        surprise = abs(new * ratio / old - 1)
        return ratio if surprise <= self.tolerances.split_price_ratio else None

    def _strays(self, notes: list[str], run_key: str | None) -> list[Transaction]:
        """Give managed shares that lie in no present sleeve to the sleeve that manages them."""
        present = frozenset(self.owners.values())
        strays = sorted(
            {
                h.symbol
                for h in self.ledger.holdings()
                if h.symbol in self.owners and h.sleeve not in present
            }
        )
        entries: list[Transaction] = []
        for symbol in strays:
            owner = self.owners[symbol]
            entries += self._moved(symbol, owner, run_key)
            notes.append(f"now managed by {owner}: {symbol}")
        return entries

    def _moved(self, symbol: str, sleeve: str, run_key: str | None) -> list[Transaction]:
        """Return the transfers that put every share of `symbol`, with its cost, into `sleeve`."""
        present = frozenset(self.owners.values()) if sleeve != UNMANAGED else frozenset[str]()
        entries: list[Transaction] = []
        for h in self.ledger.holdings():
            if h.symbol == symbol and h.sleeve != sleeve and h.sleeve not in present:
                for owner, sign in ((h.sleeve, -1), (sleeve, 1)):
                    entries.append(
                        Transaction(
                            self.snapshot.taken_at,
                            owner,
                            Kind.TRANSFER,
                            symbol=symbol,
                            quantity=sign * h.quantity,
                            cost_usd=sign * h.cost_usd,
                            run_key=run_key,
                        )
                    )
        return entries

    def _adopt(
        self, symbol: str, quantity: Decimal, sleeve: str, run_key: str | None
    ) -> Transaction:
        """Take over shares without a fill: they cost what they are worth now, or nothing."""
        price = self.prices_usd.get(symbol)
        return Transaction(
            self.snapshot.taken_at,
            sleeve,
            Kind.ADOPTION,
            symbol=symbol,
            quantity=quantity,
            price_usd=price,
            cost_usd=ZERO if price is None else (quantity * price).quantize(Decimal("0.01")),
            run_key=run_key,
        )

    def _book_cash(self, notes: list[str], run_key: str | None) -> Decimal:
        difference = self.snapshot.account.cash_usd - sum(self.ledger.cash().values(), ZERO)
        if not difference:
            return ZERO
        if abs(difference) > self.tolerances.cash_usd:
            kind = Kind.TRANSFER
            notes.append(f"cash that came or went outside the platform: {difference:+.2f} USD")
        else:
            kind = Kind.INTEREST if difference > ZERO else Kind.FEE
            notes.append(f"{kind.value} booked: {difference:+.2f} USD")
        self.ledger.post(
            [
                Transaction(
                    self.snapshot.taken_at,
                    UNMANAGED,
                    kind,
                    amount_usd=difference,
                    run_key=run_key,
                    note="difference to the broker's cash",
                )
            ]
        )
        return difference

    def _wrong(self) -> dict[str, str]:
        broker, book = self.snapshot.quantities(), self.ledger.quantities()
        return {
            symbol: f"broker {broker.get(symbol, ZERO):f}, ledger {book.get(symbol, ZERO):f}"
            for symbol in sorted(self.owners.keys() - self.uncertain)
            if broker.get(symbol, ZERO) != book.get(symbol, ZERO)
        }


def verify(
    ledger: Ledger,
    snapshot: PortfolioSnapshot,
    owners: Mapping[str, str],
    *,
    except_for: frozenset[str] = frozenset(),
) -> None:
    """Require that ledger and broker agree on every managed symbol and on the cash, to the cent.

    Raises
    ------
    ReconciliationError
        ``QUANTITY_MISMATCH``, naming everything that differs with both amounts.
    """
    broker, book = snapshot.quantities(), ledger.quantities()
    wrong = [
        f"{symbol} (broker {broker.get(symbol, ZERO):f}, ledger {book.get(symbol, ZERO):f})"
        for symbol in sorted(owners.keys() - except_for)
        if broker.get(symbol, ZERO) != book.get(symbol, ZERO)
    ]
    cash = sum(ledger.cash().values(), ZERO)
    if cash != snapshot.account.cash_usd and not except_for:
        wrong.append(f"cash (broker {snapshot.account.cash_usd:f}, ledger {cash:f})")
    if wrong:
        raise ReconciliationError(
            f"Broker and ledger disagree: {', '.join(wrong)}. No further order was sent. "
            "Look for a manual trade, a split or a late fill at the broker, then run again."
        )


def _refuse_the_impossible(snapshot: PortfolioSnapshot, managed: AbstractSet[str]) -> None:
    if snapshot.account.equity_usd <= ZERO:
        raise ReconciliationError(
            "The broker reports no equity; no order was sent. "
            "Check the connection and the account number, then run again.",
            code=ReasonCode.EQUITY_ZERO,
        )
    if managed and not snapshot.positions:
        raise ReconciliationError(
            f"The broker reports an empty book, the ledger holds {', '.join(sorted(managed))}; "
            "no order was sent. Look at the account at the broker: an interrupted answer and a "
            "liquidated account look the same from here.",
            code=ReasonCode.POSITIONS_VANISHED,
        )
