"""The cards of the kit on the LongBridge adapter: the broker's SDK over sockets."""

from __future__ import annotations

import pytest

from quant_platform_kit.testing import BROKER_CARDS, FAULT_CARDS, BrokerBench, BrokerCard

# An adapter lists an execution once, however often the broker does: `test_longbridge_faults`.
NOT_FOR_ADAPTERS = {"an_execution_listed_twice_keeps_its_id"}


def _name(card: BrokerCard) -> str:
    return card.__name__


@pytest.mark.parametrize("card", BROKER_CARDS, ids=_name)
def test_the_longbridge_adapter_conforms(card: BrokerCard, bench: BrokerBench) -> None:
    card(bench)


@pytest.mark.parametrize(
    "card", [card for card in FAULT_CARDS if _name(card) not in NOT_FOR_ADAPTERS], ids=_name
)
def test_the_longbridge_adapter_conforms_under_faults(card: BrokerCard, bench: BrokerBench) -> None:
    card(bench)
