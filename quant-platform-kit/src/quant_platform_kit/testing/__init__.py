"""Conformance kits for the authors of adapters and strategies: what every part of a kind must do.

A kit is a tuple of cards. A card is a plain function that takes a bench, exercises the part on
it, and raises `AssertionError` where the part differs from its contract; any test runner will do.
`check_strategy` runs all the cards of a strategy at once and needs no test runner at all.

A name is imported when it is first asked for: `gcloud` is a program beside the kits, and a release
that calls it does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quant_platform_kit.testing._broker_bench import BrokerBench, OpenBench
    from quant_platform_kit.testing._broker_cards import BrokerCard
    from quant_platform_kit.testing._expect import CardStatus, NotApplicable
    from quant_platform_kit.testing._strategy_bench import StrategyBench, StrategyCard
    from quant_platform_kit.testing._strategy_inputs import StrategyCase, make_cases
    from quant_platform_kit.testing.broker_conformance import (
        BROKER_CARDS,
        Verdict,
        check_broker,
        judge,
    )
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

_HOMES = {
    "_broker_bench": ("BrokerBench", "OpenBench"),
    "_broker_cards": ("BrokerCard",),
    "_expect": ("CardStatus", "NotApplicable"),
    "_strategy_bench": ("StrategyBench", "StrategyCard"),
    "_strategy_inputs": ("StrategyCase", "make_cases"),
    "broker_conformance": ("BROKER_CARDS", "Verdict", "check_broker", "judge"),
}


if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names

    def __getattr__(name: str) -> object:
        """Load what one of the modules here offers, the first time it is asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        homes = (home for home, names in _HOMES.items() if name in names)
        module = import_module(f"{__name__}.{next(homes, 'strategy_conformance')}")
        value = getattr(module, name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
