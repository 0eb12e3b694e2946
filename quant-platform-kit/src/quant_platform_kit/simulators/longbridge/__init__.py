"""LongBridge's wire for `longport` and `longbridge`: signed HTTP and two binary WebSockets.

Written from the SDKs' behaviour and the broker's public documentation. Codes of refusals, and
which day an order near midnight belongs to, are plausible rather than proven; an account that is
asked about earlier days never hears of today, as the documentation says.
"""

from __future__ import annotations

from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.longbridge._credentials import (
    APP_KEY,
    APP_SECRET,
    access_token,
    member_id,
)
from quant_platform_kit.simulators.longbridge._server import LongbridgeDoor

__all__ = ["APP_KEY", "APP_SECRET", "LongbridgeDoor", "access_token", "member_id", "serve"]


def serve(host: Host, port: int) -> LongbridgeDoor:
    """Open the door of `host` on a loopback port; 0 takes a free one."""
    return LongbridgeDoor(host, port)
