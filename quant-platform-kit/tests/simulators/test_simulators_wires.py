"""The list of what each wire can do wrong is true: nothing is left out, nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_platform_kit.simulators import WIRES, WireFault, WireSwitch
from quant_platform_kit.testing import BROKER_CARDS, BrokerBench
from quant_platform_kit.testing._broker_words import an_order, let_rest, questions
from quant_platform_kit.testing.broker_benches import simulated_benches

each_wire = pytest.mark.parametrize("broker", WIRES)


@pytest.fixture
def bench(broker: str, tmp_path: Path) -> Iterator[BrokerBench]:
    pytest.importorskip(f"quant_platform_kit.brokers.{broker}")
    with simulated_benches(broker, tmp_path) as benches, benches() as opened:
        yield opened


@each_wire
def test_every_fault_can_strike_a_wire_or_says_why_not(broker: str) -> None:
    wire = WIRES[broker]
    assert set(wire.faults) | set(wire.without) == set(WireFault)
    assert not set(wire.faults) & set(wire.without)
    assert all(wire.without.values())


@each_wire
def test_every_fault_of_a_wire_is_a_card(broker: str, bench: BrokerBench) -> None:
    tried = {fault for card in BROKER_CARDS if not card.lacking(bench) for fault in card.faults}
    assert tried == set(WIRES[broker].faults)


@each_wire
def test_a_fault_that_a_wire_does_not_have_never_strikes(broker: str, bench: BrokerBench) -> None:
    bench.wires.control.set_faults(*(WireSwitch(fault) for fault in WIRES[broker].without))
    connected = bench.connect()
    connected.submit(an_order(bench.symbols[0]))
    connected.cancel(str(let_rest(connected, bench.symbols[1]).broker_order_id))
    for ask in questions(connected, bench).values():
        ask()
    # Schwab's door would tell news, to an adapter that listened.
    struck = set(bench.wires.control.health()["struck"])
    assert struck <= ({WireFault.LOST_PUSHES.value} if broker == "schwab" else set())
