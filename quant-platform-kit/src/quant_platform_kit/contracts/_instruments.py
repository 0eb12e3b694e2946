"""What can be held or watched."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._validate import check_positive, check_symbol, check_text


class AssetClass(StrEnum):
    """The kinds of instrument the platform knows."""

    STOCK = "stock"
    ETF = "etf"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable or watchable instrument.

    Parameters
    ----------
    symbol : str
        Upper-case ticker.
    asset_class : AssetClass
        An index can be watched, never traded.
    lot_shares : Decimal
        Smallest tradable quantity; orders are whole multiples of it.
    tick_usd : Decimal
        Smallest price step.
    currency : str
        ISO code; only USD accounts are supported.
    """

    symbol: str
    asset_class: AssetClass = AssetClass.STOCK
    lot_shares: Decimal = Decimal(1)
    tick_usd: Decimal = Decimal("0.01")
    currency: str = "USD"

    def __post_init__(self) -> None:
        """Refuse a malformed instrument, naming the field."""
        check_symbol(self, "symbol", self.symbol)
        check_positive(self, "lot_shares", self.lot_shares)
        check_positive(self, "tick_usd", self.tick_usd)
        check_text(self, "currency", self.currency)
