"""The rows of the book: holdings, cash, and the transactions that change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from quant_platform_kit.store import cash, holdings, transactions

ZERO = Decimal(0)


class Kind(StrEnum):
    """What moved shares or dollars."""

    BUY = "buy"
    SELL = "sell"
    DIVIDEND = "dividend"
    TAX = "tax"
    FEE = "fee"
    INTEREST = "interest"
    TRANSFER = "transfer"
    ADOPTION = "adoption"
    SPLIT = "split"


FLOWS = frozenset({Kind.TRANSFER, Kind.ADOPTION})
"""What comes to a sleeve or leaves it without being earned or lost."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one symbol in one sleeve; `cost_usd` is what they cost in total, with fees."""

    sleeve: str
    symbol: str
    quantity: Decimal
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Transaction:
    """One movement in one sleeve.

    In every one `amount_usd` plus `cost_usd` is what was realised or what came from outside the
    sleeve, so a sleeve's cash and cost add up to all of that, to the cent.

    Parameters
    ----------
    quantity : Decimal
        Change of the holding, in shares; negative for a sale.
    price_usd : Decimal, optional
        A share's price at that moment.
    amount_usd : Decimal
        Change of the sleeve's cash, fee included; negative for a purchase.
    cost_usd : Decimal
        Change of the holding's cost.
    realised_usd : Decimal
        Of a sale its proceeds less its fee and what the shares had cost; of a dividend, a tax,
        interest or a fee its amount.
    """

    at: datetime
    sleeve: str
    kind: Kind
    symbol: str | None = None
    quantity: Decimal = ZERO
    price_usd: Decimal | None = None
    amount_usd: Decimal = ZERO
    fee_usd: Decimal = ZERO
    cost_usd: Decimal = ZERO
    realised_usd: Decimal = ZERO
    fill_id: str | None = None
    movement_id: str | None = None
    run_key: str | None = None
    note: str = ""

    @property
    def flow_usd(self) -> Decimal:
        """What came to the sleeve (or went, negative) without being earned, at its price."""
        if self.kind not in FLOWS:
            return ZERO
        worth = self.cost_usd if self.price_usd is None else self.quantity * self.price_usd
        return self.amount_usd + worth


def post(connection: Connection, entry: Transaction) -> None:
    """Write a transaction and what it does to the holding and the cash, in one transaction."""
    connection.execute(
        insert(transactions).values(
            at=entry.at,
            run_key=entry.run_key,
            sleeve=entry.sleeve,
            kind=entry.kind.value,
            symbol=entry.symbol,
            quantity=entry.quantity,
            cost_usd=entry.cost_usd,
            price_usd=entry.price_usd,
            amount_usd=entry.amount_usd,
            fee_usd=entry.fee_usd,
            realised_usd=entry.realised_usd,
            fill_id=entry.fill_id,
            movement_id=entry.movement_id,
            note=entry.note,
        )
    )
    if entry.amount_usd or entry.symbol is None:
        _add_cash(connection, entry.sleeve, entry.amount_usd)
    if entry.symbol is not None and (entry.quantity or entry.cost_usd):
        held = find_holding(connection, entry.sleeve, entry.symbol)
        _write_holding(
            connection,
            Holding(
                entry.sleeve,
                entry.symbol,
                held.quantity + entry.quantity,
                held.cost_usd + entry.cost_usd,
            ),
        )


def read_holdings(connection: Connection, symbol: str | None = None) -> tuple[Holding, ...]:
    """Return every holding, or those of one symbol, by sleeve and symbol."""
    query = select(holdings)
    if symbol is not None:
        query = query.where(holdings.c.symbol == symbol)
    found = [Holding(**row) for row in connection.execute(query).mappings()]
    return tuple(sorted(found, key=lambda h: (h.sleeve, h.symbol)))


def read_cash(connection: Connection) -> dict[str, Decimal]:
    """Return the cash of each sleeve that has or owes some."""
    rows = connection.execute(select(cash)).all()
    return {sleeve: amount for sleeve, amount in sorted(rows) if amount}


def read_transactions(connection: Connection, sleeve: str) -> tuple[Transaction, ...]:
    """Return a sleeve's transactions in the order they were written."""
    rows = connection.execute(
        select(transactions).where(transactions.c.sleeve == sleeve).order_by(transactions.c.id)
    ).mappings()
    return tuple(
        Transaction(**{name: value for name, value in row.items() if name != "id"} | _kind(row))
        for row in rows
    )


def _kind(row: object) -> dict[str, Kind]:
    return {"kind": Kind(row["kind"])}  # type: ignore[index]


def find_holding(connection: Connection, sleeve: str, symbol: str) -> Holding:
    """Return one holding; of zero shares when there is none."""
    found = {h.sleeve: h for h in read_holdings(connection, symbol)}
    return found.get(sleeve, Holding(sleeve, symbol, ZERO, ZERO))


def _add_cash(connection: Connection, sleeve: str, amount_usd: Decimal) -> None:
    before = connection.scalar(select(cash.c.amount_usd).where(cash.c.sleeve == sleeve))
    if before is None:
        connection.execute(insert(cash).values(sleeve=sleeve, amount_usd=amount_usd))
    else:
        connection.execute(
            update(cash).where(cash.c.sleeve == sleeve).values(amount_usd=before + amount_usd)
        )


def _write_holding(connection: Connection, holding: Holding) -> None:
    here = (holdings.c.sleeve == holding.sleeve, holdings.c.symbol == holding.symbol)
    values = {"quantity": holding.quantity, "cost_usd": holding.cost_usd}
    if holding.quantity == ZERO:
        connection.execute(delete(holdings).where(*here))
    elif not connection.execute(update(holdings).where(*here).values(values)).rowcount:
        connection.execute(
            insert(holdings).values(sleeve=holding.sleeve, symbol=holding.symbol, **values)
        )
