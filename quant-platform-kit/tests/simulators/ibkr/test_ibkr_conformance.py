"""The cards of the kit, on the Interactive Brokers adapter over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import count

import pytest

from quant_platform_kit.brokers.ibkr import IbkrBroker
from quant_platform_kit.simulators import Host
from quant_platform_kit.testing import (
    BROKER_CARDS,
    FAULT_CARDS,
    BrokerBench,
    BrokerCard,
    broker_faults,
)

# The adapter lists an execution once, however often the broker does.
_FOR_BOOKS_ONLY = {broker_faults.an_execution_listed_twice_keeps_its_id}


@pytest.fixture
def bench(host: Host, connect: Callable[..., IbkrBroker]) -> BrokerBench:
    numbers = count(1)
    return BrokerBench(
        connect=lambda: connect(client_id=next(numbers)),
        clock=host.clock,
        symbols=("AAPL", "IBM"),
        unknown_symbol="NONE",
        last_session=date(2012, 3, 29),
        faults=host.faults,
    )


def _name(card: BrokerCard) -> str:
    return card.__name__


@pytest.mark.parametrize("card", BROKER_CARDS, ids=_name)
def test_the_ibkr_adapter_conforms(card: BrokerCard, bench: BrokerBench) -> None:
    card(bench)


@pytest.mark.parametrize(
    "card", [card for card in FAULT_CARDS if card not in _FOR_BOOKS_ONLY], ids=_name
)
def test_the_ibkr_adapter_conforms_under_faults_of_the_book(
    card: BrokerCard, bench: BrokerBench
) -> None:
    card(bench)
