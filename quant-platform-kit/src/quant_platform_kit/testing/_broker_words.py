"""The words that broker cards are written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from time import monotonic, sleep
from typing import Final, TypeAlias

from quant_platform_kit.brokers import Broker, Fault, FaultSwitch
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.errors import BrokerAnswerError, PlatformError, TransientError
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._expect import expect, expect_same, only

Question: TypeAlias = Callable[[], object]

TEN: Final = Decimal(10)
CENT: Final = Decimal("0.01")
NOTHING: Final = Decimal(0)
TURNED_AWAY: Final = frozenset({SubmitOutcome.REJECTED, SubmitOutcome.DENIED})
"""Answers that prove that nothing was booked."""

FAR_BELOW: Final = Decimal("0.5")
"""Times the price: a limit that cannot trade now."""

_CARD_SPAN: Final = timedelta(days=1)  # what a card looks back on
_LOOK_AGAIN_SECS: Final = 0.05

# ── Orders ─────────────────────────────────────────────────────────────────────────────


def an_order(
    symbol: str,
    side: Side = Side.BUY,
    quantity: Decimal = TEN,
    *,
    client_id: str = "order",
    limit: Decimal | None = None,
    until_cancelled: bool = False,
) -> OrderRequest:
    """Return a market order, or a limit order where a limit is given."""
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    how_long = TimeInForce.GTC if until_cancelled else TimeInForce.DAY
    return OrderRequest(client_id, symbol, side, quantity, kind, limit, time_in_force=how_long)


def buy(
    broker: Broker, symbol: str, quantity: Decimal = TEN, *, client_id: str = "order"
) -> Submission:
    """Hand in a market purchase and require its acknowledgement."""
    order = an_order(symbol, Side.BUY, quantity, client_id=client_id)
    return expect_ack(broker.submit(order))


def sell(broker: Broker, symbol: str, quantity: Decimal = TEN) -> Submission:
    """Hand in a market sale and require its acknowledgement."""
    return expect_ack(broker.submit(an_order(symbol, Side.SELL, quantity, client_id="sale")))


def far_below(broker: Broker, symbol: str) -> Decimal:
    """Return a limit at which nobody sells now."""
    return (broker.quotes([symbol])[symbol].price_usd * FAR_BELOW).quantize(CENT)


def let_rest(broker: Broker, symbol: str, *, client_id: str = "rests") -> Submission:
    """Hand in a purchase whose limit lies far below the price and require its acknowledgement."""
    limit = far_below(broker, symbol)
    return expect_ack(broker.submit(an_order(symbol, client_id=client_id, limit=limit)))


def a_tiny_order(broker: Broker, bench: BrokerBench, name: str) -> OrderRequest:
    """Return a purchase of one lot, far below the price: safe on any account."""
    symbol, lot = bench.symbols[0], bench.capabilities.lot_shares
    limit = far_below(broker, symbol)
    return an_order(symbol, Side.BUY, lot, client_id=bench.client_id(name), limit=limit)


def a_stop(
    symbol: str,
    side: Side,
    trigger: Decimal,
    *,
    limit: Decimal | None = None,
    client_id: str = "stop",
) -> OrderRequest:
    """Return a stop of ten shares that works until it is cancelled; one with a limit if given."""
    kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return OrderRequest(
        client_id, symbol, side, TEN, kind, limit, trigger, time_in_force=TimeInForce.GTC
    )


def id_of(answer: Submission) -> str:
    """Return the broker's id of an acknowledged order."""
    if answer.broker_order_id is None:
        raise AssertionError(f"the answer has no order id: {answer}")
    return answer.broker_order_id


# ── Looking ────────────────────────────────────────────────────────────────────────────


def found(broker: Broker, client_id: str = "order") -> BrokerOrder:
    """Return the order with this client id, which has to be there."""
    order = broker.find_order(client_id)
    if order is None:
        raise AssertionError(f"order {client_id} is not found")
    return order


def working(broker: Broker) -> list[str | None]:
    """Return the client ids of the working orders."""
    return [order.client_id for order in broker.open_orders()]


def holdings(broker: Broker) -> dict[str, Decimal]:
    """Return the shares held by symbol, in the order of the answer."""
    return {position.symbol: position.quantity for position in broker.positions()}


def executions(broker: Broker, bench: BrokerBench) -> tuple[Fill, ...]:
    """Return every execution of the card."""
    return broker.fills_since(bench.clock.now() - _CARD_SPAN)


def each_once(fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    """Return every execution once: one that comes twice has the same id and says the same."""
    return tuple({fill.fill_id: fill for fill in fills}.values())


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


def questions(broker: Broker, bench: BrokerBench) -> Mapping[Occasion, Question]:
    """Return every query that the broker is said to answer, by its occasion."""
    asked: dict[Occasion, Question] = {
        Occasion.ACCOUNT: broker.account,
        Occasion.POSITIONS: broker.positions,
        Occasion.ORDERS: broker.open_orders,
        Occasion.FIND: lambda: broker.find_order("order"),
        Occasion.EXECUTIONS: lambda: broker.fills_since(bench.clock.now()),
        Occasion.QUOTES: lambda: dict(broker.quotes(bench.symbols)),
        Occasion.BARS: lambda: dict(
            broker.daily_bars(bench.symbols, 5, bench.last_session, bench.adjustment)
        ),
    }
    if bench.capabilities.tells_cash_movements:
        asked[Occasion.CASH] = lambda: broker.cash_movements(bench.clock.now() - _CARD_SPAN)
    return asked


def hand_in_under(
    bench: BrokerBench,
    broker: Broker,
    fault: WireFault,
    *,
    nth: int | None = None,
    seconds: float = 1.0,
) -> Submission:
    """Hand in a market purchase while a fault is on, and switch it off again."""
    bench.wires.fault(fault, Occasion.SUBMIT, nth=nth, seconds=seconds)
    answer = broker.submit(an_order(bench.symbols[0]))
    bench.wires.clear()
    return answer


# ── Demanding ──────────────────────────────────────────────────────────────────────────


def switch_on(bench: BrokerBench, fault: Fault, symbol: str | None = None) -> None:
    """Turn on one fault of the book, for one symbol where it is given, to the end of the card."""
    if bench.faults is None:
        raise AssertionError("this card needs a bench with fault switches")
    bench.faults.set(FaultSwitch(fault, symbol=symbol))


def expect_ack(answer: Submission) -> Submission:
    """Require an acknowledgement."""
    expect_same(answer.outcome, SubmitOutcome.ACKED, f"the answer ({answer.detail})")
    return answer


def expect_turned_away(answer: Submission) -> None:
    """Require proof that nothing was booked, and a reason."""
    expect(answer.outcome in TURNED_AWAY, f"the answer is rejected or denied, not {answer.outcome}")
    expect(bool(answer.detail), "a refusal says why")


def expect_refusal(broker: Broker, bench: BrokerBench, order: OrderRequest) -> None:
    """Hand in an order that has to be refused with a reason, and require that nothing changes."""
    before = book_of(broker, bench)
    expect_turned_away(broker.submit(order))
    expect_same(book_of(broker, bench), before, "the account after the refusal")
    expect_never_worked(broker, order.client_id)


def expect_never_worked(broker: Broker, client_id: str = "order") -> None:
    """Require that an order is unknown, or found as refused."""
    seen = broker.find_order(client_id)
    expect(
        seen is None or seen.status is OrderStatus.REJECTED,
        f"a refused order is unknown or found as rejected, not {seen}",
    )


def expect_booked_once(broker: Broker, bench: BrokerBench) -> None:
    """Require ten shares bought by one order with one execution, and no second time."""
    expect_same(found(broker).status, OrderStatus.FILLED, "the order's status")
    fill = only(executions(broker, bench), "execution")
    expect_same((fill.client_id, fill.quantity), ("order", TEN), "the execution")
    expect_turned_away(broker.submit(an_order(bench.symbols[0])))
    expect_same(holdings(broker), {bench.symbols[0]: TEN}, "holdings")
    expect_same(bench.wires.orders(), 1, "the number of orders at the broker")


def expect_absent(broker: Broker, bench: BrokerBench) -> None:
    """Require that an order is proved not to be there, on both sides."""
    expect_never_worked(broker)
    expect_same(holdings(broker), {}, "holdings")
    expect_same(bench.wires.orders(), 0, "the number of orders at the broker")


def expect_error(
    ask: Question,
    what: str,
    kinds: tuple[type[PlatformError], ...] = (TransientError, BrokerAnswerError),
) -> PlatformError:
    """Require an error of the given kinds, with words for the operator."""
    try:
        answer = ask()
    except kinds as error:
        expect(bool(error.message), f"{what}: the error says what happened")
        return error
    raise AssertionError(f"{what}: expected an error, got {answer!r}")


def comes_back(ask: Question, bench: BrokerBench) -> object:
    """Return the answer that is had again at once, or when the SDK has connected again."""
    deadline = monotonic() + bench.wires.recovery_secs
    while True:
        try:
            return ask()
        except TransientError:
            if monotonic() > deadline:
                raise
            sleep(_LOOK_AGAIN_SECS)
