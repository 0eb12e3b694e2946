"""A decision of every profile, against the indicator calls it is made of.

The floor is found by listening: the calls that a decision makes to `market.indicators` are
recorded once, with their arguments, and repeated alone. What the decision takes beyond them is
checking inputs, ranking, money and the decision's own objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from inspect import isfunction
from typing import Any

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import Decision, DecisionOutcome, Role
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Strategy, StrategyContext, load_catalog
from quant_platform_kit.testing import make_cases
from tools.profiles._stand_ins import on_stand_ins

_ROUNDS = 15
_TARGET_MILLISECONDS = 1.0

Call = partial[object]
"""One call with its arguments."""


def run() -> tuple[BenchResult, ...]:
    """Measure every profile of the catalog that is no example, on its own default numbers."""
    profiles = [p for p in load_catalog().profiles.values() if p.manifest.role is not Role.EXAMPLE]
    return tuple(_measured(on_stand_ins(profile)) for profile in profiles)


def _measured(strategy: Strategy) -> BenchResult:
    contexts = rebalances(strategy)
    calls = indicator_calls(strategy, contexts)
    seconds = interleaved_medians(
        {
            "decide": lambda: [strategy.decide(context) for context in contexts],
            "indicators": lambda: [call() for call in calls],
        },
        rounds=_ROUNDS,
    )
    milliseconds = seconds["decide"] / len(contexts) * 1e3
    ratio = f"{seconds['decide'] / seconds['indicators']:.1f}x its indicator calls alone"
    return BenchResult(
        what=f"decision of {strategy.manifest.profile}, {len(strategy.manifest.managed)} symbols",
        figure=f"{milliseconds * 1e3:.0f} µs",
        ratio=ratio if calls else "it calls no indicator",
        target=f"at most {_TARGET_MILLISECONDS:g} ms",
        met=milliseconds <= _TARGET_MILLISECONDS,
    )


def rebalances(strategy: Strategy) -> list[StrategyContext]:
    """Return situations in which the profile does its whole work."""
    contexts = [case.context for case in make_cases(strategy)]
    wanted = [context for context in contexts if _outcome(strategy, context)]
    if not wanted:
        raise RuntimeError(f"{strategy.manifest.profile} rebalances in none of its cases")
    return wanted


def _outcome(strategy: Strategy, context: StrategyContext) -> bool:
    decision = strategy.decide(context)
    return isinstance(decision, Decision) and decision.outcome is DecisionOutcome.REBALANCE


def indicator_calls(strategy: Strategy, contexts: list[StrategyContext]) -> list[Call]:
    """Return every call that the decisions make to the indicators, in order."""
    with _listening() as heard:
        for context in contexts:
            strategy.decide(context)
    return heard


@contextmanager
def _listening() -> Iterator[list[Call]]:
    """Record the calls into the indicators from outside; what they call themselves is theirs."""
    heard: list[Call] = []
    inside: list[str] = []

    def listener(name: str, indicator: Callable[..., object]) -> Callable[..., object]:
        @wraps(indicator)
        def call(*args: object, **kwargs: object) -> object:
            if not inside:
                heard.append(partial(indicator, *args, **kwargs))
            inside.append(name)
            try:
                return indicator(*args, **kwargs)
            finally:
                inside.pop()

        return call

    originals: Mapping[str, Any] = {
        name: value
        for name, value in vars(indicators).items()
        if isfunction(value) and not name.startswith("_")
    }
    for name, indicator in originals.items():
        setattr(indicators, name, listener(name, indicator))
    try:
        yield heard
    finally:
        for name, indicator in originals.items():
            setattr(indicators, name, indicator)


if __name__ == "__main__":
    for result in run():
        print(result)
