"""Every table, and the column types that keep money exact and times aware."""

from __future__ import annotations

from datetime import UTC, date, datetime
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


class Day(TypeDecorator[date]):
    """A session's date, stored as ISO text."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the ORM's signature)
        """Write the ISO date."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002 (the ORM's signature)
        """Read the date."""
        return None if value is None else date.fromisoformat(value)


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

# The ledger: who owns which shares and which dollars, and everything that moved them.

holdings = Table(
    "holdings",
    metadata,
    Column("sleeve", String(64), primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost_usd", Exact, nullable=False),
)

cash = Table(
    "cash",
    metadata,
    Column("sleeve", String(64), primary_key=True),
    Column("amount_usd", Exact, nullable=False),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("run_key", String(120)),
    Column("sleeve", String(64), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("symbol", String(32)),
    Column("quantity", Exact, nullable=False),
    Column("price_usd", Exact),
    Column("amount_usd", Exact, nullable=False),  # what it does to the sleeve's cash
    Column("fee_usd", Exact, nullable=False),
    Column("realised_usd", Exact, nullable=False),
    Column("fill_id", String(64)),
    Column("note", Text, nullable=False),
    UniqueConstraint("fill_id", "sleeve", name="one_booking_per_fill_and_sleeve"),
)

daily = Table(
    "daily",
    metadata,
    Column("session", Day, primary_key=True),
    Column("sleeve", String(64), primary_key=True),
    Column("equity_usd", Exact, nullable=False),
    Column("cash_usd", Exact, nullable=False),
    Column("realised_usd", Exact, nullable=False),
    Column("unrealised_usd", Exact, nullable=False),
    Column("positions", Text, nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("code", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_key", String(120)),
    Column("at", Instant, nullable=False),
    Column("result", Text, nullable=False),
)

# Risk: whether trading is on, and how much of it.

gate = Table(
    "gate",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("mode", String(12), nullable=False),
    Column("who", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
)

pauses = Table(
    "pauses",
    metadata,
    Column("strategy", String(64), primary_key=True),
    Column("who", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

bias = Table(
    "bias",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", String(32), nullable=False),  # as it was given: an invalid one must be seen
    Column("who", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

peaks = Table(
    "peaks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("equity_usd", Exact, nullable=False),
    Column("at", Instant, nullable=False),
)

# Two chains of hashes: what operators did, and why every order exists.

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
)

evidence = Table(
    "evidence",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("run_key", String(120), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("key", String(160), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("previous_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
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
