"""An account at a broker's simulator, and the service that trades it through the broker's SDK."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from proof._account import SleeveScript, part_of, sessions_from
from proof._wire_cases import Cut
from quant_platform_kit.brokers import Broker, Deadlines, IsolatedBroker
from quant_platform_kit.contracts import (
    Account,
    BrokerOrder,
    CycleReport,
    CycleRequest,
    Decision,
    FeeModel,
    Fill,
    Position,
    decode,
)
from quant_platform_kit.market import xnys
from quant_platform_kit.orders import Journal
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.simulators import SimulatorProcess, service_variables
from quant_platform_kit.simulators.schwab import token_document
from quant_platform_kit.store import Store
from quant_platform_kit.strategy import StrategyContext

SETUP, SESSION, NEXT = sessions_from(date(2020, 3, 2), 3)
"""The account is set up, changes, and has nothing to do."""

ACCOUNTS: Final = {"ibkr": "DU1234567", "schwab": "12345678", "longbridge": "20000001"}
_FEES: Final = {
    "ibkr": FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal(1)),
    "longbridge": FeeModel(notional_bps=Decimal(5)),
}
_HISTORY: Final = 10
_PROMISED: Final = Deadlines()
# A call may have to start a process and to connect first; the last seconds are for the machine.
_DEADLINE_SECS: Final = _PROMISED.connect_secs + _PROMISED.query_secs + 5.0
_TOKEN_SECS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a script decides.

    Parameters
    ----------
    closes : mapping of str to (float, float)
        Prices up to `SETUP`, and from `SESSION` on.
    before, after : Decision
        At `SETUP`, and from `SESSION` on.
    """

    closes: Mapping[str, Sequence[float]]
    before: Decision
    after: Decision

    def decide(self, context: StrategyContext) -> Decision:
        """Answer as the script says."""
        return self.before if context.session == SETUP else self.after

    def write_prices(self, path: Path) -> None:
        """Write the market that the simulators read."""
        calendar = xnys()
        rows = ["date," + ",".join(self.closes)]
        for day in calendar.sessions(calendar.offset(SETUP, -_HISTORY), NEXT):
            column = 0 if day <= SETUP else 1
            rows.append(
                f"{day}," + ",".join(f"{prices[column]}" for prices in self.closes.values())
            )
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def leave_alone(_call: int, _name: str) -> None:
    """Do nothing to a call."""


class Watched:
    """A broker whose calls are counted, timed and meddled with; stands for `Broker`."""

    def __init__(self, inner: IsolatedBroker) -> None:
        self.inner = inner
        self.calls = 0
        self.longest_secs = 0.0
        self.late: list[str] = []
        self.meddle: Callable[[int, str], None] = leave_alone

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the port has)
        """Return a method of the broker that is counted; a property is asked for at once."""
        if isinstance(getattr(IsolatedBroker, name), property):
            return self._timed(name, lambda: getattr(self.inner, name))
        method = getattr(self.inner, name)
        return lambda *arguments: self._timed(name, lambda: method(*arguments), arguments)

    def _timed(
        self, name: str, call: Callable[[], object], arguments: tuple[Any, ...] = ()
    ) -> object:
        self.calls += 1
        self.meddle(self.calls, name)
        began = time.monotonic()
        try:
            return call()
        finally:
            secs = time.monotonic() - began
            self.longest_secs = max(self.longest_secs, secs)
            bars = len(arguments[0]) if name == "daily_bars" else 0
            if secs > _DEADLINE_SECS + bars * _PROMISED.symbol_bars_secs:
                self.late.append(f"{name} took {secs:.0f} s")


class WireAccount:
    """An account at a broker's simulator, and the service that trades it.

    Parameters
    ----------
    broker : str
    folder : Path
        Of the service and of the broker's book.
    plan : Plan
    """

    def __init__(self, broker: str, folder: Path, plan: Plan) -> None:
        self.broker = broker
        self.folder = folder
        self._plan = plan
        plan.write_prices(folder / "market.csv")
        self.simulator = self._start(xnys().session_open(SETUP))
        self.longest_secs = 0.0
        self._open()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the service and the simulator."""
        self._close()
        self.simulator.close()

    @property
    def store(self) -> Store:
        """What the platform keeps."""
        return self.runtime.parts.store

    @property
    def journal(self) -> Journal:
        """The journal of orders."""
        return Journal(self.store, self.runtime.parts.clock)

    def run(self, session: date) -> CycleReport:
        """Run the slot of a session."""
        report = self.runtime.run(CycleRequest("close", session)).report
        self.longest_secs = max(self.longest_secs, self.watched.longest_secs)
        return report

    def restart(self) -> None:
        """Start the service anew."""
        self._close()
        self._open()

    def expire_token(self) -> None:
        """Let the access token in Schwab's token file be of yesterday."""
        now = time.time()
        token = token_document(now - _TOKEN_SECS, created_secs=now)
        path = self.folder / "schwab-token.json"
        path.write_text(json.dumps(token), encoding="utf-8")

    def cut(self, cut: Cut) -> None:
        """Do to the line what the case says."""
        if cut is Cut.DROP:
            self.simulator.control.drop()
        elif cut is Cut.UNPLUG:
            self.simulator.control.unplug()
        elif cut is Cut.KILL:
            self.kill_adapter()
        else:
            now = self.simulator.control.now()
            ports = self.simulator.port, self.simulator.control.port
            self.simulator.kill()
            self.simulator = self._start(now, *ports)

    def kill_adapter(self) -> None:
        """Kill the process with the broker's SDK."""
        pid = self.watched.inner.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _start(self, now: datetime, port: int = 0, control_port: int = 0) -> SimulatorProcess:
        return SimulatorProcess.start(
            self.broker,
            account_id=ACCOUNTS[self.broker],
            market=str(self.folder / "market.csv"),
            start=now,
            cash_usd=Decimal(10_000),
            book_path=str(self.folder / "book.jsonl"),
            fees=_FEES.get(self.broker),
            port=port,
            control_port=control_port,
        )

    def _open(self) -> None:
        login = service_variables(
            self.broker,
            ACCOUNTS[self.broker],
            port=self.simulator.port,
            control_port=self.simulator.control.port,
            folder=self.folder,
        )
        runtime = runtime_of(self.broker, self._plan, self.folder, login)
        self.watched = Watched(cast("IsolatedBroker", runtime.parts.broker))
        parts = replace(runtime.parts, broker=cast("Broker", self.watched))
        self.runtime = Runtime(runtime.settings, parts)

    def _close(self) -> None:
        self.watched.inner.close()
        self.runtime.close()


def runtime_of(platform: str, plan: Plan, folder: Path, variables: Mapping[str, str]) -> Runtime:
    """Open a service's runtime in which a script decides.

    Parameters
    ----------
    platform : str
    plan : Plan
    folder : Path
    variables : mapping of str to str
        Which broker the service trades at.
    """
    environ = {
        "STRATEGY_PROFILE": "spy_macd_vixy",  # in whose place the script answers
        "EXECUTION_MODE": "paper",
        "QPK_STATE_DIR": str(folder / "state"),
        "QPK_FILL_DEADLINE_SECS": "6",
        **variables,
    }
    runtime = open_runtime(load_settings(platform, environ))
    script = SleeveScript("first", tuple(plan.closes), plan.decide)
    return Runtime(runtime.settings, replace(runtime.parts, sleeves=(part_of(script),)))


@dataclass(frozen=True, slots=True)
class FarBook:
    """What the broker itself has on its books."""

    cash_usd: Decimal
    held: Mapping[str, Decimal]
    orders: Sequence[BrokerOrder]
    fills: Sequence[Fill]

    @classmethod
    def of(cls, account: WireAccount) -> FarBook:
        """Read it at the control port."""
        book = account.simulator.control.book()
        positions = [decode(Position, row) for row in book["positions"]]
        return cls(
            decode(Account, book["account"]).cash_usd,
            {position.symbol: position.quantity for position in positions},
            [decode(BrokerOrder, row) for row in book["orders"]],
            [decode(Fill, row) for row in book["fills"]],
        )
