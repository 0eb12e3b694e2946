"""The cards of the kit on the Schwab adapter: `schwab-py` over sockets, against the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quant_platform_kit.testing import BROKER_CARDS, BrokerBench, BrokerCard, OpenBench
from quant_platform_kit.testing.broker_benches import simulated_benches
from quant_platform_kit.testing.broker_mangling import findings

pytest.importorskip("quant_platform_kit.brokers.schwab")

APPLICABLE = 144


@pytest.fixture(scope="module")
def open_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBench]:
    with simulated_benches("schwab", tmp_path_factory.mktemp("schwab")) as benches:
        yield benches


@pytest.fixture
def bench(open_bench: OpenBench) -> Iterator[BrokerBench]:
    with open_bench() as opened:
        yield opened


@pytest.mark.parametrize("card", BROKER_CARDS, ids=str)
def test_the_schwab_adapter_conforms(card: BrokerCard, bench: BrokerBench) -> None:
    if not card.lacking(bench):
        card(bench)


def test_as_many_cards_as_ever_apply_to_schwab(bench: BrokerBench) -> None:
    assert sum(not card.lacking(bench) for card in BROKER_CARDS) == APPLICABLE


def test_the_schwab_adapter_believes_no_damaged_answer(bench: BrokerBench) -> None:
    assert findings(bench, range(12)) == []
