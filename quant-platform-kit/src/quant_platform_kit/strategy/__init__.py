"""The strategy contract, the catalog of installed profiles, and their isolated evaluation."""

from __future__ import annotations

from quant_platform_kit.strategy._catalog import BrokenProfile, Catalog, Profile, load_catalog
from quant_platform_kit.strategy._config import Ratio, Symbol, Symbols, read_config
from quant_platform_kit.strategy._contract import (
    SleeveView,
    StrategyConfig,
    StrategyContext,
    StrategyModule,
)
from quant_platform_kit.strategy._evaluate import evaluate
from quant_platform_kit.strategy._strategy import Strategy, require_allowed

__all__ = [
    "BrokenProfile",
    "Catalog",
    "Profile",
    "Ratio",
    "SleeveView",
    "Strategy",
    "StrategyConfig",
    "StrategyContext",
    "StrategyModule",
    "Symbol",
    "Symbols",
    "evaluate",
    "load_catalog",
    "read_config",
    "require_allowed",
]
