from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    FeatureRow,
    InputMode,
    Role,
)
from tests.ranked import RUSSELL, Ranking, chosen, snapshots, weights
from us_equity_strategies.russell_1000_multi_factor_defensive import Config, manifest

Answer = Callable[..., Decision]

row, spy, stocks = RUSSELL.row, RUSSELL.market, RUSSELL.stocks


@pytest.fixture(scope="session")
def answer(answer_of: Callable[[Ranking], Answer]) -> Answer:
    return answer_of(RUSSELL)


# ── Regimes ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("trend_gap", "above", "slots"), [(0.1, 60, 4), (-0.1, 60, 9), (-0.1, 0, 48)]
)
def test_a_sector_has_so_many_slots_in_each_regime(
    answer: Answer, trend_gap: float, above: int, slots: int
) -> None:
    # With 60 holdings of one sector allowed, only the slots limit the choice.
    rows = [spy(trend_gap), *stocks(60, above=above)]
    slots_of_24 = Decimal(60) / 24  # the slots are a share of the holdings
    decision = answer(rows, holdings=60, sector_cap=str(Decimal("0.2") / slots_of_24))

    assert len(chosen(decision)) == slots


# ── Weights ────────────────────────────────────────────────────────────────────────────


def test_six_full_sectors_share_the_sleeve_equally(answer: Answer) -> None:
    rows = [spy(), *(r for s in ("Aa", "Bb", "Cc", "Dd", "Ee", "Ff") for r in stocks(6, s))]

    decided = weights(answer(rows))

    assert len(decided) == 24
    assert set(decided.values()) == {Decimal("0.0416666666")}
    sectors = Counter(symbol[:2] for symbol in decided)
    assert set(sectors.values()) == {4}


def test_a_name_never_weighs_more_than_its_cap_and_the_rest_is_the_safe_haven(
    answer: Answer,
) -> None:
    decided = weights(answer([spy(), *stocks(10)]))

    assert decided == {
        **dict.fromkeys(("TE000", "TE001", "TE002", "TE003"), Decimal("0.06")),
        "BOXX": Decimal("0.76"),
    }


def test_one_stock_takes_the_whole_exposure_where_its_cap_allows(answer: Answer) -> None:
    assert weights(answer([spy(), row("AAA")], name_cap=1)) == {"AAA": Decimal(1)}


def test_in_soft_defence_half_is_the_safe_haven(answer: Answer) -> None:
    decided = weights(answer([spy(-0.1), *stocks(9), *stocks(9, "Energy")]))

    assert len(decided) == 19
    assert decided["BOXX"] == Decimal("0.5")
    assert decided["TE000"] == Decimal("0.0277777777")


def test_in_hard_defence_a_tenth_is_spread_over_all_holdings(answer: Answer) -> None:
    decision = answer([spy(-0.1), *stocks(30, above=0)])

    assert len(chosen(decision)) == 24
    assert weights(decision)["BOXX"] == Decimal("0.9")
    assert weights(decision)["TE000"] == Decimal("0.0041666666")


def test_without_a_safe_haven_the_rest_stays_cash(answer: Answer) -> None:
    decided = weights(answer([spy(), *stocks(10)], safe_haven=None))

    assert sum(decided.values()) == Decimal("0.24")


def test_a_stock_at_its_average_is_not_above_it(answer: Answer) -> None:
    decision = answer([spy(), row("AAA", sma200_gap=0.0), row("BBB", sma200_gap=0.001)])

    assert decision.diagnostics["breadth"] == "0.5000 of 2"


def test_no_exposure_leaves_everything_to_the_safe_haven(answer: Answer) -> None:
    decision = answer([spy(-0.1), *stocks(20, above=0)], exposure_hard=0)

    assert weights(decision) == {"BOXX": Decimal(1)}


# ── Ranking ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("feature", "better", "worse"),
    [
        ("mom_6_1", 0.2, 0.1),
        ("mom_12_1", 0.2, 0.1),
        ("sma200_gap", 0.2, 0.1),
        ("vol_63", 0.1, 0.2),
        ("maxdd_126", -0.1, -0.2),
    ],
)
def test_each_factor_ranks_in_its_own_direction(
    answer: Answer, feature: str, better: float, worse: float
) -> None:
    rows = [spy(), row("AAA", **{feature: worse}), row("ZZZ", **{feature: better})]

    assert chosen(answer(rows, holdings=1)) == ["ZZZ"]


def test_a_score_is_the_weighted_sum_of_the_z_scores(answer: Answer) -> None:
    # In a pair of a sector every z is +1 or -1, so a score is a sum of the page's weights.
    # AAA: .35 - .30 - .15 + .10 + .10 = +.10, ZZZ: -.10
    rows = [
        spy(),
        row("AAA", mom_6_1=0.2, mom_12_1=0.0, sma200_gap=0.05, vol_63=0.1, maxdd_126=-0.05),
        row("ZZZ"),
    ]

    assert chosen(answer(rows, holdings=1)) == ["AAA"]
    # Holding ZZZ has to close a gap of .20; its bonus is .15 by default.
    assert chosen(answer(rows, holdings=1, held=["ZZZ"])) == ["AAA"]
    assert chosen(answer(rows, holdings=1, held=["ZZZ"], hold_bonus=0.21)) == ["ZZZ"]
    assert chosen(answer(rows, holdings=1, held=["ZZZ"], hold_bonus=0.19)) == ["AAA"]


def test_scores_compare_within_a_sector_and_not_across(answer: Answer) -> None:
    # Both sectors have one leader, whatever the levels are.
    rows = [
        spy(),
        row("SLOW1", "Utilities", mom_6_1=0.02),
        row("SLOW2", "Utilities", mom_6_1=0.01),
        row("FAST1", "Tech", mom_6_1=0.9),
        row("FAST2", "Tech", mom_6_1=0.8),
    ]

    assert set(chosen(answer(rows, holdings=2))) == {"SLOW1", "FAST1"}


def test_equal_scores_go_by_momentum_and_then_by_symbol(answer: Answer) -> None:
    # Alone in its sector, every stock scores zero.
    rows = [
        spy(),
        row("DDD", "S1"),
        row("CCC", "S2"),
        row("BBB", "S3", mom_6_1=0.2),
        row("AAA", "S4", mom_12_1=0.05, mom_6_1=0.9),
        row("EEE", "S5", mom_12_1=0.2),
    ]

    assert chosen(answer(rows)) == ["EEE", "BBB", "CCC", "DDD", "AAA"]


def test_a_full_sector_is_passed_over_for_the_next_best(answer: Answer) -> None:
    rows = [spy(), *stocks(6), row("UTIL", "Utilities", mom_12_1=-0.5, mom_6_1=-0.5)]

    assert set(chosen(answer(rows))) == {"TE000", "TE001", "TE002", "TE003", "UTIL"}


@pytest.mark.parametrize(
    "features",
    [{"eligible": 0.0}, {"eligible": math.nan}, {"vol_63": math.nan}, {"mom_12_1": math.nan}],
)
def test_what_is_flagged_or_incomplete_takes_no_part(
    answer: Answer, features: dict[str, float]
) -> None:
    out = row("OUT", **{"mom_6_1": 9.0, "sma200_gap": -1.0, **features})
    decision = answer([spy(), row("AAA", eligible=1.0), row("BBB"), out])

    assert chosen(decision) == ["AAA", "BBB"]
    assert decision.diagnostics["breadth"] == "1.0000 of 2"


def test_benchmark_and_safe_haven_take_no_part(answer: Answer) -> None:
    decision = answer([spy(), row("BOXX", mom_12_1=9.0), row("AAA")])

    assert chosen(decision) == ["AAA"]
    assert decision.diagnostics["breadth"] == "1.0000 of 1"


# ── Blocked ────────────────────────────────────────────────────────────────────────────


def test_a_holding_that_is_flagged_is_sold(answer: Answer) -> None:
    decision = answer([spy(), *stocks(3), row("OUT", eligible=0.0)], held=["OUT"])

    assert chosen(decision) == ["TE000", "TE001", "TE002"]


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(order=st.permutations(range(14)))
def test_not_even_the_rounding_of_a_sum_depends_on_the_order(
    answer: Answer, order: list[int]
) -> None:
    # The same stocks in two sectors: the leaders tie but for the last bit of their z-scores.
    momenta = [0.1, 0.2, 0.3, 0.7, 0.13, 0.29, 0.31]
    rows = [
        row(f"{sector.upper()}{index}", sector, mom_6_1=momentum, mom_12_1=momentum / 3)
        for sector in ("Tech", "Energy")
        for index, momentum in enumerate(momenta)
    ]
    assert answer([spy(), *rows]) == answer([spy(), *(rows[i] for i in order)])


@given(rows=snapshots(RUSSELL, 40))
def test_no_cap_and_no_exposure_is_ever_exceeded(answer: Answer, rows: list[FeatureRow]) -> None:
    decision = answer(rows)
    picked = chosen(decision)
    decided = weights(decision)
    exposure, slots = {
        "risk_on": (Decimal(1), 4),
        "soft_defense": (Decimal("0.5"), 9),
        "hard_defense": (Decimal("0.1"), 48),
    }[decision.diagnostics["regime"]]
    sector = {r.symbol: r.sector for r in rows}

    assert len(picked) <= 24
    assert all(decided[symbol] <= Decimal("0.06") for symbol in picked)
    assert sum(decided[symbol] for symbol in picked) <= exposure
    assert max(Counter(sector[symbol] for symbol in picked).values()) <= slots
    assert 1 - Decimal("1e-8") < sum(decided.values()) <= 1


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "russell_1000_multi_factor_defensive"
    assert declared.aliases == ("r1000_multifactor_defensive",)
    assert declared.cadence is Cadence.MONTHLY
    assert declared.benchmark == "SPY"
    assert declared.role is Role.DEFENSIVE
    assert declared.safe_haven == "BOXX"
    assert declared.input_mode is InputMode.SNAPSHOT
    assert declared.history is None
    assert declared.snapshot is not None
    assert declared.snapshot.contract == "russell_1000_multi_factor_defensive.v1"
    assert declared.snapshot.columns == ("symbol", "sector", *RUSSELL.neutral)


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert (config.holdings, config.hold_bonus) == (24, 0.15)
    assert (config.name_cap, config.sector_cap) == (Decimal("0.06"), Decimal("0.20"))
    exposures = (config.exposure_risk_on, config.exposure_soft, config.exposure_hard)
    assert exposures == (Decimal(1), Decimal("0.50"), Decimal("0.10"))
    assert (config.breadth_soft, config.breadth_hard) == (0.55, 0.35)
    assert config.factors.model_dump() == {
        "mom_6_1": 0.35,
        "mom_12_1": 0.30,
        "sma200_gap": 0.15,
        "vol_63": -0.10,
        "maxdd_126": -0.10,
    }


def test_the_managed_universe_is_the_configured_one_and_the_safe_haven() -> None:
    config = Config(universe=("AAPL", "MSFT"))

    assert manifest(config).managed == ("AAPL", "MSFT", "BOXX")
    assert manifest(config.model_copy(update={"safe_haven": None})).managed == ("AAPL", "MSFT")


def test_the_description_names_where_the_rest_goes() -> None:
    haven, cash = (
        manifest(Config(universe=("AAPL",), safe_haven=symbol)).description
        for symbol in ("BIL", None)
    )

    assert "towards BIL as" in haven["en"]
    assert "转入 BIL。" in haven["zh"]
    assert "towards cash as" in cash["en"]
    assert "转入现金。" in cash["zh"]


def test_the_no_trade_band_is_a_hint_to_the_planner() -> None:
    declared = manifest(Config(rebalance_threshold=Decimal("0.01")))

    assert declared.hints.rebalance_threshold_ratio == Decimal("0.01")
