"""A dry run sees its own orders done, and the inner broker never hears of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    DryRunBroker,
    Fault,
    Faults,
    FaultSwitch,
    SimulatedBroker,
)
from quant_platform_kit.contracts import (
    Account,
    Environment,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Side,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import TransientError
from quant_platform_kit.market import SimulatedClock

OpenBroker = Callable[..., SimulatedBroker]


class Untouchable(SimulatedBroker):
    """An account that must only be looked at, with holdings, at a live broker."""

    @property
    def environment(self) -> Environment:
        return Environment.LIVE

    def submit(self, order: OrderRequest) -> Submission:
        raise AssertionError(f"a dry run sent {order.client_id}")

    def cancel(self, broker_order_id: str) -> None:
        raise AssertionError(f"a dry run cancelled {broker_order_id}")


def order(
    side: Side,
    quantity: str,
    symbol: str = "AAA",
    client_id: str = "dry",
    limit: str | None = None,
) -> OrderRequest:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    price = None if limit is None else Decimal(limit)
    return OrderRequest(client_id, symbol, side, Decimal(quantity), kind, price)


@pytest.fixture
def inner(open_broker: OpenBroker, book_path: Path) -> SimulatedBroker:
    """Open an account with 20 AAA and a resting purchase of BBB."""
    real = open_broker(book_path=book_path)
    real.submit(order(Side.BUY, "20", client_id="real"))
    real.submit(order(Side.BUY, "10", "BBB", client_id="resting", limit="15.00"))
    return open_broker(kind=Untouchable, book_path=book_path)


@pytest.fixture
def dry(inner: SimulatedBroker, clock: SimulatedClock) -> DryRunBroker:
    return DryRunBroker(inner, clock)


def test_nothing_reaches_the_inner_broker_nor_its_file(
    dry: DryRunBroker, inner: SimulatedBroker, book_path: Path
) -> None:
    before = (inner.account(), inner.positions(), inner.open_orders(), book_path.read_bytes())
    dry.submit(order(Side.SELL, "20", client_id="sale"))
    answer = dry.submit(order(Side.BUY, "5", client_id="rests", limit="1.00"))
    dry.cancel(answer.broker_order_id or "")
    for working in dry.open_orders():
        dry.cancel(working.broker_order_id)
    assert dry.open_orders() == ()
    assert before == (
        inner.account(),
        inner.positions(),
        inner.open_orders(),
        book_path.read_bytes(),
    )


def test_the_environment_is_the_inner_connection_s(dry: DryRunBroker) -> None:
    assert dry.environment is Environment.LIVE
    assert dry.account().environment is Environment.LIVE


def test_without_orders_everything_is_as_the_inner_broker_says(
    dry: DryRunBroker, inner: SimulatedBroker, clock: SimulatedClock
) -> None:
    start = clock.now() - timedelta(hours=1)
    assert dry.account() == inner.account()
    assert dry.positions() == inner.positions()
    assert dry.open_orders() == inner.open_orders()
    assert dry.fills_since(start) == inner.fills_since(start)
    assert dry.find_order("real") == inner.find_order("real")
    assert dry.rules is inner.rules


def test_an_order_changes_money_and_holdings_as_it_would_have(
    dry: DryRunBroker, inner: SimulatedBroker
) -> None:
    before = inner.account()
    assert dry.submit(order(Side.SELL, "8")).outcome is SubmitOutcome.ACKED
    after = dry.account()
    assert after.cash_usd - before.cash_usd == Decimal("79.00")
    assert after.usable_cash_usd - before.usable_cash_usd == Decimal("79.00")
    assert after.equity_usd - before.equity_usd == Decimal("-1.00")
    assert dry.positions() == (Position("AAA", Decimal(12), Decimal("10.0000")),)


def test_proceeds_of_a_sale_pay_for_the_next_purchase(dry: DryRunBroker) -> None:
    big = order(Side.BUY, "40", "BBB", client_id="big")
    assert dry.submit(big).outcome is SubmitOutcome.REJECTED
    dry.submit(order(Side.SELL, "20", client_id="sale"))
    again = order(Side.BUY, "40", "BBB", client_id="again")
    assert dry.submit(again).outcome is SubmitOutcome.ACKED
    assert [(p.symbol, p.quantity) for p in dry.positions()] == [("BBB", Decimal(40))]


def test_in_a_cash_account_a_sale_on_paper_does_not_pay_for_a_purchase_on_paper(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    real = open_broker(terms=AccountTerms(AccountKind.CASH), rules=TradingRules())
    real.submit(order(Side.BUY, "100", client_id="all in"))
    dry = DryRunBroker(real, clock)
    dry.submit(order(Side.SELL, "50", client_id="sale"))
    assert (dry.account().cash_usd, dry.account().usable_cash_usd) == (500, 0)
    refused = dry.submit(order(Side.BUY, "1", client_id="too early"))
    assert refused.outcome is SubmitOutcome.REJECTED
    assert refused.detail.endswith("0 USD are usable.")
    assert dry.health() == ()


class Reticent(SimulatedBroker):
    """A broker that does not tell whether sales pay at once."""

    def account(self) -> Account:
        return replace(super().account(), sales_pay_at_once=None)


@pytest.fixture
def reticent(open_broker: OpenBroker, clock: SimulatedClock) -> DryRunBroker:
    """Open an account with 500 USD and 50 AAA at 10 USD."""
    real = open_broker(kind=Reticent, rules=TradingRules())
    real.submit(order(Side.BUY, "50", client_id="real"))
    return DryRunBroker(real, clock)


def test_where_nobody_tells_a_dry_run_says_what_its_purchases_took_of_its_sales(
    reticent: DryRunBroker,
) -> None:
    assert reticent.health() == ()
    reticent.submit(order(Side.SELL, "50", client_id="sale"))
    reticent.submit(order(Side.BUY, "25", "BBB", client_id="of what was there"))
    assert reticent.health() == ()
    reticent.submit(order(Side.BUY, "6", "BBB", client_id="of the sale"))
    (notice,) = reticent.health()
    assert notice.startswith("The dry run bought for 120.00 USD with what its own sales brought.")


def test_a_working_purchase_on_paper_takes_of_sales_what_it_reserves(
    reticent: DryRunBroker,
) -> None:
    reticent.submit(order(Side.SELL, "50", client_id="sale"))
    resting = reticent.submit(order(Side.BUY, "60", "BBB", client_id="rests", limit="10.00"))
    assert "100.00 USD" in reticent.health()[0]
    reticent.cancel(resting.broker_order_id or "")
    assert reticent.health() == ()


def test_a_debit_that_sales_pay_back_is_no_purchase(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    class Indebted(Reticent):
        def account(self) -> Account:
            return replace(super().account(), usable_cash_usd=Decimal(-300))

    real = open_broker(kind=Indebted, rules=TradingRules())
    real.submit(order(Side.BUY, "50", client_id="real"))
    dry = DryRunBroker(real, clock)
    dry.submit(order(Side.SELL, "50", client_id="sale"))
    assert dry.health() == ()
    dry.submit(order(Side.BUY, "10", "BBB", client_id="bought"))
    assert "bought for 200.00 USD" in dry.health()[0]


def test_on_margin_there_is_nothing_to_say(dry: DryRunBroker) -> None:
    dry.submit(order(Side.SELL, "20", client_id="sale"))
    dry.submit(order(Side.BUY, "40", "BBB", client_id="bought"))
    assert dry.health() == ()


def test_cash_that_the_real_account_withholds_stays_withheld(
    dry: DryRunBroker, inner: SimulatedBroker
) -> None:
    assert inner.account().usable_cash_usd < inner.account().cash_usd  # the resting order's
    refused = dry.submit(order(Side.BUY, "79"))
    assert refused.outcome is SubmitOutcome.REJECTED
    assert str(inner.account().usable_cash_usd) in refused.detail


def test_equity_follows_the_price_after_the_order(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    dry = DryRunBroker(open_broker(rules=TradingRules()), clock)
    dry.submit(order(Side.BUY, "10", "UP"))  # at 22.00
    clock.advance_to(clock.now() + timedelta(days=1))  # 23.00
    assert dry.account().equity_usd == Decimal("1010.00")


def test_equity_keeps_the_order_s_price_where_the_quote_has_gone(
    open_broker: OpenBroker, clock: SimulatedClock, faults: Faults
) -> None:
    dry = DryRunBroker(open_broker(rules=TradingRules()), clock)
    dry.submit(order(Side.BUY, "10"))
    faults.set(FaultSwitch(Fault.QUOTE_MISSING))
    assert dry.account().equity_usd == Decimal("1000.00")


def test_the_real_account_s_changes_show_through(
    open_broker: OpenBroker, clock: SimulatedClock
) -> None:
    real = open_broker()
    dry = DryRunBroker(real, clock)
    dry.submit(order(Side.BUY, "10", client_id="paper"))
    real.submit(order(Side.BUY, "5", "BBB", client_id="by-hand"))
    assert [(p.symbol, p.quantity) for p in dry.positions()] == [
        ("AAA", Decimal(10)),
        ("BBB", Decimal(5)),
    ]
    assert dry.account().cash_usd == Decimal("798.00")


def test_orders_and_executions_of_both_are_found(dry: DryRunBroker, clock: SimulatedClock) -> None:
    dry.submit(order(Side.SELL, "8"))
    fills = dry.fills_since(clock.now() - timedelta(hours=1))
    assert [fill.client_id for fill in fills] == ["real", "dry"]
    found = dry.find_order("dry")
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert found.broker_order_id == fills[-1].broker_order_id == "dry-000001"


def test_a_real_working_order_is_cancelled_on_paper_only(
    dry: DryRunBroker, inner: SimulatedBroker
) -> None:
    (resting,) = dry.open_orders()
    dry.cancel(resting.broker_order_id)
    assert dry.open_orders() == ()
    found = dry.find_order("resting")
    assert found is not None
    assert found.status is OrderStatus.CANCELLED
    assert len(inner.open_orders()) == 1


def test_a_client_id_that_the_real_account_knows_is_a_duplicate(dry: DryRunBroker) -> None:
    answer = dry.submit(order(Side.SELL, "1", client_id="real"))
    assert answer.outcome is SubmitOutcome.REJECTED
    assert "uplicate" in answer.detail


def test_a_missing_quote_refuses_the_order(dry: DryRunBroker) -> None:
    assert dry.submit(order(Side.BUY, "1", "GAP")).outcome is SubmitOutcome.REJECTED


def test_a_fractional_holding_can_be_closed(clock: SimulatedClock, open_broker: OpenBroker) -> None:
    fractions = open_broker(rules=TradingRules(lot_shares=Decimal("0.1")))
    fractions.submit(order(Side.BUY, "2.5", client_id="bought"))
    fractions._rules = TradingRules()  # noqa: SLF001 (a transfer left the fraction)
    dry = DryRunBroker(fractions, clock)
    assert dry.submit(order(Side.SELL, "1.5", client_id="no")).outcome is SubmitOutcome.REJECTED
    assert dry.submit(order(Side.SELL, "2.5", client_id="yes")).outcome is SubmitOutcome.ACKED
    assert dry.positions() == ()


def test_an_inner_query_that_fails_raises(
    dry: DryRunBroker, faults: Faults, inner: SimulatedBroker
) -> None:
    faults.set(FaultSwitch(Fault.POSITIONS_FAIL))
    with pytest.raises(TransientError):
        dry.positions()
    with pytest.raises(TransientError):
        dry.submit(order(Side.SELL, "1"))
    faults.set()
    assert dry.find_order("dry") is None
    assert dry.account() == inner.account()


def test_a_holding_without_a_known_cost_keeps_it_unknown(
    clock: SimulatedClock, open_broker: OpenBroker
) -> None:
    class Silent(SimulatedBroker):
        def positions(self) -> tuple[Position, ...]:
            return (Position("AAA", Decimal(20)),)

    dry = DryRunBroker(open_broker(kind=Silent), clock)
    dry.submit(order(Side.SELL, "5", client_id="sale"))
    dry.submit(order(Side.BUY, "1", client_id="more"))
    assert dry.positions() == (Position("AAA", Decimal(16)),)


def test_a_holding_that_the_run_leaves_alone_is_shown_as_the_broker_tells_it(
    clock: SimulatedClock, open_broker: OpenBroker
) -> None:
    told = Position("AAA", Decimal(3), Decimal("33.33333333"))

    class Precise(SimulatedBroker):
        def positions(self) -> tuple[Position, ...]:
            return (told,)

    dry = DryRunBroker(open_broker(kind=Precise), clock)
    dry.submit(order(Side.BUY, "1", "BBB"))
    assert dry.positions() == (told, Position("BBB", Decimal(1), Decimal("20.0000")))
