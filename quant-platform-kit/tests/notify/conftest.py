"""Reports to write about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    Environment,
    ExecutionMode,
    FrozenSleeve,
    InputMode,
    Leg,
    OrderLine,
    OrderStatus,
    Outcome,
    PositionLine,
    Side,
    Skipped,
    SleeveDecision,
    SnapshotRef,
    StrategyIdentity,
)
from quant_platform_kit.errors import ReasonCode

AT = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)
D = Decimal


def _order(
    symbol: str, side: Side, quantity: str, filled: str, price: str | None, status: OrderStatus
) -> OrderLine:
    held = D(quantity) if side is Side.SELL else D(0)
    sizing_price = D(price or "50")
    leg = Leg(
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        price_usd=sizing_price,
        price_at=AT,
        target_usd=D(0) if side is Side.SELL else D(quantity) * sizing_price,
        current_usd=held * sizing_price,
        target_quantity=D(0) if side is Side.SELL else D(quantity),
        current_quantity=held,
        exact_quantity=D(0) if side is Side.SELL else D(quantity) + D("0.4"),
    )
    return OrderLine(
        client_id=f"c-{symbol}-{side.value}",
        broker_order_id=f"b-{symbol}",
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        filled_quantity=D(filled),
        average_price_usd=None if price is None else D(price),
        fee_usd=D("0.35"),
        status=status,
        code=ReasonCode.NOT_FILLED if status is OrderStatus.PARTIAL else None,
        detail="",
        leg=leg,
    )


@pytest.fixture
def traded() -> CycleReport:
    """Report a quarter's end: a sale, a whole and a partial purchase, a manual holding."""
    return CycleReport(
        run_key="***4321/2020-03-31/close",
        platform="schwab",
        account="***4321",
        session=date(2020, 3, 31),
        slot="close",
        mode=ExecutionMode.PAPER,
        environment=Environment.SIMULATED,
        outcome=Outcome.TRADED,
        code=None,
        reason="",
        started_at=AT,
        finished_at=AT,
        attempt=2,
        strategies=(
            StrategyIdentity(
                "global_etf_rotation",
                {"en": "Global ETF Rotation", "zh": "全球ETF轮动"},
                InputMode.DIRECT,
            ),
        ),
        decisions=(
            SleeveDecision(
                "global_etf_rotation",
                Decision.weights({"MTUM": 0.5, "QUAL": 0.5}, risk_flags=("late_data",)),
            ),
        ),
        capital_base_usd=D("50123.45"),
        equity_usd=D("51623.45"),
        cash_usd=D("1234.5"),
        positions=(
            PositionLine("AAPL", D(10), D("150"), D("1500"), None, None, managed=False),
            PositionLine("QUAL", D(80), D("85"), D("6800"), D("0.13567"), D("0.5"), managed=True),
            PositionLine(
                "MTUM", D(1200), D("20.9"), D("25080"), D("0.50036"), D("0.5"), managed=True
            ),
            PositionLine("VLUE", D("0.5"), None, None, None, D(0), managed=True),
        ),
        orders=(
            _order("VLUE", Side.SELL, "120", "120", "61.125", OrderStatus.FILLED),
            _order("MTUM", Side.BUY, "1200", "1200", "20.9", OrderStatus.FILLED),
            _order("QUAL", Side.BUY, "290", "80", "85", OrderStatus.PARTIAL),
        ),
        skipped=(
            *(Skipped(f"E{number}", ReasonCode.WITHIN_BAND) for number in range(9, 1, -1)),
            Skipped("SIZE", ReasonCode.AT_TARGET),
            Skipped("USMV", ReasonCode.AT_TARGET),
        ),
        frozen=(FrozenSleeve("spy_macd_vixy", ReasonCode.HISTORY_STALE, "SPY ends 2020-03-27"),),
        notes=("Ledger and broker agree.",),
        versions={"us-equity-strategies": "0.1.0", "quant-platform-kit": "0.1.0"},
        commit="0123456789abcdef0123456789abcdef01234567",
    )


@pytest.fixture
def blocked() -> CycleReport:
    """Report a dry run that ended before the broker was asked."""
    return CycleReport(
        run_key="***9876/2020-04-01/close",
        platform="ibkr",
        account="***9876",
        session=None,
        slot="close",
        mode=ExecutionMode.DRY_RUN,
        environment=None,
        outcome=Outcome.BLOCKED,
        code=ReasonCode.SNAPSHOT_STALE,
        reason="The snapshot of 2020-02-28 is 23 sessions old, 5 are allowed. Publish a new one.",
        started_at=AT,
        finished_at=AT,
        decisions=(
            SleeveDecision(
                "russell",
                Decision.blocked(ReasonCode.SNAPSHOT_STALE, "old"),
                snapshot=SnapshotRef("russell", date(2020, 2, 28), "v1", "ab" * 32),
            ),
        ),
    )
