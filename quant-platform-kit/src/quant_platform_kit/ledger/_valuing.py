"""What holdings are worth, also where a price is missing today."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import Connection, func, select

from quant_platform_kit.ledger._entries import Holding
from quant_platform_kit.store import daily


def last_prices(connection: Connection) -> dict[str, Decimal]:
    """Return the price of each holding at the latest close of a day."""
    latest = connection.scalar(select(func.max(daily.c.session)))
    rows = connection.scalars(select(daily.c.positions).where(daily.c.session == latest))
    return {
        symbol: Decimal(line["price_usd"])
        for text in rows
        for symbol, line in json.loads(text).items()
        if line["price_usd"] is not None
    }


def known_prices(connection: Connection, present_usd: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the present prices, and of what has none today the last one that was known.

    A quote that is missing for a day, and what is sold to the last share, must look neither like
    a loss nor like a gain.
    """
    return last_prices(connection) | dict(present_usd)


def value_of(holding: Holding, prices_usd: Mapping[str, Decimal]) -> Decimal:
    """Return what a holding is worth; what never had a price is worth what it cost."""
    price = prices_usd.get(holding.symbol)
    return holding.cost_usd if price is None else holding.quantity * price
