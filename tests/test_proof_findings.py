"""What random days have found, each as small as it gets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from proof._account import market_of
from quant_platform_kit.contracts import Decision, Outcome
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import Ledger, Locks
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import Strategy, StrategyConfig
from tests.house import (
    FREE,
    MONDAY,
    TUESDAY,
    House,
    always,
    by_session,
    manifest,
)


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


def test_two_sleeves_with_the_same_universe_each_keep_what_they_hold(tmp_path: Path) -> None:
    house = House(tmp_path, always(Decision.weights({"SIM_A": 0.5})), rules=FREE)
    house.with_parts(
        sleeves=tuple(
            SleevePart(
                Strategy(f"tests.{name}", StrategyConfig(), declared, house.script), Decimal("0.5")
            )
            for name in ("first", "second")
            for declared in (replace(manifest(), profile=name),)
        )
    )
    house.run(MONDAY)
    house.run(TUESDAY)
    ledger = Ledger(house.store)
    assert ledger.quantities("first") == ledger.quantities("second") == {"SIM_A": Decimal(25)}


def test_a_purchase_by_hand_is_no_split_however_the_price_moved(tmp_path: Path) -> None:
    # 19 shares became 22, as six for five would make them, and the price fell by an eighth.
    house = House(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 0.19}), TUESDAY: Decision.hold("wait")}),
        market=market_of({"SIM_A": [98.48, 86.63]}, MONDAY),
        rules=FREE,
    )
    house.run(MONDAY)
    assert house.ledger() == {"SIM_A": Decimal(19)}

    house.clock.advance_to(xnys().session_open(TUESDAY))
    house.buy_by_hand("SIM_A", 3)
    house.run(TUESDAY)
    house.run(TUESDAY, "again")  # the cash is booked by now

    assert house.ledger() == {"SIM_A": Decimal(19)}
    assert Locks(house.store).all() == {"SIM_A": ReasonCode.QUANTITY_MISMATCH}
