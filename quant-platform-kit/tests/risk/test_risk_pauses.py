"""Paused strategies: remembered with who and why, until somebody ends it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import Pause, Pauses, entries
from quant_platform_kit.store import Store

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)


@pytest.fixture
def paused(store: Store, clock: SimulatedClock) -> Pauses:
    return Pauses(store, clock)


def test_a_pause_stands_until_it_is_ended(paused: Pauses, store: Store) -> None:
    assert paused.all() == {}
    paused.pause("income", who="ann", why="dividends look odd")
    paused.pause("growth", who="ann", why="earnings")
    paused.pause("income", who="ben", why="still odd")
    assert paused.all() == {
        "growth": Pause("growth", "ann", "earnings", NOW),
        "income": Pause("income", "ben", "still odd", NOW),
    }
    assert str(paused.all()["income"]) == "paused by ben: still odd"

    paused.unpause("income", who="ben", why="explained")
    assert list(paused.all()) == ["growth"]
    assert [(e.who, e.action, e.detail) for e in entries(store, 1)] == [
        ("ben", "unpause", {"strategy": "income", "why": "explained"})
    ]
    assert entries(store, 4)[3].detail == {"strategy": "income", "why": "dividends look odd"}


def test_what_is_not_paused_cannot_be_unpaused(paused: Pauses) -> None:
    with pytest.raises(ContractError, match=r"\(none\)"):
        paused.unpause("income", who="ann", why="x")
    paused.pause("growth", who="ann", why="earnings")
    with pytest.raises(ContractError, match=r"'income'.*\(growth\)"):
        paused.unpause("income", who="ann", why="x")


@pytest.mark.parametrize(("who", "why"), [("", "x"), ("qpk", "x"), ("ann", "")])
def test_somebody_must_say_who_and_why(paused: Pauses, who: str, why: str) -> None:
    for act in (paused.pause, paused.unpause):
        with pytest.raises(ContractError, match=r"who = |why is empty"):
            act("income", who=who, why=why)
    assert paused.all() == {}
