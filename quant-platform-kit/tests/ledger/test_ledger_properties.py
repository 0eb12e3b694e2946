"""Whatever happens, the sleeves add up to the broker: every share and every cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from quant_platform_kit.contracts import (
    Account,
    CashMovement,
    Contribution,
    Environment,
    Fill,
    Leg,
    MovementKind,
    PortfolioSnapshot,
    Position,
    Side,
)
from quant_platform_kit.ledger import (
    UNMANAGED,
    Kind,
    Ledger,
    Reconciliation,
    Tolerances,
    reconcile,
    results_now,
)
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import Draft, Journal
from quant_platform_kit.store import RunBook, Store, fills

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
CENT = Decimal("0.01")
SYMBOLS = ("AAA", "BBB")
SLEEVES = ("a", "b", "c")
OWNERS = {"AAA": "a", "BBB": "b"}

prices = st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100)
fees = st.integers(0, 300).map(lambda cents: Decimal(cents) / 100)
wishes = st.dictionaries(st.sampled_from(SLEEVES), st.integers(1, 99).map(Decimal))


@dataclass(frozen=True)
class Trade:
    """One order of a whole account, in as many fills as `parts` says, some of them twice."""

    symbol: str
    target: int
    wishes: dict[str, Decimal]
    parts: list[tuple[Decimal, Decimal]]
    again: bool
    price: Decimal


trades = st.builds(
    Trade,
    symbol=st.sampled_from(SYMBOLS),
    target=st.integers(0, 60),
    wishes=wishes,
    parts=st.lists(st.tuples(prices, fees), min_size=1, max_size=3),
    again=st.booleans(),
    price=prices,
)


@dataclass
class Broker:
    """What an account has, by the simplest arithmetic there is."""

    cash_usd: Decimal = Decimal(1_000_000)
    shares: dict[str, Decimal] = field(default_factory=dict)

    def fill(self, fill: Fill) -> None:
        sign = 1 if fill.side is Side.BUY else -1
        self.shares[fill.symbol] = self.shares.get(fill.symbol, Decimal(0)) + sign * fill.quantity
        self.cash_usd -= sign * (fill.quantity * fill.price_usd).quantize(CENT) + fill.fee_usd

    def snapshot(self) -> PortfolioSnapshot:
        held = {symbol: quantity for symbol, quantity in self.shares.items() if quantity}
        return PortfolioSnapshot(
            Account("an account", Environment.PAPER, self.cash_usd, self.cash_usd, Decimal(1)),
            tuple(Position(symbol, quantity) for symbol, quantity in held.items()),
            (),
            NOW,
        )


def fills_of(trade: Trade, client_id: str, side: Side, quantity: Decimal, name: str) -> list[Fill]:
    left, made = quantity, []
    for number, (price, fee) in enumerate(trade.parts):
        last = number == len(trade.parts) - 1
        part = left if last else (left / 2).to_integral_value()
        if part:
            fill_id = f"{name}-{number}"
            symbol = trade.symbol
            made.append(Fill(fill_id, "b", client_id, symbol, side, part, price, fee, NOW))
        left -= part
    return made


def play(store: Store, broker: Broker, ledger: Ledger, trade: Trade, number: int) -> None:
    held = broker.shares.get(trade.symbol, Decimal(0))
    change = Decimal(trade.target) - held
    if not change:
        return
    side = Side.BUY if change > 0 else Side.SELL
    leg = Leg(
        symbol=trade.symbol,
        side=side,
        quantity=abs(change),
        price_usd=trade.price,
        price_at=NOW,
        target_usd=Decimal(0),
        current_usd=Decimal(0),
        target_quantity=Decimal(trade.target),
        current_quantity=held,
        exact_quantity=Decimal(trade.target),
        contributors=tuple(Contribution(s, w) for s, w in trade.wishes.items()),
    )
    order = Journal(store, SimulatedClock(NOW)).write("run", [Draft(leg)])[0]
    for fill in fills_of(trade, order.client_id, side, abs(change), f"f-{number}"):
        broker.fill(fill)
        assert ledger.book([fill], {order.client_id: leg}) == 1
        if trade.again:
            assert ledger.book([fill, fill], {order.client_id: leg}) == 0


def assert_everything_adds_up(ledger: Ledger, broker: Broker) -> None:
    assert ledger.quantities() == {s: q for s, q in broker.shares.items() if q}
    assert sum(ledger.cash().values()) == broker.cash_usd
    for sleeve in (*SLEEVES, UNMANAGED):
        entries = ledger.transactions(sleeve)
        own = [holding for holding in ledger.holdings() if holding.sleeve == sleeve]
        cash = ledger.cash().get(sleeve, Decimal(0))
        # What a sleeve has is what came to it and what it realised: at cost, to the cent.
        came = sum(
            t.amount_usd + t.cost_usd for t in entries if t.kind in (Kind.TRANSFER, Kind.ADOPTION)
        )
        realised = sum(t.realised_usd for t in entries)
        assert cash + sum(h.cost_usd for h in own) == came + realised
        assert all(h.quantity > 0 for h in own)
        assert all(
            h.quantity == sum(t.quantity for t in entries if t.symbol == h.symbol) for h in own
        )
        assert cash == cash.quantize(CENT)


@settings(max_examples=30)
@given(script=st.lists(trades, max_size=6), capital=wishes, close=prices)
def test_the_sleeves_add_up_to_the_broker_whatever_is_traded(
    shared_store: Store, script: list[Trade], capital: dict[str, Decimal], close: Decimal
) -> None:
    shared_store.clear()
    RunBook(shared_store).open("run", NOW)
    broker, ledger = Broker(), Ledger(shared_store)
    reconcile(shared_store, broker.snapshot(), OWNERS)
    at_close = dict.fromkeys(SYMBOLS, close)
    for number, trade in enumerate(script):
        ledger.fund({s: w * 1000 for s, w in capital.items()}, at_close, at=NOW)
        play(shared_store, broker, ledger, trade, number)
        assert_everything_adds_up(ledger, broker)
        if any(broker.shares.values()):
            found = reconcile(shared_store, broker.snapshot(), OWNERS | {"CCC": "c"})
            assert (found.locked, found.cash_difference_usd) == ({}, 0)
            assert_everything_adds_up(ledger, broker)
    for _ in range(2):
        ledger.close_day(date(2020, 3, 31), at_close)
    assert_everything_adds_up(ledger, broker)


@settings(max_examples=25)
@given(trade=trades, cut=st.integers(1, 3))
def test_an_order_that_ends_early_leaves_nobody_with_less_than_nothing(
    shared_store: Store, trade: Trade, cut: int
) -> None:
    shared_store.clear()
    RunBook(shared_store).open("run", NOW)
    broker, ledger = Broker(), Ledger(shared_store)
    reconcile(shared_store, broker.snapshot(), OWNERS)
    thirds = {"a": Decimal(2), "b": Decimal(1)}
    start = replace(trade, target=30, wishes=thirds, parts=[(trade.price, Decimal(0))])
    play(shared_store, broker, ledger, start, 0)
    play(shared_store, broker, ledger, replace(trade, parts=trade.parts[:cut]), 1)
    assert_everything_adds_up(ledger, broker)


# ── Whatever else happens to an account ────────────────────────────────────────────────


@pytest.fixture(scope="module")
def file_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store in a file; what follows is the book's arithmetic, not the database's."""
    opened = Store.open(tmp_path_factory.mktemp("life") / "paper.sqlite3")
    yield opened
    opened.close()


@dataclass(frozen=True)
class ByHand:
    """The owner trades: `shares` of a symbol come, or go when negative, and are paid for."""

    symbol: str
    shares: int
    price: Decimal


@dataclass(frozen=True)
class Split:
    """Every share of a managed symbol becomes two, or four, and is worth as much less."""

    symbol: str
    ratio: int


@dataclass(frozen=True)
class Cash:
    """Cash comes or goes beside trades; the broker tells it, or does not."""

    usd: Decimal
    kind: MovementKind
    symbol: str | None
    told: bool


Event = Trade | ByHand | Split | Cash
events = st.one_of(
    trades,
    st.builds(
        ByHand, st.sampled_from((*SYMBOLS, "ZZZ")), st.integers(-30, 30).filter(bool), prices
    ),
    st.builds(Split, st.sampled_from(SYMBOLS), st.sampled_from((2, 4))),
    st.builds(
        Cash,
        st.integers(-5_000, 5_000).filter(bool).map(lambda cents: Decimal(cents) / 100),
        st.sampled_from(MovementKind),
        st.sampled_from((*SYMBOLS, None)),
        st.booleans(),
    ),
)


@dataclass
class Life:
    """An account that lives: a broker, the book that follows it, and an operator who explains."""

    store: Store
    broker: Broker = field(default_factory=Broker)
    quotes: dict[str, Decimal] = field(
        default_factory=lambda: dict.fromkeys((*SYMBOLS, "ZZZ"), Decimal(10))
    )
    told: list[CashMovement] = field(default_factory=list)

    def look(self) -> None:
        """Compare the sides; what is then locked an operator explains."""
        if not any(self.broker.shares.values()):
            self.broker.shares["ZZZ"] = Decimal(1)  # an empty book would stop the run
        for _ in range(2):
            found = self._reconciled(frozenset())
            if found.locked:
                found = self._reconciled(frozenset(found.locked))
            assert found.locked == {}
        assert_everything_adds_up(Ledger(self.store), self.broker)

    def _reconciled(self, accepted: frozenset[str]) -> Reconciliation:
        shares = self.broker.shares
        return reconcile(
            self.store,
            self.broker.snapshot(),
            OWNERS,
            sleeves=frozenset(SLEEVES),
            accepted=accepted,
            movements=self.told,
            prices_usd={s: price for s, price in self.quotes.items() if shares.get(s)},
            tolerances=Tolerances(unexplained_ratio=Decimal(10)),
            run_key="run",
        )

    def live(self, what: Event, number: int) -> None:
        shares = self.broker.shares
        if isinstance(what, Trade):
            play(self.store, self.broker, Ledger(self.store), what, number)
        elif isinstance(what, ByHand):
            change = max(Decimal(what.shares), -shares.get(what.symbol, Decimal(0)))
            shares[what.symbol] = shares.get(what.symbol, Decimal(0)) + change
            self.broker.cash_usd -= (change * what.price).quantize(CENT)
        elif isinstance(what, Split):
            shares[what.symbol] = shares.get(what.symbol, Decimal(0)) * what.ratio
            self.quotes[what.symbol] /= what.ratio
        else:
            self.broker.cash_usd += what.usd
            if what.told:
                later = NOW + timedelta(hours=number + 1)
                self.told.append(
                    CashMovement(f"m{number}", later, what.usd, what.kind, what.symbol)
                )


def everything(ledger: Ledger) -> tuple[object, ...]:
    entries = tuple(ledger.transactions(sleeve) for sleeve in (*SLEEVES, UNMANAGED))
    return ledger.holdings(), ledger.cash(), entries


@settings(max_examples=12)
@given(script=st.lists(events, max_size=8), closes=st.lists(st.booleans(), min_size=8, max_size=8))
def test_whatever_happens_the_sleeves_add_up_and_telling_it_again_changes_nothing(
    file_store: Store, script: list[Event], closes: list[bool]
) -> None:
    file_store.clear()
    RunBook(file_store).open("run", NOW)
    life, ledger = Life(file_store), Ledger(file_store)
    life.look()
    for number, (what, close) in enumerate(zip(script, closes, strict=False)):
        life.live(what, number)
        life.look()
        if close:
            ledger.close_day(date(2020, 4, number + 1), life.quotes)
    before = everything(ledger)
    with file_store.begin() as connection:
        rows = connection.execute(select(fills)).mappings()
        known = [Fill(**dict(row) | {"side": Side(row["side"])}) for row in rows]
    assert ledger.book(known, {}) == 0
    life.look()
    assert everything(ledger) == before


@settings(max_examples=15)
@given(
    held=st.dictionaries(st.sampled_from((*SYMBOLS, "ZZZ")), st.integers(1, 50), min_size=1),
    days=st.lists(st.sets(st.sampled_from((*SYMBOLS, "ZZZ"))), max_size=5),
)
def test_while_no_price_moves_nothing_is_earned_whatever_is_quoted(
    file_store: Store, held: dict[str, int], days: list[set[str]]
) -> None:
    file_store.clear()
    RunBook(file_store).open("run", NOW)
    life = Life(file_store)
    life.broker.shares = {symbol: Decimal(shares) for symbol, shares in held.items()}
    life.look()
    for number, quoted in enumerate(days):
        seen = {symbol: life.quotes[symbol] for symbol in quoted}
        Ledger(file_store).close_day(date(2020, 4, number + 1), seen)
        for result in results_now(file_store, seen).values():
            assert result.profit_usd == 0
