"""What LongBridge's cash flow says, and how rows without an id are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.brokers.longbridge import LongbridgeBroker
from quant_platform_kit.brokers.longbridge import _session as session
from quant_platform_kit.brokers.longbridge._cash import movements
from quant_platform_kit.contracts import MovementKind
from quant_platform_kit.simulators import SimulatorControl

AT = datetime(2026, 11, 20, 8, 15, 22, tzinfo=UTC)


def a_flow(
    name: str = "Cash Dividend",
    text: str = "OXY.US Cash Dividend",
    usd: str = "44",
    **changes: object,
) -> Any:  # noqa: ANN401 (stands for an untyped SDK's row)
    usual = {
        "transaction_flow_name": name,
        "direction": "CashFlowDirection.Out" if usd.startswith("-") else "CashFlowDirection.In",
        "balance": Decimal(usd),
        "currency": "USD",
        "business_time": AT,
        "symbol": None,
        "description": text,
    }
    return SimpleNamespace(**usual | changes)


@pytest.mark.parametrize(
    ("flow", "kind", "symbol"),
    [
        (a_flow(), "dividend", "OXY"),
        (a_flow(text="paid", symbol="AAPL.US"), "dividend", "AAPL"),
        (a_flow(text="#9988.HK BABA-W: 24/25 F/D"), "dividend", None),
        (a_flow("CO Other FEE", "OXY.US Withholding Tax/Dividend Fee", "-4.4"), "tax", "OXY"),
        (a_flow("CO Other FEE", "NIO.US ADR Fee", "-0.5"), "fee", "NIO"),
        (a_flow("Interest", "", "0.02"), "interest", None),
        (a_flow("Deposit", "", "500"), "transfer", None),
        (a_flow("Withdrawal", "", "-500"), "transfer", None),
    ],
)
def test_a_row_is_what_its_name_and_description_say(
    flow: Any,  # noqa: ANN401 (an untyped SDK's row)
    kind: str,
    symbol: str | None,
) -> None:
    (moved,) = movements([flow])
    assert (moved.kind, moved.symbol) == (MovementKind(kind), symbol)
    assert (moved.amount_usd, moved.at) == (flow.balance, AT)


@pytest.mark.parametrize(
    "flow",
    [
        a_flow("BuyContract-Stocks", "AAPL", "-248.60", symbol="AAPL.US"),
        a_flow("SellContract-Stocks", "AAPL", "125.16", symbol="AAPL.US"),
        a_flow("Commission", "AAPL", "-1.00"),
        a_flow("Trading Fee", "AAPL", "-1.00"),
        a_flow(currency="HKD"),
        a_flow(usd="0"),
    ],
)
def test_trades_other_money_and_what_is_not_known_are_no_movement(flow: Any) -> None:  # noqa: ANN401 (an untyped SDK's row)
    assert movements([flow]) == ()


def test_an_amount_without_a_sign_goes_the_way_that_the_row_says() -> None:
    (moved,) = movements([a_flow("CO Other FEE", "OXY.US ADR Fee", "-0.5", balance=Decimal("0.5"))])
    assert moved.amount_usd == Decimal("-0.5")


@given(st.permutations([a_flow(), a_flow(), a_flow(usd="3"), a_flow("Interest", "", "0.02")]))
def test_ids_are_the_same_in_whatever_order_rows_come_and_no_two_are_alike(
    rows: list[Any],
) -> None:
    usual = movements([a_flow(), a_flow(), a_flow(usd="3"), a_flow("Interest", "", "0.02")])
    assert movements(rows) == usual
    assert len({moved.movement_id for moved in usual}) == 4


def test_an_amount_written_with_other_zeros_has_the_same_id() -> None:
    (short,), (long,) = movements([a_flow(usd="44")]), movements([a_flow(usd="44.00")])
    assert short.movement_id == long.movement_id


def test_more_rows_than_one_page_are_all_told(
    broker: LongbridgeBroker, control: SimulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_MOST_ROWS", 2)
    for usd in (1, 2, 3, 4, 5):
        control.move_cash(MovementKind.TRANSFER, Decimal(usd))
    told = broker.cash_movements(control.now() - timedelta(days=1))
    assert sorted(moved.amount_usd for moved in told) == [1, 2, 3, 4, 5]
