"""What looks odd in a price history. It is told, and never smoothed over."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Final

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame

_JUMP: Final = 0.45  # a day's move from which on somebody should look
_RENAMED: Final = 0.25  # how far the first close of a new name may lie from the last of the old
_RENAMED_WITHIN: Final = timedelta(days=5)


def findings_in(frames: Mapping[str, BarFrame], adjustment: Adjustment) -> tuple[str, ...]:
    """Return one sentence for every symbol that ends early, jumps, or seems to be renamed."""
    if not frames:
        return ()
    newest = max(frame.last_session for frame in frames.values())
    ended = {s: f for s, f in frames.items() if f.last_session < newest}
    oldest = min(frame.first_session for frame in frames.values())
    begun = {s: f for s, f in frames.items() if f.first_session > oldest}
    return (
        *(f"{s} ends on {f.last_session}: delisted, or its data stopped" for s, f in ended.items()),
        *_renames(ended, begun),
        *_jumps(frames, adjustment),
    )


def _renames(ended: Mapping[str, BarFrame], begun: Mapping[str, BarFrame]) -> Iterator[str]:
    listed = sorted((frame.first_session, symbol) for symbol, frame in begun.items())
    for old, before in ended.items():
        last = before.last_session
        soon = bisect_right(listed, last, key=itemgetter(0))
        late = bisect_right(listed, last + _RENAMED_WITHIN, key=itemgetter(0))
        for first, new in listed[soon:late]:
            apart = abs(float(begun[new].close[0]) / float(before.close[-1]) - 1)
            if apart <= _RENAMED:
                yield (
                    f"{new} begins on {first} about where {old} ended: if it was renamed, give its "
                    "whole history under the new name"
                )


def _jumps(frames: Mapping[str, BarFrame], adjustment: Adjustment) -> Iterator[str]:
    for symbol, frame in frames.items():
        moves = frame.close[1:] / frame.close[:-1] - 1
        (places,) = np.nonzero(np.abs(moves) >= _JUMP)
        if not len(places):
            continue
        last = int(places[-1])
        kind = "a split, perhaps" if adjustment is Adjustment.RAW else "in adjusted prices"
        yield f"{symbol} moves by {moves[last]:+.0%} on {frame.days[last + 1]}, {kind}"
