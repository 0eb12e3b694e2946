"""Catalog of US-equity and ETF allocation strategies, one module a profile.

The kit finds the profiles through the entry-point group ``quant_platform_kit.strategies``.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
