"""Days that are not as planned: the owner trades, the broker is slow, adjusts or tells too much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import SimulatedBroker
from quant_platform_kit.contracts import (
    Account,
    CycleReport,
    CycleRequest,
    Decision,
    Fill,
    OperatorAction,
    OperatorCommand,
    Outcome,
    Position,
    Quote,
    Side,
)
from quant_platform_kit.cycle import operate, reconcile_now
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import UNMANAGED, Ledger, results_now
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.risk import GateMode, TradingGate, load_limits
from tests.house import FREE, MONDAY, TUESDAY, always, by_session
from tests.house import House as Home  # on one database: none of this is the database's
from tests.test_cards_corporate_actions import agrees, raw_market

WEDNESDAY = date(2020, 3, 4)
KEEP = Decision.hold("nothing new")
HALF = Decision.weights({"SIM_A": 0.5})
STRICT = (
    "risk:\n  loss: {daily_loss_limit: 100}\n  kill_switch: {auto_trigger_on_daily_loss: true}\n"
)


@dataclass
class Passing:
    """A broker that passes everything on; a test says where it does not."""

    inner: SimulatedBroker

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the inner one has)
        return getattr(self.inner, name)


def fuse(house: Home, folder: Path) -> None:
    """Let a loss of a hundred dollars in a day halt the account."""
    limits = folder / "limits.yaml"
    limits.write_text(STRICT)
    house.with_parts(limits=load_limits(limits))


def ended(report: CycleReport) -> tuple[Outcome, ReasonCode | None]:
    return report.outcome, report.code


# ── What is worth what ─────────────────────────────────────────────────────────────────


def test_a_quote_that_is_missing_for_a_day_is_no_loss_and_halts_nothing(tmp_path: Path) -> None:
    market = raw_market({"SIM_A": [100.0, 150.0]}, [])
    house = Home(
        tmp_path,
        by_session({MONDAY: HALF, TUESDAY: KEEP, WEDNESDAY: KEEP}),
        market=market,
        rules=FREE,
    )
    house.run(MONDAY)
    house.run(TUESDAY)
    fuse(house, tmp_path)

    class _Dumb(Passing):
        def quotes(self, _symbols: object) -> dict[str, Quote]:
            return {}

    house.with_parts(broker=_Dumb(house.broker))
    assert ended(house.run(WEDNESDAY)) == (Outcome.BLOCKED, ReasonCode.PRICE_MISSING)
    assert TradingGate(house.store, house.clock).state().mode is GateMode.ACTIVE


def test_what_the_owner_sells_with_a_gain_is_no_loss_and_halts_nothing(tmp_path: Path) -> None:
    market = raw_market({"SIM_MANUAL": [30.0, 60.0]}, [])
    house = Home(
        tmp_path,
        by_session({MONDAY: HALF, TUESDAY: KEEP, WEDNESDAY: KEEP}),
        market=market,
        rules=FREE,
    )
    house.buy_by_hand("SIM_MANUAL", 100)
    house.run(MONDAY)
    house.run(TUESDAY)
    fuse(house, tmp_path)
    house.sell_by_hand("SIM_MANUAL", 100)
    assert ended(house.run(WEDNESDAY)) == (Outcome.NO_ACTION, ReasonCode.HOLD)
    assert TradingGate(house.store, house.clock).state().mode is GateMode.ACTIVE
    assert results_now(house.store, {})[UNMANAGED].profit_usd == 3000
    assert agrees(house)


def test_a_symbol_that_is_gone_at_the_broker_keeps_the_others_from_nothing(tmp_path: Path) -> None:
    both, other = Decision.weights({"SIM_A": 0.3, "SIM_B": 0.4}), Decision.weights({"SIM_B": 0.6})
    house = Home(tmp_path, by_session({MONDAY: both, TUESDAY: other}), rules=FREE)
    house.run(MONDAY)
    house.sell_by_hand("SIM_A", 30)  # all of it: nobody quotes what is neither held nor wanted
    report = house.run(TUESDAY)
    assert report.outcome is Outcome.TRADED
    assert {order.symbol for order in report.orders} == {"SIM_B"}
    assert {s.symbol for s in report.skipped if s.code is ReasonCode.QUANTITY_MISMATCH} == {"SIM_A"}


# ── When it is too late ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mins_before", "sent"),
    [(6, set()), (11, {Side.SELL}), (25, {Side.SELL, Side.BUY})],
    ids=["before its sales", "before its purchases", "in time"],
)
def test_no_order_is_sent_once_the_session_has_ended(
    tmp_path: Path, mins_before: int, sent: set[Side]
) -> None:
    switch = {MONDAY: Decision.weights({"SIM_A": 1}), TUESDAY: Decision.weights({"SIM_B": 1})}
    house = Home(tmp_path, by_session(switch))
    house.run(MONDAY)

    class _Slow(Passing):
        def account(self) -> object:
            house.clock.sleep(240)  # asked twice before the sales, and again before the purchases
            return self.inner.account()

    house.with_parts(broker=_Slow(house.broker))
    close = house.parts.calendar.session_close(TUESDAY)
    house.clock.advance_to(close - timedelta(minutes=mins_before))
    report = house.run(TUESDAY)
    assert {order.side for order in report.orders} == sent
    late = [s.symbol for s in report.skipped if s.code is ReasonCode.OUTSIDE_WINDOW]
    assert bool(late) is (Side.BUY not in sent)
    if not sent:
        assert ended(report) == (Outcome.BLOCKED, ReasonCode.OUTSIDE_WINDOW)


def test_a_day_that_the_calendar_does_not_know_is_blocked_and_reported(tmp_path: Path) -> None:
    house = Home(tmp_path, always(HALF))
    house.with_parts(clock=SimulatedClock(datetime(2031, 1, 2, 20, tzinfo=UTC)), replay=None)
    report = house.result(CycleRequest()).report
    assert ended(report) == (Outcome.BLOCKED, ReasonCode.CALENDAR_UNREADABLE)
    assert (report.session, report.orders) == (None, ())


# ── What the broker tells ──────────────────────────────────────────────────────────────


def test_more_shares_than_were_ordered_stop_one_run_and_no_person(tmp_path: Path) -> None:
    house = Home(tmp_path, by_session({MONDAY: HALF, TUESDAY: KEEP}), rules=FREE)
    house.run(MONDAY)
    house.buy_by_hand("SIM_A", 3)  # as if the broker had

    class _Generous(Passing):
        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            first, *others = self.inner.fills_since(instant)
            extra = replace(first, fill_id="one too many", quantity=Decimal(3))
            return (first, extra, *(f for f in others if f.client_id != "by-hand-1"))

    house.with_parts(broker=_Generous(house.broker))
    assert ended(house.run(TUESDAY)) == (Outcome.FAILED, ReasonCode.BROKER_ANSWER)
    assert house.ledger() == house.holdings() == {"SIM_A": Decimal(53)}
    out = OperatorCommand(OperatorAction.FLATTEN, "ann", "what was that")
    assert operate(house.parts, out).outcome is Outcome.TRADED
    assert house.ledger() == house.holdings() == {}


def test_sales_that_a_broker_cannot_have_made_are_told_once_and_then_compared(
    tmp_path: Path,
) -> None:
    house = Home(tmp_path, by_session({MONDAY: HALF, TUESDAY: KEEP}), rules=FREE)
    (bought,) = house.run(MONDAY).orders

    class _Confused(Passing):
        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            (fill,) = self.inner.fills_since(instant)
            sold = replace(fill, fill_id="odd", side=Side.SELL, quantity=Decimal(60))
            return (fill, sold)

    house.with_parts(broker=_Confused(house.broker))
    first, second = house.run(TUESDAY), house.run(TUESDAY, "again")
    assert ended(first) == (Outcome.FAILED, ReasonCode.QUANTITY_MISMATCH)
    assert "60 SIM_A, 10 of them unknown" in first.reason
    assert bought.symbol in second.reason  # the broker still holds what it says it sold
    assert ended(second) == (Outcome.FAILED, ReasonCode.QUANTITY_MISMATCH)


def test_two_executions_under_one_id_are_one_and_their_order_has_no_end(tmp_path: Path) -> None:
    house = Home(tmp_path, by_session({MONDAY: HALF, TUESDAY: HALF}), rules=FREE)

    class _Repeating(Passing):
        def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
            half = [replace(f, quantity=f.quantity / 2) for f in self.inner.fills_since(instant)]
            return (*half, *half)

    house.with_parts(broker=_Repeating(house.broker))
    first = house.run(MONDAY)
    assert ended(first) == (Outcome.FAILED, ReasonCode.ORDER_UNRESOLVED)
    assert house.ledger() == {"SIM_A": Decimal(25)}  # and 50 at the broker: nothing is concluded
    second = house.run(TUESDAY)
    assert second.orders == ()
    assert ended(second) == (Outcome.BLOCKED, ReasonCode.ORDER_UNRESOLVED)

    reconcile_now(house.parts, frozenset({"SIM_A"}))  # until an operator has looked
    assert agrees(house)
    assert ended(house.run(TUESDAY)) == (Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO)


def test_an_execution_that_is_taken_back_blocks_its_symbol_until_an_operator_explains_it(
    tmp_path: Path,
) -> None:
    house = Home(tmp_path, by_session({MONDAY: HALF, TUESDAY: HALF}), rules=FREE)
    house.run(MONDAY)

    class _Busted(Passing):
        """The exchange has annulled the purchase: neither shares nor an execution are left."""

        def fills_since(self, _instant: datetime) -> tuple[Fill, ...]:
            return ()

        def positions(self) -> tuple[Position, ...]:
            return (Position("SIM_MANUAL", Decimal(1)),)

        def account(self) -> Account:
            seen = self.inner.account()
            return replace(seen, cash_usd=seen.equity_usd, usable_cash_usd=seen.equity_usd)

    house.with_parts(broker=_Busted(house.broker))
    assert ended(house.run(TUESDAY)) == (Outcome.FAILED, ReasonCode.QUANTITY_MISMATCH)
    found = reconcile_now(house.parts, frozenset({"SIM_A"}))
    assert found.locked == {}
    assert house.ledger() == {"SIM_MANUAL": Decimal(1)}
    assert sum(Ledger(house.store).cash().values()) == house.cash_usd
