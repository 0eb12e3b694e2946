"""Building one snapshot: 3,000 symbols x 10 years, every feature, against plain NumPy."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, indicators, xnys
from us_equity_snapshot_pipelines._build import build_rows, lay_out
from us_equity_snapshot_pipelines._features import Prices, compute
from us_equity_snapshot_pipelines._panel import PricePanel
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._universe import Membership, Universe

SYMBOLS: Final = 3000
_YEARS: Final = 10
_LAST: Final = date(2022, 12, 28)
_SEED: Final = 20221228
_ROUNDS: Final = 7
_TARGET: Final = 2.0
_MEMORY_TARGET: Final = 2.0

Floats = NDArray[np.float64]


def frames(symbols: int = SYMBOLS, years: int = _YEARS) -> dict[str, BarFrame]:
    """Return seeded walks with volumes; the first symbol is the benchmark."""
    calendar = xnys()
    days = calendar.sessions(date(_LAST.year - years, _LAST.month, _LAST.day), _LAST)
    stamps = np.array(days, dtype="datetime64[D]")
    random = np.random.default_rng(_SEED)
    made = {}
    for number in range(symbols):
        symbol = f"SIM{number:04}"
        made[symbol] = BarFrame(
            symbol=symbol,
            sessions=stamps,
            close=40 * np.exp(np.cumsum(random.normal(0.0002, 0.02, len(days)))),
            volume=random.uniform(1e5, 1e7, len(days)),
            adjustment=Adjustment.TOTAL_RETURN,
        )
    return made


def recipe(symbols: int = SYMBOLS) -> Recipe:
    """Return a recipe that asks for every feature of closes, and for the turnover."""
    names = [f"SIM{number:04}" for number in range(symbols)]
    return Recipe(
        contract="bench.v1",
        profile="bench",
        config_sha256="0" * 64,
        config_name="bench",
        features=("close", "adv20_usd", "history_days", *indicators.PANEL_FEATURES),
        stocks=tuple(names[1:]),
        benchmark=names[0],
        broad_benchmark=None,
        by_sector=True,
        min_closes=274,
        min_close_usd=10.0,
        min_adv20_usd=1e6,
    )


def universe(symbols: int = SYMBOLS) -> Universe:
    """Return a universe of eleven sectors."""
    return Universe(
        Membership(f"SIM{number:04}", f"Sector {number % 11}") for number in range(1, symbols)
    )


def plain(close: Floats, volume: Floats) -> dict[str, Floats]:
    """Compute the same features as one writes them on bare arrays, without a check of anything."""

    def gap(window: int) -> Floats:
        gaps: Floats = close[:, -1] / close[:, -window:].mean(axis=1) - 1
        return gaps

    def momentum(skip: int, lookback: int) -> Floats:
        returns: Floats = close[:, -1 - skip] / close[:, -1 - lookback] - 1
        return returns

    def below_high(window: int) -> Floats:
        gaps: Floats = close[:, -1] / close[:, -window:].max(axis=1) - 1
        return gaps

    last = close[:, -126:]
    returns = close[:, -63:] / close[:, -64:-1] - 1
    return {
        "adv20_usd": (close[:, -20:] * volume[:, -20:]).mean(axis=1),
        "breakout_252": below_high(252),
        "dist_126_high": below_high(126),
        "dist_63_high": below_high(63),
        "high_252_gap": below_high(252),
        "ma50_over_ma200": close[:, -50:].mean(axis=1) / close[:, -200:].mean(axis=1) - 1,
        "maxdd_126": (last / np.maximum.accumulate(last, axis=1)).min(axis=1) - 1,
        "mom_12_1": momentum(21, 273),
        "mom_3m": momentum(0, 63),
        "mom_6_1": momentum(21, 147),
        "mom_6m": momentum(0, 126),
        "rebound_20": momentum(0, 20),
        "sma200_gap": gap(200),
        "sma20_gap": gap(20),
        "sma50_gap": gap(50),
        "vol_63": returns.std(axis=1) * np.sqrt(252),
    }


def peak_over_input(
    panel_of: Callable[[], PricePanel], build: Callable[[PricePanel], object], input_bytes: int
) -> float:
    """Return the peak of what building allocates on top of the frames, over their own size."""
    tracemalloc.start()
    build(panel_of())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (input_bytes + peak) / input_bytes


def run() -> tuple[BenchResult, ...]:
    """Measure the features alone, and everything from price frames to the rows of a snapshot."""
    prices, made, known = frames(), recipe(), universe()
    close = np.stack([prices[symbol].close for symbol in sorted(prices)])
    volumes = [prices[symbol].volume for symbol in sorted(prices)]
    volume = np.stack([each for each in volumes if each is not None])
    panel = lay_out(made, prices, _LAST, _LAST)
    window = Prices(panel.at(_LAST), 0)
    ours, theirs = compute(made.features, window), plain(close, volume)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-12, atol=1e-15)
    seconds = interleaved_medians(
        {
            "plain": lambda: plain(close, volume),
            "features": lambda: compute(made.features, window),
            "rows": lambda: build_rows(made, lay_out(made, prices, _LAST, _LAST), known, _LAST),
        },
        rounds=_ROUNDS,
    )
    ratio = seconds["features"] / seconds["plain"]
    memory = peak_over_input(
        lambda: lay_out(made, prices, _LAST, _LAST),
        lambda each: build_rows(made, each, known, _LAST),
        close.nbytes + volume.nbytes,
    )
    return (
        BenchResult(
            what=f"{len(made.features)} features of {SYMBOLS:,} symbols x {_YEARS} years, at the "
            "last session",
            figure=f"{seconds['features'] * 1e3:.0f} ms; with the checks of every symbol, hashes "
            f"and rows {seconds['rows'] * 1e3:.0f} ms",
            ratio=f"{ratio:.2f}x vectorised NumPy on the same arrays",
            target=f"at most {_TARGET:.0f}x",
            met=ratio <= _TARGET,
        ),
        BenchResult(
            what=f"memory of that build, {SYMBOLS:,} symbols x {_YEARS} years with volumes",
            figure=f"{(close.nbytes + volume.nbytes) / 1e6:.0f} MB of prices",
            ratio=f"{memory:.2f}x the prices at the peak, themselves included",
            target=f"at most {_MEMORY_TARGET:.0f}x",
            met=memory <= _MEMORY_TARGET,
        ),
    )


if __name__ == "__main__":
    for row in run():
        print(row)
