"""Indicators and features: one definition of each, for strategies, pipelines and backtests.

Every function is pure and reads plain arrays: one number per session, ascending, the last one
being the session the answer is for. Closes are total-return adjusted unless a function says
otherwise. An answer that the data cannot give is NaN, or None where a function says so; it is
never a guess. A window length below one is a `ContractError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import accumulate
from types import MappingProxyType
from typing import Final

import numpy as np

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market._frames import Days, Floats

SESSIONS_PER_YEAR: Final = 252
"""Sessions by which daily figures are brought to a year."""

_MIN_CLOSES_13612W = 253
_MIN_MONTHS_13612W = 13
_RELATIVE_NOISE = 1e-12


# ── Averages and oscillators ───────────────────────────────────────────────────────────


def sma(values: Floats, window: int) -> float:
    """Return the mean of the last `window` values; NaN when there are fewer."""
    last = _last(values, window)
    return math.nan if last is None else float(last.mean())


def ema(values: Floats, span: int) -> Floats:
    """Return the exponential average at every session, as an array of the same length.

    The first value seeds the recursion ``e[t] = e[t-1] + 2 / (span + 1) * (x[t] - e[t-1])``; this
    is pandas' ``ewm(span=span, adjust=False).mean()``.
    """
    _require_window(span)
    alpha = 2.0 / (span + 1)
    averages = accumulate(values.tolist(), lambda mean, value: mean + alpha * (value - mean))
    return np.fromiter(averages, np.float64, len(values))


@dataclass(frozen=True, slots=True, eq=False)
class Macd:
    """Moving average convergence divergence at every session (Appel, 1979), in USD.

    Parameters
    ----------
    line : Floats
        Fast exponential average less the slow one.
    signal : Floats
        Exponential average of `line`.
    """

    line: Floats
    signal: Floats

    @property
    def histogram(self) -> Floats:
        """`line` less `signal`; above zero while momentum rises."""
        return self.line - self.signal


def macd(closes: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Return the MACD of `closes`; both arrays have one value per close.

    The averages start at the first close, so early values depend on where the history begins;
    after ``slow + signal`` sessions the start hardly matters.
    """
    line = ema(closes, fast) - ema(closes, slow)
    return Macd(line=line, signal=ema(line, signal))


def rsi(closes: Floats, window: int = 14) -> float:
    """Return the relative strength index in 0..100, from simple averages of gains and losses.

    Wilder's index with plain means in place of his smoothing: ``100 * gains / (gains + losses)``
    over the last `window` changes. 50 when no close changed; NaN with fewer than `window` + 1
    closes.
    """
    last = _last(closes, window + 1)
    if last is None:
        return math.nan
    changes = np.diff(last)
    gains = float(np.maximum(changes, 0.0).sum())  # an undefined change stays undefined
    losses = float(np.maximum(-changes, 0.0).sum())
    return 50.0 if gains + losses == 0 else 100.0 * (gains / (gains + losses))


def true_range(high: Floats, low: Floats, closes: Floats) -> Floats:
    """Return Wilder's true range of every session but the first, which has no previous close."""
    previous = closes[:-1]
    spans = (high - low)[1:], np.abs(high[1:] - previous), np.abs(low[1:] - previous)
    ranges: Floats = np.maximum.reduce(spans)
    return ranges


def atr(high: Floats, low: Floats, closes: Floats, window: int = 14) -> float:
    """Return the simple mean of the last `window` true ranges, in USD.

    NaN with fewer than `window` + 1 bars.
    """
    return sma(true_range(high, low, closes), window)


# ── Momentum by months ─────────────────────────────────────────────────────────────────


def month_end_closes(sessions: Sequence[date] | Days, closes: Floats) -> Floats:
    """Return the last close of every calendar month, ascending.

    The last one is the newest close, even while its month is not over.
    """
    return closes[_month_ends(_days(sessions, closes))]


def momentum_13612w(sessions: Sequence[date] | Days, closes: Floats) -> float | None:
    """Return the weighted momentum of the last 1, 3, 6 and 12 months.

    ``(12 R1 + 4 R3 + 2 R6 + R12) / 19`` with ``Rk = P0 / Pk - 1``, where ``P0`` is the newest
    close and ``Pk`` the close of the month end `k` months before: the 13612W filter of Keller and
    Keuning ("Breadth Momentum and Vigilant Asset Allocation", 2017), scaled to a weighted mean.

    Returns
    -------
    float or None
        None with fewer than 253 closes or 13 month ends, or when a month in between has no bar.
    """
    days = _days(sessions, closes)
    ends = _month_ends(days)[-_MIN_MONTHS_13612W:]
    if len(closes) < _MIN_CLOSES_13612W or len(ends) < _MIN_MONTHS_13612W:
        return None
    months = days[ends].astype("datetime64[M]").astype(np.int64)
    if months[-1] - months[0] != _MIN_MONTHS_13612W - 1:
        return None
    newest = float(closes[-1])
    r1, r3, r6, r12 = (newest / float(closes[ends[-1 - k]]) - 1.0 for k in (1, 3, 6, 12))
    return (12.0 * r1 + 4.0 * r3 + 2.0 * r6 + r12) / 19.0


# ── Features ───────────────────────────────────────────────────────────────────────────


def momentum(closes: Floats, *, skip: int = 0, lookback: int) -> float:
    """Return ``P[t-skip] / P[t-lookback] - 1``; NaN with fewer than `lookback` + 1 closes."""
    if not 0 <= skip < lookback:
        raise ContractError(f"momentum.skip = {skip}: expected at least 0, below {lookback=}")
    last = _last(closes, lookback + 1)
    return math.nan if last is None else float(last[-1 - skip] / last[0]) - 1.0


def mom_3m(closes: Floats) -> float:
    """Return the return of the last 63 sessions."""
    return momentum(closes, lookback=63)


def mom_6m(closes: Floats) -> float:
    """Return the return of the last 126 sessions."""
    return momentum(closes, lookback=126)


def mom_6_1(closes: Floats) -> float:
    """Return six months' momentum without the last month: ``P[t-21] / P[t-147] - 1``."""
    return momentum(closes, skip=21, lookback=147)


def mom_12_1(closes: Floats) -> float:
    """Return twelve months' momentum without the last month: ``P[t-21] / P[t-273] - 1``."""
    return momentum(closes, skip=21, lookback=273)


def rebound_20(closes: Floats) -> float:
    """Return the return of the last 20 sessions."""
    return momentum(closes, lookback=20)


def sma_gap(closes: Floats, window: int) -> float:
    """Return the last close over its simple average, less one."""
    average = sma(closes, window)
    return math.nan if math.isnan(average) else float(closes[-1]) / average - 1.0


def sma20_gap(closes: Floats) -> float:
    """Return the last close over its 20-session average, less one."""
    return sma_gap(closes, 20)


def sma50_gap(closes: Floats) -> float:
    """Return the last close over its 50-session average, less one."""
    return sma_gap(closes, 50)


def sma200_gap(closes: Floats) -> float:
    """Return the last close over its 200-session average, less one."""
    return sma_gap(closes, 200)


def ma50_over_ma200(closes: Floats) -> float:
    """Return the 50-session average over the 200-session average, less one."""
    return sma(closes, 50) / sma(closes, 200) - 1.0


def volatility(closes: Floats, window: int) -> float:
    """Return the yearly deviation of the last `window` daily returns (population, ddof 0).

    NaN with fewer than `window` + 1 closes.
    """
    last = _last(closes, window + 1)
    if last is None:
        return math.nan
    returns = last[1:] / last[:-1] - 1.0
    return float(returns.std()) * math.sqrt(SESSIONS_PER_YEAR)


def vol_63(closes: Floats) -> float:
    """Return the yearly deviation of the last 63 daily returns."""
    return volatility(closes, 63)


def max_drawdown(closes: Floats, window: int) -> float:
    """Return the worst fall from a peak inside the last `window` closes, as a return <= 0."""
    last = _last(closes, window)
    return math.nan if last is None else float((last / np.maximum.accumulate(last)).min()) - 1.0


def maxdd_126(closes: Floats) -> float:
    """Return the worst fall from a peak inside the last 126 closes, as a return <= 0."""
    return max_drawdown(closes, 126)


def high_gap(closes: Floats, window: int) -> float:
    """Return the last close over the highest of the last `window` closes, less one: <= 0."""
    last = _last(closes, window)
    return math.nan if last is None else float(last[-1] / last.max()) - 1.0


def dist_63_high(closes: Floats) -> float:
    """Return the last close's distance from its 63-session high, <= 0."""
    return high_gap(closes, 63)


def dist_126_high(closes: Floats) -> float:
    """Return the last close's distance from its 126-session high, <= 0."""
    return high_gap(closes, 126)


def high_252_gap(closes: Floats) -> float:
    """Return the last close's distance from its 252-session high, <= 0."""
    return high_gap(closes, 252)


def breakout_252(closes: Floats) -> float:
    """Return the same figure as `high_252_gap`, under the name the breakout rules use."""
    return high_gap(closes, 252)


def adv20_usd(closes: Floats, volumes: Floats) -> float:
    """Return the mean dollar volume of the last 20 sessions.

    Parameters
    ----------
    closes : Floats
        Raw closes in USD: adjusted ones would misstate the dollars that changed hands.
    volumes : Floats
        Shares traded, session by session.
    """
    if len(closes) != len(volumes):
        raise ContractError(f"adv20_usd.volumes: expected {len(closes)} values, one per close")
    return sma(closes * volumes, 20)


CLOSE_FEATURES: Final[Mapping[str, Callable[[Floats], float]]] = MappingProxyType(
    {
        feature.__name__: feature
        for feature in (
            breakout_252,
            dist_126_high,
            dist_63_high,
            high_252_gap,
            ma50_over_ma200,
            maxdd_126,
            mom_12_1,
            mom_3m,
            mom_6_1,
            mom_6m,
            rebound_20,
            sma200_gap,
            sma20_gap,
            sma50_gap,
            vol_63,
        )
    }
)
"""Every snapshot feature that adjusted closes alone give, by its column name."""


# ── The same features of many symbols at once ──────────────────────────────────────────
#
# One row of closes per symbol, one column per session, NaN where a symbol had no price yet. Each
# answer is bit for bit the one that the function of the same name gives for the row alone.


def panel_sma(values: Floats, window: int) -> Floats:
    """Return the `sma` of every row; NaN in a row with an undefined value in its window."""
    averages: Floats = _last_columns(values, window).mean(axis=-1)
    return averages


def panel_momentum(closes: Floats, *, skip: int = 0, lookback: int) -> Floats:
    """Return the `momentum` of every row."""
    last = _last_columns(closes, lookback + 1)
    returns: Floats = last[:, -1 - skip] / last[:, 0] - 1.0
    return returns


def panel_sma_gap(closes: Floats, window: int) -> Floats:
    """Return the `sma_gap` of every row."""
    gaps: Floats = _last_columns(closes, 1)[:, 0] / panel_sma(closes, window) - 1.0
    return gaps


def panel_volatility(closes: Floats, window: int) -> Floats:
    """Return the `volatility` of every row."""
    last = _last_columns(closes, window + 1)
    returns: Floats = last[:, 1:] / last[:, :-1]  # rows of memory, as the symbol alone has them
    returns -= 1.0
    deviations: Floats = returns.std(axis=-1) * math.sqrt(SESSIONS_PER_YEAR)
    return deviations


def panel_max_drawdown(closes: Floats, window: int) -> Floats:
    """Return the `max_drawdown` of every row."""
    # A session of all symbols at a time is several times as fast as a symbol at a time; quotients,
    # maxima and minima have the same bits in any order.
    first, *others = _last_columns(closes, window).copy().T
    peaks: Floats = first.copy()
    depths: Floats = first / first
    for today in others:
        np.maximum(peaks, today, out=peaks)
        np.minimum(depths, today / peaks, out=depths)
    depths -= 1.0
    return depths


def panel_high_gap(closes: Floats, window: int) -> Floats:
    """Return the `high_gap` of every row."""
    last = _last_columns(closes, window)
    gaps: Floats = last[:, -1] / last.max(axis=-1) - 1.0
    return gaps


def _panel_ma50_over_ma200(closes: Floats) -> Floats:
    ratios: Floats = panel_sma(closes, 50) / panel_sma(closes, 200) - 1.0
    return ratios


def panel_adv20_usd(closes: Floats, volumes: Floats) -> Floats:
    """Return the `adv20_usd` of every row."""
    return panel_sma(_last_columns(closes, 20) * _last_columns(volumes, 20), 20)


PANEL_FEATURES: Final[Mapping[str, Callable[[Floats], Floats]]] = MappingProxyType(
    {
        "breakout_252": partial(panel_high_gap, window=252),
        "dist_126_high": partial(panel_high_gap, window=126),
        "dist_63_high": partial(panel_high_gap, window=63),
        "high_252_gap": partial(panel_high_gap, window=252),
        "ma50_over_ma200": _panel_ma50_over_ma200,
        "maxdd_126": partial(panel_max_drawdown, window=126),
        "mom_12_1": partial(panel_momentum, skip=21, lookback=273),
        "mom_3m": partial(panel_momentum, lookback=63),
        "mom_6_1": partial(panel_momentum, skip=21, lookback=147),
        "mom_6m": partial(panel_momentum, lookback=126),
        "rebound_20": partial(panel_momentum, lookback=20),
        "sma200_gap": partial(panel_sma_gap, window=200),
        "sma20_gap": partial(panel_sma_gap, window=20),
        "sma50_gap": partial(panel_sma_gap, window=50),
        "vol_63": partial(panel_volatility, window=63),
    }
)
"""Every one of `CLOSE_FEATURES`, for a panel of closes."""


# ── Across symbols ─────────────────────────────────────────────────────────────────────


def zscore(values: Floats) -> Floats:
    """Return how many population deviations (ddof 0) each value lies from the mean.

    Undefined values take no part in mean and deviation, and score 0. Everything scores 0 when the
    deviation is zero, or so small beside the values that it is rounding.

    Parameters
    ----------
    values : Floats
        One value per symbol; or one row of them per feature, each scored by itself.
    """
    defined = np.isfinite(values)
    if defined.all():
        return _standardised(values)
    if values.ndim > 1:
        return np.stack([zscore(row) for row in values])
    scores = np.zeros(len(values), dtype=np.float64)
    scores[defined] = _standardised(values[defined])
    return scores


def grouped_zscore(values: Floats, groups: Sequence[str]) -> Floats:
    """Return `zscore` taken inside each group; a group of one scores 0.

    Parameters
    ----------
    values : Floats
        One value per symbol; or one row of them per feature, each scored by itself.
    groups : sequence of str
        The group of each symbol, such as its sector.
    """
    scores = np.zeros(values.shape, dtype=np.float64)
    for members in _members("grouped_zscore", values, groups):
        # A copy in memory order, so that a sum has the same rounding alone and among features.
        scores[..., members] = zscore(values.take(members, axis=-1))
    return scores


def grouped_median(values: Floats, groups: Sequence[str]) -> Floats:
    """Return the median of each value's group, as an array of the same length.

    Parameters
    ----------
    values : Floats
        One value per symbol; an undefined one makes its group's median undefined.
    groups : sequence of str
        The group of each symbol, such as its sector.
    """
    medians = np.zeros(len(values), dtype=np.float64)
    for members in _members("grouped_median", values, groups):
        medians[members] = np.median(values[members])
    return medians


def _standardised(values: Floats) -> Floats:
    if values.shape[-1] == 0:
        return np.zeros(values.shape, dtype=np.float64)
    scores: Floats = values - values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((scores * scores).mean(axis=-1, keepdims=True))
    ends = values.max(axis=-1, keepdims=True), -values.min(axis=-1, keepdims=True)
    noise = _RELATIVE_NOISE * np.maximum(*ends)
    deviation[deviation <= noise] = math.inf  # everything scores 0
    scores /= deviation
    return scores


def _members(
    owner: str, values: Floats, groups: Sequence[str]
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Yield the positions of each group, groups in the order of their first member."""
    count = values.shape[-1]
    if len(groups) != count:
        raise ContractError(f"{owner}.groups: expected {count} names, one per value")
    positions: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        positions.setdefault(group, []).append(position)
    for members in positions.values():
        yield np.array(members, dtype=np.intp)


def _last(values: Floats, window: int) -> Floats | None:
    _require_window(window)
    return values[-window:] if len(values) >= window else None


def _last_columns(values: Floats, window: int) -> Floats:
    """Return the last `window` columns; all undefined where there are fewer."""
    _require_window(window)
    if values.shape[-1] >= window:
        return values[:, -window:]
    return np.full((len(values), window), math.nan)


def _require_window(window: int) -> None:
    if window < 1:
        raise ContractError(f"indicators.window = {window}: expected at least 1")


def _days(sessions: Sequence[date] | Days, closes: Floats) -> Days:
    days: Days = np.asarray(sessions, dtype="datetime64[D]")
    if days.shape != closes.shape:
        raise ContractError(f"indicators.sessions: expected {len(closes)} dates, one per close")
    return days


def _month_ends(days: Days) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    months = days.astype("datetime64[M]")
    is_last = np.append(months[1:] != months[:-1], [True] * min(1, len(months)))
    return np.flatnonzero(is_last)
