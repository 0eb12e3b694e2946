"""The clock: the only module of the platform that asks the machine for the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from quant_platform_kit.errors import ContractError


class Clock(Protocol):
    """What every part that needs the time is given; never the machine's clock itself."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> datetime:
        """Return the machine's present instant, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`; zero or less returns at once."""
        if seconds > 0:
            time.sleep(seconds)


class SimulatedClock:
    """A clock that moves only when it is told to, and never backwards.

    Backtests and tests run on it: `sleep` advances it instead of waiting. Safe to share between
    threads.

    Parameters
    ----------
    start : datetime
        The first instant, aware; kept in UTC.
    """

    __slots__ = ("_lock", "_now")

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start, "start")
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the simulated instant, aware, in UTC."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds` without waiting; zero or less changes nothing."""
        if seconds > 0:
            with self._lock:
                self._now += timedelta(seconds=seconds)

    def advance_to(self, instant: datetime) -> None:
        """Move to `instant`.

        Raises
        ------
        ContractError
            When `instant` is naive, or earlier than the clock's present.
        """
        target = _in_utc(instant, "instant")
        with self._lock:
            if target < self._now:
                raise ContractError(
                    f"SimulatedClock.instant = {target.isoformat()}: expected no earlier than the "
                    f"clock's {self._now.isoformat()}; simulated time never runs backwards"
                )
            self._now = target


def _in_utc(instant: datetime, field: str) -> datetime:
    if instant.utcoffset() is None:
        raise ContractError(f"SimulatedClock.{field} = {instant!r}: expected an aware datetime")
    return instant.astimezone(UTC)
