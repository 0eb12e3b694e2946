"""Deterministic simulation: seeded days of an account on which everything goes wrong at random."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import Final

from proof._account import (
    FIRST_SESSION,
    Ground,
    SleeveScript,
    TrialAccount,
    market_of,
    sessions_from,
)
from proof._far_side import Killed, Strike, Trouble
from proof._invariants import (
    WAITS,
    Broken,
    check_books,
    check_evidence,
    check_explained,
    check_far_side,
    check_frozen,
    check_report,
    check_slot,
    filled_by_order,
    require,
    what_broke,
)
from quant_platform_kit.contracts import (
    CycleReport,
    CycleRequest,
    Decision,
    OperatorAction,
    OperatorCommand,
    OrderRequest,
    Side,
    Signal,
    SignalAction,
    canonical,
)
from quant_platform_kit.cycle import run_cycle
from quant_platform_kit.errors import PlatformError, ReasonCode, SlotBusy
from quant_platform_kit.ledger import Locks
from quant_platform_kit.market import xnys
from quant_platform_kit.risk import GateMode, Pauses, TradingGate
from quant_platform_kit.strategy import StrategyContext

SYMBOLS: Final = ("SIM_A", "SIM_B", "SIM_C", "SIM_D", "SIM_E")
MANUAL: Final = "SIM_MANUAL"
_SLEEVES: Final = ("first", "second", "third")
_WEIGHTS: Final = {1: ("1",), 2: ("0.6", "0.4"), 3: ("0.5", "0.3", "0.2")}
SHORT_DAYS: Final = (1, 3)
LONG_DAYS: Final = (10, 20)
_LONGEST_LIFE: Final = 150  # moments; a run with four orders has about as many
_LOT: Final = Decimal(1)


@dataclass(slots=True)
class SimulationCount:
    """What a number of schedules saw."""

    schedules: int = 0
    sessions: int = 0
    calls: int = 0
    orders: int = 0
    deaths: int = 0
    commands: int = 0
    stops: int = 0
    stopped: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: SimulationCount) -> None:
        """Add what other schedules saw."""
        self.schedules += other.schedules
        self.sessions += other.sessions
        self.calls += other.calls
        self.orders += other.orders
        self.deaths += other.deaths
        self.commands += other.commands
        self.stops += other.stops
        self.stopped += other.stopped
        self.outcomes.update(other.outcomes)
        self.troubles.update(other.troubles)
        self.broken += other.broken


@dataclass(frozen=True, slots=True)
class Schedule:
    """One replayed seed: its trace, the digest of everything it left, and what it broke."""

    seed: int
    trace: tuple[str, ...]
    sha256: str
    broken: str = ""


def simulate_seeds(seeds: range, days: tuple[int, int] = SHORT_DAYS) -> SimulationCount:
    """Run the schedules of some seeds."""
    ground, count = Ground(), SimulationCount()
    try:
        for seed in seeds:
            found = simulate(ground, seed, days, count)
            if found.broken:
                deep = " --long" * (days == LONG_DAYS)
                count.broken.append(
                    f"{found.broken}\n  again: python -m proof simulate --seed {seed}{deep} --trace"
                )
    finally:
        ground.close()
    return count


def simulate(
    ground: Ground,
    seed: int,
    days: tuple[int, int] = SHORT_DAYS,
    count: SimulationCount | None = None,
) -> Schedule:
    """Run one schedule; the same seed and length give the same bytes.

    Parameters
    ----------
    ground : Ground
    seed : int
    days : tuple of int
        The fewest and the most sessions.
    count : SimulationCount, optional
        Where to add what was seen.
    """
    ground.restore()
    dice = Random(seed)  # noqa: S311 (chance that repeats is what is wanted)
    life = _Days(ground, dice, days, SimulationCount() if count is None else count)
    broken = ""
    try:
        life.live()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        broken = what_broke(error)
        life.tell(f"BROKEN {broken}")
    digest = hashlib.sha256("\n".join(life.trace).encode())
    book = ground.folder / "book.jsonl"
    digest.update(book.read_bytes() if book.exists() else b"")
    return Schedule(seed, tuple(life.trace), digest.hexdigest(), broken)


class _Days:
    """The days of one account."""

    def __init__(
        self, ground: Ground, dice: Random, days: tuple[int, int], count: SimulationCount
    ) -> None:
        self._dice = dice
        self._count = count
        self.trace: list[str] = []
        self._sessions = sessions_from(FIRST_SESSION, dice.randint(*days) + 1)
        sleeves = self._draw_sleeves()
        self._account = TrialAccount(
            ground,
            market_of({symbol: self._draw_prices() for symbol in (*SYMBOLS, MANUAL)}),
            sleeves,
            cash_usd=Decimal(dice.choice((2_000, 10_000, 100_000))),
        )
        self._gate = GateMode.ACTIVE
        self._paused: set[str] = set()
        self._meddled: list[tuple[str, Side, Decimal]] = []
        self._head = ""  # of the evidence
        self._looked = False  # the first look at an account adopts whatever is there
        self._consumed: dict[tuple[date, str], str] = {}
        self._died: set[tuple[date, str]] = set()
        count.schedules += 1
        count.sessions += len(self._sessions)
        held = " ".join(f"{s.name}({s.weight})={','.join(s.managed)}" for s in sleeves)
        self.tell(f"{len(self._sessions)} sessions, {held}")

    def tell(self, line: str) -> None:
        """Put a line into the trace."""
        self.trace.append(line)

    def live(self) -> None:
        """Live all the days; the last one is in order again, and everything must add up."""
        for session in self._sessions[:-1]:
            self._open(session)
            self._meddle()
            self._steer()
            if self._happens(0.15):
                self._slot(session, "by-hand-1")
            self._slot(session, "close")
            if self._happens(0.12):
                self._command()
        self._end_well(self._sessions[-1])

    # ── What is drawn ──────────────────────────────────────────────────────────────────

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _draw_prices(self) -> list[float]:
        price = self._dice.uniform(4, 250)
        prices = []
        for _ in self._sessions:
            prices.append(round(max(price, 0.5), 2))
            price *= 1 + self._dice.gauss(0, 0.03)
        return prices

    def _draw_sleeves(self) -> tuple[SleeveScript, ...]:
        number = self._dice.choice((1, 1, 2, 2, 3))
        shared = self._happens(0.4)
        self._protects = self._happens(0.5)
        symbols = list(SYMBOLS)
        self._dice.shuffle(symbols)
        sleeves = []
        for index, name in enumerate(_SLEEVES[:number]):
            managed = tuple(sorted(symbols if shared else symbols[index::number]))
            answers = {(name, day): self._draw_answer(managed) for day in self._sessions}
            weight = Decimal(_WEIGHTS[number][index])
            sleeves.append(SleeveScript(name, managed, _script(name, answers), weight))
        return tuple(sleeves)

    def _draw_answer(self, managed: tuple[str, ...]) -> Decision | None:
        kind = self._dice.random()
        if kind < 0.15:
            return Decision.hold("not today")
        if kind < 0.22:
            return Decision.blocked(ReasonCode.HISTORY_STALE, "old")
        if kind < 0.3:
            return None
        wanted = self._dice.sample(managed, self._dice.randint(0, len(managed)))
        parts = [self._dice.random() for _ in wanted]
        invested = self._dice.choice((0.5, 0.95, 1.0)) / (sum(parts) or 1.0)
        answer = Decision.weights(
            {symbol: part * invested for symbol, part in zip(wanted, parts, strict=True)}
        )
        if not self._protects:
            return answer
        protected = (self._draw_signal(symbol) for symbol in wanted if self._happens(0.7))
        return replace(answer, signals=tuple(protected))

    def _draw_signal(self, symbol: str) -> Signal:
        pct = Decimal(self._dice.choice(("1", "2.5", "4", "8")))
        signal = Signal(symbol, SignalAction.BUY, Decimal(1), stop_loss_pct=pct)
        if self._happens(0.5):
            return replace(signal, stop_loss_pct=None, trailing_stop_pct=pct)
        return signal

    # ── What happens to the account ────────────────────────────────────────────────────

    def _open(self, session: date) -> None:
        opening = xnys().session_open(session)
        clock = self._account.clock
        clock.advance_to(max(clock.now(), opening))
        if self._happens(0.1):
            self._account.restart()
            self.tell(f"{session} restarted")

    def _meddle(self) -> None:
        """Trade at the broker without the platform, as a person does."""
        account, dice = self._account, self._dice
        if self._happens(0.2):
            held = account.held().get(MANUAL, Decimal(0))
            side = Side.SELL if held and self._happens(0.5) else Side.BUY
            quantity = held if side is Side.SELL and self._happens(0.5) else Decimal(1)
            self._by_hand(MANUAL, side, quantity)
        if self._meddled and self._happens(0.5):
            self._make_good()
        elif self._looked and self._happens(0.05):
            symbol = dice.choice(SYMBOLS)
            held = account.held().get(symbol, Decimal(0))
            side = Side.SELL if held and self._happens(0.5) else Side.BUY
            quantity = Decimal(dice.randint(1, 3)) if side is Side.BUY else min(held, Decimal(2))
            if self._by_hand(symbol, side, quantity):
                self._meddled.append((symbol, side, quantity))

    def _make_good(self) -> None:
        symbol, side, quantity = self._meddled[-1]
        if self._by_hand(symbol, Side.SELL if side is Side.BUY else Side.BUY, quantity):
            self._meddled.pop()

    def _by_hand(self, symbol: str, side: Side, quantity: Decimal) -> bool:
        taken = self._account.trade_by_hand(symbol, side, quantity)
        self.tell(f"by hand: {side} {quantity} {symbol}{'' if taken else ' (refused)'}")
        return taken

    def _steer(self) -> None:
        """Do what an operator does: halt, reduce, resume, pause, unpause."""
        account = self._account
        gate = TradingGate(account.store, account.clock)
        chance = 0.6 if self._gate is not GateMode.ACTIVE else 0.12
        if self._happens(chance):
            others = [mode for mode in GateMode if mode is not self._gate]
            active = GateMode.ACTIVE in others
            self._gate = GateMode.ACTIVE if active else self._dice.choice(others)
            gate.set(self._gate, who="proof", why="chance")
            self.tell(f"gate: {self._gate}")
        pauses = Pauses(account.store, account.clock)
        for sleeve in account.sleeves:
            if sleeve.name in self._paused and self._happens(0.5):
                pauses.unpause(sleeve.name, who="proof", why="chance")
                self._paused.discard(sleeve.name)
                self.tell(f"unpaused {sleeve.name}")
            elif sleeve.name not in self._paused and self._happens(0.04):
                pauses.pause(sleeve.name, who="proof", why="chance")
                self._paused.add(sleeve.name)
                self.tell(f"paused {sleeve.name}")

    def _break_the_line(self) -> None:
        strikes = []
        for _ in range(self._dice.choice((0, 0, 1, 1, 2))):
            trouble = self._dice.choice(list(Trouble)[1:])
            nth = self._dice.choice((None, 1, 1, 2, 3, 4))
            strikes.append(Strike(trouble, nth, self._dice.choice((0.5, 2.0, 30.0))))
            self._count.troubles[trouble] += 1
        self._account.far.set(*strikes)
        self.tell("line: " + (", ".join(f"{s.trouble} {s.nth or '*'}" for s in strikes) or "fine"))

    def _slot(self, session: date, slot: str) -> None:
        """Call a slot a few times; the platform may die and be called again."""
        self._break_the_line()
        self._account.restart()
        for _ in range(self._dice.choice((1, 2, 2, 3))):
            if self._happens(0.3):
                self._account.doom(self._dice.randint(1, _LONGEST_LIFE))
            rival = self._dice.randint(1, 12) if self._happens(0.2) else 0
            died = self._call(session, slot, rival)
            if died and self._happens(0.1):
                self._account.restart()
                return
            if died or self._happens(0.1):
                if self._happens(0.5):
                    self._account.far.set()
                self._account.restart()

    def _command(self) -> None:
        """Give an operator's command, perhaps twice; the platform may die in it."""
        drawn = self._draw_command()
        if drawn is None:
            return
        self._break_the_line()
        self._account.restart()
        for _ in range(self._dice.choice((1, 2))):
            if self._happens(0.3):
                self._account.doom(self._dice.randint(1, _LONGEST_LIFE // 2))
            if self._operate(drawn):
                self._account.restart()

    def _draw_command(self) -> OperatorCommand | None:
        who = "proof", "chance"
        action = self._dice.choice(list(OperatorAction))
        if action is OperatorAction.CLOSE:
            return OperatorCommand(action, *who, self._dice.choice(SYMBOLS))
        if action is not OperatorAction.CANCEL:
            return OperatorCommand(action, *who)
        sent = sorted(self._account.far.submitted)
        return OperatorCommand(action, *who, self._dice.choice(sent)) if sent else None

    def _operate(self, command: OperatorCommand) -> bool:
        """Carry out a command; tell whether the platform died."""
        account = self._account
        self._count.commands += 1
        before = len(account.far.requests)
        try:
            report = account.operate(command)
        except Killed as death:
            self._count.deaths += 1
            self.tell(f"{command}: killed {death} after {_listed(account.far.requests[before:])}")
            check_far_side(account)
            return True
        except PlatformError as error:  # it did not get so far as to have a report
            self.tell(f"{command}: {error.code}")
            sent = account.far.requests[before:]
            require(not sent, "a command that is turned away sends nothing", sent)
            return False
        sent = account.far.requests[before:]
        self._count.orders += len(sent)
        self.tell(f"{command}: {_described(report, sent)}")
        check_far_side(account)
        check_report(report)
        self._head = check_evidence(account, self._head)
        unlike = [
            order for order in sent if order.side is not Side.SELL or not command.action.sells
        ]
        require(not unlike, "a command sells, or takes orders off", unlike)
        check_slot(account.journal().of_run(report.run_key), filled_by_order(account), _LOT)
        if report.equity_usd is not None:
            self._looked = True
            check_books(account)
        return False

    def _end_well(self, session: date) -> None:
        """Put everything in order; then nothing may be unknown, locked or unequal."""
        account = self._account
        self._open(session)
        account.far.set()
        account.restart()
        while self._meddled:
            before = len(self._meddled)
            self._make_good()
            if len(self._meddled) == before:
                break
        TradingGate(account.store, account.clock).set(GateMode.ACTIVE, who="proof", why="the end")
        self._gate = GateMode.ACTIVE
        self._call(session, "close", 0)
        left = account.journal().unfinished()
        require(not left, "a healthy run ends every order", left)
        locked = Locks(account.store).all()
        if not self._meddled:
            require(not locked, "what agrees again is unlocked", locked)
        check_books(account)
        check_explained(account)
        filled = filled_by_order(account)
        stops = [order.client_id for order in account.far.requests if order.order_type in WAITS]
        self._count.stops += len(stops)
        self._count.stopped += sum(client_id in filled for client_id in stops)

    # ── One call and what must be true after it ────────────────────────────────────────

    def _call(self, session: date, slot: str, rival_at: int) -> bool:
        """Call a slot; tell whether the platform died."""
        account = self._account
        self._count.calls += 1
        before = len(account.far.requests)
        account.meanwhile = self._rival(session, slot, rival_at)
        try:
            result = account.run(session, slot)
        except Killed as death:
            self._count.deaths += 1
            self._died.add((session, slot))
            sent = account.far.requests[before:]
            self.tell(f"{session} {slot}: killed {death} after {_listed(sent)}")
            check_far_side(account)
            self._check_gate(sent)
            return True
        sent = account.far.requests[before:]
        report = result.report
        self._count.orders += len(sent)
        self._count.outcomes[f"{report.outcome.value} {report.code or ''}".strip()] += 1
        self.tell(f"{session} {slot}: {_described(report, sent)}{' again' * result.repeated}")
        self._check_consumed((session, slot), report, repeated=result.repeated)
        check_far_side(account)
        check_report(report)
        self._head = check_evidence(account, self._head)
        told = report.evidence_sha256
        require(result.repeated or told == self._head, "a report carries the evidence's head", told)
        self._check_gate(sent)
        if result.repeated:
            require(not sent, "a consumed slot sends nothing", sent)
            return False
        trades = [order for order in sent if order.order_type not in WAITS]
        check_frozen(report, [(order.symbol, order.side) for order in trades])
        check_slot(account.journal().of_run(report.run_key), filled_by_order(account), _LOT)
        if report.equity_usd is not None:
            self._looked = True
            check_books(account)
        return False

    def _rival(self, session: date, slot: str, at: int) -> Callable[[str], None]:
        """Return what a second process does while the first one talks to the broker."""
        left = at

        def meanwhile(_call: str) -> None:
            nonlocal left
            left -= 1
            if left:
                return
            try:
                run_cycle(self._account.rival(), CycleRequest(slot, session))
            except SlotBusy:
                self.tell(f"{session} {slot}: a second caller was turned away")
            else:
                raise Broken("one run of an account at a time: a second one was let in")

        return meanwhile

    def _check_consumed(
        self, key: tuple[date, str], report: CycleReport, *, repeated: bool
    ) -> None:
        text = canonical(report)
        first = self._consumed.get(key)
        if repeated and first is None and key in self._died:
            first = text  # its report was kept, and then it died before it could answer
        require(
            repeated == (first is not None) and first in (None, text),
            "a consumed slot repeats its report, and only such a one does",
            key,
        )
        if report.consumes_slot:
            self._consumed[key] = text

    def _check_gate(self, sent: list[OrderRequest]) -> None:
        if self._gate is GateMode.HALTED:
            require(not sent, "a closed gate lets nothing pass", sent)
        if self._gate is GateMode.REDUCING:
            bought = [order for order in sent if order.side is Side.BUY]
            require(not bought, "a gate that reduces lets no purchase pass", bought)


def _script(
    name: str, answers: Mapping[tuple[str, date], Decision | None]
) -> Callable[[StrategyContext], Decision]:
    def script(context: StrategyContext) -> Decision:
        answer = answers[name, context.session]
        if answer is None:
            raise RuntimeError("chance")
        return answer

    return script


def _listed(sent: list[OrderRequest]) -> str:
    return ", ".join(map(_order, sent)) or "no order"


def _order(order: OrderRequest) -> str:
    waits = f" {order.order_type}" if order.order_type in WAITS else ""
    return f"{order.side} {order.quantity} {order.symbol}{waits}"


def _described(report: CycleReport, sent: list[OrderRequest]) -> str:
    digest = hashlib.sha256(canonical(report).encode()).hexdigest()[:12]
    code = f" {report.code}" if report.code else ""
    return f"{report.outcome.value}{code}, {_listed(sent)}, report {digest}"


def lines(count: SimulationCount) -> Iterator[str]:
    """Return the figures as text."""
    yield (
        f"schedules {count.schedules:,}, sessions {count.sessions:,}, calls {count.calls:,}, "
        f"orders {count.orders:,}, deaths {count.deaths:,}, "
        f"commands {count.commands:,}, faults {count.troubles.total():,}"
    )
    yield f"stops placed {count.stops:,}, of which {count.stopped:,} sold something"
    yield "outcomes " + ", ".join(
        f"{name} {number:,}" for name, number in count.outcomes.most_common()
    )
    yield f"invariants broken: {len(count.broken)}"
