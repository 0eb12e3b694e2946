"""Several accounts under one login: what the others hold, order and trade is never ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.brokers.ibkr import IbkrBroker, IbkrLogin
from quant_platform_kit.contracts import OrderRequest, OrderStatus, OrderType, Side, SubmitOutcome
from quant_platform_kit.errors import BrokerAnswerError
from quant_platform_kit.simulators import Host, WireFault, WireSwitch
from quant_platform_kit.simulators.tws import TwsDoor, serve

TEN = Decimal(10)
LONG_AGO = datetime(2012, 3, 30, tzinfo=UTC)
OURS, OTHERS = "DU123", ("DU900", "DU901")


@pytest.fixture
def door(host: Host) -> Iterator[TwsDoor]:
    """Serve three accounts, of which the others do what ours does, in other sizes."""
    with closing(serve(host, 0, decoys=OTHERS)) as door:
        yield door


@pytest.fixture
def broker(connect: Callable[..., IbkrBroker]) -> IbkrBroker:
    return connect(account=OURS)


def limit(client_id: str, price: str = "1") -> OrderRequest:
    return OrderRequest(
        client_id, "IBM", Side.BUY, TEN, OrderType.LIMIT, limit_price_usd=Decimal(price)
    )


def test_the_holdings_and_the_money_are_those_of_our_account(broker: IbkrBroker) -> None:
    assert broker.positions() == ()
    assert broker.account().account_id == OURS
    assert broker.account().equity_usd == Decimal(100_000)


def test_an_execution_of_another_account_with_our_reference_is_not_ours(
    broker: IbkrBroker,
) -> None:
    answer = broker.submit(OrderRequest("ours", "IBM", Side.BUY, TEN))
    assert answer.outcome is SubmitOutcome.ACKED
    (fill,) = broker.fills_since(LONG_AGO)
    assert (fill.broker_order_id, fill.quantity) == (answer.broker_order_id, TEN)
    assert [position.quantity for position in broker.positions()] == [TEN]


def test_an_ended_order_of_another_account_with_our_reference_is_not_ours(
    broker: IbkrBroker,
) -> None:
    answer = broker.submit(OrderRequest("ours", "IBM", Side.BUY, TEN))
    found = broker.find_order("ours")
    assert found is not None
    assert (found.broker_order_id, found.quantity) == (answer.broker_order_id, TEN)
    assert found.status is OrderStatus.FILLED
    assert found.filled_quantity == TEN


def test_a_working_order_of_another_account_is_neither_shown_nor_cancelled(
    broker: IbkrBroker,
) -> None:
    answer = broker.submit(limit("ours"))
    assert [order.broker_order_id for order in broker.open_orders()] == [answer.broker_order_id]
    theirs = str(int(answer.broker_order_id or "") + 1_000_000)
    with pytest.raises(BrokerAnswerError, match="The account has no order"):
        broker.cancel(theirs)
    assert len(broker.open_orders()) == 1
    broker.cancel(answer.broker_order_id or "")
    assert broker.open_orders() == ()


def test_an_order_whose_answer_was_lost_is_found_in_our_account_alone(
    broker: IbkrBroker, host: Host
) -> None:
    host.wire.set(WireSwitch(WireFault.REPLY_LOST_AFTER_BOOKING, "order"))
    assert broker.submit(limit("lost")).outcome is SubmitOutcome.UNRESOLVED
    found = broker.find_order("lost")
    assert found is not None
    assert found.quantity == TEN


def test_each_service_of_a_group_trades_its_own_account_as_a_client_of_its_own(
    login: IbkrLogin, broker: IbkrBroker
) -> None:
    with closing(IbkrBroker(replace(login, account=OTHERS[0], client_id=2))) as other:
        assert other.account().account_id == OTHERS[0]
        assert other.account().equity_usd == Decimal(777)
        assert [position.quantity for position in other.positions()] == [Decimal(5)]
        broker.submit(OrderRequest("ours", "IBM", Side.BUY, TEN))
        (fill,) = other.fills_since(LONG_AGO)
        assert fill.quantity == Decimal(17)
        assert fill.client_id == "ours"
    assert [position.quantity for position in broker.positions()] == [TEN]
