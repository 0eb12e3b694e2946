"""What every broker does with market and limit orders, as cards."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import OrderStatus, OrderType, Position, Side
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import (
    NEXT_SESSION,
    Deck,
    takes,
)
from quant_platform_kit.testing._broker_words import (
    CENT,
    NOTHING,
    TEN,
    a_tiny_order,
    an_order,
    buy,
    each_once,
    executions,
    expect_ack,
    expect_turned_away,
    found,
    holdings,
    id_of,
    let_rest,
    sell,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same, only

TRADING: Final = Deck("Orders that trade")
RESTING: Final = Deck("Orders that rest")

_MARKET: Final = takes(OrderType.MARKET)
_LIMIT: Final = takes(OrderType.LIMIT)

# ── Orders that trade ──────────────────────────────────────────────────────────────────


@TRADING.card(11, _MARKET)
def a_market_purchase_becomes_a_position(bench: BrokerBench) -> None:
    """Require the order filled whole, held, and no longer working.

    Do: buy ten shares at market.
    Expect: an acknowledgement with the broker's id, and an execution.
    """
    broker = bench.connect()
    answer = buy(broker, bench.symbols[0])
    order = found(broker)
    expect_same(answer.broker_order_id, order.broker_order_id, "the order's id")
    expect_same(order.status, OrderStatus.FILLED, "its status")
    expect_same(order.filled_quantity, TEN, "its filled quantity")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    expect_same(broker.open_orders(), (), "open orders")


@TRADING.card(12, _MARKET)
def a_purchase_costs_price_times_quantity_and_its_fee(bench: BrokerBench) -> None:
    """Require that cash falls by what the executions say, and equity by the fee alone.

    Do: buy ten shares at market; ask for the account before and after.
    Expect: executions that tell price, quantity and fee.
    """
    broker = bench.connect()
    start, before = bench.clock.now(), broker.account()
    buy(broker, bench.symbols[0])
    fills, after = broker.fills_since(start), broker.account()
    paid = sum((f.quantity * f.price_usd for f in fills), start=NOTHING).quantize(CENT)
    fees = sum((f.fee_usd for f in fills), start=NOTHING)
    expect_same(before.cash_usd - after.cash_usd, paid + fees, "the fall of cash")
    expect_same(before.equity_usd - after.equity_usd, fees, "the fall of equity")


@TRADING.card(13, _MARKET)
def a_sale_returns_cash_and_removes_the_position(bench: BrokerBench) -> None:
    """Require the proceeds less the fee, and no listing of a holding of nothing.

    Given: ten shares.
    Do: sell them at market.
    Expect: an acknowledgement and an execution.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    before = broker.account()
    sell(broker, bench.symbols[0])
    fill = executions(broker, bench)[-1]
    proceeds = (fill.quantity * fill.price_usd).quantize(CENT) - fill.fee_usd
    expect_same(broker.account().cash_usd - before.cash_usd, proceeds, "the rise of cash")
    expect_same(broker.positions(), (), "positions")


@TRADING.card(14, _MARKET)
def part_of_a_holding_can_be_sold(bench: BrokerBench) -> None:
    """Require that the rest stays, at the same average cost.

    Given: ten shares.
    Do: sell four of them at market.
    Expect: an acknowledgement and an execution.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bought = only(broker.positions(), "holding")
    sell(broker, bench.symbols[0], Decimal(4))
    left = Position(bench.symbols[0], Decimal(6), bought.average_cost_usd)
    expect_same(broker.positions(), (left,), "positions")


@TRADING.card(15, _MARKET)
def a_second_purchase_adds_to_the_holding(bench: BrokerBench) -> None:
    """Require one position of both, and two executions with ids of their own.

    Given: ten shares.
    Do: buy four more under another client id.
    Expect: an acknowledgement with another order id.
    """
    broker = bench.connect()
    first = buy(broker, bench.symbols[0])
    second = buy(broker, bench.symbols[0], Decimal(4), client_id="more")
    expect(id_of(first) != id_of(second), "two orders have two ids")
    expect_same(holdings(broker), {bench.symbols[0]: Decimal(14)}, "holdings")
    expect_same(len(each_once(executions(broker, bench))), 2, "the number of executions")


@TRADING.card(16, _LIMIT)
def a_limit_that_the_price_allows_fills_no_worse(bench: BrokerBench) -> None:
    """Require the limit as a bound of the price.

    Do: buy ten shares with a limit a dollar above the quote.
    Expect: an acknowledgement and an execution.
    """
    broker = bench.connect()
    symbol = bench.symbols[0]
    limit = broker.quotes([symbol])[symbol].price_usd + 1
    expect_ack(broker.submit(an_order(symbol, limit=limit)))
    fill = only(executions(broker, bench), "execution")
    expect(fill.price_usd <= limit, f"filled at {fill.price_usd}, above the limit of {limit}")


# ── Orders that rest ───────────────────────────────────────────────────────────────────


@RESTING.card(17, _LIMIT)
def a_limit_away_from_the_price_rests(bench: BrokerBench) -> None:
    """Require an order that works and has bought nothing.

    Do: buy ten shares with a limit at half the quote.
    Expect: an acknowledgement and no execution.
    """
    broker = bench.connect()
    let_rest(broker, bench.symbols[0])
    order = only(broker.open_orders(), "working order")
    expect_same(order.client_id, "rests", "its client id")
    expect_same((order.status, order.filled_quantity), (OrderStatus.SUBMITTED, NOTHING), "progress")
    expect_same((order.order_type, order.trigger_price_usd), (OrderType.LIMIT, None), "its type")
    expect_same(broker.positions(), (), "positions")


@RESTING.card(18, _LIMIT)
def open_orders_stand_in_order_of_submission(bench: BrokerBench) -> None:
    """Require the oldest first.

    Do: let two limit orders rest, a second apart.
    Expect: two acknowledgements.
    """
    broker = bench.connect()
    let_rest(broker, bench.symbols[1], client_id="first")
    bench.clock.sleep(1)
    let_rest(broker, bench.symbols[0], client_id="second")
    expect_same(working(broker), ["first", "second"], "working orders")


@RESTING.card(19, _LIMIT, NEXT_SESSION)
def an_order_for_the_day_ends_with_its_session(bench: BrokerBench) -> None:
    """Require that it is gone from the working orders, and has bought nothing.

    Given: a resting limit order for the day.
    Do: let the session end and the next one begin.
    Expect: nothing but the passing of time.
    """
    broker = bench.connect()
    let_rest(broker, bench.symbols[0])
    bench.to_next_session()
    expect_same(broker.open_orders(), (), "working orders")
    expect_same(broker.positions(), (), "positions")


@RESTING.card(20, _LIMIT, NEXT_SESSION)
def an_order_until_cancelled_works_on_in_the_next_session(bench: BrokerBench) -> None:
    """Require the same order, still working, still to be cancelled.

    Given: a resting limit order that is good until it is cancelled.
    Do: let the session end and the next one begin; then cancel it.
    Expect: the order among the working ones, then gone.
    """
    broker = bench.connect()
    symbol = bench.symbols[0]
    half = (broker.quotes([symbol])[symbol].price_usd / 2).quantize(CENT)
    order = an_order(symbol, limit=half, until_cancelled=True)
    order_id = id_of(expect_ack(broker.submit(order)))
    bench.to_next_session()
    expect_same([o.broker_order_id for o in broker.open_orders()], [order_id], "working orders")
    broker.cancel(order_id)
    expect_same(broker.open_orders(), (), "working orders after the cancel")


@RESTING.card(21, _LIMIT)
def a_sale_above_the_price_rests_and_promises_its_shares(bench: BrokerBench) -> None:
    """Require that the promised shares cannot be sold a second time.

    Given: ten shares.
    Do: offer them with a limit a dollar above the quote, then hand in a market sale of all.
    Expect: an acknowledgement, then a refusal.
    """
    broker = bench.connect()
    symbol = bench.symbols[0]
    buy(broker, symbol)
    limit = broker.quotes([symbol])[symbol].price_usd + 1
    offer = an_order(symbol, Side.SELL, client_id="offer", limit=limit)
    expect_ack(broker.submit(offer))
    expect_turned_away(broker.submit(an_order(symbol, Side.SELL, client_id="sale")))
    expect_same(working(broker), ["offer"], "working orders")
    expect_same(holdings(broker), {symbol: TEN}, "holdings")


@RESTING.card(22, _LIMIT, safe=True)
def a_tiny_order_far_from_the_market_rests_and_is_taken_back(bench: BrokerBench) -> None:
    """Require it listed and found while it works, and found as cancelled afterwards.

    Given: any account, the exchange open.
    Do: hand in a purchase of one lot at half the price, look for it, and cancel it.
    Expect: an acknowledgement, a working order, and its end without an execution.
    """
    broker = bench.connect()
    order = a_tiny_order(broker, bench, "tiny")
    order_id = id_of(expect_ack(broker.submit(order)))
    try:
        expect(order.client_id in working(broker), "the order is among the working ones")
        expect_same(found(broker, order.client_id).broker_order_id, order_id, "the order's id")
    finally:
        broker.cancel(order_id)
    expect(order.client_id not in working(broker), "the order works no longer")
    ended = found(broker, order.client_id)
    expect_same(ended.status, OrderStatus.CANCELLED, "the order's status")
    expect_same(ended.filled_quantity, NOTHING, "its filled quantity")
