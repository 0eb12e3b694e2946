"""From a strategy's floats to exact targets, and what reports derive from their fields."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Contribution,
    CycleReport,
    Decision,
    DecisionOutcome,
    ExecutionMode,
    FeeModel,
    FrozenSleeve,
    Leg,
    OrderLine,
    OrderStatus,
    Outcome,
    PortfolioTarget,
    Side,
    TargetMode,
    TargetPortfolio,
)
from quant_platform_kit.errors import ContractError, ReasonCode

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
REPORT = CycleReport(
    run_key="ibkr-1:2020-03-31:close",
    platform="ibkr",
    account="ibkr-1",
    session=NOW.date(),
    slot="close",
    mode=ExecutionMode.PAPER,
    environment=None,
    outcome=Outcome.TRADED,
    code=None,
    reason="",
    started_at=NOW,
    finished_at=NOW,
)


def test_a_float_becomes_the_decimal_that_was_meant() -> None:
    decision = Decision.weights({"SPY": 0.1, "BIL": Decimal("0.2")})
    assert [target.amount for target in decision.targets] == [Decimal("0.1"), Decimal("0.2")]
    assert decision.mode is TargetMode.WEIGHT


def test_dollars_are_rounded_down_to_the_cent() -> None:
    (target,) = Decision.values({"SPY": 99.999}).targets
    assert target.amount == Decimal("99.99")


@given(st.integers(1, 200))
def test_equal_weights_never_exceed_the_whole_through_rounding(count: int) -> None:
    decision = Decision.weights({f"S{n}": 1 / count for n in range(count)})
    total = sum(target.amount for target in decision.targets)
    assert Decimal(1) - count * Decimal("1e-10") <= total <= 1


@pytest.mark.parametrize(
    "amount", [float("nan"), float("inf"), float("-inf"), 1e30, -0.1, "much"], ids=str
)
@pytest.mark.parametrize("build", [Decision.weights, Decision.values], ids=["weights", "values"])
def test_a_number_that_is_no_amount_is_refused_by_name(build: object, amount: object) -> None:
    with pytest.raises(ContractError, match=r"Target\.amount = "):
        build({"SPY": amount})  # type: ignore[operator]


def test_every_outcome_has_its_constructor() -> None:
    blocked = Decision.blocked(ReasonCode.HISTORY_STALE, "SPY ends a week ago")
    assert Decision.hold("monthly").outcome is DecisionOutcome.HOLD
    assert (blocked.outcome, blocked.code) == (DecisionOutcome.BLOCKED, ReasonCode.HISTORY_STALE)
    assert Decision.weights({}).outcome is DecisionOutcome.REBALANCE  # everything into cash


@pytest.mark.parametrize(
    ("outcome", "code", "consumed"),
    [
        (Outcome.TRADED, None, True),
        (Outcome.NO_ACTION, ReasonCode.HOLD, True),
        (Outcome.NO_ACTION, ReasonCode.NOTHING_TO_DO, True),
        (Outcome.NO_ACTION, ReasonCode.MARKET_CLOSED, False),
        (Outcome.BLOCKED, ReasonCode.PRICE_MISSING, False),
        (Outcome.FAILED, ReasonCode.QUANTITY_MISMATCH, False),
    ],
)
def test_only_a_run_that_did_its_work_consumes_its_slot(
    outcome: Outcome, code: ReasonCode | None, consumed: bool
) -> None:
    assert replace(REPORT, outcome=outcome, code=code).consumes_slot is consumed


def test_turnover_counts_what_was_filled_at_what_it_cost() -> None:
    three, none = Decimal(3), Decimal(0)
    leg = Leg("SPY", Side.BUY, three, three, NOW, none, none, none, none, none)
    line = OrderLine(
        client_id="qpk-1",
        broker_order_id="b-1",
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(3),
        filled_quantity=Decimal(2),
        average_price_usd=Decimal("10.50"),
        fee_usd=Decimal(1),
        status=OrderStatus.CANCELLED,
        code=None,
        detail="",
        leg=leg,
    )
    unfilled = replace(line, filled_quantity=Decimal(0), average_price_usd=None)
    assert replace(REPORT, orders=(line, unfilled, line)).turnover_usd == Decimal(42)
    assert REPORT.turnover_usd == 0


@pytest.mark.parametrize("status", OrderStatus, ids=lambda status: status.value)
def test_an_order_is_final_when_it_can_never_fill_again(status: OrderStatus) -> None:
    final = {"filled", "cancelled", "rejected", "expired"}
    assert status.is_final is (status.value in final)


def test_the_capital_counts_holdings_of_frozen_sleeves_too() -> None:
    target = TargetPortfolio(
        TargetMode.WEIGHT,
        ("SPY", "BIL"),
        (PortfolioTarget("SPY", Decimal(1), (Contribution("a", Decimal(1)),)),),
        (FrozenSleeve("b", ReasonCode.HOLD, "", ("GLD",)),),
    )
    assert target.universe == {"SPY", "BIL", "GLD"}


@given(
    st.decimals("0.01", 1000, places=2), st.decimals("0.01", 1000, places=2), st.integers(1, 500)
)
def test_an_order_in_two_parts_never_costs_less_than_in_one(
    price: Decimal, rate_bps: Decimal, shares: int
) -> None:
    fees = FeeModel(per_share_usd=Decimal("0.005"), notional_bps=rate_bps, minimum_usd=Decimal(1))
    whole, part = Decimal(2 * shares), Decimal(shares)
    assert fees.fee(whole, price) <= 2 * fees.fee(part, price)
    assert fees.fee(whole, price) >= Decimal(1)
