"""Every column of every profile has one definition; what needs volumes or peers says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant_platform_kit.contracts import Adjustment, FeatureRow, SnapshotInput
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.market.sample import load_sample
from quant_platform_kit.strategy import Catalog, Strategy
from us_equity_snapshot_pipelines import BuiltSnapshot, Exclusion, build_snapshot
from us_equity_snapshot_pipelines._features import declared_features
from us_equity_strategies import (
    mega_cap_leader_rotation,
    qqq_tech_enhancement,
    russell_1000_multi_factor_defensive,
)

AS_OF = date(2013, 3, 1)
Prices = Mapping[str, BarFrame]
Configured = Callable[..., Strategy]

PROFILES = {
    "mega_cap_leader_rotation": mega_cap_leader_rotation,
    "qqq_tech_enhancement": qqq_tech_enhancement,
    "russell_1000_multi_factor_defensive": russell_1000_multi_factor_defensive,
}
CATALOG = Catalog.of(PROFILES)


@pytest.fixture(scope="module")
def sample() -> Prices:
    """Raw bars with volumes of five stocks, two of which serve as benchmarks."""
    return load_sample(Adjustment.RAW)


@pytest.fixture(scope="module")
def mega_cap() -> Configured:
    def make(**config: object) -> Strategy:
        profile = CATALOG.find("mega_cap_leader_rotation")
        given = {
            "universe": ["AAPL", "FB", "GOOG"],
            "benchmark": "IBM",
            "broad_benchmark": "MSFT",
            **config,
        }
        return profile.configured(mega_cap_leader_rotation.Config.model_validate(given))

    return make


@pytest.fixture(scope="module")
def built_sample(sample: Prices, mega_cap: Configured) -> BuiltSnapshot:
    return build_snapshot(mega_cap(), sample, {}, AS_OF)


def row_of(built: BuiltSnapshot, symbol: str) -> FeatureRow:
    return next(row for row in built.rows if row.symbol == symbol)


def eligible(built: BuiltSnapshot) -> set[str]:
    return {row.symbol for row in built.rows if row.features["eligible"]}


def without_volume(frame: BarFrame) -> BarFrame:
    return BarFrame(
        symbol=frame.symbol,
        sessions=frame.days,
        close=frame.close,
        adjustment=frame.adjustment,
    )


# ── The table ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("profile", PROFILES)
def test_every_column_that_a_profile_declares_is_computed(profile: str) -> None:
    need = CATALOG.find(profile).manifest.snapshot

    assert need is not None
    assert set(declared_features(need)) == set(need.columns) - {"symbol", "sector"}


def test_prices_volumes_and_leads_equal_an_independent_computation(
    built_sample: BuiltSnapshot, sample: Prices
) -> None:
    closes, volumes = (
        pd.DataFrame({s: pd.Series(getattr(f, name), index=f.days) for s, f in sample.items()})
        for name in ("close", "volume")
    )
    past = closes.iloc[::-1].reset_index(drop=True)
    half_year = past.loc[0] / past.loc[126] - 1
    expected = {
        "close": closes.iloc[-1],
        "history_days": closes.notna().sum(),
        "adv20_usd": (closes * volumes).tail(20).mean(),
        "mom_6m": half_year,
        "rel_mom_6m_vs_benchmark": half_year - half_year["IBM"],
        "rel_mom_6m_vs_broad_benchmark": half_year - half_year["MSFT"],
    }

    assert [row.symbol for row in built_sample.rows] == ["AAPL", "FB", "GOOG", "IBM"]
    for name, values in expected.items():
        for row in built_sample.rows:
            assert row.features[name] == pytest.approx(values[row.symbol], rel=1e-12)
    assert row_of(built_sample, "IBM").features["rel_mom_6m_vs_benchmark"] == 0.0


def test_adjusted_prices_with_fitting_volumes_have_the_same_turnover(
    built_sample: BuiltSnapshot, mega_cap: Configured
) -> None:
    adjusted = build_snapshot(mega_cap(), load_sample(Adjustment.TOTAL_RETURN), {}, AS_OF)

    for row in built_sample.rows:
        assert row_of(adjusted, row.symbol).features["adv20_usd"] == pytest.approx(
            row.features["adv20_usd"]
        )


# ── Eligibility ────────────────────────────────────────────────────────────────────────


def test_the_base_floors_let_the_grown_up_stocks_through(built_sample: BuiltSnapshot) -> None:
    # FB was listed nine months before; the benchmark is never eligible.
    assert eligible(built_sample) == {"AAPL", "GOOG"}


def test_a_turnover_below_the_profiles_floor_is_not_eligible(
    sample: Prices, mega_cap: Configured, built_sample: BuiltSnapshot
) -> None:
    turnover = {s: row_of(built_sample, s).features["adv20_usd"] for s in ("AAPL", "GOOG")}
    low, high = sorted(turnover.values())

    for floor, expected in (
        (low, {"AAPL", "GOOG"}),
        (math.nextafter(low, math.inf), {"AAPL"}),
        (math.nextafter(high, math.inf), set()),
    ):
        strategy = mega_cap(min_adv20_usd=floor)
        assert eligible(build_snapshot(strategy, sample, {}, AS_OF)) == expected


def test_a_stock_without_volumes_is_not_eligible_where_a_turnover_is_asked_for(
    sample: Prices, mega_cap: Configured
) -> None:
    prices = {**sample, "AAPL": without_volume(sample["AAPL"])}

    assert eligible(build_snapshot(mega_cap(), prices, {}, AS_OF)) == {"GOOG"}
    relaxed = build_snapshot(mega_cap(min_adv20_usd=0), prices, {}, AS_OF)
    assert eligible(relaxed) == {"AAPL", "GOOG"}
    assert math.isnan(row_of(relaxed, "AAPL").features["adv20_usd"])


def test_prices_without_any_volume_are_refused_where_a_turnover_is_asked_for(
    sample: Prices, mega_cap: Configured
) -> None:
    prices = {symbol: without_volume(frame) for symbol, frame in sample.items()}

    with pytest.raises(InputError, match=r"turnover of 20,000,000 USD.*min_adv20_usd") as refusal:
        build_snapshot(mega_cap(), prices, {}, AS_OF)

    assert refusal.value.code is ReasonCode.HISTORY_MISSING


def test_the_floors_of_the_configuration_replace_the_base_ones(
    sample: Prices, mega_cap: Configured
) -> None:
    dear = mega_cap(min_close_usd=500.0)  # AAPL closed at 430.47, GOOG at 806.19

    assert eligible(build_snapshot(dear, sample, {}, AS_OF)) == {"GOOG"}
    overruled = build_snapshot(dear, sample, {}, AS_OF, min_close_usd=400.0)
    assert eligible(overruled) == {"AAPL", "GOOG"}
    for days, expected in ((2148, {"AAPL", "GOOG"}), (2149, {"AAPL"})):  # GOOG has 2,148 closes
        grown = mega_cap(min_history_days=days)
        assert eligible(build_snapshot(grown, sample, {}, AS_OF)) == expected


@pytest.mark.parametrize("floor", [math.nan, math.inf, -5.0])
def test_a_floor_that_is_no_price_is_refused(
    sample: Prices, mega_cap: Configured, floor: float
) -> None:
    with pytest.raises(InputError, match="is no price that a close can be above"):
        build_snapshot(mega_cap(), sample, {}, AS_OF, min_close_usd=floor)


# ── Peers and sectors ──────────────────────────────────────────────────────────────────


def test_a_profile_that_declares_no_sector_needs_none(built_sample: BuiltSnapshot) -> None:
    assert {row.sector for row in built_sample.rows} == {""}
    assert built_sample.columns[:4] == ("symbol", "sector", "price_date", "eligible")


@pytest.mark.parametrize(
    ("last", "count", "code"),
    [
        (date(1999, 1, 4), 9999, ReasonCode.HISTORY_MISSING),
        (date(2013, 2, 28), 9999, ReasonCode.HISTORY_STALE),
        (AS_OF, 273, ReasonCode.HISTORY_SHORT),
    ],
)
def test_without_the_broad_benchmark_nothing_is_built(
    sample: Prices, mega_cap: Configured, last: date, count: int, code: ReasonCode
) -> None:
    prices = {**sample, "MSFT": sample["MSFT"].until(last).tail(count)}

    with pytest.raises(InputError, match="MSFT") as refusal:
        build_snapshot(mega_cap(), prices, {}, AS_OF)

    assert refusal.value.code is code


def test_a_broad_benchmark_with_another_adjustment_is_refused(
    sample: Prices, mega_cap: Configured
) -> None:
    prices = {**sample, "MSFT": load_sample(Adjustment.TOTAL_RETURN)["MSFT"]}

    with pytest.raises(InputError, match="MSFT has total_return prices"):
        build_snapshot(mega_cap(), prices, {}, AS_OF)


def test_a_lead_over_a_broad_benchmark_needs_a_configuration_that_names_one(
    strategy: Strategy, prices: Prices, sectors: Mapping[str, str]
) -> None:
    need = SnapshotInput("some.v1", ("symbol", "rel_mom_6m_vs_broad_benchmark"), 5)
    other = replace(strategy, manifest=replace(strategy.manifest, snapshot=need))

    with pytest.raises(ContractError, match="needs a broad_benchmark"):
        build_snapshot(other, prices, sectors, date(2020, 2, 28))


def test_the_broad_benchmark_counts_among_the_sources(
    sample: Prices, mega_cap: Configured, built_sample: BuiltSnapshot
) -> None:
    frame = sample["MSFT"]
    moved = np.array(frame.close)
    moved[-200] *= 2
    again = build_snapshot(
        mega_cap(),
        {
            **sample,
            "MSFT": BarFrame(
                symbol="MSFT", sessions=frame.days, close=moved, adjustment=Adjustment.RAW
            ),
        },
        {},
        AS_OF,
    )

    assert again.rows == built_sample.rows
    assert again.sources["prices"] != built_sample.sources["prices"]


def test_a_price_on_a_day_that_the_benchmark_has_none_of_excludes_the_stock(
    sample: Prices, mega_cap: Configured
) -> None:
    frame = sample["GOOG"]
    saturday = np.datetime64("2013-02-23")
    place = int(np.searchsorted(frame.days, saturday))
    stray = BarFrame(
        symbol="GOOG",
        sessions=np.insert(frame.days, place, saturday),
        close=np.insert(frame.close, place, frame.close[place]),
        adjustment=frame.adjustment,
    )

    built = build_snapshot(mega_cap(), {**sample, "GOOG": stray}, {}, AS_OF)

    assert built.excluded == (
        Exclusion(
            "GOOG", ReasonCode.BAR_INVALID, "a price on 2013-02-23, when the benchmark has none"
        ),
    )
