"""Whether an order may be sent: the trading gate and the ordered pre-trade checks."""

from __future__ import annotations

from quant_platform_kit.risk._checks import Check, check_leg
from quant_platform_kit.risk._gate import GateMode, GateState, TradingGate

__all__ = ["Check", "GateMode", "GateState", "TradingGate", "check_leg"]
