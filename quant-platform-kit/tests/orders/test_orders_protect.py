"""Which stop a holding gets, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import SimulatedBroker
from quant_platform_kit.contracts import (
    Contribution,
    Decision,
    Leg,
    OrderStatus,
    OrderType,
    Purpose,
    Quote,
    Side,
    Signal,
    SignalAction,
    Verdict,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import (
    Ask,
    Desk,
    Holding,
    Journal,
    JournalOrder,
    Protections,
    protect,
    send,
    settle,
    watch,
)
from quant_platform_kit.orders._protect import asked_for
from quant_platform_kit.store import Store

RUN = "ibkr-1:2020-03-31:close"
MakeLeg = Callable[..., Leg]
OpenDesk = Callable[..., Desk]
FIVE, TEN = Decimal(5), Decimal(10)


def approve(_leg: Leg) -> Verdict:
    return Verdict()


def signal(
    symbol: str = "AAA",
    action: SignalAction = SignalAction.BUY,
    stop: Decimal | None = None,
    trail: Decimal | None = None,
) -> Signal:
    return Signal(symbol, action, Decimal(1), stop_loss_pct=stop, trailing_stop_pct=trail)


def test_the_tightest_of_several_wishes_counts_and_no_wish_is_none() -> None:
    signals = [signal(stop=TEN), signal(stop=FIVE, trail=TEN), signal("BBB")]
    assert asked_for(signals, {"BBB": Ask(FIVE)}) == {"AAA": Ask(FIVE, TEN)}


def test_a_signal_to_hold_keeps_what_was_asked_for_unless_it_asks_itself() -> None:
    hold = SignalAction.HOLD
    before = {"AAA": Ask(FIVE), "BBB": Ask(FIVE), "CCC": Ask(FIVE)}
    signals = [signal("AAA", hold), signal("BBB", hold, trail=TEN)]
    assert asked_for(signals, before) == {"AAA": Ask(FIVE), "BBB": Ask(None, TEN)}


def test_what_a_sleeve_asked_for_is_remembered_until_it_decides_again(store: Store) -> None:
    wishes = Protections(store)
    asking = replace(Decision.weights({"AAA": 0.5}), signals=(signal(stop=FIVE, trail=TEN),))
    wishes.remember("one", asking)
    wishes.remember("two", Decision.hold("nothing new"))
    wishes.remember("one", Decision.hold("nothing new"))
    assert Protections(store).of("one") == {"AAA": Ask(FIVE, TEN)}
    assert wishes.of("two") == {}
    wishes.remember("one", Decision.weights({"AAA": 0.5}))
    assert wishes.of("one") == {}


@pytest.fixture
def hold(
    open_desk: OpenDesk, make_leg: MakeLeg, clock: SimulatedClock
) -> Callable[..., tuple[Desk, Holding]]:
    """Return a function that buys ten AAA at 10.00 and says what a sleeve asks for them."""

    def bought(
        *,
        stop: Decimal | None = None,
        trail: Decimal | None = None,
        cost: str = "10",
        quote: str | None = "10",
    ) -> tuple[Desk, Holding]:
        desk = open_desk()
        send(desk, RUN, [make_leg("AAA", 10)], approve)
        settle(desk)
        price = None if quote is None else Quote("AAA", Decimal(quote), clock.now())
        owners = (Contribution("one", TEN),)
        asks = {"one": Ask(stop, trail)}
        return desk, Holding("AAA", owners, asks, Decimal(cost), price)

    return bought


def only_stop(journal: Journal) -> JournalOrder:
    (stop,) = journal.resting()
    return stop


def test_a_stop_is_placed_under_what_was_paid_and_found_right_afterwards(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = hold(stop=FIVE)
    done = protect(desk, RUN, [holding], approve)
    stop = only_stop(journal)
    assert (done.moves, done.notes) == (1, ())
    assert (stop.purpose, stop.side, stop.quantity) == (Purpose.STOP, Side.SELL, TEN)
    assert stop.terms.stop_price_usd == Decimal("9.50")
    assert stop.parent_client_id == journal.purchases("AAA")[0].order.client_id
    assert protect(desk, RUN, [holding], approve).moves == 0
    assert watch(desk) == ()


def test_the_level_of_shares_that_split_is_counted_from_their_own_cost(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = hold(stop=FIVE, cost="2.50")  # one became four since it was bought at 10
    protect(desk, RUN, [holding], approve)
    assert only_stop(journal).terms.stop_price_usd == Decimal("2.37")


def test_a_trailing_stop_of_shares_that_split_begins_anew(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = hold(trail=TEN, cost="2.50")
    protect(desk, RUN, [holding], approve)
    stop = only_stop(journal)
    assert (stop.terms.order_type, stop.terms.stop_price_usd) == (
        OrderType.TRAILING_STOP,
        Decimal("9.00"),
    )
    desk.broker.cancel(stop.broker_order_id or "")
    watch(desk)
    protect(desk, RUN, [holding], approve)
    assert only_stop(journal).client_id != stop.client_id


def test_a_holding_that_asks_for_nothing_any_more_loses_its_stop(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal, broker: SimulatedBroker
) -> None:
    desk, holding = hold(stop=FIVE)
    protect(desk, RUN, [holding], approve)
    assert protect(desk, RUN, [], approve, untouchable=frozenset({"AAA"})).moves == 0
    assert len(broker.open_orders()) == 1
    assert protect(desk, RUN, [], approve).moves == 1
    assert journal.resting() == broker.open_orders() == ()


def test_a_stop_without_a_price_or_without_leave_is_told(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = hold(stop=FIVE, quote=None)
    assert protect(desk, RUN, [holding], approve).notes == ("STOP_MISSING: AAA: no price",)

    desk, holding = hold(stop=FIVE)
    halted = Verdict(ReasonCode.GATE_CLOSED, "halted by operator")
    done = protect(desk, RUN, [holding], lambda _leg: halted)
    assert done.notes == ("STOP_MISSING: AAA: halted by operator",)
    assert journal.resting() == ()
    assert journal.protecting("AAA") == ()  # it was never sent


def test_a_refused_change_leaves_the_old_stop(
    hold: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = hold(stop=FIVE)
    protect(desk, RUN, [holding], approve)
    before = only_stop(journal)
    halted = Verdict(ReasonCode.GATE_CLOSED, "halted by operator")
    wider = Holding("AAA", holding.owners, {"one": Ask(TEN)}, TEN, holding.quote)
    assert protect(desk, RUN, [wider], lambda _leg: halted).notes == ()
    assert only_stop(journal) == before


class _Deaf:
    """A broker that does not confirm a cancel."""

    def __init__(self, inner: SimulatedBroker) -> None:
        self._inner = inner
        self.submitted = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def submit(self, order: object) -> object:
        self.submitted += 1
        return self._inner.submit(order)  # type: ignore[arg-type]

    def cancel(self, broker_order_id: str) -> None:
        pass


def test_an_order_whose_stop_cannot_be_taken_off_is_not_sent(
    hold: Callable[..., tuple[Desk, Holding]],
    open_desk: OpenDesk,
    make_leg: MakeLeg,
    journal: Journal,
    broker: SimulatedBroker,
) -> None:
    desk, holding = hold(stop=FIVE)
    protect(desk, RUN, [holding], approve)
    deaf = _Deaf(broker)

    (refused,) = send(open_desk(deaf), RUN, [make_leg("AAA", 10, Side.SELL)], approve)

    assert refused[1].code is ReasonCode.ORDER_UNRESOLVED
    assert deaf.submitted == 0
    (stop,) = journal.unfinished()
    assert stop.status is OrderStatus.UNRESOLVED
    done = protect(open_desk(deaf), RUN, [holding], approve, untouchable=frozenset({"AAA"}))
    assert (done.moves, deaf.submitted) == (0, 0)  # never two


def test_a_scratch_store_takes_over_a_stop_and_its_parent_in_any_order(
    hold: Callable[..., tuple[Desk, Holding]],
    store: Store,
    clock: SimulatedClock,
    open_store: Callable[[Path], Store],
    tmp_path: Path,
) -> None:
    desk, holding = hold(stop=FIVE)
    protect(desk, RUN, [holding], approve)
    parent = desk.journal.purchases("AAA")[0].order
    with store.begin() as connection:  # PostgreSQL lists a row where it was last written
        connection.exec_driver_sql(
            f"UPDATE orders SET detail = 'late' WHERE client_id = '{parent.client_id}'"  # noqa: S608 (our own id)
        )
    scratch = open_store(tmp_path / "scratch")
    scratch.seed_from(store)
    assert only_stop(Journal(scratch, clock)).parent_client_id == parent.client_id
