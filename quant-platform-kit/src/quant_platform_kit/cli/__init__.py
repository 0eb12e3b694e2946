"""The `qpk` command."""

from __future__ import annotations

from quant_platform_kit.cli._app import main
from quant_platform_kit.cli._exit import ExitCode

__all__ = ["ExitCode", "main"]
