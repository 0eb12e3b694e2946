"""LongBridge through its OpenAPI, by `longbridge` or `longport`."""

from __future__ import annotations

from quant_platform_kit.brokers.longbridge._broker import LongbridgeBroker, connect, open_account
from quant_platform_kit.brokers.longbridge._sdk import Address
from quant_platform_kit.brokers.longbridge._session import LongbridgeLogin

__all__ = ["Address", "LongbridgeBroker", "LongbridgeLogin", "connect", "open_account"]
