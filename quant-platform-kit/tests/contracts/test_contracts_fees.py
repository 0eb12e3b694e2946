"""The bounds of a fee."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.errors import ContractError

IBKR_FIXED = FeeModel(Decimal("0.005"), minimum_usd=Decimal(1), maximum_bps=Decimal(100))
IBKR_TIERED = FeeModel(Decimal("0.0035"), minimum_usd=Decimal("0.35"), maximum_bps=Decimal(100))

cents = st.decimals("0.01", "2000", places=2)
shares = st.integers(1, 50_000).map(Decimal)
models = st.builds(
    FeeModel,
    st.decimals("0", "0.05", places=4),
    st.decimals("0", "30", places=1),
    st.decimals("0", "20", places=2),
    st.none() | st.decimals("0", "200", places=1),
)


@pytest.mark.parametrize(
    ("fees", "quantity", "price", "fee"),
    [
        (IBKR_FIXED, 100, "25", "1.00"),
        (IBKR_FIXED, 1000, "25", "5.00"),
        (IBKR_FIXED, 1000, "0.25", "2.50"),  # the broker's own example of the maximum
        (IBKR_FIXED, 10, "5", "0.50"),  # the maximum lies below the minimum, and counts
        (IBKR_TIERED, 50, "25", "0.35"),
        (IBKR_TIERED, 1000, "25", "3.50"),
    ],
)
def test_the_plans_of_a_broker_that_bounds_its_fees(
    fees: FeeModel, quantity: int, price: str, fee: str
) -> None:
    assert fees.fee(Decimal(quantity), Decimal(price)) == Decimal(fee)


@given(models, shares, shares, cents)
def test_two_parts_never_cost_less_than_the_whole(
    fees: FeeModel, one: Decimal, other: Decimal, price: Decimal
) -> None:
    assert fees.fee(one, price) + fees.fee(other, price) >= fees.fee(one + other, price)


@given(models, shares, cents)
def test_a_charge_without_its_notional_is_never_too_little(
    fees: FeeModel, quantity: Decimal, price: Decimal
) -> None:
    assert fees.charge(quantity * fees.rate(price)) >= fees.fee(quantity, price)


def test_a_maximum_below_zero_is_refused() -> None:
    with pytest.raises(ContractError, match="maximum_bps"):
        FeeModel(maximum_bps=Decimal(-1))
