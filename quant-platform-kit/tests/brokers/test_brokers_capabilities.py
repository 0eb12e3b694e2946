"""What the capabilities say of the adapters' own numbers; cards hold the rest against them."""

from __future__ import annotations

import pytest

from quant_platform_kit.brokers import CAPABILITIES, SIMULATED_CAPABILITIES
from quant_platform_kit.contracts import RateLimit


def limit(broker: str) -> RateLimit:
    told = CAPABILITIES[broker].rate_limit
    assert told is not None
    return told


def test_the_ibkr_adapter_sends_less_than_tws_takes() -> None:
    module = pytest.importorskip("quant_platform_kit.brokers.ibkr")
    assert limit("ibkr").seconds == 1
    assert 0 < module.IbkrLogin().messages_per_sec < limit("ibkr").requests


def test_the_longbridge_adapter_sends_no_more_than_longbridge_takes() -> None:
    module = pytest.importorskip("quant_platform_kit.brokers.longbridge._session")
    assert limit("longbridge").requests == module.ALLOWED_REQUESTS


def test_a_limit_is_told_in_words() -> None:
    assert [str(limit(broker)) for broker in CAPABILITIES] == [
        "50 a second",
        "120 in 60 s",
        "30 in 30 s",
    ]


def test_no_broker_trades_fractions_or_in_extended_hours_through_the_kit() -> None:
    every = (*CAPABILITIES.values(), SIMULATED_CAPABILITIES)
    assert not any(each.takes_fractions or each.extended_hours for each in every)
