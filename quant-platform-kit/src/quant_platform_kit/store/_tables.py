"""Every table, and the column types that keep money exact and times aware.

A change here needs a migration: ``python quant-platform-kit/scripts/write_migration.py``.
Amounts and instants are text in the database, so their sums and comparisons are made in Python.
No text has a length: PostgreSQL would refuse what SQLite keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from quant_platform_kit.contracts import (
    MovementKind,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# Every constraint has a name, on which a later migration can lay its hand.
metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)


class Exact(TypeDecorator[Decimal]):
    """A Decimal stored as its own text: no binary float ever touches money or shares."""

    impl = String()
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write the plain decimal text."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 (the ORM's signature)
        """Read the text back, digit for digit."""
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime stored as ISO text, which sorts by time in every database."""

    impl = String()
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write UTC with microseconds, always at the same width."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the ORM's signature)
        """Read an aware datetime."""
        return None if value is None else datetime.fromisoformat(value)


class Day(TypeDecorator[date]):
    """A session's date, stored as ISO text."""

    impl = String()
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write the ISO date."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002 (the ORM's signature)
        """Read the date."""
        return None if value is None else date.fromisoformat(value)


def _above_zero(column: str) -> CheckConstraint:
    return CheckConstraint(f"CAST({column} AS NUMERIC) > 0", name=f"{column}_above_zero")


def _not_negative(column: str) -> CheckConstraint:
    return CheckConstraint(f"CAST({column} AS NUMERIC) >= 0", name=f"{column}_not_negative")


def _one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


runs = Table(
    "runs",
    metadata,
    Column("run_key", String, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("frame", Text),  # decisions and capital base, so that a resumed run keeps them
    Column("consumed", Boolean, nullable=False),
    Column("finished_at", Instant),
    Column("report", Text),
    CheckConstraint("attempt > 0", name="attempt_above_zero"),
)

leases = Table(
    "leases",
    metadata,
    Column("account", String, primary_key=True),  # one lease of an account, or none
    Column("holder", String, nullable=False),
    Column("since", Instant, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("client_id", String, primary_key=True),
    Column("run_key", String, ForeignKey("runs.run_key"), nullable=False, index=True),
    Column("number", Integer, nullable=False),  # of this symbol in this run
    Column("position", Integer, nullable=False),  # in the order of submission
    Column("purpose", String, nullable=False),
    Column(
        "parent_client_id",  # whose purchase a stop protects; a copy may hold the child first
        String,
        ForeignKey("orders.client_id", deferrable=True, initially="DEFERRED"),
    ),
    Column("symbol", String, nullable=False),
    Column("side", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("order_type", String, nullable=False),
    Column("limit_price_usd", Exact),
    Column("stop_price_usd", Exact),  # of a trailing stop: where its trigger was last seen
    Column("trailing_ratio", Exact),
    Column("time_in_force", String, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("sent_at", Instant),  # committed before the broker is called; none: it never was
    Column("broker_order_id", String),
    Column("code", String),
    Column("detail", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("run_key", "symbol", "number", name="one_order_per_number"),
    _one_of("purpose", Purpose),
    _one_of("side", Side),
    _one_of("order_type", OrderType),
    _one_of("time_in_force", TimeInForce),
    _one_of("status", OrderStatus),
    _above_zero("quantity"),
    _above_zero("limit_price_usd"),
    _above_zero("stop_price_usd"),
    _above_zero("trailing_ratio"),
    CheckConstraint("number >= 0 AND position >= 0", name="counted_from_zero"),
)

fills = Table(
    "fills",
    metadata,
    Column("fill_id", String, primary_key=True),  # the broker's: a duplicate cannot be booked
    Column("client_id", String, ForeignKey("orders.client_id"), nullable=False, index=True),
    Column("broker_order_id", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("side", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price_usd", Exact, nullable=False),
    Column("fee_usd", Exact, nullable=False),
    Column("at", Instant, nullable=False),
    _one_of("side", Side),
    _above_zero("quantity"),
    _above_zero("price_usd"),
    _not_negative("fee_usd"),
)

protections = Table(  # what each sleeve last asked for; a holding is protected while it is there
    "protections",
    metadata,
    Column("sleeve", String, primary_key=True),
    Column("symbol", String, primary_key=True),
    Column("stop_loss_pct", Exact),
    Column("trailing_stop_pct", Exact),
    _above_zero("stop_loss_pct"),
    _above_zero("trailing_stop_pct"),
)

# The ledger: who owns which shares and which dollars, and everything that moved them.

holdings = Table(
    "holdings",
    metadata,
    Column("sleeve", String, primary_key=True),
    Column("symbol", String, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost_usd", Exact, nullable=False),
    _above_zero("quantity"),
)

cash = Table(
    "cash",
    metadata,
    Column("sleeve", String, primary_key=True),
    Column("amount_usd", Exact, nullable=False),
)

movements = Table(  # what moved the broker's cash beside trades, each booked once
    "movements",
    metadata,
    Column("movement_id", String, primary_key=True),  # the broker's: a duplicate cannot be booked
    Column("at", Instant, nullable=False),
    Column("kind", String, nullable=False),
    Column("symbol", String),
    Column("amount_usd", Exact, nullable=False),
    Column("text", Text, nullable=False),
    _one_of("kind", MovementKind),
)

_KINDS = ("buy", "sell", "dividend", "tax", "fee", "interest", "transfer", "adoption", "split")

transactions = Table(
    "transactions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("run_key", String),
    Column("sleeve", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("symbol", String),
    Column("quantity", Exact, nullable=False),  # what it does to the holding, and to its cost:
    Column("cost_usd", Exact, nullable=False),
    Column("price_usd", Exact),
    Column("amount_usd", Exact, nullable=False),  # what it does to the sleeve's cash
    Column("fee_usd", Exact, nullable=False),
    Column("realised_usd", Exact, nullable=False),
    Column("fill_id", String, ForeignKey("fills.fill_id")),
    Column("movement_id", String, ForeignKey("movements.movement_id")),
    Column("note", Text, nullable=False),
    UniqueConstraint("fill_id", "sleeve", name="one_booking_per_fill_and_sleeve"),
    UniqueConstraint("movement_id", "sleeve", name="one_booking_per_movement_and_sleeve"),
    _one_of("kind", _KINDS),
    _not_negative("fee_usd"),
)

daily = Table(
    "daily",
    metadata,
    Column("session", Day, primary_key=True),
    Column("sleeve", String, primary_key=True),
    Column("equity_usd", Exact, nullable=False),
    Column("cash_usd", Exact, nullable=False),
    Column("realised_usd", Exact, nullable=False),
    Column("unrealised_usd", Exact, nullable=False),
    Column("flow_usd", Exact, nullable=False),  # came less went since the first day, not earned
    Column("positions", Text, nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("code", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_key", String),
    Column("at", Instant, nullable=False),
    Column("result", Text, nullable=False),
)

# Risk: whether trading is on, and how much of it.

gate = Table(
    "gate",
    metadata,
    Column("name", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
)

pauses = Table(
    "pauses",
    metadata,
    Column("strategy", String, primary_key=True),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

bias = Table(
    "bias",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),  # as it was given: an invalid one must be seen
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

peaks = Table(
    "peaks",
    metadata,
    Column("name", String, primary_key=True),
    Column("profit_usd", Exact, nullable=False),  # not equity: deposits are no gain
    Column("at", Instant, nullable=False),
)

# Two chains of hashes: what operators did, and why every order exists.

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_sha256", String, nullable=False),
    Column("sha256", String, nullable=False, unique=True),
)

evidence = Table(
    "evidence",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("run_key", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("previous_sha256", String, nullable=False),
    Column("sha256", String, nullable=False, unique=True),
)

# What an adapter has to remember because its broker does not; the newest line about a thing counts.

notes = Table(
    "notes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("line", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_key", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("channel", String, nullable=False),  # a digest of the address, never the address
    Column("language", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sent_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("run_key", "attempt", "channel", "language", name="one_message_per_attempt"),
)
