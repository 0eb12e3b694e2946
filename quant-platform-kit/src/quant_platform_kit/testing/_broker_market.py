"""The small market that benches of brokers trade on, and the account that they open there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from quant_platform_kit.brokers import FrameMarket, open_market
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.testing._broker_bench import MovingPrice

NOW: Final = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
"""Half an hour before the close of a session."""

LAST_SESSION: Final = date(2020, 3, 30)
CASH_USD: Final = Decimal(1000)
SYMBOLS: Final = ("AAA", "BBB")
UNKNOWN_SYMBOL: Final = "NONE"
MOVING: Final = MovingPrice("DIP", Decimal("10.00"), Decimal("12.00"), Decimal("8.00"))

_FIRST, _END = date(2020, 3, 2), date(2020, 4, 30)
_EX_DIVIDEND, _SPLIT = date(2020, 3, 12), date(2020, 3, 19)
_RISE, _FALL = date(2020, 4, 1), date(2020, 4, 2)


@dataclass(frozen=True, slots=True)
class MarketFiles:
    """The market as files: AAA at 10.00, BBB at 20.00 and DIP, which moves after `NOW`.

    AAA paid a dollar a share and split two for one in the weeks before.

    Parameters
    ----------
    prices : Path
        Raw closes.
    actions : Path
        Corporate actions.
    dividends : Path
        The same dividends as a broker's user writes them down, in shares of today.
    """

    prices: Path
    actions: Path
    dividends: Path

    @classmethod
    def write(cls, folder: Path) -> MarketFiles:
        """Write the files into a folder."""
        files = cls(folder / "prices.csv", folder / "actions.csv", folder / "dividends.csv")
        rows = (
            f"{day},{_first(day)},20.00,{_moving(day)}" for day in xnys().sessions(_FIRST, _END)
        )
        files.prices.write_text("\n".join(["date,AAA,BBB,DIP", *rows, ""]), encoding="utf-8")
        actions = (f"AAA,{_EX_DIVIDEND},dividend,1.00", f"AAA,{_SPLIT},split,2:1")
        files.actions.write_text("\n".join(["symbol,ex_date,kind,value", *actions, ""]))
        paid = f"AAA,{_EX_DIVIDEND},0.50"
        files.dividends.write_text(f"symbol,ex_date,amount_usd\n{paid}\n")
        return files

    def open(self) -> FrameMarket:
        """Open the market."""
        return open_market(str(self.prices), self.actions)

    def history(self) -> Mapping[Adjustment, BarFrame]:
        """Return the first symbol's bars up to the last session, with each adjustment."""
        market, (symbol, _) = self.open(), SYMBOLS
        frames = {each: market.frame(symbol, each, LAST_SESSION) for each in Adjustment}
        return {each: frame for each, frame in frames.items() if frame is not None}


def _first(day: date) -> str:
    if day >= _SPLIT:
        return "10.00"
    return "20.00" if day >= _EX_DIVIDEND else "21.00"


def _moving(day: date) -> Decimal:
    if day >= _FALL:
        return MOVING.low_usd
    return MOVING.high_usd if day >= _RISE else MOVING.first_usd
