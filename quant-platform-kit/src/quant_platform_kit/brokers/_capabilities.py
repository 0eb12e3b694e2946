"""What each platform's broker can do, one object a platform; documents and checks are made of it.

`adjustments` and `bar_columns` are one policy of daily bars for all of them: a profile sees the
same history at every broker, and an adapter whose broker adjusts for splits alone has to bring in
the dividends itself. An adapter that cannot says so here, and the profiles that need it are no
longer eligible.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import Adjustment, Capabilities, OrderType

_US_EQUITY: Final = ("us_equity",)
_ADJUSTMENTS: Final = (Adjustment.SPLIT, Adjustment.TOTAL_RETURN)
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
                adjustments=_ADJUSTMENTS,
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag="orderRef",
                settlement_sessions=_T_PLUS_1,
                extended_hours=True,
            ),
            Capabilities(
                platform="schwab",
                display_name="Charles Schwab",
                domains=_US_EQUITY,
                adjustments=_ADJUSTMENTS,
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag=None,  # an order of unknown fate is matched by its own facts
                settlement_sessions=_T_PLUS_1,
                extended_hours=True,
            ),
            Capabilities(
                platform="longbridge",
                display_name="LongBridge",
                domains=_US_EQUITY,
                adjustments=_ADJUSTMENTS,
                bar_columns=_COLUMNS,
                order_types=_ORDER_TYPES,
                client_tag="remark",
                settlement_sessions=_T_PLUS_1,
                extended_hours=True,
            ),
        )
    }
)
"""By platform, as in the settings."""
