"""A small market, a clock inside one of its sessions, and simulated accounts on both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import Faults, FrameMarket, SimulatedBroker
from quant_platform_kit.contracts import Adjustment, FeeModel, TradingRules
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

SESSION = date(2020, 3, 31)
FIRST, LAST = date(2020, 3, 2), date(2020, 4, 30)
FEES = FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal("1.00"))

OpenBroker = Callable[..., SimulatedBroker]


def flat(symbol: str, price: float, *, without: date | None = None) -> BarFrame:
    """Return bars that close at `price` in every session but one."""
    sessions = [day for day in xnys().sessions(FIRST, LAST) if day != without]
    return BarFrame(
        symbol=symbol,
        sessions=sessions,
        close=[price] * len(sessions),
        adjustment=Adjustment.TOTAL_RETURN,
    )


def rising(symbol: str) -> BarFrame:
    """Return bars that close a dollar higher in every session, beginning at 1."""
    sessions = xnys().sessions(FIRST, LAST)
    closes = [float(n) for n, _ in enumerate(sessions, 1)]
    return BarFrame(
        symbol=symbol, sessions=sessions, close=closes, adjustment=Adjustment.TOTAL_RETURN
    )


@pytest.fixture
def market() -> FrameMarket:
    """AAA at 10.00, BBB at 20.00, UP rising; GAP was not priced in the session."""
    frames = [flat("AAA", 10.0), flat("BBB", 20.0), flat("GAP", 5.0, without=SESSION), rising("UP")]
    return FrameMarket({frame.symbol: frame for frame in frames})


@pytest.fixture
def clock() -> SimulatedClock:
    """Half an hour before the close of the session: 15:30 in New York."""
    return SimulatedClock(datetime(2020, 3, 31, 19, 30, tzinfo=UTC))


@pytest.fixture
def faults() -> Faults:
    """Fault switches, all off."""
    return Faults()


@pytest.fixture
def book_path(tmp_path: Path) -> Path:
    """Where a book's file goes."""
    return tmp_path / "state" / "book.jsonl"


@pytest.fixture
def open_broker(market: FrameMarket, clock: SimulatedClock, faults: Faults) -> OpenBroker:
    """Open a simulated account of 1,000 USD; arguments replace the usual parts."""

    def build(**parts: Any) -> SimulatedBroker:  # noqa: ANN401 (any part)
        usual: dict[str, Any] = {
            "rules": TradingRules(fees=FEES),
            "opening_cash_usd": Decimal(1000),
            "faults": faults,
        }
        kind: type[SimulatedBroker] = parts.pop("kind", SimulatedBroker)
        return kind(
            parts.pop("account_id", "DU123"),
            parts.pop("market", market),
            parts.pop("clock", clock),
            xnys(),
            **usual | parts,
        )

    return build


@pytest.fixture
def broker(open_broker: OpenBroker) -> SimulatedBroker:
    """Open the usual account, in memory."""
    return open_broker()
