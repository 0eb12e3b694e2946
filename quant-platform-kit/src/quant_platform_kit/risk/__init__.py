"""Whether an order may be sent: the trading gate, the limits and the ordered pre-trade checks."""

from __future__ import annotations

from quant_platform_kit.risk._audit import (
    PLATFORM,
    AuditEntry,
    check_operator,
    entries,
    record,
    verify,
)
from quant_platform_kit.risk._bias import Bias, BiasReading
from quant_platform_kit.risk._book import Book
from quant_platform_kit.risk._checks import Check, check_leg
from quant_platform_kit.risk._gate import PERMITTED, Action, GateMode, GateState, TradingGate
from quant_platform_kit.risk._limits import Limits
from quant_platform_kit.risk._limits_file import load_limits
from quant_platform_kit.risk._losses import (
    ACCOUNT,
    AccountHistory,
    Losses,
    LossMeasure,
    Peaks,
    Performance,
)
from quant_platform_kit.risk._pauses import Pause, Pauses

__all__ = [
    "ACCOUNT",
    "PERMITTED",
    "PLATFORM",
    "AccountHistory",
    "Action",
    "AuditEntry",
    "Bias",
    "BiasReading",
    "Book",
    "Check",
    "GateMode",
    "GateState",
    "Limits",
    "LossMeasure",
    "Losses",
    "Pause",
    "Pauses",
    "Peaks",
    "Performance",
    "TradingGate",
    "check_leg",
    "check_operator",
    "entries",
    "load_limits",
    "record",
    "verify",
]
