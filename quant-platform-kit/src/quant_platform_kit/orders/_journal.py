"""The write-ahead journal: a committed row before every broker call."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from quant_platform_kit.contracts import (
    Leg,
    OrderLine,
    OrderRequest,
    OrderStatus,
    Side,
    canonical,
    decode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import Clock
from quant_platform_kit.store import Store, fills, orders

# Built once: an order's row is written between a check and a broker call, and should not dawdle.
_INSERT = insert(orders)
_FINAL = tuple(status.value for status in OrderStatus if status.is_final)


@dataclass(frozen=True, slots=True)
class JournalOrder:
    """One row of the journal: what was meant, and how far it is known to have come."""

    client_id: str
    run_key: str
    symbol: str
    side: Side
    quantity: Decimal
    status: OrderStatus
    broker_order_id: str | None
    code: ReasonCode | None
    detail: str
    leg: Leg
    created_at: datetime

    def request(self) -> OrderRequest:
        """Return the order as it is handed to the broker."""
        return OrderRequest(self.client_id, self.symbol, self.side, self.quantity)


def client_id(run_key: str, symbol: str, side: Side, number: int) -> str:
    """Return the deterministic id of the `number`-th order of `symbol` in a run.

    The same order of the same run has the same id on every attempt, so a broker that already has
    it can be asked for it. 28 characters, within every supported broker's limit.
    """
    text = f"{run_key}|{symbol}|{side.value}|{number}"
    code = base64.b32encode(hashlib.sha256(text.encode()).digest()[:15]).decode().lower()
    return f"qpk-{code}"


class Journal:
    """Orders of one account, and what is known about each.

    Every method commits before it returns.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._numbered: tuple[str, Counter[str]] = ("", Counter())

    def write(self, run_key: str, leg: Leg) -> JournalOrder:
        """Record that `leg` is about to be sent; only then may the broker be called."""
        now, text = self._clock.now(), canonical(leg)
        with self._store.begin() as connection:
            written = self._written(connection, run_key)
            number, position = written[leg.symbol], written.total()
            row = {
                "client_id": client_id(run_key, leg.symbol, leg.side, number),
                "run_key": run_key,
                "number": number,
                "position": position,
                "symbol": leg.symbol,
                "side": leg.side.value,
                "quantity": leg.quantity,
                "status": OrderStatus.SUBMITTING.value,
                "broker_order_id": None,
                "code": None,
                "detail": "",
                "leg": text,
                "created_at": now,
                "updated_at": now,
            }
            connection.execute(_INSERT, row)
        written[leg.symbol] += 1
        return _order(row, leg)

    def _written(self, connection: Connection, run_key: str) -> Counter[str]:
        """Return how many orders of each symbol a run has; the table is asked once a run.

        A run has one writer, which holds the lease. Were there another, the table would refuse
        the number that both give.
        """
        if self._numbered[0] != run_key:
            symbols = connection.scalars(select(orders.c.symbol).where(orders.c.run_key == run_key))
            self._numbered = run_key, Counter(symbols)
        return self._numbered[1]

    def mark(
        self,
        client_id: str,
        status: OrderStatus,
        *,
        broker_order_id: str | None = None,
        code: ReasonCode | None = None,
        detail: str = "",
    ) -> None:
        """Record what is now known. A final status is never left again."""
        values: dict[str, Any] = {"status": status.value, "updated_at": self._clock.now()}
        if broker_order_id is not None:
            values["broker_order_id"] = broker_order_id
        if code is not None:
            values |= {"code": code.value, "detail": detail}
        with self._store.begin() as connection:
            connection.execute(
                update(orders)
                .where(orders.c.client_id == client_id, orders.c.status.not_in(_FINAL))
                .values(values)
            )

    def unfinished(self) -> tuple[JournalOrder, ...]:
        """Return every order whose end is not known, oldest first."""
        return self._select(orders.c.status.not_in(_FINAL))

    def of_run(self, run_key: str) -> tuple[JournalOrder, ...]:
        """Return a run's orders in the order they were written."""
        return self._select(orders.c.run_key == run_key)

    def known(self, client_ids: Sequence[str]) -> frozenset[str]:
        """Return those of `client_ids` that are in the journal."""
        with self._store.begin() as connection:
            return frozenset(
                connection.scalars(
                    select(orders.c.client_id).where(orders.c.client_id.in_(client_ids))
                )
            )

    def find(self, text: str) -> tuple[JournalOrder, ...]:
        """Return orders whose client id starts with `text`, or whose broker id is `text`."""
        return self._select(
            or_(
                orders.c.client_id.startswith(text, autoescape=True),
                orders.c.broker_order_id == text,
            )
        )

    def lines(self, run_key: str) -> tuple[OrderLine, ...]:
        """Return a run's orders with what their fills add up to, for the report."""
        booked = self._booked(run_key)
        return tuple(_line(order, booked.get(order.client_id)) for order in self.of_run(run_key))

    def booked_quantity(self, client_id: str) -> Decimal:
        """Return the shares that the ledger has booked for one order."""
        with self._store.begin() as connection:
            quantities = connection.scalars(
                select(fills.c.quantity).where(fills.c.client_id == client_id)
            )
            return sum(quantities, Decimal(0))

    def _select(self, condition: Any) -> tuple[JournalOrder, ...]:  # noqa: ANN401 (SQL expression)
        with self._store.begin() as connection:
            rows = connection.execute(
                select(orders)
                .where(condition)
                .order_by(orders.c.created_at, orders.c.run_key, orders.c.position)
            ).mappings()
            return tuple(_order(row) for row in rows)

    def _booked(self, run_key: str) -> dict[str, _Booked]:
        totals: dict[str, _Booked] = {}
        with self._store.begin() as connection:
            rows = connection.execute(
                select(fills.c.client_id, fills.c.quantity, fills.c.price_usd, fills.c.fee_usd)
                .join(orders, orders.c.client_id == fills.c.client_id)
                .where(orders.c.run_key == run_key)
            )
            for order_id, quantity, price, fee in rows:
                before = totals.get(order_id, _Booked())
                totals[order_id] = _Booked(
                    before.quantity + quantity,
                    before.notional_usd + quantity * price,
                    before.fee_usd + fee,
                )
        return totals


@dataclass(frozen=True, slots=True)
class _Booked:
    quantity: Decimal = Decimal(0)
    notional_usd: Decimal = Decimal(0)
    fee_usd: Decimal = Decimal(0)


def _order(row: Mapping[str, Any] | RowMapping, leg: Leg | None = None) -> JournalOrder:
    return JournalOrder(
        client_id=row["client_id"],
        run_key=row["run_key"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        status=OrderStatus(row["status"]),
        broker_order_id=row["broker_order_id"],
        code=None if row["code"] is None else ReasonCode(row["code"]),
        detail=row["detail"],
        leg=leg or decode(Leg, json.loads(row["leg"])),
        created_at=row["created_at"],
    )


def _line(order: JournalOrder, booked: _Booked | None) -> OrderLine:
    booked = booked or _Booked()
    return OrderLine(
        client_id=order.client_id,
        broker_order_id=order.broker_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        filled_quantity=booked.quantity,
        average_price_usd=booked.notional_usd / booked.quantity if booked.quantity else None,
        fee_usd=booked.fee_usd,
        status=order.status,
        code=order.code,
        detail=order.detail,
        leg=order.leg,
    )
