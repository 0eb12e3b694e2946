"""The book of runs: attempts, what a resumed run keeps, and who gets which report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import CycleReport, Decision, Outcome, SleeveDecision
from quant_platform_kit.store import RunBook, RunFrame, Store

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
KEY = "ibkr-1:2020-03-31:close"
MakeReport = Callable[..., CycleReport]


@pytest.fixture
def book(store: Store) -> RunBook:
    return RunBook(store)


@pytest.fixture
def keep(book: RunBook, store: Store) -> Callable[[CycleReport], None]:
    """Return a function that finishes a run with a report."""

    def finish(report: CycleReport) -> None:
        with store.begin() as connection:
            book.finish(connection, report)

    return finish


def test_attempts_are_counted_by_run(book: RunBook) -> None:
    assert [book.open(KEY, NOW), book.open(KEY, NOW), book.open("other", NOW)] == [1, 2, 1]


def test_a_run_that_did_its_work_consumes_its_slot(
    book: RunBook, keep: Callable[[CycleReport], None], make_report: MakeReport
) -> None:
    book.open(KEY, NOW)
    assert book.consumed_report(KEY) is None
    report = make_report(KEY)
    keep(report)
    assert book.consumed_report(KEY) == book.report(KEY) == report


def test_a_blocked_run_is_remembered_and_its_slot_stays_free(
    book: RunBook, keep: Callable[[CycleReport], None], make_report: MakeReport
) -> None:
    book.open(KEY, NOW)
    blocked = make_report(KEY, outcome=Outcome.BLOCKED)
    keep(blocked)
    assert book.consumed_report(KEY) is None
    assert book.report(KEY) == blocked
    assert book.open(KEY, NOW) == 2


def test_what_a_run_decided_is_there_for_its_next_attempt(book: RunBook) -> None:
    frame = RunFrame(
        (SleeveDecision("example", Decision.weights({"SPY": 0.1}), "abc"),), Decimal("10000.10")
    )
    book.open(KEY, NOW)
    assert book.frame(KEY) is None
    book.save_frame(KEY, frame)
    book.open(KEY, NOW)
    assert book.frame(KEY) == frame
    assert book.frame("another run") is None


def test_a_report_is_undone_with_the_transaction_that_was_to_keep_it(
    book: RunBook, store: Store, make_report: MakeReport
) -> None:
    book.open(KEY, NOW)

    def cut_off() -> None:
        with store.begin() as connection:
            book.finish(connection, make_report(KEY))
            raise KeyError

    with pytest.raises(KeyError):
        cut_off()
    assert book.report(KEY) is None
    assert book.consumed_report(KEY) is None


def test_the_latest_reports_come_first_and_open_runs_have_none(
    book: RunBook, keep: Callable[[CycleReport], None], make_report: MakeReport
) -> None:
    for day in range(3):
        book.open(f"run-{day}", NOW + timedelta(days=day))
        if day < 2:
            keep(make_report(f"run-{day}"))
    assert [report.run_key for report in book.latest(5)] == ["run-1", "run-0"]
    assert [report.run_key for report in book.latest()] == ["run-1"]
