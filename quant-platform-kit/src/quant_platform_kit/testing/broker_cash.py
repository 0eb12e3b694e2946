"""What a broker tells of cash that moved beside trades, as cards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from quant_platform_kit.brokers import Broker
from quant_platform_kit.contracts import CashMovement, MovementKind
from quant_platform_kit.testing._broker_bench import BrokerBench, MoveCash
from quant_platform_kit.testing._broker_cards import Deck, Need, claims
from quant_platform_kit.testing._broker_words import buy, sell
from quant_platform_kit.testing._expect import expect, expect_same, only

DECK: Final = Deck("What moved the cash")

_SPAN: Final = timedelta(days=1)
_LONG_SPAN: Final = timedelta(days=59)
_PAID: Final = Decimal("4.40")
_WITHHELD: Final = Decimal("-0.66")

_TELLS: Final = claims(
    lambda can: can.tells_cash_movements, "tells nothing of what moved the cash beside trades"
)
_BACK_OFFICE: Final = Need(
    lambda bench: "" if bench.move_cash is not None else "nobody moves cash on this bench"
)


def _told(broker: Broker, bench: BrokerBench) -> tuple[CashMovement, ...]:
    movements = broker.cash_movements(bench.clock.now() - _SPAN)
    if movements is None:
        raise AssertionError("the broker is said to tell what moved the cash, and does not")
    return movements


def _mover(bench: BrokerBench) -> MoveCash:
    if bench.move_cash is None:
        raise AssertionError("this card needs a bench on which cash can be moved")
    return bench.move_cash


def _expect_told(
    bench: BrokerBench, kind: MovementKind, amount: Decimal, symbol: str | None
) -> None:
    """Move cash, and require that it is told once, as what it is, and that it is in the cash."""
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    before = broker.account().cash_usd
    _mover(bench)(kind, amount, symbol=symbol)
    moved = only(_told(broker, bench), "movement")
    expect_same((moved.kind, moved.amount_usd), (kind, amount), "kind and amount")
    expect_same(moved.symbol, symbol, "the symbol")
    expect_same(broker.account().cash_usd, before + amount, "the cash")


@DECK.card(201, safe=True)
def what_moved_the_cash_is_told_as_claimed(bench: BrokerBench) -> None:
    """Require None without the claim, which is not the empty answer; else every movement once.

    Given: any account.
    Do: ask twice what moved the cash in 59 days.
    Expect: no answer, or the same complete one twice, in the order of time.
    """
    broker, since = bench.connect(), bench.clock.now() - _LONG_SPAN
    told = broker.cash_movements(since)
    expect_same(told is not None, bench.capabilities.tells_cash_movements, "whether it is told")
    expect_same(broker.cash_movements(since), told, "the second answer")
    movements = told or ()
    ids = {moved.movement_id for moved in movements}
    expect_same(len(ids), len(movements), "the number of ids")
    times = [moved.at for moved in movements]
    expect(times == sorted(times), "movements come in the order of their times")


@DECK.card(202, _TELLS, _BACK_OFFICE)
def a_dividend_is_told_with_its_symbol(bench: BrokerBench) -> None:
    """Require kind, amount and symbol: by them it goes to who held the shares.

    Given: ten shares of the first symbol.
    Do: let the first symbol pay a dividend; ask what moved the cash.
    Expect: one movement, and its amount in the cash.
    """
    _expect_told(bench, MovementKind.DIVIDEND, _PAID, bench.symbols[0])


@DECK.card(203, _TELLS, _BACK_OFFICE)
def a_tax_on_a_dividend_is_told_with_its_symbol(bench: BrokerBench) -> None:
    """Require kind, symbol and an amount below zero.

    Given: ten shares of the first symbol.
    Do: withhold the tax on a dividend of the first symbol; ask what moved the cash.
    Expect: one movement, and its amount gone from the cash.
    """
    _expect_told(bench, MovementKind.TAX, _WITHHELD, bench.symbols[0])


@DECK.card(204, _TELLS, _BACK_OFFICE)
def interest_is_told_without_a_symbol(bench: BrokerBench) -> None:
    """Require kind and amount, and nobody's symbol.

    Given: ten shares of the first symbol.
    Do: let the broker pay interest; ask what moved the cash.
    Expect: one movement, and its amount in the cash.
    """
    _expect_told(bench, MovementKind.INTEREST, Decimal("0.37"), None)


@DECK.card(205, _TELLS, _BACK_OFFICE)
def the_owner_s_money_is_told_as_a_transfer(bench: BrokerBench) -> None:
    """Require a transfer both ways: neither is a profit or a loss.

    Do: pay a hundred dollars in and forty out; ask what moved the cash.
    Expect: two transfers, with their signs.
    """
    broker, move = bench.connect(), _mover(bench)
    amounts = (Decimal(100), Decimal(-40))
    for amount in amounts:
        move(MovementKind.TRANSFER, amount)
    told = _told(broker, bench)
    expect_same({moved.kind for moved in told}, {MovementKind.TRANSFER}, "the kinds")
    expect_same({moved.amount_usd for moved in told}, set(amounts), "the amounts")


@DECK.card(206, _TELLS)
def trades_are_no_movements(bench: BrokerBench) -> None:
    """Require that the cash of a trade is told as an execution alone, and so booked once.

    Do: buy ten shares and sell them; ask what moved the cash.
    Expect: nothing.
    """
    broker = bench.connect()
    buy(broker, bench.symbols[0])
    sell(broker, bench.symbols[0])
    expect_same(_told(broker, bench), (), "what moved the cash beside trades")


@DECK.card(207, _TELLS, _BACK_OFFICE)
def movements_that_are_alike_are_told_apart(bench: BrokerBench) -> None:
    """Require an id each, and the same ids on a connection that was made later.

    Do: let the first symbol pay the same dividend twice; ask on two connections.
    Expect: two movements, and the same two.
    """
    move = _mover(bench)
    for _ in range(2):
        move(MovementKind.DIVIDEND, _PAID, symbol=bench.symbols[0])
    told = _told(bench.connect(), bench)
    expect_same(len({moved.movement_id for moved in told}), 2, "the number of ids")
    expect_same(_told(bench.connect(), bench), told, "what another connection is told")


@DECK.card(208, _TELLS, _BACK_OFFICE)
def what_moved_before_the_instant_is_not_told(bench: BrokerBench) -> None:
    """Require nothing older than what was asked for, to the second.

    Do: let the first symbol pay a dividend; ask an hour later for what moved since the last minute.
    Expect: nothing; and the dividend when all of the day is asked for.
    """
    broker = bench.connect()
    _mover(bench)(MovementKind.DIVIDEND, _PAID, symbol=bench.symbols[0])
    bench.clock.sleep(timedelta(hours=1).total_seconds())
    since = bench.clock.now() - timedelta(minutes=1)
    expect_same(broker.cash_movements(since), (), "what moved in the last minute")
    expect_same(len(_told(broker, bench)), 1, "the number of movements of the day")
