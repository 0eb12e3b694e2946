"""What moves the cash beside trades, through whole runs: told, untold, told late, and cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from quant_platform_kit.brokers import Dividend, DryRunBroker
from quant_platform_kit.contracts import (
    CashMovement,
    CycleReport,
    Decision,
    ExecutionMode,
    MovementKind,
    Outcome,
)
from quant_platform_kit.cycle import reconcile_now
from quant_platform_kit.errors import (
    BrokerAnswerError,
    PlatformError,
    ReasonCode,
    TransientError,
)
from quant_platform_kit.ledger import UNMANAGED, Kind, Ledger, Transaction
from quant_platform_kit.notify import Outbox, heartbeat
from quant_platform_kit.store import AccountLease, Evidence
from tests.house import FREE, MONDAY, TUESDAY, House, by_session
from tests.test_cards_corporate_actions import agrees, raw_market

WEDNESDAY = date(2020, 3, 4)
KEEP = Decision.hold("nothing new")
HALF = Decision.weights({"SIM_A": 0.5})
PAID = Decimal(50)  # a dollar on each of fifty shares


def invested(folder: Path) -> House:
    """Return a house that bought on Monday, before SIM_A pays a dollar on Tuesday."""
    market = raw_market({}, [Dividend("SIM_A", TUESDAY, Decimal(1))])
    script = by_session({MONDAY: HALF, TUESDAY: KEEP, WEDNESDAY: KEEP})
    house = House(folder, script, market=market, rules=FREE)
    assert house.run(MONDAY).outcome is Outcome.TRADED
    return house


def of_sleeve(house: House, sleeve: str = "scripted") -> list[Transaction]:
    """Return what came and went, but for trades, the opening and the sleeve's capital."""
    entries = Ledger(house.store).transactions(sleeve)
    usual = {Kind.BUY, Kind.ADOPTION}
    return [t for t in entries if t.kind not in usual and t.note != "capital"]


def profit(house: House) -> Decimal:
    """Return everything that the account earned, as the ledger has it."""
    ledger = Ledger(house.store)
    entries = (*ledger.transactions("scripted"), *ledger.transactions(UNMANAGED))
    return sum((entry.realised_usd for entry in entries), Decimal(0))


@dataclass
class Untold:
    """A broker that does not tell what moved the cash, or nothing yet."""

    inner: Any
    answer: PlatformError | tuple[CashMovement, ...] | None

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        if isinstance(self.answer, PlatformError):
            raise self.answer
        return self.answer


# ── Told ───────────────────────────────────────────────────────────────────────────────


def test_a_dividend_is_the_profit_of_the_sleeve_that_held_the_shares(tmp_path: Path) -> None:
    house = invested(tmp_path)
    report = house.run(TUESDAY)
    (entry,) = of_sleeve(house)
    assert (entry.kind, entry.amount_usd, entry.realised_usd) == (Kind.DIVIDEND, PAID, PAID)
    assert of_sleeve(house, UNMANAGED) == []
    assert report.notes == ("dividend booked: SIM_A +50.00 USD",)
    assert report.dividends_usd == {"SIM_A": PAID}
    assert agrees(house)
    assert house.run(WEDNESDAY).dividends_usd == {}
    assert Evidence(house.store).verify() is None


@pytest.mark.parametrize(
    ("language", "line"),
    [("en", "Dividends received: 50.00 USD · SIM_A"), ("zh", "收到股息：50.00 美元 · SIM_A")],
)
def test_the_heartbeat_tells_dividends_and_nothing_where_there_are_none(
    tmp_path: Path, language: str, line: str
) -> None:
    house = invested(tmp_path)
    assert line in heartbeat(house.run(TUESDAY), language).body.splitlines()
    quiet = heartbeat(house.run(WEDNESDAY), language).body
    assert line.partition(" ")[0][:4] not in quiet


def test_tax_interest_fees_and_deposits_are_booked_as_what_they_are(tmp_path: Path) -> None:
    house = invested(tmp_path)
    house.clock.advance_to(house.parts.calendar.session_open(TUESDAY))
    move = house.broker.move_cash
    move(MovementKind.TAX, Decimal("-7.50"), symbol="SIM_A")
    move(MovementKind.INTEREST, Decimal("0.31"))
    move(MovementKind.FEE, Decimal("-2.00"), text="account fee")
    move(MovementKind.TRANSFER, Decimal(1000), text="from my bank")
    report = house.run(TUESDAY)
    assert report.dividends_usd == {"SIM_A": Decimal("42.50")}
    assert {t.kind for t in of_sleeve(house)} == {Kind.DIVIDEND, Kind.TAX}
    pool = {t.kind: (t.amount_usd, t.realised_usd) for t in of_sleeve(house, UNMANAGED)}
    assert pool == {
        Kind.INTEREST: (Decimal("0.31"), Decimal("0.31")),
        Kind.FEE: (Decimal(-2), Decimal(-2)),
        Kind.TRANSFER: (Decimal(1000), Decimal(0)),
    }
    assert not any("bank" in note for note in report.notes)
    assert agrees(house)


def test_a_comparison_on_demand_books_what_moved_the_cash(tmp_path: Path) -> None:
    house = invested(tmp_path)
    house.clock.advance_to(house.parts.calendar.session_open(TUESDAY))
    assert reconcile_now(house.parts).notes == ("dividend booked: SIM_A +50.00 USD",)
    assert house.run(TUESDAY).notes == ()
    assert agrees(house)


def test_a_dry_run_sees_what_moved_the_real_account_s_cash(tmp_path: Path) -> None:
    house = invested(tmp_path)
    house.clock.advance_to(house.parts.calendar.session_open(TUESDAY))
    dry = DryRunBroker(house.broker, house.clock)
    since = house.parts.calendar.session_open(MONDAY)
    assert dry.cash_movements(since) == house.broker.cash_movements(since) != ()


def test_a_dry_run_of_an_account_that_was_paid_books_it_no_second_time(tmp_path: Path) -> None:
    house = invested(tmp_path)
    house.run(TUESDAY)
    scratch = House.opens(tmp_path / "scratch")
    scratch.seed_from(house.store)
    house.with_parts(
        mode=ExecutionMode.DRY_RUN,
        store=scratch,
        broker=DryRunBroker(house.broker, house.clock),
        lease=AccountLease(scratch, "ibkr-test", house.clock.now),
        outbox=Outbox(scratch, (), house.clock),
    )
    report = house.run(WEDNESDAY)
    assert (report.code, report.dividends_usd, report.notes) == (ReasonCode.HOLD, {}, ())


# ── Untold ─────────────────────────────────────────────────────────────────────────────


def transferred(house: House, report: CycleReport) -> None:
    """Require what was always done: cash that came or went, and nobody's profit."""
    (entry,) = of_sleeve(house, UNMANAGED)
    assert (entry.kind, entry.amount_usd, entry.realised_usd) == (Kind.TRANSFER, PAID, 0)
    assert report.notes[-1] == "cash that came or went outside the platform: +50.00 USD"
    assert report.dividends_usd == {}
    assert of_sleeve(house) == []
    assert agrees(house)


def test_a_broker_that_tells_nothing_is_dealt_with_as_ever(tmp_path: Path) -> None:
    house = invested(tmp_path)
    house.with_parts(broker=Untold(house.broker, None))
    report = house.run(TUESDAY)
    transferred(house, report)
    assert len(report.notes) == 1


@pytest.mark.parametrize(
    "error",
    [
        TransientError("It does not answer.", code=ReasonCode.BROKER_UNAVAILABLE),
        BrokerAnswerError("It cannot be read."),
    ],
    ids=["no answer", "rubbish"],
)
def test_a_question_that_fails_stops_nothing_and_a_later_answer_puts_it_right(
    tmp_path: Path, error: PlatformError
) -> None:
    house = invested(tmp_path)
    house.with_parts(broker=Untold(house.broker, error))
    report = house.run(TUESDAY)
    transferred(house, report)
    assert report.notes[0].startswith("the broker did not tell what moved the cash (")
    assert report.outcome is Outcome.NO_ACTION

    house.with_parts(broker=house.broker)
    report = house.run(WEDNESDAY)
    assert report.dividends_usd == {"SIM_A": PAID}
    assert report.notes == (
        "dividend booked: SIM_A +50.00 USD",
        "taken back, now that the broker tells what it was: -50.00 USD",
    )
    assert profit(house) == PAID
    assert sum(t.flow_usd for t in of_sleeve(house, UNMANAGED)) == 0
    assert agrees(house)


# ── Cut off ────────────────────────────────────────────────────────────────────────────


class _Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


@contextmanager
def killed_at_commit(house: House, number: int) -> Iterator[None]:
    """Die when the store is about to make its `number`-th commit durable."""
    left = number

    def count(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Killed

    event.listen(house.store.engine, "commit", count)
    yield
    event.remove(house.store.engine, "commit", count)


def test_whatever_commit_a_run_dies_at_a_dividend_is_booked_once_and_reported(
    tmp_path: Path,
) -> None:
    for number in range(1, 100, 2):
        house = invested(tmp_path / str(number))
        try:
            with killed_at_commit(house, number):
                house.run(TUESDAY)
        except _Killed:
            pass
        else:
            break
        house.restart()
        house.clock.advance_to(house.parts.calendar.session_open(TUESDAY))
        report = house.run(TUESDAY)
        assert [t.amount_usd for t in of_sleeve(house)] == [PAID], f"killed at commit {number}"
        assert report.dividends_usd == {"SIM_A": PAID}, f"killed at commit {number}"
        assert of_sleeve(house, UNMANAGED) == []
        assert agrees(house)
        assert Evidence(house.store).verify() is None
    assert number > 5
