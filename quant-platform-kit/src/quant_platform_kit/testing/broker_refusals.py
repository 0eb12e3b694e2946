"""What every broker does with cancels, and which orders it refuses, as cards."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import OrderStatus, OrderType, Side, SubmitOutcome
from quant_platform_kit.errors import BrokerAnswerError
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import (
    A_TAG,
    CANCELS_THERE,
    NO_TAG,
    Deck,
    takes,
)
from quant_platform_kit.testing._broker_words import (
    CENT,
    TEN,
    a_tiny_order,
    an_order,
    buy,
    expect_ack,
    expect_error,
    expect_refusal,
    expect_turned_away,
    found,
    holdings,
    id_of,
    let_rest,
    look,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same

CANCELS: Final = Deck("Cancels")
REFUSALS: Final = Deck("Orders that are refused")

_MARKET: Final = takes(OrderType.MARKET)
_LIMIT: Final = takes(OrderType.LIMIT)

# ── Cancels ────────────────────────────────────────────────────────────────────────────


@CANCELS.card(23, _LIMIT)
def a_cancelled_order_no_longer_works_but_is_found(bench: BrokerBench) -> None:
    """Require that the order's state tells that the cancel took.

    Given: a resting order.
    Do: cancel it.
    Expect: its end as cancelled.
    """
    broker = bench.connect()
    answer = let_rest(broker, bench.symbols[0])
    broker.cancel(id_of(answer))
    expect_same(broker.open_orders(), (), "open orders")
    expect_same(found(broker, "rests").status, OrderStatus.CANCELLED, "the order's status")


@CANCELS.card(24, _MARKET)
def cancelling_a_filled_order_changes_nothing(bench: BrokerBench) -> None:
    """Require that an order whose fill won the race stays filled, without an error.

    Given: an order that has filled.
    Do: cancel it.
    Expect: a refusal by the broker, which is no error.
    """
    broker = bench.connect()
    answer = buy(broker, bench.symbols[0])
    before = look(broker, bench)
    broker.cancel(id_of(answer))
    expect_same(look(broker, bench), before, "the account after the cancel")


@CANCELS.card(25, _LIMIT)
def cancelling_twice_is_cancelling_once(bench: BrokerBench) -> None:
    """Require the same state after the second cancel, without an error.

    Given: an order that was cancelled.
    Do: cancel it again.
    Expect: a refusal by the broker, which is no error.
    """
    broker = bench.connect()
    order_id = id_of(let_rest(broker, bench.symbols[0]))
    broker.cancel(order_id)
    before = look(broker, bench)
    broker.cancel(order_id)
    expect_same(look(broker, bench), before, "the account after the second cancel")
    expect_same(found(broker, "rests").status, OrderStatus.CANCELLED, "the order's status")


@CANCELS.card(26, _LIMIT)
def a_cancelled_purchase_frees_its_cash(bench: BrokerBench) -> None:
    """Require the usable cash of before.

    Given: a resting purchase.
    Do: cancel it; ask for the account before it, and after.
    Expect: cash that was never spent.
    """
    broker = bench.connect()
    before = broker.account()
    broker.cancel(id_of(let_rest(broker, bench.symbols[0])))
    expect_same(broker.account(), before, "the account")


@CANCELS.card(27, CANCELS_THERE, safe=True)
def the_cancel_of_an_unknown_order_is_an_error(bench: BrokerBench) -> None:
    """Require an error that says that the account has no such order.

    Given: any account.
    Do: cancel an order id that the broker never gave.
    Expect: nothing at the broker.
    """
    broker = bench.connect()
    expect_error(lambda: broker.cancel("999999999"), "an unknown order", (BrokerAnswerError,))


@CANCELS.card(28, _LIMIT)
def an_order_cancelled_by_another_connection_has_ended_for_all(bench: BrokerBench) -> None:
    """Require that a second connection finds the order as cancelled.

    Given: a resting order and two connections.
    Do: cancel it on the one that placed it; look on the other.
    Expect: its end as cancelled.
    """
    broker, other = bench.connect(), bench.connect()
    answer = let_rest(broker, bench.symbols[0])
    broker.cancel(id_of(answer))
    expect_same(other.open_orders(), (), "open orders")
    expect_same(found(other, "rests").status, OrderStatus.CANCELLED, "the order's status")


# ── Orders that are refused ────────────────────────────────────────────────────────────


@REFUSALS.card(31, _MARKET)
def a_client_id_buys_once(bench: BrokerBench) -> None:
    """Require that a second order with a client id books nothing, whatever it asks for.

    Given: a purchase under a client id.
    Do: hand in the same order again, and another order under the same client id.
    Expect: two refusals, whether by the broker or before anything is sent.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    before = look(broker, bench)
    expect_turned_away(broker.submit(an_order(bench.symbols[0])))
    expect_turned_away(broker.submit(an_order(bench.symbols[1], Side.BUY, Decimal(1))))
    expect_same(look(broker, bench), before, "the account after both")


@REFUSALS.card(32, _MARKET)
def a_client_id_that_another_connection_used_buys_once(bench: BrokerBench) -> None:
    """Require that it books nothing: a service that begins anew does not buy again.

    Given: a purchase under a client id on a connection.
    Do: hand in the same order on a connection that was opened later.
    Expect: a refusal.
    """
    buy(bench.connect(), bench.symbols[0])
    other = bench.connect()
    expect_turned_away(other.submit(an_order(bench.symbols[0])))
    expect_same(holdings(other), {bench.symbols[0]: TEN}, "holdings")


@REFUSALS.card(33, _MARKET)
def a_purchase_beyond_the_cash_is_refused(bench: BrokerBench) -> None:
    """Require that nobody lends.

    Do: buy a million shares at market.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    order = an_order(bench.symbols[0], Side.BUY, Decimal(1_000_000))
    expect_refusal(broker, bench, order)


@REFUSALS.card(34, _MARKET)
def a_sale_beyond_the_holding_is_refused(bench: BrokerBench) -> None:
    """Require that nothing goes short.

    Given: ten shares.
    Do: sell eleven at market.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0], client_id="bought")
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.SELL, TEN + 1))


@REFUSALS.card(35, _MARKET)
def a_sale_of_what_is_not_held_is_refused(bench: BrokerBench) -> None:
    """Require that nothing goes short.

    Do: sell ten shares at market.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.SELL))


@REFUSALS.card(36, _MARKET)
def an_order_for_an_unknown_symbol_is_refused(bench: BrokerBench) -> None:
    """Require a refusal where there is no price.

    Do: buy ten shares of a symbol that the broker does not know.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    expect_refusal(broker, bench, an_order(bench.unknown_symbol))


@REFUSALS.card(37, _MARKET)
def a_fraction_of_a_lot_is_refused(bench: BrokerBench) -> None:
    """Require purchases in whole multiples of the lot that the rules name.

    Do: buy one and a half lots at market.
    Expect: a refusal with a reason.
    """
    broker = bench.connect()
    quantity = broker.rules.lot_shares * Decimal("1.5")
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.BUY, quantity))


@REFUSALS.card(38, _LIMIT, safe=True)
def a_tiny_order_is_handed_in_once_under_its_client_id(bench: BrokerBench) -> None:
    """Require that the second one is refused and nothing of it works.

    Given: any account, the exchange open.
    Do: hand in a purchase of one lot at half the price, hand it in again, and cancel it.
    Expect: an acknowledgement, a refusal, and one order's end.
    """
    broker = bench.connect()
    order = a_tiny_order(broker, bench, "once")
    order_id = id_of(expect_ack(broker.submit(order)))
    try:
        expect_turned_away(broker.submit(order))
        expect_same(working(broker).count(order.client_id), 1, "working orders of its name")
    finally:
        broker.cancel(order_id)


@REFUSALS.card(39, _LIMIT, NO_TAG)
def a_second_order_that_could_not_be_told_from_a_working_one_is_denied(
    bench: BrokerBench,
) -> None:
    """Require that nothing is sent: where no client id is kept, an order is known by its facts.

    Given: a limit order that works in a symbol.
    Do: hand in another limit order for the symbol.
    Expect: a denial before anything is sent, with a reason.
    """
    broker = bench.connect()
    let_rest(broker, bench.symbols[0], client_id="first")
    limit = (broker.quotes(bench.symbols)[bench.symbols[0]].price_usd / 4).quantize(CENT)
    answer = broker.submit(an_order(bench.symbols[0], client_id="second", limit=limit))
    expect_same(answer.outcome, SubmitOutcome.DENIED, "the answer")
    expect(bool(answer.detail), "a denial says why")
    expect_same(working(broker), ["first"], "working orders")


@REFUSALS.card(40, _LIMIT, A_TAG)
def orders_of_a_symbol_are_told_apart_by_their_client_ids(bench: BrokerBench) -> None:
    """Require either order under its own client id, although all else is the same.

    Given: a limit order that works in a symbol.
    Do: hand in the same under another client id.
    Expect: two acknowledgements.
    """
    broker = bench.connect()
    first = let_rest(broker, bench.symbols[0], client_id="first")
    second = let_rest(broker, bench.symbols[0], client_id="second")
    expect_same(found(broker, "first").broker_order_id, id_of(first), "the first one's id")
    expect_same(found(broker, "second").broker_order_id, id_of(second), "the second one's id")
