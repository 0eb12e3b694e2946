"""Slots: the named times of a session at which an account may run, and the key of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market._calendar import ExchangeCalendar

_SLOT_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ACCOUNT = re.compile(r"[^\s:]+")


def _check_slot_name(name: str) -> None:
    if _SLOT_NAME.fullmatch(name) is None:
        raise ContractError(f"Slot.name = {name!r}: expected letters, digits, '-', '_' or '.'")


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of the session, measured back from its close, so that early closes move it along.

    Parameters
    ----------
    name : str
        Letters, digits, ``-``, ``_`` and ``.``; part of every run key.
    opens_before_close_mins : int
        Minutes before the session's close at which the window opens.
    closes_before_close_mins : int
        Minutes before the session's close at which it ends; smaller than the above.
    """

    name: str
    opens_before_close_mins: int
    closes_before_close_mins: int

    def __post_init__(self) -> None:
        """Refuse a slot without a usable name, or whose window is empty or after the close."""
        _check_slot_name(self.name)
        if not 0 <= self.closes_before_close_mins < self.opens_before_close_mins:
            raise ContractError(
                f"Slot.closes_before_close_mins = {self.closes_before_close_mins!r}: expected at "
                f"least 0 and less than opens_before_close_mins ({self.opens_before_close_mins!r})"
            )


@dataclass(frozen=True, slots=True)
class SlotWindow:
    """When one slot of one session may run: from `opens_at`, until just before `closes_at`."""

    session: date
    slot: Slot
    opens_at: datetime
    closes_at: datetime

    def contains(self, now: datetime) -> bool:
        """Return whether a run may start at `now`."""
        return self.opens_at <= now < self.closes_at


CLOSE_SLOT: Final = Slot("close", opens_before_close_mins=30, closes_before_close_mins=5)

SLOTS: Final[Mapping[str, Slot]] = MappingProxyType({CLOSE_SLOT.name: CLOSE_SLOT})
"""The scheduled slots by name; a manual run names a slot of its own."""


def window(calendar: ExchangeCalendar, slot: Slot, session: date) -> SlotWindow:
    """Return the window of `slot` in `session`.

    Raises
    ------
    CalendarError
        When `session` is not a session of `calendar`.
    """
    close = calendar.session_close(session)
    return SlotWindow(
        session=session,
        slot=slot,
        opens_at=close - timedelta(minutes=slot.opens_before_close_mins),
        closes_at=close - timedelta(minutes=slot.closes_before_close_mins),
    )


def resolve(calendar: ExchangeCalendar, slot: Slot, now: datetime) -> SlotWindow | None:
    """Return the window of `slot` in the session of `now`; None when that day has no session.

    The window need not contain `now`: before it opens and after it has closed the answer is the
    same, and the caller asks `SlotWindow.contains`.
    """
    session = calendar.current_session(now)
    return None if session is None else window(calendar, slot, session)


def run_key(account: str, session: date, slot_name: str) -> str:
    """Return the key under which a slot runs once: ``account:YYYY-MM-DD:slot``.

    The session comes from the calendar, never from the hour of the trigger, and the strategy is
    no part of the key: a switch during the day cannot trade the slot twice.

    Raises
    ------
    ContractError
        When `account` is blank or holds a space or a colon, or `slot_name` is no slot name.
    """
    if _ACCOUNT.fullmatch(account) is None:
        # The value stays out of the message: an account number must not reach a log.
        raise ContractError("run_key.account: expected a name without spaces or colons")
    _check_slot_name(slot_name)
    return f"{account}:{session:%Y-%m-%d}:{slot_name}"
