"""One example of every contract: it is accepted, it survives its JSON form, and spoilt it is not.

The table is complete: a contract without an example fails the first test.
"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from quant_platform_kit import contracts
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    Bar,
    BrokerOrder,
    Cadence,
    Capabilities,
    CashMovement,
    ChainBreak,
    CheckLine,
    Contribution,
    CycleReport,
    CycleRequest,
    Decision,
    DecisionOutcome,
    Eligibility,
    Environment,
    EvidenceEntry,
    EvidenceKind,
    ExecutionHints,
    ExecutionMode,
    Fact,
    FeatureRow,
    FeatureSnapshot,
    FeeModel,
    Fill,
    FrozenSleeve,
    Heartbeat,
    HistoryInput,
    HistoryRef,
    InputMode,
    Instrument,
    Leg,
    LegVerdict,
    MovementKind,
    OperatorAction,
    OperatorCommand,
    OrderLine,
    OrderPlan,
    OrderRequest,
    OrderStatus,
    OrderTerms,
    OrderType,
    Outcome,
    PortfolioSnapshot,
    PortfolioTarget,
    Position,
    PositionLine,
    ProfileStatus,
    Quote,
    RateLimit,
    Rollout,
    Side,
    Signal,
    SignalAction,
    Skipped,
    SleeveDecision,
    SnapshotInput,
    SnapshotManifest,
    SnapshotRef,
    Standing,
    StrategyIdentity,
    StrategyManifest,
    Submission,
    SubmitOutcome,
    Target,
    TargetMode,
    TargetPortfolio,
    TimeInForce,
    TradingRules,
    Verdict,
    canonical,
    decode,
)
from quant_platform_kit.errors import ContractError, ReasonCode

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
DAY = date(2020, 3, 31)
ONE, TEN, HUNDRED = Decimal(1), Decimal(10), Decimal(100)
NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
SHA = "0123456789abcdef" * 4
LOCAL = datetime(2020, 3, 31, 15, 30, tzinfo=timezone(timedelta(hours=-4)))
NAIVE = NOW.replace(tzinfo=None)

LEG = Leg("SPY", Side.BUY, TEN, HUNDRED, NOW, HUNDRED, Decimal(0), TEN, Decimal(0), TEN)
ORDER = BrokerOrder("b-1", "qpk-1", "SPY", Side.BUY, TEN, ONE, OrderStatus.PARTIAL, NOW)
HOLD = Decision.hold("not a rebalance day")
MANIFEST_OF_SNAPSHOT = SnapshotManifest(
    contract="example.v1",
    profile="example",
    version="2020-03-31-a",
    as_of=DAY,
    snapshot_file="snapshot.csv",
    snapshot_sha256=SHA,
    row_count=1,
    columns=("symbol", "sector", "momentum"),
    config_sha256=SHA,
    adjustment=Adjustment.TOTAL_RETURN,
    generated_at=NOW,
    code_version="0.1.0",
    sources={"prices": SHA},
)

EXAMPLES: dict[type, dict[str, Any]] = {
    Account: {
        "account_id": "an account",
        "environment": Environment.PAPER,
        "cash_usd": Decimal("-5.25"),
        "usable_cash_usd": Decimal(0),
        "equity_usd": HUNDRED,
    },
    Bar: {
        "symbol": "SPY",
        "session": DAY,
        "open": Decimal(11),
        "high": Decimal(12),
        "low": Decimal(9),
        "close": TEN,
        "volume": Decimal(0),
        "adjustment": Adjustment.RAW,
    },
    BrokerOrder: {
        "broker_order_id": "b-1",
        "client_id": None,
        "symbol": "SPY",
        "side": Side.SELL,
        "quantity": TEN,
        "filled_quantity": TEN,
        "status": OrderStatus.FILLED,
        "submitted_at": NOW,
    },
    Capabilities: {
        "platform": "ibkr",
        "display_name": "Interactive Brokers",
        "domains": ("us_equity",),
        "adjustments": (Adjustment.TOTAL_RETURN,),
        "bar_columns": ("close",),
        "order_types": (OrderType.MARKET,),
        "client_tag": None,
        "settlement_sessions": 1,
        "extended_hours": False,
    },
    CashMovement: {
        "movement_id": "b-7",
        "at": NOW,
        "amount_usd": Decimal("-1.50"),
        "kind": MovementKind.TAX,
        "symbol": "SPY",
        "text": "withheld",
    },
    ChainBreak: {"seq": 7, "problem": "is not what was written"},
    CheckLine: {"name": "portfolio.max_exposure_pct", "figure": TEN, "limit": HUNDRED},
    Contribution: {"sleeve": "example", "amount": Decimal("0.25")},
    CycleReport: {
        "run_key": "ibkr-1:2020-03-31:close",
        "platform": "ibkr",
        "account": "ibkr-1",
        "session": DAY,
        "slot": "close",
        "mode": ExecutionMode.PAPER,
        "environment": Environment.SIMULATED,
        "outcome": Outcome.TRADED,
        "code": None,
        "reason": "",
        "started_at": NOW,
        "finished_at": NOW,
        "versions": {"quant-platform-kit": "0.1.0"},
    },
    CycleRequest: {"slot": "close", "session": DAY, "strategies": ("one", "two")},
    Decision: {
        "outcome": DecisionOutcome.REBALANCE,
        "mode": TargetMode.WEIGHT,
        "targets": (Target("SPY", Decimal("0.6")), Target("BIL", Decimal("0.4"))),
        "signals": (Signal("SPY", SignalAction.BUY, ONE),),
        "diagnostics": {"state": "up"},
    },
    Eligibility: {"reasons": ("it serves another market",)},
    EvidenceEntry: {
        "seq": 7,
        "run_key": "ibkr-1:2020-03-31:close",
        "kind": EvidenceKind.FILL,
        "key": "qpk-1",
        "payload": "{}",
        "sha256": SHA,
    },
    ExecutionHints: {"rebalance_threshold_ratio": Decimal("0.01"), "min_trade_usd": TEN},
    Fact: {"kind": EvidenceKind.DECISION, "key": "spy_macd_vixy", "content": "hold"},
    FeatureRow: {"symbol": "SPY", "sector": "Funds", "features": {"momentum": 0.5}},
    FeatureSnapshot: {
        "manifest": MANIFEST_OF_SNAPSHOT,
        "rows": (FeatureRow("SPY", "Funds", {"momentum": 0.5}),),
    },
    FeeModel: {"per_share_usd": Decimal("0.005"), "minimum_usd": ONE},
    Fill: {
        "fill_id": "f-1",
        "broker_order_id": "b-1",
        "client_id": "qpk-1",
        "symbol": "BRK.B",
        "side": Side.BUY,
        "quantity": TEN,
        "price_usd": HUNDRED,
        "fee_usd": Decimal(0),
        "at": NOW,
    },
    FrozenSleeve: {"sleeve": "example", "code": ReasonCode.HOLD, "detail": "", "symbols": ("SPY",)},
    Heartbeat: {"run_key": "key", "language": "zh", "title": "标题", "body": "正文"},
    HistoryInput: {"symbols": ("SPY", "^VIX"), "sessions": 200},
    Instrument: {"symbol": "SPY"},
    Leg: {
        "symbol": "SPY",
        "side": Side.SELL,
        "quantity": TEN,
        "price_usd": HUNDRED,
        "price_at": NOW,
        "target_usd": Decimal(0),
        "current_usd": Decimal(1000),
        "target_quantity": Decimal(0),
        "current_quantity": TEN,
        "exact_quantity": Decimal(0),
        "contributors": (Contribution("example", Decimal(0)),),
    },
    LegVerdict: {"symbol": "SPY", "side": Side.BUY, "quantity": TEN, "verdict": Verdict()},
    OperatorCommand: {
        "action": OperatorAction.CLOSE,
        "who": "ann",
        "why": "headline",
        "subject": "SPY",
    },
    OrderLine: {
        "client_id": "qpk-1",
        "broker_order_id": None,
        "symbol": "SPY",
        "side": Side.BUY,
        "quantity": TEN,
        "filled_quantity": Decimal(0),
        "average_price_usd": None,
        "fee_usd": Decimal(0),
        "status": OrderStatus.UNRESOLVED,
        "code": ReasonCode.ORDER_UNRESOLVED,
        "detail": "",
        "leg": LEG,
    },
    OrderPlan: {
        "capital_base_usd": HUNDRED,
        "sized_on_usd": HUNDRED,
        "sells": (),
        "buys": (LEG,),
        "skipped": (Skipped("BIL", ReasonCode.AT_TARGET),),
        "reserve_usd": Decimal(0),
        "residual_cash_usd": Decimal(0),
    },
    OrderTerms: {"order_type": OrderType.MARKET},
    OrderRequest: {"client_id": "qpk-1", "symbol": "SPY", "side": Side.BUY, "quantity": TEN},
    PortfolioSnapshot: {
        "account": Account("an account", Environment.LIVE, HUNDRED, HUNDRED, HUNDRED),
        "positions": (Position("SPY", TEN),),
        "open_orders": (ORDER,),
        "taken_at": NOW,
    },
    PortfolioTarget: {"symbol": "SPY", "amount": ONE},
    Position: {"symbol": "SPY", "quantity": Decimal("0.5"), "average_cost_usd": HUNDRED},
    PositionLine: {
        "symbol": "SPY",
        "quantity": TEN,
        "price_usd": None,
        "value_usd": None,
        "weight": None,
        "target_weight": ONE,
        "managed": True,
    },
    Quote: {
        "symbol": "SPY",
        "price_usd": HUNDRED,
        "at": NOW,
        "bid_usd": Decimal(99),
        "ask_usd": Decimal(101),
    },
    RateLimit: {"requests": 30, "seconds": 30},
    Rollout: {"platform": "ibkr", "enabled": ("one", "two"), "default": "one"},
    Signal: {"symbol": "SPY", "action": SignalAction.HOLD, "confidence": Decimal("0.5")},
    Skipped: {"symbol": "SPY", "code": ReasonCode.BELOW_LOT},
    SleeveDecision: {"profile": "example", "decision": HOLD},
    SnapshotInput: {"contract": "example.v1", "columns": ("momentum",), "max_age_sessions": 0},
    SnapshotManifest: {
        name: getattr(MANIFEST_OF_SNAPSHOT, name) for name in MANIFEST_OF_SNAPSHOT.__slots__
    },
    HistoryRef: {
        "adjustment": Adjustment.TOTAL_RETURN,
        "symbols": 2,
        "first_session": DAY,
        "last_session": DAY,
    },
    SnapshotRef: {"profile": "example", "as_of": DAY, "version": "a", "sha256": SHA},
    Standing: {"eligibility": Eligibility(), "enabled": True},
    StrategyIdentity: {
        "profile": "example",
        "display_name": {"en": "Example", "zh": "示例"},
        "input_mode": InputMode.DIRECT,
    },
    StrategyManifest: {
        "profile": "example",
        "display_name": {"en": "Example", "zh": "示例"},
        "description": {"en": "Holds one.", "zh": "持有一只。"},
        "cadence": Cadence.MONTHLY,
        "benchmark": "SPY",
        "target_mode": TargetMode.WEIGHT,
        "status": ProfileStatus.PAPER,
        "managed": ("SPY", "BIL"),
        "safe_haven": "BIL",
        "history": HistoryInput(("SPY",), 1),
    },
    Submission: {"outcome": SubmitOutcome.ACKED, "broker_order_id": "b-1"},
    Target: {"symbol": "SPY", "amount": Decimal(0)},
    TargetPortfolio: {
        "mode": TargetMode.WEIGHT,
        "managed": ("SPY", "BIL"),
        "targets": (PortfolioTarget("SPY", ONE),),
    },
    TradingRules: {"lot_shares": ONE, "buy_price_buffer_ratio": Decimal("0.02")},
    Verdict: {"code": ReasonCode.POSITION_LIMIT, "quantity": TEN, "checks": (CheckLine("gate"),)},
}

Refusal = tuple[type, dict[str, Any], str]
REFUSALS: list[Refusal] = [
    (Account, {"account_id": " "}, "account_id"),
    *[(Account, {f: NAN}, f) for f in ("cash_usd", "usable_cash_usd", "equity_usd")],
    *[(Bar, {f: Decimal(0)}, f) for f in ("open", "high", "low", "close")],
    (Bar, {"high": TEN}, "high"),
    (Bar, {"low": Decimal("10.5")}, "high"),
    (Bar, {"volume": -ONE}, "volume"),
    (BrokerOrder, {"broker_order_id": ""}, "broker_order_id"),
    (BrokerOrder, {"quantity": Decimal(0)}, "quantity"),
    (BrokerOrder, {"filled_quantity": Decimal(11)}, "filled_quantity"),
    (BrokerOrder, {"filled_quantity": -ONE}, "filled_quantity"),
    (BrokerOrder, {"submitted_at": NAIVE}, "submitted_at"),
    *[(Capabilities, {f: " "}, f) for f in ("platform", "display_name")],
    (Capabilities, {"domains": ("us_equity",) * 2}, "domains"),
    (Capabilities, {"lot_shares": Decimal(0)}, "lot_shares"),
    (Capabilities, {"settlement_sessions": -1}, "settlement_sessions"),
    (Capabilities, {"order_days": 0}, "order_days"),
    *[(CycleRequest, {"slot": slot}, "slot") for slot in ("", "two words", "a:b", "a/b", None)],
    *[(CycleRequest, {"strategies": s}, "strategies") for s in ((), "one", ["one"], ("",), (1,))],
    (Decision, {"outcome": "rebalance"}, "outcome"),
    (Decision, {"mode": None}, "mode"),
    (Decision, {"targets": (Target("SPY", Decimal("1.01")),)}, "targets"),
    (Decision, {"targets": (Target("SPY", ONE), Target("SPY", Decimal(0)))}, "targets"),
    (Decision, {"outcome": DecisionOutcome.HOLD, "reason": "why"}, "targets"),
    (Decision, {"outcome": DecisionOutcome.HOLD, "targets": ()}, "reason"),
    (Decision, {"outcome": DecisionOutcome.BLOCKED, "targets": (), "reason": "why"}, "code"),
    (Decision, {"code": ReasonCode.HISTORY_STALE}, "code"),
    (ExecutionHints, {"rebalance_threshold_ratio": ONE}, "rebalance_threshold_ratio"),
    (ExecutionHints, {"cash_reserve_ratio": -ONE}, "cash_reserve_ratio"),
    (ExecutionHints, {"min_trade_usd": INFINITE}, "min_trade_usd"),
    (FeatureRow, {"features": {"momentum": float("inf")}}, "features[momentum]"),
    (FeatureSnapshot, {"rows": ()}, "rows"),
    *[(FeeModel, {f: -ONE}, f) for f in ("per_share_usd", "notional_bps", "minimum_usd")],
    (CashMovement, {"movement_id": " "}, "movement_id"),
    (CashMovement, {"at": LOCAL}, "at"),
    (CashMovement, {"amount_usd": Decimal(0)}, "amount_usd"),
    (CashMovement, {"amount_usd": Decimal("NaN")}, "amount_usd"),
    (CashMovement, {"symbol": "spy"}, "symbol"),
    *[(Fill, {f: ""}, f) for f in ("fill_id", "broker_order_id")],
    *[(Fill, {f: Decimal(0)}, f) for f in ("quantity", "price_usd")],
    (Fill, {"fee_usd": -ONE}, "fee_usd"),
    (Fill, {"at": LOCAL}, "at"),
    *[(Heartbeat, {f: " "}, f) for f in ("run_key", "language", "title", "body")],
    (HistoryInput, {"symbols": ()}, "symbols"),
    (HistoryInput, {"symbols": ("SPY", "SPY")}, "symbols"),
    (HistoryInput, {"sessions": 0}, "sessions"),
    *[(HistoryInput, {"columns": c}, "columns") for c in ((), ("open",), ("close", "vwap"))],
    *[
        (Instrument, {"symbol": symbol}, "symbol")
        for symbol in ("", "spy", " SPY", "SPY ", "SPY\n", "S PY", "-SPY", "A" * 33, None, 5)
    ],
    (Instrument, {"lot_shares": Decimal(0)}, "lot_shares"),
    (Instrument, {"tick_usd": 0.01}, "tick_usd"),
    (Instrument, {"currency": ""}, "currency"),
    (Leg, {"quantity": Decimal(0)}, "quantity"),
    (Leg, {"quantity": Decimal(11)}, "quantity"),
    (OrderRequest, {"client_id": ""}, "client_id"),
    (OrderRequest, {"client_id": "x" * 41}, "client_id"),
    (OrderRequest, {"side": "buy"}, "side"),
    *[(OrderRequest, {"quantity": q}, "quantity") for q in (Decimal(0), -ONE, NAN, 10, 10.0)],
    (OrderRequest, {"order_type": OrderType.LIMIT}, "limit_price_usd"),
    (OrderRequest, {"order_type": "limit"}, "order_type"),
    (OrderRequest, {"time_in_force": "gtc"}, "time_in_force"),
    (OrderRequest, {"time_in_force": TimeInForce.GTC}, "time_in_force"),  # at the market
    (OrderRequest, {"parent_client_id": ""}, "parent_client_id"),
    (OrderTerms, {"order_type": OrderType.STOP}, "stop_price_usd"),
    (OrderTerms, {"stop_price_usd": HUNDRED}, "stop_price_usd"),
    (OrderTerms, {"order_type": OrderType.STOP, "stop_price_usd": -ONE}, "stop_price_usd"),
    (
        OrderTerms,
        {"order_type": OrderType.STOP_LIMIT, "stop_price_usd": HUNDRED},
        "limit_price_usd",
    ),
    (OrderTerms, {"order_type": OrderType.TRAILING_STOP}, "trailing_ratio"),
    (OrderTerms, {"trailing_ratio": ONE / 2}, "trailing_ratio"),
    *[
        (OrderTerms, {"order_type": OrderType.TRAILING_STOP, "trailing_ratio": r}, "trailing_ratio")
        for r in (Decimal(0), ONE, NAN)
    ],
    *[
        (
            OrderTerms,
            {"order_type": OrderType.TRAILING_STOP, "trailing_ratio": ONE / 2, field: Decimal(0)},
            field,
        )
        for field in ("stop_price_usd", "limit_price_usd")
    ],
    *[
        (Signal, {field: pct}, field)
        for field in ("stop_loss_pct", "trailing_stop_pct")
        for pct in (Decimal(0), -ONE, HUNDRED, NAN)
    ],
    (OrderRequest, {"limit_price_usd": HUNDRED}, "limit_price_usd"),
    (
        OrderRequest,
        {"order_type": OrderType.LIMIT, "limit_price_usd": Decimal(0)},
        "limit_price_usd",
    ),
    (PortfolioSnapshot, {"positions": (Position("SPY", ONE),) * 2}, "positions"),
    (PortfolioSnapshot, {"taken_at": NAIVE}, "taken_at"),
    (PortfolioTarget, {"amount": -ONE}, "amount"),
    (Position, {"quantity": -ONE}, "quantity"),
    (Position, {"average_cost_usd": NAN}, "average_cost_usd"),
    *[(Quote, {"price_usd": p}, "price_usd") for p in (Decimal(0), -ONE, NAN, INFINITE, 100.0)],
    *[(Quote, {"at": at}, "at") for at in (NAIVE, LOCAL, DAY)],
    (Quote, {"bid_usd": NAN}, "bid_usd"),
    (Quote, {"bid_usd": Decimal(102)}, "bid_usd"),
    *[(OperatorCommand, {f: " "}, f) for f in ("who", "why")],
    *[(OperatorCommand, {"subject": s}, "subject") for s in ("", "spy")],
    (OperatorCommand, {"action": OperatorAction.FLATTEN}, "subject"),
    (Quote, {"ask_usd": Decimal(0)}, "ask_usd"),
    *[(RateLimit, {f: 0}, f) for f in ("requests", "seconds")],
    *[(Rollout, {"enabled": e}, "enabled") for e in (("one", "one"), ("",))],
    *[(Rollout, {f: "three"}, f) for f in ("default", "rollback")],
    *[(Signal, {"confidence": c}, "confidence") for c in (-ONE, Decimal("1.1"), NAN)],
    (SnapshotInput, {"contract": ""}, "contract"),
    (SnapshotInput, {"columns": ("a", "a")}, "columns"),
    (SnapshotInput, {"max_age_sessions": -1}, "max_age_sessions"),
    *[
        (SnapshotInput, {"max_age_sessions": 2, field: sessions}, field)
        for field in ("execution_window_sessions",)
        for sessions in (0, 3)
    ],
    *[
        (SnapshotManifest, {f: " "}, f)
        for f in ("contract", "profile", "version", "snapshot_file", "code_version")
    ],
    *[(SnapshotManifest, {f: SHA[1:]}, f) for f in ("snapshot_sha256", "config_sha256")],
    (SnapshotManifest, {"snapshot_sha256": SHA.upper()}, "snapshot_sha256"),
    (SnapshotManifest, {"row_count": 0}, "row_count"),
    (SnapshotManifest, {"columns": ("a", "a")}, "columns"),
    (SnapshotManifest, {"generated_at": NAIVE}, "generated_at"),
    (StrategyManifest, {"profile": ""}, "profile"),
    (StrategyManifest, {"display_name": {"en": "Example"}}, "display_name[zh]"),
    (StrategyManifest, {"description": {"zh": "示例", "en": " "}}, "description[en]"),
    (StrategyManifest, {"managed": (), "safe_haven": None}, "managed"),
    (StrategyManifest, {"managed": ("SPY", "SPY"), "safe_haven": None}, "managed"),
    (StrategyManifest, {"managed": ("spy",), "safe_haven": None}, "managed"),
    (StrategyManifest, {"safe_haven": "GLD"}, "safe_haven"),
    (StrategyManifest, {"history": None}, "history"),
    (Submission, {"broker_order_id": None}, "broker_order_id"),
    *[(Target, {"amount": a}, "amount") for a in (-ONE, NAN, INFINITE, 0.5, 1, "1", None)],
    (TargetPortfolio, {"managed": ("SPY", "SPY")}, "managed"),
    (TargetPortfolio, {"targets": (PortfolioTarget("SPY", ONE),) * 2}, "targets"),
    (TargetPortfolio, {"targets": (PortfolioTarget("GLD", ONE),)}, "targets"),
    (TargetPortfolio, {"targets": (PortfolioTarget("SPY", Decimal("1.01")),)}, "targets"),
    (TradingRules, {"lot_shares": Decimal(0)}, "lot_shares"),
    (TradingRules, {"tick_usd": Decimal(0)}, "tick_usd"),
    (TradingRules, {"minimum_notional_usd": -ONE}, "minimum_notional_usd"),
    (TradingRules, {"buy_price_buffer_ratio": -ONE}, "buy_price_buffer_ratio"),
    *[(Verdict, {"quantity": q}, "quantity") for q in (Decimal(0), -ONE, NAN, 10)],
    (Verdict, {"code": None}, "code"),
]


def example(kind: type, **changes: object) -> Any:  # noqa: ANN401 (any contract)
    """Build the example of `kind`, with some fields changed."""
    return kind(**EXAMPLES[kind] | changes)


def test_every_contract_has_an_example() -> None:
    exported = {getattr(contracts, name) for name in contracts.__all__}
    assert {kind for kind in exported if is_dataclass(kind)} == EXAMPLES.keys()


def test_the_door_is_sorted() -> None:
    names = [name for name in contracts.__all__ if name[0].isupper()]
    functions = [name for name in contracts.__all__ if name[0].islower()]
    assert contracts.__all__ == sorted(names) + sorted(functions)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_example_is_accepted_and_cannot_be_changed(kind: type) -> None:
    value = example(kind)
    field = next(iter(EXAMPLES[kind]))
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, getattr(value, field))


@pytest.mark.parametrize(
    ("kind", "changes", "field"), REFUSALS, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_malformed_value_is_refused_by_the_name_of_its_field(
    kind: type, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(ContractError) as refused:
        example(kind, **changes)
    assert refused.value.message.startswith(f"{kind.__name__}.{field} = ")
    assert refused.value.code is ReasonCode.VALUE_MALFORMED


_WITH_FLOATS = {FeatureRow, FeatureSnapshot}  # they travel as CSV


@pytest.mark.parametrize(
    "kind", [k for k in EXAMPLES if k not in _WITH_FLOATS], ids=lambda kind: kind.__name__
)
def test_an_example_survives_its_json_form(kind: type) -> None:
    value = example(kind)
    assert decode(kind, json.loads(canonical(value))) == value
