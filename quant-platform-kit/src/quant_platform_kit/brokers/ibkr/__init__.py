"""Interactive Brokers through TWS or IB Gateway, by `ib_async` or `ib_insync`."""

from __future__ import annotations

from quant_platform_kit.brokers.ibkr._broker import RULES, IbkrBroker, connect, open_account
from quant_platform_kit.brokers.ibkr._login import IbkrLogin

__all__ = ["RULES", "IbkrBroker", "IbkrLogin", "connect", "open_account"]
