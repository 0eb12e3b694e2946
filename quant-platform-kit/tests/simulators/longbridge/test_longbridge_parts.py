"""Parts of the LongBridge adapter that decide without the wire: pace, token, charges, cash."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.brokers.longbridge._fees import Charges
from quant_platform_kit.brokers.longbridge._pace import WINDOW_SECS, Pace
from quant_platform_kit.brokers.longbridge._rows import (
    account,
    environment,
    order,
    positions,
    reading,
)
from quant_platform_kit.brokers.longbridge._token import alert, expires_at
from quant_platform_kit.contracts import Environment, OrderStatus, Position
from quant_platform_kit.errors import BrokerAnswerError
from quant_platform_kit.simulators.longbridge import access_token

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


# ── Pace ───────────────────────────────────────────────────────────────────────────────


@dataclass
class Watch:
    at: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at += seconds


@given(st.lists(st.floats(0, 40), min_size=1, max_size=120), st.integers(2, 40))
def test_no_thirty_seconds_ever_hold_more_requests_than_allowed(
    idle: list[float], most: int
) -> None:
    watch = Watch()
    pace = Pace(most, now=lambda: watch.at, pause=watch.pause)
    sent: list[float] = []
    for seconds in idle:
        watch.at += seconds if seconds > 20 else 0  # mostly as fast as it goes
        pace.wait()
        sent.append(watch.at)
    for index, at in enumerate(sent):
        within = [other for other in sent[: index + 1] if other > at - 30]
        assert len(within) <= most


def test_a_rebalance_goes_at_the_allowed_rate_and_never_waits_long() -> None:
    watch = Watch()
    pace = Pace(30, now=lambda: watch.at, pause=watch.pause)
    for _ in range(20):
        pace.wait()
    assert watch.at == pytest.approx(19 * 0.02)
    for _ in range(40):
        pace.wait()
    assert watch.at < 2 * WINDOW_SECS
    assert max(watch.pauses) < 3


def test_without_a_limit_nothing_waits() -> None:
    watch = Watch()
    pace = Pace(0, now=lambda: watch.at, pause=watch.pause)
    for _ in range(100):
        pace.wait()
    assert watch.pauses == []


# ── Orders ─────────────────────────────────────────────────────────────────────────────


class Word:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"Kind.{self.text}"


def an_order(*, status: str = "New", side: str = "Buy", filled: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        order_id="1",
        remark="",
        symbol="AAA.US",
        side=Word(side),
        quantity=Decimal(10),
        executed_quantity=Decimal(filled),
        status=Word(status),
        submitted_at=datetime(2026, 11, 20, 15, 30),  # noqa: DTZ001 (as the SDK gives it)
        msg="",
        order_type=Word("ELO"),
        trigger_price=None,
    )


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("WaitToNew", 0, OrderStatus.SUBMITTED),
        ("PendingCancel", 0, OrderStatus.SUBMITTED),
        ("PendingCancel", 4, OrderStatus.PARTIAL),
        ("Filled", 4, OrderStatus.PARTIAL),  # the status ran ahead of its numbers
        ("Filled", 10, OrderStatus.FILLED),
        ("PartialWithdrawal", 4, OrderStatus.CANCELLED),
        ("Canceled", 0, OrderStatus.CANCELLED),
        ("Expired", 0, OrderStatus.EXPIRED),
        ("Rejected", 0, OrderStatus.REJECTED),
    ],
)
def test_an_order_has_ended_only_when_its_numbers_agree(
    status: str, filled: int, expected: OrderStatus
) -> None:
    seen = order(an_order(status=status, filled=filled), NOW)
    assert seen.status is expected
    assert seen.client_id is None
    assert seen.submitted_at == datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


STATUSES = {
    "NotReported": OrderStatus.SUBMITTED,
    "ReplacedNotReported": OrderStatus.SUBMITTED,
    "ProtectedNotReported": OrderStatus.SUBMITTED,
    "VarietiesNotReported": OrderStatus.SUBMITTED,
    "DelayedNotReported": OrderStatus.SUBMITTED,
    "WaitToNew": OrderStatus.SUBMITTED,
    "New": OrderStatus.SUBMITTED,
    "WaitToReplace": OrderStatus.SUBMITTED,
    "PendingReplace": OrderStatus.SUBMITTED,
    "Replaced": OrderStatus.SUBMITTED,
    "PartialFilled": OrderStatus.SUBMITTED,
    "WaitToCancel": OrderStatus.SUBMITTED,
    "PendingCancel": OrderStatus.SUBMITTED,
    "Filled": OrderStatus.SUBMITTED,  # so it says, and no share was executed
    "PartialWithdrawal": OrderStatus.CANCELLED,
    "Canceled": OrderStatus.CANCELLED,
    "Expired": OrderStatus.EXPIRED,
    "Rejected": OrderStatus.REJECTED,
}


def test_every_status_that_the_sdk_knows_has_a_meaning() -> None:
    sdk = "longbridge" if find_spec("longbridge") else "longport"
    words = vars(pytest.importorskip(f"{sdk}.openapi").OrderStatus)
    assert {name for name in words if name[0].isupper()} - {"Unknown"} <= set(STATUSES)
    for name, status in STATUSES.items():
        assert order(an_order(status=name), NOW).status is status


@pytest.mark.parametrize(
    ("kind", "hours", "expected"),
    [
        ("MIT", 1, OrderStatus.UNRESOLVED),
        ("LIT", 23, OrderStatus.UNRESOLVED),
        ("TSMPCT", 23, OrderStatus.UNRESOLVED),
        ("MIT", 24, OrderStatus.EXPIRED),
        ("LO", 1, OrderStatus.EXPIRED),
    ],
)
def test_a_stop_that_is_shown_as_expired_may_work_again_for_a_day(
    kind: str, hours: int, expected: OrderStatus
) -> None:
    stop = an_order(status="Expired")
    stop.order_type = Word(kind)
    stop.updated_at = (NOW - timedelta(hours=hours)).replace(tzinfo=None)
    assert order(stop, NOW).status is expected


@pytest.mark.parametrize("row", [an_order(status="Unknown"), an_order(side="Unknown")])
def test_an_order_that_cannot_be_understood_is_not_guessed_at(row: SimpleNamespace) -> None:
    with pytest.raises(BrokerAnswerError, match="Unknown"):
        order(row, NOW)


# ── Token ──────────────────────────────────────────────────────────────────────────────


def test_a_token_says_when_it_ends() -> None:
    assert expires_at(access_token("1", expires_at=NOW)) == NOW


@pytest.mark.parametrize("token", ["", "opaque", "m_a.b.c", "m_a.e30.c", "m_a.eyJleHAiOiJ4In0.c"])
def test_a_token_that_cannot_be_read_says_nothing(token: str) -> None:
    assert expires_at(token) is None


def test_a_token_alerts_a_fortnight_before_it_ends_and_after() -> None:
    assert alert(NOW + timedelta(days=15), NOW) is None
    assert "in 13 days" in str(alert(NOW + timedelta(days=13, hours=5), NOW))
    assert "no order can be sent" in str(alert(NOW, NOW))
    assert "90 days" in str(alert(None, NOW))


# ── Charges ────────────────────────────────────────────────────────────────────────────


def an_execution(trade_id: str, quantity: str) -> SimpleNamespace:
    return SimpleNamespace(trade_id=trade_id, quantity=Decimal(quantity))


def charged(total: str, currency: str = "USD") -> SimpleNamespace:
    charges = SimpleNamespace(total_amount=Decimal(total), currency=currency)
    return SimpleNamespace(order_id="1", charge_detail=charges)


@given(
    st.decimals(0, 100, places=2),
    st.lists(st.integers(1, 1000), min_size=1, max_size=8),
)
def test_executions_share_their_orders_charges_to_the_cent(
    total: Decimal, quantities: list[int]
) -> None:
    charges = Charges(lambda _: charged(str(total)))
    executions = [an_execution(str(n), str(q)) for n, q in enumerate(quantities)]
    _, fees = charges.of("1", executions)
    assert sum(fees.values()) == total
    assert all(fee >= 0 for fee in fees.values())


def test_an_execution_keeps_its_fee_and_a_later_one_carries_what_was_charged_since() -> None:
    totals = iter(["1.00", "1.35"])
    charges = Charges(lambda _: charged(next(totals)))
    first = an_execution("a", "4")
    assert charges.of("1", [first])[1] == {"a": Decimal("1.00")}
    both = [first, an_execution("b", "6")]
    expected = {"a": Decimal("1.00"), "b": Decimal("0.35")}
    assert charges.of("1", both)[1] == expected
    assert charges.of("1", both)[1] == expected


def test_charges_in_another_currency_are_not_taken_for_dollars() -> None:
    charges = Charges(lambda _: charged("8.00", "HKD"))
    with pytest.raises(BrokerAnswerError, match="HKD"):
        charges.of("1", [an_execution("a", "1")])


# ── The account ────────────────────────────────────────────────────────────────────────


def cash(currency: str, free: str, frozen: str = "0", coming: str = "0") -> SimpleNamespace:
    return SimpleNamespace(
        currency=currency,
        available_cash=Decimal(free),
        frozen_cash=Decimal(frozen),
        settling_cash=Decimal(coming),
    )


def balance(*infos: SimpleNamespace, currency: str = "USD") -> SimpleNamespace:
    return SimpleNamespace(
        currency=currency,
        cash_infos=list(infos),
        total_cash=Decimal(1000),
        net_assets=Decimal(1500),
    )


def test_an_account_in_dollars_alone_has_its_total_as_cash() -> None:
    found = account("1", Environment.PAPER, [balance(cash("USD", "900"))])
    assert (found.cash_usd, found.usable_cash_usd) == (Decimal(1000), Decimal(900))
    assert found.equity_usd == Decimal(1500)


def test_cash_in_other_currencies_is_not_counted_as_dollars() -> None:
    infos = (cash("HKD", "5000"), cash("USD", "700", "20", "-5"))
    found = account("1", Environment.LIVE, [balance(*infos)])
    assert (found.cash_usd, found.usable_cash_usd) == (Decimal(715), Decimal(700))


@pytest.mark.parametrize(
    "balances", [[], [balance(cash("HKD", "1"))], [balance(cash("USD", "1"), currency="HKD")]]
)
def test_an_account_without_dollars_is_not_one_with_zero(balances: list[SimpleNamespace]) -> None:
    with pytest.raises(BrokerAnswerError, match="dollars"):
        account("1", Environment.LIVE, balances)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("lb", Environment.LIVE),
        ("lb_papertrading", Environment.PAPER),
        ("lb_simulated", Environment.SIMULATED),
        ("something_new", Environment.LIVE),
    ],
)
def test_the_channel_says_what_the_account_is(channel: str, expected: Environment) -> None:
    assert environment([SimpleNamespace(account_channel=channel)]) is expected


def holding(
    symbol: str, quantity: str, cost: str = "10", *, can_be_sold: str = "0"
) -> SimpleNamespace:
    return SimpleNamespace(
        symbol=symbol,
        quantity=Decimal(quantity),
        available_quantity=Decimal(can_be_sold),
        cost_price=Decimal(cost),
    )


def channel(*holdings: SimpleNamespace, name: str = "lb") -> SimpleNamespace:
    return SimpleNamespace(account_channel=name, positions=list(holdings))


def test_holdings_of_several_channels_are_one_and_other_markets_are_left_out() -> None:
    channels = [
        channel(holding("BRK.B.US", "3", "100"), holding("700.HK", "100")),
        channel(
            holding("BRK.B.US", "1", "200"),
            holding("AAA.US", "0"),
            holding("B.US", "2", "0"),
            name="lb_margin",
        ),
    ]
    assert positions(channels) == (
        Position("B", Decimal(2), None),
        Position("BRK.B", Decimal(4), Decimal(125)),
    )


@pytest.mark.parametrize(
    ("holdings", "what"),
    [
        ((holding("AAA.US", "3"), holding("AAA.US", "3")), "AAA twice"),
        ((holding("AAA.US", "0", can_be_sold="3"),), "no shares of AAA"),
        ((holding("", "3"),), "says no market"),
        ((holding("AAA", "3"),), "says no market"),
    ],
)
def test_holdings_that_may_be_fewer_or_more_than_there_are_stop_everything(
    holdings: tuple[SimpleNamespace, ...], what: str
) -> None:
    with pytest.raises(BrokerAnswerError, match=what):
        positions([channel(*holdings)])


@pytest.mark.parametrize("missing", ["total_cash", "net_assets"])
def test_money_that_the_sdk_reads_as_zero_is_not_zero(missing: str) -> None:
    told = balance(cash("USD", "900"))
    setattr(told, missing, Decimal(0))
    with pytest.raises(BrokerAnswerError, match="money is unknown"):
        account("1", Environment.PAPER, [told])


def test_a_short_position_stops_everything() -> None:
    with pytest.raises(BrokerAnswerError, match="short"):
        positions([channel(holding("AAA.US", "-1"))])


def test_a_row_that_cannot_be_true_names_what_was_read() -> None:
    with pytest.raises(BrokerAnswerError, match="orders cannot be read"), reading("orders"):
        Position("AAA", Decimal("NaN"))
