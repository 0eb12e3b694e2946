"""The write-ahead journal: a committed row before every broker call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from quant_platform_kit.contracts import (
    EvidenceKind,
    Fact,
    Leg,
    OrderLine,
    OrderStatus,
    Purpose,
    Side,
    TimeInForce,
    Verdict,
    canonical,
)
from quant_platform_kit.errors import BrokerAnswerError, ContractError, ReasonCode
from quant_platform_kit.market import Clock
from quant_platform_kit.orders._rows import (
    Booked,
    Draft,
    JournalOrder,
    Purchase,
    line_of,
    order_of,
    row_of,
)
from quant_platform_kit.orders._states import after, open_to
from quant_platform_kit.store import Store, attest, attest_once, fills, orders, transactions

# Built once: an order's row is written between a check and a broker call, and should not dawdle.
_INSERT = insert(orders)
_AT: Final = bindparam("at", type_=orders.c.sent_at.type)
_SUBMITTING = (
    update(orders)
    .where(orders.c.client_id == bindparam("order"), orders.c.status == OrderStatus.PENDING.value)
    .values(status=OrderStatus.SUBMITTING.value, sent_at=_AT, updated_at=_AT)
)
_FINAL = tuple(status.value for status in OrderStatus if status.is_final)
_OPEN_TO = {news: [state.value for state in open_to(news)] for news in OrderStatus}
_RESTS = and_(
    orders.c.status == OrderStatus.SUBMITTED.value,
    orders.c.time_in_force == TimeInForce.GTC.value,
)
_PROTECTS = tuple(purpose.value for purpose in Purpose if purpose.protects)
_SENT = orders.c.sent_at.is_not(None)


class Journal:
    """Orders of one account, and what is known about each.

    Every method commits before it returns.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._numbered: tuple[str, Counter[str]] = ("", Counter())

    def write(self, run_key: str, drafts: Sequence[Draft]) -> tuple[JournalOrder, ...]:
        """Record the orders that a phase of a run means to send, all of them or none: PENDING.

        They are sent one by one, each after `submitting` has said so. What is still PENDING when
        the process dies was never handed to the broker: it is void without a question.
        """
        now, rows = self._clock.now(), []
        with self._store.begin() as connection:
            written = self._written(connection, run_key).copy()
            for draft in drafts:
                leg = draft.leg
                rows.append(row_of(draft, run_key, written[leg.symbol], written.total(), now))
                written[leg.symbol] += 1
            meant = tuple(
                order_of(row, draft.leg, draft.terms)
                for row, draft in zip(rows, drafts, strict=True)
            )
            if rows:
                connection.execute(_INSERT, rows)
                attest(connection, run_key, [_fact(order) for order in meant])
        self._numbered = run_key, written
        return meant

    def submitting(self, order: JournalOrder, leg: Leg | None = None) -> JournalOrder:
        """Record that `order` is about to be sent; only then may the broker be called.

        Parameters
        ----------
        order : JournalOrder
            PENDING.
        leg : Leg, optional
            Its leg as the last checks allow it, where that is smaller.

        Raises
        ------
        ContractError
            When the order is not PENDING; the broker must not be called.
        """
        now, leg = self._clock.now(), leg or order.leg
        smaller: dict[str, object] = {}
        if leg is not order.leg:
            smaller = {"quantity": leg.quantity, "leg": canonical(leg)}
        sent = replace(
            order, status=OrderStatus.SUBMITTING, sent_at=now, leg=leg, quantity=leg.quantity
        )
        with self._store.begin() as connection:
            statement = _SUBMITTING.values(smaller) if smaller else _SUBMITTING
            moved = connection.execute(statement, {"order": order.client_id, "at": now}).rowcount
            if not moved:
                raise ContractError(
                    f"order {order.client_id} for {order.symbol} is not pending any more; it was "
                    "not sent again"
                )
            if smaller:
                attest(connection, order.run_key, [_fact(sent)])
        return sent

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
        news: OrderStatus,
        *,
        broker_order_id: str | None = None,
        code: ReasonCode | None = None,
        detail: str = "",
        trigger_usd: Decimal | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Record what is now heard of an order; late and repeated news change nothing.

        Parameters
        ----------
        client_id : str
        news : OrderStatus
        broker_order_id : str, optional
        code : ReasonCode, optional
            Why, with `detail`; without one the last reason stays.
        detail : str
        trigger_usd : Decimal, optional
            Where the broker has a trailing stop's trigger now.
        verdict : Verdict, optional
            The checks that let the order be sent, for its evidence.

        Raises
        ------
        BrokerAnswerError
            When the news cannot be true beside what is known; nothing was changed.
        """
        values: dict[str, Any] = {"status": news.value, "updated_at": self._clock.now()}
        if broker_order_id is not None:
            values["broker_order_id"] = broker_order_id
        if trigger_usd is not None:
            values["stop_price_usd"] = trigger_usd
        if code is not None:
            values |= {"code": code.value, "detail": detail}
        heard = {
            "status": news,
            "broker_order_id": broker_order_id,
            "code": code,
            "detail": detail,
            "verdict": verdict,
        }
        with self._store.begin() as connection:
            run_key = connection.scalar(
                update(orders)
                .where(orders.c.client_id == client_id, orders.c.status.in_(_OPEN_TO[news]))
                .values(values)
                .returning(orders.c.run_key)
            )
            if run_key is None:
                _require_possible(connection, client_id, news)
            else:
                attest_once(connection, run_key, [Fact(EvidenceKind.ANSWER, client_id, heard)])

    def withdraw_pending(self) -> None:
        """Void every order that a run meant to send and did not come to: nobody else has them."""
        void = {
            "status": OrderStatus.CANCELLED.value,
            "code": ReasonCode.NEVER_SENT.value,
            "detail": "Its run ended before it was handed to the broker.",
        }
        with self._store.begin() as connection:
            rows = connection.execute(
                update(orders)
                .where(orders.c.status == OrderStatus.PENDING.value)
                .values(void | {"updated_at": self._clock.now()})
                .returning(orders.c.run_key, orders.c.client_id)
            ).all()
            for run_key, order_id in sorted(tuple(row) for row in rows):
                attest(connection, run_key, [Fact(EvidenceKind.ANSWER, order_id, void)])

    def unfinished(self) -> tuple[JournalOrder, ...]:
        """Return every order that was sent and whose end must be known before its symbol trades.

        Oldest first. Without the protective stops that the broker has confirmed: see `resting`.
        """
        return self._select(orders.c.status.not_in(_FINAL) & _SENT & ~_RESTS)

    def resting(self) -> tuple[JournalOrder, ...]:
        """Return the orders that wait at the broker for their price, longer than any run."""
        return self._select(_RESTS)

    def waiting_ids(self) -> frozenset[str]:
        """Return the client ids of all orders that may be waiting for their price."""
        with self._store.begin() as connection:
            return frozenset(
                connection.scalars(
                    select(orders.c.client_id).where(
                        orders.c.status.not_in(_FINAL),
                        orders.c.time_in_force == TimeInForce.GTC.value,
                    )
                )
            )

    def get(self, client_id: str) -> JournalOrder:
        """Return the order with this client id.

        Raises
        ------
        ContractError
            When the journal has none.
        """
        found = self._select(orders.c.client_id == client_id)
        if not found:
            raise _no_such(client_id)
        return found[0]

    def protecting(self, symbol: str) -> tuple[JournalOrder, ...]:
        """Return the stops of a symbol that were ever sent, oldest first."""
        return self._select((orders.c.symbol == symbol) & orders.c.purpose.in_(_PROTECTS) & _SENT)

    def purchases(self, symbol: str) -> tuple[Purchase, ...]:
        """Return the orders that bought shares of a symbol, oldest first."""
        bought = (orders.c.symbol == symbol) & (orders.c.side == Side.BUY.value) & _SENT
        booked = self._booked(bought)
        return tuple(
            Purchase(order, sums.quantity, sums.notional_usd / sums.quantity)
            for order in self._select(bought)
            if (sums := booked.get(order.client_id)) is not None
        )

    def of_run(self, run_key: str) -> tuple[JournalOrder, ...]:
        """Return the orders that a run sent, in the order they were written."""
        return self._select((orders.c.run_key == run_key) & _SENT)

    def of(self, client_ids: Collection[str]) -> tuple[JournalOrder, ...]:
        """Return those of the orders `client_ids` that are in the journal, oldest first."""
        return self._select(orders.c.client_id.in_(set(client_ids))) if client_ids else ()

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
        booked = self._booked(orders.c.run_key == run_key)
        return tuple(line_of(order, booked.get(order.client_id)) for order in self.of_run(run_key))

    def sold_by_stops(self, run_key: str) -> dict[str, Decimal]:
        """Return the shares that protective stops sold, as a run booked them, by symbol."""
        by_run = select(transactions.c.fill_id).where(transactions.c.run_key == run_key)
        booked = self._booked(orders.c.purpose.in_(_PROTECTS) & fills.c.fill_id.in_(by_run))
        sold: dict[str, Decimal] = {}
        for stop in self.of(booked.keys()):
            quantity = booked[stop.client_id].quantity
            sold[stop.symbol] = sold.get(stop.symbol, Decimal(0)) + quantity
        return sold

    def booked_quantity(self, client_id: str) -> Decimal:
        """Return the shares that the ledger has booked for one order."""
        return self.booked_quantities([client_id]).get(client_id, Decimal(0))

    def booked_quantities(self, client_ids: Collection[str]) -> dict[str, Decimal]:
        """Return the shares that the ledger has booked, by order; of orders with any."""
        return {
            client_id: booked.quantity
            for client_id, booked in self._booked(orders.c.client_id.in_(set(client_ids))).items()
        }

    def _select(self, condition: Any) -> tuple[JournalOrder, ...]:  # noqa: ANN401 (SQL expression)
        with self._store.begin() as connection:
            rows = connection.execute(
                select(orders)
                .where(condition)
                .order_by(orders.c.created_at, orders.c.run_key, orders.c.position)
            ).mappings()
            return tuple(order_of(row) for row in rows)

    def _booked(self, condition: Any) -> dict[str, Booked]:  # noqa: ANN401 (SQL expression)
        totals: dict[str, Booked] = {}
        with self._store.begin() as connection:
            rows = connection.execute(
                select(fills.c.client_id, fills.c.quantity, fills.c.price_usd, fills.c.fee_usd)
                .join(orders, orders.c.client_id == fills.c.client_id)
                .where(condition)
            )
            for order_id, quantity, price, fee in rows:
                before = totals.get(order_id, Booked())
                totals[order_id] = Booked(
                    before.quantity + quantity,
                    before.notional_usd + quantity * price,
                    before.fee_usd + fee,
                )
        return totals


def _fact(order: JournalOrder) -> Fact:
    content = {"order": order.request(), "purpose": order.purpose, "leg": order.leg}
    return Fact(EvidenceKind.ORDER, order.client_id, content)


def _require_possible(connection: Connection, client_id: str, news: OrderStatus) -> None:
    """Raise unless `news` are merely late."""
    row = connection.execute(
        select(orders.c.status, orders.c.symbol).where(orders.c.client_id == client_id)
    ).first()
    if row is None:
        raise _no_such(client_id)
    state = OrderStatus(row.status)
    if after(state, news) is None:
        raise BrokerAnswerError(
            f"The order {client_id} for {row.symbol} is {state.value} in the journal, and the "
            f"broker now says {news.value}: both cannot be. Nothing more was sent. Look at the "
            "order and its executions at the broker, then reconcile.",
            symbol=row.symbol,
        )


def _no_such(client_id: str) -> ContractError:
    return ContractError(f"the journal has no order {client_id}")
