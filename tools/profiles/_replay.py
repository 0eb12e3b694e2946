"""A sleeve on the made-up market: the profile's decisions, followed in whole shares at the close.

The trading here is deliberately plain and its own, so that a page about a rule changes when the
rule does, and not when the platform learns to size an order better.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Final

from quant_platform_kit.contracts import (
    Decision,
    DecisionOutcome,
    ExecutionHints,
    FeatureSnapshot,
    SnapshotManifest,
    TargetMode,
    digest,
)
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.strategy import SleeveView, Strategy, StrategyContext
from tools.profiles._market import PREFIX, SECTORS, bars
from us_equity_snapshot_pipelines import build_snapshot

OPENING_USD: Final = Decimal(150_000)
FIRST_SESSION, LAST_SESSION = date(2015, 1, 2), date(2022, 12, 30)
_SEEN: Final = 400  # sessions that a snapshot is built from; its longest look-back is 274
_COST_FACTOR: Final = Decimal("1.0005")  # five basis points
_ZERO: Final = Decimal(0)
_SECTORS: Final = {PREFIX + name: sector for name, sector in SECTORS.items()}


@dataclass(slots=True)
class Sleeve:
    """An account of one sleeve, as it goes along."""

    cash_usd: Decimal = OPENING_USD
    quantities: dict[str, Decimal] = field(default_factory=dict)

    def worth(self, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return the dollars in every holding."""
        return {symbol: held * prices[symbol] for symbol, held in self.quantities.items()}

    def follow(
        self,
        targets_usd: Mapping[str, Decimal],
        prices: Mapping[str, Decimal],
        hints: ExecutionHints,
    ) -> int:
        """Trade towards `targets_usd`, zero for a symbol without one; return the orders it took.

        Sales first; then purchases, the largest first, as far as the cash goes.
        """
        worth = self.worth(prices)
        base = self.cash_usd + sum(worth.values(), _ZERO)
        band = max(hints.rebalance_threshold_ratio * base, hints.min_trade_usd)
        gaps = {
            symbol: targets_usd.get(symbol, _ZERO) - worth.get(symbol, _ZERO)
            for symbol in {*targets_usd, *worth}
        }
        orders = 0
        for symbol in sorted(gaps, key=lambda each: (gaps[each] > 0, -abs(gaps[each]), each)):
            target = targets_usd.get(symbol, _ZERO)
            if abs(gaps[symbol]) < band and target > 0:
                continue
            change = target // prices[symbol] - self.quantities.get(symbol, _ZERO)
            if change > 0:
                free = self.cash_usd - hints.cash_reserve_ratio * base
                change = min(change, max(_ZERO, free / (prices[symbol] * _COST_FACTOR)) // 1)
            elif hints.buy_only:
                continue
            orders += self._book(symbol, change, prices[symbol])
        return orders

    def _book(self, symbol: str, change: Decimal, price: Decimal) -> bool:
        if not change:
            return False
        held = self.quantities.get(symbol, _ZERO) + change
        self.quantities[symbol] = held
        if not held:
            del self.quantities[symbol]
        self.cash_usd -= change * price + abs(change) * price * (_COST_FACTOR - 1)
        return True


@dataclass(frozen=True, slots=True)
class Track:
    """What the sleeve did.

    Parameters
    ----------
    sessions : tuple of date
    equity_usd, benchmark_usd : tuple of float
        By session: the sleeve, and the same opening dollars in the benchmark.
    month_ends : tuple of int
        Indices into `sessions`, each month's last one.
    weights : tuple of mapping of str to float
        Share of each holding at each month's end; what is missing to 1 is cash.
    answers : Counter
        How often the profile gave which answer.
    orders : int
    """

    sessions: tuple[date, ...]
    equity_usd: tuple[float, ...]
    benchmark_usd: tuple[float, ...]
    month_ends: tuple[int, ...]
    weights: tuple[Mapping[str, float], ...]
    answers: Counter[str]
    orders: int


def replay(strategy: Strategy) -> Track:
    """Ask `strategy` on every session, and follow it at the session's close.

    The decision sees complete bars of earlier sessions only; a snapshot is built at each month's
    last close and used from the next session on.
    """
    world = _World(strategy)
    sleeve = Sleeve()
    answers: Counter[str] = Counter()
    equity: list[float] = []
    weights: list[Mapping[str, float]] = []
    month_ends: list[int] = []
    orders = 0
    sessions = xnys().sessions(FIRST_SESSION, LAST_SESSION)
    for index, session in enumerate(sessions):
        prices = world.prices(index)
        decision = world.decide(session, sleeve, prices)
        answers[_answer(decision)] += 1
        if decision.outcome is DecisionOutcome.REBALANCE:
            orders += sleeve.follow(
                _targets_usd(decision, sleeve, prices), prices, strategy.manifest.hints
            )
        worth = sleeve.worth(prices)
        total = sleeve.cash_usd + sum(worth.values(), _ZERO)
        equity.append(float(total))
        if xnys().is_last_session_of_month(session):
            month_ends.append(index)
            weights.append({symbol: float(usd / total) for symbol, usd in worth.items()})
    benchmark = _closes(strategy.manifest.benchmark)
    scale = float(OPENING_USD) / benchmark[0]
    return Track(
        sessions=sessions,
        equity_usd=tuple(equity),
        benchmark_usd=tuple(close * scale for close in benchmark),
        month_ends=tuple(month_ends),
        weights=tuple(weights),
        answers=answers,
        orders=orders,
    )


class _World:
    """Everything around the sleeve: bars, prices, snapshots, decisions."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._snapshot: FeatureSnapshot | None = None

    def prices(self, index: int) -> dict[str, Decimal]:
        managed = self._strategy.manifest.managed
        return {symbol: Decimal(f"{_closes(symbol)[index]:.2f}") for symbol in managed}

    def decide(self, session: date, sleeve: Sleeve, prices: Mapping[str, Decimal]) -> Decision:
        worth = sleeve.worth(prices)
        base = sleeve.cash_usd + sum(worth.values(), _ZERO)
        answer = self._strategy.decide(
            StrategyContext(
                session=session,
                calendar=xnys(),
                history=self._history(session),
                snapshot=self._latest_snapshot(session),
                sleeve=SleeveView(dict(sleeve.quantities), worth, sleeve.cash_usd, base),
                config=self._strategy.config,
            )
        )
        return answer if isinstance(answer, Decision) else asyncio.run(_awaited(answer))

    def _history(self, session: date) -> dict[str, BarFrame]:
        need = self._strategy.manifest.history
        if need is None:
            return {}
        newest = xnys().previous(session)
        return {s: _bars(s).until(newest).tail(need.sessions) for s in need.symbols}

    def _latest_snapshot(self, session: date) -> FeatureSnapshot | None:
        if self._strategy.manifest.snapshot is None:
            return None
        newest = xnys().previous(session)
        if self._snapshot is None or xnys().is_last_session_of_month(newest):
            self._snapshot = self._built(newest)
        return self._snapshot

    def _built(self, as_of: date) -> FeatureSnapshot:
        manifest = self._strategy.manifest
        symbols = {*manifest.managed, manifest.benchmark}
        broad: str | None = getattr(self._strategy.config, "broad_benchmark", None)
        if broad is not None:
            symbols.add(broad)
        frames = {symbol: _bars(symbol).until(as_of).tail(_SEEN) for symbol in sorted(symbols)}
        built = build_snapshot(self._strategy, frames, _SECTORS, as_of)
        vouched = SnapshotManifest(
            contract=built.contract,
            profile=built.profile,
            version=f"{as_of}",
            as_of=as_of,
            snapshot_file="snapshot.csv",
            snapshot_sha256=digest(f"{as_of}"),
            row_count=len(built.rows),
            columns=built.columns,
            config_sha256=built.config_sha256,
            adjustment=built.adjustment,
            generated_at=datetime.combine(as_of, time(22), UTC),
            code_version="sample",
            sources=built.sources,
        )
        return FeatureSnapshot(vouched, built.rows)


@cache
def _bars(symbol: str) -> BarFrame:
    return bars(symbol)


@cache
def _closes(symbol: str) -> tuple[float, ...]:
    """Return the closes of the replay's sessions."""
    count = len(xnys().sessions(FIRST_SESSION, LAST_SESSION))
    return tuple(_bars(symbol).tail(count).close.tolist())


def _targets_usd(
    decision: Decision, sleeve: Sleeve, prices: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    if decision.mode is TargetMode.VALUE:
        return {target.symbol: target.amount for target in decision.targets}
    base = sleeve.cash_usd + sum(sleeve.worth(prices).values(), _ZERO)
    return {target.symbol: target.amount * base for target in decision.targets}


async def _awaited(answer: object) -> Decision:
    found: Decision = await answer  # type: ignore[misc] # a coroutine function's answer
    return found


def _answer(decision: Decision) -> str:
    if decision.outcome is DecisionOutcome.REBALANCE:
        flags = ", ".join(decision.risk_flags)
        return f"rebalance ({flags})" if flags else "rebalance"
    if decision.code is not None:
        return f"blocked ({decision.code.value})"
    return f"hold ({decision.reason})"


def symbols_of(weights: Iterable[Mapping[str, float]]) -> list[str]:
    """Return every symbol that was held at a month's end, the largest on average first."""
    totals: Counter[str] = Counter()
    for each in weights:
        for symbol, weight in each.items():
            totals[symbol] += weight  # type: ignore[assignment] # a Counter adds floats as well
    return sorted(totals, key=lambda symbol: (-totals[symbol], symbol))
