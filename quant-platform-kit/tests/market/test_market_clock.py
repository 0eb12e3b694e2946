from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock, SimulatedClock, SystemClock

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def test_the_system_clock_tells_aware_utc_time_that_moves_on() -> None:
    clock: Clock = SystemClock()

    before = datetime.now(UTC)
    told = clock.now()
    clock.sleep(0.001)

    assert told.utcoffset() == timedelta(0)
    assert before <= told
    assert clock.now() - told >= timedelta(seconds=0.001)


def test_a_sleep_of_zero_or_less_returns_at_once_on_both_clocks() -> None:
    simulated = SimulatedClock(NOON)

    for clock in (SystemClock(), simulated):
        clock.sleep(0)
        clock.sleep(-3600)

    assert simulated.now() == NOON


def test_a_simulated_clock_stands_still_until_it_is_moved() -> None:
    clock = SimulatedClock(NOON)

    assert clock.now() == clock.now() == NOON


def test_sleeping_on_a_simulated_clock_advances_it() -> None:
    clock = SimulatedClock(NOON)

    clock.sleep(90.5)

    assert clock.now() == NOON + timedelta(seconds=90.5)


def test_a_simulated_clock_moves_to_an_instant_given_in_another_zone() -> None:
    clock = SimulatedClock(NOON)

    clock.advance_to(datetime(2024, 3, 1, 15, 30, tzinfo=ZoneInfo("America/New_York")))

    assert clock.now() == datetime(2024, 3, 1, 20, 30, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_a_simulated_clock_may_be_moved_to_where_it_is() -> None:
    clock = SimulatedClock(NOON)

    clock.advance_to(NOON)

    assert clock.now() == NOON


def test_a_simulated_clock_never_runs_backwards() -> None:
    clock = SimulatedClock(NOON)

    with pytest.raises(ContractError, match="never runs backwards"):
        clock.advance_to(NOON - timedelta(microseconds=1))

    assert clock.now() == NOON


def test_a_naive_instant_is_refused() -> None:
    naive = NOON.replace(tzinfo=None)

    with pytest.raises(ContractError, match=r"SimulatedClock\.start .* aware"):
        SimulatedClock(naive)
    with pytest.raises(ContractError, match=r"SimulatedClock\.instant .* aware"):
        SimulatedClock(NOON).advance_to(naive)


def test_threads_that_sleep_on_one_simulated_clock_lose_no_time() -> None:
    clock = SimulatedClock(NOON)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clock.sleep, [1.0] * 400))

    assert clock.now() == NOON + timedelta(seconds=400)
