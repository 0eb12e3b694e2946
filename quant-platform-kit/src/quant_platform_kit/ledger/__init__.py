"""The platform's own book: sleeves, fills booked once, and agreement with the broker."""

from __future__ import annotations

from quant_platform_kit.ledger._entries import Holding, Kind, Transaction
from quant_platform_kit.ledger._ledger import UNMANAGED, Ledger
from quant_platform_kit.ledger._locks import Locks
from quant_platform_kit.ledger._performance import Performance, performance
from quant_platform_kit.ledger._reconcile import Reconciliation, Tolerances, reconcile, verify
from quant_platform_kit.ledger._results import SleeveResult, profits_before, results_now

__all__ = [
    "UNMANAGED",
    "Holding",
    "Kind",
    "Ledger",
    "Locks",
    "Performance",
    "Reconciliation",
    "SleeveResult",
    "Tolerances",
    "Transaction",
    "performance",
    "profits_before",
    "reconcile",
    "results_now",
    "verify",
]
