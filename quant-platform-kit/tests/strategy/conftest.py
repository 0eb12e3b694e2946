"""A small profile, and ways to make many of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import (
    SleeveView,
    Strategy,
    StrategyConfig,
    StrategyContext,
)

Decide = Callable[[StrategyContext], Any]
MakeManifest = Callable[..., StrategyManifest]
MakeModule = Callable[..., ModuleType]
MakeStrategy = Callable[..., Strategy]


@pytest.fixture
def make_manifest() -> MakeManifest:
    def make(profile: str = "steady", **changes: object) -> StrategyManifest:
        fields: dict[str, Any] = {
            "profile": profile,
            "display_name": {"en": "Steady", "zh": "稳健"},
            "description": {"en": "Holds one ETF.", "zh": "持有一只 ETF。"},
            "cadence": Cadence.DAILY,
            "benchmark": "SPY",
            "target_mode": TargetMode.WEIGHT,
            "status": ProfileStatus.RUNTIME_ENABLED,
            "managed": ("SPY", "BIL"),
            "history": HistoryInput(("SPY",), 1),
        }
        fields.update(changes)
        return StrategyManifest(**fields)

    return make


@pytest.fixture
def make_module(make_manifest: MakeManifest) -> MakeModule:
    def make(
        profile: str = "steady",
        *,
        named: str = "",
        config: type = StrategyConfig,
        **changes: object,
    ) -> ModuleType:
        module = ModuleType(named or f"some_package.{profile}")
        manifest = make_manifest(profile, **changes)
        module.__dict__.update(
            Config=config,
            manifest=lambda _: manifest,
            decide=lambda _: Decision.hold("keeps what it has"),
        )
        return module

    return make


@pytest.fixture
def make_strategy(make_manifest: MakeManifest) -> MakeStrategy:
    def make(decide: Decide, **changes: object) -> Strategy:
        return Strategy("some_package.steady", StrategyConfig(), make_manifest(**changes), decide)

    return make


@pytest.fixture
def context() -> StrategyContext:
    return StrategyContext(
        session=date(2020, 3, 31),
        calendar=xnys(),
        history=MappingProxyType({}),
        snapshot=None,
        sleeve=SleeveView(),
        config=StrategyConfig(),
    )
