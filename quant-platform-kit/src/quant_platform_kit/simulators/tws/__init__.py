"""The TWS socket protocol, server versions 157 to 178, in front of one simulated account.

What is served: the handshake, managed accounts, positions, account values and summary, open and
completed orders, executions with their commissions, contract details, market data snapshots,
daily bars, and placing, changing and cancelling stock orders.

What it does not prove: that TWS or IB Gateway send the same messages in the same order. The
messages were written from what client libraries encode and decode; the texts behind error codes
and the completed state of an order are plausible, not recorded.
"""

from __future__ import annotations

from quant_platform_kit.simulators.tws._door import TwsDoor, serve

__all__ = ["TwsDoor", "serve"]
