"""What a broker is said to do, held against what it does, as cards."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from quant_platform_kit.brokers import AccountKind, AccountTerms
from quant_platform_kit.contracts import Adjustment, OrderStatus
from quant_platform_kit.errors import InputError
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_cards import A_TAG, NEXT_SESSION, Deck, Need, claims
from quant_platform_kit.testing._broker_words import (
    NOTHING,
    TEN,
    buy,
    expect_error,
    found,
    holdings,
    let_rest,
    sell,
    working,
)
from quant_platform_kit.testing._expect import expect, expect_same

DECK: Final = Deck("Claims of the capabilities")

_TERMS: Final = Need(
    lambda bench: "" if bench.agree is not None else "the terms of the account are what they are"
)
_REMEMBERS: Final = claims(
    lambda can: can.order_days > 1, "shows ended orders of the present day alone"
)
_FORGETS: Final = claims(lambda can: can.order_days == 1, "finds orders of earlier days")
_NEEDS_DIVIDENDS: Final = claims(
    lambda can: can.dividends_setting is not None, "adjusts its bars for dividends itself"
)


@DECK.card(71, safe=True)
def rules_and_capabilities_agree(bench: BrokerBench) -> None:
    """Require one lot: plans are made by the rules, and eligibility by the capabilities.

    Given: any account.
    Do: ask the connection for its rules.
    Expect: the lot of the capabilities.
    """
    rules = bench.connect().rules
    expect_same(rules.lot_shares, bench.capabilities.lot_shares, "the lot")


@DECK.card(72, A_TAG)
def the_client_id_comes_back_with_the_order(bench: BrokerBench) -> None:
    """Require it on a connection that did not send the order, and knows nothing of it.

    Given: a working order.
    Do: connect again and ask for the working orders.
    Expect: the order under its client id, all forty characters of it.
    """
    longest = "0123456789" * 4
    let_rest(bench.connect(), bench.symbols[0], client_id=longest)
    expect_same(working(bench.connect()), [longest], "working orders")


@DECK.card(73, NEXT_SESSION, _REMEMBERS)
def an_order_of_yesterday_is_found(bench: BrokerBench) -> None:
    """Require order and execution of the session before.

    Given: a purchase.
    Do: let the next session begin; look for the order and its execution.
    Expect: both.
    """
    broker, since = bench.connect(), bench.clock.now()
    buy(broker, bench.symbols[0])
    bench.to_next_session()
    expect_same(found(broker).status, OrderStatus.FILLED, "the order's status")
    listed = [fill.client_id for fill in broker.fills_since(since)]
    expect_same(listed, ["order"], "the executions since yesterday")


@DECK.card(74, NEXT_SESSION, _FORGETS)
def an_order_of_yesterday_is_not_found_and_its_shares_are_held(bench: BrokerBench) -> None:
    """Require what the claim says: the order's absence proves nothing about an earlier day.

    Given: a purchase.
    Do: let the next session begin; look for the order.
    Expect: no order; the holding is there.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    bench.to_next_session()
    expect_same(broker.find_order("order"), None, "the order of yesterday")
    expect_same(list(holdings(broker)), [bench.symbols[0]], "symbols held")


@DECK.card(75, NEXT_SESSION)
def an_order_of_the_morning_is_found_in_the_evening(bench: BrokerBench) -> None:
    """Require order and execution after the close, and the same shares.

    Given: a purchase.
    Do: let two hours pass, in which the session closes; look for the order.
    Expect: order and execution.
    """
    broker, since = bench.connect(), bench.clock.now()
    buy(broker, bench.symbols[0])
    bench.clock.sleep(timedelta(hours=2).total_seconds())
    expect_same(found(broker).status, OrderStatus.FILLED, "the order's status")
    expect_same(len(broker.fills_since(since)), 1, "the number of executions")


@DECK.card(78, _NEEDS_DIVIDENDS)
def without_dividends_there_are_no_total_return_bars(bench: BrokerBench) -> None:
    """Require an error of the inputs that names the setting.

    Given: a connection without the setting that the capabilities name.
    Do: ask for total-return bars, and for bars with the other adjustments.
    Expect: an error, and bars.
    """
    if bench.logins is None or bench.logins.without_dividends is None:
        raise AssertionError("this card needs a broker that does not tell dividends")
    broker = bench.logins.without_dividends()
    error = expect_error(
        lambda: broker.daily_bars(bench.symbols, 5, bench.last_session, Adjustment.TOTAL_RETURN),
        "total-return bars without dividends",
        (InputError,),
    )
    setting = str(bench.capabilities.dividends_setting)
    expect(setting in error.message, f"{error.message!r} names {setting}")
    for other in set(bench.capabilities.adjustments) - {Adjustment.TOTAL_RETURN}:
        bars = broker.daily_bars(bench.symbols, 5, bench.last_session, other)
        expect_same(tuple(sorted(bars)), bench.symbols, f"symbols with {other.value} bars")


@DECK.card(76, safe=True)
def at_least_whole_shares_and_no_less_than_the_lot(bench: BrokerBench) -> None:
    """Require that a share can be divided exactly where fractions are claimed.

    Given: any account.
    Do: ask the connection for its rules.
    Expect: a lot of one share, or of a part of one.
    """
    lot = bench.connect().rules.lot_shares
    expect_same(lot < 1, bench.capabilities.takes_fractions, "a lot of less than a share")
    expect(lot <= 1, "a share can be bought")


@DECK.card(77, _TERMS)
def the_proceeds_of_a_sale_are_usable_when_they_have_settled(bench: BrokerBench) -> None:
    """Require them in the cash at once, and in the usable cash in the session that is claimed.

    Given: a cash account whose sales settle as the capabilities say.
    Do: buy ten shares and sell them; let the next session begin.
    Expect: usable cash without the proceeds, and with them in the session of settlement.
    """
    if bench.agree is None:
        raise AssertionError("this card needs a bench whose terms can be chosen")
    wait = bench.capabilities.settlement_sessions
    bench.agree(AccountTerms(AccountKind.CASH, settlement_sessions=wait))
    broker, symbol = bench.connect(), bench.symbols[0]
    proceeds = TEN * broker.quotes([symbol])[symbol].price_usd
    buy(broker, symbol)
    sell(broker, symbol)
    account = broker.account()
    withheld = account.cash_usd - account.usable_cash_usd
    if wait:
        expect(NOTHING < withheld <= proceeds, f"{withheld} USD of {proceeds} USD are withheld")
        expect(account.sales_pay_at_once is not True, "the account does not say that sales pay")
        bench.to_next_session()
        account = broker.account()
    expect_same(account.usable_cash_usd, account.cash_usd, "usable cash when all has settled")
