"""History is exactly what was declared: complete sessions up to the one before the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    HistoryInput,
    ProfileStatus,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.errors import InputError, ReasonCode, TransientError
from quant_platform_kit.inputs import BarSource, Inputs, gather
from quant_platform_kit.market import BarFrame, xnys

CALENDAR = xnys()
SESSION = date(2020, 4, 13)  # the Monday after Good Friday
LAST = date(2020, 4, 9)  # the session before it
COUNT = 30
SYMBOLS = ("SPY", "EFA")
MANIFEST = StrategyManifest(
    profile="some_profile",
    display_name={"en": "Some profile", "zh": "某策略"},
    description={"en": "For tests.", "zh": "仅供测试。"},
    cadence=Cadence.DAILY,
    benchmark="SPY",
    target_mode=TargetMode.WEIGHT,
    status=ProfileStatus.RESEARCH,
    managed=("SPY",),
    history=HistoryInput(SYMBOLS, COUNT),
)


class Newest:
    """A source that answers with the newest bars it has, even one that is still forming."""

    def __init__(self, *frames: BarFrame) -> None:
        self.frames = {frame.symbol: frame for frame in frames}
        self.asked: tuple[object, ...] = ()

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        self.asked = (tuple(symbols), last_session, adjustment)
        return {symbol: frame.tail(sessions) for symbol, frame in self.frames.items()}


def bars(
    symbol: str,
    *,
    last: date = LAST,
    count: int = COUNT,
    adjustment: Adjustment = Adjustment.TOTAL_RETURN,
    without: date | None = None,
    extra: date | None = None,
) -> BarFrame:
    """Make bars of `count` sessions up to `last`; a close depends on its date alone."""
    days = set(CALENDAR.sessions(CALENDAR.offset(last, 1 - count), last)) if count else set()
    sessions = sorted((days - {without}) | ({extra} if extra else set()))
    close = 100 + 10 * np.sin([day.toordinal() for day in sessions])
    return BarFrame(symbol=symbol, sessions=sessions, close=close, adjustment=adjustment)


def gathered(source: BarSource) -> Inputs:
    return gather(
        MANIFEST,
        config_sha256="c" * 64,
        bars=source,
        snapshots=None,
        session=SESSION,
        calendar=CALENDAR,
    )


def test_each_declared_symbol_comes_with_exactly_the_declared_sessions() -> None:
    source = Newest(bars("EFA", count=40), bars("QQQ"), bars("SPY", count=35))

    inputs = gathered(source)

    assert tuple(inputs.history) == SYMBOLS
    assert all(len(frame) == COUNT for frame in inputs.history.values())
    assert all(frame.last_session == LAST for frame in inputs.history.values())
    assert inputs.history_ref is not None
    assert inputs.history_ref.adjustment is Adjustment.TOTAL_RETURN
    assert inputs.history_ref.symbols == len(inputs.history)
    assert inputs.history_ref.last_session == next(iter(inputs.history.values())).last_session
    assert (inputs.snapshot, inputs.snapshot_ref) == (None, None)


def test_the_source_is_asked_for_the_sessions_before_the_decision() -> None:
    source = Newest(*map(bars, SYMBOLS))

    gathered(source)

    assert source.asked == (SYMBOLS, LAST, Adjustment.TOTAL_RETURN)


def test_a_bar_that_is_still_forming_changes_nothing() -> None:
    without = gathered(Newest(*map(bars, SYMBOLS)))
    partial = gathered(Newest(*(bars(s, last=SESSION, count=COUNT + 1) for s in SYMBOLS)))

    assert partial.history == without.history
    assert partial.sha256 == without.sha256


@given(older=st.integers(0, 40), newer=st.integers(0, 1))
def test_neither_a_longer_history_nor_todays_bar_changes_the_inputs(older: int, newer: int) -> None:
    exact = gathered(Newest(*map(bars, SYMBOLS)))
    last = CALENDAR.offset(LAST, newer)
    longer = Newest(*(bars(s, last=last, count=COUNT + older + newer) for s in SYMBOLS))

    assert gathered(longer) == exact


def test_one_other_close_gives_another_digest() -> None:
    before = gathered(Newest(bars("SPY"), bars("EFA")))
    frame = bars("EFA")
    close = frame.close.copy()
    close[0] += 0.01
    changed = BarFrame(symbol="EFA", sessions=frame.days, close=close, adjustment=frame.adjustment)

    assert gathered(Newest(bars("SPY"), changed)).sha256 != before.sha256


@pytest.mark.parametrize(
    ("frames", "code", "words"),
    [
        ([], ReasonCode.HISTORY_MISSING, "no daily bar up to 2020-04-09"),
        ([bars("EFA", count=0)], ReasonCode.HISTORY_MISSING, "no daily bar"),
        ([bars("EFA", last=SESSION, count=1)], ReasonCode.HISTORY_MISSING, "no daily bar"),
        ([bars("EFA", count=29)], ReasonCode.HISTORY_SHORT, "29 sessions of the 30 declared"),
        (
            [bars("EFA", last=SESSION, count=30)],
            ReasonCode.HISTORY_SHORT,
            "29 sessions of the 30 declared",
        ),
        (
            [bars("EFA", last=date(2020, 4, 8), count=31)],
            ReasonCode.HISTORY_STALE,
            "ends at 2020-04-08, and the last session was 2020-04-09",
        ),
        (
            [bars("EFA", last=SESSION, count=40, without=LAST)],
            ReasonCode.HISTORY_STALE,
            "ends at 2020-04-08",
        ),
        (
            [bars("EFA", count=31, without=date(2020, 3, 16))],
            ReasonCode.HISTORY_SHORT,
            "no bar of the session 2020-03-16",
        ),
        (
            [bars("EFA", extra=date(2020, 3, 15))],
            ReasonCode.BAR_INVALID,
            "a bar of 2020-03-15, which is no session",
        ),
        (
            [bars("EFA", adjustment=Adjustment.RAW)],
            ReasonCode.BAR_INVALID,
            "total_return bars of EFA are needed",
        ),
    ],
    ids=lambda value: value if isinstance(value, ReasonCode) else None,
)
def test_a_faulty_history_is_refused_with_its_symbol(
    frames: list[BarFrame], code: ReasonCode, words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        gathered(Newest(bars("SPY"), *frames))

    assert refusal.value.code is code
    assert refusal.value.symbol == "EFA"
    assert words in refusal.value.message


def test_bars_of_another_symbol_are_refused() -> None:
    source = Newest(bars("SPY"))
    source.frames["EFA"] = bars("EEM")

    with pytest.raises(InputError, match="came as BarFrame\\(EEM") as refusal:
        gathered(source)

    assert (refusal.value.code, refusal.value.symbol) == (ReasonCode.BAR_INVALID, "EFA")


def test_a_source_that_cannot_be_reached_keeps_its_own_error() -> None:
    class Unreachable:
        def daily_bars(
            self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
        ) -> Mapping[str, BarFrame]:
            raise TransientError("The line is down.")

    with pytest.raises(TransientError):
        gathered(Unreachable())
