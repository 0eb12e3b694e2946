"""What an adapter makes of answers that are wrong and look right, as cards."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from quant_platform_kit.brokers import Broker
from quant_platform_kit.errors import BrokerAnswerError, InputError, TransientError
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import Deck, strikes
from quant_platform_kit.testing._broker_words import (
    TEN,
    buy,
    executions,
    expect_error,
    found,
    holdings,
)
from quant_platform_kit.testing._expect import expect_same, only

DECK: Final = Deck("Faults of the wire: wrong answers")

_QUOTES: Final = Occasion.QUOTES
_SOON_SECS: Final = 0.1


@DECK.card(154, strikes(WireFault.EMPTY_POSITIONS_LOST, Occasion.POSITIONS))
def positions_that_are_lost_are_missed(bench: BrokerBench) -> None:
    """Require an error: nobody buys again what is held.

    Given: a holding, and a broker that lists positions without it.
    Do: ask for the positions.
    Expect: an error, and the position when the broker is well.
    """
    buy(bench.connect(), bench.symbols[0])
    broker = bench.hasty()
    bench.wires.fault(WireFault.EMPTY_POSITIONS_LOST, Occasion.POSITIONS)
    expect_error(broker.positions, "positions that are lost")
    bench.wires.clear()
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")


@DECK.card(155, strikes(WireFault.EMPTY_POSITIONS_LOST, Occasion.POSITIONS))
def positions_that_are_lost_while_connecting_are_never_none(bench: BrokerBench) -> None:
    """Require an error or the holding, on a connection that was opened meanwhile.

    Given: a holding, and a broker that loses the first positions of a new connection.
    Do: connect again and ask for the positions.
    Expect: a connection or none.
    """
    buy(bench.connect(), bench.symbols[0])
    bench.wires.fault(WireFault.EMPTY_POSITIONS_LOST, Occasion.POSITIONS, nth=1)
    try:
        held = holdings(bench.hasty())
    except (TransientError, BrokerAnswerError):
        return
    expect_same(held, {bench.symbols[0]: TEN}, "holdings")


@DECK.card(156, strikes(WireFault.STALE_QUOTE, _QUOTES))
def a_stale_quote_tells_when_it_was_made(bench: BrokerBench) -> None:
    """Require the age of the price, not the time of its arrival.

    Given: a broker whose quotes are a day old.
    Do: ask for a quote.
    Expect: a quote of yesterday.
    """
    _expect_age(bench, WireFault.STALE_QUOTE, timedelta(days=1))


@DECK.card(157, strikes(WireFault.DELAYED_QUOTE, _QUOTES))
def a_delayed_quote_tells_when_it_was_made(bench: BrokerBench) -> None:
    """Require the age of the price, not the time of its arrival.

    Given: a broker whose quotes are those of a quarter of an hour ago.
    Do: ask for a quote.
    Expect: a quote of then.
    """
    _expect_age(bench, WireFault.DELAYED_QUOTE, timedelta(minutes=15))


def _expect_age(bench: BrokerBench, fault: WireFault, age: timedelta) -> None:
    broker, symbol = bench.connect(), bench.symbols[0]
    bench.wires.fault(fault, _QUOTES)
    quote = broker.quotes([symbol])[symbol]
    expect_same(bench.clock.now() - quote.at, age, "the age of the quote")


@DECK.card(158, strikes(WireFault.NO_MARKET_DATA, _QUOTES))
def a_missing_subscription_is_an_error_and_no_missing_quote(bench: BrokerBench) -> None:
    """Require an error that a human can act on.

    Given: an account without a subscription to prices.
    Do: ask for a quote.
    Expect: the broker's refusal.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.NO_MARKET_DATA, _QUOTES)
    expect_error(
        lambda: broker.quotes(bench.symbols), "quotes without a subscription", (BrokerAnswerError,)
    )


@DECK.card(159, strikes(WireFault.TRUNCATED, Occasion.BARS))
def bars_without_one_of_their_sessions_are_refused(bench: BrokerBench) -> None:
    """Require an error of the inputs: no indicator is reckoned over a gap.

    Given: a broker that leaves a bar out.
    Do: ask for fifteen bars.
    Expect: an error that tells how many are missing.
    """
    broker = bench.connect()
    bench.wires.fault(WireFault.TRUNCATED, Occasion.BARS)
    expect_error(
        lambda: broker.daily_bars(bench.symbols, 15, bench.last_session, bench.adjustment),
        "bars with a gap",
        (InputError,),
    )


@DECK.card(160, strikes(WireFault.TRUNCATED, Occasion.EXECUTIONS))
def executions_that_are_missing_are_missed(bench: BrokerBench) -> None:
    """Require an error: an order that has filled has executions.

    Given: a filled order, and a broker that leaves its execution out.
    Do: ask for the executions.
    Expect: an error, and the execution when the broker is well.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bench.wires.fault(WireFault.TRUNCATED, Occasion.EXECUTIONS)
    expect_error(lambda: executions(broker, bench), "executions with a gap", (TransientError,))
    bench.wires.clear()
    expect_same(len(executions(broker, bench)), 1, "the number of executions")


@DECK.card(161, strikes(WireFault.DUPLICATE_EXECUTION, Occasion.EXECUTIONS))
def an_execution_that_the_wire_repeats_is_one(bench: BrokerBench) -> None:
    """Require one listing, and an order that is filled no further.

    Given: a broker that sends an execution twice.
    Do: buy ten shares; ask for executions and order.
    Expect: one execution of ten.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bench.wires.fault(WireFault.DUPLICATE_EXECUTION, Occasion.EXECUTIONS)
    fill = only(executions(broker, bench), "execution")
    expect_same(fill.quantity, TEN, "the shares of the execution")
    expect_same(found(broker).filled_quantity, TEN, "the shares of the order")


@DECK.card(162, strikes(WireFault.LATE_COMMISSION, Occasion.EXECUTIONS))
def an_execution_waits_for_its_commission(bench: BrokerBench) -> None:
    """Require the fee that the broker charges, a moment later.

    Given: a broker that tells executions first and what they cost afterwards.
    Do: buy ten shares; ask for the executions.
    Expect: an execution with its fee.
    """
    broker = _bought_without_news(bench)
    bench.wires.fault(WireFault.LATE_COMMISSION, Occasion.EXECUTIONS, seconds=_SOON_SECS)
    fill = only(executions(broker, bench), "execution")
    expect_same(fill.fee_usd, broker.rules.fees.fee(TEN, fill.price_usd), "its fee")


@DECK.card(163, strikes(WireFault.LATE_COMMISSION, Occasion.EXECUTIONS))
def an_execution_is_never_told_without_its_commission(bench: BrokerBench) -> None:
    """Require an error by the deadline: a cost that is not known is not zero.

    Given: a broker that does not tell what an execution costs.
    Do: buy ten shares; ask for the executions.
    Expect: an error.
    """
    broker = _bought_without_news(bench)
    bench.wires.fault(WireFault.LATE_COMMISSION, Occasion.EXECUTIONS, seconds=60.0)
    expect_error(
        lambda: executions(broker, bench), "executions without their cost", (TransientError,)
    )


def _bought_without_news(bench: BrokerBench) -> Broker:
    """Return a connection that has bought, and was not told what that cost."""
    broker = bench.connect()
    bench.wires.fault(WireFault.LOST_PUSHES, Occasion.SUBMIT)
    buy(broker, bench.symbols[0])
    return broker
