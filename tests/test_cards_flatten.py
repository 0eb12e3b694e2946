"""Acceptance cards about operators' orders: out of the market once, and nothing else touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event

from quant_platform_kit.brokers import Fault, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    EvidenceKind,
    OperatorAction,
    OperatorCommand,
    OrderRequest,
    OrderStatus,
    Outcome,
    Purpose,
    Side,
    Signal,
    SignalAction,
    Submission,
)
from quant_platform_kit.cycle import operate, prospect
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun, SlotBusy
from quant_platform_kit.orders import Journal
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.risk import GateMode, TradingGate, entries
from quant_platform_kit.store import Evidence
from tests.house import MONDAY, SYMBOLS, TUESDAY, House, always

INVESTED = Decision.weights({"SIM_A": 0.4, "SIM_B": 0.3, "SIM_C": 0.2})
MANUAL = Decimal(7)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an account that is invested, and holds something that nobody here manages."""
    house = House(tmp_path, always(INVESTED))
    house.buy_by_hand("SIM_MANUAL", int(MANUAL))
    assert house.run().outcome is Outcome.TRADED
    return house


def order(house: House, action: OperatorAction, subject: str = "") -> CycleReport:
    return operate(house.parts, OperatorCommand(action, "ann", "a bad feeling", subject))


def flatten(house: House) -> CycleReport:
    return order(house, OperatorAction.FLATTEN)


def close(house: House, symbol: str) -> CycleReport:
    return order(house, OperatorAction.CLOSE, symbol)


def sold(house: House) -> dict[str, Decimal]:
    """Return the shares that the broker sold, by symbol."""
    shares: dict[str, Decimal] = {}
    for fill in house.broker.fills_since(house.parts.calendar.session_open(MONDAY)):
        if fill.side is Side.SELL:
            shares[fill.symbol] = shares.get(fill.symbol, Decimal(0)) + fill.quantity
    return shares


def halt(house: House, mode: GateMode = GateMode.HALTED) -> None:
    TradingGate(house.store, house.clock).set(mode, who="ben", why="storm")


def test_flatten_sells_every_managed_holding_and_nothing_else(house: House) -> None:
    report = flatten(house)
    assert report.outcome is Outcome.TRADED
    assert house.holdings() == house.ledger() == {"SIM_MANUAL": MANUAL}
    assert {line.purpose for line in report.orders} == {Purpose.FLATTEN}
    assert {line.symbol for line in report.orders} == {"SIM_A", "SIM_B", "SIM_C"}
    assert report.notes[0] == "flatten by ann: a bad feeling"
    assert report.slot == "operator-1"


def test_close_sells_one_holding_whole(house: House) -> None:
    before = house.holdings()
    report = close(house, "SIM_B")
    assert report.outcome is Outcome.TRADED
    assert house.holdings() == {s: n for s, n in before.items() if s != "SIM_B"} == house.ledger()
    assert [line.purpose for line in report.orders] == [Purpose.CLOSE]


def test_a_command_typed_twice_sells_once(house: House) -> None:
    flatten(house)
    once = sold(house)
    again = flatten(house)
    assert (again.outcome, again.code) == (Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO)
    assert (again.slot, again.orders) == ("operator-2", ())
    assert sold(house) == once


@pytest.mark.parametrize("mode", list(GateMode))
def test_a_person_gets_out_in_every_mode_of_the_gate(house: House, mode: GateMode) -> None:
    halt(house, mode)
    assert flatten(house).outcome is Outcome.TRADED
    assert house.holdings() == {"SIM_MANUAL": MANUAL}


def test_what_was_typed_is_kept_with_who_why_and_the_gate(house: House) -> None:
    halt(house)
    report = flatten(house)
    [entry] = [e for e in entries(house.store, 9) if e.action == "flatten"]
    assert entry.who == "ann"
    assert entry.detail == {"run_key": report.run_key, "subject": "", "why": "a bad feeling"}
    kept = Evidence(house.store).of_order("", report.run_key)
    assert kept[0].kind == EvidenceKind.COMMAND
    for word in ('"who":"ann"', '"why":"a bad feeling"', '"mode":"halted"'):
        assert word in kept[0].payload
    assert Evidence(house.store).verify(report.evidence_sha256) is None


def test_what_nobody_manages_is_refused_before_anything_is_done(house: House) -> None:
    with pytest.raises(RefuseRun) as refused:
        close(house, "SIM_MANUAL")
    assert refused.value.code is ReasonCode.UNMANAGED_TARGET
    assert entries(house.store, 9) == ()
    assert sold(house) == {}


def test_nothing_is_sold_while_the_exchange_is_closed(house: House) -> None:
    house.clock.advance_to(house.parts.calendar.session_close(MONDAY) + timedelta(hours=1))
    report = flatten(house)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.OUTSIDE_WINDOW)
    assert sold(house) == {}


def test_nothing_is_sold_while_a_run_is_in_progress(house: House) -> None:
    with house.parts.lease.held(), pytest.raises(SlotBusy):
        flatten(house)


def test_an_account_below_its_cash_floor_can_still_be_flattened(house: House) -> None:
    house.with_parts(policy=CapitalPolicy(cash_floor_usd=Decimal(10**6)))
    assert flatten(house).outcome is Outcome.TRADED
    assert house.holdings() == {"SIM_MANUAL": MANUAL}


def test_a_symbol_on_which_the_books_differ_is_not_sold(house: House) -> None:
    house.sell_by_hand("SIM_A", 3)
    report = close(house, "SIM_A")
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.QUANTITY_MISMATCH)
    assert sold(house) == {"SIM_A": Decimal(3)}


def test_the_next_run_buys_again_unless_trading_was_halted(house: House) -> None:
    halt(house)
    flatten(house)
    assert house.run(TUESDAY).code is ReasonCode.GATE_CLOSED
    TradingGate(house.store, house.clock).set(GateMode.ACTIVE, who="ben", why="sun")
    assert house.run(TUESDAY, "again").outcome is Outcome.TRADED
    assert house.ledger() == house.holdings()


def test_a_prospect_says_what_would_be_done_and_does_nothing(house: House) -> None:
    found = prospect(house.parts, OperatorCommand(OperatorAction.FLATTEN, "ann", "why"))
    assert {p.symbol for p in found.sells} == {"SIM_A", "SIM_B", "SIM_C"}
    assert found.cancels == ()
    assert sold(house) == {}
    assert entries(house.store, 9) == ()


class _Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


class _MortalBroker:
    """Passes calls on, and dies around the n-th submission."""

    def __init__(self, inner: SimulatedBroker, death: int, *, after: bool) -> None:
        self._inner = inner
        self._left = death
        self._after = after

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def submit(self, order: OrderRequest) -> Submission:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise _Killed
        answer = self._inner.submit(order)
        if self._left == 0:
            raise _Killed
        return answer


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("death", [1, 2, 3])
def test_killed_around_any_order_and_typed_again_it_sells_once(
    house: House, death: int, *, after: bool
) -> None:
    held = {s: n for s, n in house.holdings().items() if s in SYMBOLS}
    house.with_parts(broker=_MortalBroker(house.broker, death, after=after))
    with pytest.raises(_Killed):
        flatten(house)
    house.restart()
    flatten(house)
    assert sold(house) == held
    assert house.holdings() == house.ledger() == {"SIM_MANUAL": MANUAL}
    assert Evidence(house.store).verify() is None


def _commits_of_a_flatten(house: House) -> int:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(house.store.engine, "commit", count)
    flatten(house)
    event.remove(house.store.engine, "commit", count)
    return commits


def test_killed_at_any_commit_and_typed_again_it_sells_once(tmp_path: Path) -> None:
    def invested(name: str) -> House:
        (tmp_path / name).mkdir()
        house = House(tmp_path / name, always(Decision.weights({"SIM_A": 0.5, "SIM_B": 0.4})))
        house.run()
        return house

    commits = _commits_of_a_flatten(invested("whole"))
    assert commits > 10
    for number in range(1, commits + 1, 4):
        house = invested(str(number))
        held = house.holdings()
        left = number

        def count(_connection: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise _Killed

        event.listen(house.store.engine, "commit", count)
        with pytest.raises(_Killed):
            flatten(house)
        house.restart()
        flatten(house)
        assert (number, sold(house)) == (number, held)
        assert house.holdings() == house.ledger() == {}
        assert Evidence(house.store).verify() is None


def test_the_stop_of_a_closed_holding_goes_and_the_others_stay(tmp_path: Path) -> None:
    signals = tuple(
        Signal(symbol, SignalAction.BUY, Decimal(1), stop_loss_pct=Decimal(10))
        for symbol in ("SIM_A", "SIM_B")
    )
    house = House(tmp_path, always(replace(INVESTED, signals=signals)))
    house.run()
    assert {o.symbol for o in house.broker.open_orders()} == {"SIM_A", "SIM_B"}
    halt(house)
    found = prospect(house.parts, OperatorCommand(OperatorAction.CLOSE, "ann", "why", "SIM_A"))
    assert [(o.symbol, o.purpose) for o in found.cancels] == [("SIM_A", Purpose.STOP)]

    assert close(house, "SIM_A").outcome is Outcome.TRADED
    assert {o.symbol for o in house.broker.open_orders()} == {"SIM_B"}
    assert "SIM_A" not in house.holdings()
    report = order(house, OperatorAction.CANCEL_ALL)
    assert house.broker.open_orders() == ()
    assert report.notes[1].endswith("the next run places it again while its strategy asks for it")


def test_what_could_not_be_sold_gets_its_stop_back_also_in_a_halt(tmp_path: Path) -> None:
    signal = Signal("SIM_A", SignalAction.BUY, Decimal(1), stop_loss_pct=Decimal(10))
    house = House(tmp_path, always(replace(INVESTED, signals=(signal,))))
    house.run()
    [first] = house.broker.open_orders()
    halt(house)
    house.faults = [FaultSwitch(Fault.NO_FILL, symbol="SIM_A")]
    house.restart()

    assert close(house, "SIM_A").outcome is Outcome.FAILED
    [second] = house.broker.open_orders()
    assert (second.symbol, second.quantity) == (first.symbol, first.quantity)
    assert second.client_id != first.client_id


# ── Cancelling ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def working(tmp_path: Path) -> House:
    """Return an account whose run was killed while its first order works at the broker."""
    house = House(tmp_path, always(INVESTED), faults=[FaultSwitch(Fault.NO_FILL)])
    house.with_parts(broker=_MortalBroker(house.broker, 2, after=False))
    with pytest.raises(_Killed):
        house.run()
    house.restart()
    assert len(house.broker.open_orders()) == 1
    return house


def test_a_working_order_is_cancelled_by_the_start_of_its_id(working: House) -> None:
    [at_broker] = working.broker.open_orders()
    assert at_broker.client_id is not None
    report = order(working, OperatorAction.CANCEL, at_broker.client_id[:14])
    assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.OPERATOR_CANCEL)
    assert report.notes[1].endswith("rebalance: cancelled")
    assert working.broker.open_orders() == ()
    journal = Journal(working.store, working.clock)
    assert journal.get(at_broker.client_id).status is OrderStatus.CANCELLED


def test_cancel_all_leaves_nothing_of_ours_working_and_foreign_orders_alone(
    working: House,
) -> None:
    working.broker.submit(OrderRequest("not-ours", "SIM_MANUAL", Side.BUY, Decimal(1)))
    report = order(working, OperatorAction.CANCEL_ALL)
    assert report.code is ReasonCode.OPERATOR_CANCEL
    assert [o.client_id for o in working.broker.open_orders()] == ["not-ours"]
    journal = Journal(working.store, working.clock)
    assert journal.unfinished() == ()


def test_a_cancel_of_an_order_that_is_over_changes_nothing(house: House) -> None:
    filled = house.run(TUESDAY, "again")
    line = Journal(house.store, house.clock).of_run(filled.run_key.replace("again", "close"))
    before = Journal(house.store, house.clock).find("qpk-")
    report = order(house, OperatorAction.CANCEL, before[0].client_id)
    assert line == ()
    assert report.notes[1].endswith("filled")
    assert Journal(house.store, house.clock).find("qpk-") == before


@pytest.mark.parametrize("subject", ["nosuch", "qpk-"])
def test_a_cancel_must_mean_one_order(house: House, subject: str) -> None:
    with pytest.raises(ContractError, match=r"fits [03] orders"):
        order(house, OperatorAction.CANCEL, subject)
