"""Prices at a door: daily bars and quotes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_instant,
    check_positive,
    check_symbol,
    refuse,
)


class Adjustment(StrEnum):
    """What past prices have been adjusted for; a fact of every bar frame and snapshot."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL_RETURN = "total_return"


@dataclass(frozen=True, slots=True)
class Bar:
    """One daily bar of one symbol; prices in USD, volume in shares.

    Bars that feed indicators travel as columns (`market.BarFrame`); this is the row form, for
    doors where single bars arrive.
    """

    symbol: str
    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    adjustment: Adjustment

    def __post_init__(self) -> None:
        """Refuse prices that are not positive or a range that does not hold the close."""
        check_symbol(self, "symbol", self.symbol)
        for field in ("open", "high", "low", "close"):
            check_positive(self, field, getattr(self, field))
        check_decimal(self, "volume", self.volume, least=ZERO)
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise refuse(self, "high", self.high, "low <= open, close <= high")


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price of one symbol.

    Parameters
    ----------
    symbol : str
        Upper-case ticker.
    price_usd : Decimal
        The price that sizes orders: last trade, or the middle where the adapter says so.
    at : datetime
        When the price was made, aware UTC; never the time of arrival.
    bid_usd, ask_usd : Decimal, optional
        Best prices where the broker gives them.
    """

    symbol: str
    price_usd: Decimal
    at: datetime
    bid_usd: Decimal | None = None
    ask_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse prices that are not finite and positive, or a crossed market."""
        check_symbol(self, "symbol", self.symbol)
        check_positive(self, "price_usd", self.price_usd)
        check_instant(self, "at", self.at)
        for field in ("bid_usd", "ask_usd"):
            if getattr(self, field) is not None:
                check_positive(self, field, getattr(self, field))
        if self.bid_usd is not None and self.ask_usd is not None and self.bid_usd > self.ask_usd:
            raise refuse(self, "bid_usd", self.bid_usd, f"at most the ask of {self.ask_usd}")
