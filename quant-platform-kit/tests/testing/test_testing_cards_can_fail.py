"""Cards can fail: each of these strategies has one defect, and a card that finds it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from threading import Event
from types import ModuleType
from typing import Any

import pytest
from pydantic import ConfigDict, Field

from quant_platform_kit.contracts import Decision, ExecutionHints, FeatureRow
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import StrategyConfig, StrategyContext
from quant_platform_kit.testing import (
    STRATEGY_CARDS,
    open_bench,
    strategy_decisions,
    strategy_faults,
    strategy_process,
)

Module = Any
Sound = Any
Broken = Callable[[Sound], Module]

CARDS = {card.__name__: card for card in STRATEGY_CARDS}
STOCKS = ("SIM_A", "SIM_B", "SIM_C", "SIM_D")


# ── Defects of a decision ──────────────────────────────────────────────────────────────


def _when(context: StrategyContext, level: float) -> Decision:
    return Decision.weights({"SIM_A": 1} if context.history["SIM_A"].close[-1] > level else {})


def raises(context: StrategyContext) -> Decision:
    raise KeyError("SIM_A")


def answers_rubbish(context: StrategyContext) -> str:
    return "buy"


def wants_two_hundred(context: StrategyContext) -> Decision:
    return Decision.blocked(ReasonCode.HISTORY_SHORT, "200 closes are needed")


def is_never_content(context: StrategyContext) -> Decision:
    return Decision.blocked(ReasonCode.CONFIG_INVALID, "nothing is ever right")


def strays(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_ELSEWHERE": 1})


def overspends(context: StrategyContext) -> Decision:
    return Decision.values({"SIM_A": context.sleeve.equity_usd + 1})


def mixes_modes(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_A": 1})


def sells_everything(context: StrategyContext) -> Decision:
    return Decision.values({})


def counts_its_calls() -> Callable[[StrategyContext], Decision]:
    calls = count()
    return lambda _: Decision.weights({"SIM_A": 1} if next(calls) % 7 else {})


def rewrites_its_inputs(context: StrategyContext) -> Decision:
    context.history.pop("SIM_A", None)
    return Decision.weights({})


def looks_ahead(context: StrategyContext) -> Decision:
    return _when(context, float(context.history["SIM_A"].close[-2]))


def reads_all_there_is(context: StrategyContext) -> Decision:
    newest = context.calendar.previous(context.session)
    return _when(context, float(context.history["SIM_A"].until(newest).close.mean()))


def takes_the_first(context: StrategyContext) -> Decision:
    return Decision.weights({next(iter(context.history)): 1})


def adds_up_in_order(context: StrategyContext) -> Decision:
    assert context.snapshot is not None
    total = 0.0
    for row in context.snapshot.rows:
        total += row.features["mom_6m"]
    return Decision.weights({}, diagnostics={"breadth": repr(total)})


def likes_round_numbers(context: StrategyContext) -> Decision:
    return _when(context, 70.0)


def counts_its_dollars(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_A": 1} if context.sleeve.equity_usd > 1000 else {})


def notes_what_cannot_be_written(context: StrategyContext) -> Decision:
    return Decision.weights({}, diagnostics={"frame": object()})


def takes_absence_for_a_fall(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_A": 1} if context.history.get("SIM_A") else {})


def reads_nothing(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_A": 1})


def ignores_dates(context: StrategyContext) -> Decision:
    return _when(context, indicators.sma(context.history["SIM_A"].close, 19))


def averages_what_there_is(context: StrategyContext) -> Decision:
    return _when(context, float(context.history["SIM_A"].close[-20:].mean()))


def makes_up_its_highs(context: StrategyContext) -> Decision:
    frame = context.history["SIM_A"]
    highs = frame.close * 0.9 if frame.high is None else frame.high
    return _when(context, float(highs[-20:].mean()))


def sells_without_a_snapshot(context: StrategyContext) -> Decision:
    return Decision.weights({"SIM_A": 1} if context.snapshot else {})


def ranks_any_date(context: StrategyContext) -> Decision:
    assert context.snapshot is not None
    return _strongest(context.snapshot.rows)


def ranks_what_is_defined(context: StrategyContext) -> Decision:
    assert context.snapshot is not None
    rows = context.snapshot.rows
    return _strongest(tuple(row for row in rows if math.isfinite(row.features["mom_6m"])))


def _strongest(rows: tuple[FeatureRow, ...]) -> Decision:
    strengths = {row.symbol: row.features["mom_6m"] for row in rows if row.symbol in STOCKS}
    return Decision.weights({max(sorted(strengths), key=strengths.__getitem__): 1})


def spends_an_unknown_sum(context: StrategyContext) -> Decision:
    return Decision.values({"SIM_A": context.sleeve.equity_usd / 2})


def takes_no_price_for_worthless(context: StrategyContext) -> Decision:
    sleeve = context.sleeve
    if not sleeve.equity_usd:
        return Decision.blocked(ReasonCode.CAPITAL_ZERO, "no capital")
    return Decision.values({"SIM_A": sum(sleeve.values_usd.values(), Decimal(0)) / 2})


# ── Defects of what stands around it ───────────────────────────────────────────────────


class Open(StrategyConfig):
    model_config = ConfigDict(extra="allow")


class Changeable(StrategyConfig):
    symbols: list[str] = Field(default=["SIM_A"])


class Unwritable(StrategyConfig):
    share: Any = Decimal("0.5")  # reads back as a text


def with_a_new_name_each_time(sound: Sound) -> Module:
    module, numbers = sound.on_bars(), count()
    declared = module.manifest(None)
    module.manifest = lambda _: replace(declared, icon=str(next(numbers) % 10))
    return module


def registered_under_another_name(sound: Sound) -> Module:
    path = sound.in_a_file(name="rogue")
    info = path.parent / "rogue-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rogue\nVersion: 1.0\n")
    entry = "[quant_platform_kit.strategies]\nanother_name = rogue\n"
    (info / "entry_points.txt").write_text(entry)
    return "rogue"


def _file(*changes: tuple[str, str]) -> Broken:
    return lambda sound: sound.in_a_file(*changes)


DECIDES = "    newest = context"
READS_A_FILE = (DECIDES, f"    open(__file__).close()\n{DECIDES}")
READS_THE_CLOCK = (DECIDES, f"    import datetime; datetime.date.today()\n{DECIDES}")
READS_THE_ENVIRONMENT = (DECIDES, f"    import os; os.environ.get('HOME')\n{DECIDES}")
OPENS_A_SOCKET = (DECIDES, f"    import socket; socket.socket().close()\n{DECIDES}")
THROWS_DICE = (DECIDES, f"    import random; random.random()\n{DECIDES}")
STARTS_A_PROCESS = (DECIDES, f"    import os; os.system('true')\n{DECIDES}")
STARTS_A_THREAD = (DECIDES, f"    import threading; threading.Thread().start()\n{DECIDES}")
SLEEPS = (DECIDES, f"    import time; time.sleep(0)\n{DECIDES}")
PRINTS = (DECIDES, f"    print('deciding')\n{DECIDES}")
HASHES = ('{"SIM_A": 1} if', '{"SIM_A": hash("SIM_A") % 1000 / 1000} if')

BROKEN: list[tuple[str, str, Broken]] = [
    (
        "the_manifest_introduces_it_in_both_languages",
        r"description\[zh\] is Chinese: Up\.",
        lambda sound: sound.on_bars(description={"en": "Up.", "zh": "Up."}),
    ),
    (
        "the_manifest_introduces_it_in_both_languages",
        "'Not-A-Name' is written in lower_snake_case",
        lambda sound: sound.on_bars(profile="Not-A-Name"),
    ),
    (
        "the_manifest_introduces_it_in_both_languages",
        "characters of the icon: expected 1, got 2",
        lambda sound: sound.on_bars(icon="up"),
    ),
    ("the_manifest_is_the_same_every_time", "made a second time", with_a_new_name_each_time),
    (
        "the_profile_bears_the_name_of_its_entry_point",
        "registered as 'another_name' but calls itself 'in_a_file'",
        registered_under_another_name,
    ),
    (
        "the_profile_bears_the_name_of_its_entry_point",
        "'spy_macd_vixy' is already the name of us_equity_strategies.spy_macd_vixy",
        lambda sound: sound.on_bars(profile="spy_macd_vixy"),
    ),
    (
        "the_configuration_is_frozen_and_closed",
        r"model_config\['extra'\]: expected 'forbid', got 'allow'",
        lambda sound: sound.on_bars(members={"Config": Open}),
    ),
    (
        "the_configuration_is_frozen_and_closed",
        "Config.symbols cannot change: a tuple, not a list",
        lambda sound: sound.on_bars(members={"Config": Changeable}),
    ),
    (
        "the_configuration_survives_its_file",
        "the configuration, read back",
        lambda sound: sound.on_bars(members={"Config": Unwritable}),
    ),
    (
        "what_it_declares_is_enough_to_decide",
        "KeyError: 'SIM_A'",
        lambda sound: sound.on_bars(raises),
    ),
    (
        "what_it_declares_is_enough_to_decide",
        "answered a str, not a Decision",
        lambda sound: sound.on_bars(answers_rubbish),
    ),
    (
        "what_it_declares_is_enough_to_decide",
        r"BLOCKED HISTORY_SHORT \(200 closes are needed\); declare what it needs",
        lambda sound: sound.on_bars(wants_two_hundred),
    ),
    (
        "what_it_declares_is_enough_to_decide",
        "blocked in every case",
        lambda sound: sound.on_bars(is_never_content),
    ),
    (
        "targets_stay_inside_the_sleeve",
        "outside the managed universe: SIM_ELSEWHERE",
        lambda sound: sound.on_bars(strays),
    ),
    (
        "targets_stay_inside_the_sleeve",
        r"the targets sum to 60001\S*, and the sleeve has 60000",
        lambda sound: sound.on_dollars(overspends),
    ),
    (
        "targets_stay_inside_the_sleeve",
        "the mode of the targets",
        lambda sound: sound.on_dollars(mixes_modes),
    ),
    (
        "targets_stay_inside_the_sleeve",
        "buy only, and SIM_A goes from",
        lambda sound: sound.on_dollars(sells_everything, hints=ExecutionHints(buy_only=True)),
    ),
    (
        "the_same_inputs_give_the_same_decision",
        "asked again it answers REBALANCE",
        lambda sound: sound.on_bars(counts_its_calls()),
    ),
    (
        "the_inputs_are_left_as_they_were",
        "the inputs afterwards",
        lambda sound: sound.on_bars(rewrites_its_inputs),
    ),
    (
        "prices_of_the_session_and_later_change_nothing",
        "with prices of later sessions",
        lambda sound: sound.on_bars(looks_ahead),
    ),
    (
        "history_beyond_the_declared_changes_nothing",
        "with 120 older sessions",
        lambda sound: sound.on_bars(reads_all_there_is),
    ),
    (
        "the_order_of_the_inputs_changes_nothing",
        "histories in reverse order: expected REBALANCE SIM_A 1, got REBALANCE SIM_D 1",
        lambda sound: sound.on_bars(takes_the_first),
    ),
    (
        "the_order_of_the_inputs_changes_nothing",
        "rows in reverse order|every second row first",
        lambda sound: sound.on_features(adds_up_in_order),
    ),
    (
        "the_scale_of_prices_changes_nothing",
        "with prices on other scales",
        lambda sound: sound.on_bars(likes_round_numbers),
    ),
    (
        "dollars_matter_only_where_they_are_declared",
        "with other dollars in the sleeve",
        lambda sound: sound.on_bars(counts_its_dollars),
    ),
    (
        "decisions_survive_storage",
        "the decision cannot be stored: object has no canonical JSON form",
        lambda sound: sound.on_bars(notes_what_cannot_be_written),
    ),
    (
        "a_missing_history_blocks",
        "without SIM_A: expected BLOCKED with the fault's code, got REBALANCE to nothing",
        lambda sound: sound.on_bars(takes_absence_for_a_fall),
    ),
    (
        "a_missing_history_blocks",
        "declares a price history and reads none of it",
        lambda sound: sound.on_bars(reads_nothing),
    ),
    (
        "a_missing_history_blocks",
        "instead of saying BLOCKED itself: BLOCKED STRATEGY_FAILED",
        lambda sound: sound.on_bars(ignores_dates),
    ),
    (
        "a_stale_history_blocks",
        r"SIM_A ending at 2021-\d\d-\d\d: expected BLOCKED",
        lambda sound: sound.on_bars(ignores_dates),
    ),
    (
        "a_short_history_decides_nothing_else",
        r"1 of 20 sessions of SIM_A: expected BLOCKED with the fault's code or REBALANCE SIM_A 1",
        lambda sound: sound.on_bars(averages_what_there_is),
    ),
    (
        "a_missing_column_blocks",
        "SIM_A without its high: expected BLOCKED",
        lambda sound: sound.on_bars(makes_up_its_highs),
    ),
    (
        "a_missing_snapshot_blocks",
        "without a snapshot: expected BLOCKED",
        lambda sound: sound.on_features(sells_without_a_snapshot),
    ),
    (
        "a_snapshot_of_the_session_itself_blocks",
        "with the session's own snapshot: expected BLOCKED",
        lambda sound: sound.on_features(ranks_any_date),
    ),
    (
        "a_stale_snapshot_blocks",
        "with a snapshot 21 sessions old: expected BLOCKED",
        lambda sound: sound.on_features(ranks_any_date),
    ),
    (
        "a_snapshot_outside_its_window_holds",
        "4 sessions after the snapshot: expected HOLD, got REBALANCE",
        lambda sound: sound.on_features(ranks_any_date),
    ),
    (
        "a_missing_row_decides_nothing_else",
        "without the row of SIM_",
        lambda sound: sound.on_features(ranks_what_is_defined),
    ),
    (
        "an_undefined_feature_decides_nothing_else",
        "mom_6m of SIM_. undefined: expected BLOCKED",
        lambda sound: sound.on_features(ranks_what_is_defined),
    ),
    (
        "an_unknown_portfolio_decides_nothing",
        "with an unknown sleeve: expected BLOCKED, got REBALANCE SIM_A 0",
        lambda sound: sound.on_dollars(spends_an_unknown_sum),
    ),
    (
        "an_unknown_portfolio_decides_nothing",
        "held at no value: expected BLOCKED",
        lambda sound: sound.on_dollars(takes_no_price_for_worthless),
    ),
    ("deciding_touches_nothing_outside", r"open\('\S*in_a_file\.py', 'r'\)", _file(READS_A_FILE)),
    ("deciding_touches_nothing_outside", r"date\.today\(\) in decide", _file(READS_THE_CLOCK)),
    ("deciding_touches_nothing_outside", "os.environ in decide", _file(READS_THE_ENVIRONMENT)),
    ("deciding_touches_nothing_outside", r"socket\.__new__", _file(OPENS_A_SOCKET)),
    ("deciding_touches_nothing_outside", "random in decide", _file(THROWS_DICE)),
    ("deciding_touches_nothing_outside", r"os\.system\(b'true'\)", _file(STARTS_A_PROCESS)),
    ("deciding_touches_nothing_outside", r"_thread\.start_\w+\(\) in", _file(STARTS_A_THREAD)),
    ("deciding_touches_nothing_outside", r"sleep\(\) in decide", _file(SLEEPS)),
    ("deciding_touches_nothing_outside", r"print\('deciding'\)", _file(PRINTS)),
    ("another_process_decides_the_same", "this process decides", _file(HASHES)),
]


@pytest.mark.parametrize(
    ("card", "says", "broken"), BROKEN, ids=[f"{card}-{says}"[:90] for card, says, _ in BROKEN]
)
def test_a_card_fails_on_a_strategy_that_breaks_it(
    card: str, says: str, broken: Broken, sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(sound.folder))
    bench = open_bench(broken(sound), scale_free=True)

    with pytest.raises(AssertionError, match=says):
        CARDS[card](bench)


@pytest.mark.parametrize(
    ("module", "cards"),
    [
        (strategy_decisions, strategy_decisions.DECISION_CARDS),
        (strategy_faults, strategy_faults.INPUT_FAULT_CARDS),
        (strategy_process, strategy_process.PROCESS_CARDS),
    ],
)
def test_every_card_that_is_written_is_dealt(module: ModuleType, cards: tuple[Any, ...]) -> None:
    written = [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    assert list(cards) == written
    assert set(cards) <= set(STRATEGY_CARDS)


def test_every_card_is_broken_by_some_strategy() -> None:
    assert {card for card, _, _ in BROKEN} == set(CARDS)


def test_a_strategy_that_never_answers_fails_in_its_time(sound: Sound) -> None:
    let_go = Event()
    bench = open_bench(sound.on_bars(lambda _: let_go.wait()), timeout_secs=0.01)
    bench = replace(bench, cases=bench.cases[:1])

    with pytest.raises(AssertionError, match=r"no answer within 0\.01 seconds"):
        CARDS["what_it_declares_is_enough_to_decide"](bench)

    let_go.set()


@pytest.mark.parametrize(
    "change",
    [
        (DECIDES, f"    import ftplib, zipapp\n{DECIDES}"),
        (DECIDES, f"    import random; random.Random(7).random()\n{DECIDES}"),
        ("class Config", "print('imported')\n\n\nclass Config"),
        (
            DECIDES,
            f"    globals().setdefault('seen', []).append(context.session)\n{DECIDES}",
        ),
    ],
    ids=["a late import", "seeded chance", "output of the import", "a diary nobody reads"],
)
def test_what_cannot_change_a_decision_breaks_no_card(
    sound: Sound, change: tuple[str, str]
) -> None:
    bench = open_bench(sound.in_a_file(change))

    CARDS["deciding_touches_nothing_outside"](bench)
    CARDS["another_process_decides_the_same"](bench)
