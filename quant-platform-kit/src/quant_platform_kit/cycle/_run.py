"""One run of one slot: nine calls in a straight line, for dry runs, paper and live alike.

::

    1 open       run key, session window, kind of broker    -> Progress
    2 gather     declared inputs, with freshness            -> inputs, the sleeve's own view
    3 evaluate   the strategy, isolated and in its time     -> decision
    4 reconcile  unfinished orders, broker, ledger, losses  -> snapshot, standing
    5 command    trading gate, decisions, sleeves           -> target portfolio
    6 plan       differences, lots, cash, order             -> explained plan
    7 check      every leg through the risk checks          -> what may be sent
    8 execute    journal, submit, settle; sells before buys -> fills in the ledger
    9 report     the slot's one outcome                     -> CycleReport, heartbeats

Each step takes what is known so far and returns more of it; nothing is changed in place. This
module holds the one supervisor: whatever a step raises becomes the slot's outcome here.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from quant_platform_kit.contracts import CycleReport, CycleRequest, ExecutionMode
from quant_platform_kit.cycle import _steps
from quant_platform_kit.cycle._executing import execute_plan
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.cycle._report import report_run
from quant_platform_kit.errors import CalendarError, PlatformError
from quant_platform_kit.market import run_key
from quant_platform_kit.store import RunBook

DRY_RUN_SUFFIX = ":dry_run"
"""Ends the key of a run without consequences, so that it never stands for the real one."""

_log = logging.getLogger(__name__)


Step = Callable[[Parts, Progress], Progress]

_STEPS: tuple[Step, ...] = (
    _steps.open_slot,
    _steps.gather_declared,
    _steps.evaluate_strategies,
    _steps.reconcile_account,
    _steps.command_target,
    _steps.make_plan,
    _steps.check_plan,
    execute_plan,
)


@dataclass(frozen=True, slots=True)
class CycleResult:
    """A run's report; `repeated` when the slot had it already and nothing was done."""

    report: CycleReport
    repeated: bool = False


def run_cycle(parts: Parts, request: CycleRequest) -> CycleResult:
    """Run one slot, or return the report it already has.

    Raises
    ------
    SlotBusy
        When another run of the account is in progress.
    ContractError
        For a request that is malformed.
    """
    result = _leased(parts, request)
    parts.outbox.deliver()  # a slow channel must not keep the account's lease
    return result


def _leased(parts: Parts, request: CycleRequest) -> CycleResult:
    with parts.account_held():
        session = request.session or _todays_session(parts)
        key = _key(parts, request, session)
        first = RunBook(parts.store).consumed_report(key)
        if first is not None:
            return CycleResult(first, repeated=True)
        progress, error = _supervised(parts, request, session, key)
        return CycleResult(report_run(parts, progress, error))


def _supervised(
    parts: Parts, request: CycleRequest, session: date | None, key: str
) -> tuple[Progress, Exception | None]:
    now = parts.clock.now()
    progress = Progress(request, key, session, now, RunBook(parts.store).open(key, now))
    return walk(parts, progress, _STEPS)


def walk(
    parts: Parts, progress: Progress, steps: Sequence[Step]
) -> tuple[Progress, Exception | None]:
    """Walk the steps; on an error, return how far the run came together with the error."""
    try:
        for step in steps:
            progress = step(parts, progress)
    except PlatformError as error:
        return progress, error
    except Exception as error:  # noqa: BLE001 (the one supervisor: a defect must not go unreported)
        # The message may quote anything, a token included; the places in the code cannot.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("run %s failed with %s at\n%s", progress.run_key, type(error).__name__, frames)
        return progress, error
    return progress, None


def _todays_session(parts: Parts) -> date | None:
    """Return today's session; None also when the calendar cannot tell, as the first step says."""
    with suppress(CalendarError):
        return parts.calendar.current_session(parts.clock.now())
    return None


def _key(parts: Parts, request: CycleRequest, session: date | None) -> str:
    day = session or parts.clock.now().date()
    key = run_key(parts.account, day, request.slot)
    return key + DRY_RUN_SUFFIX if parts.mode is ExecutionMode.DRY_RUN else key
