"""The pre-trade checks: each refuses what it should, in their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    Account,
    Environment,
    Leg,
    PortfolioSnapshot,
    Position,
    Side,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.risk import Check, GateMode, GateState, check_leg

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
TEN, NONE = Decimal(10), Decimal(0)
BUY = Leg("SPY", Side.BUY, TEN, TEN, NOW, NONE, NONE, NONE, NONE, NONE)
SELL = replace(BUY, side=Side.SELL, current_quantity=TEN)
CASH = Decimal(1000)
SNAPSHOT = PortfolioSnapshot(
    Account("an account", Environment.PAPER, CASH, CASH, CASH), (Position("SPY", TEN),), (), NOW
)
PASSES = Check(GateState(GateMode.ACTIVE), SNAPSHOT, frozenset({"SPY", "BIL"}), {})
HALTED = GateState(GateMode.HALTED, "operator", "earnings")
OLD = timedelta(minutes=15, microseconds=1)


@pytest.mark.parametrize("leg", [BUY, SELL], ids=["buy", "sell"])
def test_an_ordinary_leg_is_approved(leg: Leg) -> None:
    assert check_leg(leg, PASSES).approved


@pytest.mark.parametrize(
    ("leg", "against", "code", "said"),
    [
        (BUY, replace(PASSES, gate=HALTED), ReasonCode.GATE_CLOSED, "earnings"),
        (SELL, replace(PASSES, gate=HALTED), ReasonCode.GATE_CLOSED, "halted"),
        (
            BUY,
            replace(PASSES, gate=GateState(GateMode.REDUCING)),
            ReasonCode.GATE_CLOSED,
            "reducing",
        ),
        (replace(BUY, price_at=NOW - OLD), PASSES, ReasonCode.PRICE_STALE, "SPY"),
        (BUY, replace(PASSES, managed=frozenset()), ReasonCode.UNMANAGED_TARGET, "SPY"),
        (
            BUY,
            replace(PASSES, unresolved={"SPY": "qpk-lost"}),
            ReasonCode.ORDER_UNRESOLVED,
            "qpk-lost",
        ),
        (
            replace(SELL, quantity=Decimal(11), current_quantity=Decimal(11)),
            PASSES,
            ReasonCode.RISK_REJECTED,
            "10 held",
        ),
    ],
)
def test_each_check_refuses_with_its_own_code(
    leg: Leg, against: Check, code: ReasonCode, said: str
) -> None:
    verdict = check_leg(leg, against)
    assert (verdict.approved, verdict.code) == (False, code)
    assert said in verdict.detail


def test_a_reducing_gate_lets_a_sale_through() -> None:
    assert check_leg(SELL, replace(PASSES, gate=GateState(GateMode.REDUCING))).approved


def test_a_price_may_be_a_quarter_of_an_hour_old() -> None:
    assert check_leg(replace(BUY, price_at=NOW - timedelta(minutes=15)), PASSES).approved


def test_the_first_refusal_names_the_reason() -> None:
    wrong_everywhere = Check(HALTED, SNAPSHOT, frozenset(), {"SPY": "qpk-lost"})
    stale = replace(BUY, price_at=NOW - OLD)
    assert check_leg(stale, wrong_everywhere).code is ReasonCode.GATE_CLOSED
    opened = replace(wrong_everywhere, gate=GateState(GateMode.ACTIVE))
    assert check_leg(stale, opened).code is ReasonCode.PRICE_STALE
    assert check_leg(BUY, opened).code is ReasonCode.UNMANAGED_TARGET
