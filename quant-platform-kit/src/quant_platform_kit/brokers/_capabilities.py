"""What each platform's broker can do, one object a platform; documents and checks are made of it.

A claim is a fact of the adapter and not of the broker's brochure: every one is held against the
adapter by a card (`quant_platform_kit.testing`), and decides which profiles are eligible.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import Adjustment, Capabilities, OrderType, RateLimit

_US_EQUITY: Final = ("us_equity",)
_COLUMNS: Final = ("open", "high", "low", "close", "volume")
_ORDER_TYPES: Final = tuple(OrderType)
_T_PLUS_1: Final = 1

CAPABILITIES: Final[Mapping[str, Capabilities]] = MappingProxyType(
    {
        each.platform: each
        for each in (
            Capabilities(
                platform="ibkr",
                display_name="Interactive Brokers",
                domains=_US_EQUITY,
                adjustments=(Adjustment.SPLIT, Adjustment.TOTAL_RETURN),
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag="orderRef",
                settlement_sessions=_T_PLUS_1,
                extended_hours=False,  # the adapter's orders are for regular hours, everywhere
                order_days=1,  # TWS shows the present day alone
                rate_limit=RateLimit(50, 1),
                tells_cash_movements=False,  # TWS has no such question
            ),
            Capabilities(
                platform="schwab",
                display_name="Charles Schwab",
                domains=_US_EQUITY,
                adjustments=(Adjustment.SPLIT, Adjustment.TOTAL_RETURN),
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag=None,  # an order of unknown fate is matched by its own facts
                settlement_sessions=_T_PLUS_1,
                extended_hours=False,
                order_days=60,
                rate_limit=RateLimit(120, 60),
                shows_trailing_trigger=False,  # its distance alone
                dividends_setting="SCHWAB_DIVIDENDS_PATH",
                tells_cash_movements=True,
            ),
            Capabilities(
                platform="longbridge",
                display_name="LongBridge",
                domains=_US_EQUITY,
                adjustments=(Adjustment.RAW, Adjustment.TOTAL_RETURN),
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag="remark",
                settlement_sessions=_T_PLUS_1,
                extended_hours=False,
                order_days=90,
                rate_limit=RateLimit(30, 30),
                tells_cash_movements=True,
            ),
        )
    }
)
"""By platform, as in the settings."""

SIMULATED_CAPABILITIES: Final = Capabilities(
    platform="simulated",
    display_name="The simulated broker",
    domains=_US_EQUITY,
    adjustments=tuple(Adjustment),  # on raw prices; a market of adjusted ones has those alone
    bar_columns=("close",),
    order_types=_ORDER_TYPES,
    client_tag="client_id",
    settlement_sessions=_T_PLUS_1,
    extended_hours=False,
    order_days=100_000,  # it forgets nothing
    tells_cash_movements=True,
)
"""What the broker of this process can do."""
