"""An operator's orders: cancel, close a holding, flatten; through the same steps as a run.

A command that sells is a run without strategies: its target holds nothing of what is to be
closed. Planner, checks, journal, recovery and ledger are the cycle's own, so a command typed twice
sells once: the second time nothing is held. What a halt stops is a strategy; a person gets out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from quant_platform_kit.contracts import (
    CycleReport,
    CycleRequest,
    EvidenceKind,
    Fact,
    OperatorAction,
    OperatorCommand,
    OrderStatus,
    Position,
    TargetMode,
    TargetPortfolio,
)
from quant_platform_kit.cycle import _steps
from quant_platform_kit.cycle._account import open_desk
from quant_platform_kit.cycle._executing import execute_plan
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.cycle._report import report_run
from quant_platform_kit.cycle._run import Step, walk
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun, UnresolvedOrder
from quant_platform_kit.market import run_key
from quant_platform_kit.orders import Journal, JournalOrder, cancel, recover
from quant_platform_kit.risk import GateState, TradingGate, check_operator, record
from quant_platform_kit.store import RunBook, attest

_SLOT = "operator"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a command would do, as the account stands: nothing is held for it, it may change.

    Parameters
    ----------
    gate : GateState
    sells : tuple of Position
    cancels : tuple of JournalOrder
    """

    gate: GateState
    sells: tuple[Position, ...]
    cancels: tuple[JournalOrder, ...]


def prospect(parts: Parts, command: OperatorCommand) -> Prospect:
    """Return what `command` would do now; changes nothing.

    Raises
    ------
    ContractError
        When there is no such order, or more than one.
    RefuseRun
        ``UNMANAGED_TARGET``, when no sleeve manages the symbol.
    """
    sells: tuple[Position, ...] = ()
    if command.action.sells:
        wanted = _to_close(parts, command)
        sells = tuple(p for p in parts.broker.positions() if p.symbol in wanted)
        held = {position.symbol for position in sells}
        cancels = tuple(order for order in _working(parts) if order.symbol in held)
    else:
        cancels = _to_cancel(parts, command)
    return Prospect(TradingGate(parts.store, parts.clock).state(), sells, cancels)


def operate(parts: Parts, command: OperatorCommand) -> CycleReport:
    """Carry out an operator's command and report it as a run.

    Raises
    ------
    SlotBusy
        When a run of the account is in progress; a halt stops it after its present order.
    ContractError, RefuseRun
        As `prospect`; nothing was done.
    """
    check_operator(command.who, command.why)
    with parts.account_held():
        progress = _open(parts, command)
        steps = _SELLING if command.action.sells else _CANCELLING
        progress, error = walk(parts, progress, steps)
        report = report_run(parts, progress, error)
    parts.outbox.deliver()
    return report


def _open(parts: Parts, command: OperatorCommand) -> Progress:
    """Give the command a key of its own, and keep who gave it and why before it does anything."""
    prospect(parts, command)
    now = parts.clock.now()
    session = parts.calendar.current_session(now)
    slot, key = _free_slot(parts, session or now.date())
    attempt = RunBook(parts.store).open(key, now)
    gate = TradingGate(parts.store, parts.clock).state()
    asked = {"subject": command.subject, "why": command.why, "run_key": key}
    told = Fact(
        EvidenceKind.COMMAND,
        command.action.value,
        {"action": command.action, "who": command.who, **asked, "at": now, "gate": gate},
    )
    record(
        parts.store,
        command.who,
        command.action.value,
        asked,
        parts.clock,
        change=lambda connection: attest(connection, key, [told]),
    )
    return Progress(
        CycleRequest(slot, session),
        key,
        session,
        now,
        attempt,
        command=command,
        notes=(str(command),),
    )


def _free_slot(parts: Parts, day: date) -> tuple[str, str]:
    """Return the first slot of an operator's that the day has not used, and its key."""
    number = 1
    while RunBook(parts.store).knows(key := run_key(parts.account, day, f"{_SLOT}-{number}")):
        number += 1
    return f"{_SLOT}-{number}", key


# ── Selling ────────────────────────────────────────────────────────────────────────────


def _require_open_market(parts: Parts, progress: Progress) -> Progress:
    session, now = progress.known_session(), parts.clock.now()
    _steps.require_environment(parts)
    if parts.calendar.session_open(session) <= now < parts.calendar.session_close(session):
        return progress
    raise RefuseRun(
        f"It is {now:%H:%M} UTC and the exchange is not open; no order was sent. "
        "Give the command again in the session.",
        code=ReasonCode.OUTSIDE_WINDOW,
    )


def _want_nothing(parts: Parts, progress: Progress) -> Progress:
    """Let the target be zero for what is to be closed; whatever else is held is none of it."""
    symbols = tuple(sorted(_to_close(parts, _command(progress))))
    return replace(progress, target=TargetPortfolio(TargetMode.VALUE, symbols, ()))


def _to_close(parts: Parts, command: OperatorCommand) -> frozenset[str]:
    managed = frozenset(parts.owners())
    if command.action is OperatorAction.FLATTEN:
        return managed
    if command.subject not in managed:
        raise RefuseRun(
            f"{command.subject} is not managed here: what no strategy manages is never traded. "
            "No order was sent. Sell it at the broker.",
            code=ReasonCode.UNMANAGED_TARGET,
            symbol=command.subject,
        )
    return frozenset({command.subject})


_SELLING: tuple[Step, ...] = (
    _require_open_market,
    _steps.reconcile_account,
    _want_nothing,
    _steps.make_plan,
    _steps.check_plan,
    execute_plan,
)

# ── Cancelling ─────────────────────────────────────────────────────────────────────────


def _cancel(parts: Parts, progress: Progress) -> Progress:
    """Take orders off the broker's book; an order that filled before is booked, not undone."""
    command = _command(progress)
    desk = open_desk(parts, progress.run_key)
    asked = _to_cancel(parts, command)
    if command.action is OperatorAction.CANCEL_ALL:
        recover(desk)
    cancel(desk, [order for order in asked if not order.status.is_final])
    ended = [desk.journal.get(order.client_id) for order in asked]
    progress = replace(progress, notes=(*progress.notes, *map(_end_of, ended)))
    unsure = sorted({order.symbol for order in ended if not order.status.is_final})
    if unsure:
        raise UnresolvedOrder(
            f"The cancel in {', '.join(unsure)} is not confirmed: look at the broker. "
            "The next run or command asks again before it trades these."
        )
    return progress


def _to_cancel(parts: Parts, command: OperatorCommand) -> tuple[JournalOrder, ...]:
    if command.action is OperatorAction.CANCEL_ALL:
        return _working(parts)
    found = Journal(parts.store, parts.clock).find(command.subject)
    if len(found) != 1:
        raise ContractError(
            f"order = {command.subject!r}: expected the start of one client id, or one broker's "
            f"order id; it fits {len(found)} orders"
        )
    return found


def _working(parts: Parts) -> tuple[JournalOrder, ...]:
    journal = Journal(parts.store, parts.clock)
    return (*journal.unfinished(), *journal.resting())


def _end_of(order: JournalOrder) -> str:
    what = f"{order.side.value} {order.quantity:f} {order.symbol}, {order.purpose.value}"
    again = ""
    if order.purpose.protects and order.status is OrderStatus.CANCELLED:
        again = "; the next run places it again while its strategy asks for it"
    return f"{order.client_id}: {what}: {order.status.value}{again}"


_CANCELLING: tuple[Step, ...] = (_cancel,)


def _command(progress: Progress) -> OperatorCommand:
    if progress.command is None:
        raise ContractError("no operator's command in this run")
    return progress.command
