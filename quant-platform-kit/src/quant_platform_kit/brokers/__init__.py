"""The broker port and the brokers that ship with the kit.

`Broker` is the one protocol that every adapter speaks. `SimulatedBroker` is a whole broker on
historical prices, with named faults; `DryRunBroker` lets a cycle run against a real account
without touching it; `IsolatedBroker` keeps any adapter in a process of its own. `CAPABILITIES` says
what each platform's broker can do.
"""

from __future__ import annotations

from quant_platform_kit.brokers._access import AccountAccess, Notebook
from quant_platform_kit.brokers._account_terms import AccountKind, AccountTerms
from quant_platform_kit.brokers._actions import (
    CorporateAction,
    Dividend,
    StockSplit,
    read_corporate_actions,
)
from quant_platform_kit.brokers._capabilities import CAPABILITIES, SIMULATED_CAPABILITIES
from quant_platform_kit.brokers._dry_run import DryRunBroker
from quant_platform_kit.brokers._faults import Fault, Faults, FaultSwitch
from quant_platform_kit.brokers._isolated_worker import Opening
from quant_platform_kit.brokers._liquidity import Impact, Liquidity
from quant_platform_kit.brokers._market_data import FrameMarket, MarketData, open_market
from quant_platform_kit.brokers._port import Broker
from quant_platform_kit.brokers.isolated import Deadlines, IsolatedBroker
from quant_platform_kit.brokers.simulated import SimulatedBroker

__all__ = [
    "CAPABILITIES",
    "SIMULATED_CAPABILITIES",
    "AccountAccess",
    "AccountKind",
    "AccountTerms",
    "Broker",
    "CorporateAction",
    "Deadlines",
    "Dividend",
    "DryRunBroker",
    "Fault",
    "FaultSwitch",
    "Faults",
    "FrameMarket",
    "Impact",
    "IsolatedBroker",
    "Liquidity",
    "MarketData",
    "Notebook",
    "Opening",
    "SimulatedBroker",
    "StockSplit",
    "open_market",
    "read_corporate_actions",
]
