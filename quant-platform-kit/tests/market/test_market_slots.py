from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from quant_platform_kit.errors import CalendarError, ContractError
from quant_platform_kit.market import (
    SLOTS,
    ExchangeCalendar,
    Slot,
    resolve,
    run_key,
    window,
    xnys,
)

CLOSE = SLOTS["close"]
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def calendar() -> ExchangeCalendar:
    return xnys()


@pytest.mark.parametrize(
    ("session", "opens_at", "closes_at"),
    [
        (date(2024, 1, 16), "2024-01-16T20:30+00:00", "2024-01-16T20:55+00:00"),
        (date(2024, 7, 16), "2024-07-16T19:30+00:00", "2024-07-16T19:55+00:00"),
        (date(2024, 7, 3), "2024-07-03T16:30+00:00", "2024-07-03T16:55+00:00"),
        (date(2024, 11, 29), "2024-11-29T17:30+00:00", "2024-11-29T17:55+00:00"),
    ],
)
def test_the_close_slot_runs_from_half_an_hour_to_five_minutes_before_the_close(
    calendar: ExchangeCalendar, session: date, opens_at: str, closes_at: str
) -> None:
    found = window(calendar, CLOSE, session)

    assert found.session == session
    assert found.slot == CLOSE
    assert found.opens_at == datetime.fromisoformat(opens_at)
    assert found.closes_at == datetime.fromisoformat(closes_at)


def test_every_session_of_2015_to_2027_has_its_own_slot_and_no_other_time_runs(
    calendar: ExchangeCalendar,
) -> None:  # A19
    for session in calendar.sessions(date(2015, 1, 1), date(2027, 12, 31)):
        close = calendar.session_close(session)
        at = {mins: resolve(calendar, CLOSE, close - mins * MINUTE) for mins in (31, 30, 6, 5, -60)}

        assert {found.session for found in at.values() if found} == {session}
        assert [
            found is not None and found.contains(close - mins * MINUTE)
            for mins, found in at.items()
        ] == [False, True, True, False, False]


def test_a_run_at_the_usual_hour_of_a_half_day_is_outside_the_window(
    calendar: ExchangeCalendar,
) -> None:  # A19
    usual_hour = datetime(2024, 11, 29, 20, 40, tzinfo=UTC)

    found = resolve(calendar, CLOSE, usual_hour)

    assert found is not None
    assert found.session == date(2024, 11, 29)
    assert not found.contains(usual_hour)


@pytest.mark.parametrize(
    "now",
    [datetime(2024, 7, 4, 19, 40, tzinfo=UTC), datetime(2024, 7, 6, 19, 40, tzinfo=UTC)],
)
def test_a_day_without_a_session_has_no_window(calendar: ExchangeCalendar, now: datetime) -> None:
    assert resolve(calendar, CLOSE, now) is None


def test_a_window_of_a_day_without_a_session_is_an_error(calendar: ExchangeCalendar) -> None:
    with pytest.raises(CalendarError, match="2024-07-04 is not a session"):
        window(calendar, CLOSE, date(2024, 7, 4))


def test_an_unreadable_calendar_is_an_error_and_never_a_closed_market(
    calendar: ExchangeCalendar,
) -> None:
    with pytest.raises(CalendarError):
        resolve(calendar, CLOSE, datetime(2031, 1, 2, 20, 40, tzinfo=UTC))


@pytest.mark.parametrize(("opens", "closes"), [(5, 5), (5, 30), (30, -1)])
def test_a_slot_must_open_before_it_closes_and_close_by_the_bell(opens: int, closes: int) -> None:
    with pytest.raises(ContractError, match=r"Slot\.closes_before_close_mins"):
        Slot("close", opens_before_close_mins=opens, closes_before_close_mins=closes)


@pytest.mark.parametrize("name", ["", "two words", "a:b", "a/b"])
def test_a_slot_name_that_would_blur_a_run_key_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match=r"Slot\.name"):
        Slot(name, opens_before_close_mins=30, closes_before_close_mins=5)
    with pytest.raises(ContractError, match=r"Slot\.name"):
        run_key("U1234567", date(2024, 7, 3), name)


def test_the_scheduled_slots_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        SLOTS["open"] = CLOSE  # type: ignore[index]


def test_a_run_key_names_account_session_and_slot() -> None:
    assert run_key("paper-1", date(2024, 7, 3), "close") == "paper-1:2024-07-03:close"
    assert run_key("paper-1", date(2024, 7, 3), "manual.Fix-2") == "paper-1:2024-07-03:manual.Fix-2"


def test_keys_of_different_accounts_sessions_or_slots_differ() -> None:
    keys = {
        run_key(account, session, slot)
        for account in ("A1", "A2")
        for session in (date(2024, 7, 3), date(2024, 7, 5))
        for slot in ("close", "manual")
    }

    assert len(keys) == 8


@pytest.mark.parametrize("account", ["", "A 1", "A:1"])
def test_an_account_that_would_blur_a_run_key_is_refused_without_being_shown(account: str) -> None:
    with pytest.raises(ContractError, match=r"run_key\.account") as error:
        run_key(account, date(2024, 7, 3), "close")

    assert repr(account) not in str(error.value)
