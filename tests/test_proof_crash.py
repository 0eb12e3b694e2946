"""The crash enumeration in its shortest form, and that it would notice what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from proof._crash import CrashCount, CrashTask, enumerate_crashes, lines, tasks
from proof._far_side import Trouble
from proof._invariants import Broken
from quant_platform_kit.contracts import OrderStatus
from quant_platform_kit.cycle import _account
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.orders import Desk, Journal, _rows


def tried(
    legs: int, trouble: Trouble, nth: int | None = 1, stride: int = 17, *, stops: bool = False
) -> CrashCount:
    return enumerate_crashes(CrashTask(legs, trouble, (nth,), stride, stops=stops))


@pytest.mark.parametrize("legs", [1, 2, 3, 4, 5])
def test_a_death_at_any_moment_leaves_the_undisturbed_book(legs: int) -> None:
    count = tried(legs, Trouble.NONE, None, stride=7)
    assert count.broken == []
    assert count.deaths > 5
    assert (count.exact.total(), count.within.total(), count.halts) == (count.cases, 0, {})


def test_a_death_at_any_moment_leaves_the_stops_of_the_undisturbed_run() -> None:
    count = tried(3, Trouble.NONE, None, stride=9, stops=True)
    assert count.broken == []
    assert count.exact.total() == count.cases > 5


@pytest.mark.parametrize("trouble", sorted(set(Trouble) - {Trouble.NONE}))
def test_a_death_beside_any_fault_leaves_nothing_twice_and_nothing_lost(trouble: Trouble) -> None:
    count = tried(4, trouble, 2)
    assert count.broken == []
    settled = count.exact.total() + count.within.total() + count.halts.total()
    assert settled == count.cases > 1


def test_the_whole_enumeration_has_every_plan_with_every_fault() -> None:
    for long in (False, True):
        found = {(task.legs, task.stops, task.trouble) for task in tasks(long=long)}
        assert found == set(product(range(1, 6), (False, True), Trouble))


def test_the_figures_say_what_was_tried() -> None:
    count = CrashCount()
    count.add(CrashCount(cases=2, deaths=1, moments=9))
    count.add(CrashCount(cases=1, deaths=1, moments=7, broken=["a case"]))
    count.exact[Trouble.LATE_FILL] += 1
    count.within[Trouble.PARTIAL_THEN_CANCEL] += 1
    count.halts[ReasonCode.BROKER_ANSWER] += 1
    assert list(lines(count)) == [
        "cases 3, deaths 2 at up to 9 moments",
        "final book exactly the undisturbed one: 1",
        "less, as the broker allowed: 1; named halts: BROKER_ANSWER 1",
        "partial then cancel: exact 0, less 1",
        "late fill: exact 1, less 0",
        "invariants broken: 1",
    ]


def forgets(desk: Desk) -> tuple[object, ...]:
    """Take every unfinished order for one that was never sent, without asking."""
    for order in desk.journal.unfinished():
        desk.journal.mark(order.client_id, OrderStatus.CANCELLED, code=ReasonCode.NEVER_SENT)
    return ()


def test_a_platform_that_does_not_ask_after_a_crash_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_account, "recover", forgets)
    assert tried(4, Trouble.NONE, None, stride=3).broken != []


def test_a_platform_that_journals_after_sending_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = iter(range(10_000))

    def another(_run_key: str, _symbol: str, _side: object, _number: int) -> str:
        return f"qpk-{next(numbers)}"

    def nothing_unfinished(_journal: Journal) -> Sequence[object]:
        return ()

    monkeypatch.setattr(_rows, "client_id", another)
    monkeypatch.setattr(Journal, "unfinished", nothing_unfinished)
    with pytest.raises(Broken):  # not even an undisturbed run books its fills
        tried(4, Trouble.NONE, None)
