"""What random days have found, each as small as it gets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from quant_platform_kit.contracts import Decision, Outcome
from tests.house import MONDAY, TUESDAY, House, by_session


def test_a_person_who_sells_the_last_of_their_own_does_not_stop_the_platform(
    tmp_path: Path,
) -> None:
    answers = {MONDAY: Decision.weights({}), TUESDAY: Decision.weights({"SIM_A": 0.5})}
    house = House(tmp_path, by_session(answers))
    house.buy_by_hand("SIM_MANUAL", 3)
    house.run(MONDAY)
    assert house.ledger() == {"SIM_MANUAL": 3}

    house.sell_by_hand("SIM_MANUAL", 3)
    report = house.run(TUESDAY)

    assert report.outcome is Outcome.TRADED
    assert house.ledger() == house.holdings() == {"SIM_A": Decimal(50)}
