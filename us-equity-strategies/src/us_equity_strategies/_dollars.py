"""Dollars that add up, and shares that depend on how many dollars there are."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from quant_platform_kit.strategy import Ratio

_CENT: Final = Decimal("0.01")

Usd = Annotated[Decimal, Field(ge=0)]
"""An amount of dollars, not negative."""

_Points = tuple[tuple[Usd, Ratio], ...]


def _ascending(points: _Points) -> _Points:
    amounts = [usd for usd, _ in points]
    for left, right in pairwise(amounts):
        if left >= right:
            raise ValueError(f"{right} does not follow {left}: amounts must ascend")
    return points


Curve = Annotated[_Points, Field(min_length=1), AfterValidator(_ascending)]
"""Points of dollars and a ratio, ascending by dollars; read it with `interpolate`."""


def interpolate(curve: Curve, usd: Decimal) -> Decimal:
    """Return the ratio at `usd`: linear between two points, flat beyond the first and the last."""
    first_usd, first_ratio = curve[0]
    if usd <= first_usd:
        return first_ratio
    for (left, low), (right, high) in pairwise(curve):
        if usd <= right:
            return low + (high - low) * (usd - left) / (right - left)
    return curve[-1][1]


def nearest_cent(usd: Decimal) -> Decimal:
    """Return `usd` in whole cents, half a cent being one."""
    return usd.quantize(_CENT, ROUND_HALF_UP)


def cents_below(usd: Decimal) -> Decimal:
    """Return the most whole cents that `usd` pays for."""
    return usd.quantize(_CENT, ROUND_FLOOR)


def cents_above(usd: Decimal) -> Decimal:
    """Return the fewest whole cents that cover `usd`."""
    return usd.quantize(_CENT, ROUND_CEILING)
