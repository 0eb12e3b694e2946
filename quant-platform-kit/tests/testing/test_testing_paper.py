"""On somebody's account nothing is sent but one share far below the price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import SimulatedBroker
from quant_platform_kit.contracts import (
    Environment,
    OrderRequest,
    OrderType,
    Side,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.testing import BrokerBench
from quant_platform_kit.testing.broker_benches import in_process_bench
from quant_platform_kit.testing.broker_paper import PaperBroker

ONE = Decimal(1)


class PaperAccount(SimulatedBroker):
    @property
    def environment(self) -> Environment:
        return Environment.PAPER


class LiveAccount(SimulatedBroker):
    @property
    def environment(self) -> Environment:
        return Environment.LIVE


@pytest.fixture
def bench(tmp_path: Path) -> BrokerBench:
    return in_process_bench(tmp_path, kind=PaperAccount)


@pytest.fixture
def guarded(bench: BrokerBench) -> PaperBroker:
    return PaperBroker(bench.connect())


def tiny(limit: str = "5.00", quantity: Decimal = ONE) -> OrderRequest:
    return OrderRequest("tiny", "AAA", Side.BUY, quantity, OrderType.LIMIT, Decimal(limit))


@pytest.mark.parametrize(
    "order",
    [
        OrderRequest("market", "AAA", Side.BUY, ONE),
        OrderRequest("sale", "AAA", Side.SELL, ONE, OrderType.LIMIT, Decimal(20)),
        OrderRequest("stop", "AAA", Side.BUY, ONE, OrderType.STOP, stop_price_usd=Decimal(12)),
        OrderRequest("ten", "AAA", Side.BUY, Decimal(10), OrderType.LIMIT, Decimal(5)),
        OrderRequest("near", "AAA", Side.BUY, ONE, OrderType.LIMIT, Decimal("9.99")),
        OrderRequest(
            "lasting",
            "AAA",
            Side.BUY,
            ONE,
            OrderType.LIMIT,
            Decimal(5),
            time_in_force=TimeInForce.GTC,
        ),
        OrderRequest("unpriced", "NONE", Side.BUY, ONE, OrderType.LIMIT, Decimal(5)),
    ],
    ids=lambda order: order.client_id,
)
def test_what_is_not_safe_is_denied_and_never_sent(
    order: OrderRequest, guarded: PaperBroker
) -> None:
    answer = guarded.submit(order)
    assert answer.outcome is SubmitOutcome.DENIED
    assert answer.detail.endswith("Nothing was sent.")
    assert guarded.inner.find_order(order.client_id) is None


def test_what_is_safe_is_sent_written_down_and_taken_back(guarded: PaperBroker) -> None:
    assert guarded.submit(tiny()).outcome is SubmitOutcome.ACKED
    assert [sight.call for sight in guarded.seen] == ["submit(buy 1 AAA limit 5.00 as tiny)"]
    assert guarded.take_back() == ()
    assert guarded.open_orders() == ()


def test_another_s_order_is_not_cancelled(guarded: PaperBroker) -> None:
    theirs = guarded.inner.submit(tiny())
    with pytest.raises(SettingsError, match="somebody else's"):
        guarded.cancel(str(theirs.broker_order_id))
    assert guarded.take_back() == ()
    assert len(guarded.open_orders()) == 1


def test_an_account_that_is_no_paper_account_is_refused(tmp_path: Path) -> None:
    live = in_process_bench(tmp_path, kind=LiveAccount).connect()
    with pytest.raises(SettingsError, match="says that it is live"):
        PaperBroker(live)
