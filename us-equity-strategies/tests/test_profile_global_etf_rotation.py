"""Levels are monthly: a level that jumps by x in the newest month has a momentum of exactly x."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    DecisionOutcome,
    InputMode,
    ProfileStatus,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import StrategyContext
from us_equity_strategies.global_etf_rotation import Config, decide, manifest

Make = Callable[..., BarFrame]
Answer = Callable[..., Decision]

QUARTER_END = date(2020, 3, 31)
KNOWN_UNTIL = date(2020, 3, 30)
HALF = Decimal("0.5")

CONFIG = Config(
    pool=("AAA", "BBB", "CCC", "DDD"),
    canary=("CAN1", "CAN2", "CAN3"),
    canary_bad_threshold=2,
    safe_haven="HAVEN",
    benchmark="AAA",
)

STEADY = [100.0] * 15
# Flat at the months that momentum compares with, and twice as high between them.
DOWNTREND = [100, 100, 100, 200, 200, 200, 200, 200, 100, 200, 200, 100, 200, 100, 101]
# Below those months, and yet far above its average.
FALLEN_ABOVE_AVERAGE = [101, 101, 101, 50, 50, 50, 50, 50, 101, 50, 50, 101, 50, 101, 100]


def jump(ratio: float) -> list[float]:
    return [100.0] * 14 + [100.0 * (1 + ratio)]


CALM = {"CAN1": jump(0.01), "CAN2": jump(0.01), "CAN3": jump(0.01)}
RANKED = {"AAA": jump(0.01), "BBB": jump(0.04), "CCC": jump(0.03), "DDD": jump(0.02)}


@pytest.fixture(scope="session")
def frames(monthly: Make) -> Callable[..., dict[str, BarFrame]]:
    def make(levels: Mapping[str, list[float]], last: date = KNOWN_UNTIL) -> dict[str, BarFrame]:
        return {symbol: monthly(symbol, values, last) for symbol, values in levels.items()}

    return make


@pytest.fixture(scope="session")
def answer(
    frames: Callable[..., dict[str, BarFrame]], context_of: Callable[..., StrategyContext]
) -> Answer:
    """Decide on the quarter's last session, with `changes` to the ranked pool and calm canaries."""

    def make(
        changes: Mapping[str, list[float] | BarFrame | None] | None = None,
        *,
        config: Config = CONFIG,
        held: Iterable[str] = (),
    ) -> Decision:
        history = frames(RANKED | CALM)
        for symbol, change in (changes or {}).items():
            if change is None:
                del history[symbol]
            elif isinstance(change, BarFrame):
                history[symbol] = change
            else:
                history |= frames({symbol: change})
        return decide(context_of(config, QUARTER_END, history, held=held))

    return make


def weights(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    return {target.symbol: target.amount for target in decision.targets}


def test_the_two_strongest_share_the_sleeve(answer: Answer) -> None:
    decision = answer()

    assert weights(decision) == {"BBB": HALF, "CCC": HALF}
    assert decision.mode is TargetMode.WEIGHT
    assert decision.risk_flags == ()
    assert decision.diagnostics["chosen"] == "BBB +0.0400, CCC +0.0300"


def test_what_is_held_ranks_higher_by_the_bonus(answer: Answer) -> None:
    # DDD: 0.02 + 0.02 beats CCC's 0.03; AAA: 0.01 + 0.02 only equals it.
    assert weights(answer(held=["DDD"])) == {"BBB": HALF, "DDD": HALF}
    assert list(weights(answer({"CCC": jump(0.031)}, held=["AAA"]))) == ["BBB", "CCC"]


def test_equal_scores_keep_the_order_of_the_pool(answer: Answer) -> None:
    same = dict.fromkeys(RANKED, jump(0.05))
    backwards = CONFIG.model_copy(update={"pool": ("DDD", "CCC", "BBB", "AAA")})

    assert list(weights(answer(same))) == ["AAA", "BBB"]
    assert list(weights(answer(same, config=backwards))) == ["DDD", "CCC"]


def test_an_etf_below_its_average_is_left_out_whatever_its_momentum(answer: Answer) -> None:
    decision = answer({"BBB": [*DOWNTREND[:-1], 115]})

    assert weights(decision) == {"CCC": HALF, "DDD": HALF}


def test_an_etf_at_its_average_is_not_above_it(answer: Answer) -> None:
    flat = dict.fromkeys(RANKED, STEADY)

    assert weights(answer(flat)) == {"HAVEN": Decimal(1)}


def test_slots_that_stay_empty_go_to_the_safe_haven(answer: Answer) -> None:
    falling = dict.fromkeys(("AAA", "BBB", "CCC"), DOWNTREND)

    assert weights(answer(falling)) == {"DDD": HALF, "HAVEN": HALF}


def test_without_a_safe_haven_empty_slots_stay_cash(answer: Answer) -> None:
    falling = dict.fromkeys(("AAA", "BBB", "CCC"), DOWNTREND)
    cash = CONFIG.model_copy(update={"safe_haven": None})

    assert weights(answer(falling, config=cash)) == {"DDD": HALF}


def test_negative_momentum_alone_excludes_nothing(answer: Answer) -> None:
    fallen = dict.fromkeys(RANKED, FALLEN_ABOVE_AVERAGE)

    decision = answer(fallen)

    assert weights(decision) == {"AAA": HALF, "BBB": HALF}
    assert decision.diagnostics["chosen"] == "AAA -0.0099, BBB -0.0099"


def test_a_third_of_the_sleeve_never_sums_to_more_than_the_whole(answer: Answer) -> None:
    thirds = weights(answer(config=CONFIG.model_copy(update={"top_n": 3})))

    assert thirds == dict.fromkeys(("BBB", "CCC", "DDD"), Decimal("0.3333333333"))


def test_enough_bad_canaries_are_an_emergency_that_moves_everything(answer: Answer) -> None:
    decision = answer({"CAN1": jump(-0.01), "CAN3": jump(-0.01)}, held=["BBB", "CCC"])

    assert weights(decision) == {"HAVEN": Decimal(1)}
    assert decision.risk_flags == ("emergency",)
    assert decision.diagnostics["canary_bad"] == "2 of 3"


def test_an_emergency_without_a_safe_haven_wants_nothing_but_cash(answer: Answer) -> None:
    decision = answer(
        {"CAN1": jump(-0.01), "CAN3": jump(-0.01)},
        config=CONFIG.model_copy(update={"safe_haven": None}),
    )

    assert weights(decision) == {}
    assert decision.risk_flags == ("emergency",)


def test_fewer_bad_canaries_are_no_emergency_and_a_flat_one_is_not_bad(answer: Answer) -> None:
    decision = answer({"CAN1": jump(-0.01), "CAN3": STEADY})

    assert weights(decision) == {"BBB": HALF, "CCC": HALF}


@pytest.mark.parametrize(
    ("session", "outcome"),
    [
        (date(2018, 3, 29), DecisionOutcome.REBALANCE),  # Good Friday was the 30th
        (date(2020, 3, 31), DecisionOutcome.REBALANCE),
        (date(2020, 3, 30), DecisionOutcome.HOLD),
        (date(2020, 4, 1), DecisionOutcome.HOLD),
        (date(2020, 4, 30), DecisionOutcome.HOLD),
        (date(2020, 6, 30), DecisionOutcome.REBALANCE),
        (date(2020, 12, 31), DecisionOutcome.REBALANCE),
    ],
)
def test_the_pool_is_ranked_on_the_last_session_of_a_rebalance_month_only(
    frames: Callable[..., dict[str, BarFrame]],
    context_of: Callable[..., StrategyContext],
    session: date,
    outcome: DecisionOutcome,
) -> None:
    context = context_of(CONFIG, session)
    history = frames(RANKED | CALM, context.calendar.previous(session))

    decision = decide(context_of(CONFIG, session, history))

    assert decision.outcome is outcome
    assert (decision.reason == "not_a_rebalance_session") == (outcome is DecisionOutcome.HOLD)


def test_an_emergency_does_not_wait_for_the_quarter(
    frames: Callable[..., dict[str, BarFrame]], context_of: Callable[..., StrategyContext]
) -> None:
    history = frames({"CAN1": jump(-0.2), "CAN2": jump(-0.2), "CAN3": jump(-0.2)})

    # The pool is not even there: an emergency needs the canaries alone.
    decision = decide(context_of(CONFIG, date(2020, 3, 31), history))

    assert decision.risk_flags == ("emergency",)


@pytest.mark.parametrize("symbol", ["CAN2", "DDD"])
def test_a_missing_canary_or_pool_etf_blocks(answer: Answer, symbol: str) -> None:
    decision = answer({symbol: None})

    assert decision.code is ReasonCode.HISTORY_MISSING
    assert symbol in decision.reason


@pytest.mark.parametrize("symbol", ["CAN2", "DDD"])
def test_a_canary_or_pool_etf_whose_prices_stopped_blocks(
    answer: Answer, monthly: Make, symbol: str
) -> None:
    decision = answer({symbol: monthly(symbol, jump(0.01), date(2020, 3, 27))})

    assert decision.code is ReasonCode.HISTORY_STALE
    assert symbol in decision.reason


def test_a_canary_that_cannot_be_computed_blocks_and_is_never_an_emergency(
    answer: Answer, daily: Make
) -> None:
    short = daily("CAN2", [100.0 - 0.1 * day for day in range(252)], KNOWN_UNTIL)

    decision = answer({"CAN1": jump(-0.1), "CAN2": short, "CAN3": jump(-0.1)})

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED
    assert "CAN2" in decision.reason


def test_a_young_etf_is_passed_over_but_one_that_is_held_blocks(
    answer: Answer, daily: Make
) -> None:
    young = {"BBB": daily("BBB", [100.0 + day for day in range(252)], KNOWN_UNTIL)}

    assert weights(answer(young)) == {"CCC": HALF, "DDD": HALF}
    blocked = answer(young, held=["BBB"])
    assert blocked.code is ReasonCode.INDICATOR_UNDEFINED
    assert "BBB" in blocked.reason


@given(factors=st.lists(st.floats(0.2, 5.0), min_size=7, max_size=7))
def test_prices_of_the_session_and_later_change_nothing(
    frames: Callable[..., dict[str, BarFrame]],
    context_of: Callable[..., StrategyContext],
    factors: list[float],
) -> None:
    known = frames(RANKED | CALM)
    later = {
        symbol: [*levels, levels[-1] * factor]
        for (symbol, levels), factor in zip((RANKED | CALM).items(), factors, strict=True)
    }
    # April's level is the newest one: every bar after March is unknown to the decision.
    told_too_much = frames(later, date(2020, 4, 30))

    decisions = [decide(context_of(CONFIG, QUARTER_END, h)) for h in (known, told_too_much)]

    assert decisions[0] == decisions[1]


def test_history_beyond_the_declared_sessions_changes_nothing(
    frames: Callable[..., dict[str, BarFrame]], context_of: Callable[..., StrategyContext]
) -> None:
    declared = manifest(CONFIG).history
    assert declared is not None
    long = frames({symbol: [1.0] * 50 + levels for symbol, levels in (RANKED | CALM).items()})
    cut = {symbol: frame.tail(declared.sessions) for symbol, frame in long.items()}

    decisions = [decide(context_of(CONFIG, QUARTER_END, h)) for h in (long, cut)]

    assert decisions[0] == decisions[1]


@given(order=st.permutations([*RANKED, *CALM]))
def test_the_order_of_the_inputs_changes_nothing(
    frames: Callable[..., dict[str, BarFrame]],
    context_of: Callable[..., StrategyContext],
    order: list[str],
) -> None:
    history = frames(RANKED | CALM)
    shuffled = {symbol: history[symbol] for symbol in order}

    decisions = [decide(context_of(CONFIG, QUARTER_END, h)) for h in (history, shuffled)]

    assert decisions[0] == decisions[1]


@pytest.mark.parametrize("sma_period", [1, 200, 400])
@pytest.mark.parametrize("session", [date(2018, 3, 29), date(2020, 12, 31), date(2021, 3, 31)])
def test_the_declared_sessions_are_enough_for_every_indicator(
    daily: Make, context_of: Callable[..., StrategyContext], session: date, sma_period: int
) -> None:
    config = CONFIG.model_copy(update={"sma_period": sma_period})
    history = manifest(config).history
    assert history is not None
    last = context_of(config, session).calendar.previous(session)
    rising = [100.0 * 1.001**day for day in range(history.sessions)]

    decision = decide(
        context_of(config, session, [daily(symbol, rising, last) for symbol in history.symbols])
    )

    assert decision.outcome is DecisionOutcome.REBALANCE
    assert decision.diagnostics["uptrend"] == ("0 of 4" if sma_period == 1 else "4 of 4")


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "global_etf_rotation"
    assert declared.aliases == ("global_macro_etf_rotation",)
    assert declared.cadence is Cadence.QUARTERLY
    assert declared.role is Role.GROWTH
    assert declared.benchmark == "VOO"
    assert declared.safe_haven == "BIL"
    assert declared.status is ProfileStatus.RUNTIME_ENABLED
    assert declared.input_mode is InputMode.DIRECT
    assert len(declared.managed) == 23
    assert declared.managed[-1] == "BIL"
    assert declared.history is not None
    assert set(declared.history.symbols) == {*declared.managed, *Config().canary} - {"BIL"}


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert config.canary == ("SPY", "EFA", "EEM", "AGG")
    assert (config.top_n, config.hold_bonus, config.canary_bad_threshold) == (2, 0.02, 4)
    assert (config.rebalance_months, config.sma_period) == ((3, 6, 9, 12), 200)
    assert " ".join(config.pool) == (
        "EWY EWT INDA FXI EWJ VGK VOO XLK SMH GLD SLV USO DBA XLE XLF ITA XLP XLU XLV IHI VNQ KRE"
    )


def test_a_safe_haven_that_is_also_in_the_pool_is_managed_once(answer: Answer) -> None:
    config = CONFIG.model_copy(update={"safe_haven": "BBB"})

    assert manifest(config).managed == CONFIG.pool
    falling = dict.fromkeys(("AAA", "CCC", "DDD"), DOWNTREND)
    assert weights(answer(falling, config=config)) == {"BBB": Decimal(1)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"top_n": 5}, "top_n = 5 is more than the 4 of pool"),
        ({"canary_bad_threshold": 4}, "can never be reached"),
        ({"rebalance_months": (3, 13)}, "rebalance_months.1"),
        ({"rebalance_months": ()}, "rebalance_months"),
        ({"pool": ("AAA", "AAA")}, "AAA stands more than once"),
        ({"canary": ()}, "canary"),
        ({"hold_bonus": float("nan")}, "hold_bonus"),
        ({"topn": 2}, "topn"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(CONFIG.model_dump() | changes)
