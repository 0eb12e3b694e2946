"""Exit codes: a contract with every script that calls `qpk`; a number never changes its meaning."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from quant_platform_kit.contracts import CycleReport, Outcome
from quant_platform_kit.errors import (
    ContractError,
    PlatformError,
    RefuseRun,
    ReleaseRefused,
    SettingsError,
    SlotBusy,
)


class ExitCode(IntEnum):
    """Every way in which `qpk` ends; 1 is left to Python, for a defect.

    ==== ============== ============================================================
    code name           meaning
    ==== ============== ============================================================
    0    OK             done; a run ended TRADED or NO_ACTION
    2    USAGE          an argument is missing, unknown or malformed
    3    BLOCKED        a run ended BLOCKED, or was refused; no order was sent
    4    FAILED         a run ended FAILED: look at the account
    5    BUSY           another run of the account is in progress
    6    NOT_FOUND      no such run or order
    7    SETTINGS       a setting or a configuration file cannot be used
    8    CARD_FAILED    a broker's adapter does not do what it has to
    9    RELEASE        a step of a release was refused, or versions do not match
    10   OUTPUT         done, but the answer could not be written
    130  INTERRUPTED    stopped by Ctrl-C
    ==== ============== ============================================================
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Keep the number as the value and its meaning beside it."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done; a run ended TRADED or NO_ACTION"
    USAGE = 2, "an argument is missing, unknown or malformed"
    BLOCKED = 3, "a run ended BLOCKED, or was refused; no order was sent"
    FAILED = 4, "a run ended FAILED: look at the account"
    BUSY = 5, "another run of the account is in progress"
    NOT_FOUND = 6, "no such run or order"
    SETTINGS = 7, "a setting or a configuration file cannot be used"
    CARD_FAILED = 8, "a broker's adapter does not do what it has to"
    RELEASE = 9, "a step of a release was refused, or versions do not match"
    OUTPUT = 10, "done, but the answer could not be written"
    INTERRUPTED = 130, "stopped by Ctrl-C"


_BY_OUTCOME = {
    Outcome.TRADED: ExitCode.OK,
    Outcome.NO_ACTION: ExitCode.OK,
    Outcome.BLOCKED: ExitCode.BLOCKED,
    Outcome.FAILED: ExitCode.FAILED,
}

# The most particular class first: the first that fits counts.
_BY_ERROR: tuple[tuple[type[PlatformError], ExitCode], ...] = (
    (SettingsError, ExitCode.SETTINGS),
    (ReleaseRefused, ExitCode.RELEASE),
    (SlotBusy, ExitCode.BUSY),
    (RefuseRun, ExitCode.BLOCKED),
    (ContractError, ExitCode.USAGE),
    (PlatformError, ExitCode.FAILED),
)


def of_report(report: CycleReport) -> ExitCode:
    """Return how a run's outcome ends the command."""
    return _BY_OUTCOME[report.outcome]


def of_error(error: PlatformError) -> ExitCode:
    """Return how an error ends the command."""
    return next(code for kind, code in _BY_ERROR if isinstance(error, kind))
