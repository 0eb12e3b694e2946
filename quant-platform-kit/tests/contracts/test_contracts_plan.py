"""What a plan's values say about themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import FeeModel, Leg, Side, TradingRules

NOW = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)


def leg(target_usd: str, current: int, target: int, price: int = 10) -> Leg:
    wish = Decimal(target_usd)
    side = Side.BUY if target > current else Side.SELL
    return Leg(
        "SPY",
        side,
        Decimal(abs(target - current)),
        Decimal(price),
        NOW,
        wish,
        Decimal(current * price),
        Decimal(target),
        Decimal(current),
        wish / price,
    )


@pytest.mark.parametrize(
    ("made", "difference", "rounding"),
    [
        (leg("126", 5, 13), 76, Decimal("0.4")),
        (leg("124", 5, 12), 74, Decimal("-0.4")),
        (leg("0", 5, 0), -50, 0),
    ],
)
def test_a_leg_tells_its_difference_and_what_rounding_did(
    made: Leg, difference: int, rounding: Decimal
) -> None:
    assert made.difference_usd == difference
    assert made.rounding_quantity == rounding


@pytest.mark.parametrize(
    ("side", "price", "room", "tick", "limit"),
    [
        (Side.BUY, "10", "0", "0.01", "10"),
        (Side.BUY, "10", "0.005", "0.01", "10.05"),
        (Side.SELL, "10", "0.005", "0.01", "9.95"),
        (Side.BUY, "33.33", "0.01", "0.01", "33.66"),  # 33.6633, down
        (Side.SELL, "33.33", "0.01", "0.01", "33.00"),  # 32.9967, up
        (Side.BUY, "33.33", "0.01", "0.05", "33.65"),
        (Side.SELL, "33.33", "0.01", "0.05", "33.00"),
        (Side.BUY, "0.004", "0", "0.01", "0.01"),
        (Side.SELL, "0.5", "1", "0.01", "0.01"),
    ],
)
def test_a_limit_lies_on_a_tick_and_never_beyond_the_head_room(
    side: Side, price: str, room: str, tick: str, limit: str
) -> None:
    rules = TradingRules(buy_price_buffer_ratio=Decimal(room), tick_usd=Decimal(tick))
    assert rules.limit_price(side, Decimal(price)) == Decimal(limit)


def test_a_fee_is_the_charge_on_the_rate_of_every_share() -> None:
    fees = FeeModel(per_share_usd=Decimal("0.01"), notional_bps=Decimal(10), minimum_usd=Decimal(1))
    assert fees.rate(Decimal(50)) == Decimal("0.06")
    assert fees.charge(Decimal("1.201")) == Decimal("1.21")
    assert fees.charge(Decimal("0.2")) == 1
    assert fees.fee(Decimal(20), Decimal(50)) == Decimal("1.20")
