"""Every column that a snapshot can have, with the one way it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from quant_platform_kit.contracts import SnapshotInput
from quant_platform_kit.errors import ContractError
from quant_platform_kit.inputs import PRICE_DATE
from quant_platform_kit.market import indicators
from us_equity_snapshot_pipelines._panel import Floats, Window

KEYS: Final = ("symbol", "sector", PRICE_DATE)
"""The columns that name a row."""

ELIGIBLE: Final = "eligible"
"""The column that tells whether a row may be ranked: 1.0, else 0.0."""

ADV20_USD: Final = "adv20_usd"
"""The one feature that needs volumes."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What the features of a universe are computed from.

    Parameters
    ----------
    window : Window
    benchmark : int
        The benchmark's row.
    broad_benchmark : int or None
        None when the profile declares no feature that needs it.
    """

    window: Window
    benchmark: int
    broad_benchmark: int | None = None


Feature = Callable[[Prices], Floats]
"""Computes one column; NaN where the prices do not give it."""


def _close(prices: Prices) -> Floats:
    """Last close in USD, adjusted as the prices are."""
    last: Floats = prices.window.close[:, -1]
    return last


def _history_days(prices: Prices) -> Floats:
    return prices.window.history.astype(np.float64)


def _adv20_usd(prices: Prices) -> Floats:
    """Mean dollars traded a day; volumes have to fit the closes, so that their product is money."""
    window = prices.window
    if window.volume is None:
        return np.full(len(window.symbols), np.nan)
    return indicators.panel_adv20_usd(window.close, window.volume)


def _rel_mom_6m_vs_benchmark(prices: Prices) -> Floats:
    return _lead(prices, prices.benchmark)


def _rel_mom_6m_vs_broad_benchmark(prices: Prices) -> Floats:
    return _lead(prices, prices.broad_benchmark)


def _lead(prices: Prices, other: int | None) -> Floats:
    momentum = indicators.PANEL_FEATURES["mom_6m"](prices.window.close)
    lead: Floats = momentum - (np.nan if other is None else momentum[other])
    return lead


def _of_closes(name: str) -> Feature:
    indicator = indicators.PANEL_FEATURES[name]
    return lambda prices: indicator(prices.window.close)


FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        **{name: _of_closes(name) for name in indicators.PANEL_FEATURES},
        "close": _close,
        "history_days": _history_days,
        ADV20_USD: _adv20_usd,
        "rel_mom_6m_vs_benchmark": _rel_mom_6m_vs_benchmark,
        "rel_mom_6m_vs_broad_benchmark": _rel_mom_6m_vs_broad_benchmark,
    }
)
"""By column name."""

NEED_BROAD_BENCHMARK: Final = frozenset({"rel_mom_6m_vs_broad_benchmark"})
"""The columns that compare with the profile's ``broad_benchmark``."""


def declared_features(need: SnapshotInput) -> tuple[str, ...]:
    """Return the features among the columns that a profile declares.

    Raises
    ------
    ContractError
        For a column that nothing computes.
    """
    features = tuple(name for name in need.columns if name not in (*KEYS, ELIGIBLE))
    for name in features:
        if name not in FEATURES:
            raise ContractError(
                f"SnapshotInput.columns of {need.contract}: no feature {name!r} is computed here; "
                f"known are {', '.join(sorted(FEATURES))}"
            )
    return features


def compute(features: Iterable[str], prices: Prices) -> dict[str, Floats]:
    """Return one column per feature, each with a cell per row of the window."""
    return {name: FEATURES[name](prices) for name in features}
