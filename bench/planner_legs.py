"""Planner: 500 positions, every one of them traded, against the cost of the leg objects alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import (
    Account,
    Contribution,
    Environment,
    FeeModel,
    Leg,
    OrderPlan,
    PortfolioSnapshot,
    PortfolioTarget,
    Position,
    Quote,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.planner import CapitalPolicy, plan_orders

POSITIONS = 500
_ROUNDS = 40
_SCALE = 10
_LINEAR_LIMIT = 1.5  # sorting and the caches of the processor may cost this much
_HOLDING_USD = 20_000
_TARGET_MICROSECONDS = 10
_NOW = datetime(2022, 12, 30, 20, 45, tzinfo=UTC)
_RULES = TradingRules(
    minimum_notional_usd=Decimal(1),
    fees=FeeModel(
        per_share_usd=Decimal("0.005"), notional_bps=Decimal(1), minimum_usd=Decimal("0.35")
    ),
    buy_price_buffer_ratio=Decimal("0.001"),
)
_POLICY = CapitalPolicy(cash_floor_usd=Decimal(1000))


@dataclass(frozen=True, slots=True)
class Book:
    """Everything a plan is made of."""

    target: TargetPortfolio
    snapshot: PortfolioSnapshot
    quotes: dict[str, Quote]

    def plan(self) -> OrderPlan:
        """Plan once."""
        return plan_orders(self.target, self.snapshot, self.quotes, _RULES, _POLICY)


def book(positions: int = POSITIONS) -> Book:
    """Return an account of `positions` holdings where half are too large and half too small."""
    symbols = [f"S{index:04d}" for index in range(positions)]
    prices = [Decimal(1000 + 37 * index % 9000) / 100 for index in range(positions)]
    quotes = [Quote(*quoted, _NOW) for quoted in zip(symbols, prices, strict=True)]
    cash = Decimal(_HOLDING_USD * positions)
    return Book(
        TargetPortfolio(TargetMode.WEIGHT, tuple(symbols), tuple(_targets(symbols))),
        PortfolioSnapshot(
            Account("bench", Environment.SIMULATED, cash, cash, equity_usd=cash * 2),
            tuple(Position(quote.symbol, _HOLDING_USD // quote.price_usd) for quote in quotes),
            (),
            _NOW,
        ),
        {quote.symbol: quote for quote in quotes},
    )


def _targets(symbols: list[str]) -> Iterator[PortfolioTarget]:
    # Every holding starts near half of an equal share of the capital.
    for index, symbol in enumerate(symbols):
        weight = Decimal("0.25" if index % 2 else "0.75") / len(symbols)
        yield PortfolioTarget(symbol, weight, (Contribution("bench", weight),))


def objects_alone(legs: tuple[Leg, ...]) -> Callable[[], object]:
    """Return work that builds the same legs again from finished numbers."""
    rows = [tuple(getattr(leg, name) for name in Leg.__slots__) for leg in legs]
    return lambda: [Leg(*row) for row in rows]


def run() -> BenchResult:
    """Measure microseconds per leg, and whether ten times the legs take ten times as long."""
    account, large = book(), book(POSITIONS * _SCALE)
    legs = account.plan().legs
    if len(legs) != POSITIONS:
        raise RuntimeError(f"{len(legs)} of {POSITIONS} positions are traded; all of them must be")
    seconds = interleaved_medians(
        {"plan": account.plan, "large": large.plan, "objects": objects_alone(legs)},
        rounds=_ROUNDS,
    )
    microseconds = seconds["plan"] / POSITIONS * 1e6
    ratio = seconds["plan"] / seconds["objects"]
    microseconds_large = seconds["large"] / POSITIONS / _SCALE * 1e6
    return BenchResult(
        what=f"plan of {POSITIONS} positions, every one traded",
        figure=f"{microseconds:.1f} µs a leg ({microseconds_large:.1f} at {_SCALE}x the legs)",
        ratio=f"{ratio:.1f}x the cost of building the leg objects alone",
        target=f"at most {_TARGET_MICROSECONDS} µs a leg, linear in legs",
        met=microseconds <= _TARGET_MICROSECONDS
        and microseconds_large <= _LINEAR_LIMIT * microseconds,
    )


if __name__ == "__main__":
    print(run())
