"""The cards of the kit, on the brokers that ship with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from quant_platform_kit.brokers import Broker, DryRunBroker, Faults, SimulatedBroker
from quant_platform_kit.contracts import Adjustment, Fill, OrderRequest, Position, Submission
from quant_platform_kit.market import BarFrame, SimulatedClock
from quant_platform_kit.testing import (
    BROKER_CARDS,
    FAULT_CARDS,
    BrokerBench,
    BrokerCard,
    broker_conformance,
    broker_faults,
)


@pytest.fixture
def in_memory(
    open_broker: Callable[..., Broker], clock: SimulatedClock, faults: Faults
) -> BrokerBench:
    broker = open_broker()
    return BrokerBench(
        connect=lambda: broker,
        clock=clock,
        symbols=("AAA", "BBB"),
        unknown_symbol="NONE",
        last_session=date(2020, 3, 30),
        faults=faults,
    )


@pytest.fixture
def on_disk(
    in_memory: BrokerBench, open_broker: Callable[..., Broker], book_path: Path
) -> BrokerBench:
    return replace(in_memory, connect=lambda: open_broker(book_path=book_path))


@pytest.fixture
def dry(in_memory: BrokerBench, clock: SimulatedClock) -> BrokerBench:
    broker = DryRunBroker(in_memory.connect(), clock)
    return replace(in_memory, connect=lambda: broker, faults=None)


def _name(card: BrokerCard) -> str:
    return card.__name__


@pytest.mark.parametrize("bench_name", ["in_memory", "on_disk", "dry"])
@pytest.mark.parametrize("card", BROKER_CARDS, ids=_name)
def test_the_broker_conforms(
    card: BrokerCard, bench_name: str, request: pytest.FixtureRequest
) -> None:
    card(request.getfixturevalue(bench_name))


@pytest.mark.parametrize("bench_name", ["in_memory", "on_disk"])
@pytest.mark.parametrize("card", FAULT_CARDS, ids=_name)
def test_the_simulated_broker_conforms_under_faults(
    card: BrokerCard, bench_name: str, request: pytest.FixtureRequest
) -> None:
    card(request.getfixturevalue(bench_name))


@pytest.mark.parametrize(
    ("module", "cards"), [(broker_conformance, BROKER_CARDS), (broker_faults, FAULT_CARDS)]
)
def test_every_card_that_is_written_is_dealt(
    module: ModuleType, cards: tuple[BrokerCard, ...]
) -> None:
    written = [
        value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    ]
    assert list(cards) == written


# ── Cards can fail: each of these brokers has one defect that real ones showed ──────────


class ShowsNothing(SimulatedBroker):
    def positions(self) -> tuple[Position, ...]:
        return ()


class BooksTwice(SimulatedBroker):
    def submit(self, order: OrderRequest) -> Submission:
        if self.find_order(order.client_id) is not None:
            return super().submit(replace(order, client_id=f"{order.client_id}-again"))
        return super().submit(order)


class ForgetsSince(SimulatedBroker):
    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        return super().fills_since(instant - timedelta(hours=1))


class HandsOutTheFormingBar(SimulatedBroker):
    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> dict[str, BarFrame]:
        frames = {symbol: self._market.frame(symbol, adjustment) for symbol in symbols}
        return {
            symbol: frame.until(last_session).tail(sessions)
            for symbol, frame in frames.items()
            if frame is not None
        }


class IgnoresCancels(SimulatedBroker):
    def cancel(self, broker_order_id: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("kind", "failing"),
    [
        (ShowsNothing, "a_market_purchase_becomes_a_position"),
        (BooksTwice, "a_client_id_buys_once"),
        (ForgetsSince, "executions_are_listed_from_an_instant_on"),
        (HandsOutTheFormingBar, "no_bar_is_still_forming"),
        (IgnoresCancels, "a_cancelled_order_no_longer_works_but_is_found"),
    ],
)
def test_a_card_fails_on_a_broker_that_breaks_it(
    kind: type[SimulatedBroker],
    failing: str,
    in_memory: BrokerBench,
    open_broker: Callable[..., Broker],
) -> None:
    broken = open_broker(kind=kind)
    card = getattr(broker_conformance, failing)
    with pytest.raises(AssertionError):
        card(replace(in_memory, connect=lambda: broken))
