"""When the proceeds of a sale pay for a purchase."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    Fault,
    Faults,
    FaultSwitch,
    SimulatedBroker,
)
from quant_platform_kit.contracts import (
    FeeModel,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock

OpenBroker = Callable[..., SimulatedBroker]
T_PLUS_1 = AccountTerms(AccountKind.CASH)
NEXT_OPEN = datetime(2020, 4, 1, 13, 30, tzinfo=UTC)
FREE = TradingRules()


def send(
    broker: SimulatedBroker, client_id: str, side: Side, shares: str, **more: object
) -> Submission:
    order = OrderRequest(client_id, "AAA", side, Decimal(shares), **more)  # type: ignore[arg-type]
    return broker.submit(order)


def usable(broker: SimulatedBroker) -> Decimal:
    return broker.account().usable_cash_usd


def test_in_a_cash_account_a_sale_is_cash_at_once_and_pays_from_the_next_open(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    broker = open_broker(terms=T_PLUS_1, rules=FREE)
    send(broker, "all in", Side.BUY, "100")
    send(broker, "half out", Side.SELL, "50")
    assert (broker.account().cash_usd, usable(broker)) == (500, 0)
    assert broker.account().sales_pay_at_once is False

    refused = send(broker, "too early", Side.BUY, "1")
    assert refused.outcome is SubmitOutcome.REJECTED
    assert refused.detail.endswith("0 USD are usable.")

    clock.advance_to(NEXT_OPEN - timedelta(seconds=1))
    assert usable(broker) == 0
    clock.advance_to(NEXT_OPEN)
    assert usable(broker) == 500
    assert send(broker, "settled", Side.BUY, "50").outcome is SubmitOutcome.ACKED


def test_before_a_weekend_a_sale_settles_after_it(open_broker: OpenBroker) -> None:
    friday = SimulatedClock(datetime(2020, 4, 3, 15, tzinfo=UTC))
    broker = open_broker(terms=T_PLUS_1, rules=FREE, clock=friday)
    send(broker, "in", Side.BUY, "100")
    send(broker, "out", Side.SELL, "100")
    friday.advance_to(datetime(2020, 4, 5, 15, tzinfo=UTC))
    assert usable(broker) == 0
    friday.advance_to(datetime(2020, 4, 6, 13, 30, tzinfo=UTC))
    assert usable(broker) == 1_000


@pytest.mark.parametrize(
    "terms",
    [
        AccountTerms(),
        AccountTerms(AccountKind.MARGIN, 0),
        AccountTerms(AccountKind.CASH, 0),
    ],
    ids=str,
)
def test_on_margin_and_without_settlement_a_sale_pays_at_once(
    terms: AccountTerms, open_broker: OpenBroker
) -> None:
    broker = open_broker(terms=terms, rules=FREE)
    send(broker, "in", Side.BUY, "100")
    send(broker, "out", Side.SELL, "100")
    assert usable(broker) == 1_000


@pytest.mark.parametrize("sessions", [-1, 2])
def test_no_account_settles_otherwise(sessions: int) -> None:
    with pytest.raises(ContractError, match="settlement_sessions"):
        AccountTerms(AccountKind.CASH, sessions)


def test_what_waits_to_settle_survives_with_the_book(
    open_broker: OpenBroker, book_path: Path, clock: SimulatedClock
) -> None:
    broker = open_broker(terms=T_PLUS_1, rules=FREE, book_path=book_path)
    send(broker, "in", Side.BUY, "100")
    send(broker, "out", Side.SELL, "30")
    reopened = open_broker(terms=T_PLUS_1, rules=FREE, book_path=book_path)
    assert usable(reopened) == usable(broker) == 0
    # What was agreed at the sale holds, whatever is agreed later.
    on_margin = open_broker(rules=FREE, book_path=book_path)
    assert usable(on_margin) == 0
    clock.advance_to(NEXT_OPEN)
    assert usable(reopened) == usable(on_margin) == 300


def test_a_sale_that_brings_less_than_its_fee_takes_the_rest_from_usable_cash(
    open_broker: OpenBroker,
) -> None:
    dear = TradingRules(fees=FeeModel(minimum_usd=Decimal(12)))
    broker = open_broker(terms=T_PLUS_1, rules=dear)
    send(broker, "in", Side.BUY, "50")
    send(broker, "out", Side.SELL, "1")
    account = broker.account()
    assert account.cash_usd == account.usable_cash_usd == 1_000 - 512 - 2


def test_a_sale_after_the_close_settles_with_those_of_its_day(
    open_broker: OpenBroker, faults: Faults, clock: SimulatedClock
) -> None:
    broker = open_broker(terms=T_PLUS_1, rules=FREE)
    send(broker, "in", Side.BUY, "100")
    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=3_600))
    terms = {"order_type": OrderType.LIMIT, "limit_price_usd": Decimal(10)}
    send(broker, "out", Side.SELL, "100", **terms, time_in_force=TimeInForce.GTC)
    clock.sleep(7_200)
    assert (broker.account().cash_usd, usable(broker)) == (1_000, 0)
    clock.advance_to(NEXT_OPEN)
    assert usable(broker) == 1_000


# ── Never below zero ───────────────────────────────────────────────────────────────────


def test_a_part_of_a_sale_that_would_not_pay_its_fee_waits_for_the_rest(
    open_broker: OpenBroker, faults: Faults
) -> None:
    dear = TradingRules(fees=FeeModel(minimum_usd=Decimal(11)))
    broker = open_broker(rules=dear, opening_cash_usd=Decimal(31))
    send(broker, "in", Side.BUY, "2")
    assert broker.account().cash_usd == 0
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    assert send(broker, "out", Side.SELL, "2").outcome is SubmitOutcome.ACKED
    order = broker.find_order("out")
    assert order is not None
    assert (order.status, order.filled_quantity) == (OrderStatus.SUBMITTED, 0)


def test_a_late_sale_whose_fee_was_spent_meanwhile_does_not_happen(
    open_broker: OpenBroker, faults: Faults, clock: SimulatedClock
) -> None:
    dear = TradingRules(fees=FeeModel(minimum_usd=Decimal(15)))
    broker = open_broker(rules=dear, opening_cash_usd=Decimal(60))
    send(broker, "in", Side.BUY, "2")
    assert usable(broker) == 25
    faults.set(FaultSwitch(Fault.LATE_FILL, nth=1, delay_secs=60))
    send(broker, "late", Side.SELL, "1")  # costs 5 more than it brings
    send(broker, "spend", Side.BUY, "1")
    assert usable(broker) == 0
    clock.sleep(120)
    assert broker.account().cash_usd == 0
    assert broker.find_order("late").status is OrderStatus.SUBMITTED  # type: ignore[union-attr]


def test_parts_that_are_rounded_one_by_one_reserve_no_cent_that_is_not_there(
    open_broker: OpenBroker, faults: Faults
) -> None:
    faults.set(FaultSwitch(Fault.PARTIAL_FILL))
    rules = TradingRules(lot_shares=Decimal("0.0005"))
    broker = open_broker(rules=rules, opening_cash_usd=Decimal("0.11"))
    send(broker, "cents", Side.BUY, "0.011")  # 0.11 USD; each half of it is 0.055, so 0.06
    assert broker.account().cash_usd == Decimal("0.05")
    assert usable(broker) == 0
