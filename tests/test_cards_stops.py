"""Attached stops: under every holding that asks for one, exactly one, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from quant_platform_kit.brokers import (
    DryRunBroker,
    Fault,
    FaultSwitch,
    FrameMarket,
    SimulatedBroker,
)
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    Decision,
    ExecutionMode,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Outcome,
    Purpose,
    Side,
    Signal,
    SignalAction,
    Submission,
)
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode, TransientError
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.orders import Journal, JournalOrder
from quant_platform_kit.risk import GateMode, TradingGate
from quant_platform_kit.strategy import Strategy, StrategyConfig
from tests.house import FREE, MONDAY, TUESDAY, House, Script, always, by_session, manifest

WEDNESDAY = date(2020, 3, 4)
THURSDAY = date(2020, 3, 5)
DAYS = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY)
FIVE, TEN = Decimal(5), Decimal(10)


def moving_market(**paths: Sequence[float]) -> FrameMarket:
    """Return a market whose prices from `MONDAY` on are given; before, they stand still."""
    calendar = xnys()
    before = calendar.sessions(calendar.offset(MONDAY, -40), calendar.offset(MONDAY, -1))
    after = calendar.sessions(MONDAY, calendar.offset(MONDAY, 10))
    prices = {"SIM_A": [100.0], "SIM_B": [50.0], "SIM_C": [20.0], "SIM_HAVEN": [10.0]} | paths
    return FrameMarket(
        {
            symbol: BarFrame(
                symbol=symbol,
                sessions=[*before, *after],
                close=np.array(
                    [path[0]] * len(before)
                    + [path[min(n, len(path) - 1)] for n in range(len(after))]
                ),
                adjustment=Adjustment.TOTAL_RETURN,
            )
            for symbol, path in prices.items()
        }
    )


def guarded(
    weights: Mapping[str, float],
    stop: Decimal | None = None,
    trail: Decimal | None = None,
    action: SignalAction = SignalAction.BUY,
) -> Decision:
    """Return a decision whose every symbol asks for the same protection."""
    signals = tuple(
        Signal(symbol, action, Decimal(1), stop_loss_pct=stop, trailing_stop_pct=trail)
        for symbol in weights
    )
    return replace(Decision.weights(weights), signals=signals)


HALF_A = guarded({"SIM_A": 0.5}, stop=FIVE)
KEEP = Decision.hold("nothing new")


def working(house: House) -> list[BrokerOrder]:
    """Return what works at the broker: nothing but stops, and of each symbol at most one."""
    orders = list(house.broker.open_orders())
    assert len({order.symbol for order in orders}) == len(orders)
    assert {order.side for order in orders} <= {Side.SELL}
    held = house.holdings()
    assert all(order.quantity <= held.get(order.symbol, 0) for order in orders)
    return orders


def stops(house: House) -> dict[str, tuple[Decimal, Decimal | None]]:
    """Return the working stops: shares and trigger by symbol."""
    return {order.symbol: (order.quantity, order.trigger_price_usd) for order in working(house)}


def resting(house: House) -> JournalOrder:
    (order,) = Journal(house.store, house.clock).resting()
    return order


def test_what_is_bought_gets_a_stop_that_names_the_order_that_bought_it(tmp_path: Path) -> None:
    house = House(tmp_path, always(HALF_A), rules=FREE)
    report = house.run()

    bought, stop = report.orders
    assert (report.outcome, bought.side, bought.status) == (
        Outcome.TRADED,
        Side.BUY,
        OrderStatus.FILLED,
    )
    assert (stop.purpose, stop.side, stop.status) == (
        Purpose.STOP,
        Side.SELL,
        OrderStatus.SUBMITTED,
    )
    assert (stop.quantity, stop.terms.stop_price_usd) == (Decimal(50), Decimal(95))
    assert stop.parent_client_id == bought.client_id
    assert stops(house) == {"SIM_A": (Decimal(50), Decimal(95))}
    assert report.consumes_slot


def test_a_working_stop_keeps_nothing_from_being_planned_and_is_left_alone(tmp_path: Path) -> None:
    house = House(tmp_path, always(HALF_A), rules=FREE)
    house.run()
    (first,) = working(house)
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO)
    assert report.orders == ()
    assert [order.client_id for order in working(house)] == [first.client_id]


def test_a_stop_works_on_through_days_on_which_the_strategy_holds(tmp_path: Path) -> None:
    answers = {MONDAY: HALF_A, TUESDAY: KEEP, WEDNESDAY: KEEP}
    house = House(tmp_path, by_session(answers), rules=FREE)
    house.run()
    (first,) = working(house)
    for day in (TUESDAY, WEDNESDAY):
        house.restart()
        report = house.run(day)
        assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.HOLD)
        assert [order.client_id for order in working(house)] == [first.client_id]


def test_a_stop_that_filled_between_runs_is_booked_once_and_told(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 99.0, 90.0])
    house = House(
        tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP, WEDNESDAY: KEEP}), market, rules=FREE
    )
    house.run(MONDAY)
    stop = resting(house)
    house.run(TUESDAY)
    assert house.ledger() == {"SIM_A": Decimal(50)}

    report = house.run(WEDNESDAY)

    assert (house.ledger(), house.holdings()) == ({}, {})
    assert f"STOP_FILLED: SIM_A: its stop sold {stop.quantity:f} shares" in report.notes
    (fill,) = (f for f in house.broker.fills_since(xnys().session_open(MONDAY)) if f.side == "sell")
    assert (fill.client_id, fill.price_usd) == (stop.client_id, Decimal(90))  # over the gap
    journal = Journal(house.store, house.clock)
    assert journal.get(stop.client_id).status is OrderStatus.FILLED
    assert journal.get(stop.client_id).code is ReasonCode.STOP_FILLED
    assert sum(Ledger(house.store).cash().values()) == house.broker.account().cash_usd
    assert working(house) == []


def test_a_stop_that_filled_is_told_also_by_a_run_that_then_fails(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 90.0])
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), market, rules=FREE)
    house.run(MONDAY)

    class _LostAfterwards:
        """Answers until it has told what was executed, and then nothing any more."""

        told = False

        def __getattr__(self, name: str) -> object:
            if self.told and name in {"account", "positions", "quotes"}:
                raise TransientError("It does not answer.")
            return getattr(house.broker, name)

        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            self.told = True
            return house.broker.fills_since(instant)

    house.with_parts(broker=_LostAfterwards())
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.BROKER_UNAVAILABLE)
    assert report.notes == ("STOP_FILLED: SIM_A: its stop sold 50 shares",)


def test_a_stop_that_fills_while_the_account_is_read_is_no_difference(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 90.0])
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), market, rules=FREE)
    house.run(MONDAY)
    stop = working(house)[0]

    class _Meanwhile:
        """Tells that the stop has filled only after it was asked for the account again."""

        asked = told = False

        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def find_order(self, client_id: str) -> BrokerOrder | None:
            self.asked = True
            return house.broker.find_order(client_id) if self.told else stop

        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            return house.broker.fills_since(instant) if self.told else ()

        def account(self) -> Account:
            self.told = self.asked
            return house.broker.account()

    house.with_parts(broker=_Meanwhile())
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.HOLD)
    assert report.notes == ("STOP_FILLED: SIM_A: its stop sold 50 shares",)
    assert house.ledger() == house.holdings() == {}


def test_a_symbol_that_is_sold_loses_its_stop_first_and_one_that_shrinks_gets_a_smaller_one(
    tmp_path: Path,
) -> None:
    answers = {
        MONDAY: guarded({"SIM_A": 0.4, "SIM_B": 0.4}, stop=FIVE),
        TUESDAY: guarded({"SIM_B": 0.2}, stop=FIVE),
    }
    house = House(tmp_path, by_session(answers), rules=FREE)
    house.run(MONDAY)
    assert stops(house) == {"SIM_A": (40, 95), "SIM_B": (80, Decimal("47.5"))}
    report = house.run(TUESDAY)
    assert report.outcome is Outcome.TRADED
    assert house.holdings() == {"SIM_B": Decimal(40)}
    assert stops(house) == {"SIM_B": (40, Decimal("47.5"))}
    ended = Journal(house.store, house.clock).protecting("SIM_A")
    assert [(o.status, o.code) for o in ended] == [(OrderStatus.CANCELLED, ReasonCode.STOP_REMOVED)]


def test_a_stop_goes_when_the_strategy_asks_for_none_and_stays_when_it_says_hold(
    tmp_path: Path,
) -> None:
    half = {"SIM_A": 0.5}
    answers = {
        MONDAY: HALF_A,
        TUESDAY: guarded(half, action=SignalAction.HOLD),
        WEDNESDAY: Decision.weights(half),
    }
    house = House(tmp_path, by_session(answers), rules=FREE)
    house.run(MONDAY)
    house.run(TUESDAY)
    assert stops(house) == {"SIM_A": (50, 95)}
    house.run(WEDNESDAY)
    assert working(house) == []
    assert house.holdings() == {"SIM_A": Decimal(50)}


def test_a_trailing_stop_follows_the_price_and_its_successor_begins_where_it_was(
    tmp_path: Path,
) -> None:
    market = moving_market(SIM_A=[100.0, 120.0, 112.0, 107.0])
    answers = {
        MONDAY: guarded({"SIM_A": 0.5}, trail=TEN),
        TUESDAY: KEEP,
        WEDNESDAY: guarded({"SIM_A": 0.3}, trail=TEN),
        THURSDAY: KEEP,
    }
    house = House(tmp_path, by_session(answers), market, rules=FREE)
    house.run(MONDAY)
    assert stops(house) == {"SIM_A": (50, 90)}
    house.run(TUESDAY)
    assert stops(house) == {"SIM_A": (50, 108)}
    house.run(WEDNESDAY)  # 112 less a tenth were 100.80: a new one would begin lower
    quantity = house.holdings()["SIM_A"]
    assert stops(house) == {"SIM_A": (quantity, 108)}
    assert resting(house).terms.order_type is OrderType.TRAILING_STOP
    house.run(THURSDAY)
    assert house.holdings() == house.ledger() == {}


def test_a_holding_that_was_closed_and_bought_again_begins_a_new_trail(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 150.0, 100.0])
    trailing = guarded({"SIM_A": 0.5}, trail=TEN)
    answers = {MONDAY: trailing, TUESDAY: Decision.weights({}), WEDNESDAY: trailing}
    house = House(tmp_path, by_session(answers), market, rules=FREE)
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        house.run(day)
    assert stops(house)["SIM_A"][1] == 90


def test_a_loss_and_a_trail_together_make_one_stop_at_the_tighter_of_both(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 130.0])
    both = guarded({"SIM_A": 0.5}, stop=FIVE, trail=TEN)
    house = House(tmp_path, by_session({MONDAY: both, TUESDAY: KEEP}), market, rules=FREE)
    house.run(MONDAY)
    assert stops(house) == {"SIM_A": (50, 95)}
    house.run(TUESDAY)
    assert stops(house) == {"SIM_A": (50, 117)}


def test_a_purchase_on_top_moves_the_stop_to_what_all_of_it_cost(tmp_path: Path) -> None:
    market = moving_market(SIM_A=[100.0, 110.0])
    answers = {
        MONDAY: guarded({"SIM_A": 0.3}, stop=TEN),
        TUESDAY: guarded({"SIM_A": 0.6}, stop=TEN),
    }
    house = House(tmp_path, by_session(answers), market, rules=FREE)
    house.run(MONDAY)
    report = house.run(TUESDAY)
    bought = next(order for order in report.orders if order.side is Side.BUY)
    shares = house.holdings()["SIM_A"]
    paid = (30 * Decimal(100) + (shares - 30) * Decimal(110)) / shares
    level = (paid * Decimal("0.9")).quantize(Decimal("0.01"), rounding="ROUND_FLOOR")
    assert stops(house) == {"SIM_A": (shares, level)}
    assert resting(house).parent_client_id == bought.client_id


def test_a_stop_that_somebody_took_off_is_placed_again_by_the_next_run(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), rules=FREE)
    house.run(MONDAY)
    (first,) = working(house)
    house.broker.cancel(first.broker_order_id)
    house.run(TUESDAY)
    (second,) = working(house)
    assert second.client_id != first.client_id
    assert stops(house) == {"SIM_A": (50, 95)}


def test_holdings_that_nobody_bought_here_are_protected_at_what_they_were_worth(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, always(HALF_A), rules=FREE)
    house.buy_by_hand("SIM_A", 50)
    house.run()
    assert stops(house) == {"SIM_A": (50, 95)}
    assert resting(house).parent_client_id is None


def test_a_refused_stop_is_told_and_placed_by_the_next_run(tmp_path: Path) -> None:
    refused = FaultSwitch(Fault.REJECT, symbol="SIM_A", nth=2)
    house = House(
        tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), rules=FREE, faults=[refused]
    )
    report = house.run(MONDAY)
    assert report.outcome is Outcome.TRADED
    assert any(note.startswith("STOP_MISSING: SIM_A") for note in report.notes)
    assert working(house) == []
    house.run(TUESDAY)
    assert stops(house) == {"SIM_A": (50, 95)}


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST_AFTER, Fault.REPLY_LOST_BEFORE])
def test_the_lost_reply_of_a_stop_is_resolved_by_asking(tmp_path: Path, fault: Fault) -> None:
    lost = FaultSwitch(fault, symbol="SIM_A", nth=2)
    house = House(tmp_path, by_session({MONDAY: HALF_A, TUESDAY: KEEP}), rules=FREE, faults=[lost])
    house.run(MONDAY)
    assert len(working(house)) == (1 if fault is Fault.REPLY_LOST_AFTER else 0)
    house.run(TUESDAY)
    assert stops(house) == {"SIM_A": (50, 95)}


def test_a_halt_leaves_the_stops_and_a_reducing_gate_lets_them_be_placed(tmp_path: Path) -> None:
    house = House(tmp_path, always(HALF_A), rules=FREE)
    house.run(MONDAY)
    gate = TradingGate(house.store, house.clock)
    gate.set(GateMode.HALTED, who="operator", why="looks odd")
    assert house.run(TUESDAY).code is ReasonCode.GATE_CLOSED
    assert stops(house) == {"SIM_A": (50, 95)}

    gate.set(GateMode.REDUCING, who="operator", why="still odd")
    (order,) = working(house)
    house.broker.cancel(order.broker_order_id)
    house.run(WEDNESDAY)
    assert stops(house) == {"SIM_A": (50, 95)}


def test_a_dry_run_leaves_the_stops_of_the_account_alone(tmp_path: Path) -> None:
    answers = {MONDAY: HALF_A, TUESDAY: Decision.weights({})}
    house = House(tmp_path, by_session(answers), rules=FREE)
    house.run(MONDAY)
    before = house.broker.open_orders()
    book = (tmp_path / "book.jsonl").read_bytes()
    house.with_parts(mode=ExecutionMode.DRY_RUN, broker=DryRunBroker(house.broker, house.clock))
    report = house.run(TUESDAY)
    assert [(o.side, o.status) for o in report.orders] == [(Side.SELL, OrderStatus.FILLED)]
    assert house.broker.open_orders() == before
    assert (tmp_path / "book.jsonl").read_bytes() == book


def two_sleeves(folder: Path, first: Script, second: Script) -> House:
    house = House(folder, first, rules=FREE)
    sleeves = tuple(
        SleevePart(
            Strategy(f"tests.{name}", StrategyConfig(), replace(manifest(), profile=name), script),
            Decimal("0.5"),
        )
        for name, script in (("first", first), ("second", second))
    )
    house.with_parts(sleeves=sleeves)
    return house


def test_sleeves_that_ask_share_one_stop_at_the_tightest_level(tmp_path: Path) -> None:
    house = two_sleeves(
        tmp_path,
        always(guarded({"SIM_A": 0.4}, stop=TEN)),
        always(guarded({"SIM_A": 0.6}, stop=FIVE)),
    )
    house.run()
    assert stops(house) == {"SIM_A": (50, 95)}


def test_a_stop_sells_the_shares_of_the_sleeves_that_asked_and_of_no_other(
    tmp_path: Path,
) -> None:
    market = moving_market(SIM_A=[100.0, 80.0])
    house = two_sleeves(
        tmp_path,
        by_session({MONDAY: guarded({"SIM_A": 0.4}, stop=TEN), TUESDAY: KEEP}),
        by_session({MONDAY: Decision.weights({"SIM_A": 0.6}), TUESDAY: KEEP}),
    )
    house.market = market
    parts = house.parts.sleeves
    house.restart()
    house.with_parts(sleeves=parts)
    house.run(MONDAY)
    assert stops(house) == {"SIM_A": (20, 90)}
    house.run(TUESDAY)
    ledger = Ledger(house.store)
    assert (ledger.quantities("first"), ledger.quantities("second")) == ({}, {"SIM_A": 30})
    assert house.ledger() == house.holdings()


# ── Killed anywhere ────────────────────────────────────────────────────────────────────


class _Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


class _MortalBroker:
    """Passes calls on, and dies around the n-th one that changes something."""

    def __init__(self, inner: SimulatedBroker, death: int, *, after: bool) -> None:
        self._inner = inner
        self._left = death
        self._after = after

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def submit(self, order: OrderRequest) -> Submission:
        self._die(before=True)
        answer = self._inner.submit(order)
        self._die(before=False)
        return answer

    def cancel(self, broker_order_id: str) -> None:
        self._die(before=True)
        self._inner.cancel(broker_order_id)
        self._die(before=False)

    def _die(self, *, before: bool) -> None:
        if before:
            self._left -= 1
        if self._left == 0 and before is not self._after:
            raise _Killed


@contextmanager
def _killed_at_commit(house: House, number: int) -> Iterator[None]:
    left = number

    def count(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Killed

    event.listen(house.store.engine, "commit", count)
    yield
    event.remove(house.store.engine, "commit", count)


ROTATION = {
    MONDAY: guarded({"SIM_A": 0.4, "SIM_B": 0.4}, stop=FIVE),
    TUESDAY: guarded({"SIM_B": 0.2, "SIM_C": 0.4}, trail=TEN),
}
AFTER_ROTATION = {"SIM_B": (40, 45), "SIM_C": (200, 18)}


def _about_to_rotate(folder: Path) -> House:
    house = House(folder, by_session(ROTATION), rules=FREE)
    house.run(MONDAY)
    return house


def _assert_whole(house: House, where: str) -> None:
    """Require that a killed rotation ends, with the next runs, as an undisturbed one does."""
    working(house)  # never two stops of a symbol, none larger than the holding
    house.restart()
    house.run(TUESDAY)
    assert stops(house) == AFTER_ROTATION, where
    assert house.holdings() == house.ledger() == {"SIM_B": 40, "SIM_C": 200}, where


def test_the_rotation_undisturbed(tmp_path: Path) -> None:
    _assert_whole(_about_to_rotate(tmp_path), "undisturbed")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_around_any_call_leaves_at_most_one_stop_and_the_next_run_places_it(
    tmp_path: Path, after: bool
) -> None:
    deaths = 0
    for number in range(1, 30):
        house = _about_to_rotate(tmp_path / f"{number}-{after}")
        house.with_parts(broker=_MortalBroker(house.broker, number, after=after))
        try:
            house.run(TUESDAY)
        except _Killed:
            deaths += 1
        else:
            break
        _assert_whole(house, f"call {number}")
    assert deaths == 7  # two stops taken off, two sales, a purchase, two stops placed


def test_a_kill_at_any_commit_leaves_at_most_one_stop_and_the_next_run_places_it(
    tmp_path: Path,
) -> None:
    deaths = 0
    for number in range(1, 200, 5):  # `python -m proof` takes every one
        house = _about_to_rotate(tmp_path / str(number))
        try:
            with _killed_at_commit(house, number):
                house.run(TUESDAY)
        except _Killed:
            deaths += 1
        else:
            break
        _assert_whole(house, f"commit {number}")
    assert deaths > 7
