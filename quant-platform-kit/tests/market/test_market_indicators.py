"""Indicators against hand-computed vectors, pandas on real bars, and their invariants."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import BarFrame, indicators, load_sample, xnys
from quant_platform_kit.market._frames import Floats
from quant_platform_kit.market.indicators import CLOSE_FEATURES

NEEDED_CLOSES = {
    "breakout_252": 252,
    "dist_126_high": 126,
    "dist_63_high": 63,
    "high_252_gap": 252,
    "ma50_over_ma200": 200,
    "maxdd_126": 126,
    "mom_12_1": 274,
    "mom_3m": 64,
    "mom_6_1": 148,
    "mom_6m": 127,
    "rebound_20": 21,
    "sma200_gap": 200,
    "sma20_gap": 20,
    "sma50_gap": 50,
    "vol_63": 64,
}

closes_of_any_length = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60).map(np.array)


def array(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


@pytest.fixture(scope="module")
def apple() -> BarFrame:
    return load_sample(Adjustment.TOTAL_RETURN)["AAPL"]


@pytest.fixture(scope="module")
def apple_series(apple: BarFrame) -> pd.Series:
    return pd.Series(apple.close, index=pd.DatetimeIndex(apple.days))


# ── Averages and oscillators ───────────────────────────────────────────────────────────


def test_an_average_takes_the_last_values_only() -> None:
    assert indicators.sma(array(100.0, 1.0, 2.0, 6.0), 3) == 3.0


def test_an_average_of_too_few_values_is_undefined() -> None:
    assert math.isnan(indicators.sma(array(1.0, 2.0), 3))
    assert math.isnan(indicators.sma(array(), 1))


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_below_one_is_refused(window: int) -> None:
    closes = array(1.0, 2.0)
    for call in (
        lambda: indicators.sma(closes, window),
        lambda: indicators.ema(closes, window),
        lambda: indicators.high_gap(closes, window),
        lambda: indicators.max_drawdown(closes, window),
    ):
        with pytest.raises(ContractError, match=r"indicators\.window"):
            call()


def test_an_exponential_average_is_seeded_with_the_first_value() -> None:
    # alpha = 2 / (3 + 1) = 1/2
    assert indicators.ema(array(8.0, 4.0, 10.0), 3).tolist() == [8.0, 6.0, 8.0]
    assert indicators.ema(array(), 3).tolist() == []


def test_macd_of_a_short_series_by_hand() -> None:
    # Spans 1 and 3 give alphas 1 and 1/2; the signal's span 3 gives 1/2.
    found = indicators.macd(array(8.0, 4.0, 10.0), fast=1, slow=3, signal=3)

    assert found.line.tolist() == [0.0, -2.0, 2.0]
    assert found.signal.tolist() == [0.0, -1.0, 0.5]
    assert found.histogram.tolist() == [0.0, -1.0, 1.5]


def test_macd_of_real_closes_is_what_pandas_computes(apple_series: pd.Series) -> None:
    def ewm(series: pd.Series, span: int) -> pd.Series:
        return series.ewm(span=span, adjust=False).mean()

    line = ewm(apple_series, 12) - ewm(apple_series, 26)
    found = indicators.macd(apple_series.to_numpy())

    np.testing.assert_allclose(found.line, line, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.signal, ewm(line, 9), rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ((10.0, 12.0, 11.0, 14.0), 100.0 * 5 / 6),  # gains 2 + 3, losses 1
        ((50.0, 10.0, 12.0, 11.0, 14.0), 100.0 * 5 / 6),  # the fall before the window is over
        ((10.0, 11.0, 12.0, 13.0), 100.0),
        ((13.0, 12.0, 11.0, 10.0), 0.0),
        ((10.0, 10.0, 10.0, 10.0), 50.0),
    ],
)
def test_rsi_weighs_gains_against_losses(closes: tuple[float, ...], expected: float) -> None:
    assert indicators.rsi(array(*closes), 3) == pytest.approx(expected)


def test_rsi_needs_one_close_more_than_its_window() -> None:
    assert math.isnan(indicators.rsi(np.arange(1.0, 15.0)))
    assert indicators.rsi(np.arange(1.0, 16.0)) == 100.0


def test_an_undefined_close_makes_rsi_undefined() -> None:
    assert math.isnan(indicators.rsi(array(1.0, math.nan, 3.0, 4.0), 3))


def test_true_range_counts_gaps_from_the_close_before() -> None:
    high, low, closes = (
        array(11.0, 15.0, 12.0, 9.0),
        array(9.0, 14.0, 10.0, 8.0),
        array(10, 14, 11, 9),
    )

    assert indicators.true_range(high, low, closes).tolist() == [5.0, 4.0, 3.0]
    assert indicators.atr(high, low, closes, 2) == 3.5
    assert indicators.atr(high, low, closes, 3) == 4.0
    assert math.isnan(indicators.atr(high, low, closes, 4))


# ── Momentum by months ─────────────────────────────────────────────────────────────────


def months_of_constant_closes(end: date) -> tuple[tuple[date, ...], Floats]:
    """Give January 2023 the close 60, October 2023 96, December 100, January 2024 120."""
    sessions = xnys().sessions(date(2023, 1, 3), end)
    by_month = {(2023, 1): 60.0, (2023, 7): 80.0, (2023, 10): 96.0, (2023, 12): 100.0}
    by_month[2024, 1] = 120.0
    return sessions, array(*(by_month.get((s.year, s.month), 70.0) for s in sessions))


def test_month_end_closes_end_with_the_newest_close() -> None:
    sessions = (date(2024, 5, 30), date(2024, 5, 31), date(2024, 6, 3), date(2024, 6, 4))

    assert indicators.month_end_closes(sessions, array(1.0, 2.0, 3.0, 4.0)).tolist() == [2.0, 4.0]
    assert indicators.month_end_closes(sessions[:2], array(1.0, 2.0)).tolist() == [2.0]
    assert indicators.month_end_closes((), array()).tolist() == []


def test_the_same_month_of_two_years_is_two_months() -> None:
    sessions = (date(2023, 5, 31), date(2024, 5, 31))

    assert indicators.month_end_closes(sessions, array(1.0, 2.0)).tolist() == [1.0, 2.0]


def test_month_end_closes_of_real_bars_are_what_pandas_groups(
    apple: BarFrame, apple_series: pd.Series
) -> None:
    expected = apple_series.groupby([apple_series.index.year, apple_series.index.month]).last()

    assert indicators.month_end_closes(apple.days, apple.close).tolist() == expected.tolist()


def test_momentum_13612w_by_hand() -> None:
    sessions, closes = months_of_constant_closes(date(2024, 1, 5))

    # R1 = 120/100-1 = .2, R3 = 120/96-1 = .25, R6 = 120/80-1 = .5, R12 = 120/60-1 = 1
    assert indicators.momentum_13612w(sessions, closes) == pytest.approx(
        (12 * 0.2 + 4 * 0.25 + 2 * 0.5 + 1.0) / 19
    )


def test_momentum_13612w_reads_arrays_of_days_and_lists_of_dates_alike(apple: BarFrame) -> None:
    assert indicators.momentum_13612w(apple.days, apple.close) == indicators.momentum_13612w(
        apple.sessions, apple.close
    )


@pytest.mark.parametrize(("end", "closes"), [(date(2024, 1, 3), 252), (date(2024, 1, 4), 253)])
def test_momentum_13612w_needs_253_closes(end: date, closes: int) -> None:
    sessions, prices = months_of_constant_closes(end)

    assert len(prices) == closes
    assert (indicators.momentum_13612w(sessions, prices) is None) == (closes < 253)


def test_momentum_13612w_needs_13_month_ends() -> None:
    sessions = xnys().sessions(date(2020, 1, 2), date(2020, 12, 31))

    assert len(sessions) == 253
    assert indicators.momentum_13612w(sessions, np.ones(253)) is None


def test_momentum_13612w_is_undefined_when_a_month_has_no_bar() -> None:
    sessions = [
        s
        for s in xnys().sessions(date(2022, 6, 1), date(2024, 1, 5))
        if (s.year, s.month) != (2023, 5)
    ]

    assert len(sessions) >= 253
    assert indicators.momentum_13612w(sessions, np.ones(len(sessions))) is None


def test_dates_and_closes_must_pair() -> None:
    with pytest.raises(ContractError, match=r"indicators\.sessions"):
        indicators.momentum_13612w((date(2024, 1, 2),), array(1.0, 2.0))


# ── Features ───────────────────────────────────────────────────────────────────────────


def test_momentum_skips_the_recent_sessions() -> None:
    closes = array(7.0, 10.0, 11.0, 12.0, 30.0)

    assert indicators.momentum(closes, lookback=3) == pytest.approx(2.0)
    assert indicators.momentum(closes, skip=1, lookback=3) == pytest.approx(0.2)
    assert math.isnan(indicators.momentum(closes, lookback=5))


@pytest.mark.parametrize(("skip", "lookback"), [(3, 3), (-1, 3), (0, 0)])
def test_momentum_must_look_back_beyond_what_it_skips(skip: int, lookback: int) -> None:
    with pytest.raises(ContractError, match=r"momentum\.skip"):
        indicators.momentum(array(1.0, 2.0), skip=skip, lookback=lookback)


def test_volatility_is_the_population_deviation_of_a_year() -> None:
    # Returns +10 %, -10 %: mean 0, deviation 10 %.
    assert indicators.volatility(array(100.0, 110.0, 99.0), 2) == pytest.approx(
        0.1 * math.sqrt(252)
    )


def test_drawdown_is_the_worst_fall_inside_its_window() -> None:
    closes = array(200.0, 100.0, 120.0, 90.0, 150.0, 130.0)

    assert indicators.max_drawdown(closes, 5) == pytest.approx(90 / 120 - 1)
    assert indicators.max_drawdown(closes, 6) == pytest.approx(90 / 200 - 1)
    assert indicators.max_drawdown(closes, 1) == 0.0


def test_gaps_compare_the_last_close_with_average_and_high() -> None:
    closes = array(50.0, 8.0, 12.0, 10.0)

    assert indicators.high_gap(closes, 3) == pytest.approx(10 / 12 - 1)
    assert indicators.sma_gap(closes, 3) == pytest.approx(0.0)
    assert indicators.sma_gap(closes, 4) == pytest.approx(10 / 20 - 1)
    assert math.isnan(indicators.sma_gap(closes, 5))


def test_dollar_volume_is_the_mean_of_twenty_sessions() -> None:
    closes, volumes = np.arange(1.0, 22.0), np.full(21, 10.0)

    assert indicators.adv20_usd(closes, volumes) == pytest.approx(
        10.0 * np.arange(2.0, 22.0).mean()
    )
    assert math.isnan(indicators.adv20_usd(closes[:19], volumes[:19]))
    with pytest.raises(ContractError, match=r"adv20_usd\.volumes"):
        indicators.adv20_usd(closes, volumes[1:])


def test_every_feature_of_real_closes_is_what_pandas_computes(apple_series: pd.Series) -> None:
    price = apple_series
    year = price.iloc[-126:]
    high = {n: price.iloc[-1] / price.rolling(n).max().iloc[-1] - 1 for n in (63, 126, 252)}
    mean = {n: price.rolling(n).mean().iloc[-1] for n in (20, 50, 200)}
    expected = {
        "breakout_252": high[252],
        "dist_126_high": high[126],
        "dist_63_high": high[63],
        "high_252_gap": high[252],
        "ma50_over_ma200": mean[50] / mean[200] - 1,
        "maxdd_126": (year / year.cummax() - 1).min(),
        "mom_12_1": (price.shift(21) / price.shift(273)).iloc[-1] - 1,
        "mom_3m": price.pct_change(63).iloc[-1],
        "mom_6_1": (price.shift(21) / price.shift(147)).iloc[-1] - 1,
        "mom_6m": price.pct_change(126).iloc[-1],
        "rebound_20": price.pct_change(20).iloc[-1],
        "sma200_gap": price.iloc[-1] / mean[200] - 1,
        "sma20_gap": price.iloc[-1] / mean[20] - 1,
        "sma50_gap": price.iloc[-1] / mean[50] - 1,
        "vol_63": price.pct_change().rolling(63).std(ddof=0).iloc[-1] * math.sqrt(252),
    }

    found = {name: feature(price.to_numpy()) for name, feature in CLOSE_FEATURES.items()}

    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "needed"), NEEDED_CLOSES.items())
def test_a_feature_is_undefined_until_it_has_the_closes_it_needs(name: str, needed: int) -> None:
    closes = np.linspace(10.0, 20.0, needed)

    assert math.isfinite(CLOSE_FEATURES[name](closes))
    assert math.isnan(CLOSE_FEATURES[name](closes[1:]))


def test_every_feature_of_closes_is_listed_by_its_name() -> None:
    assert set(CLOSE_FEATURES) == set(NEEDED_CLOSES)
    assert all(getattr(indicators, name) is feature for name, feature in CLOSE_FEATURES.items())


@given(scale=st.sampled_from([2.0**-20, 0.25, 8.0, 2.0**20]), seed=st.integers(0, 2**32 - 1))
def test_features_do_not_depend_on_the_unit_of_price(scale: float, seed: int) -> None:
    returns = np.random.default_rng(seed).normal(0.0005, 0.02, 280)
    closes = 100.0 * np.exp(returns.cumsum())

    for feature in CLOSE_FEATURES.values():
        assert feature(closes * scale) == feature(closes)  # powers of two scale without rounding


@given(closes=closes_of_any_length)
def test_drawdown_and_distance_from_the_high_lie_between_minus_one_and_zero(
    closes: Floats,
) -> None:
    window = len(closes)

    drawdown, distance = (
        indicators.max_drawdown(closes, window),
        indicators.high_gap(closes, window),
    )

    assert -1.0 < drawdown <= distance <= 0.0


@given(
    closes=st.lists(st.integers(1, 10**6), min_size=1, max_size=60).map(np.array),
    window=st.integers(1, 20),
)
def test_rsi_lies_between_0_and_100_and_mirrors(closes: Floats, window: int) -> None:
    strength = indicators.rsi(closes, window)

    if len(closes) <= window:
        assert math.isnan(strength)
    else:
        assert 0.0 <= strength <= 100.0
        assert indicators.rsi(10**7 - closes, window) == pytest.approx(100.0 - strength)


@given(closes=closes_of_any_length, cut=st.integers(1, 60))
def test_averages_never_look_ahead(closes: Floats, cut: int) -> None:
    whole, truncated = indicators.macd(closes), indicators.macd(closes[:cut])

    assert whole.line[:cut].tolist() == truncated.line.tolist()
    assert whole.signal[:cut].tolist() == truncated.signal.tolist()


# ── Across symbols ─────────────────────────────────────────────────────────────────────


def test_zscore_by_hand() -> None:
    # Mean 5, population deviation 2.
    values = array(2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0)

    assert indicators.zscore(values).tolist() == [-1.5, -0.5, -0.5, -0.5, 0.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize("values", [(), (3.0,), (0.1, 0.1, 0.1), (0.3, 0.1 + 0.2), (0.0, 0.0)])
def test_without_deviation_every_score_is_zero(values: tuple[float, ...]) -> None:
    assert indicators.zscore(array(*values)).tolist() == [0.0] * len(values)


def test_an_undefined_value_scores_zero_and_moves_no_other() -> None:
    assert indicators.zscore(array(1.0, math.nan, 3.0)).tolist() == [-1.0, 0.0, 1.0]
    assert indicators.zscore(array(math.nan, math.nan)).tolist() == [0.0, 0.0]


def test_scores_are_taken_inside_each_group() -> None:
    values = array(1.0, 100.0, 3.0, 300.0, 7.0)

    scores = indicators.grouped_zscore(values, ["Energy", "Utilities", "Energy", "Utilities", "IT"])

    assert scores.tolist() == [-1.0, -1.0, 1.0, 1.0, 0.0]


def test_every_value_needs_a_group() -> None:
    with pytest.raises(ContractError, match=r"grouped_zscore\.groups"):
        indicators.grouped_zscore(array(1.0, 2.0), ["Energy"])


ROWS = st.integers(1, 12).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(-1e3, 1e3) | st.just(math.nan), min_size=width, max_size=width),
        min_size=1,
        max_size=4,
    ).map(np.array)
)


@given(rows=ROWS, data=st.data())
def test_rows_of_features_score_like_each_feature_alone(rows: Floats, data: st.DataObject) -> None:
    width = rows.shape[1]
    groups = data.draw(st.lists(st.sampled_from("abc"), min_size=width, max_size=width))

    together = indicators.zscore(rows)
    together_grouped = indicators.grouped_zscore(rows, groups)

    for row, alone, grouped in zip(rows, together, together_grouped, strict=True):
        assert alone.tolist() == indicators.zscore(row).tolist()
        assert grouped.tolist() == indicators.grouped_zscore(row, groups).tolist()


def test_no_values_have_no_scores() -> None:
    assert indicators.zscore(array()).tolist() == []
    assert indicators.zscore(np.zeros((2, 0))).shape == (2, 0)
    assert indicators.grouped_zscore(array(), []).tolist() == []


def test_a_median_is_taken_inside_each_group() -> None:
    values = array(1.0, 100.0, 3.0, 300.0, 7.0, 4.0)
    groups = ["Energy", "Utilities", "Energy", "Utilities", "IT", "Energy"]

    medians = indicators.grouped_median(values, groups)

    assert medians.tolist() == [3.0, 200.0, 3.0, 200.0, 7.0, 3.0]


def test_an_undefined_value_leaves_its_group_without_a_median() -> None:
    medians = indicators.grouped_median(array(1.0, math.nan, 5.0), ["a", "a", "b"])

    np.testing.assert_array_equal(medians, [math.nan, math.nan, 5.0])


def test_every_value_of_a_median_needs_a_group() -> None:
    with pytest.raises(ContractError, match=r"grouped_median\.groups"):
        indicators.grouped_median(array(1.0, 2.0), ["Energy"])


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40).map(np.array),
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(0.1, 10.0),
)
def test_scores_have_mean_0_and_deviation_1_in_any_unit(
    values: Floats, shift: float, scale: float
) -> None:
    scores = indicators.zscore(values)

    if float(np.ptp(values)) > 1e-3:
        assert scores.mean() == pytest.approx(0.0, abs=1e-6)
        assert scores.std() == pytest.approx(1.0)
        moved = indicators.zscore(values * scale + shift)
        np.testing.assert_allclose(moved, scores, atol=1e-5)
    else:
        assert np.isfinite(scores).all()


@given(values=st.lists(st.floats(-1e3, 1e3), max_size=40).map(np.array))
def test_one_group_scores_like_no_group(values: Floats) -> None:
    grouped = indicators.grouped_zscore(values, ["all"] * len(values))

    assert grouped.tolist() == indicators.zscore(values).tolist()


@pytest.mark.parametrize(
    "call", [indicators.mom_3m, indicators.vol_63, indicators.maxdd_126, indicators.zscore]
)
def test_indicators_leave_their_input_as_it_was(call: Callable[[Floats], object]) -> None:
    closes = np.linspace(10.0, 20.0, 300)
    closes.setflags(write=False)

    call(closes)

    assert closes.tolist() == np.linspace(10.0, 20.0, 300).tolist()
