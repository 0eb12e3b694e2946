"""Conformance kits for the authors of adapters and strategies: what every part of a kind must do.

A kit is a tuple of cards. A card is a plain function that takes a bench, exercises the part on
it, and raises `AssertionError` where the part differs from its contract; any test runner will do.
`check_strategy` runs all the cards of a strategy at once and needs no test runner at all.
"""

from __future__ import annotations

from quant_platform_kit.testing._broker_bench import BrokerBench, OpenBench
from quant_platform_kit.testing._broker_cards import BrokerCard
from quant_platform_kit.testing._expect import CardStatus, NotApplicable
from quant_platform_kit.testing._strategy_bench import StrategyBench, StrategyCard
from quant_platform_kit.testing._strategy_inputs import StrategyCase, make_cases
from quant_platform_kit.testing.broker_conformance import BROKER_CARDS, Verdict, check_broker, judge
from quant_platform_kit.testing.strategy_conformance import (
    STRATEGY_CARDS,
    BenchOptions,
    BoundCard,
    CardResult,
    ConformanceReport,
    check_strategy,
    open_bench,
    strategy_cards,
)

__all__ = [
    "BROKER_CARDS",
    "STRATEGY_CARDS",
    "BenchOptions",
    "BoundCard",
    "BrokerBench",
    "BrokerCard",
    "CardResult",
    "CardStatus",
    "ConformanceReport",
    "NotApplicable",
    "OpenBench",
    "StrategyBench",
    "StrategyCard",
    "StrategyCase",
    "Verdict",
    "check_broker",
    "check_strategy",
    "judge",
    "make_cases",
    "open_bench",
    "strategy_cards",
]
