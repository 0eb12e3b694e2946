"""Whether somebody has to act: what a message says first, at three in the morning."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from quant_platform_kit.contracts import CycleReport, ExecutionMode, Outcome
from quant_platform_kit.errors import ReasonCode


class Urgency(IntEnum):
    """How soon an operator has to look."""

    NONE = 0
    TODAY = 1
    NOW = 2


# Holdings are without what protects them, or nothing trades until a person says so.
_NOW = frozenset({ReasonCode.GATE_CLOSED, ReasonCode.STOP_MISSING})
# A part of the account is left alone, or something happened that the owner wants to know.
_TODAY = frozenset(
    {
        ReasonCode.BIAS_UNUSABLE,
        ReasonCode.BROKER_NOTICE,
        ReasonCode.FOREIGN_ORDER,
        ReasonCode.ORDER_REJECTED,
        ReasonCode.ORDER_UNRESOLVED,
        ReasonCode.OUTSIDE_WINDOW,
        ReasonCode.QUANTITY_MISMATCH,
        ReasonCode.SELLS_UNFILLED,
        ReasonCode.STOP_FILLED,
    }
)


def urgency(report: CycleReport) -> tuple[Urgency, tuple[ReasonCode, ...]]:
    """Return how soon to look at what a run reports, and why, the gravest first.

    A slot that failed needs a person now: orders were sent and their end is not as meant, or the
    account is not what it should be. One that was blocked sent nothing and may be run again. A
    dry run has no account to lose.
    """
    of_outcome = {Outcome.FAILED: Urgency.NOW, Outcome.BLOCKED: Urgency.TODAY}
    least = of_outcome.get(report.outcome, Urgency.NONE)
    found = {code: _of_code(code) for code in _told(report) if _of_code(code)}
    if least and report.code is not None:
        found[report.code] = max(least, found.get(report.code, least))
    worst = max(least, *found.values(), Urgency.NONE)
    if report.mode is ExecutionMode.DRY_RUN:
        worst = min(worst, Urgency.TODAY)
    return worst, tuple(sorted(found, key=lambda code: (-found[code], code)))


def _of_code(code: str) -> Urgency:
    if code in _NOW:
        return Urgency.NOW
    return Urgency.TODAY if code in _TODAY else Urgency.NONE


def _told(report: CycleReport) -> Iterator[ReasonCode]:
    """Return the codes beside the outcome's own: of notes, orders and what was not traded."""
    codes = {code.value: code for code in ReasonCode}
    for note in report.notes:
        if (head := note.partition(":")[0]) in codes:
            yield codes[head]
    for order in report.orders:
        if order.code is not None:
            yield order.code
    for skipped in report.skipped:
        # A gate that an operator has narrowed does what it should.
        if skipped.code is not ReasonCode.GATE_CLOSED:
            yield skipped.code
