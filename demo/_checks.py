"""What has to be true after a replay; a claim that fails makes the demo fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from demo import _format as fmt
from demo._history import AccountHistory, Book
from demo._services import SlotRun
from quant_platform_kit.contracts import CycleReport, OrderStatus


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about the replay, and what was seen that contradicts it."""

    claim: str
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts the claim."""
        return not self.faults


def examine(
    accounts: Sequence[AccountHistory], sessions: Sequence[date], repeats: Sequence[SlotRun]
) -> tuple[Check, ...]:
    """Hold a replay against what it promised.

    Parameters
    ----------
    accounts : sequence of AccountHistory
    sessions : sequence of date
        The slots that were to run, for every account.
    repeats : sequence of SlotRun
        The answer of every account to a second call for its last slot, after its service was
        killed and started again.
    """
    return (
        _every_slot_ended(accounts, sessions),
        _every_order_is_final_and_unique(accounts),
        _fills_make_the_positions(accounts),
        _repeats_change_nothing(accounts, repeats),
    )


def _every_slot_ended(accounts: Sequence[AccountHistory], sessions: Sequence[date]) -> Check:
    faults = []
    for account in accounts:
        ran = [report.session for report in account.reports]
        if ran != list(sessions):
            faults.append(f"{account.account.platform}: sessions {ran} instead of {sessions}")
        faults += [
            f"{report.run_key}: {report.outcome} {report.code or ''} {report.reason}"
            for report in account.reports
            if not report.consumes_slot
        ]
    slots = fmt.count(len(accounts) * len(sessions), "slot")
    return Check(f"{slots}, each traded or left alone for a stated reason", tuple(faults))


def _every_order_is_final_and_unique(accounts: Sequence[AccountHistory]) -> Check:
    faults = []
    seen: set[str] = set()
    for account in accounts:
        for report in account.reports:
            for order in report.orders:
                if order.client_id in seen:
                    faults.append(f"{report.run_key}: {order.client_id} was sent twice")
                seen.add(order.client_id)
                if order.status is not OrderStatus.FILLED:
                    faults.append(f"{report.run_key}: {order.symbol} ended {order.status}")
    return Check(f"{fmt.count(len(seen), 'order')}, each sent once and filled", tuple(faults))


def _fills_make_the_positions(accounts: Sequence[AccountHistory]) -> Check:
    faults = [
        fault
        for account in accounts
        for book, report in zip(account.books, account.reports, strict=True)
        for fault in _differences(book, report)
    ]
    return Check("Fills add up to the broker's cash and positions, to the cent", tuple(faults))


def _differences(book: Book, report: CycleReport) -> list[str]:
    held = {line.symbol: line.quantity for line in report.positions if line.quantity}
    faults = []
    if held != book.quantities:
        faults.append(f"{report.run_key}: the broker holds {held}, fills make {book.quantities}")
    if report.cash_usd != book.cash_usd:
        faults.append(f"{report.run_key}: cash {report.cash_usd}, fills make {book.cash_usd}")
    return faults


def _repeats_change_nothing(
    accounts: Sequence[AccountHistory], repeats: Sequence[SlotRun]
) -> Check:
    faults = [
        f"{again.report.run_key}: a second call was answered by another report"
        for account, again in zip(accounts, repeats, strict=True)
        if not again.repeated or again.report != account.reports[-1]
    ]
    return Check(
        "Killed, restarted, asked again: each service gives its first report",
        tuple(faults),
    )
