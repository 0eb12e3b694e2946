"""What every `Broker` does, as numbered cards; an adapter is right when every card holds.

An adapter's test module needs a bench and three lines::

    @pytest.mark.parametrize("card", BROKER_CARDS, ids=str)
    def test_the_adapter_conforms(card, bench):
        card(bench)

A card that has nothing to ask of a bench says why and is skipped. From a terminal:
``qpk conform BROKER``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from quant_platform_kit.errors import PlatformError
from quant_platform_kit.testing import (
    broker_account,
    broker_cash,
    broker_claims,
    broker_faults,
    broker_isolation,
    broker_orders,
    broker_queries,
    broker_refusals,
    broker_stops,
    broker_wire_answers,
    broker_wire_connections,
    broker_wire_endings,
    broker_wire_orders,
    broker_wire_queries,
)
from quant_platform_kit.testing._broker_bench import BrokerBench, OpenBench
from quant_platform_kit.testing._broker_cards import BrokerCard, dealt
from quant_platform_kit.testing._expect import CardStatus, NotApplicable

BROKER_CARDS: Final[tuple[BrokerCard, ...]] = dealt(
    (
        broker_account.DECK,
        broker_orders.TRADING,
        broker_orders.RESTING,
        broker_refusals.CANCELS,
        broker_refusals.REFUSALS,
        broker_stops.DECK,
        broker_queries.ORDERS,
        broker_queries.OTHERS,
        broker_queries.PRICES,
        broker_claims.DECK,
        broker_faults.DECK,
        broker_wire_orders.DECK,
        broker_wire_endings.ENDINGS,
        broker_wire_endings.CANCELS,
        broker_wire_queries.DECK,
        broker_wire_answers.DECK,
        broker_wire_connections.DECK,
        broker_isolation.DECK,
        broker_cash.DECK,
    )
)
"""What every broker does, in the order in which it is tried."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a card ended, and why, unless it passed."""

    card: BrokerCard
    status: CardStatus
    seconds: float = 0.0
    why: str = ""


def judge(card: BrokerCard, bench: BrokerBench) -> Verdict:
    """Hold a bench's broker against a card."""
    started = monotonic()
    try:
        card(bench)
    except NotApplicable as reason:
        return Verdict(card, CardStatus.NOT_APPLICABLE, why=str(reason))
    except (AssertionError, PlatformError) as error:
        return Verdict(card, CardStatus.FAILED, monotonic() - started, str(error))
    return Verdict(card, CardStatus.PASSED, monotonic() - started)


def check_broker(cards: Iterable[BrokerCard], open_bench: OpenBench) -> Iterator[Verdict]:
    """Try cards one after the other, each on a bench of its own, and tell how each ended."""
    for card in cards:
        with open_bench() as bench:
            yield judge(card, bench)
