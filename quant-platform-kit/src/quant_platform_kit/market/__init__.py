"""Sessions, slots, clocks and bar frames; indicators are the module `market.indicators`.

The calendar, the slots and the clocks cost almost nothing to import. What needs NumPy is loaded
when it is first asked for, so that a service answers before it pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant_platform_kit.lazy import lazy
from quant_platform_kit.market._calendar import ExchangeCalendar, xnys
from quant_platform_kit.market._clock import Clock, SimulatedClock, SystemClock
from quant_platform_kit.market._slots import SLOTS, Slot, SlotWindow, resolve, run_key, window

if TYPE_CHECKING:
    from quant_platform_kit.market._csv import read_wide_closes
    from quant_platform_kit.market._frames import BarFrame
    from quant_platform_kit.market.sample import load_sample

__all__ = [
    "SLOTS",
    "BarFrame",
    "Clock",
    "ExchangeCalendar",
    "SimulatedClock",
    "Slot",
    "SlotWindow",
    "SystemClock",
    "load_sample",
    "read_wide_closes",
    "resolve",
    "run_key",
    "window",
    "xnys",
]

_HOMES = {
    "BarFrame": "_frames",
    "load_sample": "sample",
    "read_wide_closes": "_csv",
}

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names
    __getattr__ = lazy(__name__, _HOMES)

    def __dir__() -> list[str]:
        return __all__
