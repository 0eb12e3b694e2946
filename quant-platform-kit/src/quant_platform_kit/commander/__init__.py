"""Decisions of every sleeve become one target portfolio for the account."""

from __future__ import annotations

from quant_platform_kit.commander._command import command
from quant_platform_kit.commander._sleeve import Sleeve

__all__ = ["Sleeve", "command"]
