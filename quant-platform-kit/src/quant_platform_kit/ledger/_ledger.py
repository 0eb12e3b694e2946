"""Who owns which shares and dollars: a virtual portfolio for every strategy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy import Connection, delete, func, insert, select

from quant_platform_kit.contracts import Contribution, Fill, Side, canonical
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger._attribution import CENT, apportion, round_to_sum
from quant_platform_kit.ledger._entries import (
    ZERO,
    Holding,
    Kind,
    Transaction,
    post,
    read_cash,
    read_holdings,
)
from quant_platform_kit.store import Store, cash, daily, fills, transactions

UNMANAGED = "unmanaged"
"""The sleeve of everything that no strategy manages: watched, never traded; and the cash pool."""

_LOT = Decimal(1)


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
        totals: dict[str, Decimal] = {}
        for holding in self.holdings():
            if sleeve in (None, holding.sleeve):
                totals[holding.symbol] = totals.get(holding.symbol, ZERO) + holding.quantity
        return totals

    def cash(self) -> dict[str, Decimal]:
        """Return the cash of each sleeve that has or owes some."""
        with self._store.begin() as connection:
            return read_cash(connection)

    def is_new(self) -> bool:
        """Tell whether nothing was ever booked: the account is looked at for the first time."""
        with self._store.begin() as connection:
            return not connection.scalar(select(func.count()).select_from(cash))

    def book(
        self,
        executions: Sequence[Fill],
        shares_of: Mapping[str, Sequence[Contribution]],
        *,
        run_key: str | None = None,
    ) -> int:
        """Book fills of our own orders, each exactly once.

        After a fill the symbol's shares belong to the sleeves in proportion to what they asked
        for; where nobody asks for any, in proportion to what they held. So opposite wishes of two
        sleeves meet at the fill's price, and one order serves both. A fill, the holdings and the
        cash it changes are one transaction; a fill that is there already, by the broker's id, is
        a duplicate and changes nothing.

        Parameters
        ----------
        executions : sequence of Fill
        shares_of : mapping of str to sequence of Contribution
            What each order's sleeves asked for, by client id.
        run_key : str, optional

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        ReconciliationError
            When a sale exceeds what the ledger holds.
        """
        with self._store.begin() as connection:
            known = set(
                connection.scalars(
                    select(fills.c.fill_id).where(
                        fills.c.fill_id.in_([fill.fill_id for fill in executions])
                    )
                )
            )
            new = {fill.fill_id: fill for fill in executions if fill.fill_id not in known}
            for fill in new.values():
                connection.execute(insert(fills).values(_fill_row(fill)))
                wishes = shares_of.get(fill.client_id or "", ())
                for entry in _attributed(connection, fill, wishes):
                    post(connection, replace(entry, run_key=run_key))
        return len(new)

    def post(self, entries: Sequence[Transaction]) -> None:
        """Write transactions, all of them or none."""
        with self._store.begin() as connection:
            for entry in entries:
                post(connection, entry)

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
            Of every holding of those sleeves.
        """
        with self._store.begin() as connection:
            has = read_cash(connection)
            worth = dict.fromkeys(capital_usd, ZERO)
            for holding in read_holdings(connection):
                if holding.sleeve in worth:
                    worth[holding.sleeve] += holding.quantity * prices_usd[holding.symbol]
            for sleeve, capital in sorted(capital_usd.items()):
                amount = _cents(capital - worth[sleeve] - has.get(sleeve, ZERO))
                if amount:
                    for owner, signed in ((sleeve, amount), (UNMANAGED, -amount)):
                        post(
                            connection,
                            Transaction(
                                at,
                                owner,
                                Kind.TRANSFER,
                                amount_usd=signed,
                                run_key=run_key,
                                note="capital",
                            ),
                        )

    def close_day(self, session: date, prices_usd: Mapping[str, Decimal]) -> None:
        """Keep what each sleeve is worth at the end of a run; a later run of the day replaces it.

        A holding without a price counts at its cost.
        """
        with self._store.begin() as connection:
            money = read_cash(connection)
            held = read_holdings(connection)
            connection.execute(delete(daily).where(daily.c.session == session))
            for sleeve in sorted({h.sleeve for h in held} | money.keys()):
                own = [h for h in held if h.sleeve == sleeve]
                value = sum((_value(h, prices_usd) for h in own), ZERO)
                cost = sum((h.cost_usd for h in own), ZERO)
                connection.execute(
                    insert(daily).values(
                        session=session,
                        sleeve=sleeve,
                        equity_usd=_cents(value + money.get(sleeve, ZERO)),
                        cash_usd=money.get(sleeve, ZERO),
                        realised_usd=_realised(connection, sleeve),
                        unrealised_usd=_cents(value - cost),
                        positions=canonical(
                            {
                                h.symbol: {
                                    "quantity": h.quantity,
                                    "cost_usd": h.cost_usd,
                                    "price_usd": prices_usd.get(h.symbol),
                                }
                                for h in own
                            }
                        ),
                    )
                )

    def last_prices(self) -> dict[str, Decimal]:
        """Return the price of each holding at the latest close of a day."""
        with self._store.begin() as connection:
            latest = connection.scalar(select(func.max(daily.c.session)))
            rows = connection.scalars(select(daily.c.positions).where(daily.c.session == latest))
            return {
                symbol: Decimal(line["price_usd"])
                for text in rows
                for symbol, line in json.loads(text).items()
                if line["price_usd"] is not None
            }


def _attributed(
    connection: Connection, fill: Fill, wishes: Sequence[Contribution]
) -> tuple[Transaction, ...]:
    """Turn one fill into the movements of every sleeve that has to do with its symbol."""
    held = {h.sleeve: h for h in read_holdings(connection) if h.symbol == fill.symbol}
    before = sum((h.quantity for h in held.values()), ZERO)
    change = fill.quantity if fill.side is Side.BUY else -fill.quantity
    if before + change < ZERO:
        raise ReconciliationError(
            f"A sale of {fill.quantity} {fill.symbol} exceeds the {before} in the ledger. "
            "Nothing more was sent. Compare the broker's executions with `qpk explain`, "
            "then reconcile.",
            code=ReasonCode.QUANTITY_MISMATCH,
            symbol=fill.symbol,
        )
    weights = {wish.sleeve: wish.amount for wish in wishes if wish.amount} or {
        sleeve: h.quantity for sleeve, h in held.items()
    }
    weights = weights or {UNMANAGED: _LOT}  # an order that no sleeve asked for
    after = apportion(before + change, weights, _LOT)
    for sleeve in after:
        held.setdefault(sleeve, Holding(sleeve, fill.symbol, ZERO, ZERO))
    moves = {s: after.get(s, ZERO) - held[s].quantity for s in sorted(held)}
    moves = {sleeve: move for sleeve, move in moves.items() if move}
    gross = round_to_sum(
        {sleeve: -move * fill.price_usd for sleeve, move in moves.items()},
        _cents(-change * fill.price_usd),
    )
    fees = apportion(fill.fee_usd, {s: abs(move) for s, move in moves.items()}, CENT)
    return tuple(
        _movement(fill, held[s], move, gross_usd=gross[s], fee_usd=fees[s])
        for s, move in moves.items()
    )


def _movement(
    fill: Fill, held: Holding, move: Decimal, *, gross_usd: Decimal, fee_usd: Decimal
) -> Transaction:
    amount = gross_usd - fee_usd
    if move > ZERO:
        cost, realised = -amount, ZERO
    else:
        cost = _cents(held.cost_usd * move / held.quantity)
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


def _realised(connection: Connection, sleeve: str) -> Decimal:
    amounts = connection.scalars(
        select(transactions.c.realised_usd).where(transactions.c.sleeve == sleeve)
    )
    return sum(amounts, ZERO)


def _value(holding: Holding, prices_usd: Mapping[str, Decimal]) -> Decimal:
    price = prices_usd.get(holding.symbol)
    return holding.cost_usd if price is None else holding.quantity * price


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)


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
