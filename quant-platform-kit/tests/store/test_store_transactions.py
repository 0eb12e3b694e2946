"""What both databases promise: all or nothing, one state to read, rows that are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select
from sqlalchemy.exc import IntegrityError

from quant_platform_kit import store as room
from quant_platform_kit.errors import ReasonCode, StopAndTell
from quant_platform_kit.store import (
    Store,
    fills,
    gate,
    holdings,
    leases,
    metadata,
    orders,
    runs,
    transactions,
)
from quant_platform_kit.store._store import _SEED

OpenStore = Callable[[Path], Store]
NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
ONE = Decimal(1)
HALTED = {"name": "trading", "mode": "halted", "who": "operator", "why": "looks odd", "since": NOW}
RUN: dict[str, Any] = {"run_key": "key", "attempt": 1, "started_at": NOW, "consumed": False}
ORDER: dict[str, Any] = {
    "client_id": "qpk-1",
    "run_key": "key",
    "number": 0,
    "position": 0,
    "symbol": "SPY",
    "side": "buy",
    "quantity": ONE,
    "purpose": "rebalance",
    "order_type": "market",
    "time_in_force": "day",
    "status": "submitting",
    "detail": "",
    "leg": "{}",
    "created_at": NOW,
    "updated_at": NOW,
}
FILL: dict[str, Any] = {
    "fill_id": "f-1",
    "client_id": "qpk-1",
    "broker_order_id": "b-1",
    "symbol": "SPY",
    "side": "buy",
    "quantity": ONE,
    "price_usd": ONE,
    "fee_usd": Decimal(0),
    "at": NOW,
}
HOLDING: dict[str, Any] = {"sleeve": "a", "symbol": "SPY", "quantity": ONE, "cost_usd": ONE}
LEASE: dict[str, Any] = {"account": "ibkr-1", "holder": "here:1", "since": NOW}
MOVE: dict[str, Any] = {
    "at": NOW,
    "sleeve": "a",
    "kind": "buy",
    "quantity": ONE,
    "cost_usd": ONE,
    "amount_usd": -ONE,
    "fee_usd": Decimal(0),
    "realised_usd": Decimal(0),
    "fill_id": "f-1",
    "note": "",
}


@pytest.fixture
def full(store: Store) -> Store:
    """Return a store with one row of each kind."""
    with store.begin() as connection:
        for table, row in (
            (runs, RUN),
            (orders, ORDER),
            (fills, FILL),
            (holdings, HOLDING),
            (transactions, MOVE),
            (leases, LEASE),
            (gate, HALTED),
        ):
            connection.execute(insert(table).values(row))
    return store


def test_what_was_committed_is_there_for_another_process(
    open_store: OpenStore, tmp_path: Path
) -> None:
    with open_store(tmp_path).begin() as connection:
        connection.execute(insert(gate).values(HALTED))
    with open_store(tmp_path).begin() as connection:
        row = dict(connection.execute(select(gate)).mappings().one())
    assert row | HALTED == row


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    def halfway() -> None:
        with store.begin() as connection:
            connection.execute(insert(gate).values(HALTED))
            raise KeyError

    with pytest.raises(KeyError):
        halfway()
    with store.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(gate)) == 0


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (fills, FILL),
        (fills, FILL | {"fill_id": "f-2", "client_id": "nobody's"}),
        (fills, FILL | {"fill_id": "f-2", "quantity": Decimal(0)}),
        (fills, FILL | {"fill_id": "f-2", "quantity": Decimal("-0.5")}),
        (fills, FILL | {"fill_id": "f-2", "price_usd": Decimal("0.00")}),
        (fills, FILL | {"fill_id": "f-2", "fee_usd": Decimal("-0.01")}),
        (fills, FILL | {"fill_id": "f-2", "side": "short"}),
        (orders, ORDER),
        (orders, ORDER | {"client_id": "qpk-2"}),
        (orders, ORDER | {"client_id": "qpk-2", "number": 1, "run_key": "unknown"}),
        (orders, ORDER | {"client_id": "qpk-2", "number": 1, "quantity": Decimal(0)}),
        (orders, ORDER | {"client_id": "qpk-2", "number": 1, "status": "perhaps"}),
        (orders, ORDER | {"client_id": "qpk-2", "number": -1}),
        (runs, RUN),
        (runs, RUN | {"run_key": "other", "attempt": 0}),
        (holdings, HOLDING),
        (holdings, HOLDING | {"symbol": "IEF", "quantity": Decimal(0)}),
        (transactions, MOVE),
        (transactions, MOVE | {"fill_id": None, "kind": "gift"}),
        (transactions, MOVE | {"fill_id": "unheard of"}),
        (leases, LEASE | {"holder": "there:2"}),
    ],
    ids=[
        "duplicate fill",
        "fill of no order",
        "fill of nothing",
        "fill below nothing",
        "fill for nothing",
        "fee below nothing",
        "fill of no side",
        "duplicate order",
        "two orders of a number",
        "order of no run",
        "order of nothing",
        "order of no status",
        "order before the first",
        "duplicate run",
        "attempt before the first",
        "duplicate holding",
        "holding of nothing",
        "fill booked twice",
        "movement of no kind",
        "movement of no fill",
        "second lease",
    ],
)
def test_the_database_refuses(full: Store, table: Table, row: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), full.begin() as connection:
        connection.execute(insert(table).values(row))


def test_two_transactions_that_change_what_both_have_read_cannot_both_be_kept(
    open_store: OpenStore, tmp_path: Path, full: Store
) -> None:
    # On SQLite the second one waits at its beginning, on PostgreSQL it fails at its change.
    other = open_store(tmp_path)
    if full.path is not None:
        return
    change = gate.update().where(gate.c.name == "trading")

    def both() -> None:
        with full.begin() as late:
            late.execute(select(gate.c.mode))
            with other.begin() as early:
                early.execute(change.values(mode="active"))
            late.execute(change.values(mode="reducing"))

    with pytest.raises(StopAndTell) as refused:
        both()
    assert refused.value.code is ReasonCode.STORE_UNAVAILABLE
    with other.begin() as connection:
        assert connection.scalar(select(gate.c.mode)) == "active"


def test_a_scratch_store_takes_over_what_is_known(full: Store, tmp_path: Path) -> None:
    scratch = Store.open(tmp_path / "scratch.sqlite3")
    scratch.seed_from(full)
    with scratch.begin() as connection:
        for table, row in ((gate, HALTED), (holdings, HOLDING), (runs, RUN), (transactions, MOVE)):
            kept = dict(connection.execute(select(table)).mappings().one())
            assert kept | row == kept
        assert connection.scalar(select(func.count()).select_from(leases)) == 0
    scratch.clear()
    with scratch.begin() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in metadata.sorted_tables
        }
    scratch.close()
    assert set(counts.values()) == {0}


def test_a_scratch_store_takes_over_every_row_that_its_rows_name() -> None:
    taken = {table.name for table in _SEED}
    named = {key.column.table.name for table in _SEED for key in table.foreign_keys}
    assert named <= taken


def test_the_door_is_sorted_and_holds_what_it_names() -> None:
    assert room.__all__ == sorted(room.__all__, key=lambda name: (name[0].islower(), name))
    assert all(hasattr(room, name) for name in room.__all__)
