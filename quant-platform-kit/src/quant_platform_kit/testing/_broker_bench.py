"""The bench that a broker card works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Protocol

from quant_platform_kit.brokers import AccountTerms, Broker, Faults, IsolatedBroker
from quant_platform_kit.contracts import Adjustment, Capabilities, MovementKind
from quant_platform_kit.market import BarFrame, Clock, xnys
from quant_platform_kit.simulators import Occasion, SimulatorControl, Wire, WireFault
from quant_platform_kit.testing._expect import expect

_BEFORE_CLOSE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class MovingPrice:
    """A symbol whose price rises with the next session, and falls below the first one's after it.

    Parameters
    ----------
    symbol : str
    first_usd, high_usd, low_usd : Decimal
        Its prices in the bench's session and in the two that follow, at least a tenth apart.
    """

    symbol: str
    first_usd: Decimal
    high_usd: Decimal
    low_usd: Decimal


@dataclass(frozen=True, slots=True)
class WireBench:
    """The wire between an adapter and its broker's book, with its switches.

    Parameters
    ----------
    control : SimulatorControl
    facts : Wire
        What the wire calls things, and which faults it has.
    patience_secs : float
        By then every call has ended, in real time: the connection's own deadlines, and a margin.
    recovery_secs : float
        How long the SDK may need to be connected again after it was cut off.
    ends_calls : bool
        Whether a call without an answer ends by itself. An SDK that holds the interpreter while
        it waits has to be ended from outside.
    """

    control: SimulatorControl
    facts: Wire
    patience_secs: float
    recovery_secs: float
    ends_calls: bool

    def can(self, fault: WireFault, at: Occasion) -> bool:
        """Tell whether a fault can strike on an occasion."""
        return not self.facts.lacking(fault, at)

    def first_of(self, fault: WireFault, *occasions: Occasion) -> Occasion:
        """Return the first of the occasions on which a fault can strike."""
        return next(each for each in occasions if self.can(fault, each))

    def fault(
        self, fault: WireFault, at: Occasion, *, nth: int | None = None, seconds: float = 1.0
    ) -> None:
        """Switch one fault on, for one occasion, and every other one off."""
        operation = self.facts.operation(fault, at)
        self.control.fault(fault, operation=operation, nth=nth, seconds=seconds)

    def clear(self) -> None:
        """Switch every fault off."""
        self.control.clear()

    def orders(self) -> int:
        """Return how many orders the far side ever booked."""
        rows = self.control.book()["orders"]
        return sum(row["status"] != "rejected" for row in rows)

    def expect_struck(self, fault: WireFault) -> None:
        """Require that a fault happened: otherwise nothing was proved about it."""
        struck = self.control.health()["struck"]
        expect(bool(struck.get(fault.value)), f"{fault.value} struck at all")


class MoveCash(Protocol):
    """Lets cash come or go at the far side."""

    def __call__(
        self, kind: MovementKind, amount_usd: Decimal, *, symbol: str | None = None
    ) -> None:
        """Move it now."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Other ways to connect to the broker.

    Parameters
    ----------
    to_another_account : callable
        Connects with the login of the bench, and the number of an account that is not its own.
    near_its_end : callable or None
        Connects with a login that a human has to renew within days; None where none ends.
    without_dividends : callable or None
        Connects without the setting that `Capabilities.dividends_setting` names, where there is
        one.
    """

    to_another_account: Callable[[], Broker]
    near_its_end: Callable[[], Broker] | None
    without_dividends: Callable[[], Broker] | None


@dataclass(frozen=True, slots=True)
class BrokerBench:
    """An account for one card; a fresh one but for a real one, the exchange open.

    Parameters
    ----------
    connect : callable
        Returns a connection to the account; a card may ask for a second one.
    hasty : callable
        The same with deadlines of half a second, for cards that wait for them.
    clock : Clock
        The broker's clock; a card may sleep on it.
    symbols : pair of str
        Two symbols that are quoted and trade at their quote, in alphabetical order. A fresh
        account can pay for thirty shares of each, but not for a million.
    unknown_symbol : str
        A symbol that the broker does not know.
    last_session : date
        The last session that has closed; the symbols have at least five bars up to it.
    capabilities : Capabilities
        What the broker is said to do.
    account_id : str
    is_dry : bool
        Whether orders happen on paper alone, for the length of one run.
    is_real : bool
        Whether it is somebody's account: nothing is known of it, and others trade it, too.
    tag : str
        Begins the client ids of an account that has a past.
    history : mapping of Adjustment to BarFrame
        The whole history of the first symbol as the market itself has it, where it is known.
    faults : Faults, optional
        The switches of the broker's book.
    wire : WireBench, optional
    moving : MovingPrice, optional
    logins : Logins, optional
    isolated : callable, optional
        Returns a connection whose adapter runs in a process of its own.
    move_cash : callable, optional
        Lets cash come or go at the far side for a reason outside the market.
    agree : callable, optional
        Begins with an account under other terms; called before the first connection.
    """

    connect: Callable[[], Broker]
    hasty: Callable[[], Broker]
    clock: Clock
    symbols: tuple[str, str]
    unknown_symbol: str
    last_session: date
    capabilities: Capabilities
    account_id: str
    is_dry: bool = False
    is_real: bool = False
    tag: str = ""
    history: Mapping[Adjustment, BarFrame] | None = None
    faults: Faults | None = None
    wire: WireBench | None = None
    moving: MovingPrice | None = None
    logins: Logins | None = None
    isolated: Callable[[], IsolatedBroker] | None = None
    move_cash: MoveCash | None = None
    agree: Callable[[AccountTerms], None] | None = None

    @property
    def wires(self) -> WireBench:
        """The wire, for a card that needs one."""
        if self.wire is None:
            raise AssertionError("this card needs a bench with a wire")
        return self.wire

    @property
    def adjustment(self) -> Adjustment:
        """Bars that the broker has, the most adjusted ones."""
        return self.capabilities.adjustments[-1]

    def client_id(self, name: str) -> str:
        """Return a client id that the account has not seen."""
        return f"{self.tag}{name}"

    def to_next_session(self) -> None:
        """Move the clock half an hour before the close of the next session."""
        calendar, now = xnys(), self.clock.now()
        close = calendar.session_close(calendar.next(now.date()))
        self.clock.sleep((close - _BEFORE_CLOSE - now).total_seconds())


class OpenBench(Protocol):
    """Opens a bench with a fresh account, for one card."""

    def __call__(self) -> AbstractContextManager[BrokerBench]:
        """Return a context manager whose value is the bench."""
