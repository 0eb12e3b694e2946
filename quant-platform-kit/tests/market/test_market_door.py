from __future__ import annotations

import pytest

from quant_platform_kit import market
from quant_platform_kit.market import BarFrame, load_sample


def test_the_door_offers_exactly_the_names_it_lists() -> None:
    assert dir(market) == sorted(market.__all__)
    assert all(hasattr(market, name) for name in market.__all__)


def test_what_is_loaded_late_is_the_same_thing_every_time() -> None:
    assert market.BarFrame is BarFrame
    assert market.load_sample is load_sample


def test_a_name_the_door_does_not_list_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'quant_platform_kit\.market' .* 'Calender'"):
        _ = market.Calender  # type: ignore[attr-defined]
