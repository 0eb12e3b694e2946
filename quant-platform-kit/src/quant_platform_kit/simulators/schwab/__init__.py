"""Door of Charles Schwab's Trader API: OAuth, accounts, orders, market data and the streamer.

Plain HTTP on loopback; clients whose addresses are fixed send their requests here by a transport
that changes the host. Bodies and codes follow the API's public reference; the sentences in them
are our own.

What it does not prove, and a real account has to: which codes and sentences a refusal has; that a
trailing stop may be given a first trigger; how long an order whose answer was lost may take to be
listed; that a cash account's ``cashAvailableForTrading`` is its settled cash less what working
orders reserve; the login in a browser. Fees are those of the host and are not shown, as at Schwab.
"""

from __future__ import annotations

from quant_platform_kit.simulators._host import Door, Host
from quant_platform_kit.simulators.schwab._api import Api
from quant_platform_kit.simulators.schwab._orders import wire_id
from quant_platform_kit.simulators.schwab._server import SchwabDoor
from quant_platform_kit.simulators.schwab._tokens import token_document

__all__ = ["serve", "token_document", "wire_id"]


def serve(host: Host, port: int) -> Door:
    """Serve the account on a loopback port; 0 takes a free one."""
    return SchwabDoor(host, Api(host), port)
