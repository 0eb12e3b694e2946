"""The bars that doors serve, adjusted as their protocols ask for."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError
from quant_platform_kit.simulators._host import Host

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame


def bars(host: Host, symbol: str, adjustment: Adjustment, until: date) -> BarFrame | None:
    """Return a symbol's bars up to a session; None when the market has none of it.

    On a market of adjusted prices nothing ever happens to a share: its bars are the same whatever
    they are to be adjusted for.
    """
    try:
        return host.market.frame(symbol, adjustment, until)
    except InputError:
        return host.market.frame(symbol, Adjustment.TOTAL_RETURN, until)
