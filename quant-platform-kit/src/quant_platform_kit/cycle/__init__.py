"""The one pipeline: nine steps from a request to a report."""

from __future__ import annotations

from quant_platform_kit.cycle._operate import Prospect, operate, prospect
from quant_platform_kit.cycle._parts import Parts, Progress, SleevePart
from quant_platform_kit.cycle._reconciling import reconcile_now
from quant_platform_kit.cycle._run import DRY_RUN_SUFFIX, CycleResult, run_cycle

__all__ = [
    "DRY_RUN_SUFFIX",
    "CycleResult",
    "Parts",
    "Progress",
    "Prospect",
    "SleevePart",
    "operate",
    "prospect",
    "reconcile_now",
    "run_cycle",
]
