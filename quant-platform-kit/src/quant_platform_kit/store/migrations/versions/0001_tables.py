"""The tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("audit_pk")),
        sa.UniqueConstraint("sha256", name=op.f("audit_sha256_uq")),
    )
    op.create_table(
        "bias",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("bias_pk")),
    )
    op.create_table(
        "cash",
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("amount_usd", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sleeve", name=op.f("cash_pk")),
    )
    op.create_table(
        "daily",
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("equity_usd", sa.String(), nullable=False),
        sa.Column("cash_usd", sa.String(), nullable=False),
        sa.Column("realised_usd", sa.String(), nullable=False),
        sa.Column("unrealised_usd", sa.String(), nullable=False),
        sa.Column("flow_usd", sa.String(), nullable=False),
        sa.Column("positions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "sleeve", name=op.f("daily_pk")),
    )
    op.create_table(
        "evidence",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("evidence_pk")),
        sa.UniqueConstraint("sha256", name=op.f("evidence_sha256_uq")),
    )
    op.create_index(op.f("evidence_key_ix"), "evidence", ["key"], unique=False)
    op.create_index(op.f("evidence_run_key_ix"), "evidence", ["run_key"], unique=False)
    op.create_table(
        "gate",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("until", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("gate_pk")),
    )
    op.create_table(
        "holdings",
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("cost_usd", sa.String(), nullable=False),
        sa.CheckConstraint(
            "CAST(quantity AS NUMERIC) > 0", name=op.f("holdings_quantity_above_zero")
        ),
        sa.PrimaryKeyConstraint("sleeve", "symbol", name=op.f("holdings_pk")),
    )
    op.create_table(
        "leases",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("leases_pk")),
    )
    op.create_table(
        "locks",
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("locks_pk")),
    )
    op.create_table(
        "movements",
        sa.Column("movement_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=True),
        sa.Column("amount_usd", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('dividend', 'interest', 'fee', 'tax', 'transfer', 'other')",
            name=op.f("movements_kind_known"),
        ),
        sa.PrimaryKeyConstraint("movement_id", name=op.f("movements_pk")),
    )
    op.create_table(
        "notes",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("notes_pk")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pk")),
        sa.UniqueConstraint(
            "run_key", "attempt", "channel", "language", name="one_message_per_attempt"
        ),
    )
    op.create_table(
        "pauses",
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("strategy", name=op.f("pauses_pk")),
    )
    op.create_table(
        "peaks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("profit_usd", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("peaks_pk")),
    )
    op.create_table(
        "protections",
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("stop_loss_pct", sa.String(), nullable=True),
        sa.Column("trailing_stop_pct", sa.String(), nullable=True),
        sa.CheckConstraint(
            "CAST(stop_loss_pct AS NUMERIC) > 0", name=op.f("protections_stop_loss_pct_above_zero")
        ),
        sa.CheckConstraint(
            "CAST(trailing_stop_pct AS NUMERIC) > 0",
            name=op.f("protections_trailing_stop_pct_above_zero"),
        ),
        sa.PrimaryKeyConstraint("sleeve", "symbol", name=op.f("protections_pk")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.String(), nullable=True),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("reconciliations_pk")),
    )
    op.create_table(
        "runs",
        sa.Column("run_key", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("frame", sa.Text(), nullable=True),
        sa.Column("consumed", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.String(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.CheckConstraint("attempt > 0", name=op.f("runs_attempt_above_zero")),
        sa.PrimaryKeyConstraint("run_key", name=op.f("runs_pk")),
    )
    op.create_table(
        "orders",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("run_key", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("parent_client_id", sa.String(), nullable=True),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("order_type", sa.String(), nullable=False),
        sa.Column("limit_price_usd", sa.String(), nullable=True),
        sa.Column("stop_price_usd", sa.String(), nullable=True),
        sa.Column("trailing_ratio", sa.String(), nullable=True),
        sa.Column("time_in_force", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("sent_at", sa.String(), nullable=True),
        sa.Column("broker_order_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("updated_at", sa.String(), nullable=False),
        sa.CheckConstraint(
            "order_type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')",
            name=op.f("orders_order_type_known"),
        ),
        sa.CheckConstraint(
            "purpose IN ('rebalance', 'stop', 'trailing', 'close', 'flatten')",
            name=op.f("orders_purpose_known"),
        ),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("orders_side_known")),
        sa.CheckConstraint(
            "status IN ('pending', 'submitting', 'submitted', 'partial', 'filled', 'cancelled', 'rejected', 'expired', 'unresolved')",
            name=op.f("orders_status_known"),
        ),
        sa.CheckConstraint(
            "time_in_force IN ('day', 'gtc')", name=op.f("orders_time_in_force_known")
        ),
        sa.CheckConstraint(
            "CAST(limit_price_usd AS NUMERIC) > 0", name=op.f("orders_limit_price_usd_above_zero")
        ),
        sa.CheckConstraint(
            "CAST(quantity AS NUMERIC) > 0", name=op.f("orders_quantity_above_zero")
        ),
        sa.CheckConstraint(
            "CAST(stop_price_usd AS NUMERIC) > 0", name=op.f("orders_stop_price_usd_above_zero")
        ),
        sa.CheckConstraint(
            "CAST(trailing_ratio AS NUMERIC) > 0", name=op.f("orders_trailing_ratio_above_zero")
        ),
        sa.CheckConstraint("number >= 0 AND position >= 0", name=op.f("orders_counted_from_zero")),
        sa.ForeignKeyConstraint(
            ["parent_client_id"],
            ["orders.client_id"],
            name=op.f("orders_parent_client_id_fk"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["run_key"], ["runs.run_key"], name=op.f("orders_run_key_fk")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("orders_pk")),
        sa.UniqueConstraint("run_key", "symbol", "number", name="one_order_per_number"),
    )
    op.create_index(op.f("orders_run_key_ix"), "orders", ["run_key"], unique=False)
    op.create_index(op.f("orders_status_ix"), "orders", ["status"], unique=False)
    op.create_table(
        "fills",
        sa.Column("fill_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("broker_order_id", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("price_usd", sa.String(), nullable=False),
        sa.Column("fee_usd", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("fills_side_known")),
        sa.CheckConstraint(
            "CAST(fee_usd AS NUMERIC) >= 0", name=op.f("fills_fee_usd_not_negative")
        ),
        sa.CheckConstraint(
            "CAST(price_usd AS NUMERIC) > 0", name=op.f("fills_price_usd_above_zero")
        ),
        sa.CheckConstraint("CAST(quantity AS NUMERIC) > 0", name=op.f("fills_quantity_above_zero")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["orders.client_id"], name=op.f("fills_client_id_fk")
        ),
        sa.PrimaryKeyConstraint("fill_id", name=op.f("fills_pk")),
    )
    op.create_index(op.f("fills_client_id_ix"), "fills", ["client_id"], unique=False)
    op.create_table(
        "transactions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("run_key", sa.String(), nullable=True),
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=True),
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("cost_usd", sa.String(), nullable=False),
        sa.Column("price_usd", sa.String(), nullable=True),
        sa.Column("amount_usd", sa.String(), nullable=False),
        sa.Column("fee_usd", sa.String(), nullable=False),
        sa.Column("realised_usd", sa.String(), nullable=False),
        sa.Column("fill_id", sa.String(), nullable=True),
        sa.Column("movement_id", sa.String(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('buy', 'sell', 'dividend', 'tax', 'fee', 'interest', 'transfer', 'adoption', 'split')",
            name=op.f("transactions_kind_known"),
        ),
        sa.CheckConstraint(
            "CAST(fee_usd AS NUMERIC) >= 0", name=op.f("transactions_fee_usd_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["fill_id"], ["fills.fill_id"], name=op.f("transactions_fill_id_fk")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"], ["movements.movement_id"], name=op.f("transactions_movement_id_fk")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("transactions_pk")),
        sa.UniqueConstraint("fill_id", "sleeve", name="one_booking_per_fill_and_sleeve"),
        sa.UniqueConstraint("movement_id", "sleeve", name="one_booking_per_movement_and_sleeve"),
    )
    op.create_index(op.f("transactions_sleeve_ix"), "transactions", ["sleeve"], unique=False)
