"""A ledger in a store of its own, fills of orders in its journal, and what a broker says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Account,
    Contribution,
    Environment,
    Fill,
    Leg,
    PortfolioSnapshot,
    Position,
    Side,
)
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import Draft, Journal, JournalOrder
from quant_platform_kit.store import RunBook, Store

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)

MakeOrder = Callable[..., JournalOrder]
MakeFill = Callable[..., Fill]
Book = Callable[..., int]
Holds = Callable[..., PortfolioSnapshot]


@pytest.fixture
def store(open_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    """Open an empty store in which one run has begun."""
    opened = open_store(tmp_path)
    RunBook(opened).open("run", NOW)
    return opened


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Open the ledger of the store."""
    return Ledger(store)


@pytest.fixture
def journal(store: Store) -> Journal:
    """Open the journal of the store."""
    return Journal(store, SimulatedClock(NOW))


@pytest.fixture(scope="session")
def make_leg() -> Callable[..., Leg]:
    """Return a function that makes what an order is for."""

    def make(
        quantity: str,
        side: Side = Side.BUY,
        *,
        symbol: str = "AAA",
        target: str | None = None,
        wishes: Mapping[str, str] | None = None,
    ) -> Leg:
        shares, one, none = Decimal(quantity), Decimal(1), Decimal(0)
        aim = Decimal(target) if target is not None else shares if side is Side.BUY else none
        held = none if side is Side.BUY else shares + aim
        wanted = {sleeve: Decimal(part) for sleeve, part in (wishes or {}).items()}
        return Leg(
            symbol=symbol,
            side=side,
            quantity=shares,
            price_usd=one,
            price_at=NOW,
            target_usd=aim,
            current_usd=held,
            target_quantity=aim,
            current_quantity=held,
            exact_quantity=aim,
            contributors=tuple(Contribution(s, part) for s, part in wanted.items()),
        )

    return make


@pytest.fixture
def make_order(journal: Journal, make_leg: Callable[..., Leg]) -> MakeOrder:
    """Return a function that puts an order into the journal."""

    def make(*leg: Any, **more: Any) -> JournalOrder:  # noqa: ANN401 (as of a leg)
        (order,) = journal.write("run", [Draft(make_leg(*leg, **more))])
        return journal.submitting(order)

    return make


@pytest.fixture(scope="session")
def make_fill() -> MakeFill:
    """Return a function that makes executions of an order."""

    def make(
        order: JournalOrder,
        fill_id: str,
        price_usd: str = "10",
        *,
        quantity: str | None = None,
        fee_usd: str = "0",
    ) -> Fill:
        return Fill(
            fill_id=fill_id,
            broker_order_id="b-1",
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity if quantity is None else Decimal(quantity),
            price_usd=Decimal(price_usd),
            fee_usd=Decimal(fee_usd),
            at=NOW,
        )

    return make


@pytest.fixture
def trade(ledger: Ledger, make_order: MakeOrder, make_fill: MakeFill) -> Callable[..., None]:
    """Return a function by which one sleeve buys or sells, filled at once."""

    def fill(
        sleeve: str,
        side: Side,
        quantity: str,
        price_usd: str = "10",
        *,
        symbol: str = "AAA",
        fee_usd: str = "0",
    ) -> None:
        own = ledger.quantities(sleeve).get(symbol, Decimal(0))
        everyone = ledger.quantities().get(symbol, Decimal(0))
        change = Decimal(quantity) if side is Side.BUY else -Decimal(quantity)
        wishes = {h.sleeve: str(h.quantity) for h in ledger.holdings() if h.symbol == symbol}
        wishes[sleeve] = str(own + change)
        order = make_order(
            quantity, side, symbol=symbol, target=str(everyone + change), wishes=wishes
        )
        number = len(ledger.transactions(sleeve))
        executed = make_fill(order, f"{sleeve}-{symbol}-{number}", price_usd, fee_usd=fee_usd)
        ledger.book([executed], {order.client_id: order.leg})

    return fill


@pytest.fixture(scope="session")
def holds() -> Holds:
    """Return a function that makes what the broker says it holds."""

    def make(
        *, cash_usd: str = "1000", equity_usd: str | None = None, **quantities: int
    ) -> PortfolioSnapshot:
        cash = Decimal(cash_usd)
        equity = cash if equity_usd is None else Decimal(equity_usd)
        return PortfolioSnapshot(
            Account("an account", Environment.PAPER, cash, cash, equity),
            tuple(Position(symbol, Decimal(shares)) for symbol, shares in quantities.items()),
            (),
            NOW,
        )

    return make
