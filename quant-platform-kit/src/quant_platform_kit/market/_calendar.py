"""The exchange's sessions: which days trade, and when each one opens and closes.

The answers come from a table of exceptions that ships with the kit (`xnys.csv`: weekdays without
a session, and early closes in New York time), because the libraries that compute them cost a
second of start-up. `scripts/generate_xnys.py` writes the table; a test holds it against
`exchange_calendars`.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from quant_platform_kit.errors import CalendarError, ContractError

NEW_YORK = ZoneInfo("America/New_York")
_OPEN = time(9, 30)
_CLOSE = time(16)
_SATURDAY = 5
_BOUNDS = _BEGINS, _ENDS = ("table begins", "table ends")
_QUARTER_MONTHS = 3


class ExchangeCalendar:
    """Sessions of one US exchange between two days, both included.

    Every method that is given a day outside the table raises `CalendarError`: an unknown day is
    never taken for a holiday.

    Parameters
    ----------
    name : str
        The exchange's market identifier code, for messages.
    first_day, last_day : date
        The days the table covers.
    closed : collection of date
        Weekdays without a session.
    early_closes : mapping of date to time
        Sessions that close early, with their New York closing time.
    """

    __slots__ = ("_early_closes", "_sessions", "first_day", "last_day", "name")

    def __init__(
        self,
        *,
        name: str,
        first_day: date,
        last_day: date,
        closed: Collection[date],
        early_closes: Mapping[date, time],
    ) -> None:
        days = map(date.fromordinal, range(first_day.toordinal(), last_day.toordinal() + 1))
        self.name = name
        self.first_day = first_day
        self.last_day = last_day
        self._sessions = tuple(
            day for day in days if day.weekday() < _SATURDAY and day not in closed
        )
        self._early_closes = dict(early_closes)

    def is_session(self, day: date) -> bool:
        """Return whether the exchange trades on `day`."""
        self._require_covered(day)
        index = bisect_left(self._sessions, day)
        return index < len(self._sessions) and self._sessions[index] == day

    def session_open(self, session: date) -> datetime:
        """Return the instant the session opens, aware, in UTC."""
        self._require_session(session)
        return datetime.combine(session, _OPEN, NEW_YORK).astimezone(UTC)

    def session_close(self, session: date) -> datetime:
        """Return the instant the session closes, aware, in UTC; early closes included."""
        self._require_session(session)
        close = self._early_closes.get(session, _CLOSE)
        return datetime.combine(session, close, NEW_YORK).astimezone(UTC)

    def is_early_close(self, session: date) -> bool:
        """Return whether the session ends before the usual closing time."""
        self._require_session(session)
        return session in self._early_closes

    def sessions(self, start: date, end: date) -> tuple[date, ...]:
        """Return the sessions from `start` to `end`, both included, ascending."""
        self._require_covered(start)
        self._require_covered(end)
        return self._sessions[
            bisect_left(self._sessions, start) : bisect_right(self._sessions, end)
        ]

    def previous(self, day: date) -> date:
        """Return the last session strictly before `day`, which need not be a session."""
        self._require_covered(day)
        return self._at(bisect_left(self._sessions, day) - 1, f"before {day}")

    def next(self, day: date) -> date:
        """Return the first session strictly after `day`, which need not be a session."""
        self._require_covered(day)
        return self._at(bisect_right(self._sessions, day), f"after {day}")

    def offset(self, session: date, count: int) -> date:
        """Return the session `count` sessions after `session`; before it when negative."""
        self._require_session(session)
        index = bisect_left(self._sessions, session)
        return self._at(index + count, f"{count:+d} sessions from {session}")

    def sessions_between(self, start: date, end: date) -> int:
        """Return the age of `start` at `end` in sessions: those after `start`, up to `end`.

        Neither day need be a session. Friday to the next Monday is 1; a day to itself is 0; the
        count is negative when `start` lies after `end`.
        """
        self._require_covered(start)
        self._require_covered(end)
        return bisect_right(self._sessions, end) - bisect_right(self._sessions, start)

    def first_session_of_month(self, day: date) -> date:
        """Return the first session of the month that holds `day`."""
        first = day.replace(day=1)
        self._require_covered(first)
        return self._at(bisect_left(self._sessions, first), f"in the month of {day}")

    def last_session_of_month(self, day: date) -> date:
        """Return the last session of the month that holds `day`."""
        last = _last_day_of_month(day)
        self._require_covered(last)
        return self._at(bisect_right(self._sessions, last) - 1, f"in the month of {day}")

    def is_last_session_of_month(self, day: date) -> bool:
        """Return whether `day` is its month's last session; False when it is no session."""
        return self.last_session_of_month(day) == day

    def is_last_session_of_quarter(self, day: date) -> bool:
        """Return whether `day` is its calendar quarter's last session."""
        return self.is_last_session_of_month(day) and day.month % _QUARTER_MONTHS == 0

    def current_session(self, now: datetime) -> date | None:
        """Return the session of `now`'s New York calendar day; None when that day has none.

        The session is the day's from midnight to midnight: before the open and after the close
        too.
        """
        day = _new_york_day(now)
        return day if self.is_session(day) else None

    def last_complete_session(self, now: datetime) -> date:
        """Return the last session that had closed at `now`."""
        day = _new_york_day(now)
        if self.is_session(day) and self.session_close(day) <= now:
            return day
        return self.previous(day)

    def _require_session(self, day: date) -> None:
        if not self.is_session(day):
            raise CalendarError(
                f"{day} is not a session of {self.name}, so nothing may trade on it. Ask for a "
                "session date: ExchangeCalendar.previous and ExchangeCalendar.next find one."
            )

    def _at(self, index: int, what: str) -> date:
        if not 0 <= index < len(self._sessions):
            raise self._not_covered(f"the session {what}")
        return self._sessions[index]

    def _require_covered(self, day: date) -> None:
        if not self.first_day <= day <= self.last_day:
            raise self._not_covered(str(day))

    def _not_covered(self, what: str) -> CalendarError:
        return CalendarError(
            f"{what} lies outside the {self.name} session table ({self.first_day} to "
            f"{self.last_day}), so no order may be sent for it. Move LAST_DAY in "
            "scripts/generate_xnys.py, run the script and release the kit."
        )


@cache
def xnys() -> ExchangeCalendar:
    """Return the calendar of the New York Stock Exchange (XNYS), read once per process.

    Raises
    ------
    CalendarError
        When the table that ships with the kit is missing or damaged.
    """
    from importlib import resources  # 15 ms that a service start can do without

    try:
        text = resources.files(__package__).joinpath("xnys.csv").read_text(encoding="utf-8")
    except OSError as error:
        raise CalendarError(
            "The XNYS session table is missing: no session is known and no order may be sent. "
            "Reinstall quant-platform-kit."
        ) from error
    return parse_table("XNYS", text)


def parse_table(name: str, text: str) -> ExchangeCalendar:
    """Build a calendar from the text of its table of exceptions.

    Parameters
    ----------
    name : str
        The exchange's market identifier code.
    text : str
        CSV with the columns ``date`` and ``event``; an event is ``table begins``, ``table ends``,
        ``closed``, or the New York time (``HH:MM``) of an early close.

    Raises
    ------
    CalendarError
        When a line cannot be read, or a bound of the table is absent.
    """
    bounds: dict[str, date] = {}
    closed: set[date] = set()
    early_closes: dict[date, time] = {}
    reader = csv.DictReader(text.splitlines())
    for row in reader:
        try:
            day, event = date.fromisoformat(row["date"]), row["event"]
            if event in _BOUNDS:
                bounds[event] = day
            elif event == "closed":
                closed.add(day)
            else:
                early_closes[day] = time.fromisoformat(event)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(name, f"line {reader.line_num} reads {row!r}") from error
    if len(bounds) != len(_BOUNDS):
        raise _damaged(name, "its first or last day is absent")
    return ExchangeCalendar(
        name=name,
        first_day=bounds[_BEGINS],
        last_day=bounds[_ENDS],
        closed=closed,
        early_closes=early_closes,
    )


def _damaged(name: str, what: str) -> CalendarError:
    return CalendarError(
        f"The {name} session table is damaged: {what}. No session is known and no order may be "
        "sent. Reinstall quant-platform-kit, or write the table again with "
        "`python scripts/generate_xnys.py`."
    )


def _new_york_day(now: datetime) -> date:
    if now.utcoffset() is None:
        raise ContractError(f"ExchangeCalendar.now = {now!r}: expected an aware datetime")
    return now.astimezone(NEW_YORK).date()


def _last_day_of_month(day: date) -> date:
    into_next_month = day.replace(day=28) + timedelta(days=4)
    return into_next_month - timedelta(days=into_next_month.day)
