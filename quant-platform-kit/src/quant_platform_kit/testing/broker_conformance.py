"""What every `Broker` does, as cards.

An adapter's test module needs a bench and three lines::

    @pytest.mark.parametrize("card", BROKER_CARDS, ids=lambda card: card.__name__)
    def test_the_adapter_conforms(card, bench):
        card(bench)
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import OrderStatus, Position, Side, SubmitOutcome
from quant_platform_kit.testing._broker_bench import (
    TEN,
    BrokerBench,
    BrokerCard,
    an_order,
    buy,
    executions,
    expect,
    expect_ack,
    expect_refusal,
    expect_same,
    found,
    holdings,
    id_of,
    let_rest,
    look,
    only,
    sell,
)

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")

# ── The account ────────────────────────────────────────────────────────────────────────


def a_fresh_account_has_cash_and_nothing_else(bench: BrokerBench) -> None:
    """Require cash, equity of the same amount, and empty lists."""
    broker = bench.connect()
    account = broker.account()
    expect(account.cash_usd > _ZERO, "a fresh account has cash")
    expect_same(account.usable_cash_usd, account.cash_usd, "usable cash")
    expect_same(account.equity_usd, account.cash_usd, "equity")
    expect_same(broker.positions(), (), "positions")
    expect_same(broker.open_orders(), (), "open orders")
    expect_same(executions(broker, bench), (), "executions")


def account_and_connection_name_the_same_environment(bench: BrokerBench) -> None:
    """Require one environment, since messages show the connection's."""
    broker = bench.connect()
    expect_same(broker.account().environment, broker.environment, "the account's environment")


def queries_change_nothing(bench: BrokerBench) -> None:
    """Require the same answers when everything is asked twice."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    expect_same(look(broker, bench), look(broker, bench), "the second look")


def a_second_connection_sees_the_same_account(bench: BrokerBench) -> None:
    """Require that orders belong to the account, not to the connection."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    let_rest(broker, bench.symbols[1])
    expect_same(look(bench.connect(), bench), look(broker, bench), "a new connection's look")


# ── Orders that trade ──────────────────────────────────────────────────────────────────


def a_market_purchase_becomes_a_position(bench: BrokerBench) -> None:
    """Require an order that is acknowledged, filled whole, held, and no longer working."""
    broker = bench.connect()
    answer = buy(broker, bench.symbols[0])
    order = found(broker)
    expect_same(answer.broker_order_id, order.broker_order_id, "the order's id")
    expect_same(order.status, OrderStatus.FILLED, "its status")
    expect_same(order.filled_quantity, TEN, "its filled quantity")
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    expect_same(broker.open_orders(), (), "open orders")


def a_purchase_costs_price_times_quantity_and_its_fee(bench: BrokerBench) -> None:
    """Require that cash falls by what the executions say, and equity by the fee alone."""
    broker = bench.connect()
    start, before = bench.clock.now(), broker.account()
    buy(broker, bench.symbols[0])
    fills, after = broker.fills_since(start), broker.account()
    paid = sum((f.quantity * f.price_usd for f in fills), start=_ZERO).quantize(_CENT)
    fees = sum((f.fee_usd for f in fills), start=_ZERO)
    expect_same(before.cash_usd - after.cash_usd, paid + fees, "the fall of cash")
    expect_same(before.equity_usd - after.equity_usd, fees, "the fall of equity")


def a_sale_returns_cash_and_removes_the_position(bench: BrokerBench) -> None:
    """Require the proceeds less the fee, and no listing of a holding of nothing."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    before = broker.account()
    sell(broker, bench.symbols[0], TEN)
    fill = executions(broker, bench)[-1]
    proceeds = (fill.quantity * fill.price_usd).quantize(_CENT) - fill.fee_usd
    expect_same(broker.account().cash_usd - before.cash_usd, proceeds, "the rise of cash")
    expect_same(broker.positions(), (), "positions")


def part_of_a_holding_can_be_sold(bench: BrokerBench) -> None:
    """Require that the rest stays, at the same average cost."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bought = only(broker.positions(), "holding")
    sell(broker, bench.symbols[0], Decimal(4))
    left = Position(bench.symbols[0], Decimal(6), bought.average_cost_usd)
    expect_same(broker.positions(), (left,), "positions")


def a_limit_that_the_price_allows_fills_no_worse(bench: BrokerBench) -> None:
    """Require the limit as a bound of the price."""
    broker = bench.connect()
    symbol = bench.symbols[0]
    limit = broker.quotes([symbol])[symbol].price_usd + 1
    expect_ack(broker.submit(an_order(symbol, Side.BUY, TEN, limit=limit)))
    fill = only(executions(broker, bench), "execution")
    expect(fill.price_usd <= limit, f"filled at {fill.price_usd}, above the limit of {limit}")


def positions_are_sorted_by_symbol(bench: BrokerBench) -> None:
    """Require the order of symbols, whatever the order of purchase."""
    broker = bench.connect()
    buy(broker, bench.symbols[1], client_id="second")
    buy(broker, bench.symbols[0], client_id="first")
    expect_same(tuple(holdings(broker)), bench.symbols, "symbols held")


# ── Orders that rest ───────────────────────────────────────────────────────────────────


def a_limit_away_from_the_price_rests(bench: BrokerBench) -> None:
    """Require an order that works and has bought nothing."""
    broker = bench.connect()
    let_rest(broker, bench.symbols[0])
    order = only(broker.open_orders(), "working order")
    expect_same(order.client_id, "rests", "the working order's client id")
    expect_same(order.status, OrderStatus.SUBMITTED, "its status")
    expect_same(order.filled_quantity, _ZERO, "its filled quantity")
    expect_same(broker.positions(), (), "positions")


def open_orders_stand_in_order_of_submission(bench: BrokerBench) -> None:
    """Require the order of submission, whatever the order of symbols."""
    broker = bench.connect()
    let_rest(broker, bench.symbols[1], client_id="first")
    let_rest(broker, bench.symbols[0], client_id="second")
    expect_same([o.client_id for o in broker.open_orders()], ["first", "second"], "working orders")


def a_cancelled_order_no_longer_works_but_is_found(bench: BrokerBench) -> None:
    """Require that the order's state tells that the cancel took."""
    broker = bench.connect()
    answer = let_rest(broker, bench.symbols[0])
    broker.cancel(id_of(answer))
    expect_same(broker.open_orders(), (), "open orders")
    expect_same(found(broker, "rests").status, OrderStatus.CANCELLED, "the order's status")


def cancelling_a_filled_order_changes_nothing(bench: BrokerBench) -> None:
    """Require that an order whose fill won the race stays filled."""
    broker = bench.connect()
    answer = buy(broker, bench.symbols[0])
    before = look(broker, bench)
    broker.cancel(id_of(answer))
    expect_same(look(broker, bench), before, "the account after the cancel")


# ── Orders that are refused ────────────────────────────────────────────────────────────


def a_client_id_buys_once(bench: BrokerBench) -> None:
    """Require that a second order with a client id books nothing, whatever it asks for."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    before = look(broker, bench)
    again = broker.submit(an_order(bench.symbols[0], Side.BUY, TEN))
    other = broker.submit(an_order(bench.symbols[1], Side.BUY, Decimal(1)))
    expect_same(again.outcome, SubmitOutcome.REJECTED, "the answer to the same order again")
    expect_same(other.outcome, SubmitOutcome.REJECTED, "the answer to another order under its id")
    expect_same(look(broker, bench), before, "the account after both")


def a_purchase_beyond_the_cash_is_refused(bench: BrokerBench) -> None:
    """Require that nobody lends."""
    broker = bench.connect()
    order = an_order(bench.symbols[0], Side.BUY, Decimal(1_000_000))
    expect_refusal(broker, bench, order)


def a_sale_beyond_the_holding_is_refused(bench: BrokerBench) -> None:
    """Require that nothing goes short."""
    broker = bench.connect()
    buy(broker, bench.symbols[0], client_id="bought")
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.SELL, TEN + 1))


def an_order_for_an_unknown_symbol_is_refused(bench: BrokerBench) -> None:
    """Require a refusal where there is no price."""
    broker = bench.connect()
    expect_refusal(broker, bench, an_order(bench.unknown_symbol, Side.BUY, TEN))


def a_fraction_of_a_lot_is_refused(bench: BrokerBench) -> None:
    """Require purchases in whole multiples of the lot that the rules name."""
    broker = bench.connect()
    quantity = broker.rules.lot_shares * Decimal("1.5")
    expect_refusal(broker, bench, an_order(bench.symbols[0], Side.BUY, quantity))


# ── Queries about orders ───────────────────────────────────────────────────────────────


def an_order_that_was_never_sent_is_not_found(bench: BrokerBench) -> None:
    """Require None: the proof on which a lost order is declared void."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    expect_same(broker.find_order("never-sent"), None, "the order that was never sent")


def an_execution_names_its_order(bench: BrokerBench) -> None:
    """Require the order's symbol, side, quantity and ids, and the market's price."""
    broker = bench.connect()
    symbol = bench.symbols[0]
    quote = broker.quotes([symbol])[symbol]
    answer = buy(broker, symbol)
    fill = only(executions(broker, bench), "execution")
    expect_same(fill.broker_order_id, id_of(answer), "the execution's order")
    expect_same(fill.client_id, "order", "its client id")
    expect_same((fill.symbol, fill.side, fill.quantity), (symbol, Side.BUY, TEN), "what was traded")
    expect_same(fill.price_usd, quote.price_usd, "its price")


def executions_are_listed_from_an_instant_on(bench: BrokerBench) -> None:
    """Require ascending times, distinct ids, and the instant itself among those listed."""
    broker = bench.connect()
    buy(broker, bench.symbols[0], client_id="early")
    bench.clock.sleep(2)
    buy(broker, bench.symbols[1], client_id="late")
    listed = executions(broker, bench)
    expect_same([fill.client_id for fill in listed], ["early", "late"], "executions")
    early, late = listed
    expect(early.at < late.at, "executions ascend in time")
    expect(early.fill_id != late.fill_id, "every execution has an id of its own")
    expect_same(broker.fills_since(early.at), (early, late), "executions since the first")
    expect_same(broker.fills_since(late.at), (late,), "executions since the second")
    after = late.at + timedelta(seconds=1)
    expect_same(broker.fills_since(after), (), "executions after the second")


# ── Prices ─────────────────────────────────────────────────────────────────────────────


def quotes_are_positive_and_not_from_the_future(bench: BrokerBench) -> None:
    """Require a quote for each known symbol, and none, not a zero, for an unknown one."""
    broker = bench.connect()
    quotes = broker.quotes([*bench.symbols, bench.unknown_symbol])
    expect_same(tuple(sorted(quotes)), bench.symbols, "symbols with a quote")
    for symbol, quote in quotes.items():
        expect_same(quote.symbol, symbol, "the quote's symbol")
        expect(quote.price_usd > _ZERO, f"{symbol} has a price above zero")
        expect(quote.at <= bench.clock.now(), f"the quote of {symbol} is not from the future")


def bars_end_with_the_asked_session_and_are_as_many_as_asked(bench: BrokerBench) -> None:
    """Require three bars up to the session, and nothing for a symbol without any."""
    broker = bench.connect()
    symbols = [*bench.symbols, bench.unknown_symbol]
    bars = broker.daily_bars(symbols, 3, bench.last_session, bench.adjustment)
    expect_same(tuple(sorted(bars)), bench.symbols, "symbols with bars")
    for symbol, frame in bars.items():
        expect_same(len(frame), 3, f"the number of bars of {symbol}")
        expect_same(frame.last_session, bench.last_session, f"the last bar of {symbol}")
        expect_same(frame.adjustment, bench.adjustment, f"the adjustment of {symbol}")


def no_bar_is_still_forming(bench: BrokerBench) -> None:
    """Require that the bar of the open session is withheld, even when it is asked for."""
    broker = bench.connect()
    tomorrow = bench.clock.now().date() + timedelta(days=1)
    bars = broker.daily_bars(bench.symbols, 5, tomorrow, bench.adjustment)
    expect_same(tuple(sorted(bars)), bench.symbols, "symbols with bars")
    for symbol, frame in bars.items():
        expect_same(frame.last_session, bench.last_session, f"the last bar of {symbol}")


BROKER_CARDS: Final[tuple[BrokerCard, ...]] = (
    a_fresh_account_has_cash_and_nothing_else,
    account_and_connection_name_the_same_environment,
    queries_change_nothing,
    a_second_connection_sees_the_same_account,
    a_market_purchase_becomes_a_position,
    a_purchase_costs_price_times_quantity_and_its_fee,
    a_sale_returns_cash_and_removes_the_position,
    part_of_a_holding_can_be_sold,
    a_limit_that_the_price_allows_fills_no_worse,
    positions_are_sorted_by_symbol,
    a_limit_away_from_the_price_rests,
    open_orders_stand_in_order_of_submission,
    a_cancelled_order_no_longer_works_but_is_found,
    cancelling_a_filled_order_changes_nothing,
    a_client_id_buys_once,
    a_purchase_beyond_the_cash_is_refused,
    a_sale_beyond_the_holding_is_refused,
    an_order_for_an_unknown_symbol_is_refused,
    a_fraction_of_a_lot_is_refused,
    an_order_that_was_never_sent_is_not_found,
    an_execution_names_its_order,
    executions_are_listed_from_an_instant_on,
    quotes_are_positive_and_not_from_the_future,
    bars_end_with_the_asked_session_and_are_as_many_as_asked,
    no_bar_is_still_forming,
)
"""What every broker does."""
