"""Every column that a snapshot can have, with the one way it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import SnapshotInput
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import BarFrame, indicators

KEYS: Final = ("symbol", "sector")
"""The columns that name a row."""

ELIGIBLE: Final = "eligible"
"""The column that tells whether a row may be ranked: 1.0, else 0.0."""

ADV20_USD: Final = "adv20_usd"
"""The one feature that needs volumes."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What the features of one symbol are computed from, all of it ending with the same session.

    Parameters
    ----------
    frame : BarFrame
        The symbol's own bars.
    benchmark : BarFrame
    broad_benchmark : BarFrame or None
        None when the profile declares no feature that needs it.
    """

    frame: BarFrame
    benchmark: BarFrame
    broad_benchmark: BarFrame | None = None


Feature = Callable[[Prices], float]
"""Computes one cell; NaN when the prices do not give it."""


def _close(prices: Prices) -> float:
    """Last close in USD, adjusted as the frame is."""
    return float(prices.frame.close[-1])


def _history_days(prices: Prices) -> float:
    return float(len(prices.frame))


def _adv20_usd(prices: Prices) -> float:
    """Mean dollars traded a day; volumes have to fit the closes, so that their product is money."""
    frame = prices.frame
    return math.nan if frame.volume is None else indicators.adv20_usd(frame.close, frame.volume)


def _rel_mom_6m_vs_benchmark(prices: Prices) -> float:
    return _lead(prices.frame, prices.benchmark)


def _rel_mom_6m_vs_broad_benchmark(prices: Prices) -> float:
    broad = prices.broad_benchmark
    return math.nan if broad is None else _lead(prices.frame, broad)


def _lead(frame: BarFrame, other: BarFrame) -> float:
    return indicators.mom_6m(frame.close) - indicators.mom_6m(other.close)


def _of_closes(name: str) -> Feature:
    indicator = indicators.CLOSE_FEATURES[name]
    return lambda prices: indicator(prices.frame.close)


FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        **{name: _of_closes(name) for name in indicators.CLOSE_FEATURES},
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


def compute(features: Iterable[str], prices: Prices) -> dict[str, float]:
    """Return the cells of one row."""
    return {name: FEATURES[name](prices) for name in features}
