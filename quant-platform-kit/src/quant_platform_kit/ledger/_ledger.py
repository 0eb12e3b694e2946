"""Who owns which shares and dollars: a virtual portfolio for every strategy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection, delete, func, insert, select

from quant_platform_kit.contracts import (
    Contribution,
    EvidenceKind,
    Fact,
    Fill,
    Leg,
    Side,
    canonical,
)
from quant_platform_kit.errors import ReconciliationError
from quant_platform_kit.ledger._attribution import (
    CENT,
    Wish,
    apportion,
    attribute,
    cents,
    round_to_sum,
)
from quant_platform_kit.ledger._entries import (
    ZERO,
    Holding,
    Kind,
    Transaction,
    post,
    read_cash,
    read_holdings,
    read_transactions,
)
from quant_platform_kit.ledger._movements import dividends_of
from quant_platform_kit.ledger._valuing import known_prices, last_prices, value_of
from quant_platform_kit.store import Store, attest, cash, daily, fills, transactions

UNMANAGED = "unmanaged"
"""The sleeve of everything that no strategy manages: watched, never traded; and the cash pool."""


class Ledger:
    """The platform's own book of one account.

    Over all sleeves the shares and the cash are the broker's, to the cent; `reconcile` sees to it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def holdings(self) -> tuple[Holding, ...]:
        """Return every holding, by sleeve and symbol."""
        with self._store.begin() as connection:
            return read_holdings(connection)

    def quantities(self, sleeve: str | None = None) -> dict[str, Decimal]:
        """Return the shares of each symbol, in one sleeve or over all of them."""
        return add_up(h for h in self.holdings() if sleeve in (None, h.sleeve))

    def bought(self, sleeve: str, *, since: datetime) -> dict[str, Decimal]:
        """Return what a sleeve has paid for each symbol that it bought at or after `since`."""
        with self._store.begin() as connection:
            paid = select(transactions.c.symbol, transactions.c.amount_usd).where(
                transactions.c.sleeve == sleeve,
                transactions.c.kind == Kind.BUY.value,
                transactions.c.at >= since,
            )
            spent: dict[str, Decimal] = {}
            for row in connection.execute(paid):
                spent[row.symbol] = spent.get(row.symbol, ZERO) - row.amount_usd
        return spent

    def owners(self) -> dict[str, tuple[Contribution, ...]]:
        """Return the sleeves that hold each symbol, with their shares."""
        found: dict[str, tuple[Contribution, ...]] = {}
        for holding in self.holdings():
            mine = Contribution(holding.sleeve, holding.quantity)
            found[holding.symbol] = (*found.get(holding.symbol, ()), mine)
        return found

    def cash(self) -> dict[str, Decimal]:
        """Return the cash of each sleeve that has or owes some."""
        with self._store.begin() as connection:
            return read_cash(connection)

    def transactions(self, sleeve: str) -> tuple[Transaction, ...]:
        """Return everything that ever moved in a sleeve, oldest first."""
        with self._store.begin() as connection:
            return read_transactions(connection, sleeve)

    def is_new(self) -> bool:
        """Tell whether nothing was ever booked: the account is looked at for the first time."""
        with self._store.begin() as connection:
            return is_new(connection)

    def book(
        self,
        executions: Sequence[Fill],
        legs: Mapping[str, Leg],
        *,
        run_key: str | None = None,
    ) -> int:
        """Book fills of our own orders, each exactly once.

        A fill is divided between the sleeves by what its order was for (see `attribute`). The fill,
        every holding and cash it changes and its evidence are one transaction; a fill that is there
        already, by the broker's id, is a duplicate and changes nothing.

        Parameters
        ----------
        executions : sequence of Fill
        legs : mapping of str to Leg
            What each order was sent for, by client id.
        run_key : str, optional

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        ReconciliationError
            When a sale was of more than the ledger held. All of `executions` is booked then, so
            that it is told once and later runs go on.
        """
        facts, unheard = [], []
        with self._store.begin() as connection:
            for fill in _unknown(connection, executions):
                wish = _wish(connection, fill, legs.get(fill.client_id or ""))
                connection.execute(insert(fills).values(_fill_row(fill)))
                if beyond := _beyond(connection, fill):
                    unheard.append(f"{fill.quantity:f} {fill.symbol}, {beyond:f} of them unknown")
                    for entry in _brought_to_light(connection, fill, beyond):
                        post(connection, replace(entry, run_key=run_key))
                moves = _attributed(connection, fill, wish)
                for entry in moves:
                    post(connection, replace(entry, run_key=run_key))
                facts.append(_fact(fill, moves))
            attest(connection, run_key or "", facts)
        if unheard:
            raise ReconciliationError(
                f"The broker sold more than the ledger held: {'; '.join(unheard)}. All of it is "
                "booked and nothing more was sent. A split that an order at the broker was "
                "adjusted to looks like this; compare the executions with the broker's statement, "
                "then run again."
            )
        return len(facts)

    def post(self, entries: Sequence[Transaction]) -> None:
        """Write transactions, all of them or none."""
        with self._store.begin() as connection:
            for entry in entries:
                post(connection, entry)

    def dividends(self, run_key: str) -> dict[str, Decimal]:
        """Return what holdings paid that a run booked, after tax, by symbol.

        Blank stands for those of which the broker tells no symbol.
        """
        with self._store.begin() as connection:
            return dividends_of(connection, run_key)

    def fund(
        self,
        capital_usd: Mapping[str, Decimal],
        prices_usd: Mapping[str, Decimal],
        *,
        at: datetime,
        run_key: str | None = None,
    ) -> None:
        """Give sleeves their capital: transfers with the pool, which add up to zero.

        Parameters
        ----------
        capital_usd : mapping of str to Decimal
            What each sleeve's cash and holdings shall be worth together.
        prices_usd : mapping of str to Decimal
            A holding without one counts at its last known price, or else at its cost: a symbol
            that is gone at the broker is locked, and must not keep the others from being traded.
        """
        with self._store.begin() as connection:
            has, held = read_cash(connection), read_holdings(connection)
            known = known_prices(connection, prices_usd)
            for sleeve, capital in sorted(capital_usd.items()):
                amount = cents(capital - _worth(held, sleeve, has.get(sleeve, ZERO), known))
                if amount:
                    for owner, signed in ((sleeve, amount), (UNMANAGED, -amount)):
                        entry = Transaction(
                            at,
                            owner,
                            Kind.TRANSFER,
                            amount_usd=signed,
                            run_key=run_key,
                            note="capital",
                        )
                        post(connection, entry)

    def close_day(self, session: date, prices_usd: Mapping[str, Decimal]) -> None:
        """Keep what each sleeve is worth at the end of a run; a later run of the day replaces it.

        A holding without a price counts at its last known price, or else at its cost.
        """
        with self._store.begin() as connection:
            known = known_prices(connection, prices_usd)
            money, held = read_cash(connection), read_holdings(connection)
            sleeves = connection.scalars(select(daily.c.sleeve).distinct()).all()
            connection.execute(delete(daily).where(daily.c.session == session))
            # A sleeve that has gone empty still has what it realised.
            for sleeve in sorted({h.sleeve for h in held} | money.keys() | set(sleeves)):
                own = [h for h in held if h.sleeve == sleeve]
                row = _day(connection, sleeve, own, money.get(sleeve, ZERO), known)
                connection.execute(insert(daily).values(session=session, **row))

    def last_prices(self) -> dict[str, Decimal]:
        """Return the price of each holding at the latest close of a day."""
        with self._store.begin() as connection:
            return last_prices(connection)


def add_up(held: Iterable[Holding]) -> dict[str, Decimal]:
    """Return the shares of each symbol over several holdings."""
    totals: dict[str, Decimal] = {}
    for holding in held:
        totals[holding.symbol] = totals.get(holding.symbol, ZERO) + holding.quantity
    return totals


def is_new(connection: Connection) -> bool:
    """Tell whether nothing was ever booked; the first entry opens the pool's cash."""
    return not connection.scalar(select(func.count()).select_from(cash))


def _unknown(connection: Connection, executions: Sequence[Fill]) -> list[Fill]:
    ids = [fill.fill_id for fill in executions]
    known = set(connection.scalars(select(fills.c.fill_id).where(fills.c.fill_id.in_(ids))))
    return list({fill.fill_id: fill for fill in executions if fill.fill_id not in known}.values())


def _wish(connection: Connection, fill: Fill, leg: Leg | None) -> Wish | None:
    """Return what the sleeves asked for with the fill's order, and what it had left to fill."""
    if leg is None:
        return None
    booked = connection.scalars(select(fills.c.quantity).where(fills.c.client_id == fill.client_id))
    whole = sum((Fraction(wish.amount) for wish in leg.contributors), Fraction(0))
    target = Fraction(leg.target_quantity)
    shares: dict[str, Fraction] = {}
    for wish in leg.contributors if whole and target else ():
        part = target * Fraction(wish.amount) / whole
        shares[wish.sleeve] = shares.get(wish.sleeve, Fraction(0)) + part
    return Wish(shares, leg.quantity - sum(booked, ZERO))


def _beyond(connection: Connection, fill: Fill) -> Decimal:
    """Return how many of the shares that were sold the ledger did not hold."""
    held = sum((h.quantity for h in read_holdings(connection, fill.symbol)), ZERO)
    return max(fill.quantity - held, ZERO) if fill.side is Side.SELL else ZERO


def _brought_to_light(connection: Connection, fill: Fill, beyond: Decimal) -> Iterable[Transaction]:
    """Give shares that a sale shows to have been there to who held the others: at no cost.

    So they came by a split; had they come otherwise, the next comparison locks the symbol.
    """
    shares = {h.sleeve: h.quantity for h in read_holdings(connection, fill.symbol)}
    for sleeve, part in attribute(beyond, shares, None, UNMANAGED).items():
        note = "sold, and unknown to the ledger"
        yield Transaction(fill.at, sleeve, Kind.ADOPTION, fill.symbol, part, note=note)


def _attributed(connection: Connection, fill: Fill, wish: Wish | None) -> tuple[Transaction, ...]:
    """Turn one fill into the movements of every sleeve that has to do with its symbol."""
    held = {h.sleeve: h for h in read_holdings(connection, fill.symbol)}
    change = fill.quantity if fill.side is Side.BUY else -fill.quantity
    shares = {sleeve: h.quantity for sleeve, h in held.items()}
    moves = attribute(change, shares, wish, UNMANAGED)
    gross = round_to_sum(
        {sleeve: -move * fill.price_usd for sleeve, move in moves.items()},
        cents(-change * fill.price_usd),
    )
    fees = apportion(fill.fee_usd, {s: abs(move) for s, move in moves.items()}, CENT)
    return tuple(
        _movement(
            fill,
            held.get(sleeve, Holding(sleeve, fill.symbol, ZERO, ZERO)),
            move,
            gross_usd=gross[sleeve],
            fee_usd=fees.get(sleeve, ZERO),
        )
        for sleeve, move in moves.items()
    )


def _movement(
    fill: Fill, held: Holding, move: Decimal, *, gross_usd: Decimal, fee_usd: Decimal
) -> Transaction:
    amount = gross_usd - fee_usd
    if move > ZERO:
        cost, realised = -amount, ZERO
    else:
        cost = -cost_of(held, -move)
        realised = amount + cost
    return Transaction(
        fill.at,
        held.sleeve,
        Kind.BUY if move > ZERO else Kind.SELL,
        symbol=fill.symbol,
        quantity=move,
        price_usd=fill.price_usd,
        amount_usd=amount,
        fee_usd=fee_usd,
        cost_usd=cost,
        realised_usd=realised,
        fill_id=fill.fill_id,
    )


def cost_of(held: Holding, shares: Decimal) -> Decimal:
    """Return what `shares` of a holding cost, on average; all of them cost all of it."""
    if shares == held.quantity:
        return held.cost_usd
    return cents(held.cost_usd * shares / held.quantity)


def _worth(
    held: Sequence[Holding], sleeve: str, cash_usd: Decimal, prices_usd: Mapping[str, Decimal]
) -> Decimal:
    return sum((value_of(h, prices_usd) for h in held if h.sleeve == sleeve), cash_usd)


def _day(
    connection: Connection,
    sleeve: str,
    own: Sequence[Holding],
    cash_usd: Decimal,
    prices_usd: Mapping[str, Decimal],
) -> dict[str, object]:
    value = sum((value_of(h, prices_usd) for h in own), ZERO)
    moved = read_transactions(connection, sleeve)
    positions = {
        h.symbol: {
            "quantity": h.quantity,
            "cost_usd": h.cost_usd,
            "price_usd": prices_usd.get(h.symbol),
        }
        for h in own
    }
    return {
        "sleeve": sleeve,
        "equity_usd": cents(value + cash_usd),
        "cash_usd": cash_usd,
        "realised_usd": sum((entry.realised_usd for entry in moved), ZERO),
        "unrealised_usd": cents(value - sum((h.cost_usd for h in own), ZERO)),
        "flow_usd": cents(sum((entry.flow_usd for entry in moved), ZERO)),
        "positions": canonical(positions),
    }


def _fact(fill: Fill, moves: Sequence[Transaction]) -> Fact:
    parts = [
        {"sleeve": m.sleeve, "quantity": m.quantity, "amount_usd": m.amount_usd} for m in moves
    ]
    content = {"fill": fill, "parts": parts}
    return Fact(EvidenceKind.FILL, fill.client_id or fill.fill_id, content)


def _fill_row(fill: Fill) -> dict[str, object]:
    return {
        "fill_id": fill.fill_id,
        "client_id": fill.client_id,
        "broker_order_id": fill.broker_order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price_usd": fill.price_usd,
        "fee_usd": fill.fee_usd,
        "at": fill.at,
    }
