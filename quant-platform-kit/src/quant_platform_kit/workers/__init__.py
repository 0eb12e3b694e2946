"""Processes of our own: started anew, spoken to over a line, gone when their parent is."""

from __future__ import annotations

from quant_platform_kit.workers._child import READY, Child, import_path
from quant_platform_kit.workers._serve import requests

__all__ = ["READY", "Child", "import_path", "requests"]
