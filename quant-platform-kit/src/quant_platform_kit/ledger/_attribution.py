"""Who gets which part of a fill: pure arithmetic that loses neither a share nor a cent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

_ZERO = Decimal(0)
CENT = Decimal("0.01")


def apportion(total: Decimal, weights: Mapping[str, Decimal], step: Decimal) -> dict[str, Decimal]:
    """Divide `total` in proportion to `weights`, in whole steps that add up to it.

    Hamilton's method: everyone gets the exact part rounded down to a step; the steps left over
    go one by one to the largest remainders, and among equals to the first name. What is smaller
    than a step goes with the first of them.

    Parameters
    ----------
    total : Decimal
        Zero or more.
    weights : mapping of str to Decimal
        Zero or more each, above zero in sum.
    step : Decimal
        Smallest part: a lot of shares, a cent.
    """
    whole = sum(weights.values(), _ZERO)
    exact = {name: total * weight / whole for name, weight in weights.items()}
    parts = {name: _down(share, step) for name, share in exact.items()}
    order = sorted(weights, key=lambda name: (parts[name] - exact[name], name))
    left = total - sum(parts.values(), _ZERO)
    for name in order:
        if left <= _ZERO:
            break
        extra = min(step, left)
        parts[name] += extra
        left -= extra
    if left:  # only where weights of zero leave more steps than names
        parts[order[0]] += left
    return parts


def round_to_sum(
    exact: Mapping[str, Decimal], total: Decimal, step: Decimal = CENT
) -> dict[str, Decimal]:
    """Round signed amounts to steps so that they add up to `total`, itself a whole step.

    Requires that the exact amounts add up to `total` within a step.
    """
    parts = {name: _down(amount, step) for name, amount in exact.items()}
    order = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    missing = int((total - sum(parts.values(), _ZERO)) / step)
    for name in order[:missing]:
        parts[name] += step
    return parts


def _down(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(ROUND_FLOOR) * step
