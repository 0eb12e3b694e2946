"""An account in plain numbers, and its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    Account,
    BrokerOrder,
    Contribution,
    Environment,
    ExecutionHints,
    FrozenSleeve,
    OrderPlan,
    OrderStatus,
    PortfolioSnapshot,
    PortfolioTarget,
    Position,
    Quote,
    Side,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy, plan_orders

NOW = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)
NO_HINTS = ExecutionHints()
WHOLE_SHARES = TradingRules()
ALL_CAPITAL = CapitalPolicy()
Number = int | str | Decimal


def _snapshot(
    positions: Mapping[str, Number], cash: Number, orders: tuple[BrokerOrder, ...] = ()
) -> PortfolioSnapshot:
    usd = Decimal(cash)
    return PortfolioSnapshot(
        Account("U1", Environment.SIMULATED, cash_usd=usd, usable_cash_usd=usd, equity_usd=usd),
        tuple(Position(symbol, Decimal(quantity)) for symbol, quantity in positions.items()),
        orders,
        NOW,
    )


def _quotes(prices: Mapping[str, Number]) -> dict[str, Quote]:
    return {symbol: Quote(symbol, Decimal(price), NOW) for symbol, price in prices.items()}


def _target(
    amounts: Mapping[str, Number],
    *,
    managed: tuple[str, ...] = (),
    mode: TargetMode = TargetMode.WEIGHT,
    frozen: tuple[FrozenSleeve, ...] = (),
    hints: ExecutionHints = NO_HINTS,
) -> TargetPortfolio:
    return TargetPortfolio(
        mode=mode,
        managed=managed or tuple(amounts),
        targets=tuple(
            PortfolioTarget(symbol, Decimal(amount), (Contribution("sleeve", Decimal(amount)),))
            for symbol, amount in amounts.items()
        ),
        frozen=frozen,
        hints=hints,
    )


def _order(
    symbol: str,
    *,
    client_id: str | None = "ours",
    side: Side = Side.BUY,
    quantity: Number = 10,
    filled: Number = 0,
    status: OrderStatus = OrderStatus.SUBMITTED,
) -> BrokerOrder:
    return BrokerOrder(
        f"B-{symbol}", client_id, symbol, side, Decimal(quantity), Decimal(filled), status, NOW
    )


def _plan(
    amounts: Mapping[str, Number],
    *,
    prices: Mapping[str, Number],
    cash: Number = 0,
    positions: Mapping[str, Number] | None = None,
    orders: tuple[BrokerOrder, ...] = (),
    rules: TradingRules = WHOLE_SHARES,
    policy: CapitalPolicy = ALL_CAPITAL,
    blocked: Mapping[str, ReasonCode] | None = None,
    managed: tuple[str, ...] = (),
    mode: TargetMode = TargetMode.WEIGHT,
    frozen: tuple[FrozenSleeve, ...] = (),
    hints: ExecutionHints = NO_HINTS,
) -> OrderPlan:
    return plan_orders(
        _target(amounts, managed=managed, mode=mode, frozen=frozen, hints=hints),
        _snapshot(positions or {}, cash, orders),
        _quotes(prices),
        rules,
        policy,
        blocked=blocked or {},
    )


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[..., PortfolioSnapshot]:
    return _snapshot


@pytest.fixture(scope="session")
def quotes_of() -> Callable[..., dict[str, Quote]]:
    return _quotes


@pytest.fixture(scope="session")
def target_of() -> Callable[..., TargetPortfolio]:
    return _target


@pytest.fixture(scope="session")
def order_in() -> Callable[..., BrokerOrder]:
    return _order


@pytest.fixture(scope="session")
def plan() -> Callable[..., OrderPlan]:
    """Plan from symbol -> amount, price, shares held."""
    return _plan


@pytest.fixture(scope="session")
def quantities() -> Callable[[OrderPlan], dict[str, Decimal]]:
    """Return the signed shares of each leg, in the order of submission."""
    return lambda made: {
        leg.symbol: leg.quantity if leg.side is Side.BUY else -leg.quantity for leg in made.legs
    }


@pytest.fixture(scope="session")
def codes() -> Callable[[OrderPlan], dict[str, ReasonCode]]:
    """Return the reason of each symbol that is not traded."""
    return lambda made: {each.symbol: each.code for each in made.skipped}
