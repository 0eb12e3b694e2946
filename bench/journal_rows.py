"""Journal: committed order rows per second against raw INSERT and COMMIT on the same disk."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import Contribution, Leg, Side
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import Draft, Journal
from quant_platform_kit.store import AccountLease, RunBook, Store

ROWS = 100
_ROUNDS = 15
_TARGET = 0.5
_NOW = datetime(2022, 12, 30, 20, 45, tzinfo=UTC)
_RUN = "ibkr-1:2022-12-30:close"


def legs() -> tuple[Leg, ...]:
    """Return what a run of `ROWS` orders is for."""
    some = Decimal(20_000)
    return tuple(
        Leg(
            symbol=f"S{number:04d}",
            side=Side.BUY,
            quantity=Decimal(100),
            price_usd=Decimal("101.37"),
            price_at=_NOW,
            target_usd=some,
            current_usd=some / 2,
            target_quantity=Decimal(197),
            current_quantity=Decimal(97),
            exact_quantity=Decimal("197.2970306796882706915260925"),
            contributors=(Contribution("bench", Decimal("0.01")),),
        )
        for number in range(ROWS)
    )


def through_the_journal(store: Store) -> Callable[[], object]:
    """Return work that commits `ROWS` orders as pending together, then each before its call."""
    journal, numbers = Journal(store, SimulatedClock(_NOW)), iter(range(10**6))
    wanted = [Draft(leg) for leg in legs()]

    def work() -> None:
        run_key = f"{_RUN}-{next(numbers)}"
        RunBook(store).open(run_key, _NOW)
        for order in journal.write(run_key, wanted):
            journal.submitting(order)

    return work


def raw(database: sqlite3.Connection, row: dict[str, object]) -> Callable[[], object]:
    """Return work that commits as many rows like `row` without any of the platform's code."""
    # Ids without an order, as ours are: an index takes those at every place, not at its end.
    ids = (hashlib.sha256(str(each).encode()).hexdigest()[:28] for each in count())
    names = ", ".join(row)
    statement = f"INSERT INTO orders ({names}) VALUES ({', '.join(f':{name}' for name in row)})"  # noqa: S608 (our own columns)
    numbers = count()

    def work() -> None:
        for _ in range(ROWS):
            number = next(numbers)
            unique = {"client_id": next(ids), "number": number, "position": number}
            database.execute("BEGIN IMMEDIATE")
            database.execute(statement, row | unique)
            database.execute("COMMIT")

    return work


def example(path: Path) -> dict[str, object]:
    """Return a row as the journal writes it."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return dict(database.execute("SELECT * FROM orders LIMIT 1").fetchone())


def run() -> BenchResult:
    """Measure rows per second of both, each in a file of its own on the same disk."""
    with TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "journal.sqlite3", Path(folder) / "raw.sqlite3"
        store, other = Store.open(ours), Store.open(theirs)
        for each in (store, other):
            RunBook(each).open(_RUN, _NOW)
        Journal(store, SimulatedClock(_NOW)).write(_RUN, [Draft(legs()[0])])
        other.close()
        with closing(sqlite3.connect(theirs, isolation_level=None)) as database:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                database.execute(f"PRAGMA {pragma}")
            competitors = {
                "journal": through_the_journal(store),
                "raw": raw(database, example(ours)),
            }
            with AccountLease(store, "bench", lambda: _NOW).held():  # as in every run
                seconds = interleaved_medians(competitors, rounds=_ROUNDS)
        store.close()
    rate, floor = ROWS / seconds["journal"], ROWS / seconds["raw"]
    return BenchResult(
        what="journal: order rows, each committed before its broker call (SQLite, WAL, fsync)",
        figure=f"{rate:,.0f} rows a second (raw INSERT and COMMIT: {floor:,.0f})",
        ratio=f"{rate / floor:.2f}x the raw rate on the same disk",
        target=f"at least {_TARGET}x",
        met=rate / floor >= _TARGET,
    )


if __name__ == "__main__":
    print(run())
