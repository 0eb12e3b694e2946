"""The state machine of an order: every state with everything that can be heard of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import OrderStatus as Status
from quant_platform_kit.orders._states import after, open_to

FINAL = [status for status in Status if status.is_final]
ALIVE = [status for status in Status if not status.is_final]

# Rows: where an order stands. Columns: what is heard. "." old news, "!" cannot be, else the letter.
_LETTERS = "PSWTFCREU"
_STATES = (
    Status.PENDING,
    Status.SUBMITTING,
    Status.SUBMITTED,
    Status.PARTIAL,
    Status.FILLED,
    Status.CANCELLED,
    Status.REJECTED,
    Status.EXPIRED,
    Status.UNRESOLVED,
)
_TABLE = """
    . S ! ! ! C ! ! !
    . . W T F C R E U
    . . . T F C R E U
    . . . . F C ! E U
    . . . . . ! ! ! .
    . . . . ! . ! ! .
    . . . ! ! ! . ! .
    . . . . ! ! ! . .
    . . W T F C R E .
"""


def _expected(state: Status, news: Status) -> Status | None:
    row = _TABLE.split("\n")[1 + _STATES.index(state)].split()
    letter = row[_STATES.index(news)]
    if letter == "!":
        return None
    return state if letter == "." else _STATES[_LETTERS.index(letter)]


@pytest.mark.parametrize(("state", "news"), list(product(Status, Status)))
def test_every_state_takes_every_news_as_the_table_says(state: Status, news: Status) -> None:
    assert after(state, news) is _expected(state, news)


@pytest.mark.parametrize("news", list(Status))
def test_news_are_recorded_where_they_move_an_order_or_are_of_its_own_state(news: Status) -> None:
    for state in Status:
        recorded = not state.is_final and after(state, news) is news
        assert (state in open_to(news)) is recorded


def _heard(start: Status, news: Iterable[Status]) -> Status:
    state = start
    for each in news:
        following = after(state, each)
        assert following is not None, f"{state} contradicts {each}"
        state = following
    return state


@st.composite
def _histories(draw: st.DrawFn) -> list[Status]:
    """Return what a broker may say of one order in the end, its last word included."""
    end = draw(st.sampled_from(FINAL))
    before = [Status.SUBMITTED]
    if end is not Status.REJECTED:
        before.append(Status.PARTIAL)
    return [*draw(st.lists(st.sampled_from(before), max_size=5)), end]


@given(st.data(), st.sampled_from([Status.SUBMITTING, Status.UNRESOLVED]), _histories())
def test_any_order_and_any_repetition_of_a_brokers_news_ends_the_same(
    data: st.DataObject, start: Status, history: list[Status]
) -> None:
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    assert _heard(start, data.draw(st.permutations(repeated))) is history[-1]


@given(st.sampled_from(ALIVE), st.lists(st.sampled_from(list(Status)), max_size=8))
def test_an_end_is_never_left_and_nothing_leads_back_to_before_the_broker(
    start: Status, news: list[Status]
) -> None:
    state = start
    for each in news:
        following = after(state, each)
        if following is None:
            continue
        if state.is_final:
            assert following is state
        if state not in (Status.PENDING, Status.SUBMITTING):
            assert following not in (Status.PENDING, Status.SUBMITTING)
        state = following


@pytest.mark.parametrize(("one", "other"), list(product(FINAL, FINAL)))
def test_two_different_ends_are_a_contradiction_whichever_comes_first(
    one: Status, other: Status
) -> None:
    assert (after(one, other) is None) is (one is not other)
    assert (after(one, other) is None) is (after(other, one) is None)
