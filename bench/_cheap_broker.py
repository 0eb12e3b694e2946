"""A broker whose answers cost next to nothing, so that only the way to it can be slow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers import SimulatedBroker, open_market
from quant_platform_kit.contracts import TradingRules
from quant_platform_kit.market import SimulatedClock, xnys

_SESSION: Final = date(2012, 2, 3)


def open_account() -> SimulatedBroker:
    """Return an account in memory that holds nothing."""
    clock = SimulatedClock(xnys().session_open(_SESSION))
    return SimulatedBroker(
        "bench",
        open_market("sample"),
        clock,
        xnys(),
        rules=TradingRules(),
        opening_cash_usd=Decimal(1000),
    )
