"""The composition root: settings become the parts of a cycle, and nothing else does that."""

from __future__ import annotations

from quant_platform_kit.runtime._admission import (
    ProfileStanding,
    admitted_sleeves,
    profile_standings,
)
from quant_platform_kit.runtime._brokers import open_broker
from quant_platform_kit.runtime._controls import Controls, open_controls
from quant_platform_kit.runtime._runtime import Runtime, open_runtime

__all__ = [
    "Controls",
    "ProfileStanding",
    "Runtime",
    "admitted_sleeves",
    "open_broker",
    "open_controls",
    "open_runtime",
    "profile_standings",
]
