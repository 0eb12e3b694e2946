"""The platform's memory: tables, transactions, the book of runs and the account lease."""

from __future__ import annotations

from quant_platform_kit.store._chain import Chain
from quant_platform_kit.store._disk import passing_disk
from quant_platform_kit.store._evidence import Evidence, attest, attest_once, evidence_head
from quant_platform_kit.store._files import replace_text
from quant_platform_kit.store._lease import AccountLease
from quant_platform_kit.store._notes import StoredNotes
from quant_platform_kit.store._runs import RunBook, RunFrame
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import (
    audit,
    bias,
    cash,
    daily,
    evidence,
    fills,
    gate,
    holdings,
    leases,
    locks,
    metadata,
    movements,
    notes,
    orders,
    outbox,
    pauses,
    peaks,
    protections,
    reconciliations,
    runs,
    transactions,
)

__all__ = [
    "AccountLease",
    "Chain",
    "Evidence",
    "RunBook",
    "RunFrame",
    "Store",
    "StoredNotes",
    "attest",
    "attest_once",
    "audit",
    "bias",
    "cash",
    "daily",
    "evidence",
    "evidence_head",
    "fills",
    "gate",
    "holdings",
    "leases",
    "locks",
    "metadata",
    "movements",
    "notes",
    "orders",
    "outbox",
    "passing_disk",
    "pauses",
    "peaks",
    "protections",
    "reconciliations",
    "replace_text",
    "runs",
    "transactions",
]
