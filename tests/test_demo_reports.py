"""The demo rebuilds every book from the fills, and believes nothing that does not add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from demo._accounts import ACCOUNTS
from demo._checks import examine
from demo._data import DemoMarket, open_market
from demo._explain import explain, left_alone, why
from demo._history import AccountHistory, books, histories
from demo._report import render
from demo._services import SlotRun
from quant_platform_kit.contracts import (
    Contribution,
    CycleReport,
    Environment,
    ExecutionMode,
    Leg,
    OrderLine,
    OrderStatus,
    Outcome,
    PositionLine,
    Side,
    Skipped,
)
from quant_platform_kit.errors import ReasonCode

_ACCOUNT = replace(ACCOUNTS[2], opening_cash_usd=Decimal(8_000))
_SESSIONS = (date(2022, 10, 31), date(2022, 11, 30))
_AT = datetime(2022, 10, 31, 19, 30, tzinfo=UTC)


def _order(side: Side, quantity: int, held: int, price: str, client_id: str) -> OrderLine:
    wished = held + quantity if side is Side.BUY else held - quantity
    leg = Leg(
        symbol="QUAL",
        side=side,
        quantity=Decimal(quantity),
        price_usd=Decimal(price),
        price_at=_AT,
        target_usd=(wished + Decimal("0.5")) * Decimal(price),
        current_usd=held * Decimal(price),
        target_quantity=Decimal(wished),
        current_quantity=Decimal(held),
        exact_quantity=wished + Decimal("0.5"),
        contributors=(Contribution("spy_macd_vixy", Decimal(1)),),
    )
    return OrderLine(
        client_id=client_id,
        broker_order_id="sim-1",
        symbol="QUAL",
        side=side,
        quantity=leg.quantity,
        filled_quantity=leg.quantity,
        average_price_usd=leg.price_usd,
        fee_usd=Decimal("1.00"),
        status=OrderStatus.FILLED,
        code=None,
        detail="",
        leg=leg,
    )


def _report(session: date, held: int, cash: str, *orders: OrderLine) -> CycleReport:
    line = PositionLine(
        symbol="QUAL",
        quantity=Decimal(held),
        price_usd=Decimal(111),
        value_usd=held * Decimal(111),
        weight=None,
        target_weight=None,
        managed=True,
    )
    return CycleReport(
        run_key=f"longbridge-1:{session}:close",
        platform="longbridge",
        account="longbridge-1",
        session=session,
        slot="close",
        mode=ExecutionMode.PAPER,
        environment=Environment.SIMULATED,
        outcome=Outcome.TRADED if orders else Outcome.NO_ACTION,
        code=None if orders else ReasonCode.HOLD,
        reason="" if orders else "not_a_rebalance_session",
        started_at=_AT,
        finished_at=_AT,
        capital_base_usd=Decimal(8_000),
        cash_usd=Decimal(cash),
        positions=(line,),
        orders=orders,
        skipped=(
            Skipped("QUAL", ReasonCode.WITHIN_BAND, "a difference of 1 USD"),
            Skipped("USMV", ReasonCode.AT_TARGET, "not held, not wanted"),
        ),
    )


@pytest.fixture
def reports() -> list[CycleReport]:
    return [
        _report(_SESSIONS[0], 60, "1339.00", _order(Side.BUY, 60, 0, "111.00", "qpk-a")),
        _report(_SESSIONS[1], 20, "6138.00", _order(Side.SELL, 40, 60, "120.00", "qpk-b")),
    ]


@pytest.fixture(scope="module")
def market() -> DemoMarket:
    return open_market()


def _history(reports: list[CycleReport], market: DemoMarket) -> AccountHistory:
    runs = [
        SlotRun(_ACCOUNT, session, 200, report, (), repeated=False)
        for session, report in zip(_SESSIONS, reports, strict=True)
    ]
    return histories([_ACCOUNT], runs, market)[0]


def _faults(reports: list[CycleReport], market: DemoMarket) -> list[str]:
    history = _history(reports, market)
    again = replace(history.runs[-1], repeated=True)
    checks = examine([history], _SESSIONS, [again])
    return [fault for check in checks for fault in check.faults]


def test_books_follow_from_the_fills_and_fees(reports: list[CycleReport]) -> None:
    first, second = books(Decimal(8_000), reports)

    assert (first.cash_usd, first.quantities) == (Decimal("1339.00"), {"QUAL": Decimal(60)})
    assert (second.cash_usd, second.quantities) == (Decimal("6138.00"), {"QUAL": Decimal(20)})


def test_equity_is_cash_and_holdings_at_each_close(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    history = _history(reports, market)

    assert history.equity_usd[0] == history.index_usd[0] == 8_000
    last = market.closes("QUAL", history.days)[-1]
    assert history.equity_usd[-1] == pytest.approx(6138 + 20 * last)
    assert len(history.equity_usd) == len(history.index_usd) == len(history.days)


def test_a_sound_replay_passes(reports: list[CycleReport], market: DemoMarket) -> None:
    assert _faults(reports, market) == []


def test_a_share_that_no_fill_explains_is_a_fault(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    reports[1] = _report(_SESSIONS[1], 21, "6138.00", *reports[1].orders)

    assert len(_faults(reports, market)) == 1


def test_a_cent_that_no_fill_explains_is_a_fault(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    reports[1] = replace(reports[1], cash_usd=Decimal("6138.01"))

    assert len(_faults(reports, market)) == 1


def test_an_order_that_was_sent_twice_is_a_fault(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    twice = replace(reports[1].orders[0], client_id=reports[0].orders[0].client_id)
    reports[1] = replace(reports[1], orders=(twice,))

    assert any("sent twice" in fault for fault in _faults(reports, market))


def test_a_blocked_slot_is_a_fault_with_its_reason(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    reports[1] = replace(
        reports[0],
        session=_SESSIONS[1],
        orders=(),
        outcome=Outcome.BLOCKED,
        code=ReasonCode.SNAPSHOT_STALE,
        reason="too old",
    )

    assert any("BLOCKED SNAPSHOT_STALE too old" in fault for fault in _faults(reports, market))


def test_a_second_call_that_ran_again_is_a_fault(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    history = _history(reports, market)

    checks = examine([history], _SESSIONS, [history.runs[-1]])

    assert [check.passed for check in checks] == [True, True, True, False]


def test_an_order_is_explained_from_the_wish_to_the_fill(reports: list[CycleReport]) -> None:
    steps = explain(reports[0].orders[0], reports[0])

    said = {step.name: f"{step.before}{step.result}{step.after} ({step.source})" for step in steps}
    assert said == {
        "Wish": "83.94% of $8,000.00 = $6,715.50 (asked by spy_macd_vixy)",
        "Exact shares": "$6,715.50 ÷ $111.00 = 60.5 (price of 31 Oct 2022, 15:30 New York)",
        "Whole shares": "60 (rounding leaves $55.50 in cash)",
        "Held before": "0 · 0.00% (worth $0.00)",
        "Order": "buy 60 (not limited by anything)",
        "Fill": "60 × $111.00 = $6,660.00 (fee $1.00 · filled)",
    }


def test_a_holding_left_alone_is_explained_and_a_stranger_is_not(
    reports: list[CycleReport],
) -> None:
    assert left_alone(reports[0]) == (
        ("QUAL", "The difference lies inside the no-trade band: a difference of 1 USD"),
    )


def test_a_quiet_slot_says_why_in_words() -> None:
    report = _report(_SESSIONS[0], 0, "8000")

    assert why(report) == (
        "The strategy keeps what it has; an ordinary day. (not a rebalance session)"
    )


def test_the_same_replay_gives_the_same_page(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    history = _history(reports, market)
    checks = examine([history], _SESSIONS, [replace(history.runs[-1], repeated=True)])

    assert render([history], checks, market) == render([history], checks, market)


def test_texts_of_a_report_cannot_become_markup(
    reports: list[CycleReport], market: DemoMarket
) -> None:
    reports[1] = replace(reports[1], reason="<script>alert(1)</script>")
    history = _history(reports, market)

    page = render([history], (), market)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
