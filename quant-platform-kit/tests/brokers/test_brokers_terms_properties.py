"""Whatever an account's terms, its money adds up and nothing goes below zero."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    Dividend,
    Fault,
    Faults,
    FaultSwitch,
    FrameMarket,
    Impact,
    Liquidity,
    SimulatedBroker,
    StockSplit,
)
from quant_platform_kit.brokers._book import Book, money
from quant_platform_kit.brokers._book_file import BookFile
from quant_platform_kit.brokers._events import Event, Filled, Paid, Settled, Split
from quant_platform_kit.contracts import (
    Adjustment,
    FeeModel,
    OrderRequest,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

CASH = Decimal(1000)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SESSIONS = xnys().sessions(date(2020, 3, 30), date(2020, 6, 30))
FEES = (
    FeeModel(
        per_share_usd=Decimal("0.005"),
        notional_bps=Decimal(3),
        minimum_usd=Decimal("0.35"),
        maximum_bps=Decimal(100),
    ),
    FeeModel(notional_bps=Decimal(3), minimum_usd=Decimal(20)),  # more than a small sale brings
)
DAY, GTC = TimeInForce.DAY, TimeInForce.GTC


@dataclass(frozen=True)
class Options:
    """Everything that an account can be opened with."""

    terms: AccountTerms
    liquidity: Liquidity
    lot: Decimal
    fees: FeeModel


@dataclass(frozen=True)
class Order:
    """One order, and what goes wrong with it; a sale is of no more than is free, if anything is."""

    symbol: str
    side: Side
    shares: Decimal
    terms: OrderTerms
    fault: Fault | None


Step: TypeAlias = Order | str

ratios = st.sampled_from(["0", "0.001", "0.03", "0.4"]).map(Decimal)
options = st.builds(
    Options,
    terms=st.builds(AccountTerms, st.sampled_from(AccountKind), st.sampled_from([0, 1])),
    liquidity=st.builds(
        Liquidity,
        st.sampled_from([None, Decimal("0.01"), Decimal("0.1"), Decimal(1)]),
        ratios,
        ratios,
        st.sampled_from(Impact),
    ),
    lot=st.sampled_from([Decimal(1), Decimal("0.01")]),
    fees=st.sampled_from(FEES),
)
prices = st.decimals("1", "30", places=2)
order_terms = st.one_of(
    st.just(OrderTerms()),
    st.builds(
        OrderTerms, st.just(OrderType.LIMIT), prices, time_in_force=st.sampled_from([DAY, GTC])
    ),
    st.builds(
        OrderTerms, st.just(OrderType.STOP), stop_price_usd=prices, time_in_force=st.just(GTC)
    ),
    st.builds(
        OrderTerms,
        st.just(OrderType.STOP_LIMIT),
        prices,
        prices,
        time_in_force=st.sampled_from([DAY, GTC]),
    ),
    st.builds(
        OrderTerms,
        st.just(OrderType.TRAILING_STOP),
        trailing_ratio=st.sampled_from([Decimal("0.01"), Decimal("0.2")]),
        time_in_force=st.just(GTC),
    ),
)
orders = st.builds(
    Order,
    symbol=st.sampled_from(["AAA", "BBB"]),
    side=st.sampled_from(Side),
    shares=st.decimals("0.01", "90", places=2),
    terms=order_terms,
    fault=st.none() | st.sampled_from([Fault.NO_FILL, Fault.PARTIAL_FILL, Fault.LATE_FILL]),
)
steps: st.SearchStrategy[Step] = st.one_of(
    orders,
    orders,
    st.sampled_from(["cancel", "wait", "open", "next session", "next session", "next week"]),
)


def a_market() -> FrameMarket:
    """Two symbols of raw prices with little volume, which split, pay, and split again."""
    frames = {}
    for symbol, base, volume in (("AAA", 8.0, 4000.0), ("BBB", 17.5, 900.0)):
        count = len(SESSIONS)
        frames[symbol] = BarFrame(
            symbol=symbol,
            sessions=SESSIONS,
            close=[base + (n * n % 7) / 3 for n in range(count)],
            volume=[volume * (n % 4) / 2 for n in range(count)],
            adjustment=Adjustment.RAW,
        )
    return FrameMarket(
        frames,
        [
            Dividend("AAA", SESSIONS[2], Decimal("0.37")),
            Dividend("BBB", SESSIONS[3], Decimal("1.005")),
            StockSplit("BBB", SESSIONS[3], Decimal(3), Decimal(2)),
            StockSplit("AAA", SESSIONS[4], Decimal(1), Decimal(7)),
            Dividend("AAA", SESSIONS[6], Decimal("0.01")),
            StockSplit("AAA", SESSIONS[8], Decimal(2)),
        ],
    )


MARKET = a_market()


class World:
    """An account on disk that is put through steps."""

    def __init__(self, folder: str, chosen: Options) -> None:
        self.options = chosen
        self.clock = SimulatedClock(datetime(2020, 3, 31, 15, tzinfo=UTC))
        self.faults = Faults()
        self.path = Path(folder, "book.jsonl")
        self.requests: dict[str, OrderRequest] = {}
        self.broker = self.connect()
        for symbol, shares in (("AAA", 40), ("BBB", 9)):
            self.take(Order(symbol, Side.BUY, Decimal(shares), OrderTerms(), None))

    def connect(self) -> SimulatedBroker:
        return SimulatedBroker(
            "DU123",
            MARKET,
            self.clock,
            xnys(),
            rules=TradingRules(lot_shares=self.options.lot, fees=self.options.fees),
            opening_cash_usd=CASH,
            terms=self.options.terms,
            liquidity=self.options.liquidity,
            book_path=self.path,
            faults=self.faults,
        )

    def book(self) -> Book:
        self.broker.account()  # lets happen what time alone does
        return self.broker._book  # noqa: SLF001 (all of it is looked at)

    def events(self) -> tuple[Event, ...]:
        """Return everything that ever happened, written or not."""
        self.broker.account()
        return (*BookFile(self.path).read(), *self.broker._unwritten)  # noqa: SLF001

    def take(self, step: Step) -> None:
        calendar, today = xnys(), self.clock.now().date()
        match step:
            case "cancel":
                for order in self.broker.open_orders()[:1]:
                    self.broker.cancel(order.broker_order_id)
            case "wait":
                self.clock.sleep(30)
            case "open":  # the very instant at which prices, splits and dividends come
                self.clock.advance_to(calendar.session_open(calendar.next(today)))
            case "next session":
                opens_at = calendar.session_open(calendar.next(today))
                self.clock.advance_to(opens_at + timedelta(hours=1))
            case "next week":
                opens_at = calendar.session_open(calendar.offset(calendar.next(today), 4))
                self.clock.advance_to(opens_at + timedelta(hours=1))
            case Order(symbol, side, shares, terms, fault):
                self.faults.set(*([] if fault is None else [FaultSwitch(fault, delay_secs=45)]))
                free = self.book().free_shares(symbol)
                wanted = min(shares, free) if side is Side.SELL and free else shares
                lots = max(self.options.lot, wanted // self.options.lot * self.options.lot)
                client_id = f"id-{len(self.requests)}"
                fields = {name: getattr(terms, name) for name in OrderTerms.__slots__}
                request = OrderRequest(client_id, symbol, side, lots, **fields)
                self.requests[client_id] = request
                self.broker.submit(request)


def worlds(chosen: Options, taken: list[Step]) -> Iterator[World]:
    """Yield the world after each step."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, chosen)
        for step in taken:
            world.take(step)
            yield world


@settings(max_examples=120, deadline=None)
@given(options, st.lists(steps, min_size=5, max_size=25))
def test_cash_is_settled_and_unsettled_and_every_cent_is_explained(
    chosen: Options, taken: list[Step]
) -> None:
    for world in worlds(chosen, taken):
        cash = CASH
        unsettled: dict[datetime, Decimal] = {}
        for event in world.events():
            match event:
                case Filled(fill, settles_at):
                    amount = money(fill.price_usd, fill.quantity)
                    net = (-amount if fill.side is Side.BUY else amount) - fill.fee_usd
                    cash += net
                    withheld = fill.side is Side.SELL and chosen.terms.withholds
                    assert (settles_at is not None) == withheld
                    if settles_at is not None:
                        next_session = xnys().next(fill.at.date())
                        assert settles_at == xnys().session_open(next_session)
                        unsettled[settles_at] = unsettled.get(settles_at, Decimal(0)) + max(
                            net, Decimal(0)
                        )
                case Paid():
                    cash += event.amount_usd
                case Split():
                    cash += event.paid_usd
                case Settled():
                    assert unsettled.pop(event.at) == event.amount_usd
        book = world.book()
        assert book.cash_usd == cash
        assert {at: amount for at, amount in unsettled.items() if amount} == book.unsettled
        assert all(at > world.clock.now() for at in book.unsettled)


@settings(max_examples=150, deadline=None)
@given(options, st.lists(steps, min_size=5, max_size=25))
def test_neither_money_nor_a_holding_is_ever_negative(chosen: Options, taken: list[Step]) -> None:
    for world in worlds(chosen, taken):
        account = world.broker.account()
        assert account.cash_usd >= 0
        assert 0 <= account.usable_cash_usd <= account.cash_usd
        assert account.usable_cash_usd <= account.cash_usd - world.book().unsettled_usd()
        assert all(position.quantity > 0 for position in world.broker.positions())
        for symbol in ("AAA", "BBB"):
            assert world.book().free_shares(symbol) >= 0


@settings(max_examples=120, deadline=None)
@given(options, st.lists(steps, min_size=5, max_size=25))
def test_no_order_fills_beyond_its_quantity_its_limit_or_the_session_s_volume(
    chosen: Options, taken: list[Step]
) -> None:
    for world in worlds(chosen, taken):
        fills = world.broker.fills_since(LONG_AGO)
        assert [fill.at for fill in fills] == sorted(fill.at for fill in fills)
        for client_id, request in world.requests.items():
            order = world.broker.find_order(client_id)
            assert order is not None
            mine = [fill for fill in fills if fill.client_id == client_id]
            assert sum(fill.quantity for fill in mine) == order.filled_quantity <= order.quantity
            if request.limit_price_usd is not None:
                sign = 1 if request.side is Side.BUY else -1
                assert all(sign * (request.limit_price_usd - f.price_usd) >= 0 for f in mine)
        ratio = chosen.liquidity.participation_ratio
        if ratio is None:
            continue
        for (symbol, day), traded in groupby(
            sorted(fills, key=lambda f: (f.symbol, f.at.date())), lambda f: (f.symbol, f.at.date())
        ):
            volume = MARKET.volume(symbol, day)
            assert volume is not None
            assert sum(fill.quantity for fill in traded) <= ratio * volume


@settings(max_examples=100, deadline=None)
@given(options, st.lists(steps, min_size=5, max_size=25))
def test_an_order_is_charged_by_its_rates_within_its_bounds_however_it_fills(
    chosen: Options, taken: list[Step]
) -> None:
    for world in worlds(chosen, taken):
        fills = world.broker.fills_since(LONG_AGO)
        for client_id in world.requests:
            mine = [fill for fill in fills if fill.client_id == client_id]
            if mine:
                rated = sum((f.quantity * chosen.fees.rate(f.price_usd) for f in mine), Decimal(0))
                notional = sum((f.quantity * f.price_usd for f in mine), Decimal(0))
                assert sum(f.fee_usd for f in mine) == chosen.fees.charge(rated, notional)


@settings(max_examples=80, deadline=None)
@given(options, st.lists(steps, min_size=5, max_size=20))
def test_the_file_gives_an_equal_book(chosen: Options, taken: list[Step]) -> None:
    for world in worlds(chosen, taken):
        again = world.connect()
        again.account()
        assert again._book == world.book()  # noqa: SLF001 (all of it is compared)
