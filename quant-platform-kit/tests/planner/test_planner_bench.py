"""The benchmark measures what it says, and its document says what was measured."""

from __future__ import annotations

from bench.__main__ import benchmarks, machine, render
from bench._measure import BenchResult, interleaved_medians
from bench.planner_legs import POSITIONS, book


def test_the_measured_plan_trades_every_position_on_both_sides() -> None:
    made = book().plan()
    assert len(made.legs) == POSITIONS
    assert len(made.sells) == len(made.buys) == POSITIONS // 2
    assert all(leg.limited_by is None for leg in made.legs)


def test_the_benchmark_is_found_by_its_name() -> None:
    assert "planner_legs" in benchmarks()
    assert not [name for name in benchmarks() if name.startswith("_")]


def test_the_document_shows_a_missed_target() -> None:
    kept = BenchResult("one", "1 s", "1.0 × two", "at most 2", met=True)
    missed = BenchResult("three", "9 s", "9.0 × two", "at most 2", met=False)
    document = render([kept, missed], machine())
    assert "| one | 1 s | 1.0 × two | at most 2 | yes |" in document
    assert "| three | 9 s | 9.0 × two | at most 2 | **no** |" in document


def test_competitors_take_turns() -> None:
    calls: list[str] = []
    seconds = interleaved_medians(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2
    )
    assert calls == ["a", "b"] * 3  # the first round only warms up
    assert seconds.keys() == {"a", "b"}
