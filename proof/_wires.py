"""The fault matrix: rebalances through the brokers' own SDKs, with every fault of their wires.

A service's runtime trades a plan of several legs through an SDK in its own process, over a wire to
a simulator in another one. While the slot runs, a fault strikes; then the broker is well again and
the slot is asked for until it is consumed. In the end the broker's own book is held against the
platform's.
"""

from __future__ import annotations

import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import select

from proof._crash import CLOSES, PLANS, answer_of
from proof._invariants import (
    WAITS,
    check_evidence,
    check_report,
    check_slot,
    require,
    what_broke,
)
from proof._wire_account import NEXT, SESSION, SETUP, FarBook, Plan, WireAccount, leave_alone
from proof._wire_cases import Cut, WireCase
from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.contracts import BrokerOrder, CycleReport, Fill, OrderStatus, Outcome
from quant_platform_kit.ledger import Ledger, Locks
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.simulators import WIRES, Occasion, WireFault, WireSwitch
from quant_platform_kit.simulators.schwab import wire_id
from quant_platform_kit.store import orders as order_rows

ONCE: Final = "an order reaches the broker once"
NONE_LOST: Final = "no execution is lost and none is counted twice"
BOOKS: Final = "the ledger's shares and cash are the broker's"
IN_TIME: Final = "a call is answered by its deadline"
RESTS: Final = "with the broker well, it comes to rest"
INVARIANTS: Final = {
    ONCE: "duplicates",
    NONE_LOST: "lost fills",
    BOOKS: "wrong books",
    IN_TIME: "hangs beyond the deadline",
}
"""What the matrix counts, and what it calls a break of each."""

_LEGS: Final = 4
_ATTEMPTS: Final = 4
_ZERO: Final = Decimal(0)
_LOT: Final = Decimal(1)
_CENT: Final = Decimal("0.01")
_SLOW_SECS: Final = (0.3, 12.0)  # an answer that comes in time, and one that does not
_FLIGHT_SECS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Calm:
    """What a run without a fault does.

    Parameters
    ----------
    calls : int
        Calls of the broker while the slot runs.
    held : mapping of str to Decimal
        What the broker holds in the end.
    """

    calls: int
    held: Mapping[str, Decimal]


@dataclass(slots=True)
class Tried:
    """What came of one case.

    Parameters
    ----------
    case : WireCase
    struck : bool
        Whether the fault had its occasion.
    outcome : str
        Of the slot while the fault was there.
    ending : str
        Of the slot once the broker was well.
    same : bool
        Whether the broker holds in the end what it holds after an undisturbed run.
    attempts : int
        How often the slot was asked for.
    longest_secs : float
        The longest call of the broker.
    broke : str
        The invariant that does not hold, and what was found; blank when all do.
    """

    case: WireCase
    struck: bool = False
    outcome: str = ""
    ending: str = ""
    same: bool = False
    attempts: int = 0
    longest_secs: float = 0.0
    broke: str = ""


@cache
def plan_of(*, stops: bool) -> Plan:
    """Return a plan of four legs, sales and purchases."""
    before, after = (answer_of(weights, stops=stops) for weights in PLANS[_LEGS])
    return Plan(CLOSES, before, after)


@cache
def calm(broker: str, *, stops: bool) -> Calm:
    """Run without a fault."""
    with (
        tempfile.TemporaryDirectory(prefix="qpk-wires-") as folder,
        WireAccount(broker, Path(folder), plan_of(stops=stops)) as account,
    ):
        reports, calls = [], []
        for session in (SETUP, SESSION, NEXT):
            before = account.watched.calls
            reports.append(_run(account, session))
            calls.append(account.watched.calls - before)
        outcomes = [report.outcome for report in reports]
        traded = [Outcome.TRADED, Outcome.TRADED, Outcome.NO_ACTION]
        require(outcomes == traded, "a run without a fault", [r.reason for r in reports])
        judge(account, reports)
        return Calm(calls[1], FarBook.of(account).held)


def try_case(case: WireCase) -> Tried:
    """Try one case, in a new account."""
    tried = Tried(case)
    with tempfile.TemporaryDirectory(prefix="qpk-wires-") as folder:
        try:
            with WireAccount(case.broker, Path(folder), plan_of(stops=case.stops)) as account:
                _go(account, tried)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            tried.broke = f"{what_broke(error)}\n  again: python -m proof wires --case '{case}'"
    return tried


def try_cases(pieces: Sequence[WireCase]) -> list[Tried]:
    """Try some cases, one after the other."""
    return [try_case(case) for case in pieces]


def _go(account: WireAccount, tried: Tried) -> None:
    case = tried.case
    undisturbed = calm(case.broker, stops=case.stops)
    setup = _run(account, SETUP)
    require(setup.outcome is Outcome.TRADED, "the account is set up", setup.reason)
    disturbed = _Disturbance(account, case, undisturbed.calls)
    disturbed.begin()
    report = _run(account, SESSION)
    tried.struck = disturbed.end()
    tried.outcome = _word(report)
    reports = [report]
    if zlib.crc32(str(case).encode()) % 2:
        account.restart()
    while not reports[-1].consumes_slot and len(reports) < _ATTEMPTS:
        reports.append(_run(account, SESSION))
    tried.attempts, tried.ending = len(reports), _word(reports[-1])
    require(reports[-1].consumes_slot, RESTS, [(r.code, r.reason) for r in reports])
    owners = _owners(case.broker, _every(account))
    slot = account.journal.of_run(reports[-1].run_key)
    check_slot(slot, _filled(FarBook.of(account), owners), _LOT)
    reports.append(_run(account, NEXT))
    require(reports[-1].consumes_slot, RESTS, reports[-1].reason)
    judge(account, reports)
    tried.same = FarBook.of(account).held == undisturbed.held
    tried.longest_secs = account.longest_secs


def _run(account: WireAccount, session: date) -> CycleReport:
    report = account.run(session)
    require(not account.watched.late, IN_TIME, account.watched.late)
    check_report(report)
    return report


class _Disturbance:
    """One case's trouble, while a slot runs."""

    def __init__(self, account: WireAccount, case: WireCase, calls: int) -> None:
        self._account = account
        self._case = case
        self._calls = calls
        self._secs = _SLOW_SECS[(case.nth or 0) % 2]
        self._cut = False
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Switch it on."""
        case, control = self._case, self._account.simulator.control
        trouble = case.trouble
        if isinstance(trouble, Cut):
            at = 1 + self._calls * (case.nth or 0) // 100
            self._account.watched.meddle = lambda call, _name: self._at(call, first + at, trouble)
            first = self._account.watched.calls
            return
        if case.occasion in {Occasion.CONNECT, Occasion.RENEW}:
            if case.occasion is Occasion.RENEW:
                self._account.restart()
                self._account.expire_token()
            self._account.kill_adapter()
        if isinstance(trouble, Fault):
            control.set_faults(FaultSwitch(trouble, nth=case.nth, delay_secs=2.0))
        elif case.occasion is not None:
            operation = WIRES[case.broker].operation(trouble, case.occasion)
            control.set_faults(WireSwitch(trouble, operation, nth=case.nth, seconds=self._secs))

    def end(self) -> bool:
        """Make the broker well again; tell whether the trouble struck."""
        if self._timer is not None:
            self._timer.join()
        self._account.watched.meddle = leave_alone
        control, trouble = self._account.simulator.control, self._case.trouble
        control.clear()
        if isinstance(trouble, Cut):
            control.plug()
            return self._cut
        if trouble is WireFault.CONNECTIVITY_LOST:
            time.sleep(self._secs)  # it ends by itself, and no sooner
        if isinstance(trouble, WireFault):
            return bool(control.health()["struck"].get(trouble.value))
        return True

    def _at(self, call: int, fatal: int, cut: Cut) -> None:
        if call != fatal:
            return
        self._cut = True
        if not self._case.in_flight or cut is Cut.RESTART:
            self._account.cut(cut)
            return
        wait = _FLIGHT_SECS * (zlib.crc32(str(self._case).encode()) % 100) / 100
        self._timer = threading.Timer(wait, self._account.cut, (cut,))
        self._timer.start()


def judge(account: WireAccount, reports: Sequence[CycleReport]) -> None:
    """Hold the broker's book against the platform's, once everything is at rest."""
    book, journal = FarBook.of(account), _every(account)
    owners = _owners(account.broker, journal)
    _check_once(book, owners)
    _check_fills(account, _filled(book, owners), journal)
    left = account.journal.unfinished()
    require(not left, RESTS, left)
    locked = Locks(account.store).all()
    require(not locked, RESTS, locked)
    ledger = Ledger(account.store)
    require(ledger.quantities() == book.held, BOOKS, (ledger.quantities(), book.held))
    ours = sum(ledger.cash().values(), _ZERO)
    require(abs(ours - book.cash_usd) < _CENT, BOOKS, (ours, book.cash_usd))
    require(book.cash_usd >= _ZERO, "cash is never negative", book.cash_usd)
    _check_stops(book)
    check_evidence(account, reports[-1].evidence_sha256)


def _check_once(book: FarBook, owners: Mapping[str, str]) -> None:
    # A refusal in the answer has no number by which anyone could know it.
    taken = [o for o in book.orders if o.status is not OrderStatus.REJECTED or o.client_id]
    ours = [_owner(order, owners) for order in taken]
    strange = [order for order, owner in zip(taken, ours, strict=True) if owner is None]
    require(not strange, ONCE, strange)
    twice = [owner for owner, times in Counter(ours).items() if times > 1]
    require(not twice, ONCE, twice)


def _check_fills(
    account: WireAccount, filled: Mapping[str, Decimal], journal: Mapping[str, JournalOrder]
) -> None:
    booked = account.journal.booked_quantities(journal)
    apart = {
        client_id: (filled.get(client_id, _ZERO), booked.get(client_id, _ZERO))
        for client_id in journal
        if filled.get(client_id, _ZERO) != booked.get(client_id, _ZERO)
    }
    require(not apart, NONE_LOST, apart)


def _check_stops(book: FarBook) -> None:
    stops = [o for o in book.orders if o.order_type in WAITS and not o.status.is_final]
    symbols = Counter(order.symbol for order in stops)
    twice = [symbol for symbol, times in symbols.items() if times > 1]
    require(not twice, "a symbol has one working stop at most", twice)
    larger = [stop for stop in stops if stop.quantity > book.held.get(stop.symbol, _ZERO)]
    require(not larger, "a stop is never for more than is held", larger)


def _every(account: WireAccount) -> dict[str, JournalOrder]:
    """Return the whole journal, by client id."""
    with account.store.begin() as connection:
        ids = connection.scalars(select(order_rows.c.client_id)).all()
    return {order.client_id: order for order in account.journal.of(ids)}


def _owners(broker: str, journal: Mapping[str, JournalOrder]) -> dict[str, str]:
    """Return the client id of each order by what the broker knows it by: a tag or a number."""
    if broker != "schwab":
        return {name: name for name in journal}
    numbers = {order.broker_order_id: name for name, order in journal.items()}
    return {number: name for number, name in numbers.items() if number is not None}


def _owner(row: BrokerOrder | Fill, owners: Mapping[str, str]) -> str | None:
    return owners.get(row.client_id or str(wire_id(row.broker_order_id)))


def _filled(book: FarBook, owners: Mapping[str, str]) -> dict[str, Decimal]:
    filled: dict[str, Decimal] = {}
    for fill in book.fills:
        owner = _owner(fill, owners)
        require(owner is not None, ONCE, fill)
        filled[str(owner)] = filled.get(str(owner), _ZERO) + fill.quantity
    return filled


def _word(report: CycleReport) -> str:
    return report.outcome.value if report.code is None else f"{report.outcome} {report.code}"
