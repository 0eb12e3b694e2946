from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import Field

from quant_platform_kit.contracts import StrategyManifest
from quant_platform_kit.errors import ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.strategy import Catalog, StrategyConfig, load_catalog

MakeManifest = Callable[..., StrategyManifest]
MakeModule = Callable[..., Any]

PROFILE_SOURCE = """
from quant_platform_kit.contracts import (
    Cadence, Decision, HistoryInput, ProfileStatus, StrategyManifest, TargetMode,
)
from quant_platform_kit.strategy import StrategyConfig as Config

def manifest(config):
    text = {"en": "Found", "zh": "找到"}
    return StrategyManifest(
        profile="found_on_disk", display_name=text, description=text, cadence=Cadence.DAILY,
        benchmark="SPY", target_mode=TargetMode.WEIGHT, status=ProfileStatus.RESEARCH,
        managed=("SPY",), history=HistoryInput(("SPY",), 1),
    )

def decide(context):
    return Decision.hold("always")
"""


class TunableConfig(StrategyConfig):
    size: int = Field(default=2, ge=1)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a distribution with entry points on the path, as an installer would."""

    def put(name: str, entries: str, **modules: str) -> None:
        root = tmp_path / name
        info = root / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[quant_platform_kit.strategies]\n{entries}\n")
        for module, source in modules.items():
            (root / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(root))

    return put


def test_a_profile_is_found_by_its_name_and_by_its_alias(make_module: MakeModule) -> None:
    catalog = Catalog.of({"steady": make_module("steady", aliases=("slow_and_steady",))})

    assert catalog.names() == ("steady",)
    assert catalog.find("slow_and_steady") == catalog.find("steady")
    assert catalog.find("steady").manifest.profile == "steady"


def test_names_are_sorted_whatever_order_they_are_offered_in(make_module: MakeModule) -> None:
    offered = {name: make_module(name) for name in ("zeta", "alpha", "mid")}

    assert Catalog.of(offered).names() == ("alpha", "mid", "zeta")


def test_an_unknown_name_is_refused_with_the_nearest_ones(make_module: MakeModule) -> None:
    catalog = Catalog.of(
        {"steady": make_module("steady"), "other": make_module("other", aliases=("stead_alias",))}
    )

    with pytest.raises(RefuseRun, match=r"'staedy'.*Did you mean steady") as caught:
        catalog.find("staedy")

    assert caught.value.code is ReasonCode.PROFILE_UNKNOWN


def test_an_unknown_name_like_no_other_is_refused_with_every_known_one(
    make_module: MakeModule,
) -> None:
    catalog = Catalog.of({"beta": make_module("beta"), "alpha": make_module("alpha")})

    with pytest.raises(RefuseRun, match="Known: alpha, beta"):
        catalog.find("zzzzzzzz")


def test_two_modules_with_one_alias_are_an_error_that_names_both(make_module: MakeModule) -> None:
    with pytest.raises(RefuseRun, match=r"'shared'.*one\.first.*two\.second") as caught:
        Catalog.of(
            {
                "first": make_module("first", named="one.first", aliases=("shared",)),
                "second": make_module("second", named="two.second", aliases=("shared",)),
            }
        )

    assert caught.value.code is ReasonCode.PROFILE_BROKEN


def test_an_alias_may_not_be_another_profiles_name(make_module: MakeModule) -> None:
    with pytest.raises(RefuseRun, match=r"'second'.*some_package\.first.*some_package\.second"):
        Catalog.of(
            {
                "first": make_module("first", aliases=("second",)),
                "second": make_module("second"),
            }
        )


@pytest.mark.parametrize("member", ["Config", "manifest", "decide"])
def test_a_module_that_lacks_a_part_is_broken_and_does_not_stop_the_others(
    make_module: MakeModule, member: str
) -> None:
    maimed = make_module("maimed")
    delattr(maimed, member)
    catalog = Catalog.of({"maimed": maimed, "steady": make_module("steady")})

    assert catalog.names() == ("steady",)
    with pytest.raises(RefuseRun, match=rf"some_package\.maimed.*lacks {member}") as caught:
        catalog.find("maimed")
    assert caught.value.code is ReasonCode.PROFILE_BROKEN


def test_a_profile_under_another_name_than_its_own_is_broken(make_module: MakeModule) -> None:
    catalog = Catalog.of({"registered": make_module("called_differently")})

    (broken,) = catalog.broken
    assert broken.name == "registered"
    assert "'called_differently'" in broken.why


def test_a_config_that_is_not_a_strategy_config_is_broken(make_module: MakeModule) -> None:
    catalog = Catalog.of({"steady": make_module("steady", config=dict)})

    assert "not a StrategyConfig" in catalog.broken[0].why


def test_a_manifest_of_another_type_is_broken(make_module: MakeModule) -> None:
    module = make_module("steady")
    module.manifest = lambda _: {"profile": "steady"}

    assert "answered a dict" in Catalog.of({"steady": module}).broken[0].why


def test_a_manifest_that_raises_is_broken_and_says_what_it_raised(make_module: MakeModule) -> None:
    module = make_module("steady")
    quotes: dict[str, float] = {}
    module.manifest = lambda _: quotes["SPY"]

    assert Catalog.of({"steady": module}).broken[0].why == "KeyError: 'SPY'"


def test_a_strategy_without_a_file_runs_on_its_defaults(make_module: MakeModule) -> None:
    catalog = Catalog.of({"steady": make_module("steady", config=TunableConfig)})

    strategy = catalog.strategy("steady")

    assert strategy.config == TunableConfig(size=2)
    assert strategy.module_name == "some_package.steady"


def test_a_strategy_with_a_file_runs_on_what_the_file_says(
    make_module: MakeModule, tmp_path: Path
) -> None:
    catalog = Catalog.of({"steady": make_module("steady", config=TunableConfig)})
    file = tmp_path / "steady.json"
    file.write_text('{"size": 7}')

    assert catalog.strategy("steady", file).config == TunableConfig(size=7)


def test_a_configuration_that_makes_no_manifest_is_a_settings_error(
    make_module: MakeModule, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    module = make_module("steady", config=TunableConfig)
    module.manifest = lambda config: make_manifest("steady", managed=("SPY",) * (config.size - 1))
    file = tmp_path / "steady.json"
    file.write_text('{"size": 3}')

    with pytest.raises(SettingsError, match=r"Profile steady.*managed") as caught:
        Catalog.of({"steady": module}).strategy("steady", file)

    assert caught.value.code is ReasonCode.CONFIG_INVALID


def test_installed_packages_offer_profiles_through_entry_points(
    install: Callable[..., None],
) -> None:
    install("finder", "found_on_disk = found_on_disk_module", found_on_disk_module=PROFILE_SOURCE)

    profile = load_catalog().find("found_on_disk")

    assert profile.module_name == "found_on_disk_module"
    assert isinstance(profile.module, ModuleType)


def test_an_installed_profile_that_cannot_be_imported_does_not_stop_the_others(
    install: Callable[..., None],
) -> None:
    install(
        "half_broken",
        "found_on_disk = sound_module\n"
        "no_such_import = module_that_is_not_there\n"
        "raises = raising_module\n"
        "exits = exiting_module",
        sound_module=PROFILE_SOURCE,
        raising_module="1 / 0",
        exiting_module="raise SystemExit('done here')",
    )

    catalog = load_catalog()

    assert "found_on_disk" in catalog.names()
    why = {fault.name: fault.why for fault in catalog.broken}
    assert why["raises"] == "ZeroDivisionError: division by zero"
    assert why["exits"] == "SystemExit: done here"
    assert why["no_such_import"].startswith("ModuleNotFoundError: ")


def test_two_packages_that_offer_one_profile_are_an_error_that_names_both(
    install: Callable[..., None],
) -> None:
    install("one", "found_on_disk = module_of_one", module_of_one=PROFILE_SOURCE)
    install("two", "found_on_disk = module_of_two", module_of_two=PROFILE_SOURCE)

    with pytest.raises(RefuseRun, match=r"'found_on_disk': module_of_one and module_of_two"):
        load_catalog()
