"""A small profile, and ways to make many of them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
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
    Catalog,
    SleeveView,
    Strategy,
    StrategyConfig,
    StrategyContext,
    WorkerPool,
    reload_catalog,
)

Decide = Callable[[StrategyContext], Any]
MakeManifest = Callable[..., StrategyManifest]
MakeModule = Callable[..., ModuleType]
MakeStrategy = Callable[..., Strategy]
WriteProfile = Callable[..., str]
Install = Callable[..., Path]

_PROFILE = """\
from quant_platform_kit.contracts import (
    Cadence, Decision, HistoryInput, ProfileStatus, Role, Signal, SignalAction, StrategyManifest,
    TargetMode,
)
from quant_platform_kit.strategy import StrategyConfig as Config

def manifest(config):
    text = {{"en": "Found", "zh": "找到"}}
    return StrategyManifest(
        profile={profile!r}, aliases={aliases!r}, display_name=text, description=text,
        cadence=Cadence.DAILY, benchmark="SPY", target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.{status}, managed=("SPY",), history=HistoryInput(("SPY",), 1),
    )

{decide}
"""
_ALWAYS = "def decide(context):\n    return Decision.hold('always')"


@pytest.fixture
def profile_source() -> WriteProfile:
    """Return the text of a profile's module."""

    def write(
        profile: str,
        decide: str = _ALWAYS,
        *,
        status: str = "RESEARCH",
        aliases: tuple[str, ...] = (),
    ) -> str:
        return _PROFILE.format(
            profile=profile, decide=textwrap.dedent(decide), status=status, aliases=aliases
        )

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with entry points on the path, as an installer would."""

    def put(name: str, entries: str, **modules: str) -> Path:
        root = tmp_path / name
        info = root / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[quant_platform_kit.strategies]\n{entries}\n")
        for module, source in modules.items():
            (root / f"{module}.py").write_text(source)
            # Not left over for a test that has another module of this name.
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(root))
        return root

    return put


@pytest.fixture
def reload(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Catalog]:
    """Load the catalog anew, and give other tests the modules back that they were written for."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "us_equity_strategies"]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    return reload_catalog


@pytest.fixture
def importable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile_source: WriteProfile
) -> Callable[..., Strategy]:
    """Make a strategy that another process can import by the name of its module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(profile: str, decide: str) -> Strategy:
        name = f"importable_{profile}"
        (tmp_path / f"{name}.py").write_text(profile_source(profile, decide))
        monkeypatch.delitem(sys.modules, name, raising=False)
        module: Any = import_module(name)
        config = module.Config()
        return Strategy(name, config, module.manifest(config), module.decide)

    return make


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    """Two worker processes, whatever the machine has."""
    pool = WorkerPool(size=2)
    yield pool
    pool.close()


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
