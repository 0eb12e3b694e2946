"""`check_strategy` and its helpers, on strategies that are sound or cannot even be loaded."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import Decision
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.strategy import StrategyContext
from quant_platform_kit.testing import (
    STRATEGY_CARDS,
    CardStatus,
    NotApplicable,
    check_strategy,
    make_cases,
    open_bench,
    strategy_cards,
)

Sound = Any


@pytest.mark.parametrize("kind", ["on_bars", "on_features", "on_dollars", "in_a_file"])
def test_a_sound_strategy_breaks_no_card(sound: Sound, kind: str) -> None:
    report = check_strategy(getattr(sound, kind)(), scale_free=kind != "on_features")

    report.raise_for_failures()
    assert report.failed == ()
    assert sum(report.outcomes.values()) == 30
    assert report.outcomes["REBALANCE"] > 10
    assert report.decision_ms > 0


def test_together_the_sound_strategies_are_asked_every_question(sound: Sound) -> None:
    reports = [
        check_strategy(sound.on_bars(), scale_free=True),
        check_strategy(sound.on_features()),
        check_strategy(sound.on_dollars()),
        check_strategy(sound.in_a_file()),
    ]

    asked = {result.card for report in reports for result in report.passed}
    # Only a package that is installed has an entry point.
    assert {card.__name__ for card in STRATEGY_CARDS} - asked == {
        "the_profile_bears_the_name_of_its_entry_point"
    }


def test_an_installed_profile_is_found_by_name_and_by_alias() -> None:
    by_name, by_alias = check_strategy("spy_macd_vixy"), check_strategy("spymacdvixy")

    by_name.raise_for_failures()
    assert by_name.profile == by_alias.profile == "spy_macd_vixy"
    assert "the_profile_bears_the_name_of_its_entry_point" in {c.card for c in by_name.passed}


def test_a_strategy_that_awaits_is_asked_like_any_other(sound: Sound) -> None:
    file = sound.in_a_file(("def decide", "async def decide"))

    check_strategy(file).raise_for_failures()


def test_an_input_error_that_is_raised_blocks_as_it_does_on_the_platform(sound: Sound) -> None:
    def decide(context: StrategyContext) -> Decision:
        raise InputError("no price", code=ReasonCode.HISTORY_MISSING)

    bench = open_bench(sound.on_bars(decide))

    assert bench.answers[0] == Decision.blocked(ReasonCode.HISTORY_MISSING, "no price")


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("no_such_profile", "No installed package offers a strategy profile 'no_such_profile'"),
        ("quant_platform_kit.errors", "the module lacks Config, manifest, decide"),
        (Path("no_such_file.py"), "FileNotFoundError"),
    ],
    ids=["unknown", "no strategy", "no file"],
)
def test_what_does_not_load_is_reported_and_not_raised(strategy: str | Path, why: str) -> None:
    report = check_strategy(strategy)

    (failed,) = report.failed
    assert failed.card == "it_loads"
    assert why in failed.why
    assert len(report.not_applicable) == len(STRATEGY_CARDS)
    with pytest.raises(AssertionError, match="it_loads"):
        report.raise_for_failures()


def test_a_module_that_raises_while_it_is_imported_is_reported(sound: Sound) -> None:
    file = sound.in_a_file(("class Config", "raise SystemExit(3)\n\n\nclass Config"))

    (failed,) = check_strategy(file).failed

    assert failed.why == "SystemExit: 3"


def test_a_module_whose_own_import_is_missing_is_not_taken_for_unknown(
    sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound.in_a_file(("class Config", "import no_such_library\n\n\nclass Config"), name="needy")
    monkeypatch.syspath_prepend(str(sound.folder))

    (failed,) = check_strategy("needy").failed

    assert failed.why == "ModuleNotFoundError: No module named 'no_such_library'"


def test_the_report_lists_failures_first_and_says_why(sound: Sound) -> None:
    def decide(context: StrategyContext) -> Decision:
        return Decision.weights({"SIM_A": 1}, diagnostics={"bad": object()})

    report = check_strategy(sound.on_bars(decide))

    head, cases, first, *_ = str(report).splitlines()
    assert head.startswith("sound: ")
    assert f"{len(report.failed)} FAILED" in head
    assert "30 REBALANCE, 0 HOLD, 0 BLOCKED" in cases
    assert first.split()[0] == "FAILED"
    with pytest.raises(AssertionError) as caught:
        report.raise_for_failures()
    assert str(caught.value) == "\n".join((head, cases, *map(str, report.failed)))


def test_own_cases_take_the_place_of_the_ones_that_are_made_up(sound: Sound) -> None:
    module = sound.on_bars()
    cases = open_bench(module).cases[:2]

    report = check_strategy(module, cases=cases)

    assert sum(report.outcomes.values()) == 2


def test_rows_that_only_a_rule_knows_of_can_be_named(sound: Sound) -> None:
    strategy = open_bench(sound.on_features()).strategy

    cases = make_cases(strategy, rows=("SIM_BROAD",))

    snapshot = cases[0].context.snapshot
    assert snapshot is not None
    assert {row.symbol for row in snapshot.rows} >= {"SIM_BROAD", "SIM_INDEX", "SIM_A"}


def test_made_up_cases_are_the_same_in_every_process(sound: Sound) -> None:
    first, second = (make_cases(open_bench(sound.on_bars()).strategy) for _ in range(2))

    assert first == second


def test_made_up_history_is_what_the_manifest_declares(sound: Sound) -> None:
    for case in open_bench(sound.on_bars()).cases:
        context = case.context
        for symbol, frame in context.history.items():
            assert frame.symbol == symbol
            assert len(frame) == 20
            assert frame.last_session == context.calendar.previous(context.session)
            assert frame.high is not None
            assert frame.volume is None  # not declared


def test_each_card_is_a_test_of_its_own(sound: Sound) -> None:
    cards = strategy_cards(sound.in_a_file())

    assert [str(card) for card in cards] == [card.__name__ for card in STRATEGY_CARDS]
    for card in cards:
        with suppress(NotApplicable):
            card()


def test_a_card_without_a_question_is_a_skipped_test(sound: Sound) -> None:
    cards = {str(card): card for card in strategy_cards(sound.on_bars())}

    with pytest.raises(NotApplicable, match="declares no feature snapshot"):
        cards["a_missing_snapshot_blocks"]()
    with pytest.raises(NotApplicable, match="no other process can import it"):
        cards["another_process_decides_the_same"]()


def test_collecting_the_cards_imports_nothing() -> None:
    assert len(strategy_cards("no_such_profile")) == len(STRATEGY_CARDS)


def test_a_file_that_is_refused_its_clock_is_not_asked_to_decide_the_same(sound: Sound) -> None:
    decides = "    newest = context"
    file = sound.in_a_file((decides, f"    import time; time.time()\n{decides}"))

    report = check_strategy(file)

    assert [failed.card for failed in report.failed] == ["deciding_touches_nothing_outside"]
    outcome = {result.card: result.status for result in report.cards}
    assert outcome["another_process_decides_the_same"] is CardStatus.NOT_APPLICABLE


def test_the_kit_runs_from_a_terminal(sound: Sound) -> None:
    file = sound.in_a_file()
    config = file.with_suffix(".toml")
    config.write_text("window = 10\n", encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quant_platform_kit.testing", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good, bad = run(str(file), "--config", str(config)), run("no_such_profile")
    config.write_text("windw = 10\n", encoding="utf-8")
    unreadable = run(str(file), "--config", str(config))

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("in_a_file: ")
    assert bad.returncode == 1
    assert "it_loads" in bad.stdout
    assert unreadable.returncode == 1
    assert "windw" in unreadable.stdout


def test_contexts_of_a_bench_can_be_changed_like_any_other(sound: Sound) -> None:
    bench = open_bench(sound.on_bars())
    context = replace(bench.cases[0].context, history={})

    assert bench.ask(context).code is ReasonCode.HISTORY_MISSING
