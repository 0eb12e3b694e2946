"""One account on a still market, and a desk that trades it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import Faults, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import Adjustment, Fill, Leg, Side, TradingRules
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import SLOTS, BarFrame, SimulatedClock, window, xnys
from quant_platform_kit.orders import Desk, Draft, Journal, JournalOrder
from quant_platform_kit.store import RunBook, Store

SESSION = date(2020, 3, 31)
RUN = "ibkr-1:2020-03-31:close"
PRICES = {"AAA": 10.0, "BBB": 20.0}

MakeLeg = Callable[..., Leg]
Book = Callable[[Sequence[Fill]], None]
OpenDesk = Callable[..., Desk]
Write = Callable[..., JournalOrder]


@pytest.fixture
def clock() -> SimulatedClock:
    """Half an hour before the close."""
    return SimulatedClock(window(xnys(), SLOTS["close"], SESSION).opens_at)


@pytest.fixture
def faults() -> Faults:
    """Fault switches of the broker, all off."""
    return Faults()


@pytest.fixture
def broker(clock: SimulatedClock, faults: Faults) -> SimulatedBroker:
    """Open an account of 1,000 USD that trades without fees."""
    days = xnys().sessions(date(2020, 3, 2), SESSION)
    frames = {
        symbol: BarFrame(
            symbol=symbol,
            sessions=days,
            close=[price] * len(days),
            adjustment=Adjustment.TOTAL_RETURN,
        )
        for symbol, price in PRICES.items()
    }
    return SimulatedBroker(
        "an account",
        FrameMarket(frames),
        clock,
        xnys(),
        rules=TradingRules(),
        opening_cash_usd=Decimal(1000),
        faults=faults,
    )


@pytest.fixture
def store(open_store: Callable[[Path], Store], tmp_path: Path, clock: SimulatedClock) -> Store:
    """Open a store, on either database, in which one run has begun."""
    opened = open_store(tmp_path)
    RunBook(opened).open(RUN, clock.now())
    return opened


@pytest.fixture
def journal(store: Store, clock: SimulatedClock) -> Journal:
    """Open the journal of the store."""
    return Journal(store, clock)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Open the ledger of the store."""
    return Ledger(store)


@pytest.fixture
def book(ledger: Ledger, journal: Journal) -> Book:
    """Return a function that books fills as a run does."""

    def into_the_sleeves(fills: Sequence[Fill]) -> None:
        orders = [order for fill in fills for order in journal.find(fill.client_id or "")]
        ledger.book(fills, {order.client_id: order.leg for order in orders}, run_key=RUN)

    return into_the_sleeves


@pytest.fixture
def open_desk(
    journal: Journal, broker: SimulatedBroker, clock: SimulatedClock, book: Book
) -> OpenDesk:
    """Return a function that opens a desk; a stand-in may replace the broker."""

    def build(at: Any = broker, fill_deadline_secs: float = 30.0) -> Desk:  # noqa: ANN401 (any broker)
        return Desk(journal, at, clock, book, fill_deadline_secs)

    return build


@pytest.fixture
def write(journal: Journal, make_leg: MakeLeg) -> Write:
    """Return a function that writes one order and says that it is about to be sent."""

    def one(*leg: Any, run_key: str = RUN, **more: Any) -> JournalOrder:  # noqa: ANN401 (as of a leg)
        (order,) = journal.write(run_key, [Draft(make_leg(*leg, **more))])
        return journal.submitting(order)

    return one


@pytest.fixture
def make_leg(clock: SimulatedClock) -> MakeLeg:
    """Return a function that makes a leg at the market's price."""

    def make(symbol: str = "AAA", quantity: int = 10, side: Side = Side.BUY) -> Leg:
        held = Decimal(quantity) if side is Side.SELL else Decimal(0)
        wish = Decimal(quantity) - held
        price = Decimal(str(PRICES[symbol]))
        return Leg(
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            price_usd=price,
            price_at=clock.now(),
            target_usd=wish * price,
            current_usd=held * price,
            target_quantity=wish,
            current_quantity=held,
            exact_quantity=wish,
        )

    return make
