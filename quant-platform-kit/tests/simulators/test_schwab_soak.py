"""Many orders under faults drawn by lot: each is booked once at most, and its fate is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from quant_platform_kit.contracts import OrderRequest, Side, SubmitOutcome
from quant_platform_kit.simulators import HostOptions, SimulatorControl, WireFault, WireSwitch

pytest.importorskip("quant_platform_kit.brokers.schwab")

FAULTS = (
    None,
    WireFault.REPLY_LOST_BEFORE_BOOKING,
    WireFault.REPLY_LOST_AFTER_BOOKING,
    WireFault.DROP_CONNECTION,
    WireFault.SERVER_ERROR,
    WireFault.RATE_LIMIT,
    WireFault.AUTH_EXPIRED,
    WireFault.MALFORMED,
    WireFault.NO_ORDER_ID,
    WireFault.REJECT,
    WireFault.REJECT_LATER,
    WireFault.PARTIAL_THEN_CANCEL,
)


@pytest.mark.parametrize("seed", range(3))
def test_no_order_is_booked_twice_or_lost(
    seed: int,
    connect_schwab: Callable[..., Any],
    schwab_control: SimulatorControl,
    fresh: HostOptions,
) -> None:
    schwab_control.open_account(replace(fresh, cash_usd=Decimal(1_000_000)))
    lot = random.Random(seed)  # noqa: S311 (a repeatable lot)
    broker, expected = connect_schwab(), {}
    for number in range(40):
        client_id, symbol = f"order-{number}", lot.choice(("AAA", "BBB", "CCC"))
        order = OrderRequest(client_id, symbol, Side.BUY, Decimal(lot.choice((10, 20))))
        fault = lot.choice(FAULTS)
        switches = () if fault is None else (WireSwitch(fault, operation="place", nth=1),)
        schwab_control.set_faults(*switches)
        answer = broker.submit(order)
        if lot.random() < 0.2:
            broker = connect_schwab()  # the process was replaced
        found = broker.find_order(client_id)
        if answer.outcome is SubmitOutcome.ACKED:
            assert found is not None
        if answer.outcome is SubmitOutcome.REJECTED:
            assert found is None
        if found is not None:
            expected[client_id] = found.filled_quantity
    fills = broker.fills_since(schwab_control.now().replace(hour=0))
    filled = {client_id: Decimal(0) for client_id in expected}
    for fill in fills:
        filled[fill.client_id] += fill.quantity
    assert filled == expected
    book = schwab_control.book()
    assert sum(filled.values()) == sum(Decimal(p["quantity"]) for p in book["positions"])
    assert broker.open_orders() == ()
