from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    DecisionOutcome,
    FeatureRow,
    FeatureSnapshot,
    InputMode,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.strategy import StrategyContext
from us_equity_strategies._cross_section import Names
from us_equity_strategies.qqq_tech_enhancement import Config, decide, factors, manifest

Answer = Callable[..., Decision]

PROFILE = "qqq_tech_enhancement"
SESSION = date(2020, 3, 31)
AS_OF = date(2020, 3, 30)
IT, COMM = "Information Technology", "Communication"
SCORED = {
    "mom_6_1": 0.1,
    "mom_12_1": 0.1,
    "sma20_gap": 0.1,
    "sma50_gap": 0.1,
    "sma200_gap": 0.1,
    "ma50_over_ma200": 0.1,
    "vol_63": 0.2,
    "maxdd_126": -0.1,
    "breakout_252": -0.08,
    "dist_63_high": -0.08,
    "dist_126_high": -0.12,
    "rebound_20": 0.1,
}
NEUTRAL = {"close": 100.0, "adv20_usd": 60e6, "history_days": 500.0, **SCORED}


def row(symbol: str, sector: str = IT, /, **features: float) -> FeatureRow:
    return FeatureRow(symbol, sector, {**NEUTRAL, **features})


def qqq(sma200_gap: float = 0.1, **features: float) -> FeatureRow:
    return row("QQQ", "", sma200_gap=sma200_gap, **features)


def stocks(count: int, sector: str = IT, *, above: int | None = None) -> list[FeatureRow]:
    """Return stocks of falling momentum, the first `above` of them above their average."""
    return [
        row(
            f"{sector[:2].upper()}{index:03d}",
            sector,
            mom_12_1=1.0 - index / 100,
            sma200_gap=0.1 if above is None or index < above else -0.1,
        )
        for index in range(count)
    ]


@pytest.fixture(scope="session")
def answer(
    context_of: Callable[..., StrategyContext], snapshot_of: Callable[..., FeatureSnapshot]
) -> Answer:
    """Decide on a snapshot of `rows`; the universe is every stock in it."""

    def make(
        rows: Sequence[FeatureRow],
        *,
        held: Iterable[str] = (),
        session: date = SESSION,
        as_of: date = AS_OF,
        **config: object,
    ) -> Decision:
        universe = [r.symbol for r in rows if r.symbol not in ("QQQ", "BOXX")]
        settings = Config.model_validate({"universe": universe, **config})
        snapshot = snapshot_of(PROFILE, rows, as_of)
        return decide(context_of(settings, session, snapshot=snapshot, held=held))

    return make


def weights(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    assert decision.mode is TargetMode.WEIGHT
    return {target.symbol: target.amount for target in decision.targets}


def chosen(decision: Decision) -> list[str]:
    return [symbol for symbol in weights(decision) if symbol != "BOXX"]


# ── Regimes and weights ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("trend_gap", "above", "regime"),
    [
        (0.01, 11, "risk_on"),  # breadth of exactly .55 is not below it
        (0.01, 10, "soft_defense"),
        (0.01, 0, "soft_defense"),
        (0.0, 20, "soft_defense"),  # at its average is not above it
        (-0.01, 7, "soft_defense"),  # breadth of exactly .35 is not below it
        (-0.01, 6, "hard_defense"),
    ],
)
def test_trend_and_breadth_set_the_regime(
    answer: Answer, trend_gap: float, above: int, regime: str
) -> None:
    decision = answer([qqq(trend_gap), *stocks(20, above=above)])

    assert decision.diagnostics["regime"] == regime
    assert decision.risk_flags == (("hard_defense",) if regime == "hard_defense" else ())


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
    bare = {name: value for name, value in NEUTRAL.items() if name != "vol_63"}

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


def test_a_publication_that_failed_blocks_instead_of_holding(answer: Answer) -> None:
    rows = [qqq(), *stocks(5)]
    last, late = (
        answer(rows, as_of=date(2022, 7, 29), session=day)
        for day in (date(2022, 8, 31), date(2022, 9, 1))
    )

    assert last.outcome is DecisionOutcome.HOLD
    assert late.code is ReasonCode.SNAPSHOT_STALE


# ── Blocked ────────────────────────────────────────────────────────────────────────────


def test_a_missing_benchmark_row_blocks(answer: Answer) -> None:
    decision = answer(stocks(5))

    assert decision.code is ReasonCode.SNAPSHOT_ROW_MISSING
    assert "QQQ" in decision.reason


@pytest.mark.parametrize("feature", ["sma200_gap", "mom_6_1", "mom_12_1"])
def test_an_undefined_figure_of_the_benchmark_blocks(answer: Answer, feature: str) -> None:
    decision = answer([qqq(**{feature: math.nan}), *stocks(5)])

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED
    assert f"{feature} of benchmark QQQ" in decision.reason


def test_no_eligible_stock_blocks_instead_of_selling_everything(answer: Answer) -> None:
    decision = answer([qqq(), row("AAA", adv20_usd=1.0)], held=["AAA"])

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED


def test_a_holding_without_a_row_blocks_instead_of_being_sold(answer: Answer) -> None:
    decision = answer([qqq(), *stocks(5)], universe=["IN000", "LOST"], held=["LOST"])

    assert decision.code is ReasonCode.SNAPSHOT_ROW_MISSING
    assert "LOST" in decision.reason


@pytest.mark.parametrize("feature", [*NEUTRAL, "eligible"])
def test_a_holding_with_an_undefined_feature_blocks_instead_of_being_sold(
    answer: Answer, feature: str
) -> None:
    rows = [qqq(), *stocks(5), row("VAGUE", **{feature: math.nan})]

    decision = answer(rows, held=["VAGUE"])

    assert decision.code is ReasonCode.INDICATOR_UNDEFINED
    assert f"{feature} of VAGUE" in decision.reason
    assert answer(rows).outcome is DecisionOutcome.REBALANCE


@pytest.mark.parametrize(
    "features", [{"close": 9.0}, {"adv20_usd": 1.0}, {"history_days": 9.0}, {"eligible": 0.0}]
)
def test_a_holding_that_is_no_longer_admitted_is_sold(
    answer: Answer, features: dict[str, float]
) -> None:
    decision = answer([qqq(), *stocks(2), row("OUT", **features)], held=["OUT"])

    assert chosen(decision) == ["IN000", "IN001"]


def test_a_manual_holding_outside_the_universe_is_nobodys_business(answer: Answer) -> None:
    rows = [qqq(), *stocks(5)]

    assert answer(rows, held=["GME"]) == answer(rows)


def test_a_stock_outside_the_universe_blocks_when_it_would_be_bought(answer: Answer) -> None:
    decision = answer([qqq(), *stocks(5)], universe=["IN001", "IN002"])

    assert decision.code is ReasonCode.UNMANAGED_TARGET
    assert "IN000" in decision.reason


def test_an_unnamed_universe_blocks(answer: Answer) -> None:
    assert answer([qqq(), *stocks(5)], universe=[]).code is ReasonCode.CONFIG_INVALID


def test_no_snapshot_blocks(context_of: Callable[..., StrategyContext]) -> None:
    decision = decide(context_of(Config(universe=("AAA",)), SESSION))

    assert decision.code is ReasonCode.SNAPSHOT_MISSING


@pytest.mark.parametrize("as_of", [SESSION, date(2020, 4, 1)])
def test_a_snapshot_that_knows_the_session_blocks(answer: Answer, as_of: date) -> None:
    decision = answer([qqq(), *stocks(5)], as_of=as_of)

    assert decision.code is ReasonCode.SNAPSHOT_FUTURE


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@st.composite
def snapshots(draw: st.DrawFn) -> list[FeatureRow]:
    number = st.floats(-1.0, 1.0)
    rows = [
        row(
            f"S{index:02d}",
            draw(st.sampled_from([IT, COMM])),
            **{name: draw(number) for name in ("mom_6_1", "mom_12_1", "sma200_gap", "rebound_20")},
            dist_63_high=-abs(draw(number)),
            vol_63=abs(draw(number)),
        )
        for index in range(draw(st.integers(1, 25)))
    ]
    return [qqq(draw(number)), *rows]


@given(rows=snapshots(), data=st.data())
def test_the_order_of_the_rows_changes_nothing(
    answer: Answer, rows: list[FeatureRow], data: st.DataObject
) -> None:
    assert answer(rows) == answer(data.draw(st.permutations(rows)))


@given(rows=snapshots(), held=st.sets(st.sampled_from([f"S{i:02d}" for i in range(25)])))
def test_what_was_bought_is_chosen_again(
    answer: Answer, rows: list[FeatureRow], held: set[str]
) -> None:
    first = answer(rows, held=held & {r.symbol for r in rows})

    second = answer(rows, held=chosen(first))

    assert weights(second).items() == weights(first).items()


@given(rows=snapshots())
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

    assert declared.profile == PROFILE
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
    assert set(declared.snapshot.columns) == {"symbol", "sector", *NEUTRAL}
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
        ({"safe_haven": None}, "nothing could be held"),
        ({"universe": ["QQQ"]}, "benchmark QQQ may not stand in universe"),
        ({"universe": ["AAPL", "BOXX"]}, "safe_haven BOXX may not stand in universe"),
        ({"breadth_hard": 0.6}, "breadth_hard = 0.6 is above breadth_soft = 0.55"),
        ({"sectors": []}, "sectors"),
        ({"min_adv20_usd": -1}, "min_adv20_usd"),
        ({"min_close_usd": -1}, "min_close_usd"),
        ({"execution_window_sessions": 0}, "execution_window_sessions"),
        ({"factors": {"momentum": 1.0}}, "factors.momentum"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)
