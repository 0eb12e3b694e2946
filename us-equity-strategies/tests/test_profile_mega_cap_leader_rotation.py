from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    FeatureRow,
    InputMode,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.strategy import SleeveView
from tests.ranked import MEGA_CAP, Ranking, chosen, snapshots, weights
from us_equity_strategies.mega_cap_leader_rotation import Config, manifest

Answer = Callable[..., Decision]

SCORED = set(MEGA_CAP.neutral) - {"close", "adv20_usd", "history_days"}
row, qqq, leaders = MEGA_CAP.row, MEGA_CAP.market, MEGA_CAP.stocks


@pytest.fixture(scope="session")
def answer(answer_of: Callable[[Ranking], Answer]) -> Answer:
    return answer_of(MEGA_CAP)


# ── Regimes and weights ────────────────────────────────────────────────────────────────


def test_risk_on_holds_the_four_leaders_and_nothing_else(answer: Answer) -> None:
    decided = weights(answer([qqq(), *leaders(20)]))

    assert decided == dict.fromkeys(("C00", "C01", "C02", "C03"), Decimal("0.25"))


@pytest.mark.parametrize("above", [20, 0])
def test_both_defences_halve_the_exposure(answer: Answer, above: int) -> None:
    decided = weights(answer([qqq(-0.1), *leaders(20, above=above)]))

    assert decided == {
        **dict.fromkeys(("C00", "C01", "C02", "C03"), Decimal("0.125")),
        "BOXX": Decimal("0.5"),
    }


def test_a_company_never_weighs_more_than_its_cap_and_the_rest_is_the_safe_haven(
    answer: Answer,
) -> None:
    rows = [qqq(), *leaders(2)]

    assert weights(answer(rows)) == {
        "C00": Decimal("0.25"),
        "C01": Decimal("0.25"),
        "BOXX": Decimal("0.5"),
    }
    assert sum(weights(answer(rows, safe_haven=None)).values()) == Decimal("0.5")


# ── Size of the sleeve ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("equity_usd", "trend_gap", "places"),
    [
        ("12000", 0.1, 4),  # a quarter of it is exactly 3,000
        ("11999.99", 0.1, 0),  # the largest allowed position is too small
        ("24000", -0.1, 4),
        ("23999.99", -0.1, 3),
        ("18000", -0.1, 3),
        ("17999.99", -0.1, 2),
        ("12000", -0.1, 2),
        ("11999.99", -0.1, 0),
        ("0.01", 0.1, 0),
    ],
)
def test_a_smaller_sleeve_opens_fewer_positions(
    answer: Answer, equity_usd: str, trend_gap: float, places: int
) -> None:
    decision = answer([qqq(trend_gap), *leaders(20)], equity_usd=equity_usd)

    assert chosen(decision) == [f"C{index:02d}" for index in range(places)]
    assert decision.diagnostics["places"] == f"{places} of 4"
    if not places:
        assert weights(decision) == {"BOXX": Decimal(1)}


def test_no_exposure_opens_nothing(answer: Answer) -> None:
    decision = answer([qqq(-0.1), *leaders(20)], exposure_soft=0)

    assert weights(decision) == {"BOXX": Decimal(1)}


def test_a_least_position_of_zero_sets_no_limit(answer: Answer) -> None:
    decision = answer([qqq(), *leaders(20)], equity_usd="100", min_position_usd=0)

    assert len(chosen(decision)) == 4


def test_what_is_held_may_shrink_below_the_least_position(answer: Answer) -> None:
    held = ["C00", "C01", "C02", "C03"]

    decided = weights(answer([qqq(-0.1), *leaders(20)], held=held, equity_usd="5000"))

    assert decided == {**dict.fromkeys(held, Decimal("0.125")), "BOXX": Decimal("0.5")}


# ── Ranking ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("feature", "better", "worse", "gap"),
    [
        # In a pair every z is +1 or -1, so two scores differ by twice a factor's weight.
        ("mom_6m", 0.2, 0.1, 2 * 0.25),
        ("mom_3m", 0.2, 0.1, 2 * 0.20),
        ("rel_mom_6m_vs_benchmark", 0.2, 0.1, 2 * 0.20),
        ("rel_mom_6m_vs_broad_benchmark", 0.2, 0.1, 2 * 0.10),
        ("high_252_gap", -0.1, -0.2, 2 * 0.10),
        ("sma200_gap", 0.2, 0.1, 2 * 0.10),
        ("vol_63", 0.1, 0.2, 2 * 0.025),
        ("maxdd_126", -0.1, -0.2, 2 * 0.025),
    ],
)
def test_a_held_company_stays_until_the_lead_of_another_exceeds_its_bonus(
    answer: Answer, feature: str, better: float, worse: float, gap: float
) -> None:
    rows = [qqq(), row("AAA", **{feature: worse}), row("ZZZ", **{feature: better})]
    one = {"holdings": 1, "hold_buffer": 0}

    assert chosen(answer(rows, **one)) == ["ZZZ"]
    less, more = gap - 0.001, gap + 0.001
    assert chosen(answer(rows, **one, held=["AAA"], hold_bonus=less)) == ["ZZZ"]
    assert chosen(answer(rows, **one, held=["AAA"], hold_bonus=more)) == ["AAA"]


def test_equal_scores_go_by_the_year_then_by_the_half_year_then_by_symbol(
    answer: Answer,
) -> None:
    rows = [
        qqq(),
        row("DDD"),
        row("CCC"),
        row("BBB", mom_6m=0.2),
        row("AAA", mom_12_1=0.05, mom_6m=0.9),
        row("EEE", mom_12_1=0.2),
    ]
    weightless = dict.fromkeys(Config().factors.model_dump(), 0.0)

    decision = answer(rows, factors=weightless, holdings=5)

    assert chosen(decision) == ["EEE", "BBB", "CCC", "DDD", "AAA"]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (["C05"], ["C05", "C00", "C01", "C02"]),  # ranked sixth: four and a buffer of two
        (["C06"], ["C00", "C01", "C02", "C03"]),
        (["C03", "C04", "C05"], ["C03", "C04", "C05", "C00"]),
        (["C01", "C02", "C03", "C04", "C05"], ["C01", "C02", "C03", "C04"]),
        (["C00", "C19"], ["C00", "C01", "C02", "C03"]),
    ],
)
def test_held_companies_near_the_top_stay_and_the_best_others_fill_up(
    answer: Answer, held: list[str], expected: list[str]
) -> None:
    decision = answer([qqq(), *leaders(20)], held=held, hold_bonus=0)

    assert chosen(decision) == expected


def test_a_buffer_of_zero_keeps_only_what_would_be_bought(answer: Answer) -> None:
    decision = answer([qqq(), *leaders(20)], held=["C04"], hold_bonus=0, hold_buffer=0)

    assert chosen(decision) == ["C00", "C01", "C02", "C03"]


@pytest.mark.parametrize(
    "features",
    [
        {"adv20_usd": 19_999_999.0},
        {"adv20_usd": math.nan},
        {"close": 10.0},
        {"history_days": 273.0},
        {"eligible": 0.0},
        *({name: math.nan} for name in sorted(SCORED)),
    ],
    ids=str,
)
def test_what_is_small_young_flagged_or_incomplete_takes_no_part(
    answer: Answer, features: dict[str, float]
) -> None:
    out = row("OUT", **{"mom_3m": 9.0, "sma200_gap": -1.0, **features})
    decision = answer([qqq(), row("AAA", eligible=1.0), row("BBB"), out])

    assert chosen(decision) == ["AAA", "BBB"]
    assert decision.diagnostics["breadth"] == "1.0000 of 2"


def test_what_just_reaches_the_floors_takes_part(answer: Answer) -> None:
    least = row("AAA", adv20_usd=20e6, close=10.01, history_days=274.0)

    assert chosen(answer([qqq(), least])) == ["AAA"]


def test_benchmarks_and_safe_haven_take_no_part(answer: Answer) -> None:
    rows = [qqq(), row("SPY", mom_6m=9.0), row("BOXX", mom_6m=9.0), row("AAA")]

    decision = answer(rows)

    assert chosen(decision) == ["AAA"]
    assert decision.diagnostics["breadth"] == "1.0000 of 1"


# ── Blocked ────────────────────────────────────────────────────────────────────────────


def test_the_row_of_the_broad_benchmark_is_not_needed(answer: Answer) -> None:
    assert answer([qqq(), *leaders(5)]) == answer([qqq(), row("SPY"), *leaders(5)])


def test_a_holding_without_a_turnover_is_kept_where_none_is_asked_for(answer: Answer) -> None:
    rows = [qqq(), row("C00", adv20_usd=math.nan), row("C01")]

    assert chosen(answer(rows, held=["C00"], min_adv20_usd=0)) == ["C00", "C01"]


@pytest.mark.parametrize(
    ("equity_usd", "code"),
    [
        ("0", ReasonCode.CAPITAL_ZERO),
        ("-1", ReasonCode.VALUE_MALFORMED),
        ("NaN", ReasonCode.VALUE_MALFORMED),
    ],
)
def test_a_sleeve_without_a_known_worth_blocks(
    answer: Answer, equity_usd: str, code: ReasonCode
) -> None:
    assert answer([qqq(), *leaders(5)], equity_usd=equity_usd).code is code


def test_a_holding_without_a_value_blocks(answer: Answer) -> None:
    sleeve = SleeveView(quantities={"C00": Decimal(1)}, equity_usd=Decimal(50_000))

    decision = answer([qqq(), *leaders(5)], sleeve=sleeve)

    assert decision.code is ReasonCode.PRICE_MISSING


# ── Invariants ─────────────────────────────────────────────────────────────────────────


HELD = st.sets(st.sampled_from([f"S{i:02d}" for i in range(20)]))
EQUITY = st.integers(1, 40_000).map(str)


@given(rows=snapshots(MEGA_CAP, 20), held=HELD, equity_usd=EQUITY)
def test_no_cap_is_exceeded_and_nothing_small_is_opened(
    answer: Answer, rows: list[FeatureRow], held: set[str], equity_usd: str
) -> None:
    held &= {r.symbol for r in rows}
    decision = answer(rows, held=held, equity_usd=equity_usd)
    decided, picked = weights(decision), chosen(decision)
    exposure = Decimal(1 if decision.diagnostics["regime"] == "risk_on" else "0.5")

    assert len(picked) <= 4
    assert all(decided[symbol] <= Decimal("0.25") for symbol in picked)
    assert sum(decided[symbol] for symbol in picked) <= exposure
    assert 1 - Decimal("1e-8") < sum(decided.values()) <= 1
    for opened in set(picked) - held:
        assert decided[opened] * Decimal(equity_usd) > Decimal("2999.99")


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "mega_cap_leader_rotation"
    assert declared.aliases == ("mega_cap_leader_rotation_dynamic_top20",)
    assert declared.cadence is Cadence.MONTHLY
    assert declared.role is Role.GROWTH
    assert declared.benchmark == "QQQ"
    assert declared.safe_haven == "BOXX"
    assert declared.target_mode is TargetMode.WEIGHT
    assert declared.input_mode is InputMode.SNAPSHOT
    assert declared.reads_portfolio
    assert declared.snapshot is not None
    assert declared.snapshot.contract == "mega_cap_leader_rotation.v1"
    assert set(declared.snapshot.columns) == {"symbol", *MEGA_CAP.neutral}
    assert declared.snapshot.max_age_sessions == 23


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert (config.holdings, config.hold_buffer, config.hold_bonus) == (4, 2, 0.10)
    assert (config.name_cap, config.min_position_usd) == (Decimal("0.25"), Decimal(3000))
    exposures = (config.exposure_risk_on, config.exposure_soft, config.exposure_hard)
    assert exposures == (Decimal(1), Decimal("0.50"), Decimal("0.50"))
    assert (config.breadth_soft, config.breadth_hard) == (0.55, 0.35)
    assert config.min_adv20_usd == 20e6
    assert config.broad_benchmark == "SPY"
    assert config.factors.model_dump() == {
        "mom_6m": 0.25,
        "mom_3m": 0.20,
        "rel_mom_6m_vs_benchmark": 0.20,
        "rel_mom_6m_vs_broad_benchmark": 0.10,
        "high_252_gap": 0.10,
        "sma200_gap": 0.10,
        "vol_63": -0.025,
        "maxdd_126": -0.025,
    }


def test_what_is_managed_and_the_no_trade_band_follow_the_configuration() -> None:
    config = Config(universe=("AAPL", "MSFT"), rebalance_threshold=Decimal("0.03"))

    assert manifest(config).managed == ("AAPL", "MSFT", "BOXX")
    assert manifest(config.model_copy(update={"safe_haven": None})).managed == ("AAPL", "MSFT")
    assert manifest(config).hints.rebalance_threshold_ratio == Decimal("0.03")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"universe": ["SPY"]}, "broad_benchmark SPY may not stand in universe"),
        ({"hold_buffer": -1}, "hold_buffer"),
        ({"min_position_usd": -1}, "min_position_usd"),
        ({"min_adv20_usd": -1}, "min_adv20_usd"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)
