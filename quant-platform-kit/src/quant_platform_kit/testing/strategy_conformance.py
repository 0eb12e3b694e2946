"""One call that holds a strategy against everything the platform expects of one.

From a test, a notebook or a script, without any test runner::

    report = check_strategy("my_package.my_profile")
    print(report)
    report.raise_for_failures()

In a test module of pytest, where each card becomes a test::

    @pytest.mark.parametrize("card", strategy_cards("my_package.my_profile"), ids=str)
    def test_my_profile_conforms(card):
        card()

From a terminal: ``python -m quant_platform_kit.testing my_profile.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypedDict, Unpack

from quant_platform_kit.contracts import DecisionOutcome
from quant_platform_kit.errors import ContractError
from quant_platform_kit.strategy import Strategy, StrategyConfig, StrategyModule, read_config
from quant_platform_kit.testing._expect import CardStatus, NotApplicable
from quant_platform_kit.testing._strategy_bench import StrategyBench, StrategyCard
from quant_platform_kit.testing._strategy_inputs import StrategyCase, make_cases
from quant_platform_kit.testing._strategy_module import find_module
from quant_platform_kit.testing.strategy_decisions import DECISION_CARDS
from quant_platform_kit.testing.strategy_faults import INPUT_FAULT_CARDS
from quant_platform_kit.testing.strategy_process import PROCESS_CARDS

STRATEGY_CARDS: Final[tuple[StrategyCard, ...]] = (
    *DECISION_CARDS,
    *INPUT_FAULT_CARDS,
    *PROCESS_CARDS,
)
"""Every card that a strategy is held against, in the order they are tried."""

_LOADS: Final = "it_loads"
_MEMBERS: Final = ("Config", "manifest", "decide")
_TIMEOUT_SECS: Final = 10.0


@dataclass(frozen=True, slots=True)
class CardResult:
    """How one card ended, and why, unless it passed."""

    card: str
    status: CardStatus
    why: str = ""

    def __str__(self) -> str:
        """Return the result as one line."""
        why = f": {self.why}" if self.why else ""
        return f"  {self.status:14}  {self.card}{why}"


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """What became of every card.

    Parameters
    ----------
    profile : str
        The strategy's profile; what was asked for when it does not load.
    cards : tuple of CardResult
    outcomes : mapping of str to int
        How many of the cases were answered with REBALANCE, HOLD and BLOCKED.
    decision_ms : float
        Median milliseconds of a decision.
    """

    profile: str
    cards: tuple[CardResult, ...]
    outcomes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    decision_ms: float = 0.0

    @property
    def passed(self) -> tuple[CardResult, ...]:
        """The cards that the strategy satisfies."""
        return self._with(CardStatus.PASSED)

    @property
    def failed(self) -> tuple[CardResult, ...]:
        """The cards that it breaks."""
        return self._with(CardStatus.FAILED)

    @property
    def not_applicable(self) -> tuple[CardResult, ...]:
        """The cards that have nothing to ask of it."""
        return self._with(CardStatus.NOT_APPLICABLE)

    def raise_for_failures(self) -> None:
        """Raise `AssertionError` with every card that has failed, and why; or do nothing."""
        if self.failed:
            raise AssertionError("\n".join((*self._head(), *map(str, self.failed))))

    def __str__(self) -> str:
        """Return the report as lines of text, failures first."""
        return "\n".join(
            (*self._head(), *map(str, (*self.failed, *self.passed, *self.not_applicable)))
        )

    def _head(self) -> Iterator[str]:
        counts = (f"{len(self._with(status))} {status}" for status in CardStatus)
        yield f"{self.profile}: {', '.join(counts)}"
        if self.outcomes:
            answers = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
            yield f"  cases: {answers}; {self.decision_ms:.2f} ms a decision"

    def _with(self, status: CardStatus) -> tuple[CardResult, ...]:
        return tuple(result for result in self.cards if result.status is status)


@dataclass(frozen=True, slots=True)
class BoundCard:
    """A card and the strategy it is for: calling it asks, its text names it."""

    card: StrategyCard
    bench: Callable[[], StrategyBench]

    def __call__(self) -> None:
        """Raise `AssertionError` where the strategy breaks the card."""
        self.card(self.bench())

    def __str__(self) -> str:
        return self.card.__name__


class BenchOptions(TypedDict, total=False):
    """What may be said about the situations a strategy is asked about.

    Parameters
    ----------
    cases : sequence of StrategyCase
        The situations. When left out they are made up from the manifest: prices that rise, fall,
        crash, jump, stand still and differ, each on five kinds of sessions.
    rows : sequence of str
        Symbols that a snapshot needs a row of, besides the managed ones and the benchmark.
    scale_free : bool
        Only ratios of prices matter to the rule; one more card checks it.
    timeout_secs : float
        The longest that one decision may take.
    """

    cases: Sequence[StrategyCase]
    rows: Sequence[str]
    scale_free: bool
    timeout_secs: float


def open_bench(
    strategy: StrategyModule | str | Path,
    config: StrategyConfig | Path | None = None,
    **options: Unpack[BenchOptions],
) -> StrategyBench:
    """Return what a card works on.

    Raises
    ------
    PlatformError
        When the strategy is not found or not a strategy.
    Exception
        Whatever its module raises while it is imported.
    """
    module = find_module(strategy)
    missing = [name for name in _MEMBERS if not callable(getattr(module, name, None))]
    if missing:
        raise ContractError(f"the module lacks {', '.join(missing)}")
    if isinstance(config, Path):
        declared = module.manifest(module.Config())
        names = (declared.profile, *declared.aliases)
        config = read_config(module.Config, config, names=names)
    elif config is None:
        config = module.Config()
    name = getattr(module, "__name__", type(module).__name__)
    opened = Strategy(name, config, module.manifest(config), module.decide)
    cases = options.get("cases") or make_cases(opened, options.get("rows", ()))
    return StrategyBench(
        module,
        opened,
        tuple(cases),
        scale_free=options.get("scale_free", False),
        timeout_secs=options.get("timeout_secs", _TIMEOUT_SECS),
    )


def check_strategy(
    strategy: StrategyModule | str | Path,
    config: StrategyConfig | Path | None = None,
    **options: Unpack[BenchOptions],
) -> ConformanceReport:
    """Hold a strategy against every card and report; nothing is raised, whatever it does.

    Parameters
    ----------
    strategy : module, str or Path
        The module; or an installed profile or alias; or a module's dotted name; or a file.
    config : StrategyConfig or Path, optional
        An instance of the module's own ``Config``, or a file; the defaults when left out.
    **options
        See `BenchOptions`.
    """
    opened: list[StrategyBench] = []
    loads = _try(_LOADS, lambda: opened.append(open_bench(strategy, config, **options)))
    if not opened:
        asked = strategy if isinstance(strategy, str | Path) else getattr(strategy, "__name__", "")
        unasked = (_unasked(card) for card in STRATEGY_CARDS)
        return ConformanceReport(str(asked), (loads, *unasked))
    (bench,) = opened
    cards = tuple(_try(card.__name__, partial(card, bench)) for card in STRATEGY_CARDS)
    outcomes = Counter(answer.outcome for answer in bench.answers)
    return ConformanceReport(
        bench.manifest.profile,
        (loads, *cards),
        MappingProxyType({outcome.name: outcomes[outcome] for outcome in DecisionOutcome}),
        bench.decision_ms,
    )


def strategy_cards(
    strategy: StrategyModule | str | Path,
    config: StrategyConfig | Path | None = None,
    **options: Unpack[BenchOptions],
) -> tuple[BoundCard, ...]:
    """Return every card bound to one strategy, to parametrise a test with (``ids=str``).

    Nothing is imported before the first card is called; the arguments are those of
    `check_strategy`. A card that has nothing to ask raises `NotApplicable`, which pytest and
    unittest show as a skipped test.
    """
    bench = cache(partial(open_bench, strategy, config, **options))
    return tuple(BoundCard(card, bench) for card in STRATEGY_CARDS)


def _try(name: str, card: Callable[[], None]) -> CardResult:
    try:
        card()
    except NotApplicable as nothing:
        return CardResult(name, CardStatus.NOT_APPLICABLE, str(nothing))
    except AssertionError as broken:
        return CardResult(name, CardStatus.FAILED, str(broken))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (other people's code raises anything)
        return CardResult(name, CardStatus.FAILED, f"{type(error).__name__}: {error}")
    return CardResult(name, CardStatus.PASSED)


def _unasked(card: StrategyCard) -> CardResult:
    return CardResult(card.__name__, CardStatus.NOT_APPLICABLE, "the strategy does not load")
