"""A small house to test in: real parts, a simulated broker, and a strategy that reads a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import numpy as np

from quant_platform_kit.brokers import Faults, FaultSwitch, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    CycleReport,
    CycleRequest,
    Decision,
    ExecutionHints,
    ExecutionMode,
    FeeModel,
    HistoryInput,
    OrderRequest,
    ProfileStatus,
    Side,
    StrategyManifest,
    SubmitOutcome,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.cycle import CycleResult, Parts, SleevePart, run_cycle
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import BarFrame, SimulatedClock, SlotWindow, xnys
from quant_platform_kit.notify import Outbox
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.store import AccountLease, Store
from quant_platform_kit.strategy import Strategy, StrategyConfig, StrategyContext

MONDAY = date(2020, 3, 2)
TUESDAY = date(2020, 3, 3)
SYMBOLS = ("SIM_A", "SIM_B", "SIM_C", "SIM_HAVEN")
FREE = TradingRules()
FIVE_BPS = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))

Script = Callable[[StrategyContext], Decision]


def flat_market(prices: Mapping[str, float], *, sessions: int = 40) -> FrameMarket:
    """Return a market whose prices stand still, over the sessions around `MONDAY`."""
    calendar = xnys()
    first = calendar.offset(MONDAY, -sessions)
    days = calendar.sessions(first, calendar.offset(MONDAY, 10))
    return FrameMarket(
        {
            symbol: BarFrame(
                symbol=symbol,
                sessions=days,
                close=np.full(len(days), price),
                adjustment=Adjustment.TOTAL_RETURN,
            )
            for symbol, price in prices.items()
        }
    )


def manifest(
    managed: Sequence[str] = SYMBOLS,
    *,
    watched: Sequence[str] = ("SIM_A",),
    hints: ExecutionHints | None = None,
) -> StrategyManifest:
    """Return the manifest of the scripted strategy."""
    return StrategyManifest(
        profile="scripted",
        display_name={"en": "Scripted", "zh": "脚本策略"},
        description={"en": "Does what a test says.", "zh": "按测试执行。"},
        cadence=Cadence.DAILY,
        benchmark="SIM_A",
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=tuple(managed),
        history=HistoryInput(tuple(watched), 5),
        hints=hints or ExecutionHints(),
    )


def _on_sqlite(folder: Path) -> Store:
    return Store.open(folder / "paper.sqlite3")


@dataclass
class House:
    """One account; `restart` forgets everything that is not on disk."""

    folder: Path
    script: Script
    market: FrameMarket = field(
        default_factory=lambda: flat_market(
            {"SIM_A": 100.0, "SIM_B": 50.0, "SIM_C": 20.0, "SIM_HAVEN": 10.0, "SIM_MANUAL": 30.0}
        )
    )
    cash_usd: Decimal = Decimal(10_000)
    rules: TradingRules = FIVE_BPS
    mode: ExecutionMode = ExecutionMode.PAPER
    declared: StrategyManifest = field(default_factory=manifest)
    faults: Sequence[FaultSwitch] = ()
    policy: CapitalPolicy = field(default_factory=CapitalPolicy)
    notify_urls: tuple[str, ...] = ()
    opens: ClassVar[Callable[[Path], Store]] = staticmethod(
        _on_sqlite
    )  # tests/conftest.py has both databases

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Build every part anew, as a new process does."""
        self.store = self.opens(self.folder)
        self.clock = SimulatedClock(xnys().session_open(MONDAY))
        self.broker = SimulatedBroker(
            "U1234567",
            self.market,
            self.clock,
            xnys(),
            rules=self.rules,
            opening_cash_usd=self.cash_usd,
            book_path=self.folder / "book.jsonl",
            faults=Faults(*self.faults),
        )
        self.clock.advance_to(max(self.clock.now(), self.broker.last_event_at or self.clock.now()))
        self.parts = Parts(
            platform="ibkr",
            account="ibkr-test",
            mode=self.mode,
            sleeves=(
                SleevePart(Strategy("tests.script", StrategyConfig(), self.declared, self.script)),
            ),
            broker=self.broker,
            store=self.store,
            lease=AccountLease(self.store, "ibkr-test", self.clock.now),
            clock=self.clock,
            calendar=xnys(),
            outbox=Outbox(self.store, self.notify_urls, self.clock),
            languages=("en",),
            policy=self.policy,
            replay=self._replay,
            fill_deadline_secs=30,
        )

    def run(self, session: date = MONDAY, slot: str = "close") -> CycleReport:
        """Run a slot and return its report."""
        return self.result(CycleRequest(slot, session)).report

    def result(self, request: CycleRequest) -> CycleResult:
        """Run a request as it is."""
        return run_cycle(self.parts, request)

    def buy_by_hand(self, symbol: str, quantity: int) -> None:
        """Trade at the broker without the platform, as a person does."""
        self._by_hand(symbol, quantity, Side.BUY)

    def sell_by_hand(self, symbol: str, quantity: int) -> None:
        """Sell at the broker without the platform, as a person does."""
        self._by_hand(symbol, quantity, Side.SELL)

    def holdings(self) -> dict[str, Decimal]:
        """Return what the broker holds."""
        return {p.symbol: p.quantity for p in self.broker.positions()}

    def ledger(self) -> dict[str, Decimal]:
        """Return what the ledger holds, over all sleeves."""
        return Ledger(self.store).quantities()

    def with_parts(self, **changes: object) -> None:
        """Exchange parts of the cycle."""
        self.parts = replace(self.parts, **changes)  # type: ignore[arg-type]

    def _by_hand(self, symbol: str, quantity: int, side: Side) -> None:
        number = len(self.broker.fills_since(xnys().session_open(MONDAY)))
        order = OrderRequest(f"by-hand-{number}", symbol, side, Decimal(quantity))
        answer = self.broker.submit(order)
        assert answer.outcome is SubmitOutcome.ACKED, answer.detail

    def _replay(self, opening: SlotWindow) -> None:
        if self.clock.now() < opening.opens_at:
            self.clock.advance_to(opening.opens_at)


def always(decision: Decision) -> Script:
    """Return a script with one answer."""
    return lambda _context: decision


def by_session(answers: Mapping[date, Decision]) -> Script:
    """Return a script with an answer per session."""
    return lambda context: answers[context.session]
