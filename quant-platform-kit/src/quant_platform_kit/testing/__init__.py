"""Conformance kits for the authors of adapters: what every part of a kind must do.

A kit is a tuple of cards. A card is a plain function that takes a bench, exercises the part on
it, and raises `AssertionError` where the part differs from its contract; any test runner will do.
"""

from __future__ import annotations

from quant_platform_kit.testing._broker_bench import BrokerBench, BrokerCard
from quant_platform_kit.testing.broker_conformance import BROKER_CARDS
from quant_platform_kit.testing.broker_faults import FAULT_CARDS

__all__ = [
    "BROKER_CARDS",
    "FAULT_CARDS",
    "BrokerBench",
    "BrokerCard",
]
