"""A strategy that does nothing but compute, so that only processors can make it faster."""

from __future__ import annotations

from typing import Final

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    Role,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.strategy import StrategyConfig, StrategyContext

__all__ = ["Config", "decide", "manifest"]

_STEPS: Final = 4_000_000  # about a fifth of a second: long against the way there and back


class Config(StrategyConfig):
    """There is nothing to configure."""


def manifest(_config: Config) -> StrategyManifest:
    """Return what the strategy declares."""
    name = {"en": "Busy", "zh": "忙碌"}
    return StrategyManifest(
        profile="busy",
        display_name=name,
        description=name,
        cadence=Cadence.DAILY,
        benchmark="SPY",
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        role=Role.EXAMPLE,
        managed=("SPY",),
        history=HistoryInput(("SPY",), 1),
    )


def decide(_context: StrategyContext | None) -> Decision:
    """Keep one processor busy."""
    total = 0
    for step in range(_STEPS):
        total += step * step
    return Decision.hold(f"the sum is {total}")
