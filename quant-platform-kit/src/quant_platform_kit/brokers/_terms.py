"""What a venue offers one order at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers._liquidity import Liquidity
from quant_platform_kit.contracts import TradingRules

_WHOLE: Final = Decimal(1)
_UNBOUNDED: Final = Liquidity()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a venue offers one order at one instant.

    Parameters
    ----------
    at : datetime
    price_usd : Decimal or None
        At which it trades the symbol now; None when it does not.
    rules : TradingRules
    expires_at : datetime or None
        When an order that rests leaves the book by itself.
    fill_ratio : Decimal
        Share of the order that fills at once.
    fills_at : datetime or None
        When the rest fills by itself.
    refusal : str
        Why the venue takes no order at all; blank when it does.
    volume : Decimal or None
        Shares that the session trades; None when the market does not say.
    liquidity : Liquidity
    settles_at : datetime or None
        When the proceeds of a sale can pay for a purchase; None when they can at once.
    """

    at: datetime
    price_usd: Decimal | None
    rules: TradingRules
    expires_at: datetime | None = None
    fill_ratio: Decimal = _WHOLE
    fills_at: datetime | None = None
    refusal: str = ""
    volume: Decimal | None = None
    liquidity: Liquidity = _UNBOUNDED
    settles_at: datetime | None = None
