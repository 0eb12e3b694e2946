"""Signals of several strategies become one master signal a symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from quant_platform_kit.contracts import Decision, Signal, SignalAction, digest
from quant_platform_kit.errors import ContractError
from quant_platform_kit.strategy._signals import (
    AggregatedSignals,
    AggregationMode,
    AggregationPolicy,
    MasterSignal,
    SignalMetadata,
    StrategySignal,
)

Sizing: TypeAlias = Callable[[SignalAction, Decimal], Decimal]
"""The share of capital for an action and its confidence."""

_ZERO: Final = Decimal(0)
_STEP: Final = Decimal("1e-10")
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_DEFAULT: Final = AggregationPolicy()
_ID_LENGTH: Final = 20

V = TypeVar("V")

_Votes: TypeAlias = Mapping[str, StrategySignal]
_Winner: TypeAlias = tuple[SignalAction, Decimal, str]


def aggregate(
    symbol: str,
    decisions: Mapping[str, Decision],
    *,
    at: datetime,
    policy: AggregationPolicy = _DEFAULT,
    sizing: Sizing | None = None,
) -> AggregatedSignals:
    """Return what the strategies together say about `symbol`.

    A strategy votes with its decision's signal about the symbol. It abstains when it is BLOCKED
    or has no such signal; an abstention is shown as HOLD with a confidence of 0 and never counts.

    ``weighted_average``: the weight of an action is the sum of its signals' confidences, each
    times its strategy's weight. The largest wins, and its share of the total is the master
    confidence: BUY .9, BUY .8 and HOLD .1 give BUY with 1.7 / 1.8. Two largest are a tie, and a
    tie is HOLD. ``log_all``: the most confident signal wins; if several are and disagree, that is
    HOLD.

    Parameters
    ----------
    symbol : str
    decisions : mapping of str to Decision
        The answers of `evaluate`, by strategy; at least one.
    at : datetime
        When the question was asked, aware UTC.
    policy : AggregationPolicy
    sizing : callable, optional
        Turns the winner into a share of capital; the allocation stays open without it. In shadow
        mode it equals the confidence: `shadow_sizing`.

    Raises
    ------
    ContractError
        When nobody was asked, `at` is not in UTC, or a weight belongs to nobody who was asked.
    """
    _check(decisions, at, policy)
    signals = {name: _signal(symbol, decisions[name]) for name in sorted(decisions)}
    votes = {name: signal for name, signal in signals.items() if not signal.abstained}
    counted = _without_overridden(votes, policy)
    weights = _action_weights(counted, policy)
    action, confidence, reasoning = _winner(votes, counted, weights, policy)
    master = MasterSignal(
        action=action,
        confidence=confidence,
        reasoning=reasoning,
        allocation=None if sizing is None else sizing(action, confidence),
        ticker=symbol,
        metadata=SignalMetadata(
            aggregation_mode=policy.mode,
            strategies_count=len(votes),
            action_weights=_read_only({a.value: _decimal(w) for a, w in weights.items()}),
            all_signals=_read_only(signals if policy.mode is AggregationMode.LOG_ALL else {}),
        ),
    )
    return AggregatedSignals(
        success=bool(votes),
        id=digest([master, signals, at])[:_ID_LENGTH],
        master_signal=master,
        all_signals=_read_only(signals),
        strategies_evaluated=len(signals),
        execution=None,
        timestamp=at,
    )


def aggregate_all(
    symbols: Sequence[str],
    decisions: Mapping[str, Decision],
    *,
    at: datetime,
    policy: AggregationPolicy = _DEFAULT,
    sizing: Sizing | None = None,
) -> Mapping[str, AggregatedSignals]:
    """Return one `aggregate` for each symbol, in the given order."""
    return _read_only(
        {
            symbol: aggregate(symbol, decisions, at=at, policy=policy, sizing=sizing)
            for symbol in symbols
        }
    )


def shadow_sizing(_action: SignalAction, confidence: Decimal) -> Decimal:
    """Allocate the confidence itself, which only makes sense where no order follows."""
    return confidence


def _check(decisions: Mapping[str, Decision], at: datetime, policy: AggregationPolicy) -> None:
    if not decisions:
        raise ContractError("aggregate.decisions = {}: expected the answer of at least one")
    if at.utcoffset() != timedelta(0):
        raise ContractError(f"aggregate.at = {at!r}: expected an aware UTC datetime")
    strangers = sorted(set(policy.weights) - set(decisions))
    if strangers:
        raise ContractError(
            f"AggregationPolicy.weights names {', '.join(strangers)}: expected strategies that "
            f"were asked: {', '.join(sorted(decisions))}"
        )


def _signal(symbol: str, decision: Decision) -> StrategySignal:
    if decision.code is not None:
        return _abstention(symbol, decision.reason, f"{decision.code.value}: {decision.reason}")
    found = [signal for signal in decision.signals if signal.symbol == symbol]
    if not found:
        return _abstention(symbol, f"has no signal about {symbol}", None)
    if len(found) > 1:
        many = f"gave {len(found)} signals about {symbol}"
        return _abstention(symbol, many, many)
    return _vote(found[0])


def _vote(signal: Signal) -> StrategySignal:
    return StrategySignal(
        ticker=signal.symbol,
        action=signal.action,
        confidence=signal.confidence,
        reasoning=signal.reasoning,
        quantity=signal.quantity,
        stop_loss_pct=signal.stop_loss_pct,
        trailing_stop_pct=signal.trailing_stop_pct,
    )


def _abstention(symbol: str, reasoning: str, error: str | None) -> StrategySignal:
    return StrategySignal(symbol, SignalAction.HOLD, _ZERO, reasoning, abstained=True, error=error)


def _without_overridden(votes: _Votes, policy: AggregationPolicy) -> _Votes:
    sells = sum(signal.action is SignalAction.SELL for signal in votes.values())
    if policy.sells_override is None or sells < policy.sells_override:
        return votes
    return {n: signal for n, signal in votes.items() if signal.action is not SignalAction.BUY}


def _action_weights(votes: _Votes, policy: AggregationPolicy) -> dict[SignalAction, Fraction]:
    # Fractions are exact: the order of strategies and the scale of weights change no digit.
    weights = dict.fromkeys(SignalAction, Fraction(0))
    for name, signal in votes.items():
        weight = policy.weights.get(name, Decimal(1))
        weights[signal.action] += Fraction(weight) * Fraction(signal.confidence)
    return weights


def _winner(
    votes: _Votes,
    counted: _Votes,
    weights: Mapping[SignalAction, Fraction],
    policy: AggregationPolicy,
) -> _Winner:
    if not votes:
        return SignalAction.HOLD, _ZERO, "every strategy abstained"
    if len(votes) < policy.quorum:
        few = f"{len(votes)} of the {policy.quorum} votes that a decision needs"
        return SignalAction.HOLD, _ZERO, few
    pick = _most_confident if policy.mode is AggregationMode.LOG_ALL else _heaviest
    action, confidence, reasoning = pick(counted, weights)
    overridden = len(votes) - len(counted)
    if overridden:
        reasoning = f"{reasoning}; {overridden} BUY overridden by SELL signals"
    return action, confidence, reasoning


def _heaviest(counted: _Votes, weights: Mapping[SignalAction, Fraction]) -> _Winner:
    total = sum(weights.values(), Fraction(0))
    if not total:
        return SignalAction.HOLD, _ZERO, "no signal has any confidence"
    largest = max(weights.values())
    leaders = [action for action, weight in weights.items() if weight == largest]
    action = leaders[0] if len(leaders) == 1 else SignalAction.HOLD
    confidence = _decimal(weights[action] / total).quantize(_STEP, context=_EXACT)
    if len(leaders) > 1:
        return action, confidence, f"a tie of {' and '.join(leaders)}"
    count = sum(signal.action is action for signal in counted.values())
    shares = f"{_decimal(weights[action]):f} of {_decimal(total):f}"
    return action, confidence, f"{count} of {len(counted)} signals say {action}: {shares}"


def _most_confident(counted: _Votes, _weights: Mapping[SignalAction, Fraction]) -> _Winner:
    highest = max(signal.confidence for signal in counted.values())
    leaders = {name: s for name, s in counted.items() if s.confidence == highest}
    actions = sorted({signal.action for signal in leaders.values()})
    if len(actions) == 1:
        name, signal = next(iter(leaders.items()))
        return signal.action, signal.confidence, f"{name}: {signal.reasoning}".removesuffix(": ")
    confidence = highest if SignalAction.HOLD in actions else _ZERO
    return SignalAction.HOLD, confidence, f"a tie of {' and '.join(actions)}"


def _decimal(number: Fraction) -> Decimal:
    # Not the thread's context, which a strategy could have changed.
    return _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _read_only(mapping: Mapping[str, V]) -> Mapping[str, V]:
    return MappingProxyType(dict(mapping))
