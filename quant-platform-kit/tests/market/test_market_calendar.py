"""The shipped session table against `exchange_calendars`, and every question it answers."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import exchange_calendars  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import CalendarError, ContractError, ReasonCode
from quant_platform_kit.market import ExchangeCalendar, xnys
from quant_platform_kit.market._calendar import parse_table

GENERATOR = Path(__file__).parents[2] / "scripts" / "generate_xnys.py"
FIRST, LAST = date(2000, 1, 1), date(2027, 12, 31)

inside = st.dates(date(1990, 2, 1), date(2030, 11, 30))


@pytest.fixture(scope="module")
def calendar() -> ExchangeCalendar:
    return xnys()


@pytest.fixture(scope="module")
def oracle() -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST))


def test_every_session_from_2000_to_2027_is_the_oracles(
    calendar: ExchangeCalendar, oracle: exchange_calendars.ExchangeCalendar
) -> None:
    expected = tuple(session.date() for session in oracle.sessions)

    assert calendar.sessions(FIRST, LAST) == expected


def test_every_open_and_close_from_2000_to_2027_is_the_oracles(
    calendar: ExchangeCalendar, oracle: exchange_calendars.ExchangeCalendar
) -> None:
    sessions = calendar.sessions(FIRST, LAST)

    assert [calendar.session_open(s) for s in sessions] == oracle.opens.dt.to_pydatetime().tolist()
    assert [calendar.session_close(s) for s in sessions] == (
        oracle.closes.dt.to_pydatetime().tolist()
    )


def test_every_early_close_from_2000_to_2027_is_the_oracles(
    calendar: ExchangeCalendar, oracle: exchange_calendars.ExchangeCalendar
) -> None:
    early = [s for s in calendar.sessions(FIRST, LAST) if calendar.is_early_close(s)]

    assert early == [session.date() for session in oracle.early_closes]


def test_the_shipped_table_is_byte_for_byte_what_the_script_writes(tmp_path: Path) -> None:
    script = runpy.run_path(str(GENERATOR))
    fresh = tmp_path / "xnys.csv"

    assert script["main"](["--table", str(fresh)]) == 0
    assert fresh.read_bytes() == script["TABLE"].read_bytes()


def test_the_script_tells_a_current_table_from_an_outdated_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = runpy.run_path(str(GENERATOR))
    outdated = tmp_path / "xnys.csv"
    outdated.write_bytes(script["TABLE"].read_bytes().replace(b"2025-01-09,closed\n", b""))

    assert script["main"](["--check"]) == 0
    assert script["main"](["--check", "--table", str(outdated)]) == 1
    assert "run it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("session", "close"),
    [
        (date(2024, 3, 8), datetime(2024, 3, 8, 21, tzinfo=UTC)),  # the last before summer time
        (date(2024, 3, 11), datetime(2024, 3, 11, 20, tzinfo=UTC)),  # the first of it
        (date(2024, 11, 1), datetime(2024, 11, 1, 20, tzinfo=UTC)),  # the last of it
        (date(2024, 11, 4), datetime(2024, 11, 4, 21, tzinfo=UTC)),
        (date(2024, 11, 29), datetime(2024, 11, 29, 18, tzinfo=UTC)),  # the day after Thanksgiving
        (date(1991, 12, 24), datetime(1991, 12, 24, 19, tzinfo=UTC)),  # closed at two, then
    ],
)
def test_closes_follow_summer_time_and_half_days(
    calendar: ExchangeCalendar, session: date, close: datetime
) -> None:
    assert calendar.session_close(session) == close
    assert calendar.session_close(session).tzinfo is UTC


@pytest.mark.parametrize(
    "day",
    [
        date(2001, 9, 11),
        date(2012, 10, 29),
        date(2025, 1, 9),
        date(2024, 7, 4),
        date(2024, 7, 6),
        date(2024, 7, 7),
    ],
)
def test_closures_holidays_and_weekends_are_no_sessions(
    calendar: ExchangeCalendar, day: date
) -> None:
    assert not calendar.is_session(day)
    for question in (calendar.session_open, calendar.session_close, calendar.is_early_close):
        with pytest.raises(CalendarError, match=f"{day} is not a session of XNYS"):
            question(day)


def test_neighbours_are_found_from_sessions_and_from_closed_days(
    calendar: ExchangeCalendar,
) -> None:
    assert calendar.previous(date(2024, 7, 4)) == date(2024, 7, 3)
    assert calendar.next(date(2024, 7, 4)) == date(2024, 7, 5)
    assert calendar.previous(date(2024, 7, 8)) == date(2024, 7, 5)
    assert calendar.next(date(2024, 7, 5)) == date(2024, 7, 8)


def test_offset_counts_sessions_both_ways(calendar: ExchangeCalendar) -> None:
    assert calendar.offset(date(2024, 7, 3), 0) == date(2024, 7, 3)
    assert calendar.offset(date(2024, 7, 3), 2) == date(2024, 7, 8)
    assert calendar.offset(date(2024, 7, 8), -2) == date(2024, 7, 3)
    with pytest.raises(CalendarError, match="not a session"):
        calendar.offset(date(2024, 7, 4), 1)


@pytest.mark.parametrize(
    ("start", "end", "age"),
    [
        (date(2024, 7, 5), date(2024, 7, 5), 0),
        (date(2024, 7, 5), date(2024, 7, 7), 0),
        (date(2024, 7, 5), date(2024, 7, 8), 1),
        (date(2024, 7, 6), date(2024, 7, 8), 1),
        (date(2024, 6, 28), date(2024, 7, 8), 5),
        (date(2024, 7, 8), date(2024, 7, 5), -1),
    ],
)
def test_age_is_counted_in_sessions(
    calendar: ExchangeCalendar, start: date, end: date, age: int
) -> None:
    assert calendar.sessions_between(start, end) == age


def test_months_and_quarters_end_on_their_last_session(calendar: ExchangeCalendar) -> None:
    good_friday_quarter_end = date(2024, 3, 28)

    assert calendar.last_session_of_month(date(2024, 3, 5)) == good_friday_quarter_end
    assert calendar.first_session_of_month(date(2024, 9, 17)) == date(2024, 9, 3)
    assert calendar.is_last_session_of_month(good_friday_quarter_end)
    assert calendar.is_last_session_of_quarter(good_friday_quarter_end)
    assert not calendar.is_last_session_of_month(date(2024, 3, 29))
    assert not calendar.is_last_session_of_quarter(date(2024, 3, 29))
    assert calendar.is_last_session_of_month(date(2024, 5, 31))
    assert not calendar.is_last_session_of_quarter(date(2024, 5, 31))
    assert calendar.is_last_session_of_quarter(date(2024, 12, 31))


def test_the_tables_own_last_month_can_be_asked_about(calendar: ExchangeCalendar) -> None:
    assert calendar.is_last_session_of_month(date(2030, 12, 31))
    assert calendar.first_session_of_month(date(1990, 1, 31)) == date(1990, 1, 2)


@pytest.mark.parametrize(
    ("now", "current", "complete"),
    [
        # 03:59 UTC is still the evening before in New York.
        (datetime(2024, 7, 3, 3, 59, tzinfo=UTC), date(2024, 7, 2), date(2024, 7, 2)),
        (datetime(2024, 7, 3, 4, 0, tzinfo=UTC), date(2024, 7, 3), date(2024, 7, 2)),
        (datetime(2024, 7, 3, 16, 59, 59, tzinfo=UTC), date(2024, 7, 3), date(2024, 7, 2)),
        (datetime(2024, 7, 3, 17, 0, tzinfo=UTC), date(2024, 7, 3), date(2024, 7, 3)),
        (datetime(2024, 7, 4, 18, 0, tzinfo=UTC), None, date(2024, 7, 3)),
        (datetime(2024, 7, 7, 18, 0, tzinfo=UTC), None, date(2024, 7, 5)),
    ],
)
def test_an_instant_belongs_to_the_session_of_its_new_york_day(
    calendar: ExchangeCalendar, now: datetime, current: date | None, complete: date
) -> None:
    assert calendar.current_session(now) == current
    assert calendar.last_complete_session(now) == complete


def test_a_naive_instant_has_no_session(calendar: ExchangeCalendar) -> None:
    naive = datetime(2024, 7, 3, 12)  # noqa: DTZ001 (what is refused here)

    for question in (calendar.current_session, calendar.last_complete_session):
        with pytest.raises(ContractError, match=r"ExchangeCalendar\.now .* aware"):
            question(naive)


@pytest.mark.parametrize("day", [date(1989, 12, 31), date(2031, 1, 1)])
def test_a_day_outside_the_table_is_an_error_and_never_a_holiday(
    calendar: ExchangeCalendar, day: date
) -> None:
    midday = datetime.combine(day, time(17), UTC)
    for question in (
        lambda: calendar.is_session(day),
        lambda: calendar.session_close(day),
        lambda: calendar.sessions(day, day),
        lambda: calendar.previous(day),
        lambda: calendar.next(day),
        lambda: calendar.sessions_between(day, date(2024, 1, 2)),
        lambda: calendar.is_last_session_of_month(day),
        lambda: calendar.current_session(midday),
        lambda: calendar.last_complete_session(midday),
    ):
        with pytest.raises(
            CalendarError, match=r"1990-01-01 to 2030-12-31.*generate_xnys"
        ) as error:
            question()
        assert error.value.code is ReasonCode.CALENDAR_UNREADABLE


def test_there_is_no_session_beyond_either_end_of_the_table(calendar: ExchangeCalendar) -> None:
    with pytest.raises(CalendarError, match="before 1990-01-02"):
        calendar.previous(date(1990, 1, 2))
    with pytest.raises(CalendarError, match="after 2030-12-31"):
        calendar.next(date(2030, 12, 31))
    with pytest.raises(CalendarError, match=r"\+1 sessions from 2030-12-31"):
        calendar.offset(date(2030, 12, 31), 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("date,event\n2024-01-01,table begins\n", "first or last day is absent"),
        ("day,event\n2024-01-01,closed\n", "line 2"),
        ("date,event\n2024-01-01\n", "line 2"),
        ("date,event\n2024-01-01,table begins\n2024-01-32,closed\n", "line 3"),
        ("date,event\n2024-01-01,table begins\n2024-01-02,shut\n", "line 3"),
    ],
)
def test_a_damaged_table_is_refused_and_says_where(text: str, complaint: str) -> None:
    with pytest.raises(CalendarError, match=complaint) as error:
        parse_table("XNYS", text)

    assert "no order may be sent" in str(error.value)


@given(day=inside)
def test_next_and_previous_enclose_every_day(day: date) -> None:
    calendar = xnys()
    before, after = calendar.previous(day), calendar.next(day)

    assert before < day < after
    assert calendar.sessions(before, after) == (
        (before, day, after) if calendar.is_session(day) else (before, after)
    )


@given(start=inside, end=inside)
def test_age_agrees_with_the_list_of_sessions(start: date, end: date) -> None:
    calendar = xnys()
    later = calendar.sessions(start + timedelta(days=1), end)

    assert calendar.sessions_between(start, end) == len(later) or start > end
    assert calendar.sessions_between(start, end) == -calendar.sessions_between(end, start)


@given(day=inside)
def test_every_month_has_exactly_one_last_session(day: date) -> None:
    calendar = xnys()
    first, last = calendar.first_session_of_month(day), calendar.last_session_of_month(day)
    month = calendar.sessions(first, last)

    assert [s for s in month if calendar.is_last_session_of_month(s)] == [last]
    assert calendar.next(last).month != last.month
    assert calendar.previous(first).month != first.month


def test_the_calendar_costs_no_heavy_import() -> None:
    program = (
        "import sys\n"
        "from datetime import date\n"
        "from quant_platform_kit.market import SLOTS, SystemClock, window, xnys\n"
        "window(xnys(), SLOTS['close'], date(2024, 7, 3))\n"
        "SystemClock().now()\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'exchange_calendars', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "from quant_platform_kit.market import BarFrame\n"
        "print('numpy' in sys.modules, BarFrame.__name__)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )

    assert done.stdout.split("\n")[:2] == ["[]", "True BarFrame"]
