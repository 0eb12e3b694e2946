from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    DecisionOutcome,
    FeatureRow,
    InputMode,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from tests.ranked import QQQ_TECH, Ranking, chosen, snapshots, weights
from us_equity_strategies._cross_section import Names
from us_equity_strategies.qqq_tech_enhancement import Config, factors, manifest

Answer = Callable[..., Decision]

IT, COMM = QQQ_TECH.sectors
SCORED = {
    name: value
    for name, value in QQQ_TECH.neutral.items()
    if name not in ("close", "adv20_usd", "history_days")
}
row, qqq, stocks = QQQ_TECH.row, QQQ_TECH.market, QQQ_TECH.stocks


@pytest.fixture(scope="session")
def answer(answer_of: Callable[[Ranking], Answer]) -> Answer:
    return answer_of(QQQ_TECH)


# ── Regimes and weights ────────────────────────────────────────────────────────────────


def test_risk_on_holds_eight_and_keeps_a_fifth_back(answer: Answer) -> None:
    decided = weights(answer([qqq(), *stocks(10), *stocks(10, COMM)]))

    assert Counter(symbol[:2] for symbol in decided) == {"IN": 4, "CO": 4, "BO": 1}
    assert {decided[s] for s in decided if s != "BOXX"} == {Decimal("0.1")}
    assert decided["BOXX"] == Decimal("0.2")


def test_soft_defence_holds_eight_smaller_positions(answer: Answer) -> None:
    decided = weights(answer([qqq(-0.1), *stocks(10), *stocks(10, COMM)]))

    assert len(decided) == 9
    assert {decided[s] for s in decided if s != "BOXX"} == {Decimal("0.075")}
    assert decided["BOXX"] == Decimal("0.4")


@pytest.mark.parametrize(("trend_gap", "slots"), [(0.1, 4), (-0.1, 5)])
def test_one_sector_fills_so_many_slots_at_the_name_cap(
    answer: Answer, trend_gap: float, slots: int
) -> None:
    decided = weights(answer([qqq(trend_gap), *stocks(10)]))

    assert decided == {
        **dict.fromkeys([f"IN{index:03d}" for index in range(slots)], Decimal("0.1")),
        "BOXX": 1 - slots * Decimal("0.1"),
    }


def test_a_sector_has_at_least_one_slot(answer: Answer) -> None:
    assert chosen(answer([qqq(), *stocks(3)], sector_cap="0.01")) == ["IN000"]


def test_hard_defence_moves_everything_to_the_safe_haven(answer: Answer) -> None:
    decision = answer([qqq(-0.1), *stocks(20, above=0)], held=["IN000"])

    assert weights(decision) == {"BOXX": Decimal(1)}
    assert decision.risk_flags == ("hard_defense",)


def test_without_a_safe_haven_the_rest_stays_cash(answer: Answer) -> None:
    assert sum(weights(answer([qqq(), *stocks(8)], safe_haven=None)).values()) == Decimal("0.4")
    assert weights(answer([qqq(-0.1), *stocks(8, above=0)], safe_haven=None)) == {}


# ── Universe ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "features",
    [
        {"adv20_usd": 49_999_999.0},
        {"adv20_usd": math.nan},
        {"close": 10.0},
        {"close": math.nan},
        {"history_days": 273.0},
        {"history_days": math.nan},
        {"eligible": 0.0},
        {"eligible": math.nan},
        *({name: math.nan} for name in SCORED),
    ],
    ids=str,
)
def test_what_is_small_young_flagged_or_incomplete_takes_no_part(
    answer: Answer, features: dict[str, float]
) -> None:
    out = row("OUT", **{"mom_12_1": 9.0, "sma200_gap": -1.0, **features})
    decision = answer([qqq(), row("AAA", eligible=1.0), row("BBB"), out])

    assert chosen(decision) == ["AAA", "BBB"]
    assert decision.diagnostics["breadth"] == "1.0000 of 2"


def test_what_just_reaches_the_floors_takes_part(answer: Answer) -> None:
    least = row("AAA", adv20_usd=50e6, close=10.01, history_days=274.0)

    assert chosen(answer([qqq(), least])) == ["AAA"]


def test_a_floor_of_zero_asks_for_no_volume(answer: Answer) -> None:
    rows = [qqq(), row("AAA", adv20_usd=math.nan)]

    assert chosen(answer(rows, min_adv20_usd=0)) == ["AAA"]
    assert answer(rows, min_adv20_usd=1).code is ReasonCode.INDICATOR_UNDEFINED


def test_a_floor_of_zero_asks_for_no_price(answer: Answer) -> None:
    assert chosen(answer([qqq(), row("AAA", close=0.01)], min_close_usd=0)) == ["AAA"]


def test_a_feature_that_no_row_has_leaves_nothing_to_rank(answer: Answer) -> None:
    bare = {name: value for name, value in QQQ_TECH.neutral.items() if name != "vol_63"}

    decision = answer([qqq(), FeatureRow("AAA", IT, bare)])

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED


def test_only_listed_sectors_take_part(answer: Answer) -> None:
    rows = [qqq(), row("AAA"), row("BBB", COMM), row("OIL", "Energy", sma200_gap=-1.0)]

    assert chosen(answer(rows)) == ["AAA", "BBB"]
    assert answer(rows).diagnostics["breadth"] == "1.0000 of 2"
    assert chosen(answer(rows, sectors=["Energy"])) == ["OIL"]


def test_benchmark_and_safe_haven_take_no_part(answer: Answer) -> None:
    rows = [row("QQQ", IT, mom_12_1=9.0), row("BOXX", mom_12_1=9.0), row("AAA")]

    assert chosen(answer(rows)) == ["AAA"]


# ── Factors ────────────────────────────────────────────────────────────────────────────


def names_of(sectors: Sequence[str], features: Mapping[str, Sequence[float]]) -> Names:
    rows = tuple(FeatureRow(f"S{i}", sector, {}) for i, sector in enumerate(sectors))
    columns = {
        name: np.array(features.get(name, [value] * len(sectors))) for name, value in SCORED.items()
    }
    return Names(rows, columns, np.zeros(len(sectors), dtype=np.bool_))


def test_every_factor_is_the_formula_of_the_catalog_page() -> None:
    names = names_of(
        [IT],
        {
            "mom_6_1": [0.30],
            "mom_12_1": [0.50],
            "sma20_gap": [0.02],
            "sma50_gap": [-0.04],
            "sma200_gap": [0.20],
            "ma50_over_ma200": [0.10],
            "vol_63": [0.35],
            "maxdd_126": [-0.25],
            "breakout_252": [-0.06],
            "dist_63_high": [-0.05],
            "dist_126_high": [-0.14],
            "rebound_20": [0.08],
        },
    )

    found = factors(names, {"mom_6_1": 0.12, "mom_12_1": 0.15})

    assert {name: values.tolist() for name, values in found.items()} == {
        "excess_12_1": pytest.approx([0.35]),
        "excess_6_1": pytest.approx([0.18]),
        "trend": pytest.approx([0.09 - 0.021 + 0.02]),
        "pullback": pytest.approx([-0.55 * 0.03 - 0.25 * 0.02 - 0.10 * 0.04]),
        "recovery": pytest.approx([0.008 - 0.014 + 0.02]),
        "relative": pytest.approx([0.0]),
        "vol_63": pytest.approx([0.35]),
        "maxdd_126": pytest.approx([0.25]),
    }


def test_a_pullback_is_worst_below_both_averages_and_best_at_its_two_depths() -> None:
    names = names_of(
        [IT] * 4,
        {
            "sma50_gap": [0.10, -0.10, 0.10, 0.10],
            "sma200_gap": [0.10, -0.20, 0.10, 0.10],
            "dist_63_high": [-0.08, -0.08, -0.18, 0.0],
            "dist_126_high": [-0.12, -0.12, -0.12, 0.0],
        },
    )

    pullback = factors(names, {"mom_6_1": 0.0, "mom_12_1": 0.0})["pullback"]

    assert pullback.tolist() == pytest.approx([0.0, -0.03, -0.055, -0.044 - 0.03])


def test_the_relative_lead_is_over_the_median_of_the_sector() -> None:
    names = names_of([IT, IT, IT, COMM, COMM], {"mom_12_1": [0.9, 0.2, 0.1, 0.4, 0.0]})

    relative = factors(names, {"mom_6_1": 0.0, "mom_12_1": 0.3})["relative"]

    assert relative.tolist() == pytest.approx([0.7, 0.0, -0.1, 0.2, -0.2])


@pytest.mark.parametrize(
    ("feature", "better", "worse", "gap"),
    [
        # In a pair every z is +1 or -1, so two scores differ by twice a factor's weight.
        ("mom_12_1", 0.2, 0.1, 2 * (0.25 + 0.10)),  # excess and relative lead
        ("mom_6_1", 0.2, 0.1, 2 * 0.20),
        ("breakout_252", -0.01, -0.02, 2 * 0.15),
        ("ma50_over_ma200", 0.2, 0.1, 2 * 0.15),
        ("dist_63_high", -0.08, -0.05, 2 * 0.15),
        ("dist_126_high", -0.12, -0.15, 2 * 0.15),
        ("rebound_20", 0.2, 0.1, 2 * 0.10),
        ("sma20_gap", 0.2, 0.1, 2 * 0.10),
        ("vol_63", 0.1, 0.2, 2 * 0.03),
        ("maxdd_126", -0.1, -0.2, 2 * 0.02),
    ],
)
def test_a_held_stock_stays_until_the_lead_of_another_exceeds_its_bonus(
    answer: Answer, feature: str, better: float, worse: float, gap: float
) -> None:
    rows = [qqq(), row("AAA", **{feature: worse}), row("ZZZ", **{feature: better})]

    assert chosen(answer(rows, holdings=1)) == ["ZZZ"]
    less, more = gap - 0.001, gap + 0.001
    assert chosen(answer(rows, holdings=1, held=["AAA"], hold_bonus=less)) == ["ZZZ"]
    assert chosen(answer(rows, holdings=1, held=["AAA"], hold_bonus=more)) == ["AAA"]


def test_equal_scores_go_by_lead_then_by_trend_then_by_symbol(answer: Answer) -> None:
    rows = [
        qqq(),
        row("DDD"),
        row("CCC"),
        row("BBB", ma50_over_ma200=0.2),
        row("AAA", mom_12_1=0.05, ma50_over_ma200=0.9),
        row("EEE", mom_12_1=0.2),
    ]
    weightless = dict.fromkeys(Config().factors.model_dump(), 0.0)

    decision = answer(rows, factors=weightless, sector_cap=1)

    assert chosen(decision) == ["EEE", "BBB", "CCC", "DDD", "AAA"]


def test_a_full_sector_is_passed_over_for_the_next_best(answer: Answer) -> None:
    rows = [qqq(), *stocks(6), row("LAST", COMM, mom_12_1=-0.5)]

    assert chosen(answer(rows)) == ["IN000", "IN001", "IN002", "IN003", "LAST"]


# ── Execution window ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("session", "outcome"),
    [
        (date(2020, 4, 8), DecisionOutcome.REBALANCE),
        (date(2020, 4, 9), DecisionOutcome.REBALANCE),
        (date(2020, 4, 13), DecisionOutcome.REBALANCE),  # Good Friday is no session
        (date(2020, 4, 14), DecisionOutcome.HOLD),
        (date(2020, 4, 30), DecisionOutcome.HOLD),
    ],
)
def test_a_snapshot_is_acted_on_during_the_next_three_sessions(
    answer: Answer, session: date, outcome: DecisionOutcome
) -> None:
    decision = answer([qqq(), *stocks(5)], as_of=date(2020, 4, 7), session=session)

    assert decision.outcome is outcome
    if outcome is DecisionOutcome.HOLD:
        assert decision.reason == "outside_execution_window"


def test_a_hold_says_how_old_the_snapshot_is(answer: Answer) -> None:
    decision = answer([qqq(), *stocks(5)], as_of=date(2020, 4, 7), session=date(2020, 4, 14))

    assert decision.diagnostics == {
        "snapshot": "2020-04-07, 4 sessions old",
        "window": "3 sessions",
    }


def test_the_window_can_be_widened(answer: Answer) -> None:
    decision = answer(
        [qqq(), *stocks(5)],
        as_of=date(2020, 4, 7),
        session=date(2020, 4, 14),
        execution_window_sessions=4,
    )

    assert decision.outcome is DecisionOutcome.REBALANCE


# ── Blocked ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "features", [{"close": 9.0}, {"adv20_usd": 1.0}, {"history_days": 9.0}, {"eligible": 0.0}]
)
def test_a_holding_that_is_no_longer_admitted_is_sold(
    answer: Answer, features: dict[str, float]
) -> None:
    decision = answer([qqq(), *stocks(2), row("OUT", **features)], held=["OUT"])

    assert chosen(decision) == ["IN000", "IN001"]


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(rows=snapshots(QQQ_TECH, 25))
def test_no_cap_and_no_exposure_is_ever_exceeded(answer: Answer, rows: list[FeatureRow]) -> None:
    decision = answer(rows)
    decided, picked = weights(decision), chosen(decision)
    exposure, slots = {
        "risk_on": (Decimal("0.8"), 4),
        "soft_defense": (Decimal("0.6"), 5),
        "hard_defense": (Decimal(0), 0),
    }[decision.diagnostics["regime"]]
    sector = {r.symbol: r.sector for r in rows}

    assert len(picked) <= 8
    assert all(decided[symbol] <= Decimal("0.1") for symbol in picked)
    assert sum(decided[symbol] for symbol in picked) <= exposure
    assert max([0, *Counter(sector[symbol] for symbol in picked).values()]) <= slots
    assert 1 - Decimal("1e-8") < sum(decided.values()) <= 1


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "qqq_tech_enhancement"
    assert declared.aliases == (
        "tech_pullback_cash_buffer",
        "tech_communication_pullback_enhancement",
    )
    assert declared.cadence is Cadence.MONTHLY
    assert declared.role is Role.GROWTH
    assert declared.benchmark == "QQQ"
    assert declared.safe_haven == "BOXX"
    assert declared.target_mode is TargetMode.WEIGHT
    assert declared.input_mode is InputMode.SNAPSHOT
    assert not declared.reads_portfolio
    assert declared.snapshot is not None
    assert declared.snapshot.contract == "qqq_tech_enhancement.v1"
    assert set(declared.snapshot.columns) == {"symbol", "sector", *QQQ_TECH.neutral}
    assert declared.snapshot.max_age_sessions == 23


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert (config.holdings, config.hold_bonus) == (8, 0.10)
    assert (config.name_cap, config.sector_cap) == (Decimal("0.10"), Decimal("0.40"))
    exposures = (config.exposure_risk_on, config.exposure_soft, config.exposure_hard)
    assert exposures == (Decimal("0.80"), Decimal("0.60"), Decimal(0))
    assert (config.breadth_soft, config.breadth_hard) == (0.55, 0.35)
    assert config.min_adv20_usd == 50e6
    assert (config.min_close_usd, config.min_history_days) == (10.0, 274)
    assert config.sectors == (IT, COMM)
    assert config.execution_window_sessions == 3
    assert config.factors.model_dump() == {
        "excess_12_1": 0.25,
        "excess_6_1": 0.20,
        "trend": 0.15,
        "pullback": 0.15,
        "recovery": 0.10,
        "relative": 0.10,
        "vol_63": -0.03,
        "maxdd_126": -0.02,
    }


def test_what_is_managed_and_the_no_trade_band_follow_the_configuration() -> None:
    config = Config(universe=("AAPL", "MSFT"), rebalance_threshold=Decimal("0.03"))

    assert manifest(config).managed == ("AAPL", "MSFT", "BOXX")
    assert manifest(config.model_copy(update={"safe_haven": None})).managed == ("AAPL", "MSFT")
    assert manifest(config).hints.rebalance_threshold_ratio == Decimal("0.03")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sectors": []}, "sectors"),
        ({"min_adv20_usd": -1}, "min_adv20_usd"),
        ({"min_close_usd": -1}, "min_close_usd"),
        ({"execution_window_sessions": 0}, "execution_window_sessions"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)
