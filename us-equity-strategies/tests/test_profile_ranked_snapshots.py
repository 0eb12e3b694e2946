"""What every profile does that ranks a snapshot: regimes, faults that block, and no surprises."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import Decision, DecisionOutcome
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.strategy import StrategyContext
from tests.ranked import QQQ_TECH, RANKINGS, Ranking, chosen, snapshots, weights

Answer = Callable[..., Decision]

SESSION = date(2020, 3, 31)


@pytest.fixture(scope="session", params=RANKINGS, ids=str)
def ranking(request: pytest.FixtureRequest) -> Ranking:
    found: Ranking = request.param
    return found


@pytest.fixture(scope="session")
def answer(ranking: Ranking, answer_of: Callable[[Ranking], Answer]) -> Answer:
    return answer_of(ranking)


@pytest.mark.parametrize(
    ("trend_gap", "above", "regime"),
    [
        (0.01, 20, "risk_on"),
        (0.01, 11, "risk_on"),  # breadth of exactly .55 is not below it
        (0.01, 10, "soft_defense"),
        (0.01, 0, "soft_defense"),
        (-0.01, 20, "soft_defense"),
        (0.0, 20, "soft_defense"),  # at its average is not above it
        (-0.01, 7, "soft_defense"),  # breadth of exactly .35 is not below it
        (-0.01, 6, "hard_defense"),
        (-0.01, 0, "hard_defense"),
    ],
)
def test_trend_and_breadth_set_the_regime(
    ranking: Ranking, answer: Answer, trend_gap: float, above: int, regime: str
) -> None:
    decision = answer([ranking.market(trend_gap), *ranking.stocks(20, above=above)])

    assert decision.diagnostics["regime"] == regime
    assert decision.risk_flags == (("hard_defense",) if regime == "hard_defense" else ())


# ── Blocked ────────────────────────────────────────────────────────────────────────────


def test_a_missing_benchmark_row_blocks(ranking: Ranking, answer: Answer) -> None:
    decision = answer(ranking.stocks(5))

    assert decision.code is ReasonCode.SNAPSHOT_ROW_MISSING
    assert ranking.benchmark in decision.reason


def test_an_undefined_figure_of_the_benchmark_blocks(ranking: Ranking, answer: Answer) -> None:
    for feature in ranking.needed:
        decision = answer([ranking.market(**{feature: math.nan}), *ranking.stocks(5)])

        assert decision.code is ReasonCode.INDICATOR_UNDEFINED
        assert f"{feature} of benchmark {ranking.benchmark}" in decision.reason


def test_no_eligible_stock_blocks_instead_of_selling_everything(
    ranking: Ranking, answer: Answer
) -> None:
    decision = answer([ranking.market(), ranking.row("AAA", eligible=0.0)], held=["AAA"])

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED


def test_a_holding_without_a_row_blocks_instead_of_being_sold(
    ranking: Ranking, answer: Answer
) -> None:
    rows = [ranking.market(), *ranking.stocks(5)]

    decision = answer(rows, universe=[rows[1].symbol, "LOST"], held=["LOST"])

    assert decision.code is ReasonCode.SNAPSHOT_ROW_MISSING
    assert "LOST" in decision.reason


def test_a_holding_with_an_undefined_feature_blocks_instead_of_being_sold(
    ranking: Ranking, answer: Answer
) -> None:
    first = ranking.stocks(1)[0].symbol
    for feature in (*ranking.neutral, "eligible"):
        vague = ranking.row("VAGUE", **{feature: math.nan})
        rows = [ranking.market(), *ranking.stocks(5), vague]

        decision = answer(rows, held=[first, "VAGUE"])

        assert decision.code is ReasonCode.INDICATOR_UNDEFINED
        assert f"{feature} of VAGUE" in decision.reason
        assert answer(rows, held=[first]).outcome is DecisionOutcome.REBALANCE


def test_a_stock_outside_the_universe_blocks_when_it_would_be_bought(
    ranking: Ranking, answer: Answer
) -> None:
    rows = [ranking.market(), *ranking.stocks(10)]
    best, *others, worst = (row.symbol for row in rows[1:])

    without_best = answer(rows, universe=[*others, worst])
    without_worst = answer(rows, universe=[best, *others])

    assert without_best.code is ReasonCode.UNMANAGED_TARGET
    assert best in without_best.reason
    assert without_worst.outcome is DecisionOutcome.REBALANCE


def test_a_manual_holding_outside_the_universe_is_nobodys_business(
    ranking: Ranking, answer: Answer
) -> None:
    rows = [ranking.market(), *ranking.stocks(5), ranking.row("GME", vol_63=math.nan)]
    named = [row.symbol for row in rows[1:6]]

    for manual in ("GME", "AMC"):
        assert answer(rows, held=[manual], universe=named) == answer(rows, universe=named)


def test_an_unnamed_universe_blocks(ranking: Ranking, answer: Answer) -> None:
    decision = answer([ranking.market(), *ranking.stocks(5)], universe=[])

    assert decision.code is ReasonCode.CONFIG_INVALID
    assert "STRATEGY_CONFIG_PATH" in decision.reason


def test_no_snapshot_blocks(ranking: Ranking, context_of: Callable[..., StrategyContext]) -> None:
    config = ranking.module.Config(universe=("AAA",))

    decision = ranking.module.decide(context_of(config, SESSION))

    assert decision.code is ReasonCode.SNAPSHOT_MISSING


@pytest.mark.parametrize("as_of", [SESSION, date(2020, 4, 1)])
def test_a_snapshot_that_knows_the_session_blocks(
    ranking: Ranking, answer: Answer, as_of: date
) -> None:
    decision = answer([ranking.market(), *ranking.stocks(5)], as_of=as_of)

    assert decision.code is ReasonCode.SNAPSHOT_FUTURE


def test_a_monthly_snapshot_serves_until_its_successor_can_exist(
    ranking: Ranking, answer: Answer
) -> None:
    rows = [ranking.market(), *ranking.stocks(5)]
    # August 2022 had 23 sessions: the longest month there is.
    last, late = (
        answer(rows, as_of=date(2022, 7, 29), session=day)
        for day in (date(2022, 8, 31), date(2022, 9, 1))
    )

    # The one that acts on the first sessions alone has nothing to do then, but is not blocked.
    served = DecisionOutcome.HOLD if ranking is QQQ_TECH else DecisionOutcome.REBALANCE
    assert last.outcome is served
    assert late.code is ReasonCode.SNAPSHOT_STALE
    assert "24 sessions" in late.reason


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(data=st.data())
def test_the_order_of_the_rows_changes_nothing(
    ranking: Ranking, answer: Answer, data: st.DataObject
) -> None:
    rows = data.draw(snapshots(ranking, 25))

    assert answer(rows) == answer(data.draw(st.permutations(rows)))


@given(
    data=st.data(),
    held=st.sets(st.sampled_from([f"S{i:02d}" for i in range(40)])),
    equity_usd=st.integers(1, 40_000).map(str),
)
def test_what_was_bought_is_chosen_again(
    ranking: Ranking, answer: Answer, data: st.DataObject, held: set[str], equity_usd: str
) -> None:
    rows = data.draw(snapshots(ranking, 40))
    first = answer(rows, held=held & {row.symbol for row in rows}, equity_usd=equity_usd)

    second = answer(rows, held=chosen(first), equity_usd=equity_usd)

    assert weights(second).items() == weights(first).items()


# ── Configuration ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [
        {"breadth_soft": 0.35},  # as breadth_hard: no soft defence in a rising market
        {"breadth_soft": 1, "breadth_hard": 0},
        {"holdings": 1, "max_snapshot_age_sessions": 1},
        {"hold_bonus": 0, "rebalance_threshold": 0},
    ],
    ids=str,
)
def test_a_configuration_at_the_edge_of_sense_is_accepted(
    ranking: Ranking, changes: dict[str, object]
) -> None:
    accepted = ranking.module.Config.model_validate(changes)

    assert accepted.model_dump().items() >= changes.items()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"safe_haven": None}, "nothing could be held"),
        ({"universe": ["AAPL", "BOXX"]}, "safe_haven BOXX may not stand in universe"),
        ({"universe": ["AAPL", "AAPL"]}, "AAPL stands more than once"),
        ({"breadth_hard": 0.6}, "breadth_hard = 0.6 is above breadth_soft = 0.55"),
        ({"exposure_soft": "1.1"}, "exposure_soft"),
        ({"breadth_soft": 1.1}, "breadth_soft"),
        ({"breadth_hard": -0.1}, "breadth_hard"),
        ({"hold_bonus": -0.1}, "hold_bonus"),
        ({"rebalance_threshold": 1}, "rebalance_threshold"),
        ({"factors": {"luck": 1.0}}, "factors.luck"),
        ({"holdings": 0}, "holdings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_configuration_that_makes_no_sense_is_refused(
    ranking: Ranking, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ranking.module.Config.model_validate(changes)


def test_a_benchmark_is_never_held(ranking: Ranking) -> None:
    complaint = f"benchmark {ranking.benchmark} may not stand in universe"
    with pytest.raises(ValidationError, match=complaint):
        ranking.module.Config(universe=(ranking.benchmark,))
