"""What the simulated broker tells of cash that moved beside trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.brokers import (
    CorporateAction,
    Dividend,
    FrameMarket,
    SimulatedBroker,
    StockSplit,
)
from quant_platform_kit.brokers._book import replay
from quant_platform_kit.brokers._events import Moved, Opened, from_line, to_line
from quant_platform_kit.contracts import (
    Adjustment,
    CashMovement,
    FeeModel,
    MovementKind,
    OrderRequest,
    Side,
    TradingRules,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

OpenBroker = Callable[..., SimulatedBroker]
TUESDAY, WEDNESDAY, THURSDAY = (date(2020, 3, 31), date(2020, 4, 1), date(2020, 4, 2))
DAYS = xnys().sessions(date(2020, 3, 30), date(2020, 4, 8))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
A_DOLLAR = Dividend("AAA", WEDNESDAY, Decimal(1))


def raw_market(actions: Sequence[CorporateAction]) -> FrameMarket:
    """Return a market of AAA, raw and at 10 every day, to which something happens."""
    closes = [10.0] * len(DAYS)
    bars = BarFrame(symbol="AAA", sessions=DAYS, close=closes, adjustment=Adjustment.RAW)
    return FrameMarket({"AAA": bars}, actions)


@pytest.fixture
def invested(open_broker: OpenBroker) -> Callable[..., SimulatedBroker]:
    """Return a function that opens an account on such a market, which holds 31 AAA."""

    def build(*actions: CorporateAction, **parts: object) -> SimulatedBroker:
        market = raw_market(actions)
        broker = open_broker(market=market, rules=TradingRules(), **parts)
        broker.submit(OrderRequest("in", "AAA", Side.BUY, Decimal(31)))
        return broker

    return build


def test_a_dividend_is_told_from_the_open_of_its_ex_date_with_an_id_that_stays(
    invested: Callable[..., SimulatedBroker], clock: SimulatedClock
) -> None:
    broker, opens = invested(A_DOLLAR), xnys().session_open(WEDNESDAY)
    assert broker.cash_movements(LONG_AGO) == ()
    clock.advance_to(opens)
    paid = CashMovement(
        "sim-dividend-AAA-2020-04-01",
        opens,
        Decimal("31.00"),
        MovementKind.DIVIDEND,
        "AAA",
        "AAA cash dividend",
    )
    assert broker.cash_movements(opens) == (paid,)
    assert broker.cash_movements(opens + timedelta(seconds=1)) == ()
    clock.advance_to(xnys().session_open(THURSDAY))
    assert broker.cash_movements(LONG_AGO) == (paid,)


def test_the_cash_for_a_fraction_of_a_share_is_told_as_nobody_s_earning(
    invested: Callable[..., SimulatedBroker], clock: SimulatedClock
) -> None:
    broker = invested(StockSplit("AAA", WEDNESDAY, Decimal(3), Decimal(2)))
    clock.advance_to(xnys().session_open(WEDNESDAY))
    (moved,) = broker.cash_movements(LONG_AGO)
    assert (moved.kind, moved.symbol, moved.amount_usd) == (MovementKind.OTHER, "AAA", 5)


def test_a_split_without_a_fraction_moves_no_cash(
    invested: Callable[..., SimulatedBroker], clock: SimulatedClock
) -> None:
    broker = invested(StockSplit("AAA", WEDNESDAY, Decimal(2)))
    clock.advance_to(xnys().session_open(WEDNESDAY))
    assert broker.positions()[0].quantity == 62
    assert broker.cash_movements(LONG_AGO) == ()


def test_movements_survive_with_their_ids_whatever_was_written_when(
    invested: Callable[..., SimulatedBroker],
    open_broker: OpenBroker,
    clock: SimulatedClock,
    book_path: Path,
) -> None:
    broker = invested(A_DOLLAR, book_path=book_path)
    clock.advance_to(xnys().session_open(WEDNESDAY))
    broker.move_cash(MovementKind.TAX, Decimal("-4.65"), symbol="AAA", text="withheld")
    broker.move_cash(MovementKind.TRANSFER, Decimal(100))
    told = broker.cash_movements(LONG_AGO)
    assert [moved.movement_id for moved in told] == [
        "sim-dividend-AAA-2020-04-01",
        "sim-cash-000002",
        "sim-cash-000003",
    ]
    again = open_broker(market=raw_market([A_DOLLAR]), rules=TradingRules(), book_path=book_path)
    assert again.cash_movements(LONG_AGO) == told
    assert again.account() == broker.account()


def test_money_that_the_account_does_not_have_cannot_go(broker: SimulatedBroker) -> None:
    before = broker.account()
    with pytest.raises(ContractError, match="the account can spare 1000 USD"):
        broker.move_cash(MovementKind.TRANSFER, Decimal("-1000.01"))
    assert (broker.account(), broker.cash_movements(LONG_AGO)) == (before, ())
    broker.move_cash(MovementKind.TRANSFER, Decimal(-1000))
    assert broker.account().cash_usd == 0


AMOUNTS = st.integers(-50_000, 50_000).map(lambda cents: Decimal(cents) / 100)
MOVES = st.builds(
    Moved,
    kind=st.sampled_from(MovementKind),
    amount_usd=AMOUNTS,
    at=st.just(LONG_AGO),
    symbol=st.sampled_from(("AAA", None)),
    text=st.text(),
)


@given(st.lists(MOVES, max_size=8))
def test_every_cent_that_moved_is_told_once_and_read_back_as_it_was_written(
    moves: list[Moved],
) -> None:
    book = replay((Opened("account", Decimal(7), LONG_AGO), *moves), fees=FeeModel())
    told = [moved.amount_usd for moved in book.movements]
    assert told == [moved.amount_usd for moved in moves if moved.amount_usd]
    assert book.cash_usd == 7 + sum(told)
    assert len({moved.movement_id for moved in book.movements}) == len(told)
    if moves:
        assert from_line(to_line(moves)) == tuple(moves)
