"""Charles Schwab through its Trader API, by `schwab-py`."""

from __future__ import annotations

from quant_platform_kit.brokers.schwab._broker import SchwabBroker, connect, open_account
from quant_platform_kit.brokers.schwab._session import SchwabLogin
from quant_platform_kit.brokers.schwab._tags import InMemoryTags, TagFile
from quant_platform_kit.brokers.schwab._tokens import TokenFile

__all__ = [
    "InMemoryTags",
    "SchwabBroker",
    "SchwabLogin",
    "TagFile",
    "TokenFile",
    "connect",
    "open_account",
]
