"""The platform's memory: tables, transactions, the book of runs and the account lease."""

from __future__ import annotations

from quant_platform_kit.store._lease import AccountLease
from quant_platform_kit.store._runs import RunBook, RunFrame
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import (
    fills,
    gate,
    holdings,
    metadata,
    orders,
    outbox,
    runs,
)

__all__ = [
    "AccountLease",
    "RunBook",
    "RunFrame",
    "Store",
    "fills",
    "gate",
    "holdings",
    "metadata",
    "orders",
    "outbox",
    "runs",
]
