"""Every table, and the column types that keep money exact and times aware."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import (
    Boolean,
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

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

metadata = MetaData()


class Exact(TypeDecorator[Decimal]):
    """A Decimal stored as its own text: no binary float ever touches money or shares."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write the plain decimal text."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 (the ORM's signature)
        """Read the text back, digit for digit."""
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime stored as ISO text, which sorts by time in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write UTC with microseconds, always at the same width."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the ORM's signature)
        """Read an aware datetime."""
        return None if value is None else datetime.fromisoformat(value)


runs = Table(
    "runs",
    metadata,
    Column("run_key", String(120), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("frame", Text),  # decisions and capital base, so that a resumed run keeps them
    Column("consumed", Boolean, nullable=False),
    Column("finished_at", Instant),
    Column("report", Text),
)

orders = Table(
    "orders",
    metadata,
    Column("client_id", String(40), primary_key=True),
    Column("run_key", String(120), ForeignKey("runs.run_key"), nullable=False, index=True),
    Column("number", Integer, nullable=False),  # of this symbol in this run
    Column("position", Integer, nullable=False),  # in the order of submission
    Column("symbol", String(32), nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("status", String(12), nullable=False, index=True),
    Column("broker_order_id", String(64)),
    Column("code", String(32)),
    Column("detail", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("run_key", "symbol", "number", name="one_order_per_number"),
)

fills = Table(
    "fills",
    metadata,
    Column("fill_id", String(64), primary_key=True),  # the broker's: a duplicate cannot be booked
    Column("client_id", String(40), ForeignKey("orders.client_id"), nullable=False, index=True),
    Column("broker_order_id", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price_usd", Exact, nullable=False),
    Column("fee_usd", Exact, nullable=False),
    Column("at", Instant, nullable=False),
)

holdings = Table(
    "holdings",
    metadata,
    Column("sleeve", String(64), primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost_usd", Exact, nullable=False),
)

gate = Table(
    "gate",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("mode", String(12), nullable=False),
    Column("who", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_key", String(120), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("channel", String(64), nullable=False),  # a digest of the address, never the address
    Column("language", String(8), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sent_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("run_key", "attempt", "channel", "language", name="one_message_per_attempt"),
)
