from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import Field

from quant_platform_kit.contracts import StrategyManifest, encode
from quant_platform_kit.errors import ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.strategy import (
    Catalog,
    LoadOutcome,
    StrategyConfig,
    StrategyContext,
    evaluate,
    load_catalog,
)

MakeManifest = Callable[..., StrategyManifest]
MakeModule = Callable[..., Any]
Install = Callable[..., Path]
WriteProfile = Callable[..., str]


class TunableConfig(StrategyConfig):
    size: int = Field(default=2, ge=1)


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


@pytest.mark.parametrize("owner", ["steady", "calm"])
def test_a_file_may_say_whose_it_is_by_name_or_alias(
    make_module: MakeModule, tmp_path: Path, owner: str
) -> None:
    module = make_module("steady", config=TunableConfig, aliases=("calm",))
    catalog = Catalog.of({"steady": module})
    file = tmp_path / "steady.toml"
    file.write_text(f'profile = "{owner}"\nsize = 7\n')

    strategy = catalog.strategy("calm", file)

    assert strategy.config == TunableConfig(size=7)
    file.write_text("size = 7\n")
    assert strategy.config_sha256 == catalog.strategy("steady", file).config_sha256


@pytest.mark.parametrize("owner", ['"other"', '""', "7", "null", '["steady"]'])
def test_a_file_of_another_profile_is_refused_even_where_its_keys_fit(
    make_module: MakeModule, tmp_path: Path, owner: str
) -> None:
    catalog = Catalog.of({"steady": make_module("steady", config=TunableConfig)})
    file = tmp_path / "left_behind.json"
    file.write_text(f'{{"profile": {owner}, "size": 7}}')

    with pytest.raises(SettingsError) as caught:
        catalog.strategy("steady", file)

    assert caught.value.code is ReasonCode.CONFIG_INVALID
    assert "left_behind.json" in caught.value.message
    assert f"its key profile is {owner}, and steady runs here" in caught.value.message


def test_a_profile_may_have_a_key_called_profile_of_its_own(
    make_module: MakeModule, tmp_path: Path
) -> None:
    class Profiled(StrategyConfig):
        profile: str = "fast"

    file = tmp_path / "steady.json"
    file.write_text('{"profile": "slow"}')
    catalog = Catalog.of({"steady": make_module("steady", config=Profiled)})

    assert catalog.strategy("steady", file).config == Profiled(profile="slow")


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
    install: Install, profile_source: WriteProfile
) -> None:
    install("finder", "on_disk = on_disk_module", on_disk_module=profile_source("on_disk"))

    profile = load_catalog().find("on_disk")

    assert profile.module_name == "on_disk_module"
    assert isinstance(profile.module, ModuleType)


def test_an_installed_profile_that_cannot_be_loaded_does_not_stop_the_others(
    install: Install, profile_source: WriteProfile
) -> None:
    faulty = {
        "raises": "1 / 0",
        "exits": "raise SystemExit('done here')",
        "misspelt": "def decide(context:",
        "cancelled": "import asyncio; raise asyncio.CancelledError",
        "mute": "class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute",
        "unconfigurable": profile_source("unconfigurable").replace(
            "def manifest", "class Config(Config):\n    size: int\n\ndef manifest"
        ),
    }
    install(
        "half_broken",
        "on_disk = sound_module\nno_such_import = module_that_is_not_there\n"
        + "\n".join(f"{name} = {name}_module" for name in faulty),
        sound_module=profile_source("on_disk"),
        **{f"{name}_module": source for name, source in faulty.items()},
    )

    catalog = load_catalog()

    assert "on_disk" in catalog.names()
    why = {fault.name: fault.why for fault in catalog.broken}
    assert why.pop("no_such_import").startswith("ModuleNotFoundError: ")
    assert why.pop("misspelt").startswith("SyntaxError: ")
    assert why.pop("unconfigurable").startswith("ValidationError: ")
    assert why == {
        "raises": "ZeroDivisionError: division by zero",
        "exits": "SystemExit: done here",
        "cancelled": "CancelledError",
        "mute": "Mute",
    }


def test_two_packages_that_offer_one_profile_are_an_error_that_names_both(
    install: Install, profile_source: WriteProfile
) -> None:
    source = profile_source("on_disk")
    install("one", "on_disk = module_of_one", module_of_one=source)
    install("two", "on_disk = module_of_two", module_of_two=source)

    with pytest.raises(RefuseRun, match=r"'on_disk': module_of_one and module_of_two"):
        load_catalog()


def test_the_report_says_of_every_profile_what_became_of_it(
    install: Install, profile_source: WriteProfile
) -> None:
    install(
        "desk",
        "sound = sound_of_desk\nfaulty = faulty_of_desk",
        sound_of_desk=profile_source("sound"),
        faulty_of_desk="1 / 0",
    )

    report = load_catalog().report
    lines = {line.profile: line for line in report.lines}

    assert lines["sound"].outcome is LoadOutcome.LOADED
    assert lines["sound"] in report.loaded
    assert lines["faulty"] in report.failed
    assert lines["faulty"].why == "ZeroDivisionError: division by zero"
    assert {lines[name].source for name in ("sound", "faulty")} == {"desk 1.0"}
    assert list(lines) == sorted(lines)
    assert report.seconds == sum(line.seconds for line in report.lines) > 0
    assert encode(report)["lines"]


def test_a_reload_runs_what_is_installed_by_then(
    install: Install,
    profile_source: WriteProfile,
    context: StrategyContext,
    reload: Callable[..., Catalog],
) -> None:
    before = "def decide(context): return Decision.hold('before')"
    root = install("desk", "tuned = tuned_of_desk", tuned_of_desk=profile_source("tuned", before))
    old = load_catalog().strategy("tuned")
    after = "def decide(context): return Decision.hold('and afterwards')"
    (root / "tuned_of_desk.py").write_text(profile_source("tuned", after))

    assert load_catalog().strategy("tuned").decide is old.decide
    new = reload().strategy("tuned")

    answers = evaluate([(old, context), (new, context), (new, context)], timeout_secs=30)
    assert [answer.reason for answer in answers] == ["before", "and afterwards", "and afterwards"]
