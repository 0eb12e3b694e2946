"""The platform's own book: sleeves, fills booked once, and agreement with the broker."""

from __future__ import annotations

from quant_platform_kit.ledger._ledger import UNMANAGED, Holding, Ledger
from quant_platform_kit.ledger._reconcile import reconcile, verify

__all__ = ["UNMANAGED", "Holding", "Ledger", "reconcile", "verify"]
