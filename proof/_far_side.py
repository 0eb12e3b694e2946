"""The far side of the proof: a broker with every fault of the alphabet, and deaths on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from quant_platform_kit.brokers import Fault, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    OrderStatus,
    Position,
    Quote,
    Submission,
    TradingRules,
)
from quant_platform_kit.errors import BrokerAnswerError
from quant_platform_kit.market import BarFrame, SimulatedClock

T = TypeVar("T")

_ZERO: Final = Decimal(0)
_SLOW_SECS: Final = 40.0  # longer than the accounts of the proof wait for a fill


class Trouble(StrEnum):
    """The fault alphabet; NONE is a healthy broker.

    - FILL_BEFORE_ACK: the executions are there before the order's status tells of them.
    - STALE_OPEN_ORDERS: the list of working orders shows one that has ended.
    - UNKNOWN_STATUS: the question for an order is answered with a status that nobody knows.
    - SLOW_ANSWER: a submission is answered after the deadline for its fill.
    """

    NONE = "none"
    REPLY_LOST_BEFORE = "reply lost before acceptance"
    REPLY_LOST_AFTER = "reply lost after acceptance"
    PARTIAL_THEN_CANCEL = "partial then cancel"
    LATE_FILL = "late fill"
    DUPLICATE_FILL = "duplicate fill"
    FILL_BEFORE_ACK = "fill before acknowledgement"
    POSITIONS_FAIL = "failed positions query"
    STALE_OPEN_ORDERS = "stale open orders"
    UNKNOWN_STATUS = "unknown status"
    SLOW_ANSWER = "slow answer"


_SWITCHES: Final = {
    Trouble.REPLY_LOST_BEFORE: Fault.REPLY_LOST_BEFORE,
    Trouble.REPLY_LOST_AFTER: Fault.REPLY_LOST_AFTER,
    Trouble.PARTIAL_THEN_CANCEL: Fault.PARTIAL_FILL,
    Trouble.LATE_FILL: Fault.LATE_FILL,
    Trouble.DUPLICATE_FILL: Fault.DUPLICATE_FILL,
    Trouble.POSITIONS_FAIL: Fault.POSITIONS_FAIL,
}


@dataclass(frozen=True, slots=True)
class Strike:
    """One trouble and the occasion, counted from 1, on which it strikes; every one when None."""

    trouble: Trouble
    nth: int | None = 1
    delay_secs: float = 2.0

    def switch(self) -> FaultSwitch | None:
        """Return the simulated broker's own switch for it; None for what `FarSide` does."""
        fault = _SWITCHES.get(self.trouble)
        if fault is None:
            return None
        return FaultSwitch(fault, nth=self.nth, delay_secs=self.delay_secs)


class Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


class Fate:
    """Counts the moments between which nothing durable happens, and kills at one of them.

    A moment lies before every commit of the store, and before and after every call of the broker.
    Who is dead stays dead: what cleans up on the way out reaches neither store nor broker.
    """

    def __init__(self, death: int | None = None) -> None:
        self.death = death
        self.passed = 0
        self.where = ""
        self.dead = False

    def moment(self, name: str) -> None:
        """Pass a moment, or die at it."""
        self.passed += 1
        if self.passed == self.death:
            self.where, self.dead = name, True
        if self.dead:
            raise Killed(self.where)


@dataclass
class FarSide:
    """What the broker remembers through every restart of the platform.

    Parameters
    ----------
    submitted : counter of str
        How often each client id was handed in.
    """

    strikes: tuple[Strike, ...] = ()
    submitted: Counter[str] = field(default_factory=Counter)
    requests: list[OrderRequest] = field(default_factory=list)
    occasions: Counter[Trouble] = field(default_factory=Counter)
    lagging: dict[str, int] = field(default_factory=dict)
    lingering: dict[str, int] = field(default_factory=dict)

    def set(self, *strikes: Strike) -> None:
        """Replace the plan of faults and forget what earlier ones left behind."""
        self.strikes = strikes
        self.occasions.clear()
        self.lagging.clear()
        self.lingering.clear()

    def struck(self, trouble: Trouble) -> bool:
        """Count an occasion for `trouble` and tell whether it strikes."""
        planned = [strike for strike in self.strikes if strike.trouble is trouble]
        if planned:
            self.occasions[trouble] += 1
        return any(strike.nth in (None, self.occasions[trouble]) for strike in planned)


def _left(counts: dict[str, int], key: str) -> bool:
    """Take one off the count of `key` and tell whether there was one."""
    if counts.get(key, 0) < 1:
        return False
    counts[key] -= 1
    return True


class FaultyBroker:
    """A simulated broker behind a faulty line; implements `Broker`."""

    def __init__(
        self,
        inner: SimulatedBroker,
        far: FarSide,
        fate: Fate,
        clock: SimulatedClock,
        meanwhile: Callable[[str], None] = lambda _call: None,
    ) -> None:
        self._inner = inner
        self._far = far
        self._fate = fate
        self._clock = clock
        self._meanwhile = meanwhile

    @property
    def environment(self) -> Environment:
        """What the connection itself says it is."""
        return self._inner.environment

    def health(self) -> tuple[str, ...]:
        """Return what the broker says of itself."""
        return self._inner.health()

    def release(self) -> None:
        """Give back what only one program can have."""
        self._inner.release()

    @property
    def rules(self) -> TradingRules:
        """What the broker accepts and charges."""
        return self._inner.rules

    def account(self) -> Account:
        """Return the account's money."""
        return self._called("account", self._inner.account)

    def positions(self) -> tuple[Position, ...]:
        """Return every holding."""
        return self._called("positions", self._inner.positions)

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders, and perhaps one that has ended."""
        return self._called("open_orders", self._open_orders)

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this client id, perhaps as it was a while ago."""
        return self._called("find_order", lambda: self._find_order(client_id))

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`."""
        return self._called("fills_since", lambda: self._inner.fills_since(instant))

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        """Return what moved the cash beside trades."""
        return self._called("cash_movements", lambda: self._inner.cash_movements(since))

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the price of each symbol."""
        return self._called("quotes", lambda: self._inner.quotes(symbols))

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return complete daily bars."""
        return self._called(
            "daily_bars",
            lambda: self._inner.daily_bars(symbols, sessions, last_session, adjustment),
        )

    def submit(self, order: OrderRequest) -> Submission:
        """Take one order."""
        return self._called("submit", lambda: self._submit(order))

    def cancel(self, broker_order_id: str) -> None:
        """Take a working order off the book."""
        self._called("cancel", lambda: self._inner.cancel(broker_order_id))

    def _called(self, call: str, ask: Callable[[], T]) -> T:
        self._fate.moment(f"before {call}")
        self._meanwhile(call)
        answer = ask()
        self._fate.moment(f"after {call}")
        return answer

    def _submit(self, order: OrderRequest) -> Submission:
        far = self._far
        far.submitted[order.client_id] += 1
        far.requests.append(order)
        slow = far.struck(Trouble.SLOW_ANSWER)
        if slow:
            self._clock.sleep(_SLOW_SECS)
        answer = self._inner.submit(order)
        if slow:
            self._clock.sleep(_SLOW_SECS)
        if far.struck(Trouble.FILL_BEFORE_ACK):
            far.lagging[order.client_id] = 2
        if far.struck(Trouble.STALE_OPEN_ORDERS):
            far.lingering[order.client_id] = 3
        return answer

    def _find_order(self, client_id: str) -> BrokerOrder | None:
        seen = self._inner.find_order(client_id)
        if self._far.struck(Trouble.UNKNOWN_STATUS):
            raise BrokerAnswerError(
                "The broker calls an order HELD_BY_DESK, a status that nobody knows; nothing is "
                "assumed about it and nothing more was sent. Look for the order at the broker."
            )
        if seen is not None and _left(self._far.lagging, client_id):
            return replace(seen, filled_quantity=_ZERO, status=OrderStatus.SUBMITTED)
        return seen

    def _open_orders(self) -> tuple[BrokerOrder, ...]:
        working = self._inner.open_orders()
        shown = {order.client_id for order in working}
        stale = []
        for client_id in list(self._far.lingering):
            ended = self._inner.find_order(client_id)
            if ended is None or client_id in shown or not _left(self._far.lingering, client_id):
                continue
            stale.append(replace(ended, filled_quantity=_ZERO, status=OrderStatus.SUBMITTED))
        return (*working, *stale)
