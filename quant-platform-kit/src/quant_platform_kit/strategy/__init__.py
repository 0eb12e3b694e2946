"""Strategies: their contract, the catalog, isolated evaluation, and one signal out of many."""

from __future__ import annotations

from quant_platform_kit.strategy._aggregate import Sizing, aggregate, aggregate_all, shadow_sizing
from quant_platform_kit.strategy._catalog import (
    BrokenProfile,
    Catalog,
    Profile,
    load_catalog,
    reload_catalog,
)
from quant_platform_kit.strategy._config import Ratio, Symbol, Symbols, read_config
from quant_platform_kit.strategy._contract import (
    SleeveView,
    StrategyConfig,
    StrategyContext,
    StrategyModule,
)
from quant_platform_kit.strategy._evaluate import evaluate
from quant_platform_kit.strategy._load_report import LoadLine, LoadOutcome, LoadReport
from quant_platform_kit.strategy._pool import WorkerPool
from quant_platform_kit.strategy._signals import (
    AggregatedSignals,
    AggregationMode,
    AggregationPolicy,
    MasterSignal,
    SignalExecution,
    SignalMetadata,
    StrategySignal,
)
from quant_platform_kit.strategy._sleeves_file import SleeveSpec, read_sleeves
from quant_platform_kit.strategy._strategy import Strategy, allowed_modes, require_allowed

__all__ = [
    "AggregatedSignals",
    "AggregationMode",
    "AggregationPolicy",
    "BrokenProfile",
    "Catalog",
    "LoadLine",
    "LoadOutcome",
    "LoadReport",
    "MasterSignal",
    "Profile",
    "Ratio",
    "SignalExecution",
    "SignalMetadata",
    "Sizing",
    "SleeveSpec",
    "SleeveView",
    "Strategy",
    "StrategyConfig",
    "StrategyContext",
    "StrategyModule",
    "StrategySignal",
    "Symbol",
    "Symbols",
    "WorkerPool",
    "aggregate",
    "aggregate_all",
    "allowed_modes",
    "evaluate",
    "load_catalog",
    "read_config",
    "read_sleeves",
    "reload_catalog",
    "require_allowed",
    "shadow_sizing",
]
