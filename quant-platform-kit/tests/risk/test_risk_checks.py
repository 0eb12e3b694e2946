"""The pre-trade checks: in their order, on what will be held, each with its figures. Card A14."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Account,
    BrokerOrder,
    CheckLine,
    CheckStatus,
    Contribution,
    Environment,
    FeeModel,
    Leg,
    OrderStatus,
    PortfolioSnapshot,
    Position,
    Side,
    TradingRules,
    Verdict,
    VerdictKind,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.risk import (
    Book,
    Check,
    GateMode,
    GateState,
    Limits,
    Losses,
    LossMeasure,
    Pause,
    check_leg,
)
from quant_platform_kit.risk._limits import PortfolioLimits, PositionLimits

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
ZERO, TEN, HUNDRED = Decimal(0), Decimal(10), Decimal(100)
PART = (Contribution("income", Decimal("0.5")),)
BUY = Leg("SPY", Side.BUY, TEN, HUNDRED, NOW, ZERO, ZERO, ZERO, ZERO, ZERO, contributors=PART)
SELL = replace(BUY, side=Side.SELL, current_quantity=TEN)
UNLIMITED = Limits(portfolio=PortfolioLimits(max_exposure_pct=None))
OPEN = GateState(GateMode.ACTIVE)
HALTED = GateState(GateMode.HALTED, "ann", "earnings")
CLOSE = NOW + timedelta(minutes=30)
CHECK = Check(OPEN, NOW, frozenset({"SPY", "BIL", "XOM"}), CLOSE, limits=UNLIMITED)
PAUSE = Pause("income", "ann", "odd", NOW)
REACHED = LossMeasure("loss.daily_loss_limit", Decimal(2500), Decimal(2000), "USD")
FINE = LossMeasure("loss.daily_loss_limit", Decimal(1500), Decimal(2000), "USD")


def limits(**changes: Any) -> Limits:  # noqa: ANN401 (any limit)
    """Return limits with one section's keys given by name."""
    position = {k: Decimal(v) for k, v in changes.items() if k.startswith("max_") and "per" in k}
    portfolio = {"max_exposure_pct": None} | {
        k: v if k in {"max_positions", "sectors"} else Decimal(v)
        for k, v in changes.items()
        if k not in position
    }
    return Limits(PositionLimits(**position), PortfolioLimits(**portfolio))  # type: ignore[arg-type]


def book(
    held: Mapping[str, int] | None = None,
    *,
    cash: int = 100_000,
    rules: TradingRules | None = None,
    sectors: Mapping[str, str] | None = None,
    prices: Mapping[str, Decimal] | None = None,
    working: tuple[BrokerOrder, ...] = (),
) -> Book:
    """Return a book whose holdings all cost 100 USD a share."""
    held = held or {}
    equity = Decimal(cash + 100 * sum(held.values()))
    account = Account("an account", Environment.PAPER, Decimal(cash), Decimal(cash), equity)
    positions = tuple(Position(symbol, Decimal(q)) for symbol, q in held.items())
    snapshot = PortfolioSnapshot(account, positions, working, NOW)
    quoted = dict.fromkeys(held, HUNDRED) if prices is None else prices
    return Book(snapshot, quoted, rules or TradingRules(), sectors or {})


def names(verdict: Verdict) -> list[str]:
    return [line.name for line in verdict.checks]


# ── Gate, freshness, scope ─────────────────────────────────────────────────────────────


def test_a_share_of_the_equity_is_told_to_a_hundredth_of_a_basis_point() -> None:
    third = book({"BIL": 1}, cash=200)
    against = replace(CHECK, limits=limits(max_exposure_pct=100))
    verdict = check_leg(replace(BUY, quantity=Decimal(1)), against, third)
    assert [c.figure for c in verdict.checks if c.name.endswith("exposure_pct")] == [
        Decimal("66.6667")
    ]


def test_an_ordinary_purchase_is_approved_and_says_what_was_checked() -> None:
    verdict = check_leg(BUY, CHECK, book())
    assert (verdict.kind, verdict.code, verdict.quantity) == (VerdictKind.APPROVED, None, None)
    assert verdict.checks == (
        CheckLine("gate"),
        CheckLine("session"),
        CheckLine("freshness", figure=ZERO, limit=Decimal(900)),
        CheckLine("scope"),
        CheckLine("portfolio.buying_power", figure=Decimal(1000), limit=Decimal(100_000)),
    )


def test_an_ordinary_sale_is_approved_and_no_limit_on_purchases_is_asked() -> None:
    tight = limits(
        max_shares_per_symbol=0,
        max_notional_per_symbol=0,
        max_positions=0,
        max_exposure_pct=0,
        max_net_exposure_pct=0,
        max_sector_pct=0,
        sectors={"SPY": "funds"},
    )
    against = replace(CHECK, limits=tight, losses=Losses((REACHED,)))
    verdict = check_leg(SELL, against, book({"SPY": 10}))
    assert verdict.kind is VerdictKind.APPROVED
    assert names(verdict) == ["gate", "session", "freshness", "scope", "position.held"]
    assert verdict.checks[-1] == CheckLine("position.held", figure=TEN, limit=TEN)


@pytest.mark.parametrize(
    ("leg", "changes", "code", "said"),
    [
        (BUY, {"gate": HALTED}, ReasonCode.GATE_CLOSED, "halted by ann: earnings"),
        (SELL, {"gate": HALTED}, ReasonCode.GATE_CLOSED, "halted by ann"),
        (BUY, {"gate": GateState(GateMode.REDUCING)}, ReasonCode.GATE_CLOSED, "reducing"),
        (BUY, {"paused": {"income": PAUSE}}, ReasonCode.STRATEGY_PAUSED, "income is paused by ann"),
        (SELL, {"paused": {"income": PAUSE}}, ReasonCode.STRATEGY_PAUSED, "odd"),
        (BUY, {"now": CLOSE}, ReasonCode.OUTSIDE_WINDOW, "the session ended at 20:00 UTC"),
        (SELL, {"now": CLOSE, "by_operator": True}, ReasonCode.OUTSIDE_WINDOW, "it is 20:00"),
        (BUY, {"managed": frozenset()}, ReasonCode.UNMANAGED_TARGET, "SPY"),
        (BUY, {"unresolved": {"SPY": "qpk-lost"}}, ReasonCode.ORDER_UNRESOLVED, "qpk-lost"),
        (replace(SELL, quantity=Decimal(10)), {}, ReasonCode.RISK_REJECTED, "10 to sell, 9 held"),
        (BUY, {"losses": Losses((FINE, REACHED))}, ReasonCode.LOSS_LIMIT, "2500.00 USD lost"),
        (BUY, {"losses": Losses((), {"income": (REACHED,)})}, ReasonCode.LOSS_LIMIT, "2000.00"),
    ],
)
def test_each_check_refuses_with_its_own_code(
    leg: Leg, changes: dict[str, Any], code: ReasonCode, said: str
) -> None:
    verdict = check_leg(leg, replace(CHECK, **changes), book({"SPY": 9}))
    assert (verdict.kind, verdict.code) == (VerdictKind.REJECTED, code)
    assert said in verdict.detail
    assert [line.status for line in verdict.checks[:-1]] == [CheckStatus.PASSED] * (
        len(verdict.checks) - 1
    )
    assert verdict.checks[-1].status is CheckStatus.REFUSED


def test_a_reducing_gate_lets_a_sale_through() -> None:
    against = replace(CHECK, gate=GateState(GateMode.REDUCING))
    assert check_leg(SELL, against, book({"SPY": 10})).approved


def test_a12_an_operator_gets_out_though_trading_is_halted_and_the_strategy_paused() -> None:
    against = replace(CHECK, gate=HALTED, paused={"income": PAUSE}, by_operator=True)
    assert check_leg(SELL, against, book({"SPY": 10})).approved


def test_the_pause_of_another_strategy_stops_nothing() -> None:
    verdict = check_leg(BUY, replace(CHECK, paused={"growth": PAUSE}), book())
    assert verdict.approved
    assert names(verdict)[:2] == ["gate", "pause"]


def test_the_loss_of_another_strategy_stops_nothing() -> None:
    losses = Losses((FINE,), {"growth": (REACHED,), "income": (FINE,)})
    verdict = check_leg(BUY, replace(CHECK, losses=losses), book())
    assert verdict.approved
    assert names(verdict).count("loss.daily_loss_limit") == 2


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(minutes=15), True),
        (timedelta(minutes=15, microseconds=1), False),
        (timedelta(minutes=-1), True),
        (timedelta(minutes=-1, microseconds=-1), False),
    ],
)
def test_a14_a_price_that_is_not_fresh_rejects(age: timedelta, fresh: bool) -> None:
    for leg in (BUY, SELL):
        verdict = check_leg(replace(leg, price_at=NOW - age), CHECK, book({"SPY": 10}))
        assert verdict.approved is fresh
        assert verdict.code is (None if fresh else ReasonCode.PRICE_STALE)


def test_the_first_refusal_names_the_reason() -> None:
    wrong = Check(
        HALTED,
        NOW,
        frozenset(),
        NOW,
        unresolved={"SPY": "x"},
        paused={"income": PAUSE},
        limits=limits(),
    )
    stale = replace(BUY, price_at=NOW - timedelta(hours=1))
    assert check_leg(stale, wrong, book()).code is ReasonCode.GATE_CLOSED
    wrong = replace(wrong, gate=OPEN)
    assert check_leg(stale, wrong, book()).code is ReasonCode.STRATEGY_PAUSED
    wrong = replace(wrong, paused={})
    assert check_leg(stale, wrong, book()).code is ReasonCode.OUTSIDE_WINDOW
    wrong = replace(wrong, closes_at=CLOSE)
    assert check_leg(stale, wrong, book()).code is ReasonCode.PRICE_STALE
    assert check_leg(BUY, wrong, book()).code is ReasonCode.UNMANAGED_TARGET
    wrong = replace(wrong, managed=CHECK.managed)
    assert check_leg(BUY, wrong, book()).code is ReasonCode.ORDER_UNRESOLVED


def test_the_checks_come_in_their_order() -> None:
    every = limits(
        max_shares_per_symbol=10,
        max_notional_per_symbol=1000,
        max_positions=1,
        max_exposure_pct=1,
        max_net_exposure_pct=1,
        max_sector_pct=1,
        sectors={"SPY": "funds"},
    )
    against = replace(
        CHECK, limits=every, paused={"growth": PAUSE}, losses=Losses((FINE,), {"income": (FINE,)})
    )
    verdict = check_leg(BUY, against, book(sectors={"SPY": "funds"}))
    assert verdict.kind is VerdictKind.APPROVED
    assert names(verdict) == [
        "gate",
        "pause",
        "session",
        "freshness",
        "scope",
        "position.max_shares_per_symbol",
        "position.max_notional_per_symbol",
        "portfolio.max_positions",
        "portfolio.max_exposure_pct",
        "portfolio.max_net_exposure_pct",
        "portfolio.max_sector_pct: funds",
        "portfolio.buying_power",
        "loss.daily_loss_limit",
        "loss.daily_loss_limit",
    ]


# ── Limits on the resulting position ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_limits", "held", "allowed", "code"),
    [
        ({"max_shares_per_symbol": 20}, 10, 10, None),
        ({"max_shares_per_symbol": 19}, 10, 9, ReasonCode.POSITION_LIMIT),
        ({"max_shares_per_symbol": 10}, 10, 0, ReasonCode.POSITION_LIMIT),
        ({"max_shares_per_symbol": 5}, 10, 0, ReasonCode.POSITION_LIMIT),
        ({"max_notional_per_symbol": 2000}, 10, 10, None),
        ({"max_notional_per_symbol": "1999.99"}, 10, 9, ReasonCode.POSITION_LIMIT),
        ({"max_notional_per_symbol": 1050}, 10, 0, ReasonCode.POSITION_LIMIT),
        ({"max_positions": 1}, 10, 10, None),
        ({"max_positions": 1}, 0, 10, None),
        ({"max_positions": 0}, 0, 0, ReasonCode.POSITION_LIMIT),
        ({"max_exposure_pct": 2}, 10, 10, None),
        ({"max_exposure_pct": "1.95"}, 10, 9, ReasonCode.PORTFOLIO_LIMIT),
        ({"max_exposure_pct": 1}, 10, 0, ReasonCode.PORTFOLIO_LIMIT),
        ({"max_net_exposure_pct": "1.95"}, 10, 9, ReasonCode.PORTFOLIO_LIMIT),
    ],
)
def test_a14_a_limit_counts_what_will_be_held_not_what_is_bought(
    given_limits: dict[str, Any], held: int, allowed: int, code: ReasonCode | None
) -> None:
    account = book({"SPY": held} if held else {}, cash=100_000 - 100 * held)  # equity 100,000
    verdict = check_leg(BUY, replace(CHECK, limits=limits(**given_limits)), account)
    assert verdict.code is code
    assert verdict.quantity == (Decimal(allowed) if 0 < allowed < 10 else None)
    assert verdict.approved is bool(allowed)
    [line] = [c for c in verdict.checks if c.name.endswith(next(iter(given_limits)))]
    assert line.limit == Decimal(next(iter(given_limits.values())))
    expected = CheckStatus.REDUCED if allowed else CheckStatus.REFUSED
    assert line.status is (CheckStatus.PASSED if code is None else expected)
    assert (code is None) is (verdict.detail == "")
    if code is not None:
        assert "after it" in verdict.detail


def test_a_figure_is_what_the_whole_leg_would_lead_to() -> None:
    every = limits(
        max_shares_per_symbol=100,
        max_notional_per_symbol=9000,
        max_positions=4,
        max_exposure_pct=50,
    )
    verdict = check_leg(BUY, replace(CHECK, limits=every), book({"SPY": 5, "BIL": 20}, cash=7500))
    figures = {c.name: c.figure for c in verdict.checks}
    assert figures["position.max_shares_per_symbol"] == 15
    assert figures["position.max_notional_per_symbol"] == 1500
    assert figures["portfolio.max_positions"] == 2
    assert figures["portfolio.max_exposure_pct"] == 35


def test_a_symbol_that_is_held_may_grow_though_the_book_is_full() -> None:
    full = replace(CHECK, limits=limits(max_positions=1))
    crowded = book({"SPY": 1, "BIL": 1, "XOM": 1})
    assert check_leg(BUY, full, crowded).approved
    assert not check_leg(replace(BUY, symbol="XOM"), full, book({"SPY": 1})).approved


def test_the_tightest_of_several_limits_counts_and_is_named() -> None:
    both = limits(max_shares_per_symbol=8, max_exposure_pct="0.5")
    verdict = check_leg(BUY, replace(CHECK, limits=both), book())
    assert (verdict.kind, verdict.quantity) == (VerdictKind.REDUCED, 5)
    assert verdict.code is ReasonCode.PORTFOLIO_LIMIT
    assert [c.status for c in verdict.checks if c.status is not CheckStatus.PASSED] == [
        CheckStatus.REDUCED,
        CheckStatus.REDUCED,
    ]
    looser_last = limits(max_shares_per_symbol=3, max_exposure_pct="0.5")
    verdict = check_leg(BUY, replace(CHECK, limits=looser_last), book())
    assert (verdict.quantity, verdict.code) == (3, ReasonCode.POSITION_LIMIT)


def test_a_limit_that_allows_just_what_an_earlier_one_left_passes() -> None:
    same = limits(max_shares_per_symbol=5, max_exposure_pct="0.5")
    verdict = check_leg(BUY, replace(CHECK, limits=same), book())
    assert (verdict.quantity, verdict.code) == (5, ReasonCode.POSITION_LIMIT)
    status = {line.name: line.status for line in verdict.checks}
    assert status["portfolio.max_exposure_pct"] is CheckStatus.PASSED


def test_a_reduced_leg_is_of_whole_lots_and_says_so() -> None:
    rules = TradingRules(lot_shares=Decimal(4))
    against = replace(CHECK, rules=rules, limits=limits(max_shares_per_symbol=7))
    verdict = check_leg(BUY, against, book())
    assert verdict.quantity == 4
    leg = BUY.limited(verdict)
    assert (leg.quantity, leg.limited_by) == (4, ReasonCode.POSITION_LIMIT)
    assert BUY.limited(Verdict()) is BUY


@pytest.mark.parametrize(("minimum", "approved"), [("300", True), ("300.01", False)])
def test_what_the_broker_would_not_take_is_rejected_not_reduced(
    minimum: str, approved: bool
) -> None:
    rules = TradingRules(minimum_notional_usd=Decimal(minimum))
    against = replace(CHECK, rules=rules, limits=limits(max_shares_per_symbol=3))
    assert check_leg(BUY, against, book()).approved is approved


def test_the_default_limit_never_stops_what_cash_pays_for() -> None:
    rules = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))
    against = replace(CHECK, limits=Limits(), rules=rules)
    account = book({"BIL": 50}, cash=1001, rules=rules)
    assert check_leg(BUY, against, account).kind is VerdictKind.APPROVED


def test_a_purchase_on_credit_is_reduced_to_the_cash_there_is() -> None:
    rules = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))
    against = replace(CHECK, rules=rules)
    verdict = check_leg(BUY, against, book(cash=1000, rules=rules))
    assert (verdict.quantity, verdict.code) == (9, ReasonCode.CASH_SHORT)
    assert verdict.detail == (
        "portfolio.buying_power: 1000.50 USD with its fee, 1000.00 USD of cash"
    )
    assert check_leg(BUY, against, book(cash=90, rules=rules)).kind is VerdictKind.REJECTED


# ── Sectors ────────────────────────────────────────────────────────────────────────────

SECTORS = {"XOM": "energy", "CVX": "energy", "SPY": "funds"}


@pytest.mark.parametrize(
    ("symbol", "name", "allowed"),
    [("XOM", "energy", 5), ("SPY", "funds", None), ("BIL", "unclassified", 8)],
)
def test_a_sector_is_limited_as_a_whole(symbol: str, name: str, allowed: int | None) -> None:
    account = book({"CVX": 5, "GLD": 2}, cash=9300, sectors=SECTORS)
    against = replace(CHECK, limits=limits(max_sector_pct=10, sectors=SECTORS))
    verdict = check_leg(replace(BUY, symbol=symbol), against, account)
    assert verdict.quantity == allowed
    assert verdict.code is (ReasonCode.PORTFOLIO_LIMIT if allowed else None)
    assert f"portfolio.max_sector_pct: {name}" in names(verdict)


def test_a_sector_counts_the_legs_before() -> None:
    account = book({"CVX": 5}, cash=9500, sectors=SECTORS)
    against = replace(CHECK, limits=limits(max_sector_pct=10, sectors=SECTORS))
    account.take(replace(BUY, symbol="XOM", quantity=Decimal(2)))
    assert check_leg(replace(BUY, symbol="XOM"), against, account).quantity == 3
    account.take(replace(SELL, symbol="CVX", quantity=Decimal(4)))
    assert check_leg(replace(BUY, symbol="XOM"), against, account).quantity == 7


def test_a14_a_sector_with_a_holding_of_unknown_value_takes_no_more() -> None:
    account = book({"CVX": 5}, sectors=SECTORS, prices={})
    against = replace(CHECK, limits=limits(max_sector_pct=90, sectors=SECTORS))
    verdict = check_leg(replace(BUY, symbol="XOM"), against, account)
    assert (verdict.kind, verdict.code) == (VerdictKind.REJECTED, ReasonCode.PRICE_MISSING)
    assert "CVX has no price" in verdict.detail
    assert check_leg(BUY, against, account).approved


# ── The book from leg to leg ───────────────────────────────────────────────────────────


def test_the_legs_before_count() -> None:
    against = replace(CHECK, limits=limits(max_exposure_pct=15, max_positions=1))
    account = book({"BIL": 10}, cash=9000)
    assert check_leg(BUY, against, account).code is ReasonCode.POSITION_LIMIT
    account.take(replace(SELL, symbol="BIL"))
    verdict = check_leg(BUY, against, account)
    assert verdict.kind is VerdictKind.APPROVED
    account.take(BUY)
    assert check_leg(BUY, against, account).quantity == 5
    assert account.shares("SPY") == 10
    assert account.positions == 1


def test_what_is_sold_twice_is_held_once() -> None:
    account = book({"SPY": 15})
    assert check_leg(SELL, CHECK, account).approved
    account.take(SELL)
    assert check_leg(SELL, CHECK, account).detail == "10 to sell, 5 held"


def test_a_sale_pays_for_a_purchase_less_its_fee() -> None:
    rules = TradingRules(fees=FeeModel(minimum_usd=Decimal(1)))
    account = book({"BIL": 10}, cash=1, rules=rules)
    account.take(replace(SELL, symbol="BIL"))
    assert account.cash_usd == 1000
    account.take(replace(BUY, quantity=Decimal(9)))
    assert account.cash_usd == 99
    assert account.exposure_usd == 900


def working(symbol: str, side: Side, filled: int = 4) -> BrokerOrder:
    """Return an order over ten shares."""
    status = OrderStatus.PARTIAL
    return BrokerOrder("b-1", None, symbol, side, TEN, Decimal(filled), status, NOW)


def test_a_purchase_that_works_at_the_broker_counts_as_done() -> None:
    account = book({"BIL": 10}, cash=1000, working=(working("BIL", Side.BUY),))
    assert account.shares("BIL") == 16
    assert account.cash_usd == 400
    assert account.exposure_usd == 1600
    fresh = book(cash=1000, working=(working("SPY", Side.BUY),), prices={"SPY": HUNDRED})
    assert (fresh.positions, fresh.shares("SPY")) == (1, 6)


def test_a_sale_that_works_at_the_broker_is_not_counted_on() -> None:
    account = book({"BIL": 10}, cash=1000, working=(working("BIL", Side.SELL),))
    assert (account.shares("BIL"), account.cash_usd) == (10, 1000)


@given(
    held=st.integers(0, 50),
    quantity=st.integers(1, 100),
    price=st.decimals("0.5", 500, places=2),
    lot=st.sampled_from([Decimal(1), Decimal("0.001"), Decimal(10)]),
    cash=st.integers(0, 50_000),
    shares=st.integers(0, 120),
    notional=st.integers(0, 20_000),
    exposure=st.integers(0, 120),
)
def test_what_is_approved_respects_every_limit_and_is_never_more_than_was_asked(
    held: int,
    quantity: int,
    price: Decimal,
    lot: Decimal,
    cash: int,
    shares: int,
    notional: int,
    exposure: int,
) -> None:
    rules = TradingRules(lot_shares=lot, fees=FeeModel(notional_bps=Decimal(5)))
    worth = Decimal(held) * price
    account = Account("a", Environment.PAPER, Decimal(cash), Decimal(cash), cash + worth + 1)
    positions = (Position("SPY", Decimal(held)),) if held else ()
    snapshot = PortfolioSnapshot(account, positions, (), NOW)
    tried = Book(snapshot, {"SPY": price}, rules, {})
    given_limits = limits(
        max_shares_per_symbol=shares, max_notional_per_symbol=notional, max_exposure_pct=exposure
    )
    leg = replace(BUY, quantity=Decimal(quantity), price_usd=price)
    verdict = check_leg(leg, replace(CHECK, limits=given_limits, rules=rules), tried)
    if not verdict.approved:
        return
    allowed = leg.limited(verdict)
    assert allowed.quantity <= leg.quantity
    assert verdict.kind is VerdictKind.APPROVED or allowed.quantity % lot == 0
    tried.take(allowed)
    assert tried.cash_usd >= 0
    assert tried.shares("SPY") <= shares
    assert tried.shares("SPY") * price <= notional
    assert tried.exposure_usd <= tried.equity_usd * exposure / 100
