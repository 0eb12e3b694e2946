"""Runtime library that turns portfolio decisions into broker orders exactly once.

Import from the rooms (``quant_platform_kit.contracts``, ``quant_platform_kit.strategy``, ...);
this module holds the version and imports nothing, so that a service starts fast.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
