"""Acceptance card A5 and the virtual portfolios: several strategies in one account."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.contracts import CycleRequest, Decision, Outcome, Side
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import UNMANAGED, Ledger
from quant_platform_kit.strategy import Strategy, StrategyConfig, StrategyContext
from tests.house import FREE, MONDAY, TUESDAY, House, Script, always, by_session, manifest

HALF = Decimal("0.5")


def shared_house(folder: Path, first: Script, second: Script) -> House:
    """Return an account whose two sleeves manage the same symbols, half of the capital each."""
    house = House(folder, first, rules=FREE)
    sleeves = tuple(
        SleevePart(
            Strategy(f"tests.{name}", StrategyConfig(), replace(manifest(), profile=name), script),
            HALF,
        )
        for name, script in (("first", first), ("second", second))
    )
    house.with_parts(sleeves=sleeves)
    return house


def owned(house: House, sleeve: str) -> dict[str, Decimal]:
    return Ledger(house.store).quantities(sleeve)


def assert_the_sleeves_add_up_to_the_broker(house: House) -> None:
    assert house.ledger() == house.holdings()
    assert sum(Ledger(house.store).cash().values()) == house.broker.account().cash_usd


def test_a5_two_strategies_that_hold_one_symbol_share_one_order(tmp_path: Path) -> None:
    house = shared_house(
        tmp_path,
        always(Decision.weights({"SIM_A": 0.6})),
        always(Decision.weights({"SIM_A": 0.2, "SIM_B": 0.5})),
    )
    report = house.run()

    assert [(o.symbol, o.quantity) for o in report.orders] == [("SIM_A", 40), ("SIM_B", 50)]
    assert owned(house, "first") == {"SIM_A": 30}
    assert owned(house, "second") == {"SIM_A": 10, "SIM_B": 50}
    assert_the_sleeves_add_up_to_the_broker(house)


def test_a5_opposite_wishes_are_netted_and_meet_at_the_fills_price(tmp_path: Path) -> None:
    house = shared_house(
        tmp_path,
        by_session(
            {
                MONDAY: Decision.weights({"SIM_A": 0.8}),
                TUESDAY: Decision.weights({"SIM_A": 0.4}),
            }
        ),
        by_session(
            {
                MONDAY: Decision.weights({"SIM_A": 0.2}),
                TUESDAY: Decision.weights({"SIM_A": 0.8}),
            }
        ),
    )
    house.run(MONDAY)
    assert (owned(house, "first"), owned(house, "second")) == ({"SIM_A": 40}, {"SIM_A": 10})

    report = house.run(TUESDAY)

    assert [(o.side, o.quantity) for o in report.orders] == [(Side.BUY, 10)]
    assert (owned(house, "first"), owned(house, "second")) == ({"SIM_A": 20}, {"SIM_A": 40})
    assert_the_sleeves_add_up_to_the_broker(house)


def test_each_sleeve_is_given_its_share_of_the_capital(tmp_path: Path) -> None:
    house = shared_house(
        tmp_path,
        always(Decision.weights({"SIM_A": 0.5})),
        always(Decision.weights({"SIM_B": 1.0})),
    )
    house.run()
    cash = Ledger(house.store).cash()
    assert cash == {"first": Decimal(2_500)}
    assert cash.get(UNMANAGED, Decimal(0)) == 0


@pytest.mark.parametrize(
    "silent",
    [Decision.hold("not today"), Decision.blocked(ReasonCode.HISTORY_STALE, "old")],
    ids=["hold", "blocked"],
)
def test_a2_a_sleeve_without_a_rebalance_keeps_its_shares_while_the_other_trades(
    tmp_path: Path, silent: Decision
) -> None:
    house = shared_house(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 1.0}), TUESDAY: silent}),
        by_session(
            {MONDAY: Decision.weights({"SIM_B": 1.0}), TUESDAY: Decision.weights({"SIM_C": 1.0})}
        ),
    )
    first = replace(house.parts.sleeves[0].strategy.manifest, managed=("SIM_A",))
    second = replace(house.parts.sleeves[1].strategy.manifest, managed=("SIM_B", "SIM_C"))
    house.with_parts(
        sleeves=tuple(
            replace(part, strategy=replace(part.strategy, manifest=declared))
            for part, declared in zip(house.parts.sleeves, (first, second), strict=True)
        )
    )
    house.run(MONDAY)

    report = house.run(TUESDAY)

    assert report.outcome is Outcome.TRADED
    assert owned(house, "first") == {"SIM_A": 50}
    assert owned(house, "second") == {"SIM_C": 250}
    assert_the_sleeves_add_up_to_the_broker(house)


def test_a_whitelist_narrows_the_run_to_its_sleeves(tmp_path: Path) -> None:
    house = shared_house(
        tmp_path,
        always(Decision.weights({"SIM_A": 1.0})),
        always(Decision.weights({"SIM_B": 1.0})),
    )
    report = house.result(CycleRequest("close", MONDAY, ("first",))).report
    # Both manage every symbol, and nothing tells whose a shared symbol is while one is frozen.
    assert report.orders == ()
    assert {frozen.code for frozen in report.frozen} == {ReasonCode.SLEEVE_FROZEN}


def test_a_later_slot_of_a_session_knows_what_the_sleeve_has_bought_in_it(tmp_path: Path) -> None:
    told: list[dict[str, Decimal]] = []

    def script(context: StrategyContext) -> Decision:
        told.append(dict(context.sleeve.bought_usd))
        return Decision.weights({"SIM_A": 0.5} if len(told) == 1 else {"SIM_A": 0.2})

    house = shared_house(tmp_path, script, always(Decision.weights({"SIM_B": 0.5})))
    house.run(MONDAY)
    house.run(MONDAY, "by-hand")
    house.run(MONDAY, "again")
    house.run(TUESDAY)
    bought = {"SIM_A": Decimal(2500)}  # what was sold of it later was bought all the same
    assert told == [{}, bought, bought, {}]
