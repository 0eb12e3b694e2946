"""The platform's own book: sleeves, fills booked once, and agreement with the broker."""

from __future__ import annotations

from quant_platform_kit.ledger._entries import Holding, Kind, Transaction
from quant_platform_kit.ledger._ledger import UNMANAGED, Ledger
from quant_platform_kit.ledger._locks import Locks
from quant_platform_kit.ledger._reconcile import Reconciliation, Tolerances, reconcile, verify

__all__ = [
    "UNMANAGED",
    "Holding",
    "Kind",
    "Ledger",
    "Locks",
    "Reconciliation",
    "Tolerances",
    "Transaction",
    "reconcile",
    "verify",
]
