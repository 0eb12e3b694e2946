"""Stops at LongBridge, whose triggers wait on the side on which they lie."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import Fault
from quant_platform_kit.brokers.longbridge import LongbridgeBroker
from quant_platform_kit.contracts import (
    BrokerOrder,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.simulators import SimulatorControl, WireFault

TEN = Decimal(10)
NINE, ELEVEN = Decimal(9), Decimal(11)


@pytest.fixture
def holder(broker: LongbridgeBroker) -> LongbridgeBroker:
    """Connect to an account that holds ten AAA, bought at 10.00."""
    broker.submit(OrderRequest("bought", "AAA", Side.BUY, TEN))
    return broker


def a_stop(kind: OrderType = OrderType.STOP, **terms: Any) -> OrderRequest:  # noqa: ANN401
    usual = {"time_in_force": TimeInForce.GTC}
    return OrderRequest("stop", "AAA", Side.SELL, TEN, kind, **usual | terms)


def found(broker: LongbridgeBroker) -> BrokerOrder:
    order = broker.find_order("stop")
    assert order is not None
    return order


def test_a_stop_rests_with_its_trigger_on_later_days_too(
    holder: LongbridgeBroker, control: SimulatorControl
) -> None:
    answer = holder.submit(a_stop(stop_price_usd=NINE))
    assert answer.outcome is SubmitOutcome.ACKED
    for day in (31, 32):
        (order,) = holder.open_orders()
        assert (order.client_id, order.order_type) == ("stop", OrderType.STOP)
        assert (order.status, order.trigger_price_usd) == (OrderStatus.SUBMITTED, NINE)
        if day == 31:
            control.advance_to(datetime(2020, 4, 1, 19, 30, tzinfo=UTC))
    holder.cancel(str(answer.broker_order_id))
    assert holder.open_orders() == ()


def test_a_stop_sells_when_the_price_falls_to_it(
    holder: LongbridgeBroker, control: SimulatorControl, tmp_path: Path
) -> None:
    holder.submit(a_stop(stop_price_usd=NINE))
    fallen = tmp_path / "fallen.csv"
    fallen.write_text("date,AAA\n2020-03-31,10\n2020-04-01,8\n")
    control.set_market(str(fallen))
    control.advance_to(datetime(2020, 4, 1, 19, 30, tzinfo=UTC))
    assert found(holder).status is OrderStatus.FILLED
    assert holder.positions() == ()


def test_a_stop_that_was_passed_already_sells_at_once_and_does_not_wait_for_a_rise(
    holder: LongbridgeBroker,
) -> None:
    assert holder.submit(a_stop(stop_price_usd=ELEVEN)).outcome is SubmitOutcome.ACKED
    assert found(holder).status is OrderStatus.FILLED
    assert holder.positions() == ()


def test_a_stop_limit_waits_and_keeps_its_limit(holder: LongbridgeBroker) -> None:
    order = a_stop(OrderType.STOP_LIMIT, stop_price_usd=NINE, limit_price_usd=Decimal("8.50"))
    assert holder.submit(order).outcome is SubmitOutcome.ACKED
    assert found(holder).order_type is OrderType.STOP_LIMIT


def test_a_stop_limit_that_was_passed_already_is_its_limit(holder: LongbridgeBroker) -> None:
    order = a_stop(OrderType.STOP_LIMIT, stop_price_usd=ELEVEN, limit_price_usd=Decimal("10.50"))
    assert holder.submit(order).outcome is SubmitOutcome.ACKED
    seen = found(holder)
    assert (seen.order_type, seen.status) == (OrderType.LIMIT, OrderStatus.SUBMITTED)


@pytest.mark.parametrize("begins_at", [None, Decimal("8.50"), NINE])
def test_a_trailing_stop_begins_at_its_own_distance(
    begins_at: Decimal | None, holder: LongbridgeBroker
) -> None:
    order = a_stop(OrderType.TRAILING_STOP, trailing_ratio=Decimal("0.1"), stop_price_usd=begins_at)
    assert holder.submit(order).outcome is SubmitOutcome.ACKED
    seen = found(holder)
    assert (seen.order_type, seen.trigger_price_usd) == (OrderType.TRAILING_STOP, NINE)


def test_a_trailing_stop_that_should_begin_closer_is_denied_and_not_weakened(
    holder: LongbridgeBroker,
) -> None:
    order = a_stop(
        OrderType.TRAILING_STOP, trailing_ratio=Decimal("0.1"), stop_price_usd=Decimal("9.50")
    )
    answer = holder.submit(order)
    assert answer.outcome is SubmitOutcome.DENIED
    assert "9.00 USD" in answer.detail
    assert holder.find_order("stop") is None


def test_a_purchase_waits_for_a_rise(broker: LongbridgeBroker) -> None:
    order = OrderRequest("stop", "AAA", Side.BUY, TEN, OrderType.STOP, stop_price_usd=ELEVEN)
    assert broker.submit(order).outcome is SubmitOutcome.ACKED
    assert found(broker).status is OrderStatus.SUBMITTED


@pytest.mark.parametrize("fault", [Fault.QUOTE_MISSING, WireFault.SERVER_ERROR])
def test_a_stop_whose_side_is_unknown_is_denied(
    fault: Fault | WireFault, holder: LongbridgeBroker, control: SimulatorControl
) -> None:
    control.fault(fault)
    assert holder.submit(a_stop(stop_price_usd=NINE)).outcome is SubmitOutcome.DENIED
    control.clear()
    assert holder.find_order("stop") is None
