"""Conformance kits for the authors of adapters and strategies: what every part of a kind must do.

A kit is a tuple of cards. A card is a plain function that takes a bench, exercises the part on
it, and raises `AssertionError` where the part differs from its contract; any test runner will do.
`check_strategy` runs all the cards of a strategy at once and needs no test runner at all.

A name is imported when it is first asked for: `gcloud` is a program beside the kits, and a release
that calls it does not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant_platform_kit.lazy import lazy

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
    "BROKER_CARDS": "broker_conformance",
    "STRATEGY_CARDS": "strategy_conformance",
    "BenchOptions": "strategy_conformance",
    "BoundCard": "strategy_conformance",
    "BrokerBench": "_broker_bench",
    "BrokerCard": "_broker_cards",
    "CardResult": "strategy_conformance",
    "CardStatus": "_expect",
    "ConformanceReport": "strategy_conformance",
    "NotApplicable": "_expect",
    "OpenBench": "_broker_bench",
    "StrategyBench": "_strategy_bench",
    "StrategyCard": "_strategy_bench",
    "StrategyCase": "_strategy_inputs",
    "Verdict": "broker_conformance",
    "check_broker": "broker_conformance",
    "check_strategy": "strategy_conformance",
    "judge": "broker_conformance",
    "make_cases": "_strategy_inputs",
    "open_bench": "strategy_conformance",
    "strategy_cards": "strategy_conformance",
}

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names
    __getattr__ = lazy(__name__, _HOMES)

    def __dir__() -> list[str]:
        return __all__
