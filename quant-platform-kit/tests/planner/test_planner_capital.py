"""What weights are shares of, and what refuses a plan."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import FrozenSleeve, OrderPlan, PortfolioSnapshot, Quote
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.planner import CapitalPolicy, capital_base

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]
Snapshots = Callable[..., PortfolioSnapshot]
Quotes = Callable[..., dict[str, Quote]]


@pytest.mark.parametrize(
    ("policy", "base"),
    [
        (CapitalPolicy(), 1500),
        (CapitalPolicy(cash_floor_usd=Decimal(400)), 1100),
        (CapitalPolicy(cash_floor_usd=Decimal(5000)), 500),
        (CapitalPolicy(capital_limit_usd=Decimal(1200)), 1200),
        (CapitalPolicy(capital_limit_usd=Decimal(9000)), 1500),
        (CapitalPolicy(pinned_base_usd=Decimal(1490)), 1490),
    ],
)
def test_the_capital_base_is_cash_above_the_floor_and_managed_holdings(
    snapshot_of: Snapshots, quotes_of: Quotes, policy: CapitalPolicy, base: int
) -> None:
    snapshot = snapshot_of({"AAA": 50, "MANUAL": 1000}, 1000)
    assert capital_base(snapshot, ["AAA", "BBB"], quotes_of({"AAA": 10}), policy) == base


def test_a_debit_is_not_negative_capital(snapshot_of: Snapshots, quotes_of: Quotes) -> None:
    snapshot = snapshot_of({"AAA": 50}, -200)
    assert capital_base(snapshot, ["AAA"], quotes_of({"AAA": 10}), CapitalPolicy()) == 500


def test_a_manual_holding_is_never_touched_and_needs_no_price(
    plan: Planner, quantities: Quantities
) -> None:
    made = plan({"AAA": 1}, prices={"AAA": 10}, cash=100, positions={"MANUAL": 7})
    assert quantities(made) == {"AAA": 10}
    assert made.skipped == ()
    assert made.capital_base_usd == 100


def test_a_frozen_sleeve_counts_as_capital_and_is_not_traded(
    plan: Planner, quantities: Quantities, codes: Codes
) -> None:
    frozen = FrozenSleeve("other", ReasonCode.HOLD, "an ordinary day", ("BBB", "CCC"))
    made = plan(
        {"AAA": "0.5"},
        prices={"AAA": 10, "BBB": 10},
        positions={"AAA": 50, "BBB": 50},
        frozen=(frozen,),
    )
    # Half of 1000 is held already: a base without the frozen half would have sold AAA.
    assert made.capital_base_usd == 1000
    assert quantities(made) == {}
    assert codes(made) == {"AAA": ReasonCode.AT_TARGET}


@pytest.mark.parametrize(
    ("amounts", "positions"), [({"AAA": "0.5", "BBB": "0.5"}, {}), ({"AAA": 1}, {"BBB": 3})]
)
def test_a13_one_missing_quote_refuses_the_whole_plan(
    plan: Planner, amounts: dict[str, str], positions: dict[str, int]
) -> None:
    with pytest.raises(InputError, match=r"BBB.*none of its orders was sent") as refusal:
        plan(amounts, managed=("AAA", "BBB"), prices={"AAA": 10}, cash=1000, positions=positions)
    assert refusal.value.code is ReasonCode.PRICE_MISSING
    assert refusal.value.symbol == "BBB"


def test_a13_holds_for_a_pinned_base_and_for_blocked_symbols_too(plan: Planner) -> None:
    with pytest.raises(InputError, match="BBB, CCC"):
        plan(
            {"AAA": "0.5", "CCC": "0.5"},
            managed=("AAA", "BBB", "CCC"),
            prices={"AAA": 10},
            positions={"BBB": 1},
            policy=CapitalPolicy(pinned_base_usd=Decimal(1000)),
            blocked={"BBB": ReasonCode.ORDER_UNRESOLVED},
        )


def test_a_missing_quote_of_a_frozen_holding_refuses_the_plan(plan: Planner) -> None:
    frozen = FrozenSleeve("other", ReasonCode.HOLD, "an ordinary day", ("BBB",))
    with pytest.raises(InputError, match="BBB"):
        plan({"AAA": 1}, prices={"AAA": 10}, cash=1, positions={"BBB": 1}, frozen=(frozen,))


def test_a_wish_without_capital_is_refused(plan: Planner) -> None:
    with pytest.raises(InputError, match="No order was sent") as refusal:
        plan({"AAA": 1}, prices={"AAA": 10}, cash=0)
    assert refusal.value.code is ReasonCode.CAPITAL_ZERO


def test_no_capital_and_no_wish_is_an_empty_plan(plan: Planner, codes: Codes) -> None:
    made = plan({}, managed=("AAA",), prices={})
    assert made.legs == ()
    assert codes(made) == {"AAA": ReasonCode.AT_TARGET}
