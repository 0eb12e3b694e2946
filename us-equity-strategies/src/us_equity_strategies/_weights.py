"""Weights that add up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

_STEP: Final = Decimal("1e-10")  # as fine as a decision's weights


def with_safe_haven(weights: Mapping[str, Decimal], safe_haven: str | None) -> dict[str, Decimal]:
    """Return `weights` with the safe haven holding what they leave over.

    Without a safe haven the rest stays cash, and the weights are returned as they are.
    """
    rest = (1 - sum(weights.values(), Decimal(0))).quantize(_STEP)
    if safe_haven is None or rest <= 0:
        return dict(weights)
    return {**weights, safe_haven: weights.get(safe_haven, Decimal(0)) + rest}
