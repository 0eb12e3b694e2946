"""Recognising a split: a quantity that changed as a split would, at a price that did too."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal
from typing import Final

_RATIOS: Final = tuple(
    Decimal(new) / Decimal(old)
    for new, old in (
        *((new, 1) for new in (*range(2, 21), 25, 30, 40, 50, 100)),
        *((3, 2), (5, 2), (4, 3), (5, 4), (6, 5)),
    )
)
_KNOWN: Final = tuple(sorted({*_RATIOS, *(1 / ratio for ratio in _RATIOS)}))


def split_ratio(
    before: Decimal,
    after: Decimal,
    old_price: Decimal | None,
    new_price: Decimal | None,
    tolerance: Decimal,
) -> Decimal | None:
    """Return how many shares a split made of one; None when no split explains the change.

    The new quantity must be the old one times a usual ratio, a fraction of a share paid in cash.
    The price must be within `tolerance` of what the split makes of the old one, and nearer to that
    than to the old price itself, or a purchase by hand would pass for a small split.

    Parameters
    ----------
    before, after : Decimal
        Shares.
    old_price, new_price : Decimal, optional
        In USD; the last one known before, and the present one.
    tolerance : Decimal
        A ratio.
    """
    if not before or not after or before == after or not old_price or not new_price:
        return None
    change = math.log(new_price / old_price)
    for ratio in _KNOWN:
        if not _becomes(before * ratio, before, after):
            continue
        surprise = abs(change + math.log(ratio))
        if surprise <= min(math.log(1 + tolerance), abs(math.log(ratio)) / 2):
            return ratio
    return None


def _becomes(exact: Decimal, before: Decimal, after: Decimal) -> bool:
    whole = before == before.to_integral_value() and after == after.to_integral_value()
    return abs(exact - after) < Decimal("1e-9") or (
        whole and exact.to_integral_value(ROUND_FLOOR) == after
    )
