"""The pre-trade checks, in their order; the first that refuses a leg names the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from quant_platform_kit.contracts import Leg, PortfolioSnapshot, Side, Verdict
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.risk._gate import GateState

_PRICE_MAX_AGE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Check:
    """What the checks look at.

    Parameters
    ----------
    gate : GateState
        As read at this moment.
    snapshot : PortfolioSnapshot
        The broker's truth the plan was made on.
    managed : frozenset of str
        Symbols this run may trade.
    unresolved : mapping of str to str
        Symbols blocked by an order whose fate is unknown, with its client id.
    """

    gate: GateState
    snapshot: PortfolioSnapshot
    managed: frozenset[str]
    unresolved: Mapping[str, str]


def check_leg(leg: Leg, against: Check) -> Verdict:
    """Run the checks in order and return the first refusal, or approval."""
    for step in _STEPS:
        result = step(leg, against)
        if result is not None:
            return result
    return Verdict()


def _gate(leg: Leg, against: Check) -> Verdict | None:
    if against.gate.permits(leg.side):
        return None
    return Verdict(ReasonCode.GATE_CLOSED, f"{against.gate.mode.value}: {against.gate.why}")


def _freshness(leg: Leg, against: Check) -> Verdict | None:
    age = against.snapshot.taken_at - leg.price_at
    if age <= _PRICE_MAX_AGE:
        return None
    return Verdict(ReasonCode.PRICE_STALE, f"{leg.symbol} was priced {age} before the plan")


def _scope(leg: Leg, against: Check) -> Verdict | None:
    if leg.symbol not in against.managed:
        return Verdict(ReasonCode.UNMANAGED_TARGET, f"{leg.symbol} is not managed")
    if leg.symbol in against.unresolved:
        return Verdict(ReasonCode.ORDER_UNRESOLVED, against.unresolved[leg.symbol])
    return None


def _position(leg: Leg, against: Check) -> Verdict | None:
    held = against.snapshot.quantity(leg.symbol)
    if leg.side is Side.SELL and leg.quantity > held:
        return Verdict(ReasonCode.RISK_REJECTED, f"{leg.quantity} to sell, {held} held")
    return None


_STEPS: tuple[Callable[[Leg, Check], Verdict | None], ...] = (
    _gate,
    _freshness,
    _scope,
    _position,
)
