"""An explanation stands on what is known, and says what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.cli import _explain
from quant_platform_kit.contracts import (
    Contribution,
    CycleReport,
    Decision,
    ExecutionMode,
    Leg,
    OrderStatus,
    Outcome,
    Side,
    SleeveDecision,
    SnapshotRef,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.orders import JournalOrder

AT = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)


@pytest.fixture
def order() -> JournalOrder:
    leg = Leg(
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(4),
        price_usd=Decimal("250.50"),
        price_at=AT,
        target_usd=Decimal("1252.50"),
        current_usd=Decimal("250.50"),
        target_quantity=Decimal(5),
        current_quantity=Decimal(1),
        exact_quantity=Decimal(5),
        contributors=(Contribution("income", Decimal("1252.50")),),
    )
    return JournalOrder(
        client_id="qpk-abc",
        run_key="ibkr-1:2020-03-31:close",
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(4),
        status=OrderStatus.UNRESOLVED,
        broker_order_id=None,
        code=ReasonCode.ORDER_UNRESOLVED,
        detail="the reply was lost",
        leg=leg,
        created_at=AT,
    )


@pytest.fixture
def report(order: JournalOrder) -> CycleReport:
    def sleeve(profile: str) -> SleeveDecision:
        decision = Decision.values({"SPY": Decimal("1252.50")})
        snapshot = SnapshotRef("income", date(2020, 3, 30), "v1", "ab" * 32)
        return SleeveDecision(profile, decision, "cd" * 32, snapshot)

    return CycleReport(
        run_key=order.run_key,
        platform="ibkr",
        account="ibkr-1",
        session=date(2020, 3, 31),
        slot="close",
        mode=ExecutionMode.PAPER,
        environment=None,
        outcome=Outcome.FAILED,
        code=ReasonCode.ORDER_UNRESOLVED,
        reason="",
        started_at=AT,
        finished_at=AT,
        decisions=(sleeve("income"), sleeve("growth")),
    )


def told(
    capfd: pytest.CaptureFixture[str], order: JournalOrder, report: CycleReport | None
) -> list[str]:
    _explain.show(_explain.Explanation.of(order, report))
    return [line.lstrip("│├└─ ").rstrip() for line in capfd.readouterr().out.splitlines()]


def test_an_order_of_a_run_that_was_cut_off_says_how_to_finish_it(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, None)
    assert lines[0] == "BUY 4 SPY: nothing is booked as filled"
    assert lines[1].startswith("order qpk-abc, no broker id, FATE UNKNOWN, written 2020-03-31")
    assert lines[1].endswith("ORDER_UNRESOLVED: the reply was lost")
    assert "decision: the run has not reported; run its slot again to finish it" in lines


def test_only_the_sleeves_that_asked_for_the_order_are_named(
    order: JournalOrder, report: CycleReport, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, report)
    assert "decision of income: rebalance, 1,252.50 USD in SPY" in lines
    assert not any("growth" in line for line in lines)


def test_a_snapshot_is_named_by_its_date_and_hash(
    order: JournalOrder, report: CycleReport, capfd: pytest.CaptureFixture[str]
) -> None:
    assert f"snapshot: 2020-03-30, SHA-256 {'ab' * 32}" in told(capfd, order, report)


def test_an_order_of_the_whole_wish_says_that_nothing_limited_it(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, None)
    assert "size: 5.0000 shares exactly" in lines
    assert "why not larger: nothing limited it, this is the whole wish" in lines


def test_a_limit_is_explained_in_words(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    limited = replace(order, leg=replace(order.leg, limited_by=ReasonCode.SELLS_UNFILLED))
    assert f"why not larger: SELLS_UNFILLED, {ReasonCode.SELLS_UNFILLED.meaning}" in told(
        capfd, limited, None
    )
