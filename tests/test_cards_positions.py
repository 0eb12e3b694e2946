"""Acceptance cards A1 to A6, on the whole cycle with a simulated broker."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.contracts import (
    CycleRequest,
    Decision,
    FeeModel,
    Outcome,
    Side,
    TradingRules,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.strategy import StrategyContext
from tests.house import FREE, MONDAY, SYMBOLS, TUESDAY, House, always, by_session, manifest

INVESTED = Decision.weights({"SIM_A": 0.5, "SIM_B": 0.5})
EMERGENCY = Decision.weights({"SIM_HAVEN": 1.0}, risk_flags=("emergency",))


def test_a1_an_emergency_sells_everything_managed_and_then_buys_the_haven(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: EMERGENCY}))
    house.run(MONDAY)
    assert house.holdings().keys() == {"SIM_A", "SIM_B"}

    report = house.run(TUESDAY)

    assert report.outcome is Outcome.TRADED
    assert [order.side for order in report.orders] == [Side.SELL, Side.SELL, Side.BUY]
    assert house.holdings().keys() == {"SIM_HAVEN"}
    assert report.cash_usd is not None
    assert report.cash_usd < 20  # fully invested, to less than two of the haven's shares


def test_a1_a_managed_holding_that_the_decision_no_longer_names_is_sold(tmp_path: Path) -> None:
    only_a = Decision.weights({"SIM_A": 0.5})
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: only_a}))
    house.run(MONDAY)
    house.run(TUESDAY)
    assert house.holdings().keys() == {"SIM_A"}


def _raises(_context: StrategyContext) -> Decision:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (_raises, ReasonCode.STRATEGY_FAILED),
        (always(Decision.blocked(ReasonCode.HISTORY_STALE, "old")), ReasonCode.HISTORY_STALE),
        (always(Decision.weights({"SIM_ELSE": 0.5})), ReasonCode.UNMANAGED_TARGET),
        (lambda _context: "sell everything", ReasonCode.STRATEGY_FAILED),
    ],
    ids=["raises", "stale", "unmanaged", "rubbish"],
)
def test_a2_a_strategy_without_a_usable_answer_leaves_its_sleeve_alone(
    tmp_path: Path, script: object, code: ReasonCode
) -> None:
    house = House(tmp_path, always(INVESTED))
    house.run(MONDAY)
    before = house.holdings()

    house.script = script  # type: ignore[assignment]
    house.restart()
    report = house.run(TUESDAY)

    assert (report.outcome, report.code) == (Outcome.BLOCKED, code)
    assert report.orders == ()
    assert house.holdings() == before
    assert [sleeve.code for sleeve in report.frozen] == [code]


def test_a2_a_request_for_a_strategy_that_is_not_there_is_refused_and_sells_nothing(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: EMERGENCY}))
    house.run(MONDAY)
    before = house.holdings()
    report = house.result(CycleRequest("close", TUESDAY, ("scriptd",))).report
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.PROFILE_UNKNOWN)
    assert "scriptd" in report.reason
    assert not report.consumes_slot
    assert house.holdings() == before


def test_a2_an_empty_whitelist_is_an_error() -> None:
    with pytest.raises(ContractError, match=r"CycleRequest\.strategies"):
        CycleRequest("close", MONDAY, ())


def test_a2_a_manual_holding_is_never_touched(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: EMERGENCY}))
    house.buy_by_hand("SIM_MANUAL", 10)
    first = house.run(MONDAY)
    assert house.holdings()["SIM_MANUAL"] == 10
    assert first.capital_base_usd is not None
    assert first.capital_base_usd < 9_701  # the manual holding is not capital

    house.sell_by_hand("SIM_MANUAL", 4)
    report = house.run(TUESDAY)

    assert report.outcome is Outcome.TRADED
    assert house.holdings()["SIM_MANUAL"] == 6
    assert house.ledger() == house.holdings()


def test_a3_an_ordinary_quiet_day_is_no_action_with_one_heartbeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, always(Decision.hold("not a rebalance day")))
    with caplog.at_level(logging.INFO, logger="quant_platform_kit"):
        report = house.run()
    assert (report.outcome, report.code) == (Outcome.NO_ACTION, ReasonCode.HOLD)
    assert report.reason == "not a rebalance day"
    assert {record.levelname for record in caplog.records} == {"INFO"}
    beats = [record for record in caplog.records if record.name.endswith("heartbeat")]
    assert len(beats) == 1
    assert "not a rebalance day" in caplog.text


def test_a4_the_same_decision_and_book_give_the_same_dollar_targets_on_every_broker(
    tmp_path: Path,
) -> None:
    wishes = []
    for name, rules in {
        "free": FREE,
        "bps": TradingRules(fees=FeeModel(notional_bps=Decimal(30))),
        "shares": TradingRules(
            fees=FeeModel(per_share_usd=Decimal("0.01"), minimum_usd=Decimal(1))
        ),
        "lots": TradingRules(lot_shares=Decimal(10)),
    }.items():
        house = House(tmp_path / name, always(INVESTED), rules=rules)
        report = house.run()
        wishes.append({order.symbol: order.leg.target_usd for order in report.orders})
    assert wishes == [{"SIM_A": Decimal(5000), "SIM_B": Decimal(5000)}] * 4


def test_a6_a_broker_that_shows_an_empty_book_stops_the_run(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: EMERGENCY}))
    house.run(MONDAY)
    (tmp_path / "book.jsonl").unlink()  # the account answers as if it were new
    house.restart()
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.FAILED, ReasonCode.POSITIONS_VANISHED)
    assert report.orders == ()


def test_a6_an_account_without_equity_stops_the_run(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), cash_usd=Decimal(0))
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.FAILED, ReasonCode.EQUITY_ZERO)


def test_a6_a_failed_positions_query_is_never_an_empty_account(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: EMERGENCY}))
    house.run(MONDAY)
    house.faults = [FaultSwitch(Fault.POSITIONS_FAIL)]
    house.restart()
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.BROKER_UNAVAILABLE)
    assert report.orders == ()


def test_holdings_of_a_new_account_open_the_sleeve_and_the_rest_stays_unmanaged(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, always(EMERGENCY), declared=manifest(SYMBOLS))
    house.buy_by_hand("SIM_A", 10)
    house.buy_by_hand("SIM_MANUAL", 5)
    report = house.run()
    assert house.holdings().keys() == {"SIM_HAVEN", "SIM_MANUAL"}
    assert report.notes == (
        "opening balance adopted: SIM_A",
        "unmanaged holdings follow the broker: SIM_MANUAL",
    )
