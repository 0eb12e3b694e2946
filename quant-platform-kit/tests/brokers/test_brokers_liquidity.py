"""How much of an order a session takes, and at what price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.brokers import (
    Fault,
    Faults,
    FaultSwitch,
    FrameMarket,
    Impact,
    Liquidity,
    SimulatedBroker,
)
from quant_platform_kit.contracts import (
    Adjustment,
    FeeModel,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SubmitOutcome,
    TimeInForce,
    TradingRules,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys

OpenBroker = Callable[..., SimulatedBroker]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SESSIONS = xnys().sessions(date(2020, 3, 31), date(2020, 4, 3))
TENTH = Decimal("0.1")
GTC = TimeInForce.GTC
CENT = Decimal("0.01")


def traded(
    volumes: Sequence[float] | None, closes: Sequence[float] = (10.0, 10.0, 10.0, 10.0)
) -> FrameMarket:
    """Return a market where AAA closes and trades as given, from the session of the clock on."""
    return FrameMarket(
        {
            "AAA": BarFrame(
                symbol="AAA",
                sessions=SESSIONS,
                close=closes,
                volume=volumes,
                adjustment=Adjustment.RAW,
            )
        }
    )


@pytest.fixture
def thin(open_broker: OpenBroker) -> Callable[..., SimulatedBroker]:
    """Open an account that takes a tenth of each session's volume."""

    def build(volumes: Sequence[float] | None, **parts: Any) -> SimulatedBroker:  # noqa: ANN401
        closes = parts.pop("closes", (10.0, 10.0, 10.0, 10.0))
        usual: dict[str, Any] = {
            "rules": TradingRules(),
            "liquidity": Liquidity(TENTH),
            "market": traded(volumes, closes),
        }
        return open_broker(**usual | parts)

    return build


def send(
    broker: SimulatedBroker,
    client_id: str,
    shares: str = "20",
    side: Side = Side.BUY,
    **more: Any,  # noqa: ANN401 (any field of an order)
) -> SubmitOutcome:
    return broker.submit(OrderRequest(client_id, "AAA", side, Decimal(shares), **more)).outcome


def filled(broker: SimulatedBroker, client_id: str) -> tuple[OrderStatus, int]:
    order = broker.find_order(client_id)
    assert order is not None
    return order.status, int(order.filled_quantity)


def limited(price: str, time_in_force: TimeInForce = GTC) -> dict[str, Any]:
    return {
        "order_type": OrderType.LIMIT,
        "limit_price_usd": Decimal(price),
        "time_in_force": time_in_force,
    }


# ── Participation ──────────────────────────────────────────────────────────────────────


def test_a_session_takes_its_part_and_the_rest_of_a_day_order_expires(
    thin: OpenBroker, clock: SimulatedClock
) -> None:
    broker = thin([129.0, 1e6, 1e6, 1e6])
    send(broker, "day")
    assert filled(broker, "day") == (OrderStatus.PARTIAL, 12)
    clock.sleep(1_799)
    assert filled(broker, "day") == (OrderStatus.PARTIAL, 12)
    clock.sleep(1)
    assert filled(broker, "day") == (OrderStatus.EXPIRED, 12)
    assert broker.account().usable_cash_usd == 1_000 - 120


def test_an_order_until_cancelled_goes_on_with_the_next_sessions_volume_and_price(
    thin: OpenBroker, clock: SimulatedClock
) -> None:
    broker = thin([120.0, 59.0, 0.0, 1e6], closes=(10.0, 9.0, 9.5, 9.25))
    send(broker, "gtc", **limited("10.00"))
    clock.advance_to(clock.now() + timedelta(days=3))
    assert filled(broker, "gtc") == (OrderStatus.FILLED, 20)
    assert [(f.quantity, f.price_usd) for f in broker.fills_since(LONG_AGO)] == [
        (12, Decimal("10.00")),
        (5, Decimal("9.00")),
        (3, Decimal("9.25")),
    ]


def test_all_orders_of_a_session_share_its_volume_first_come_first_served(
    thin: OpenBroker, clock: SimulatedClock
) -> None:
    broker = thin([150.0, 150.0, 0.0, 0.0])
    for name in ("first", "second", "third"):
        send(broker, name, "10", **limited("10.00"))
    assert [filled(broker, name)[1] for name in ("first", "second", "third")] == [10, 5, 0]
    clock.advance_to(clock.now() + timedelta(days=1))
    assert [filled(broker, name)[1] for name in ("first", "second", "third")] == [10, 10, 10]
    send(broker, "sale", "5", Side.SELL)
    assert filled(broker, "sale") == (OrderStatus.SUBMITTED, 0)  # what was bought counts too


def test_a_part_is_of_whole_lots_unless_it_is_all(thin: OpenBroker) -> None:
    broker = thin([250.0, 0.0, 0.0, 0.0], rules=TradingRules(lot_shares=Decimal(10)))
    send(broker, "lots", "30")
    assert filled(broker, "lots") == (OrderStatus.PARTIAL, 20)


def test_without_volume_nothing_trades_and_where_it_is_unknown_everything(
    thin: OpenBroker,
) -> None:
    nobody, anybody = thin([0.0, 0.0, 0.0, 0.0]), thin(None)
    assert send(nobody, "one") is send(anybody, "one") is SubmitOutcome.ACKED
    assert filled(nobody, "one") == (OrderStatus.SUBMITTED, 0)
    assert filled(anybody, "one") == (OrderStatus.FILLED, 20)


def test_a_late_execution_takes_its_part_too(
    thin: OpenBroker, clock: SimulatedClock, faults: Faults
) -> None:
    broker = thin([120.0, 0.0, 0.0, 0.0])
    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=10))
    send(broker, "late")
    clock.sleep(60)
    assert filled(broker, "late") == (OrderStatus.PARTIAL, 12)
    clock.sleep(3_600)
    assert filled(broker, "late") == (OrderStatus.EXPIRED, 12)


def test_outside_the_session_nothing_is_taken(
    thin: OpenBroker, clock: SimulatedClock, faults: Faults
) -> None:
    broker = thin([120.0, 0.0, 0.0, 0.0])
    faults.set(FaultSwitch(Fault.LATE_FILL, delay_secs=3_600))
    send(broker, "late", **limited("10.00"))
    clock.sleep(7_200)
    assert filled(broker, "late") == (OrderStatus.SUBMITTED, 0)


def test_the_fee_of_an_order_follows_each_part_at_its_own_price(
    thin: OpenBroker, clock: SimulatedClock
) -> None:
    fees = FeeModel(notional_bps=Decimal(100), minimum_usd=Decimal("1.10"))
    broker = thin(
        [100.0, 100.0, 0.0, 0.0], closes=(10.0, 5.0, 5.0, 5.0), rules=TradingRules(fees=fees)
    )
    send(broker, "gtc", **limited("10.00"))
    clock.advance_to(clock.now() + timedelta(days=1))
    # 1.00 for the first hundred dollars is less than the least fee; 1.50 for both parts.
    assert [f.fee_usd for f in broker.fills_since(LONG_AGO)] == [Decimal("1.10"), Decimal("0.40")]


# ── Slippage ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("liquidity", "bought", "sold"),
    [
        (Liquidity(), "10.00", "10.00"),
        (Liquidity(half_spread_ratio=Decimal("0.0005")), "10.01", "9.99"),
        (Liquidity(impact_ratio=Decimal("0.02")), "10.04", "9.96"),  # 0.02 * sqrt(0.04)
        (Liquidity(impact_ratio=Decimal("0.1"), impact=Impact.LINEAR), "10.04", "9.96"),
        (Liquidity(None, Decimal("0.002"), Decimal("0.02")), "10.06", "9.94"),
    ],
)
def test_a_purchase_pays_more_and_a_sale_brings_less(
    liquidity: Liquidity, bought: str, sold: str, thin: OpenBroker
) -> None:
    broker = thin([500.0, 0.0, 0.0, 0.0], liquidity=liquidity)
    send(broker, "in")
    send(broker, "out", side=Side.SELL)
    prices = [fill.price_usd for fill in broker.fills_since(LONG_AGO)]
    assert prices == [Decimal(bought), Decimal(sold)]


def test_a_limit_is_the_worst_price_of_an_order(thin: OpenBroker) -> None:
    broker = thin(None, liquidity=Liquidity(half_spread_ratio=Decimal("0.01")))
    send(broker, "in", **limited("10.05"))
    send(broker, "out", side=Side.SELL, **limited("9.98"))
    prices = [fill.price_usd for fill in broker.fills_since(LONG_AGO)]
    assert prices == [Decimal("10.05"), Decimal("9.98")]


def test_cash_has_to_pay_the_slippage_too(thin: OpenBroker) -> None:
    broker = thin(None, liquidity=Liquidity(half_spread_ratio=Decimal("0.01")))
    assert send(broker, "all", "100") is SubmitOutcome.REJECTED
    assert send(broker, "less", "99") is SubmitOutcome.ACKED


def test_a_stop_slips_from_the_price_that_triggered_it(
    thin: OpenBroker, clock: SimulatedClock
) -> None:
    half_spread = Liquidity(half_spread_ratio=Decimal("0.01"))
    broker = thin(None, liquidity=half_spread, closes=(10.0, 8.0, 8.0, 8.0))
    send(broker, "in")
    stop = {"order_type": OrderType.STOP, "stop_price_usd": Decimal(9), "time_in_force": GTC}
    send(broker, "stop", side=Side.SELL, **stop)
    clock.advance_to(clock.now() + timedelta(days=1))
    assert broker.fills_since(LONG_AGO)[-1].price_usd == Decimal("7.92")


ratios = st.decimals("0", "0.5", places=4)


@given(
    st.builds(Liquidity, st.none(), ratios, ratios, st.sampled_from(Impact)),
    st.sampled_from(Side),
    st.decimals("0.01", "500", places=2),
    st.integers(1, 10_000).map(Decimal),
    st.none() | st.integers(0, 20_000).map(Decimal),
)
def test_slippage_never_helps_lies_on_a_tick_and_grows_with_the_order(
    liquidity: Liquidity, side: Side, price: Decimal, shares: Decimal, volume: Decimal | None
) -> None:
    sign = 1 if side is Side.BUY else -1
    small = liquidity.price(side, price, shares, volume, CENT)
    large = liquidity.price(side, price, shares * 2, volume, CENT)
    assert small >= CENT
    assert small % CENT == 0
    assert sign * (small - price) >= 0
    assert sign * (large - small) >= 0
    worst = price * (1 + sign * (liquidity.half_spread_ratio + liquidity.impact_ratio))
    assert sign * (worst - large) > -CENT or large == CENT


@pytest.mark.parametrize(
    ("field", "ratio"),
    [
        ("participation_ratio", "0"),
        ("participation_ratio", "1.1"),
        ("half_spread_ratio", "-0.1"),
        ("half_spread_ratio", "1"),
        ("impact_ratio", "1"),
    ],
)
def test_a_ratio_out_of_range_is_refused_by_its_name(field: str, ratio: str) -> None:
    with pytest.raises(ContractError, match=rf"Liquidity\.{field} = {ratio}"):
        Liquidity(**{field: Decimal(ratio)})
