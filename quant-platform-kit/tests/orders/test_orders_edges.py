"""The edges of sending, cancelling and protecting: lost answers, waits, lots and levels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    Contribution,
    Fill,
    Leg,
    OrderStatus,
    Quote,
    Side,
    Verdict,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.orders import (
    Ask,
    Desk,
    Holding,
    Journal,
    JournalOrder,
    cancel,
    protect,
    recover,
    send,
    settle,
)
from quant_platform_kit.orders._protect import _average, _covered, _draft, _since_opened
from quant_platform_kit.orders._rows import Purchase
from quant_platform_kit.store import Store, evidence

RUN = "ibkr-1:2020-03-31:close"
LATER = "ibkr-1:2020-04-30:close"
MakeLeg = Callable[..., Leg]
Write = Callable[..., JournalOrder]
OpenDesk = Callable[..., Desk]


def approve(_leg: Leg) -> Verdict:
    return Verdict()


class Watched:
    """The simulated broker, and what it was asked to cancel."""

    def __init__(self, inner: SimulatedBroker, *, deaf: bool = False) -> None:
        self.inner = inner
        self.deaf = deaf
        self.cancelled: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def cancel(self, broker_order_id: str) -> None:
        self.cancelled.append(broker_order_id)
        if not self.deaf:
            self.inner.cancel(broker_order_id)


# ── Cancelling ─────────────────────────────────────────────────────────────────────────


def test_an_order_whose_answer_was_lost_is_cancelled_under_the_brokers_own_id(
    open_desk: OpenDesk, broker: SimulatedBroker, write: Write, faults: Faults, journal: Journal
) -> None:
    faults.set(FaultSwitch(Fault.NO_FILL))
    order = write("AAA", 10)
    seen = broker.submit(order.request())  # and the answer was lost
    watched = Watched(broker)
    assert cancel(open_desk(watched), [order]) == ()
    assert watched.cancelled == [seen.broker_order_id]
    assert journal.get(order.client_id).status is OrderStatus.CANCELLED


def test_nothing_is_cancelled_of_an_order_that_had_filled_unheard(
    open_desk: OpenDesk, broker: SimulatedBroker, write: Write, journal: Journal, ledger: Ledger
) -> None:
    order = write("AAA", 10)
    broker.submit(order.request())  # fills at once, and the answer was lost
    watched = Watched(broker)
    assert cancel(open_desk(watched), [order]) == ()
    assert watched.cancelled == []
    assert journal.get(order.client_id).status is OrderStatus.FILLED
    assert ledger.quantities() == {"AAA": 10}


def test_nothing_is_cancelled_of_an_order_that_never_arrived(
    open_desk: OpenDesk, broker: SimulatedBroker, write: Write, journal: Journal
) -> None:
    order = write("AAA", 10)
    watched = Watched(broker)
    assert cancel(open_desk(watched), [order]) == ()
    assert watched.cancelled == []
    assert journal.get(order.client_id).code is ReasonCode.NEVER_SENT


def test_a_cancel_is_waited_for_ten_seconds_and_then_the_order_blocks_its_symbol(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    make_leg: MakeLeg,
    faults: Faults,
    journal: Journal,
    clock: SimulatedClock,
) -> None:
    faults.set(FaultSwitch(Fault.NO_FILL))
    desk = open_desk(Watched(broker, deaf=True))
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    asked = clock.now()
    (left,) = cancel(desk, journal.unfinished())
    assert (clock.now() - asked) == timedelta(seconds=10)
    assert (left.status, left.code) == (OrderStatus.UNRESOLVED, ReasonCode.NOT_FILLED)


def test_an_execution_of_five_days_ago_is_booked_and_an_older_one_is_not_asked_for(
    open_desk: OpenDesk,
    broker: SimulatedBroker,
    make_leg: MakeLeg,
    journal: Journal,
    ledger: Ledger,
    clock: SimulatedClock,
) -> None:
    class Late(Watched):
        shows = False

        def fills_since(self, since: object) -> tuple[Fill, ...]:
            asked.append(since)
            found: tuple[Fill, ...] = self.inner.fills_since(since)  # type: ignore[arg-type]
            return found if self.shows else ()

    asked: list[object] = []
    late = Late(broker)
    desk = open_desk(late)
    send(desk, RUN, [make_leg("AAA", 10)], approve)
    (order,) = journal.of_run(RUN)
    journal.mark(order.client_id, OrderStatus.CANCELLED)  # its end was heard without any shares
    late.shows = True
    clock.advance_to(clock.now() + timedelta(days=4))
    assert recover(desk) == ()
    assert asked[-1] == clock.now() - timedelta(days=5)
    assert ledger.quantities() == {"AAA": 10}


# ── The journal ────────────────────────────────────────────────────────────────────────


def test_an_order_that_a_check_made_smaller_is_attested_again_and_another_is_not(
    journal: Journal, store: Store, make_leg: MakeLeg, open_desk: OpenDesk
) -> None:
    def smaller(leg: Leg) -> Verdict:
        if leg.symbol == "BBB":
            return Verdict(ReasonCode.POSITION_LIMIT, "four allowed", Decimal(4))
        return Verdict()

    send(open_desk(), RUN, [make_leg("AAA", 10), make_leg("BBB", 5)], smaller)
    with store.begin() as connection:
        rows = connection.execute(
            select(evidence).where(evidence.c.kind == "order").order_by(evidence.c.seq)
        ).mappings()
        seen = [json.loads(row["payload"])["order"] for row in rows]
    quantities = [(each["symbol"], Decimal(each["quantity"])) for each in seen]
    assert quantities == [("AAA", 10), ("BBB", 5), ("BBB", 4)]


def test_an_order_that_the_journal_does_not_have_is_an_error(journal: Journal) -> None:
    with pytest.raises(ContractError, match="no order qpk-nothing"):
        journal.get("qpk-nothing")


def test_purchases_are_the_orders_that_bought_the_symbol_and_what_they_paid(
    open_desk: OpenDesk, make_leg: MakeLeg, journal: Journal
) -> None:
    desk = open_desk()
    send(desk, RUN, [make_leg("AAA", 10), make_leg("BBB", 5)], approve)
    settle(desk)
    send(desk, RUN, [make_leg("AAA", 4, Side.SELL)], approve)
    settle(desk)
    journal.write(RUN, [])
    (bought,) = journal.purchases("AAA")
    assert (bought.order.symbol, bought.order.side) == ("AAA", Side.BUY)
    assert (bought.quantity, bought.average_price_usd) == (10, 10)
    (other,) = journal.purchases("BBB")
    assert (other.quantity, other.average_price_usd) == (5, 20)
    assert journal.purchases("CCC") == ()


# ── What a stop is for ─────────────────────────────────────────────────────────────────


@pytest.fixture
def held(
    open_desk: OpenDesk, make_leg: MakeLeg, clock: SimulatedClock
) -> Callable[..., tuple[Desk, Holding]]:
    """Return a function that buys ten AAA for two sleeves and says what each asks for."""

    def bought(
        asks: dict[str, Ask], one: int = 7, two: int = 3, cost: str = "10"
    ) -> tuple[Desk, Holding]:
        desk = open_desk()
        send(desk, RUN, [make_leg("AAA", 10)], approve)
        settle(desk)
        owners = (Contribution("one", Decimal(one)), Contribution("two", Decimal(two)))
        quote = Quote("AAA", Decimal(20), clock.now())
        return desk, Holding("AAA", owners, asks, Decimal(cost), quote)

    return bought


def test_a_stop_covers_who_asks_and_leaves_the_others_what_they_have(
    held: Callable[..., tuple[Desk, Holding]],
) -> None:
    desk, holding = held({"one": Ask(Decimal(5))})
    assert holding.quote is not None
    leg = _draft(desk, holding, holding.quote).leg
    assert (leg.side, leg.quantity) == (Side.SELL, 7)
    assert (leg.current_quantity, leg.target_quantity, leg.exact_quantity) == (10, 3, 3)
    assert (leg.current_usd, leg.target_usd) == (200, 60)
    assert [(c.sleeve, c.amount) for c in leg.contributors] == [("one", 0), ("two", 3)]


def test_a_stop_is_of_whole_lots(held: Callable[..., tuple[Desk, Holding]]) -> None:
    desk, holding = held({"one": Ask(Decimal(5)), "two": Ask(Decimal(5))})
    assert _covered(holding, desk) == 10
    in_fours = replace(
        desk,
        broker=_WithLots(desk.broker, Decimal(4)),  # type: ignore[arg-type]
    )
    assert _covered(holding, in_fours) == 8
    in_twelves = replace(
        desk,
        broker=_WithLots(desk.broker, Decimal(12)),  # type: ignore[arg-type]
    )
    assert _covered(holding, in_twelves) == 0
    assert protect(in_twelves, RUN, [holding], approve).moves == 0


class _WithLots:
    def __init__(self, inner: object, lot: Decimal) -> None:
        self._inner = inner
        self.rules = replace(inner.rules, lot_shares=lot)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


@pytest.mark.parametrize(
    ("one", "two", "level"), [(5, 8, "9.50"), (8, 5, "9.50"), (None, 8, "9.20")]
)
def test_the_tightest_loss_of_all_sleeves_sets_the_level(
    held: Callable[..., tuple[Desk, Holding]],
    journal: Journal,
    one: int | None,
    two: int,
    level: str,
) -> None:
    asks = {"one": Ask(None if one is None else Decimal(one)), "two": Ask(Decimal(two))}
    desk, holding = held({name: ask for name, ask in asks.items() if ask != Ask()})
    protect(desk, RUN, [holding], approve)
    (stop,) = journal.resting()
    assert stop.terms.stop_price_usd == Decimal(level)
    assert stop.quantity == (10 if one is not None else 3)


@pytest.mark.parametrize(
    ("cost", "level"),
    [("9.10", "9.50"), ("11.10", "9.50"), ("9.09", "8.63"), ("11.12", "10.56"), ("5", "4.75")],
)
def test_what_was_paid_counts_unless_it_was_for_other_shares(
    held: Callable[..., tuple[Desk, Holding]], cost: str, level: str
) -> None:
    # Ten were paid: a cost a tenth away from that is of shares that have split since.
    desk, holding = held({"one": Ask(Decimal(5))}, cost=cost)
    assert holding.quote is not None
    terms = _draft(desk, holding, holding.quote).terms
    assert terms.stop_price_usd == Decimal(level)


@pytest.mark.parametrize(("one", "two", "ratio"), [(5, 8, "0.05"), (8, 5, "0.05")])
def test_the_smallest_distance_of_all_sleeves_is_trailed(
    held: Callable[..., tuple[Desk, Holding]], one: int, two: int, ratio: str
) -> None:
    desk, holding = held({"one": Ask(None, Decimal(one)), "two": Ask(None, Decimal(two))})
    assert holding.quote is not None
    assert _draft(desk, holding, holding.quote).terms.trailing_ratio == Decimal(ratio)


def test_shares_that_nobody_bought_here_are_protected_at_what_they_were_worth(
    open_desk: OpenDesk, clock: SimulatedClock
) -> None:
    owners = (Contribution("one", Decimal(7)),)
    quote = Quote("AAA", Decimal(20), clock.now())
    adopted = Holding("AAA", owners, {"one": Ask(Decimal(5))}, Decimal(8), quote)
    draft = _draft(open_desk(), adopted, quote)
    assert draft.terms.stop_price_usd == Decimal("7.60")
    assert draft.parent_client_id is None


def test_a_stop_that_is_asked_for_differently_is_replaced_and_one_that_is_not_stays(
    held: Callable[..., tuple[Desk, Holding]], journal: Journal
) -> None:
    desk, holding = held({"one": Ask(Decimal(5))})
    protect(desk, RUN, [holding], approve)
    (first,) = journal.resting()
    assert protect(desk, RUN, [holding], approve).moves == 0
    changes = [
        {"one": Ask(Decimal(6))},  # another level
        {"one": Ask(Decimal(6)), "two": Ask(Decimal(6))},  # more shares
        {"one": Ask(None, Decimal(5)), "two": Ask(Decimal(6))},  # another kind
        {"one": Ask(None, Decimal(4)), "two": Ask(Decimal(6))},  # another distance
    ]
    ids = [first.client_id]
    for asks in changes:
        wished = replace(holding, asks=asks)
        assert protect(desk, RUN, [wished], approve).moves == 1
        (stop,) = journal.resting()
        ids.append(stop.client_id)
        assert protect(desk, RUN, [wished], approve).moves == 0
    assert len(set(ids)) == 5


def bought(order: JournalOrder, before: int, quantity: int, price: str) -> Purchase:
    leg = replace(order.leg, current_quantity=Decimal(before))
    return Purchase(replace(order, leg=leg), Decimal(quantity), Decimal(price))


def test_a_holding_began_with_the_last_purchase_that_found_none(write: Write) -> None:
    order = write("AAA", 10)
    first, top, anew, again = (bought(order, before, 5, "10") for before in (0, 5, 0, 5))
    assert list(_since_opened([first, top])) == [first, top]
    assert list(_since_opened([first, top, anew, again])) == [anew, again]
    assert list(_since_opened([top, again])) == [top, again]
    assert list(_since_opened([])) == []


def test_the_average_price_weighs_each_purchase_by_its_shares(write: Write) -> None:
    order = write("AAA", 10)
    assert _average([bought(order, 0, 30, "10"), bought(order, 30, 10, "20")]) == Decimal("12.5")
    assert _average([]) is None
