"""Frozen, validated types that cross a door between rooms; nothing of the kit but errors.

A type is loaded when it is first asked for: making all of them takes longer than a service has
until its first answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quant_platform_kit.contracts._capabilities import (
        Capabilities,
        Eligibility,
        RateLimit,
        eligible,
    )
    from quant_platform_kit.contracts._codec import (
        canonical,
        decode,
        digest,
        encode,
    )
    from quant_platform_kit.contracts._cycle import (
        CycleReport,
        CycleRequest,
        Heartbeat,
        HistoryRef,
        OrderLine,
        Outcome,
        PositionLine,
        SleeveDecision,
        SnapshotRef,
        StrategyIdentity,
    )
    from quant_platform_kit.contracts._decision import (
        Decision,
        DecisionOutcome,
        Signal,
        SignalAction,
        Target,
    )
    from quant_platform_kit.contracts._evidence import (
        ChainBreak,
        EvidenceEntry,
        EvidenceKind,
        Fact,
    )
    from quant_platform_kit.contracts._instruments import (
        AssetClass,
        Instrument,
    )
    from quant_platform_kit.contracts._market import (
        Adjustment,
        Bar,
        Quote,
    )
    from quant_platform_kit.contracts._modes import Environment, ExecutionMode
    from quant_platform_kit.contracts._operator import OperatorAction, OperatorCommand
    from quant_platform_kit.contracts._orders import (
        BrokerOrder,
        Fill,
        OrderRequest,
        OrderStatus,
        OrderTerms,
        OrderType,
        Purpose,
        Side,
        Submission,
        SubmitOutcome,
        TimeInForce,
    )
    from quant_platform_kit.contracts._plan import (
        Contribution,
        FeeModel,
        FrozenSleeve,
        Leg,
        OrderPlan,
        PortfolioTarget,
        Rounding,
        Skipped,
        TargetPortfolio,
        TradingRules,
    )
    from quant_platform_kit.contracts._portfolio import Account, PortfolioSnapshot, Position
    from quant_platform_kit.contracts._rollout import (
        Rollout,
        Standing,
        check_rollout,
        standing,
    )
    from quant_platform_kit.contracts._snapshot import (
        FeatureRow,
        FeatureSnapshot,
        SnapshotManifest,
    )
    from quant_platform_kit.contracts._strategy import (
        BandGoal,
        Cadence,
        ExecutionHints,
        HistoryInput,
        InputMode,
        ProfileStatus,
        Role,
        SnapshotInput,
        StrategyManifest,
        TargetMode,
    )
    from quant_platform_kit.contracts._verdicts import (
        CheckLine,
        CheckStatus,
        LegVerdict,
        Verdict,
        VerdictKind,
    )

__all__ = [
    "Account",
    "Adjustment",
    "AssetClass",
    "BandGoal",
    "Bar",
    "BrokerOrder",
    "Cadence",
    "Capabilities",
    "ChainBreak",
    "CheckLine",
    "CheckStatus",
    "Contribution",
    "CycleReport",
    "CycleRequest",
    "Decision",
    "DecisionOutcome",
    "Eligibility",
    "Environment",
    "EvidenceEntry",
    "EvidenceKind",
    "ExecutionHints",
    "ExecutionMode",
    "Fact",
    "FeatureRow",
    "FeatureSnapshot",
    "FeeModel",
    "Fill",
    "FrozenSleeve",
    "Heartbeat",
    "HistoryInput",
    "HistoryRef",
    "InputMode",
    "Instrument",
    "Leg",
    "LegVerdict",
    "OperatorAction",
    "OperatorCommand",
    "OrderLine",
    "OrderPlan",
    "OrderRequest",
    "OrderStatus",
    "OrderTerms",
    "OrderType",
    "Outcome",
    "PortfolioSnapshot",
    "PortfolioTarget",
    "Position",
    "PositionLine",
    "ProfileStatus",
    "Purpose",
    "Quote",
    "RateLimit",
    "Role",
    "Rollout",
    "Rounding",
    "Side",
    "Signal",
    "SignalAction",
    "Skipped",
    "SleeveDecision",
    "SnapshotInput",
    "SnapshotManifest",
    "SnapshotRef",
    "Standing",
    "StrategyIdentity",
    "StrategyManifest",
    "Submission",
    "SubmitOutcome",
    "Target",
    "TargetMode",
    "TargetPortfolio",
    "TimeInForce",
    "TradingRules",
    "Verdict",
    "VerdictKind",
    "canonical",
    "check_rollout",
    "decode",
    "digest",
    "eligible",
    "encode",
    "standing",
]

_HOMES = {
    "Account": "_portfolio",
    "Adjustment": "_market",
    "AssetClass": "_instruments",
    "BandGoal": "_strategy",
    "Bar": "_market",
    "BrokerOrder": "_orders",
    "Cadence": "_strategy",
    "Capabilities": "_capabilities",
    "ChainBreak": "_evidence",
    "CheckLine": "_verdicts",
    "CheckStatus": "_verdicts",
    "Contribution": "_plan",
    "CycleReport": "_cycle",
    "CycleRequest": "_cycle",
    "Decision": "_decision",
    "DecisionOutcome": "_decision",
    "Eligibility": "_capabilities",
    "Environment": "_modes",
    "EvidenceEntry": "_evidence",
    "EvidenceKind": "_evidence",
    "ExecutionHints": "_strategy",
    "ExecutionMode": "_modes",
    "Fact": "_evidence",
    "FeatureRow": "_snapshot",
    "FeatureSnapshot": "_snapshot",
    "FeeModel": "_plan",
    "Fill": "_orders",
    "FrozenSleeve": "_plan",
    "Heartbeat": "_cycle",
    "HistoryInput": "_strategy",
    "HistoryRef": "_cycle",
    "InputMode": "_strategy",
    "Instrument": "_instruments",
    "Leg": "_plan",
    "LegVerdict": "_verdicts",
    "OperatorAction": "_operator",
    "OperatorCommand": "_operator",
    "OrderLine": "_cycle",
    "OrderPlan": "_plan",
    "OrderRequest": "_orders",
    "OrderStatus": "_orders",
    "OrderTerms": "_orders",
    "OrderType": "_orders",
    "Outcome": "_cycle",
    "PortfolioSnapshot": "_portfolio",
    "PortfolioTarget": "_plan",
    "Position": "_portfolio",
    "PositionLine": "_cycle",
    "ProfileStatus": "_strategy",
    "Purpose": "_orders",
    "Quote": "_market",
    "RateLimit": "_capabilities",
    "Role": "_strategy",
    "Rollout": "_rollout",
    "Rounding": "_plan",
    "Side": "_orders",
    "Signal": "_decision",
    "SignalAction": "_decision",
    "Skipped": "_plan",
    "SleeveDecision": "_cycle",
    "SnapshotInput": "_strategy",
    "SnapshotManifest": "_snapshot",
    "SnapshotRef": "_cycle",
    "Standing": "_rollout",
    "StrategyIdentity": "_cycle",
    "StrategyManifest": "_strategy",
    "Submission": "_orders",
    "SubmitOutcome": "_orders",
    "Target": "_decision",
    "TargetMode": "_strategy",
    "TargetPortfolio": "_plan",
    "TimeInForce": "_orders",
    "TradingRules": "_plan",
    "Verdict": "_verdicts",
    "VerdictKind": "_verdicts",
    "canonical": "_codec",
    "check_rollout": "_rollout",
    "decode": "_codec",
    "digest": "_codec",
    "eligible": "_capabilities",
    "encode": "_codec",
    "standing": "_rollout",
}

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names

    def __getattr__(name: str) -> object:
        """Load a type's module, the first time it is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
