"""Fault switches: when they strike."""

from __future__ import annotations

from typing import Any

import pytest

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch
from quant_platform_kit.errors import ContractError

REJECT = {Fault.REJECT}


def struck(faults: Faults, *symbols: str) -> list[bool]:
    return [faults.strike(REJECT, symbol) is not None for symbol in symbols]


def test_without_switches_nothing_strikes() -> None:
    assert struck(Faults(), "AAA", "AAA") == [False, False]


def test_a_bare_switch_strikes_every_time() -> None:
    assert struck(Faults(FaultSwitch(Fault.REJECT)), "AAA", "BBB") == [True, True]


def test_the_nth_occasion_is_counted_over_all_symbols() -> None:
    faults = Faults(FaultSwitch(Fault.REJECT, nth=2))
    assert struck(faults, "AAA", "BBB", "AAA") == [False, True, False]


def test_the_nth_occasion_of_a_symbol_is_counted_for_that_symbol() -> None:
    faults = Faults(FaultSwitch(Fault.REJECT, symbol="AAA", nth=2))
    assert struck(faults, "AAA", "BBB", "AAA", "AAA") == [False, False, True, False]


def test_the_first_switch_wins_and_the_others_keep_counting() -> None:
    first = FaultSwitch(Fault.REJECT, nth=1)
    second = FaultSwitch(Fault.NO_FILL, nth=2)
    faults = Faults(first, second)
    both = {Fault.REJECT, Fault.NO_FILL}
    assert [faults.strike(both, "AAA") for _ in range(3)] == [first, second, None]


def test_a_new_plan_counts_from_the_beginning() -> None:
    faults = Faults(FaultSwitch(Fault.REJECT, nth=1))
    assert struck(faults, "AAA", "AAA") == [True, False]
    faults.set(FaultSwitch(Fault.REJECT, nth=1))
    assert struck(faults, "AAA", "AAA") == [True, False]
    faults.set()
    assert struck(faults, "AAA") == [False]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"fault": Fault.REJECT, "nth": 0}, "nth"),
        ({"fault": Fault.LATE_FILL, "delay_secs": -1.0}, "delay_secs"),
        ({"fault": Fault.POSITIONS_FAIL, "symbol": "AAA"}, "symbol"),
    ],
)
def test_a_switch_that_could_never_strike_is_refused(parts: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError, match=rf"FaultSwitch\.{field}"):
        FaultSwitch(**parts)
