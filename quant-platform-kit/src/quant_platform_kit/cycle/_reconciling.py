"""Broker and ledger compared on demand, outside a run; nothing is sent but cancels of our own."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from decimal import Decimal

from quant_platform_kit.contracts import PortfolioSnapshot
from quant_platform_kit.cycle._account import (
    prices,
    recover_orders,
    stops_sold,
    tell_movements,
    uncertain_symbols,
)
from quant_platform_kit.cycle._parts import Parts
from quant_platform_kit.ledger import Ledger, Reconciliation, reconcile
from quant_platform_kit.market import run_key
from quant_platform_kit.orders import Journal

_SLOT = "reconcile"


def reconcile_now(parts: Parts, accepted: AbstractSet[str] = frozenset()) -> Reconciliation:
    """Learn the end of every order that is unfinished, then compare broker and ledger.

    Parameters
    ----------
    parts : Parts
    accepted : set of str
        Symbols whose difference the operator has explained: the ledger follows the broker.

    Raises
    ------
    SlotBusy
        When a run of the account is in progress.
    ReconciliationError
        As a run would: the account cannot be what the broker says, or too much is unexplained.
    """
    with parts.account_held():
        key = run_key(parts.account, parts.clock.now().date(), _SLOT)
        told = stops_sold(parts, key)  # by an earlier call of the day
        snapshot, ended = recover_orders(parts, key, accepted)
        movements, untold = tell_movements(parts)
        held = sorted(snapshot.quantities())
        found = reconcile(
            parts.store,
            snapshot,
            parts.owners(),
            sleeves=frozenset(sleeve.profile for sleeve in parts.sleeves),
            uncertain=uncertain_symbols(parts),
            accepted=accepted,
            movements=movements,
            prices_usd=prices(parts.broker.quotes(held)) if held else {},
            tolerances=parts.tolerances,
            run_key=key,
            output=parts.reconciliation_output,
        )
        sold = tuple(note for note in stops_sold(parts, key) if note not in told)
        return replace(
            found,
            notes=sold + ended + untold + found.notes,
            unresolved=_unresolved(parts, snapshot),
        )


def _unresolved(parts: Parts, snapshot: PortfolioSnapshot) -> Mapping[str, str]:
    """Return what both sides hold of each symbol with an order whose end is not known."""
    here, there = Ledger(parts.store).quantities(), snapshot.quantities()
    return {
        order.symbol: (
            f"{order.client_id} of {order.created_at:%Y-%m-%d %H:%M} UTC; the broker holds "
            f"{there.get(order.symbol, Decimal(0)):f}, the ledger "
            f"{here.get(order.symbol, Decimal(0)):f}"
        )
        for order in Journal(parts.store, parts.clock).unfinished()
    }
