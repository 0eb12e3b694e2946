"""Broker and ledger compared on demand, outside a run; nothing is sent but cancels of our own."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from quant_platform_kit.cycle._account import (
    prices,
    recover_orders,
    stops_sold,
    tell_movements,
    uncertain_symbols,
)
from quant_platform_kit.cycle._parts import Parts
from quant_platform_kit.ledger import Reconciliation, reconcile
from quant_platform_kit.market import run_key

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
        return replace(found, notes=stops_sold(parts, key) + ended + untold + found.notes)
