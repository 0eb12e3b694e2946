"""Who owns which shares: sleeves, their cost, and the fills that moved them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection, delete, insert, select, update

from quant_platform_kit.contracts import Fill, Side
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.store import Store, fills, holdings

UNMANAGED = "unmanaged"
"""The sleeve of everything that no strategy manages: it is watched and never traded."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one symbol in one sleeve; `cost_usd` is what they cost in total, with fees."""

    sleeve: str
    symbol: str
    quantity: Decimal
    cost_usd: Decimal


class Ledger:
    """The platform's own book of one account."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def holdings(self) -> tuple[Holding, ...]:
        """Return every holding, by sleeve and symbol."""
        with self._store.begin() as connection:
            return _read(connection)

    def quantities(self) -> dict[str, Decimal]:
        """Return the shares of each symbol over all sleeves."""
        totals: dict[str, Decimal] = {}
        for holding in self.holdings():
            totals[holding.symbol] = totals.get(holding.symbol, _ZERO) + holding.quantity
        return totals

    def is_new(self) -> bool:
        """Tell whether nothing was ever held or traded here: the first look at an account."""
        with self._store.begin() as connection:
            return all(
                connection.execute(select(table).limit(1)).first() is None
                for table in (holdings, fills)
            )

    def book(self, executions: Sequence[Fill], sleeve: str) -> int:
        """Book fills of our own orders into `sleeve`, each exactly once.

        A fill and the holding it changes are one transaction; a fill that is already there, by
        the broker's id, is a duplicate and changes nothing.

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
            booked = 0
            for fill in executions:
                if fill.fill_id not in known:
                    known.add(fill.fill_id)
                    connection.execute(insert(fills).values(_row(fill)))
                    _apply(connection, fill, sleeve)
                    booked += 1
        return booked

    def adopt(self, quantities: Mapping[str, Decimal], sleeve: str) -> None:
        """Make `sleeve` hold exactly `quantities` of those symbols; their cost is unknown (0)."""
        with self._store.begin() as connection:
            for symbol, quantity in quantities.items():
                _write(connection, Holding(sleeve, symbol, quantity, _ZERO))

    def move(self, symbols: Sequence[str], sleeve: str) -> tuple[str, ...]:
        """Give every share of `symbols` to `sleeve`, with its cost; return what moved."""
        moved: list[str] = []
        with self._store.begin() as connection:
            for holding in _read(connection):
                if holding.symbol in symbols and holding.sleeve != sleeve:
                    there = _find(connection, sleeve, holding.symbol)
                    _write(connection, Holding(holding.sleeve, holding.symbol, _ZERO, _ZERO))
                    _write(
                        connection,
                        Holding(
                            sleeve,
                            holding.symbol,
                            there.quantity + holding.quantity,
                            there.cost_usd + holding.cost_usd,
                        ),
                    )
                    moved.append(holding.symbol)
        return tuple(moved)


def _apply(connection: Connection, fill: Fill, sleeve: str) -> None:
    held = _owner(connection, fill, sleeve)
    if fill.side is Side.BUY:
        cost = held.cost_usd + fill.quantity * fill.price_usd + fill.fee_usd
        after = replace(held, quantity=held.quantity + fill.quantity, cost_usd=cost)
    elif fill.quantity <= held.quantity:
        left = held.quantity - fill.quantity
        after = replace(held, quantity=left, cost_usd=held.cost_usd * left / held.quantity)
    else:
        raise ReconciliationError(
            f"A sale of {fill.quantity} {fill.symbol} exceeds the {held.quantity} in the ledger. "
            "Nothing more was sent. Compare the broker's executions with `qpk explain`, "
            "then reconcile.",
            code=ReasonCode.QUANTITY_MISMATCH,
            symbol=fill.symbol,
        )
    _write(connection, after)


def _owner(connection: Connection, fill: Fill, sleeve: str) -> Holding:
    """Return the holding that `fill` changes.

    A late sale that another strategy ordered before this one took over comes out of the sleeve
    that still holds its shares.
    """
    held = _find(connection, sleeve, fill.symbol)
    if fill.side is Side.BUY or fill.quantity <= held.quantity:
        return held
    others = (h for h in _read(connection) if h.symbol == fill.symbol)
    return next((h for h in others if fill.quantity <= h.quantity), held)


def _read(connection: Connection) -> tuple[Holding, ...]:
    rows = connection.execute(
        select(holdings).order_by(holdings.c.sleeve, holdings.c.symbol)
    ).mappings()
    return tuple(Holding(**row) for row in rows)


def _find(connection: Connection, sleeve: str, symbol: str) -> Holding:
    row = (
        connection.execute(
            select(holdings).where(holdings.c.sleeve == sleeve, holdings.c.symbol == symbol)
        )
        .mappings()
        .one_or_none()
    )
    return Holding(sleeve, symbol, _ZERO, _ZERO) if row is None else Holding(**row)


def _write(connection: Connection, holding: Holding) -> None:
    here = (holdings.c.sleeve == holding.sleeve, holdings.c.symbol == holding.symbol)
    values = {"quantity": holding.quantity, "cost_usd": holding.cost_usd}
    if holding.quantity == _ZERO:
        connection.execute(delete(holdings).where(*here))
    elif not connection.execute(update(holdings).where(*here).values(values)).rowcount:
        connection.execute(
            insert(holdings).values(sleeve=holding.sleeve, symbol=holding.symbol, **values)
        )


def _row(fill: Fill) -> dict[str, object]:
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
