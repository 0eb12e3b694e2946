"""Frozen, validated types that cross a door between rooms; nothing of the kit but errors."""

from __future__ import annotations

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
    OrderLine,
    Outcome,
    PositionLine,
    SleeveDecision,
    SnapshotRef,
)
from quant_platform_kit.contracts._decision import (
    Decision,
    DecisionOutcome,
    Signal,
    SignalAction,
    Target,
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
from quant_platform_kit.contracts._orders import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
    Verdict,
)
from quant_platform_kit.contracts._plan import (
    Contribution,
    FeeModel,
    FrozenSleeve,
    Leg,
    OrderPlan,
    PortfolioTarget,
    Skipped,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.contracts._portfolio import (
    Account,
    Environment,
    ExecutionMode,
    PortfolioSnapshot,
    Position,
)
from quant_platform_kit.contracts._snapshot import (
    FeatureRow,
    FeatureSnapshot,
    SnapshotManifest,
)
from quant_platform_kit.contracts._strategy import (
    Cadence,
    ExecutionHints,
    HistoryInput,
    InputMode,
    ProfileStatus,
    SnapshotInput,
    StrategyManifest,
    TargetMode,
)

__all__ = [
    "Account",
    "Adjustment",
    "AssetClass",
    "Bar",
    "BrokerOrder",
    "Cadence",
    "Contribution",
    "CycleReport",
    "CycleRequest",
    "Decision",
    "DecisionOutcome",
    "Environment",
    "ExecutionHints",
    "ExecutionMode",
    "FeatureRow",
    "FeatureSnapshot",
    "FeeModel",
    "Fill",
    "FrozenSleeve",
    "Heartbeat",
    "HistoryInput",
    "InputMode",
    "Instrument",
    "Leg",
    "OrderLine",
    "OrderPlan",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "Outcome",
    "PortfolioSnapshot",
    "PortfolioTarget",
    "Position",
    "PositionLine",
    "ProfileStatus",
    "Quote",
    "Side",
    "Signal",
    "SignalAction",
    "Skipped",
    "SleeveDecision",
    "SnapshotInput",
    "SnapshotManifest",
    "SnapshotRef",
    "StrategyManifest",
    "Submission",
    "SubmitOutcome",
    "Target",
    "TargetMode",
    "TargetPortfolio",
    "TradingRules",
    "Verdict",
    "canonical",
    "decode",
    "digest",
    "encode",
]
