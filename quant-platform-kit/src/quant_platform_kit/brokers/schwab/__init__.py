"""Charles Schwab through its Trader API, by `schwab-py`."""

from __future__ import annotations

from quant_platform_kit.brokers.schwab._broker import SchwabBroker, connect, open_account
from quant_platform_kit.brokers.schwab._session import SchwabLogin
from quant_platform_kit.brokers.schwab._tags import InMemoryTags, NotedTags, TagFile
from quant_platform_kit.brokers.schwab._token_secret import TokenSecret
from quant_platform_kit.brokers.schwab._tokens import TokenFile

__all__ = [
    "InMemoryTags",
    "NotedTags",
    "SchwabBroker",
    "SchwabLogin",
    "TagFile",
    "TokenFile",
    "TokenSecret",
    "connect",
    "open_account",
]
