"""The bench that a broker card works on, and the words that cards are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, TypeAlias, TypeVar

from quant_platform_kit.brokers import Broker, Fault, Faults, FaultSwitch
from quant_platform_kit.contracts import (
    Adjustment,
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.market import Clock

T = TypeVar("T")

TEN: Final = Decimal(10)
_CENT: Final = Decimal("0.01")
_FAR_BELOW: Final = Decimal("0.5")  # times the price: a limit that cannot trade now
_CARD_SPAN: Final = timedelta(days=1)  # no card lasts longer


@dataclass(frozen=True, slots=True)
class BrokerBench:
    """A fresh account for one card: no holdings, no orders, the exchange open.

    Parameters
    ----------
    connect : callable
        Returns a connection to the account; a card may ask for a second one.
    clock : Clock
        The broker's clock; a card may sleep on it.
    symbols : pair of str
        Two symbols that are quoted and trade at their quote, in alphabetical order. The account
        can pay for thirty shares of each, but not for a million.
    unknown_symbol : str
        A symbol that the broker does not know.
    last_session : date
        The last session that has closed; the symbols have at least five bars up to it.
    adjustment : Adjustment
        Which bars the broker has.
    faults : Faults, optional
        The broker's fault switches; `FAULT_CARDS` need them.
    """

    connect: Callable[[], Broker]
    clock: Clock
    symbols: tuple[str, str]
    unknown_symbol: str
    last_session: date
    adjustment: Adjustment = Adjustment.TOTAL_RETURN
    faults: Faults | None = None


BrokerCard: TypeAlias = Callable[[BrokerBench], None]
"""Raises `AssertionError` where the bench's broker breaks the contract of `Broker`."""


def an_order(
    symbol: str,
    side: Side,
    quantity: Decimal,
    *,
    client_id: str = "order",
    limit: Decimal | None = None,
) -> OrderRequest:
    """Return a market order, or a limit order where a limit is given."""
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return OrderRequest(client_id, symbol, side, quantity, kind, limit)


def buy(broker: Broker, symbol: str, *, client_id: str = "order") -> Submission:
    """Hand in a market order for ten shares and require its acknowledgement."""
    return expect_ack(broker.submit(an_order(symbol, Side.BUY, TEN, client_id=client_id)))


def sell(broker: Broker, symbol: str, quantity: Decimal) -> Submission:
    """Hand in a market sale and require its acknowledgement."""
    return expect_ack(broker.submit(an_order(symbol, Side.SELL, quantity, client_id="sale")))


def let_rest(broker: Broker, symbol: str, *, client_id: str = "rests") -> Submission:
    """Hand in a purchase whose limit lies far below the price and require its acknowledgement."""
    limit = (broker.quotes([symbol])[symbol].price_usd * _FAR_BELOW).quantize(_CENT)
    order = an_order(symbol, Side.BUY, TEN, client_id=client_id, limit=limit)
    return expect_ack(broker.submit(order))


def found(broker: Broker, client_id: str = "order") -> BrokerOrder:
    """Return the order with this client id, which has to be there."""
    order = broker.find_order(client_id)
    if order is None:
        raise AssertionError(f"order {client_id} is not found")
    return order


def id_of(answer: Submission) -> str:
    """Return the broker's id of an acknowledged order."""
    if answer.broker_order_id is None:
        raise AssertionError(f"the answer has no order id: {answer}")
    return answer.broker_order_id


def holdings(broker: Broker) -> dict[str, Decimal]:
    """Return the shares held by symbol, in the order of the answer."""
    return {position.symbol: position.quantity for position in broker.positions()}


def executions(broker: Broker, bench: BrokerBench) -> tuple[Fill, ...]:
    """Return every execution of the card."""
    return broker.fills_since(bench.clock.now() - _CARD_SPAN)


def book_of(broker: Broker, bench: BrokerBench) -> tuple[object, ...]:
    """Return what orders change: money, holdings, working orders and executions."""
    return (
        broker.account(),
        broker.positions(),
        broker.open_orders(),
        executions(broker, bench),
    )


def look(broker: Broker, bench: BrokerBench) -> tuple[object, ...]:
    """Return everything that queries show."""
    quotes = dict(broker.quotes(bench.symbols))
    return (*book_of(broker, bench), broker.find_order("order"), quotes)


def switch_on(bench: BrokerBench, fault: Fault, symbol: str | None = None) -> None:
    """Turn on one fault, for one symbol where it is given, until the end of the card."""
    if bench.faults is None:
        raise AssertionError("this card needs a bench with fault switches")
    bench.faults.set(FaultSwitch(fault, symbol=symbol))


def only(items: Sequence[T], what: str) -> T:
    """Return the one item that there has to be."""
    expect_same(len(items), 1, f"the number of {what}s")
    return items[0]


def expect_ack(answer: Submission) -> Submission:
    """Require an acknowledgement."""
    expect_same(answer.outcome, SubmitOutcome.ACKED, f"the answer ({answer.detail})")
    return answer


def expect_refusal(broker: Broker, bench: BrokerBench, order: OrderRequest) -> None:
    """Hand in an order that has to be refused with a reason, and require that nothing changes."""
    before = book_of(broker, bench)
    answer = broker.submit(order)
    expect_same(answer.outcome, SubmitOutcome.REJECTED, "the answer")
    expect(bool(answer.detail), "a refusal says why")
    expect_same(book_of(broker, bench), before, "the account after the refusal")
    seen = broker.find_order(order.client_id)
    expect(
        seen is None or seen.status is OrderStatus.REJECTED,
        f"a refused order is unknown or found as rejected, not {seen}",
    )


def expect_same(actual: object, expected: object, what: str) -> None:
    """Require that two values are equal."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def expect(condition: bool, what: str) -> None:  # noqa: FBT001 (reads like assert)
    """Require that `what` is so."""
    if not condition:
        raise AssertionError(what)
