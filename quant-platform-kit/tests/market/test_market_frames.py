from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.market import BarFrame

DAYS = (date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5))
CLOSES = (10.0, 11.0, 10.5, 12.0)


def frame(**changes: object) -> BarFrame:
    fields: dict[str, Any] = {
        "symbol": "SPY",
        "sessions": DAYS,
        "close": CLOSES,
        "adjustment": Adjustment.RAW,
    }
    return BarFrame(**(fields | changes))


def full_frame(**changes: object) -> BarFrame:
    columns: dict[str, object] = {
        "open": (10.0, 10.5, 11.0, 11.0),
        "high": (10.5, 11.5, 11.0, 12.5),
        "low": (9.5, 10.0, 10.0, 10.5),
        "volume": (100.0, 0.0, 300.0, 400.0),
    }
    return frame(**(columns | changes))


def test_a_frame_gives_back_what_it_was_given() -> None:
    bars = full_frame()

    assert bars.symbol == "SPY"
    assert bars.sessions == DAYS
    assert bars.first_session == DAYS[0]
    assert bars.last_session == DAYS[-1]
    assert type(bars.last_session) is date
    assert len(bars) == 4
    assert bars.close.tolist() == list(CLOSES)
    assert bars.close.dtype == np.float64
    assert bars.adjustment is Adjustment.RAW
    assert bars.volume is not None
    assert bars.volume.tolist() == [100.0, 0.0, 300.0, 400.0]


def test_columns_that_the_source_lacks_are_none() -> None:
    bars = frame()

    assert (bars.open, bars.high, bars.low, bars.volume) == (None, None, None, None)


def test_a_frame_cannot_be_changed() -> None:
    bars = full_frame()

    with pytest.raises(AttributeError):
        bars.symbol = "QQQ"  # type: ignore[misc]
    for array in (bars.close, bars.days, bars.until(DAYS[1]).close, bars.tail(2).days):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_a_frame_does_not_follow_later_changes_of_its_source() -> None:
    source = np.array(CLOSES)
    bars = frame(close=source)

    source[:] = 1.0

    assert bars.close.tolist() == list(CLOSES)


def test_until_includes_its_session_and_falls_back_to_the_one_before() -> None:
    bars = full_frame()

    assert bars.until(DAYS[2]).sessions == DAYS[:3]
    assert bars.until(date(2024, 7, 4)).sessions == DAYS[:3]
    assert bars.until(date(2024, 6, 30)).sessions == ()
    assert bars.until(date(2025, 1, 1)) == bars
    assert bars.until(DAYS[1]).close.tolist() == [10.0, 11.0]
    assert bars.until(DAYS[1]).open is not None


def test_a_cut_is_a_view_and_copies_nothing() -> None:
    bars = full_frame()

    assert np.shares_memory(bars.until(DAYS[1]).close, bars.close)
    assert np.shares_memory(bars.tail(2).days, bars.days)


def test_tail_keeps_the_newest_bars() -> None:
    bars = frame()

    assert bars.tail(2).sessions == DAYS[2:]
    assert bars.tail(0).sessions == ()
    assert bars.tail(99) == bars
    with pytest.raises(ContractError, match=r"tail\.count"):
        bars.tail(-1)


def test_a_bar_that_is_still_forming_is_dropped() -> None:
    with_today = frame()
    without_today = frame(sessions=DAYS[:3], close=CLOSES[:3])

    complete = with_today.drop_partial(DAYS[2])

    assert complete == without_today == without_today.drop_partial(DAYS[2])
    assert complete.content_hash() == without_today.content_hash()


def test_a_close_is_found_by_its_session() -> None:
    assert frame().close_on(DAYS[2]) == 10.5


@pytest.mark.parametrize("day", [date(2024, 6, 28), date(2024, 7, 4), date(2024, 7, 8)])
def test_a_session_without_a_bar_has_no_price(day: date) -> None:
    with pytest.raises(InputError, match=f"SPY has no bar of session {day}") as error:
        frame().close_on(day)

    assert (error.value.code, error.value.symbol) == (ReasonCode.PRICE_MISSING, "SPY")


def test_an_empty_frame_has_no_last_session() -> None:
    with pytest.raises(InputError, match="SPY is empty") as error:
        _ = frame().tail(0).last_session

    assert error.value.code is ReasonCode.HISTORY_MISSING


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"close": CLOSES[:3]}, r"close has shape \(3,\) for 4 sessions"),
        ({"volume": (1.0,)}, r"volume has shape \(1,\) for 4 sessions"),
        ({"close": (10.0, float("nan"), 1.0, 1.0)}, "close of session 2024-07-02 is nan"),
        ({"close": (10.0, 1.0, float("inf"), 1.0)}, "close of session 2024-07-03 is inf"),
        ({"close": (0.0, 1.0, 1.0, 1.0)}, "close of session 2024-07-01 is 0.0"),
        ({"open": (1.0, 1.0, 1.0, -1.0)}, "open of session 2024-07-05 is -1.0"),
        ({"volume": (1.0, 1.0, -1.0, 1.0)}, "volume of session 2024-07-03 is -1.0"),
        ({"close": ("ten", 1.0, 1.0, 1.0)}, "close is not a column of numbers"),
        ({"sessions": DAYS[::-1]}, "session 2024-07-03 does not follow 2024-07-05"),
        ({"sessions": (*DAYS[:3], DAYS[2])}, "session 2024-07-03 does not follow 2024-07-03"),
        ({"sessions": (*DAYS[:3], "2024-07-05")}, "session '2024-07-05' is not a date"),
        ({"sessions": (*DAYS[:3], datetime(2024, 7, 5, tzinfo=UTC))}, "is not a date"),
        ({"sessions": np.array(["2024-07-01", "NaT"], "M8[D]")}, "not one row of dates"),
        ({"high": (10.0, 11.0, 10.4, 12.0)}, "close of session 2024-07-03 lies beyond its high"),
        ({"low": (9.0, 9.0, 9.0, 12.1)}, "close of session 2024-07-05 lies beyond its low"),
        (
            {"high": (20.0, 20.0, 20.0, 20.0), "open": (1.0, 1.0, 1.0, 21.0)},
            "open of session 2024-07-05 lies beyond its high",
        ),
    ],
)
def test_a_malformed_bar_is_refused_by_symbol_session_and_column(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=f"SPY.*{complaint}") as error:
        frame(**changes)

    assert error.value.code is ReasonCode.BAR_INVALID
    assert error.value.symbol == "SPY"


@pytest.mark.parametrize("symbol", ["", "spy", " SPY"])
def test_a_malformed_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(ContractError, match=r"BarFrame\.symbol"):
        frame(symbol=symbol)


def test_columns_that_disagree_by_rounding_are_accepted() -> None:
    assert frame(high=tuple(close * (1 - 1e-12) for close in CLOSES)).high is not None


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert full_frame().content_hash() == (
        "46024345385b89c7385e3b71b3ce52cb6d160b4ba5b0ba5345b82de35aa8aaa6"
    )


def test_equal_frames_have_equal_hashes_however_they_were_made() -> None:
    made_from_arrays = full_frame(
        sessions=np.array(DAYS, "M8[us]"),
        close=np.array(CLOSES, ">f8"),
        volume=np.array((100.0, -0.0, 300.0, 400.0)),
    )

    assert made_from_arrays == full_frame()
    assert hash(made_from_arrays) == hash(full_frame())
    assert made_from_arrays.content_hash() == full_frame().content_hash()


@pytest.mark.parametrize(
    "other",
    [
        full_frame(symbol="QQQ"),
        full_frame(adjustment=Adjustment.TOTAL_RETURN),
        full_frame(close=(10.0, 11.0, 10.5, 12.0 + 1e-12)),
        full_frame(volume=None),
        full_frame(sessions=(*DAYS[:3], date(2024, 7, 8))),
        full_frame().tail(3),
    ],
)
def test_frames_that_differ_anywhere_differ_in_value_and_hash(other: BarFrame) -> None:
    assert other != full_frame()
    assert other.content_hash() != full_frame().content_hash()


def test_a_frame_equals_nothing_but_a_frame() -> None:
    assert frame() != "SPY"


def test_a_column_cannot_pass_for_another_in_the_hash() -> None:
    assert (
        frame(open=CLOSES, high=None).content_hash() != frame(open=None, high=CLOSES).content_hash()
    )


def test_a_frame_shows_its_span() -> None:
    assert repr(frame()) == "BarFrame(SPY, 2024-07-01..2024-07-05, 4 sessions, raw)"
    assert repr(frame().tail(0)) == "BarFrame(SPY, 0 sessions, raw)"


@st.composite
def frames(draw: st.DrawFn) -> BarFrame:
    days = sorted(draw(st.sets(st.dates(date(2000, 1, 1), date(2000, 3, 31)), max_size=40)))
    prices = st.floats(0.01, 1e6)
    closes = draw(st.lists(prices, min_size=len(days), max_size=len(days)))
    return BarFrame(symbol="X", sessions=days, close=closes, adjustment=Adjustment.SPLIT)


@given(bars=frames(), day=st.dates(date(1999, 12, 1), date(2000, 4, 30)))
def test_until_keeps_exactly_the_sessions_up_to_a_day(bars: BarFrame, day: date) -> None:
    cut = bars.until(day)

    assert cut.sessions == tuple(session for session in bars.sessions if session <= day)
    assert cut.close.tolist() == bars.close.tolist()[: len(cut)]
    assert cut == BarFrame(
        symbol="X", sessions=cut.sessions, close=cut.close, adjustment=Adjustment.SPLIT
    )


@given(bars=frames(), first=st.integers(0, 50), second=st.integers(0, 50))
def test_cuts_compose(bars: BarFrame, first: int, second: int) -> None:
    assert bars.tail(first).tail(second) == bars.tail(min(first, second))
    if len(bars):
        before_last = bars.last_session - timedelta(days=1)
        assert len(bars.until(before_last)) == len(bars) - 1
