"""What every broker says about the account and the connection, as cards."""

from __future__ import annotations

from typing import Final

from quant_platform_kit.contracts import Environment
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import LOGINS, Deck, Need
from quant_platform_kit.testing._broker_words import (
    NOTHING,
    TEN,
    buy,
    executions,
    expect_error,
    let_rest,
    look,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("Account and connection")

_ENDING_LOGIN: Final = Need(
    lambda bench: (
        "" if bench.logins is not None and bench.logins.near_its_end else "no login ends here"
    )
)


@DECK.card(1)
def a_fresh_account_has_cash_and_nothing_else(bench: BrokerBench) -> None:
    """Require cash, all of it usable, equity of the same amount, and empty lists.

    Do: ask for money, positions, working orders and executions.
    Expect: four complete answers; an empty one means none.
    """
    broker = bench.connect()
    account = broker.account()
    expect(account.cash_usd > NOTHING, "a fresh account has cash")
    expect_same(account.usable_cash_usd, account.cash_usd, "usable cash")
    expect_same(account.equity_usd, account.cash_usd, "equity")
    expect_same(broker.positions(), (), "positions")
    expect_same(broker.open_orders(), (), "open orders")
    expect_same(executions(broker, bench), (), "executions")


@DECK.card(2, safe=True)
def account_and_connection_name_the_same_environment(bench: BrokerBench) -> None:
    """Require one environment, since messages show the connection's, and never LIVE here.

    Given: any account.
    Do: ask the connection and the account what they are.
    Expect: both say simulated, or both say paper.
    """
    broker = bench.connect()
    expect_same(broker.account().environment, broker.environment, "the account's environment")
    expect(broker.environment is not Environment.LIVE, "no card is tried on real money")


@DECK.card(3, safe=True)
def the_account_that_answers_is_the_one_that_was_named(bench: BrokerBench) -> None:
    """Require the configured account's own id, and money that is finite.

    Given: any account.
    Do: ask for the account.
    Expect: its id, cash, usable cash and equity.
    """
    account = bench.connect().account()
    # Not shown: an account's number does not belong into a record.
    expect(account.account_id == bench.account_id, "the account is the configured one")
    expect(account.usable_cash_usd <= max(account.cash_usd, NOTHING), "nobody lends usable cash")


@DECK.card(4, safe=True)
def positions_are_above_zero_and_sorted_by_symbol(bench: BrokerBench) -> None:
    """Require holdings above zero, each symbol once, in the order of the symbols.

    Given: any account.
    Do: ask for the positions.
    Expect: a complete list, be it empty.
    """
    held = bench.connect().positions()
    symbols = [position.symbol for position in held]
    expect_same(symbols, sorted(set(symbols)), "symbols held")
    expect(all(position.quantity > NOTHING for position in held), "every holding is above zero")


@DECK.card(5)
def positions_are_sorted_whatever_the_order_of_purchase(bench: BrokerBench) -> None:
    """Require the order of the symbols.

    Do: buy the second symbol, then the first.
    Expect: two positions.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[1], client_id="second")
    buy(broker, bench.symbols[0], client_id="first")
    held = tuple(position.symbol for position in broker.positions())
    expect_same(held, bench.symbols, "symbols held")


@DECK.card(6)
def equity_is_cash_and_what_the_holdings_are_worth(bench: BrokerBench) -> None:
    """Require the sum of cash and of each holding at its quote.

    Do: buy ten shares of either symbol; ask for account, positions and quotes.
    Expect: three answers that agree.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0], client_id="first")
    buy(broker, bench.symbols[1], client_id="second")
    account, quotes = broker.account(), broker.quotes(bench.symbols)
    worth = sum((TEN * quote.price_usd for quote in quotes.values()), start=NOTHING)
    expect_same(account.equity_usd, account.cash_usd + worth, "equity")


@DECK.card(7)
def queries_change_nothing(bench: BrokerBench) -> None:
    """Require the same answers when everything is asked twice.

    Given: a holding.
    Do: ask every query twice.
    Expect: answers, and no event at the broker.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    expect_same(look(broker, bench), look(broker, bench), "the second look")


@DECK.card(8)
def a_second_connection_sees_the_same_account(bench: BrokerBench) -> None:
    """Require that orders belong to the account, not to the connection.

    Given: a holding and a working order, both of one connection.
    Do: connect again and ask every query on both.
    Expect: the same answers.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    let_rest(broker, bench.symbols[1])
    expect_same(look(bench.connect(), bench), look(broker, bench), "a new connection's look")


@DECK.card(9, safe=True)
def health_is_told_in_sentences(bench: BrokerBench) -> None:
    """Require sentences that an operator can read, or nothing.

    Given: any account, its connection well.
    Do: ask for the health.
    Expect: nothing, or what a human has to do soon.
    """
    for sentence in bench.connect().health():
        expect(sentence.endswith("."), f"{sentence!r} is a sentence")


@DECK.card(10, LOGINS)
def another_account_stops_the_start(bench: BrokerBench) -> None:
    """Require an error of the settings before anything was sent.

    Given: a login that does not open the configured account.
    Do: connect.
    Expect: no connection, and a message that names the setting without the account's number.
    """
    if bench.logins is None:
        raise AssertionError("this card needs a bench with logins")
    error = expect_error(
        bench.logins.to_another_account, "connecting to another's account", (SettingsError,)
    )
    expect(bench.account_id not in error.message, "the message does not show the account's number")
    expect_same(bench.wires.orders(), 0, "the number of orders at the broker")


@DECK.card(29, LOGINS, _ENDING_LOGIN)
def a_login_that_ends_soon_is_told_in_time(bench: BrokerBench) -> None:
    """Require an alert while the login is still good, and none about a fresh one.

    Given: a token that a human has to renew within days.
    Do: connect with it, and with a fresh one; ask both for their health.
    Expect: one sentence that says until when; the connection works.
    """
    if bench.logins is None or bench.logins.near_its_end is None:
        raise AssertionError("this card needs a login that ends")
    expect_same(bench.connect().health(), (), "the health of a fresh login")
    ending = bench.logins.near_its_end()
    expect_same(len(ending.health()), 1, "the number of alerts about an old one")
    expect_same(ending.positions(), (), "positions")
