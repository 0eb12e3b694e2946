"""Features are those of the specification, at one date, and of nothing later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Adjustment,
    FeatureRow,
    HistoryInput,
    SnapshotInput,
)
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.inputs import encode_features
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines import (
    BuiltSnapshot,
    Exclusion,
    Membership,
    Universe,
    build_snapshot,
)

AS_OF = date(2020, 2, 28)
Prices = Mapping[str, BarFrame]
Sectors = Mapping[str, str]


def row_of(built: BuiltSnapshot, symbol: str) -> FeatureRow:
    return next(row for row in built.rows if row.symbol == symbol)


def with_prices(prices: Prices, *frames: BarFrame) -> Prices:
    return {**prices, **{frame.symbol: frame for frame in frames}}


def without(frame: BarFrame, day: date) -> BarFrame:
    kept = frame.days != np.datetime64(day)
    return BarFrame(
        symbol=frame.symbol,
        sessions=frame.days[kept],
        close=frame.close[kept],
        adjustment=frame.adjustment,
    )


def with_snapshot(strategy: Strategy, snapshot: SnapshotInput | None) -> Strategy:
    history = HistoryInput(("SPY",), 1)
    return replace(
        strategy, manifest=replace(strategy.manifest, snapshot=snapshot, history=history)
    )


# ── What is computed ───────────────────────────────────────────────────────────────────


def test_every_feature_equals_its_formula_on_real_prices(
    built: BuiltSnapshot, price_files: tuple[Path, Path]
) -> None:
    closes = pd.concat(
        [pd.read_csv(path, index_col="Date", parse_dates=True) for path in price_files], axis=1
    ).loc[:"2020-02-28"]
    past = closes.iloc[::-1].reset_index(drop=True)  # past.loc[k] is k sessions ago
    window = closes.tail(126)
    expected = {
        "mom_6_1": past.loc[21] / past.loc[147] - 1,
        "mom_12_1": past.loc[21] / past.loc[273] - 1,
        "sma200_gap": past.loc[0] / closes.tail(200).mean() - 1,
        "vol_63": closes.pct_change().tail(63).std(ddof=0) * math.sqrt(252),
        "maxdd_126": (window / window.cummax() - 1).min(),
    }

    assert [row.symbol for row in built.rows] == sorted(closes.columns)
    for name, values in expected.items():
        for row in built.rows:
            assert row.features[name] == pytest.approx(values[row.symbol], rel=1e-12), row.symbol


def test_the_snapshot_says_what_it_is(built: BuiltSnapshot, strategy: Strategy) -> None:
    assert built.profile == "russell_1000_multi_factor_defensive"
    assert built.contract == "russell_1000_multi_factor_defensive.v1"
    assert built.config_sha256 == strategy.config_sha256
    assert built.as_of == AS_OF
    assert built.adjustment is Adjustment.TOTAL_RETURN
    assert built.columns[:4] == ("symbol", "sector", "price_date", "eligible")
    assert set(built.sources) == {"prices", "universe"}
    assert {row.price_date for row in built.rows} == {AS_OF}
    assert built.excluded == ()
    assert row_of(built, "KO").sector == "Consumer Staples"


def test_all_stocks_above_ten_dollars_are_eligible_and_the_benchmark_is_not(
    built: BuiltSnapshot, prices: Prices
) -> None:
    cheap = {s for s, frame in prices.items() if frame.close_on(AS_OF) <= 10}

    assert cheap == {"RRC"}
    assert {r.symbol for r in built.rows if not r.features["eligible"]} == cheap | {"SP500"}


def test_the_price_floor_can_be_lowered(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    built = build_snapshot(strategy, prices, sectors, AS_OF, min_close_usd=0)

    assert row_of(built, "RRC").features["eligible"] == 1.0


def test_a_young_listing_has_a_row_without_what_it_cannot_have(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    young = prices["KO"].until(AS_OF).tail(273)
    row = row_of(build_snapshot(strategy, with_prices(prices, young), sectors, AS_OF), "KO")

    assert row.features["eligible"] == 0.0
    assert math.isnan(row.features["mom_12_1"])
    assert math.isfinite(row.features["mom_6_1"])


# ── No look-ahead, no dependence on order ──────────────────────────────────────────────


def test_prices_after_the_date_change_nothing(
    built: BuiltSnapshot, strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    truncated = {symbol: frame.until(AS_OF) for symbol, frame in prices.items()}
    doubled = {
        symbol: BarFrame(
            symbol=symbol,
            sessions=frame.days,
            close=np.where(frame.days > np.datetime64(AS_OF), 2 * frame.close, frame.close),
            adjustment=frame.adjustment,
        )
        for symbol, frame in prices.items()
    }

    assert build_snapshot(strategy, truncated, sectors, AS_OF) == built
    assert build_snapshot(strategy, doubled, sectors, AS_OF) == built


@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_the_inputs_changes_nothing(
    built: BuiltSnapshot,
    strategy: Strategy,
    prices: Prices,
    sectors: Sectors,
    data: st.DataObject,
) -> None:
    symbols = data.draw(st.permutations(sorted(prices)))
    again = build_snapshot(
        strategy,
        {symbol: prices[symbol] for symbol in symbols},
        {symbol: sectors[symbol] for symbol in symbols if symbol in sectors},
        AS_OF,
    )

    assert again == built
    assert encode_features(again.columns, again.rows) == encode_features(built.columns, built.rows)


def test_symbols_outside_the_universe_are_ignored(
    built: BuiltSnapshot, strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    stranger = BarFrame(symbol="ZZZ", sessions=[AS_OF], close=[1.0], adjustment=Adjustment.RAW)

    assert build_snapshot(strategy, with_prices(prices, stranger), sectors, AS_OF) == built


# ── What has no row ────────────────────────────────────────────────────────────────────


def test_a_stock_without_usable_prices_is_excluded_with_the_reason(
    built: BuiltSnapshot, strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    spoiled = with_prices(
        {symbol: frame for symbol, frame in prices.items() if symbol != "AAPL"},
        prices["GE"].until(date(2020, 2, 27)),
        prices["KO"].until(date(1990, 1, 1)),
        without(prices["XOM"], date(2020, 1, 15)),
    )

    again = build_snapshot(strategy, spoiled, sectors, AS_OF)

    assert again.excluded == (
        Exclusion("AAPL", ReasonCode.HISTORY_MISSING, "no price up to the snapshot's date"),
        Exclusion("GE", ReasonCode.HISTORY_STALE, "last price on 2020-02-27"),
        Exclusion("KO", ReasonCode.HISTORY_MISSING, "no price up to the snapshot's date"),
        Exclusion("XOM", ReasonCode.HISTORY_SHORT, "no price on 2020-01-15"),
    )
    kept = {row.symbol for row in again.rows}
    assert kept == {row.symbol for row in built.rows} - {"AAPL", "GE", "KO", "XOM"}


@pytest.mark.parametrize(
    ("last", "count", "code"),
    [
        ("1990-01-01", 9999, ReasonCode.HISTORY_MISSING),
        ("2020-02-27", 9999, ReasonCode.HISTORY_STALE),
        ("2020-02-28", 273, ReasonCode.HISTORY_SHORT),
    ],
)
def test_without_the_benchmark_nothing_is_built(
    strategy: Strategy, prices: Prices, sectors: Sectors, last: str, count: int, code: ReasonCode
) -> None:
    benchmark = prices["SP500"].until(date.fromisoformat(last)).tail(count)

    with pytest.raises(InputError, match="SP500") as refusal:
        build_snapshot(strategy, with_prices(prices, benchmark), sectors, AS_OF)

    assert (refusal.value.code, refusal.value.symbol) == (code, "SP500")


def test_prices_of_two_adjustments_are_never_compared(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    frame = prices["KO"]
    raw = BarFrame(symbol="KO", sessions=frame.days, close=frame.close, adjustment=Adjustment.RAW)

    with pytest.raises(InputError, match="KO has raw prices") as refusal:
        build_snapshot(strategy, with_prices(prices, raw), sectors, AS_OF)

    assert refusal.value.code is ReasonCode.BAR_INVALID


def test_a_stock_without_a_sector_is_refused_by_name(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    some = {symbol: sector for symbol, sector in sectors.items() if symbol not in ("KO", "GE")}

    with pytest.raises(InputError, match="No sector is given for GE, KO"):
        build_snapshot(strategy, prices, some, AS_OF)


def test_a_profile_without_a_snapshot_is_refused(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    with pytest.raises(ContractError, match="declares no snapshot"):
        build_snapshot(with_snapshot(strategy, None), prices, sectors, AS_OF)


def test_a_feature_that_nothing_computes_is_refused_by_name(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    need = SnapshotInput("some.v1", ("mom_6_1", "tea_leaves"), 5)

    with pytest.raises(ContractError, match="'tea_leaves'"):
        build_snapshot(with_snapshot(strategy, need), prices, sectors, AS_OF)


def test_an_empty_universe_is_refused(strategy: Strategy, prices: Prices, sectors: Sectors) -> None:
    empty = replace(
        strategy, manifest=replace(strategy.manifest, managed=("BIL",), safe_haven="BIL")
    )

    with pytest.raises(InputError, match="names no stock") as refusal:
        build_snapshot(empty, prices, sectors, AS_OF)

    assert refusal.value.code is ReasonCode.CONFIG_INVALID


# ── Candidates over time ───────────────────────────────────────────────────────────────


def universe_with(sectors: Sectors, *changed: Membership) -> Universe:
    names = {each.symbol for each in changed}
    rest = [Membership(s, sector) for s, sector in sectors.items() if s not in names]
    return Universe([*rest, *changed])


def test_a_stock_that_left_has_a_row_so_that_who_holds_it_can_sell_it(
    built: BuiltSnapshot, strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    left = Membership("KO", "Consumer Staples", date(1990, 1, 2), date(2019, 12, 31))

    again = build_snapshot(strategy, prices, universe_with(sectors, left), AS_OF)

    assert again.outside == ("KO",)
    assert row_of(again, "KO").features == {**row_of(built, "KO").features, "eligible": 0.0}
    assert row_of(again, "KO").sector == "Consumer Staples"


def test_a_stock_that_is_no_candidate_yet_has_none(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    coming = Membership("KO", "Consumer Staples", date(2020, 3, 2))

    again = build_snapshot(strategy, prices, universe_with(sectors, coming), AS_OF)

    assert again.excluded == (
        Exclusion("KO", ReasonCode.HISTORY_MISSING, "no candidate up to the date"),
    )


def test_a_stock_that_the_universe_never_names_is_refused(
    strategy: Strategy, prices: Prices, sectors: Sectors
) -> None:
    some = Universe(Membership(s, sector) for s, sector in sectors.items() if s != "KO")

    with pytest.raises(InputError, match="No sector is given for KO"):
        build_snapshot(strategy, prices, some, AS_OF)


# ── Raw prices ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("factor", "words"),
    [(2.0, "a 2-for-1 split"), (0.1, "a 10-for-1 reverse split"), (1.5, "a 1.5-for-1 split")],
)
def test_what_looks_like_a_split_in_raw_prices_is_excluded_by_day(
    strategy: Strategy, prices: Prices, sectors: Sectors, factor: float, words: str
) -> None:
    day = date(2020, 1, 15)
    raw = {
        symbol: BarFrame(
            symbol=symbol,
            sessions=frame.days,
            close=np.where(
                (frame.days >= np.datetime64(day)) & (symbol == "KO"),
                frame.close / factor,
                frame.close,
            ),
            adjustment=Adjustment.RAW,
        )
        for symbol, frame in prices.items()
    }

    again = build_snapshot(strategy, raw, sectors, AS_OF)

    assert [(e.symbol, e.detail) for e in again.excluded] == [
        ("KO", f"what looks like {words} on 2020-01-15")
    ]


def test_a_symbol_that_another_company_took_over_begins_anew(
    strategy: Strategy, prices: Mapping[str, BarFrame], sectors: Mapping[str, str]
) -> None:
    frame = prices["KO"]
    days = frame.sessions
    taken_over = days.index(date(2018, 6, 1))
    kept = np.r_[
        : taken_over - 5, taken_over : len(days)
    ]  # no price for a week, then another one's
    reused = BarFrame(
        symbol="KO", sessions=frame.days[kept], close=frame.close[kept], adjustment=frame.adjustment
    )

    def has_row(day: date) -> bool:
        built = build_snapshot(strategy, {**prices, "KO": reused}, sectors, day)
        return "KO" in {row.symbol for row in built.rows}

    assert not has_row(days[taken_over + 272])
    assert has_row(days[taken_over + 273])
