"""What several strategies say about one symbol, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from quant_platform_kit.contracts import SignalAction
from quant_platform_kit.errors import ContractError


class AggregationMode(StrEnum):
    """How opinions become one.

    ``weighted_average`` lets confidences vote; ``log_all`` takes the most confident signal and
    keeps all of them beside it, for research.
    """

    WEIGHTED_AVERAGE = "weighted_average"
    LOG_ALL = "log_all"


@dataclass(frozen=True, slots=True)
class AggregationPolicy:
    """The rules of a vote.

    Parameters
    ----------
    mode : AggregationMode
    weights : mapping of str to Decimal
        What a strategy's confidence is multiplied by, above zero; 1 where it is not named. Only
        their proportions matter.
    quorum : int
        Fewer votes than this decide nothing.
    sells_override : int or None
        So many SELL signals take the weight of every BUY away; None leaves that out.
    """

    mode: AggregationMode = AggregationMode.WEIGHTED_AVERAGE
    weights: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    quorum: int = 1
    sells_override: int | None = None

    def __post_init__(self) -> None:
        """Refuse a mode that is none, a weight that is not above zero, or a count below one."""
        if not isinstance(self.mode, AggregationMode):
            raise _refuse("mode", self.mode, f"one of {', '.join(AggregationMode)}")
        for name, weight in self.weights.items():
            if not _is_positive(weight):
                raise _refuse(f"weights[{name}]", weight, "a Decimal above zero")
        if self.quorum < 1:
            raise _refuse("quorum", self.quorum, "at least one vote")
        if self.sells_override is not None and self.sells_override < 1:
            raise _refuse("sells_override", self.sells_override, "at least one SELL, or None")


@dataclass(frozen=True, slots=True)
class StrategySignal:
    """One strategy's signal about `ticker`.

    One that abstains is shown as HOLD with a confidence of 0 and has no vote; `error` keeps what
    went wrong, where something did.
    """

    ticker: str
    action: SignalAction
    confidence: Decimal
    reasoning: str
    abstained: bool = False
    error: str | None = None
    quantity: Decimal | None = None
    stop_loss_pct: Decimal | None = None
    trailing_stop_pct: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SignalMetadata:
    """How a master signal came about.

    Parameters
    ----------
    aggregation_mode : AggregationMode
    strategies_count : int
        Signals that had a vote.
    action_weights : mapping of str to Decimal
        Sum of weighted confidences of ``BUY``, ``SELL`` and ``HOLD``.
    all_signals : mapping of str to StrategySignal
        Every signal by strategy, in ``log_all``.
    """

    aggregation_mode: AggregationMode
    strategies_count: int
    action_weights: Mapping[str, Decimal]
    all_signals: Mapping[str, StrategySignal] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class MasterSignal:
    """The one signal about `ticker`.

    `allocation` is the share of capital that a sizing policy gives it; None before one did.
    """

    action: SignalAction
    confidence: Decimal
    reasoning: str
    allocation: Decimal | None
    ticker: str
    metadata: SignalMetadata


@dataclass(frozen=True, slots=True)
class SignalExecution:
    """What became of a master signal that was acted upon."""

    success: bool
    trade_id: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AggregatedSignals:
    """The answer to the question what to do with one symbol.

    Parameters
    ----------
    success : bool
        Whether any strategy had a vote.
    id : str
        Digest of everything that was said and when.
    master_signal : MasterSignal
    all_signals : mapping of str to StrategySignal
        By strategy, ascending; those that abstained as well.
    strategies_evaluated : int
        How many were asked.
    execution : SignalExecution or None
        None while nobody acted upon it.
    timestamp : datetime
        Aware UTC.
    """

    success: bool
    id: str
    master_signal: MasterSignal
    all_signals: Mapping[str, StrategySignal]
    strategies_evaluated: int
    execution: SignalExecution | None
    timestamp: datetime


def _is_positive(weight: object) -> bool:
    return isinstance(weight, Decimal) and weight.is_finite() and weight > 0


def _refuse(name: str, value: object, want: str) -> ContractError:
    return ContractError(f"AggregationPolicy.{name} = {value!r}: expected {want}")
