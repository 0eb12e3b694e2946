"""A panel's features are those of its rows, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.market import indicators


def test_every_feature_of_closes_has_a_panel_form() -> None:
    assert indicators.PANEL_FEATURES.keys() == indicators.CLOSE_FEATURES.keys()


@pytest.mark.parametrize("name", indicators.CLOSE_FEATURES)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    sessions=st.integers(1, 300),
    listed=st.integers(0, 300),
)
def test_each_row_has_the_very_bits_of_the_symbol_alone(
    name: str, seed: int, rows: int, sessions: int, listed: int
) -> None:
    random = np.random.default_rng(seed)
    closes = 50 * np.exp(np.cumsum(random.normal(0, 0.03, (rows, sessions)), axis=1))
    first = min(listed, sessions - 1)
    closes[0, :first] = math.nan  # a young listing

    found = indicators.PANEL_FEATURES[name](closes)

    alone = [indicators.CLOSE_FEATURES[name](row[np.isfinite(row)]) for row in closes]
    assert np.array_equal(found, np.array(alone), equal_nan=True)


@given(seed=st.integers(0, 2**32 - 1), sessions=st.integers(1, 40))
def test_turnover_of_a_panel_is_that_of_each_symbol(seed: int, sessions: int) -> None:
    random = np.random.default_rng(seed)
    closes, volumes = random.uniform(1, 100, (3, sessions)), random.uniform(0, 1e9, (3, sessions))

    found = indicators.panel_adv20_usd(closes, volumes)

    alone = [indicators.adv20_usd(*pair) for pair in zip(closes, volumes, strict=True)]
    assert np.array_equal(found, np.array(alone), equal_nan=True)


def test_a_view_of_a_wider_panel_has_the_same_bits() -> None:
    closes = np.random.default_rng(7).uniform(20, 80, (50, 700))
    view, copy = closes[:, 100:500], closes[:, 100:500].copy()

    for feature in indicators.PANEL_FEATURES.values():
        assert feature(view).tobytes() == feature(copy).tobytes()
