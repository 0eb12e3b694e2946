"""Card A9 on the real thing: kill -9 of a gunicorn service in the middle of a slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof._service import Order, Service, orders_at_the_broker

FIRST, SECOND = "2019-03-29", "2019-06-28"  # ends of two quarters: buy, then rotate


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Order]:
    folder = tmp_path_factory.mktemp("undisturbed")
    service = Service(folder)
    try:
        service.run(FIRST)
        service.run(SECOND)
    finally:
        service.kill()
    return orders_at_the_broker(folder)


@pytest.mark.parametrize("booked_before_death", [1, 4, 7])
def test_a_killed_slot_run_again_leaves_exactly_the_orders_of_an_undisturbed_run(
    tmp_path: Path, undisturbed: list[Order], booked_before_death: int
) -> None:
    service = Service(tmp_path)
    try:
        service.run(FIRST)
    finally:
        service.kill()
    bought = len(orders_at_the_broker(tmp_path))

    service = Service(tmp_path, latency_secs=0.05)
    answered = service.run_until(
        SECOND, lambda: len(orders_at_the_broker(tmp_path)) >= bought + booked_before_death
    )
    assert not answered
    assert bought < len(orders_at_the_broker(tmp_path)) < len(undisturbed)

    service = Service(tmp_path)
    try:
        answer = service.run(SECOND)
        repeated = service.run(SECOND)
    finally:
        service.kill()

    assert (answer["report"]["outcome"], answer["report"]["attempt"]) == ("TRADED", 2)
    assert repeated["repeated"]
    assert repeated["report"] == answer["report"]
    assert orders_at_the_broker(tmp_path) == undisturbed
