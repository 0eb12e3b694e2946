"""The cards of the kit on the LongBridge adapter: its SDK over sockets, against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from quant_platform_kit.testing import BROKER_CARDS, BrokerBench, BrokerCard, OpenBench
from quant_platform_kit.testing.broker_benches import simulated_benches
from quant_platform_kit.testing.broker_mangling import findings

if find_spec("longbridge") is None and find_spec("longport") is None:
    pytest.skip("neither SDK of LongBridge is installed", allow_module_level=True)

APPLICABLE = 150 if find_spec("longbridge") else 145  # longport lets nobody end a call


@pytest.fixture(scope="module")
def open_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBench]:
    with simulated_benches("longbridge", tmp_path_factory.mktemp("longbridge")) as benches:
        yield benches


@pytest.fixture
def bench(open_bench: OpenBench) -> Iterator[BrokerBench]:
    with open_bench() as opened:
        yield opened


@pytest.mark.parametrize("card", BROKER_CARDS, ids=str)
def test_the_longbridge_adapter_conforms(card: BrokerCard, bench: BrokerBench) -> None:
    if not card.lacking(bench):
        card(bench)


def test_as_many_cards_as_ever_apply_to_longbridge(bench: BrokerBench) -> None:
    assert sum(not card.lacking(bench) for card in BROKER_CARDS) == APPLICABLE


def test_the_longbridge_adapter_believes_no_damaged_answer(bench: BrokerBench) -> None:
    if not bench.wires.ends_calls:
        pytest.skip("calls of this SDK are ended from outside")
    assert findings(bench, range(8)) == []
