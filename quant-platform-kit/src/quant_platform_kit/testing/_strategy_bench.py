"""The bench that a strategy card works on, and the words that cards are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Final, TypeAlias

from quant_platform_kit.contracts import Decision, DecisionOutcome, Signal, StrategyManifest
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import Strategy, StrategyContext, StrategyModule
from quant_platform_kit.testing._expect import NotApplicable, expect
from quant_platform_kit.testing._strategy_ask import ask_in_time
from quant_platform_kit.testing._strategy_inputs import StrategyCase
from quant_platform_kit.testing._strategy_testimony import Testimony, summon

FAILURES: Final = frozenset(
    {
        ReasonCode.STRATEGY_FAILED,
        ReasonCode.STRATEGY_TIMEOUT,
        ReasonCode.UNEXPECTED,
    }
)
"""Codes that the platform gives to a strategy, which a strategy never gives itself."""


@dataclass(frozen=True)
class StrategyBench:
    """A strategy under one configuration, and the situations that a card asks it about.

    Parameters
    ----------
    module : StrategyModule
    strategy : Strategy
        The module under the configuration of the bench.
    cases : tuple of StrategyCase
    scale_free : bool
        Whether the author says that only ratios of prices matter.
    timeout_secs : float
        The longest that one decision may take.
    """

    module: StrategyModule
    strategy: Strategy
    cases: tuple[StrategyCase, ...]
    scale_free: bool = False
    timeout_secs: float = 10.0

    @property
    def manifest(self) -> StrategyManifest:
        """What the strategy declares."""
        return self.strategy.manifest

    @cached_property
    def _asked(self) -> tuple[tuple[Decision, float], ...]:
        return tuple(self._timed(case.context) for case in self.cases)

    @property
    def answers(self) -> tuple[Decision, ...]:
        """The answer to every case as it is, asked once."""
        return tuple(decision for decision, _ in self._asked)

    @property
    def decision_ms(self) -> float:
        """Median milliseconds of a decision."""
        return 1000 * median(seconds for _, seconds in self._asked)

    def answered(self) -> Iterator[tuple[StrategyCase, Decision]]:
        """Return every case beside its answer."""
        return zip(self.cases, self.answers, strict=True)

    def ask(self, context: StrategyContext) -> Decision:
        """Ask the strategy as the platform does: isolated, and within its time."""
        return self._timed(context)[0]

    def _timed(self, context: StrategyContext) -> tuple[Decision, float]:
        return ask_in_time(self.strategy.decide, context, self.timeout_secs)

    @cached_property
    def symbols_read(self) -> tuple[frozenset[str], ...]:
        """The symbols whose history the strategy looked at, case by case."""
        return tuple(self._watched(case.context) for case in self.cases)

    def _watched(self, context: StrategyContext) -> frozenset[str]:
        history = _Watched(context.history)
        self.ask(replace(context, history=history))
        return frozenset(history.seen)

    @cached_property
    def testimony(self) -> Testimony:
        """What another process answered, asked the same in reverse order and watched.

        Raises
        ------
        NotApplicable
            When no other process can import the strategy.
        """
        contexts = tuple(case.context for case in self.cases)
        testimony = summon(self.module, contexts, self.timeout_secs)
        if testimony is None:
            raise NotApplicable("it is no module of a file, so no other process can import it")
        return testimony


StrategyCard: TypeAlias = Callable[[StrategyBench], None]
"""Raises `AssertionError` where the strategy breaks its contract, or `NotApplicable`."""


class _Watched(Mapping[str, BarFrame]):
    """A history that remembers which symbols were looked at."""

    def __init__(self, history: Mapping[str, BarFrame]) -> None:
        self._history = history
        self.seen: set[str] = set()

    def __getitem__(self, symbol: str) -> BarFrame:
        self.seen.add(symbol)
        return self._history[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._history)

    def __len__(self) -> int:
        return len(self._history)


def wish(decision: Decision) -> tuple[object, ...]:
    """Return the part of a decision that somebody acts on: everything but texts for people."""
    return (
        decision.outcome,
        decision.mode,
        decision.targets,
        decision.code,
        decision.risk_flags,
        tuple(_opinion(signal) for signal in decision.signals),
    )


def _opinion(signal: Signal) -> Signal:
    return replace(signal, reasoning="")


def tell(decision: Decision) -> str:
    """Return a decision in a few words, for a message."""
    if decision.outcome is not DecisionOutcome.REBALANCE:
        code = f" {decision.code.value}" if decision.code else ""
        return f"{decision.outcome.name}{code} ({decision.reason})"
    targets = ", ".join(f"{t.symbol} {t.amount.normalize():f}" for t in decision.targets)
    return f"REBALANCE {targets or 'to nothing'}"


def expect_answer(actual: Decision, intact: Decision, what: str) -> None:
    """Require that `what` changes nothing that anybody acts on."""
    expect(
        wish(actual) == wish(intact),
        f"{what}: expected {tell(intact)}, got {tell(actual)}{_hidden(actual, intact)}",
    )


def _hidden(actual: Decision, intact: Decision) -> str:
    """Tell what the short form of two decisions leaves out."""
    if tell(actual) != tell(intact):
        return ""
    flags, signals = (intact.risk_flags, actual.risk_flags), (intact.signals, actual.signals)
    return f"; flags {flags[0]} and {flags[1]}; signals {signals[0]} and {signals[1]}"
