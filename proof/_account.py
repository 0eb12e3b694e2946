"""One account to try things on: the platform's real parts, between a disk and a far side."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import Connection, event

from proof._far_side import FarSide, Fate, FaultyBroker
from quant_platform_kit.brokers import Faults, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    CycleReport,
    CycleRequest,
    Decision,
    ExecutionMode,
    FeeModel,
    Fill,
    HistoryInput,
    OperatorCommand,
    OrderRequest,
    ProfileStatus,
    Side,
    StrategyManifest,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.cycle import CycleResult, Parts, SleevePart, operate, run_cycle
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import BarFrame, SimulatedClock, SlotWindow, xnys
from quant_platform_kit.notify import Outbox
from quant_platform_kit.orders import Journal
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.store import AccountLease, Store
from quant_platform_kit.strategy import Strategy, StrategyConfig, StrategyContext

FIRST_SESSION: Final = date(2020, 3, 2)
ALIAS: Final = "proof"
FILL_DEADLINE_SECS: Final = 6.0
_HISTORY: Final = 5
_RULES: Final = TradingRules(fees=FeeModel(notional_bps=Decimal(5), minimum_usd=Decimal("0.35")))

Script = Callable[[StrategyContext], Decision]


@dataclass(frozen=True, slots=True)
class SleeveScript:
    """A strategy that answers from a script."""

    name: str
    managed: tuple[str, ...]
    script: Script
    weight: Decimal = Decimal(1)


class Ground:
    """A folder and a database that accounts of this process use one after the other.

    On a disk in memory where there is one: what is killed here is a process, not the machine.
    """

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108 (a fresh folder in it)
        where = memory if os.access(memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="qpk-proof-", dir=where))
        self.fate = Fate()
        store = Store.open(self.folder / "paper.sqlite3")
        self._engine, self._path = store.engine, self.folder / "paper.sqlite3"
        event.listen(self._engine, "commit", self._committing)
        self._blank = self.keep()

    def store(self) -> Store:
        """Open the store as a new process does; whoever had it open is gone."""
        self._engine.dispose()
        return Store(self._engine, self._path.name, path=self._path)

    def second_store(self) -> Store:
        """Open the store as a second process beside the first one does."""
        return Store(self._engine, self._path.name, path=self._path)

    def keep(self) -> Mapping[str, bytes]:
        """Return everything on the disk."""
        self._engine.dispose()
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def restore(self, kept: Mapping[str, bytes] | None = None) -> None:
        """Put the disk back to what was kept; a blank store when nothing is given."""
        self._engine.dispose()
        for path in self.folder.iterdir():
            path.unlink()
        for name, data in (self._blank if kept is None else kept).items():
            (self.folder / name).write_bytes(data)

    def close(self) -> None:
        """Remove the folder."""
        self._engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _committing(self, _connection: Connection) -> None:
        self.fate.moment("before commit")


@dataclass
class TrialAccount:
    """An account whose platform is killed and started again.

    Time, prices and the far side go on whatever becomes of the platform. `truth` is a healthy
    view of the broker, which a person at the broker's own screen has.
    """

    ground: Ground
    market: FrameMarket
    sleeves: Sequence[SleeveScript]
    cash_usd: Decimal = Decimal(10_000)
    rules: TradingRules = _RULES
    first_session: date = FIRST_SESSION
    far: FarSide = field(default_factory=FarSide)
    meanwhile: Callable[[str], None] = lambda _call: None

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(xnys().session_open(self.first_session))
        self.truth = self._broker(Faults())
        self._by_hand = 0
        self.restart()

    def restart(self, death: int | None = None) -> None:
        """Start the platform anew, to live until the `death`-th moment from now."""
        self.ground.fate = Fate(death)
        self.store = self.ground.store()
        switches = (strike.switch() for strike in self.far.strikes)
        inner = self._broker(Faults(*(switch for switch in switches if switch is not None)))
        broker = FaultyBroker(inner, self.far, self.ground.fate, self.clock, self._meanwhile)
        self.parts = self._parts(self.store, broker)

    def doom(self, moments: int) -> None:
        """Let the platform live for that many moments more."""
        self.ground.fate.death = self.ground.fate.passed + moments

    def rival(self) -> Parts:
        """Return the parts of a second process that serves the same account."""
        return self._parts(self.ground.second_store(), self._broker(Faults()))

    def run(self, session: date, slot: str = "close") -> CycleResult:
        """Run a slot; who lives through it lives on."""
        result = run_cycle(self.parts, CycleRequest(slot, session))
        self.ground.fate.death = None
        return result

    def operate(self, command: OperatorCommand) -> CycleReport:
        """Carry out an operator's command; who lives through it lives on."""
        report = operate(self.parts, command)
        self.ground.fate.death = None
        return report

    def trade_by_hand(self, symbol: str, side: Side, quantity: Decimal) -> bool:
        """Trade at the broker without the platform; tell whether the broker took it."""
        self._by_hand += 1
        order = OrderRequest(f"by-hand-{self._by_hand}", symbol, side, quantity)
        return self.truth.submit(order).outcome.value == "acked"

    def fills(self) -> tuple[Fill, ...]:
        """Return every execution there ever was."""
        return self.truth.fills_since(xnys().session_open(self.first_session))

    def held(self) -> dict[str, Decimal]:
        """Return what the broker holds."""
        return {position.symbol: position.quantity for position in self.truth.positions()}

    def managed(self) -> frozenset[str]:
        """Return the symbols that some sleeve manages."""
        return frozenset(symbol for sleeve in self.sleeves for symbol in sleeve.managed)

    def journal(self) -> Journal:
        """Return the journal of orders."""
        return Journal(self.store, self.clock)

    def ledger(self) -> Ledger:
        """Return the platform's own book."""
        return Ledger(self.store)

    def _meanwhile(self, call: str) -> None:
        self.meanwhile(call)

    def _broker(self, faults: Faults) -> SimulatedBroker:
        return SimulatedBroker(
            "U1234567",
            self.market,
            self.clock,
            xnys(),
            rules=self.rules,
            opening_cash_usd=self.cash_usd,
            book_path=self.ground.folder / "book.jsonl",
            faults=faults,
        )

    def _parts(self, store: Store, broker: FaultyBroker | SimulatedBroker) -> Parts:
        return Parts(
            platform="ibkr",
            account=ALIAS,
            mode=ExecutionMode.PAPER,
            sleeves=tuple(part_of(sleeve) for sleeve in self.sleeves),
            broker=broker,
            store=store,
            lease=AccountLease(store, ALIAS, self.clock.now),
            clock=self.clock,
            calendar=xnys(),
            outbox=Outbox(store, (), self.clock),
            languages=("en",),
            policy=CapitalPolicy(),
            replay=self._replay,
            fill_deadline_secs=FILL_DEADLINE_SECS,
        )

    def _replay(self, opening: SlotWindow) -> None:
        if self.clock.now() < opening.opens_at:
            self.clock.advance_to(opening.opens_at)


def part_of(sleeve: SleeveScript) -> SleevePart:
    """Return a sleeve as a run takes it."""
    manifest = StrategyManifest(
        profile=sleeve.name,
        display_name={"en": sleeve.name, "zh": sleeve.name},
        description={"en": "Answers from a script.", "zh": "按脚本作答。"},
        cadence=Cadence.DAILY,
        benchmark=sleeve.managed[0],
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=sleeve.managed,
        history=HistoryInput(sleeve.managed[:1], _HISTORY),
    )
    strategy = Strategy(f"proof.{sleeve.name}", StrategyConfig(), manifest, sleeve.script)
    return SleevePart(strategy, sleeve.weight)


@cache
def sessions_from(first: date, count: int) -> tuple[date, ...]:
    """Return `count` sessions of the exchange, beginning with `first`."""
    calendar = xnys()
    return calendar.sessions(first, calendar.offset(first, count - 1))


def market_of(closes: Mapping[str, Sequence[float]], first: date = FIRST_SESSION) -> FrameMarket:
    """Return a market with these closes from `first` on, after a history at the first one's."""
    calendar = xnys()
    count = max(len(prices) for prices in closes.values())
    before = calendar.offset(first, -2 * _HISTORY)
    days = calendar.sessions(before, calendar.offset(first, count - 1))
    history = 2 * _HISTORY
    return FrameMarket(
        {
            symbol: BarFrame(
                symbol=symbol,
                sessions=days,
                close=np.array([prices[0]] * history + list(prices)),
                adjustment=Adjustment.TOTAL_RETURN,
            )
            for symbol, prices in closes.items()
        }
    )
