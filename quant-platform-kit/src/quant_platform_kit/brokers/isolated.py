"""Any adapter in a process of its own: no SDK can stall, crash or fork the service.

Broker SDKs have hung in a constructor, held the interpreter's lock for half a minute, dead-locked
in a callback and replaced signal handlers. Here such a thing costs one call: its process is ended
at the deadline, the call says what is known, and the next call starts another process.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from quant_platform_kit.brokers._isolated_worker import Opening, Outcome
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    Position,
    Quote,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import PlatformError, TransientError
from quant_platform_kit.workers import Child

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

_MODULE: Final = "quant_platform_kit.brokers._isolated_worker"
_REPLACED: Final = (
    "The process that speaks to the broker had to be replaced ({} since the last report); every "
    "order is looked up before anything else is sent. If it goes on, look at the "
    "connection to the broker."
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the process of a broker may take, in seconds; then it is ended.

    Parameters
    ----------
    connect_secs : float
        From the start of the process to a connected adapter.
    query_secs : float
        For every call but the next.
    symbol_bars_secs : float
        More for the daily bars of each symbol, which are many and paced.
    """

    connect_secs: float = 60.0
    query_secs: float = 30.0
    symbol_bars_secs: float = 2.0


class IsolatedBroker:
    """A broker whose adapter runs in another process; implements `Broker`.

    One call at a time, from any thread. A process that misses a deadline or dies is replaced at
    the next call; `restarts` counts how often. What an unanswered submission did is not known
    here: its answer is UNRESOLVED, and the journal asks the broker before anything else is sent.

    Parameters
    ----------
    opening : Opening
        Which adapter to open, and with what.
    deadlines : Deadlines
    """

    def __init__(self, opening: Opening, deadlines: Deadlines = Deadlines()) -> None:
        self._opening = opening
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._started = 0
        self._restarts_told = 0
        self._environment: Environment | None = None
        self._rules: TradingRules | None = None

    # ── The process ────────────────────────────────────────────────────────────────────

    @property
    def restarts(self) -> int:
        """How many processes had to be replaced."""
        return max(0, self._started - 1)

    @property
    def pid(self) -> int | None:
        """The id of the present process; None when there is none."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the process; a later call starts another one."""
        with self._lock:
            self._end()

    # ── The port ───────────────────────────────────────────────────────────────────────

    @property
    def environment(self) -> Environment:
        """What the connection itself says it is; asked once."""
        if self._environment is None:
            self._environment = self._query("environment")
        return self._environment

    @property
    def rules(self) -> TradingRules:
        """What the broker accepts and charges; asked once."""
        if self._rules is None:
            self._rules = self._query("rules")
        return self._rules

    def health(self) -> tuple[str, ...]:
        """Return what the adapter says, and whether its process had to be replaced meanwhile.

        Starts no process and never fails: it is asked when a run has already ended.
        """
        told: tuple[str, ...] = self._ask_living("health") or ()
        again, self._restarts_told = self.restarts - self._restarts_told, self.restarts
        return (*told, _REPLACED.format(again)) if again else told

    def release(self) -> None:
        """As the adapter's; a process that does not do it is ended, which does it, too."""
        self._ask_living("release")

    def account(self) -> Account:
        """As the adapter's."""
        return self._query("account")

    def positions(self) -> tuple[Position, ...]:
        """As the adapter's."""
        return self._query("positions")

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """As the adapter's."""
        return self._query("open_orders")

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """As the adapter's."""
        return self._query("find_order", client_id)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """As the adapter's."""
        return self._query("fills_since", instant)

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        """As the adapter's."""
        return self._query("cash_movements", since)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """As the adapter's."""
        return self._query("quotes", tuple(symbols))

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """As the adapter's."""
        asked = (tuple(symbols), sessions, last_session, adjustment)
        more_secs = len(symbols) * self._deadlines.symbol_bars_secs
        return self._query("daily_bars", *asked, more_secs=more_secs)

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order; without an answer in time its fate is UNRESOLVED."""
        with self._lock:
            try:
                child = self._connected()
            except PlatformError as error:
                detail = f"The broker could not be reached; nothing was sent. {error.message}"
                return Submission(SubmitOutcome.DENIED, detail=detail)
            try:
                secs = self._deadlines.query_secs
                return _result(self._exchange(child, ("submit", (order,)), "submit", secs))
            except TransientError as error:
                return Submission(SubmitOutcome.UNRESOLVED, detail=error.message)

    def cancel(self, broker_order_id: str) -> None:
        """As the adapter's."""
        self._query("cancel", broker_order_id)

    # ── Asking ─────────────────────────────────────────────────────────────────────────

    def _query(self, name: str, *arguments: object, more_secs: float = 0.0) -> Any:  # noqa: ANN401 (each method of the port says what)
        with self._lock:
            child = self._connected()
            secs = self._deadlines.query_secs + more_secs
            answer = self._exchange(child, (name, arguments), name, secs)
        return _result(answer)

    def _ask_living(self, name: str) -> Any:  # noqa: ANN401 (each method of the port says what)
        """Ask the process that lives; None when there is none, or it gives no answer."""
        with self._lock:
            if self._child is not None and self._child.is_alive:
                secs = self._deadlines.query_secs
                with suppress(PlatformError):
                    return _result(self._exchange(self._child, (name, ()), name, secs))
        return None

    def _connected(self) -> Child:
        """Return a process whose adapter is connected, a new one where needed."""
        if self._child is not None:
            if self._child.is_alive:
                return self._child
            self._child.ending()
            self._child = None
        try:
            child = Child(_MODULE)
        except OSError as error:
            raise _unavailable(f"none could be started ({error.strerror})") from error
        self._child = child
        self._started += 1
        try:
            _result(self._exchange(child, self._opening, "connect", self._deadlines.connect_secs))
        except PlatformError:
            self._end()
            raise
        return child

    def _exchange(self, child: Child, request: object, name: str, secs: float) -> Outcome:
        """Send a request and return the answer; a process without one in time is ended."""
        until = monotonic() + secs
        try:
            child.line.send_bytes(pickle.dumps(request))
            if child.line.poll(max(0.0, until - monotonic())):
                answer: Outcome = pickle.loads(child.line.recv_bytes())  # noqa: S301 (our own child)
                return answer
        except (EOFError, OSError) as error:
            self._child = None
            raise _unavailable(f"it {child.ending()} during {name}") from error
        self._end()
        raise _unavailable(f"it gave no answer to {name} within {secs:g} s and was ended")

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


def _result(outcome: Outcome) -> Any:  # noqa: ANN401 (each method of the port says what)
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _unavailable(what: str) -> TransientError:
    return TransientError(
        f"The process that speaks to the broker failed: {what}. Another one is started at the next "
        "call. If this repeats, look at the connection to the broker."
    )
