"""Where a stop's trigger stands, and whether a price reaches it."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from quant_platform_kit.contracts import OrderRequest, Side

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")


def is_reached(side: Side, trigger_usd: Decimal, price_usd: Decimal) -> bool:
    """Tell whether a price is at a stop's trigger or beyond: below it for a sale."""
    return price_usd <= trigger_usd if side is Side.SELL else price_usd >= trigger_usd


def trailed(request: OrderRequest, trigger_usd: Decimal | None, price_usd: Decimal) -> Decimal:
    """Return where a trailing stop's trigger stands at a price; it only ever comes closer.

    Parameters
    ----------
    request : OrderRequest
        With its ratio.
    trigger_usd : Decimal or None
        Where it stood.
    price_usd : Decimal
    """
    ratio = request.trailing_ratio or _ZERO
    if request.side is Side.SELL:
        follows = (price_usd * (1 - ratio)).quantize(_CENT, ROUND_FLOOR)
        follows = max(follows, _CENT)
        return follows if trigger_usd is None else max(trigger_usd, follows)
    follows = (price_usd * (1 + ratio)).quantize(_CENT, ROUND_CEILING)
    return follows if trigger_usd is None else min(trigger_usd, follows)
