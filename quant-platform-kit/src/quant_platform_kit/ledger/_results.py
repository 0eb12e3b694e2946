"""What each sleeve is worth and has earned: at present prices, and at an earlier close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from quant_platform_kit.ledger._entries import (
    ZERO,
    read_cash,
    read_holdings,
    read_transactions,
)
from quant_platform_kit.ledger._valuing import known_prices, value_of
from quant_platform_kit.store import Store, daily, transactions


@dataclass(frozen=True, slots=True)
class SleeveResult:
    """A sleeve's worth, and what it has earned since its first day, in USD.

    Money that comes, goes or moves between sleeves changes the worth, never the profit.
    """

    equity_usd: Decimal
    profit_usd: Decimal


def results_now(store: Store, prices_usd: Mapping[str, Decimal]) -> dict[str, SleeveResult]:
    """Return the result of every sleeve there ever was.

    A holding without a price counts at its last known price, or else at its cost.
    """
    with store.begin() as connection:
        worth, known = read_cash(connection), known_prices(connection, prices_usd)
        for h in read_holdings(connection):
            worth[h.sleeve] = worth.get(h.sleeve, ZERO) + value_of(h, known)
        flows = {
            sleeve: sum((moved.flow_usd for moved in read_transactions(connection, sleeve)), ZERO)
            for sleeve in connection.scalars(select(transactions.c.sleeve).distinct()).all()
        }
    return {
        sleeve: SleeveResult(worth.get(sleeve, ZERO), worth.get(sleeve, ZERO) - flow)
        for sleeve, flow in sorted(flows.items())
    }


def profits_before(store: Store, session: date) -> dict[str, Decimal]:
    """Return each sleeve's profit at the latest close of a session before `session`."""
    with store.begin() as connection:
        last = connection.scalar(select(func.max(daily.c.session)).where(daily.c.session < session))
        rows = connection.execute(
            select(daily.c.sleeve, daily.c.equity_usd, daily.c.flow_usd).where(
                daily.c.session == last
            )
        )
        return {sleeve: equity - flow for sleeve, equity, flow in rows}
