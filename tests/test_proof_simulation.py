"""Seeded days in small numbers, their replay, and that they would notice what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from proof import __main__ as proof
from proof._account import Ground
from proof._report import DOCUMENT, FIGURES, Part, read, record, render
from proof._simulate import LONG_DAYS, SHORT_DAYS, SimulationCount, lines, simulate, simulate_seeds
from quant_platform_kit.brokers import SimulatedBroker
from quant_platform_kit.contracts import Fill, Verdict
from quant_platform_kit.ledger import _ledger
from quant_platform_kit.orders import Desk, _execute, _protect
from quant_platform_kit.risk import GateMode, GateState, TradingGate

SEEDS = 25  # CI runs 800 beside the tests: make prove-days


@pytest.fixture
def ground() -> Iterator[Ground]:
    made = Ground()
    yield made
    made.close()


def test_random_days_break_no_invariant() -> None:
    count = simulate_seeds(range(SEEDS))
    assert count.broken == []
    assert count.schedules == SEEDS
    assert min(count.orders, count.deaths, count.outcomes["TRADED"]) > SEEDS // 2


def test_long_schedules_break_no_invariant() -> None:
    assert simulate_seeds(range(7, 10), LONG_DAYS).broken == []


@pytest.mark.parametrize("days", [SHORT_DAYS, LONG_DAYS])
def test_a_seed_replays_byte_for_byte(ground: Ground, days: tuple[int, int]) -> None:
    first = simulate(ground, 17, days)
    simulate(ground, 18, days)
    again = simulate(ground, 17, days)
    assert first == again
    assert first.sha256 != simulate(ground, 19, days).sha256


def test_the_command_replays_a_seed_with_its_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "be_quiet", lambda: None)
    monkeypatch.setattr(proof, "end_politely", lambda: None)
    assert proof.main(["simulate", "--seed", "3", "--trace"]) == 0
    printed = capsys.readouterr().out
    assert "seed 3: every invariant holds" in printed
    assert "2020-03-02 close" in printed


def broken_by_something(seeds: int = 50) -> bool:
    return any(simulate_seeds(range(seed, seed + 5)).broken for seed in range(0, seeds, 5))


def test_a_lost_fill_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = SimulatedBroker.fills_since

    def forgetful(broker: SimulatedBroker, instant: datetime) -> tuple[Fill, ...]:
        return tuple(fill for fill in complete(broker, instant) if fill.symbol != "SIM_C")

    monkeypatch.setattr(SimulatedBroker, "fills_since", forgetful)
    assert broken_by_something()


def test_a_gate_that_nobody_reads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TradingGate, "state", lambda _gate: GateState(GateMode.ACTIVE))
    assert broken_by_something()


def test_a_stop_that_nobody_takes_off_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def left_alone(_desk: Desk, _stops: object) -> Verdict:
        return Verdict()

    monkeypatch.setattr(_execute, "taken_off", left_alone)
    monkeypatch.setattr(_protect, "taken_off", left_alone)
    assert broken_by_something()


def test_a_fill_without_evidence_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "attest", lambda *_: None)
    assert broken_by_something()


def test_the_page_has_every_figure_and_the_way_to_repeat_it(tmp_path: Path) -> None:
    count = SimulationCount(schedules=2_000, sessions=9_000, orders=12_345)
    count.outcomes["TRADED"] += 7_000
    figures, page = tmp_path / "figures.json", tmp_path / "reliability.md"
    command = "python -m proof simulate"
    for seconds, long in ((60, False), (3_000, True), (90, False)):
        part = Part.now("Simulation", command, lines(count), seconds, long=long, table=[])
        record(part, figures, page)
    text = page.read_text()
    assert "schedules 2,000, sessions 9,000" in text
    assert "outcomes TRADED 7,000" in text
    assert "invariants broken: 0" in text
    assert "## Figures of `make prove` (1.5 minutes)" in text  # the later ones
    assert "## Figures of `make prove-long` (50.0 minutes)" in text
    assert "{" not in text


def test_the_page_is_made_of_the_figures_that_are_kept() -> None:
    assert read(FIGURES), "make prove"
    assert DOCUMENT.read_text(encoding="utf-8") == render(read(FIGURES))
