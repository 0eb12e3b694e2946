"""The safe cards on somebody's paper account: guarded, and written down.

What may be sent there is one kind of order: a purchase of one lot for the day, limited far below
the price. The guard sends nothing else, whatever a card asks for, and takes back what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from quant_platform_kit import __version__
from quant_platform_kit.brokers import CAPABILITIES, Broker
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    OrderType,
    Position,
    Quote,
    Side,
    Submission,
    SubmitOutcome,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.errors import PlatformError, SettingsError
from quant_platform_kit.market import Clock, xnys
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing.broker_conformance import Verdict

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

T = TypeVar("T")

_SDKS: Final[Mapping[str, tuple[str, ...]]] = {
    "ibkr": ("ib_async", "ib_insync"),
    "schwab": ("schwab-py",),
    "longbridge": ("longbridge", "longport"),
}
_SYMBOLS: Final = ("AAPL", "IBM")
_UNKNOWN: Final = "ZZZZQ"
_FAR: Final = Decimal("0.6")  # times the price: no order may be limited closer to it
_LOT: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Sight:
    """One call of a broker and what it answered, without anything that names the account."""

    call: str
    answer: str
    seconds: float


@dataclass(slots=True)
class PaperBroker:
    """Another broker's connection, guarded and written down; implements `Broker`.

    Parameters
    ----------
    inner : Broker
        A connection to a paper account.
    seen : list of Sight
        What was asked and answered since it was emptied last.

    Raises
    ------
    SettingsError
        When the account is not a paper account; nothing was sent then.
    """

    inner: Broker
    seen: list[Sight] = field(default_factory=list)
    _sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse any account but a paper account."""
        if self.inner.environment is not Environment.PAPER:
            raise SettingsError(
                f"The account says that it is {self.inner.environment.value}, and the cards are "
                "tried on paper accounts alone; nothing was sent. Name a paper account in "
                "QPK_ACCOUNT_ID and its login; leave out --paper to use a simulator."
            )

    @property
    def environment(self) -> Environment:
        """PAPER."""
        return self.inner.environment

    @property
    def rules(self) -> TradingRules:
        """As the inner broker's."""
        return self.inner.rules

    def health(self) -> tuple[str, ...]:
        """As the inner broker's."""
        return self._noted("health", self.inner.health)

    def release(self) -> None:
        """As the inner broker's."""
        self.inner.release()

    def account(self) -> Account:
        """As the inner broker's; its amounts are nobody's business and not written down."""
        return self._noted("account", self.inner.account, lambda _: "an account")

    def positions(self) -> tuple[Position, ...]:
        """As the inner broker's; written down as a number of holdings."""
        return self._noted("positions", self.inner.positions, _counted)

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """As the inner broker's; written down as a number of orders."""
        return self._noted("open_orders", self.inner.open_orders, _counted)

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """As the inner broker's."""
        return self._noted(
            f"find_order({client_id})",
            lambda: self.inner.find_order(client_id),
            lambda order: "none" if order is None else f"{order.status.value} {order.detail}",
        )

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """As the inner broker's; written down as a number of executions."""
        return self._noted(
            f"fills_since({instant:%Y-%m-%dT%H:%M:%SZ})",
            lambda: self.inner.fills_since(instant),
            _counted,
        )

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        """As the inner broker's; written down as a number of movements."""
        return self._noted(
            f"cash_movements({since:%Y-%m-%dT%H:%M:%SZ})",
            lambda: self.inner.cash_movements(since),
            lambda told: "not told" if told is None else _counted(told),
        )

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """As the inner broker's."""
        return self._noted(
            f"quotes({' '.join(symbols)})",
            lambda: self.inner.quotes(symbols),
            lambda quotes: " ".join(f"{q.symbol}={q.price_usd}@{q.at}" for q in quotes.values()),
        )

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """As the inner broker's."""
        return self._noted(
            f"daily_bars({' '.join(symbols)}, {sessions}, {last_session}, {adjustment.value})",
            lambda: self.inner.daily_bars(symbols, sessions, last_session, adjustment),
            lambda bars: " ".join(repr(frame) for frame in bars.values()),
        )

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in a tiny order far from the market; any other is denied and never sent."""
        unsafe = self._why_unsafe(order)
        if unsafe:
            return Submission(SubmitOutcome.DENIED, detail=f"{unsafe} Nothing was sent.")
        self._sent.append(order.client_id)
        return self._noted(
            f"submit({order.side.value} {order.quantity} {order.symbol} limit "
            f"{order.limit_price_usd} as {order.client_id})",
            lambda: self.inner.submit(order),
            lambda answer: f"{answer.outcome.value} {answer.detail}",
        )

    def cancel(self, broker_order_id: str) -> None:
        """Cancel an order of this object's own, or one that does not exist."""
        mine = {order.broker_order_id for order in self._own_orders()}
        others = {order.broker_order_id for order in self.inner.open_orders()} - mine
        if broker_order_id in others:
            raise SettingsError("The order is somebody else's; it was not cancelled.")
        self._noted(f"cancel({broker_order_id})", lambda: self.inner.cancel(broker_order_id))

    def take_back(self) -> tuple[str, ...]:
        """Cancel what still works of what was sent here; return what works even then."""
        for order in self._own_orders():
            self.inner.cancel(order.broker_order_id)
        return tuple(str(order.client_id) for order in self._own_orders())

    def _own_orders(self) -> Iterator[BrokerOrder]:
        if self._sent:
            orders = self.inner.open_orders()
            yield from (order for order in orders if order.client_id in self._sent)

    def _why_unsafe(self, order: OrderRequest) -> str:
        """Return why an order may not be sent to somebody's account; blank when it may."""
        if (order.side, order.order_type) != (Side.BUY, OrderType.LIMIT):
            return f"A {order.side.value} at {order.order_type.value} is not safe."
        if order.time_in_force is not TimeInForce.DAY or order.quantity > _LOT:
            return "Only one share for the day is safe."
        quote = self.inner.quotes([order.symbol]).get(order.symbol)
        limit = order.limit_price_usd
        if quote is None or limit is None or limit > quote.price_usd * _FAR:
            return "A limit that is not far below the price is not safe."
        return ""

    def _noted(self, call: str, ask: Callable[[], T], shown: Callable[[T], str] = str) -> T:
        started = monotonic()
        try:
            answer = ask()
        except PlatformError as error:
            self.seen.append(Sight(call, f"{type(error).__name__}: {error}", monotonic() - started))
            raise
        self.seen.append(Sight(call, shown(answer), monotonic() - started))
        return answer


def _counted(items: Sequence[object]) -> str:
    return str(len(items))


@contextmanager
def paper_bench(
    broker: Broker, clock: Clock, *, platform: str, account_id: str
) -> Iterator[BrokerBench]:
    """Open a bench on a paper account; afterwards nothing of it works there any more.

    Parameters
    ----------
    broker : Broker
        A connection to the account.
    clock : Clock
    platform : str
        As in the settings.
    account_id : str

    Raises
    ------
    SettingsError
        When the account is not a paper account; nothing was sent then.
    """
    guarded = PaperBroker(broker)
    now = clock.now()
    try:
        yield BrokerBench(
            connect=lambda: guarded,
            hasty=lambda: guarded,
            clock=clock,
            symbols=_SYMBOLS,
            unknown_symbol=_UNKNOWN,
            last_session=xnys().last_complete_session(now),
            capabilities=CAPABILITIES[platform],
            account_id=account_id,
            is_real=True,
            tag=f"card-{now:%y%m%d%H%M%S}-",
        )
    finally:
        guarded.take_back()


@dataclass(frozen=True, slots=True)
class Record:
    """What one card saw on an account."""

    card: str
    title: str
    verdict: str
    seconds: float
    details: str
    saw: tuple[Sight, ...] = ()


def record(verdict: Verdict, saw: Sequence[Sight] = ()) -> Record:
    """Return how a card ended, for a file."""
    card = verdict.card
    status, why = verdict.status.value.lower(), verdict.why
    return Record(card.number, card.title, status, round(verdict.seconds, 3), why, tuple(saw))


def sdk_of(platform: str) -> str:
    """Return the installed SDK of a broker and its version; blank when there is none."""
    for name in _SDKS[platform]:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return ""


def kit() -> str:
    """Return the version of this kit."""
    return f"quant-platform-kit {__version__}"
