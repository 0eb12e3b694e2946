"""What every broker answers about orders, executions and prices, as cards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import Adjustment, OrderStatus, Side
from quant_platform_kit.errors import BrokerAnswerError, ContractError, InputError
from quant_platform_kit.market import xnys
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import A_TAG, NO_TAG, WIRE, Deck, Need
from quant_platform_kit.testing._broker_words import (
    NOTHING,
    TEN,
    an_order,
    buy,
    each_once,
    executions,
    expect_error,
    found,
    holdings,
    id_of,
    let_rest,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same, only

ORDERS: Final = Deck("Questions about orders")
OTHERS: Final = Deck("Others in the account")
PRICES: Final = Deck("Prices")

_HISTORY: Final = Need(
    lambda bench: "" if bench.history is not None else "the market's own history is not known here"
)
_UNCLAIMED: Final = Need(
    lambda bench: (
        ""
        if set(Adjustment) - set(bench.capabilities.adjustments)
        else f"{bench.capabilities.display_name} has bars of every adjustment"
    )
)

# ── Orders and executions ──────────────────────────────────────────────────────────────


@ORDERS.card(51, safe=True)
def an_order_that_was_never_sent_is_not_found(bench: BrokerBench) -> None:
    """Require None: the proof on which a lost order is declared void.

    Given: any account.
    Do: look for a client id that was never used.
    Expect: a complete answer without it.
    """
    broker = bench.connect()
    expect_same(broker.find_order(bench.client_id("never-sent")), None, "the order")


@ORDERS.card(52)
def an_order_is_found_in_every_state_by_any_connection(bench: BrokerBench) -> None:
    """Require the same working, filled and cancelled orders from a later connection.

    Given: an order that works, one that has filled, and one that was cancelled.
    Do: connect again and look for all three.
    Expect: three orders under their client ids.
    """
    broker = bench.connect()
    broker.cancel(id_of(let_rest(broker, bench.symbols[1], client_id="cancelled")))
    buy(broker, bench.symbols[0], client_id="filled")
    let_rest(broker, bench.symbols[1], client_id="working")
    other = bench.connect()
    seen = {name: found(other, name) for name in ("working", "filled", "cancelled")}
    expect_same(seen["working"].status, OrderStatus.SUBMITTED, "the working order's status")
    expect_same(seen["filled"].status, OrderStatus.FILLED, "the filled order's status")
    expect_same(seen["cancelled"].status, OrderStatus.CANCELLED, "the cancelled order's status")
    expect_same(len({order.broker_order_id for order in seen.values()}), 3, "the number of ids")


@ORDERS.card(53)
def an_execution_names_its_order(bench: BrokerBench) -> None:
    """Require the order's symbol, side, quantity and ids, and the market's price.

    Do: buy ten shares at market.
    Expect: one execution.
    """
    broker = bench.connect()
    symbol = bench.symbols[0]
    quote = broker.quotes([symbol])[symbol]
    answer = buy(broker, symbol)
    fill = only(executions(broker, bench), "execution")
    expect_same(fill.broker_order_id, id_of(answer), "the execution's order")
    expect_same(fill.client_id, "order", "its client id")
    expect_same((fill.symbol, fill.side, fill.quantity), (symbol, Side.BUY, TEN), "what was traded")
    expect_same(fill.price_usd, quote.price_usd, "its price")
    expect(fill.fee_usd >= NOTHING, "its fee is not negative")


@ORDERS.card(54)
def executions_are_listed_from_an_instant_on(bench: BrokerBench) -> None:
    """Require ascending times, distinct ids, and the instant itself among those listed.

    Do: buy two symbols, two seconds apart; ask from before, between and after.
    Expect: both executions, the later one, and none.
    """
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


@ORDERS.card(55)
def executions_add_up_to_orders_and_holdings(bench: BrokerBench) -> None:
    """Require the same shares in executions, orders and positions.

    Do: buy ten shares, and four more under another client id.
    Expect: two orders and their executions.
    """
    broker = bench.connect()
    symbol = bench.symbols[0]
    buy(broker, symbol)
    buy(broker, symbol, Decimal(4), client_id="more")
    from_words = {"order": TEN, "more": Decimal(4)}
    fills = each_once(executions(broker, bench))
    for name, quantity in from_words.items():
        of_order = sum((f.quantity for f in fills if f.client_id == name), start=NOTHING)
        expect_same(of_order, quantity, f"the executions of {name}")
        expect_same(found(broker, name).filled_quantity, quantity, f"the filled shares of {name}")
    expect_same(holdings(broker), {symbol: sum(from_words.values())}, "holdings")


@ORDERS.card(56, safe=True)
def executions_ascend_in_time_and_stand_once(bench: BrokerBench) -> None:
    """Require ascending times and ids that stand once.

    Given: any account.
    Do: ask for the executions of the day.
    Expect: a complete list, be it empty.
    """
    fills = executions(bench.connect(), bench)
    times = [fill.at for fill in fills]
    expect_same(times, sorted(times), "the executions' times")
    expect_same(len(each_once(fills)), len(fills), "the number of ids")


# ── Others ─────────────────────────────────────────────────────────────────────────────


@OTHERS.card(57, WIRE)
def an_order_by_hand_is_nobody_s(bench: BrokerBench) -> None:
    """Require it among the working orders, without a client id.

    Given: an order that the owner placed by hand and that rests.
    Do: ask for the working orders.
    Expect: the order, which is not ours.
    """
    broker = bench.connect()
    bench.wires.control.trade(bench.symbols[0], Side.BUY, TEN, limit=Decimal(1))
    expect_same(working(broker), [None], "working orders")


@OTHERS.card(58, WIRE)
def a_trade_by_hand_is_seen_and_nobody_s(bench: BrokerBench) -> None:
    """Require the holding, and an execution without a client id.

    Given: a purchase that the owner made by hand.
    Do: ask for positions and executions.
    Expect: both show it.
    """
    broker = bench.connect()
    bench.wires.control.trade(bench.symbols[0], Side.BUY, TEN)
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    fill = only(executions(broker, bench), "execution")
    expect_same((fill.client_id, fill.quantity), (None, TEN), "the execution")


@OTHERS.card(59, WIRE, A_TAG)
def a_client_id_keeps_ours_apart_from_the_same_by_hand(bench: BrokerBench) -> None:
    """Require our own order, and not the other, although they say the same.

    Given: an order by hand, and ours with the same terms.
    Do: look for ours.
    Expect: one of the two.
    """
    broker = bench.connect()
    bench.wires.control.trade(bench.symbols[0], Side.BUY, TEN)
    answer = buy(broker, bench.symbols[0])
    expect_same(found(broker).broker_order_id, id_of(answer), "the order that is found")
    ids = [fill.client_id for fill in executions(broker, bench)]
    expect_same(sorted(ids, key=str), [None, "order"], "the executions' client ids")


@OTHERS.card(60, WIRE, NO_TAG)
def two_orders_that_could_be_the_lost_one_are_never_guessed_between(bench: BrokerBench) -> None:
    """Require an error that names the symbol, so that it is left alone.

    Given: a purchase whose answer was lost, and another just like it by hand.
    Do: look for ours.
    Expect: two orders that could be it.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.REPLY_LOST_AFTER_BOOKING, Occasion.SUBMIT)
    broker.submit(an_order(bench.symbols[0]))
    bench.wires.clear()
    bench.wires.control.trade(bench.symbols[0], Side.BUY, TEN)
    error = expect_error(lambda: broker.find_order("order"), "two orders", (BrokerAnswerError,))
    expect_same(getattr(error, "symbol", None), bench.symbols[0], "the symbol of the error")


# ── Prices ─────────────────────────────────────────────────────────────────────────────


@PRICES.card(61, safe=True)
def quotes_are_positive_and_not_from_the_future(bench: BrokerBench) -> None:
    """Require a quote for each known symbol, and none, not a zero, for an unknown one.

    Given: any account.
    Do: ask for the quotes of two symbols and of one that does not exist.
    Expect: two quotes.
    """
    broker = bench.connect()
    quotes = broker.quotes([*bench.symbols, bench.unknown_symbol])
    expect_same(tuple(sorted(quotes)), bench.symbols, "symbols with a quote")
    for symbol, quote in quotes.items():
        expect_same(quote.symbol, symbol, "the quote's symbol")
        expect(quote.price_usd > NOTHING, f"{symbol} has a price above zero")
        expect(quote.at <= bench.clock.now(), f"the quote of {symbol} is not from the future")


@PRICES.card(62, safe=True)
def no_symbols_have_no_quotes(bench: BrokerBench) -> None:
    """Require an empty answer without an error.

    Given: any account.
    Do: ask for the quotes of no symbol.
    Expect: nothing.
    """
    expect_same(dict(bench.connect().quotes([])), {}, "the quotes of nothing")


@PRICES.card(63, safe=True)
def bars_end_with_the_asked_session_and_are_as_many_as_asked(bench: BrokerBench) -> None:
    """Require three bars up to the session, and nothing for a symbol without any.

    Given: any account.
    Do: ask for three bars of two symbols and of one that does not exist.
    Expect: two frames.
    """
    broker = bench.connect()
    symbols = [*bench.symbols, bench.unknown_symbol]
    bars = broker.daily_bars(symbols, 3, bench.last_session, bench.adjustment)
    expect_same(tuple(sorted(bars)), bench.symbols, "symbols with bars")
    for symbol, frame in bars.items():
        expect_same(len(frame), 3, f"the number of bars of {symbol}")
        expect_same(frame.last_session, bench.last_session, f"the last bar of {symbol}")
        expect_same(frame.adjustment, bench.adjustment, f"the adjustment of {symbol}")


@PRICES.card(64, safe=True)
def every_session_has_its_bar(bench: BrokerBench) -> None:
    """Require the exchange's sessions, none left out and none added.

    Given: any account.
    Do: ask for fifteen bars.
    Expect: a bar for each of the last fifteen sessions.
    """
    bars = bench.connect().daily_bars(bench.symbols, 15, bench.last_session, bench.adjustment)
    calendar = xnys()
    expected = calendar.sessions(calendar.first_day, bench.last_session)[-15:]
    for symbol, frame in bars.items():
        expect_same(frame.sessions, expected, f"the sessions of {symbol}")


@PRICES.card(65, safe=True)
def no_bar_is_still_forming(bench: BrokerBench) -> None:
    """Require that the bar of the open session is withheld, even when it is asked for.

    Given: any account.
    Do: ask for bars up to tomorrow.
    Expect: bars up to the last complete session.
    """
    broker = bench.connect()
    tomorrow = bench.clock.now().date() + timedelta(days=1)
    bars = broker.daily_bars(bench.symbols, 5, tomorrow, bench.adjustment)
    expect_same(tuple(sorted(bars)), bench.symbols, "symbols with bars")
    for symbol, frame in bars.items():
        expect_same(frame.last_session, bench.last_session, f"the last bar of {symbol}")


@PRICES.card(66, safe=True)
def bars_have_the_columns_that_are_claimed(bench: BrokerBench) -> None:
    """Require every claimed column of every symbol.

    Given: any account.
    Do: ask for five bars.
    Expect: frames with the columns of the capabilities.
    """
    bars = bench.connect().daily_bars(bench.symbols, 5, bench.last_session, bench.adjustment)
    for symbol, frame in bars.items():
        for column in bench.capabilities.bar_columns:
            expect(getattr(frame, column) is not None, f"the bars of {symbol} have {column}")


@PRICES.card(67, safe=True)
def every_claimed_adjustment_is_delivered(bench: BrokerBench) -> None:
    """Require bars that say which adjustment they have.

    Given: any account.
    Do: ask for five bars with each adjustment of the capabilities.
    Expect: a frame for each.
    """
    broker = bench.connect()
    for adjustment in bench.capabilities.adjustments:
        bars = broker.daily_bars(bench.symbols, 5, bench.last_session, adjustment)
        for symbol in bench.symbols:
            expect_same(bars[symbol].adjustment, adjustment, f"the adjustment of {symbol}")


@PRICES.card(68, _HISTORY)
def every_adjustment_is_the_market_s_own(bench: BrokerBench) -> None:
    """Require the closes of the market's history, through a split and a dividend.

    Given: a symbol that split and paid a dividend within the bars asked for.
    Do: ask for fifteen bars with each adjustment of the capabilities.
    Expect: three different histories of one symbol.
    """
    broker, symbol = bench.connect(), bench.symbols[0]
    for adjustment in bench.capabilities.adjustments:
        frame = broker.daily_bars([symbol], 15, bench.last_session, adjustment)[symbol]
        own = (bench.history or {})[adjustment].until(bench.last_session).tail(15)
        shown = [round(float(close), 6) for close in frame.close]
        expect_same(shown, [round(float(c), 6) for c in own.close], f"{adjustment.value} closes")


@PRICES.card(69, _UNCLAIMED, safe=True)
def an_adjustment_that_is_not_claimed_is_refused(bench: BrokerBench) -> None:
    """Require an error of the inputs: bars are never passed off as something they are not.

    Given: any account.
    Do: ask for bars with each adjustment that the capabilities do not name.
    Expect: an error that says which bars there are.
    """
    broker = bench.connect()
    for adjustment in set(Adjustment) - set(bench.capabilities.adjustments):
        expect_error(
            lambda wanted=adjustment: broker.daily_bars(  # type: ignore[misc]
                bench.symbols, 5, bench.last_session, wanted
            ),
            f"{adjustment.value} bars",
            (InputError,),
        )


@PRICES.card(70, safe=True)
def no_bars_at_all_are_asked_for_in_vain(bench: BrokerBench) -> None:
    """Require an error that names the argument.

    Given: any account.
    Do: ask for no bars of a symbol.
    Expect: nothing at the broker.
    """
    broker = bench.connect()
    expect_error(
        lambda: broker.daily_bars(bench.symbols, 0, bench.last_session, bench.adjustment),
        "zero bars",
        (ContractError,),
    )
