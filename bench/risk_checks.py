"""Risk checks: 500 purchases against every limit, beside the cost of their recorded lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.contracts import (
    Account,
    CheckLine,
    Contribution,
    Environment,
    FeeModel,
    Leg,
    PortfolioSnapshot,
    Position,
    Side,
    TradingRules,
    Verdict,
    VerdictKind,
)
from quant_platform_kit.risk import (
    AccountHistory,
    Book,
    Check,
    GateMode,
    GateState,
    Limits,
    Losses,
    Performance,
    check_leg,
)
from quant_platform_kit.risk._keys import LossLimit
from quant_platform_kit.risk._limits import LossLimits, LossRules, PortfolioLimits, PositionLimits

LEGS = 500
_ROUNDS = 40
_TARGET_MICROSECONDS = 60
_NOW = datetime(2022, 12, 30, 20, 45, tzinfo=UTC)
_PRICE, _QUANTITY, _HELD, _ZERO = Decimal("57.31"), Decimal(40), Decimal(100), Decimal(0)
_SYMBOLS = tuple(f"S{index:04d}" for index in range(LEGS))
_RULES = TradingRules(fees=FeeModel(per_share_usd=Decimal("0.005"), notional_bps=Decimal(1)))
_LARGE = Decimal(1_000_000)
_LOSS = LossRules(LossLimit(_LARGE), Decimal(50))
_LIMITS = Limits(
    position=PositionLimits(_LARGE, _LARGE),
    portfolio=PortfolioLimits(
        Decimal(99),
        Decimal(99),
        LEGS,
        Decimal(99),
        {symbol: f"sector {index % 11}" for index, symbol in enumerate(_SYMBOLS)},
    ),
    loss=LossLimits(LossLimit(_LARGE), Decimal(50), {"bench": _LOSS}),
)


def legs() -> tuple[Leg, ...]:
    """Return purchases of every symbol, each for one strategy."""
    parts = (Contribution("bench", Decimal("0.002")),)
    return tuple(
        Leg(
            symbol=symbol,
            side=Side.BUY,
            quantity=_QUANTITY,
            price_usd=_PRICE,
            price_at=_NOW,
            target_usd=(_QUANTITY + _HELD) * _PRICE,
            current_usd=_HELD * _PRICE,
            target_quantity=_QUANTITY + _HELD,
            current_quantity=_HELD,
            exact_quantity=_QUANTITY + _HELD,
            contributors=parts,
        )
        for symbol in _SYMBOLS
    )


def account() -> PortfolioSnapshot:
    """Return an account that holds every symbol and can pay for the purchases."""
    cash = Decimal(2 * LEGS) * _QUANTITY * _PRICE
    equity = cash + LEGS * _HELD * _PRICE
    held = tuple(Position(symbol, _HELD) for symbol in _SYMBOLS)
    return PortfolioSnapshot(
        Account("bench", Environment.SIMULATED, cash, cash, equity), held, (), _NOW
    )


def judge_all(asked: tuple[Leg, ...], snapshot: PortfolioSnapshot) -> list[Verdict]:
    """Check every leg on what the legs before it lead to."""
    performance = Performance(snapshot.account.equity_usd, _ZERO, _ZERO, _ZERO)
    history = AccountHistory(performance, {"bench": performance})
    against = Check(
        gate=GateState(GateMode.ACTIVE),
        now=_NOW,
        managed=frozenset(_SYMBOLS),
        closes_at=_NOW + timedelta(minutes=15),
        rules=_RULES,
        limits=_LIMITS,
        losses=Losses.of(history, _LIMITS.loss),
    )
    prices = dict.fromkeys(_SYMBOLS, _PRICE)
    book = Book(snapshot, prices, _RULES, _LIMITS.portfolio.sectors)
    verdicts = []
    for leg in asked:
        verdict = check_leg(leg, against, book)
        book.take(leg.limited(verdict))
        verdicts.append(verdict)
    return verdicts


def lines_alone(verdicts: list[Verdict]) -> Callable[[], object]:
    """Return work that builds the recorded lines again from finished figures."""
    rows = [(c.name, c.status, c.figure, c.limit) for v in verdicts for c in v.checks]
    return lambda: [CheckLine(*row) for row in rows]


def run() -> BenchResult:
    """Measure microseconds per leg with every limit set."""
    asked, snapshot = legs(), account()
    verdicts = judge_all(asked, snapshot)
    if any(v.kind is not VerdictKind.APPROVED for v in verdicts):
        raise RuntimeError("a purchase is not approved; the limits must let all of them pass")
    checks = len(verdicts[0].checks)
    seconds = interleaved_medians(
        {"checks": lambda: judge_all(asked, snapshot), "lines": lines_alone(verdicts)},
        rounds=_ROUNDS,
    )
    microseconds = seconds["checks"] / LEGS * 1e6
    return BenchResult(
        what=f"risk checks of {LEGS} purchases, {checks} checks each",
        figure=f"{microseconds:.1f} µs a leg",
        ratio=f"{seconds['checks'] / seconds['lines']:.1f}x the cost of recording them alone",
        target=f"at most {_TARGET_MICROSECONDS} µs a leg",
        met=microseconds <= _TARGET_MICROSECONDS,
    )


if __name__ == "__main__":
    print(run())
