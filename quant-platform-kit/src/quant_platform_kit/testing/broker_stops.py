"""What every broker does with orders that wait for a price, as cards."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import OrderRequest, OrderType, Side, TimeInForce
from quant_platform_kit.errors import ContractError
from quant_platform_kit.testing._broker_bench import BrokerBench, MovingPrice
from quant_platform_kit.testing._broker_cards import MOVING_PRICE, Deck, Need, claims, takes
from quant_platform_kit.testing._broker_words import (
    CENT,
    NOTHING,
    TEN,
    TURNED_AWAY,
    a_stop,
    buy,
    each_once,
    executions,
    expect_ack,
    holdings,
    id_of,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same, only

DECK: Final = Deck("Orders that wait for a price")

_STOP: Final = takes(OrderType.STOP)
_STOP_LIMIT: Final = takes(OrderType.STOP_LIMIT)
_TRAILING: Final = takes(OrderType.TRAILING_STOP)
_SHOWN: Final = claims(
    lambda can: can.shows_trailing_trigger, "does not tell where a trailing stop's trigger stands"
)
_RATIO: Final = Decimal("0.10")
_UNCLAIMED: Final = Need(
    lambda bench: (
        ""
        if set(OrderType) - set(bench.capabilities.order_types)
        else f"{bench.capabilities.display_name} takes every type of order"
    )
)


def _moving(bench: BrokerBench) -> MovingPrice:
    if bench.moving is None:
        raise AssertionError("this card needs a bench with a moving price")
    return bench.moving


def _below(price: MovingPrice) -> Decimal:
    """Return a trigger that only the fall reaches."""
    return ((price.first_usd + price.low_usd) / 2).quantize(CENT)


def _above(price: MovingPrice) -> Decimal:
    """Return a trigger that the rise reaches."""
    return ((price.first_usd + price.high_usd) / 2).quantize(CENT)


def _trailing(symbol: str) -> OrderRequest:
    return OrderRequest(
        "stop",
        symbol,
        Side.SELL,
        TEN,
        OrderType.TRAILING_STOP,
        trailing_ratio=_RATIO,
        time_in_force=TimeInForce.GTC,
    )


@DECK.card(41, _STOP, MOVING_PRICE)
def a_stop_below_the_price_waits_and_shows_its_trigger(bench: BrokerBench) -> None:
    """Require a working stop that has sold nothing, now and after a rise.

    Given: ten shares.
    Do: hand in a stop below the price; let the next session rise.
    Expect: an acknowledgement and a working order.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    trigger = _below(price)
    expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, trigger)))
    order = only(broker.open_orders(), "working order")
    shown = (order.order_type, order.trigger_price_usd, order.filled_quantity)
    expect_same(shown, (OrderType.STOP, trigger, NOTHING), "the stop")
    bench.to_next_session()
    expect_same(working(broker), ["stop"], "working orders after the rise")
    expect_same(holdings(broker), {price.symbol: TEN}, "holdings after the rise")


@DECK.card(42, _STOP, MOVING_PRICE)
def a_stop_sells_when_the_price_falls_to_it(bench: BrokerBench) -> None:
    """Require the shares sold at the market's price, which a gap has taken past the trigger.

    Given: ten shares and a stop below the price.
    Do: let two sessions pass, in the second of which the price falls beyond the trigger.
    Expect: one execution of the stop.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, _below(price))))
    bench.to_next_session()
    bench.to_next_session()
    expect_same(broker.open_orders(), (), "working orders")
    expect_same(holdings(broker), {}, "holdings")
    fill = each_once(executions(broker, bench))[-1]
    sold = (fill.client_id, fill.side, fill.quantity, fill.price_usd)
    expect_same(sold, ("stop", Side.SELL, TEN, price.low_usd), "the execution")


@DECK.card(43, _STOP, MOVING_PRICE)
def a_stop_purchase_waits_for_a_rise(bench: BrokerBench) -> None:
    """Require no shares before the rise, and ten at the market's price after it.

    Do: hand in a stop purchase above the price; let the next session rise past it.
    Expect: an acknowledgement, then one execution.
    """
    broker, price = bench.connect(), _moving(bench)
    expect_ack(broker.submit(a_stop(price.symbol, Side.BUY, _above(price))))
    expect_same(holdings(broker), {}, "holdings before the rise")
    bench.to_next_session()
    expect_same(holdings(broker), {price.symbol: TEN}, "holdings after the rise")
    expect_same(executions(broker, bench)[-1].price_usd, price.high_usd, "the price")


@DECK.card(44, _STOP, MOVING_PRICE)
def a_stop_whose_trigger_was_passed_trades_at_once(bench: BrokerBench) -> None:
    """Require that it does not wait for the price to come back.

    Given: ten shares.
    Do: hand in a stop sale above the price.
    Expect: an acknowledgement and an execution.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, _above(price))))
    expect_same(holdings(broker), {}, "holdings")
    expect_same(executions(broker, bench)[-1].price_usd, price.first_usd, "the price")


@DECK.card(45, _STOP, MOVING_PRICE)
def a_stop_can_be_cancelled(bench: BrokerBench) -> None:
    """Require that the fall sells nothing any more.

    Given: ten shares and a stop below the price.
    Do: cancel the stop; let the price fall.
    Expect: the stop's end.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    stop = expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, _below(price))))
    broker.cancel(id_of(stop))
    bench.to_next_session()
    bench.to_next_session()
    expect_same(broker.open_orders(), (), "working orders")
    expect_same(holdings(broker), {price.symbol: TEN}, "holdings")


@DECK.card(46, _STOP_LIMIT, MOVING_PRICE)
def a_stop_with_a_limit_does_not_sell_beyond_it(bench: BrokerBench) -> None:
    """Require that it works on below its limit, having sold nothing.

    Given: ten shares and a stop below the price whose limit is its trigger.
    Do: let the price fall beyond both.
    Expect: no execution.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    trigger = _below(price)
    expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, trigger, limit=trigger)))
    order = only(broker.open_orders(), "working order")
    shown = (order.order_type, order.trigger_price_usd)
    expect_same(shown, (OrderType.STOP_LIMIT, trigger), "the stop")
    bench.to_next_session()
    bench.to_next_session()
    expect_same(working(broker), ["stop"], "working orders")
    expect_same(holdings(broker), {price.symbol: TEN}, "holdings")


@DECK.card(47, _STOP_LIMIT, MOVING_PRICE)
def a_stop_with_a_limit_sells_within_it(bench: BrokerBench) -> None:
    """Require the shares sold at the market's price, which is no worse than the limit.

    Given: ten shares and a stop below the price whose limit lies below every price.
    Do: let the price fall beyond the trigger.
    Expect: one execution of the stop.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    limit = price.low_usd - 1
    expect_ack(broker.submit(a_stop(price.symbol, Side.SELL, _below(price), limit=limit)))
    bench.to_next_session()
    bench.to_next_session()
    expect_same(holdings(broker), {}, "holdings")
    expect_same(executions(broker, bench)[-1].price_usd, price.low_usd, "the price")


@DECK.card(48, _TRAILING, MOVING_PRICE)
def a_trailing_stop_waits_through_a_rise(bench: BrokerBench) -> None:
    """Require a working trailing stop that has sold nothing.

    Given: ten shares.
    Do: hand in a trailing stop of a tenth; let the next session rise.
    Expect: an acknowledgement and a working order.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    expect_ack(broker.submit(_trailing(price.symbol)))
    bench.to_next_session()
    order = only(broker.open_orders(), "working order")
    shown = (order.client_id, order.order_type, order.filled_quantity)
    expect_same(shown, ("stop", OrderType.TRAILING_STOP, NOTHING), "the stop")
    expect_same(holdings(broker), {price.symbol: TEN}, "holdings")


@DECK.card(30, _TRAILING, _SHOWN, MOVING_PRICE)
def the_trigger_of_a_trailing_stop_follows_a_rise(bench: BrokerBench) -> None:
    """Require a trigger a tenth below the price, and then a tenth below the higher one.

    Given: ten shares.
    Do: hand in a trailing stop of a tenth; let the next session rise.
    Expect: a working order whose trigger moves up.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    expect_ack(broker.submit(_trailing(price.symbol)))
    first = only(broker.open_orders(), "working order")
    expect_same(first.trigger_price_usd, price.first_usd * (1 - _RATIO), "the trigger at first")
    bench.to_next_session()
    later = only(broker.open_orders(), "working order after the rise")
    expect_same(later.trigger_price_usd, price.high_usd * (1 - _RATIO), "the trigger after it")


@DECK.card(49, _TRAILING, MOVING_PRICE)
def a_trailing_stop_sells_when_the_price_falls_to_it(bench: BrokerBench) -> None:
    """Require the shares sold at the market's price after the fall.

    Given: ten shares and a trailing stop of a tenth.
    Do: let the price rise, and then fall by more than a tenth.
    Expect: one execution of the stop.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    expect_ack(broker.submit(_trailing(price.symbol)))
    bench.to_next_session()
    bench.to_next_session()
    expect_same(broker.open_orders(), (), "working orders")
    expect_same(holdings(broker), {}, "holdings")
    fill = each_once(executions(broker, bench))[-1]
    expect_same((fill.client_id, fill.price_usd), ("stop", price.low_usd), "the execution")


@DECK.card(50, _UNCLAIMED, MOVING_PRICE)
def a_type_of_order_that_is_not_claimed_is_refused(bench: BrokerBench) -> None:
    """Require a refusal with words, and nothing at the broker.

    Given: ten shares.
    Do: hand in an order of each type that the capabilities do not name.
    Expect: a refusal before anything is sent, or the broker's.
    """
    broker, price = bench.connect(), _moving(bench)
    buy(broker, price.symbol)
    trigger = _below(price)
    orders = {
        OrderType.STOP: a_stop(price.symbol, Side.SELL, trigger),
        OrderType.STOP_LIMIT: a_stop(price.symbol, Side.SELL, trigger, limit=trigger),
        OrderType.TRAILING_STOP: _trailing(price.symbol),
    }
    for kind, order in orders.items():
        if kind in bench.capabilities.order_types:
            continue
        try:
            answer = broker.submit(order)
        except ContractError:
            continue
        expect(answer.outcome in TURNED_AWAY, f"a {kind.value} order is refused, not {answer}")
    expect_same(broker.open_orders(), (), "working orders")
