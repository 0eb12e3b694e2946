"""Strategies to hold against the cards: three sound ones, and files on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    SnapshotInput,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import StrategyConfig, StrategyContext

Module = SimpleNamespace
Decide = Callable[[StrategyContext], object]
Changes = Mapping[str, object] | None

STOCKS = ("SIM_A", "SIM_B", "SIM_C", "SIM_D")
CHOSEN = 2
WINDOW = 20
ACTED_ON = 3

SOURCE = '''
"""A strategy in a file: everything in one symbol while it is above its average."""

from quant_platform_kit.contracts import (
    Cadence, Decision, HistoryInput, ProfileStatus, StrategyManifest, TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import StrategyConfig


class Config(StrategyConfig):
    window: int = 20


def manifest(config):
    return StrategyManifest(
        profile="in_a_file",
        display_name={"en": "In a File", "zh": "文件策略"},
        description={"en": "Holds SIM_A in an uptrend.", "zh": "上升趋势时持有 SIM_A。"},
        cadence=Cadence.DAILY, benchmark="SIM_A", target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH, managed=("SIM_A",),
        history=HistoryInput(("SIM_A",), config.window),
    )


def decide(context):
    newest = context.calendar.previous(context.session)
    frame = context.history.get("SIM_A")
    if frame is None or len(frame.until(newest)) < context.config.window:
        return Decision.blocked(ReasonCode.HISTORY_SHORT, "SIM_A has too few closes")
    frame = frame.until(newest)
    if frame.last_session != newest:
        return Decision.blocked(ReasonCode.HISTORY_STALE, "SIM_A has no close of the last session")
    is_up = frame.close[-1] > indicators.sma(frame.close, context.config.window)
    return Decision.weights({"SIM_A": 1} if is_up else {})
'''


def a_manifest(**changes: object) -> StrategyManifest:
    fields: dict[str, Any] = {
        "profile": "sound",
        "display_name": {"en": "Sound", "zh": "稳健"},
        "description": {"en": "Does what it says.", "zh": "言行一致。"},
        "cadence": Cadence.DAILY,
        "benchmark": "SIM_INDEX",
        "target_mode": TargetMode.WEIGHT,
        "status": ProfileStatus.RESEARCH,
        "managed": STOCKS,
    }
    return StrategyManifest(**{**fields, **changes})


def a_module(declared: StrategyManifest, decide: object, **changes: object) -> SimpleNamespace:
    """Return a strategy that is no module of a file."""
    members = {"Config": StrategyConfig, "manifest": lambda _: declared, "decide": decide}
    return SimpleNamespace(__name__="somewhere.sound", **{**members, **changes})


def trend(context: StrategyContext) -> Decision:
    """Hold every stock above the average of its highs, in equal parts."""
    newest = context.calendar.previous(context.session)
    above = []
    for symbol in STOCKS:
        frame = context.history.get(symbol)
        if frame is None:
            return Decision.blocked(ReasonCode.HISTORY_MISSING, symbol)
        frame = frame.until(newest)
        if not len(frame) or frame.last_session != newest:
            return Decision.blocked(ReasonCode.HISTORY_STALE, symbol)
        if len(frame) < WINDOW or frame.high is None:
            return Decision.blocked(ReasonCode.HISTORY_SHORT, symbol)
        if frame.close[-1] > indicators.sma(frame.high, WINDOW) * 0.99:
            above.append(symbol)
    return Decision.weights(dict.fromkeys(above, 0.25))


def ranked(context: StrategyContext) -> Decision:
    """Hold the two stocks with the strongest momentum, while the index has any."""
    snapshot = context.snapshot
    if snapshot is None:
        return Decision.blocked(ReasonCode.SNAPSHOT_MISSING, "no snapshot")
    as_of = snapshot.manifest.as_of
    if as_of >= context.session:
        return Decision.blocked(ReasonCode.SNAPSHOT_FUTURE, f"{as_of}")
    age = context.calendar.sessions_between(as_of, context.session)
    if age > WINDOW:
        return Decision.blocked(ReasonCode.SNAPSHOT_STALE, f"{as_of}")
    if age > ACTED_ON:
        return Decision.hold("outside_execution_window")
    strengths = {row.symbol: row.features["mom_6m"] for row in snapshot.rows}
    needed = ("SIM_INDEX", *(symbol for symbol in STOCKS if context.sleeve.holds(symbol)))
    if not all(math.isfinite(strengths.get(symbol, math.nan)) for symbol in needed):
        return Decision.blocked(ReasonCode.SNAPSHOT_ROW_MISSING, f"one of {needed}")
    if strengths["SIM_INDEX"] <= 0:
        return Decision.weights({})
    return Decision.weights(dict.fromkeys(strongest(strengths), 0.5))


def strongest(strengths: dict[str, float]) -> list[str]:
    known = [s for s in STOCKS if math.isfinite(strengths.get(s, math.nan))]
    return sorted(known, key=lambda symbol: (-strengths[symbol], symbol))[:CHOSEN]


def funded(context: StrategyContext) -> Decision:
    """Hold half of the capital in the first stock, in dollars."""
    sleeve = context.sleeve
    if any(symbol not in sleeve.values_usd for symbol in sleeve.quantities):
        return Decision.blocked(ReasonCode.PRICE_MISSING, "a holding has no value")
    if sleeve.equity_usd <= 0:
        return Decision.blocked(ReasonCode.CAPITAL_ZERO, "no capital")
    answer = trend(context)
    return answer if answer.code else Decision.values({"SIM_A": sleeve.equity_usd / 2})


BARS = HistoryInput(STOCKS, WINDOW, columns=("close", "high"))
FEATURES = SnapshotInput(
    "sound.v1",
    ("symbol", "sector", "mom_6m"),
    max_age_sessions=WINDOW,
    execution_window_sessions=ACTED_ON,
)


class Sound:
    """Three sound strategies, with another `decide`, other declarations or other members."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_bars(
        self, decide: Decide = trend, *, members: Changes = None, **declares: object
    ) -> Module:
        """Decide on closes and highs."""
        return a_module(a_manifest(history=BARS, **declares), decide, **(members or {}))

    def on_features(self, decide: Decide = ranked, **declares: object) -> Module:
        """Decide on a snapshot."""
        return a_module(a_manifest(snapshot=FEATURES, **declares), decide)

    def on_dollars(self, decide: Decide = funded, **declares: object) -> Module:
        """Decide on closes, highs and what the sleeve is worth."""
        facts = {"history": BARS, "target_mode": TargetMode.VALUE, "reads_portfolio": True}
        return a_module(a_manifest(**{**facts, **declares}), decide)

    def in_a_file(self, *changes: tuple[str, str], name: str = "in_a_file") -> Path:
        """Write a strategy file, parts of its text exchanged."""
        text = SOURCE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = self.folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def sound(tmp_path: Path) -> Sound:
    return Sound(tmp_path)
