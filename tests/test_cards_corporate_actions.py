"""Splits, dividends and settlement at the broker, through whole runs: ledger and broker agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    CorporateAction,
    Dividend,
    FrameMarket,
    SimulatedBroker,
    StockSplit,
)
from quant_platform_kit.contracts import (
    Adjustment,
    CycleReport,
    Decision,
    OrderStatus,
    OrderType,
    Outcome,
    Signal,
    SignalAction,
)
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.strategy import StrategyContext
from tests.house import FREE, MONDAY, TUESDAY, House, always, by_session

WEDNESDAY = date(2020, 3, 4)
KEEP = Decision.hold("nothing new")
HALVES = Decision.weights({"SIM_A": 0.5, "SIM_B": 0.5})


def raw_market(
    paths: Mapping[str, Sequence[float]], actions: Sequence[CorporateAction]
) -> FrameMarket:
    """Return a market of raw prices from `MONDAY` on; before, they stand still."""
    calendar = xnys()
    before = calendar.sessions(calendar.offset(MONDAY, -40), calendar.offset(MONDAY, -1))
    after = calendar.sessions(MONDAY, calendar.offset(MONDAY, 10))
    still = {"SIM_A": [100.0], "SIM_B": [50.0], "SIM_C": [20.0], "SIM_HAVEN": [10.0]}
    frames = {}
    for symbol, path in (still | dict(paths)).items():
        prices = [path[min(n, len(path) - 1)] for n in range(len(after))]
        frames[symbol] = BarFrame(
            symbol=symbol,
            sessions=[*before, *after],
            close=np.array([path[0]] * len(before) + prices),
            adjustment=Adjustment.RAW,
        )
    return FrameMarket(frames, actions)


def agrees(house: House) -> bool:
    """Tell whether ledger and broker have the same shares and the same cash."""
    cash = sum(Ledger(house.store).cash().values())
    return house.ledger() == house.holdings() and cash == house.broker.account().cash_usd


def run_days(house: House, *days: date) -> CycleReport:
    """Run the slot of each day, after each of which ledger and broker agree; return the last."""
    for day in days:
        report = house.run(day)
        assert agrees(house)
    return report


def test_a_split_and_a_dividend_leave_ledger_and_broker_in_agreement(tmp_path: Path) -> None:
    market = raw_market(
        {"SIM_A": [100.0, 50.0], "SIM_B": [50.0, 48.75]},
        [
            StockSplit("SIM_A", TUESDAY, Decimal(2)),
            Dividend("SIM_B", TUESDAY, Decimal("1.25")),
        ],
    )
    script = by_session({MONDAY: HALVES, TUESDAY: KEEP})
    house = House(tmp_path, script, market=market, rules=FREE)
    before = run_days(house, MONDAY)
    report = run_days(house, TUESDAY)

    assert house.holdings() == {"SIM_A": 100, "SIM_B": 100}
    assert house.broker.account().cash_usd == 125
    assert report.equity_usd == before.equity_usd == 10_000
    assert report.notes == (
        "dividend booked: SIM_B +125.00 USD",
        "SIM_A split: 50 shares became 100",
    )
    costs = {held.symbol: held.cost_usd for held in Ledger(house.store).holdings()}
    assert costs == {"SIM_A": 5_000, "SIM_B": 5_000}  # what was paid for them stays


def test_a_fraction_of_a_share_is_paid_and_the_run_after_it_trades_as_ever(tmp_path: Path) -> None:
    actions = [StockSplit("SIM_A", TUESDAY, Decimal(3), Decimal(2))]
    market = raw_market({"SIM_A": [160.0, 106.66]}, actions)
    invested = Decision.weights({"SIM_A": 0.5})
    script = by_session({MONDAY: invested, TUESDAY: KEEP, WEDNESDAY: Decision.weights({})})
    house = House(tmp_path, script, market=market, rules=FREE)
    run_days(house, MONDAY)
    assert house.holdings() == {"SIM_A": 31}
    run_days(house, TUESDAY)
    assert house.holdings() == {"SIM_A": 46}
    assert house.broker.account().cash_usd == 10_000 - 31 * 160 + Decimal("53.33")
    report = run_days(house, WEDNESDAY)
    assert report.outcome is Outcome.TRADED
    assert house.holdings() == {}


def test_a_stop_that_a_split_took_off_the_book_is_placed_anew_for_the_new_shares(
    tmp_path: Path,
) -> None:
    market = raw_market({"SIM_A": [100.0, 50.0]}, [StockSplit("SIM_A", TUESDAY, Decimal(2))])
    half = replace(
        Decision.weights({"SIM_A": 0.5}),
        signals=(Signal("SIM_A", SignalAction.BUY, Decimal(1), stop_loss_pct=Decimal(5)),),
    )
    house = House(tmp_path, by_session({MONDAY: half, TUESDAY: KEEP}), market=market, rules=FREE)
    run_days(house, MONDAY)
    (old,) = house.broker.open_orders()
    run_days(house, TUESDAY)

    (new,) = house.broker.open_orders()
    assert new.order_type is OrderType.STOP
    assert (old.quantity, old.trigger_price_usd) == (50, 95)
    assert (new.quantity, new.trigger_price_usd) == (100, Decimal("47.5"))
    assert old.client_id is not None
    gone = house.broker.find_order(old.client_id)
    assert gone is not None
    assert gone.status is OrderStatus.CANCELLED
    assert gone.detail == "Cancelled by the venue: SIM_A split 2 for 1."


def test_a_strategy_sees_bars_without_the_gap_that_a_split_or_a_dividend_makes(
    tmp_path: Path,
) -> None:
    market = raw_market(
        {"SIM_A": [100.0, 45.0, 45.0]},
        [
            StockSplit("SIM_A", TUESDAY, Decimal(2)),
            Dividend("SIM_A", TUESDAY, Decimal(10)),  # on the old shares, 5 on each new one
        ],
    )
    seen: dict[date, list[float]] = {}

    def look(context: StrategyContext) -> Decision:
        seen[context.session] = context.history["SIM_A"].close.tolist()[-2:]
        return KEEP

    house = House(tmp_path, look, market=market)
    run_days(house, MONDAY, TUESDAY, WEDNESDAY)
    assert seen[TUESDAY] == [100.0, 100.0]  # nobody knows on Monday what Tuesday brings
    assert np.allclose(seen[WEDNESDAY], [45.0, 45.0])


def test_in_a_cash_account_a_switch_takes_two_sessions(tmp_path: Path) -> None:
    script = by_session(
        {
            MONDAY: Decision.weights({"SIM_A": 1.0}),
            TUESDAY: Decision.weights({"SIM_B": 1.0}),
            WEDNESDAY: Decision.weights({"SIM_B": 1.0}),
        }
    )
    market = raw_market({}, [])
    house = House(tmp_path, script, market=market, rules=FREE)
    cash_account = SimulatedBroker(
        "U1234567",
        market,
        house.clock,
        xnys(),
        rules=FREE,
        opening_cash_usd=house.cash_usd,
        terms=AccountTerms(AccountKind.CASH),
        book_path=tmp_path / "book.jsonl",
    )
    house.broker = cash_account
    house.with_parts(broker=cash_account)
    run_days(house, MONDAY, TUESDAY)
    account = house.broker.account()
    assert house.holdings() == {}
    assert (account.cash_usd, account.usable_cash_usd) == (10_000, 0)
    run_days(house, WEDNESDAY)
    assert house.holdings() == {"SIM_B": 200}


def test_a_market_of_raw_prices_without_actions_is_an_ordinary_one(tmp_path: Path) -> None:
    house = House(tmp_path, always(HALVES), market=raw_market({}, []), rules=FREE)
    assert run_days(house, MONDAY).outcome is Outcome.TRADED
    assert house.holdings() == {"SIM_A": 50, "SIM_B": 100}
