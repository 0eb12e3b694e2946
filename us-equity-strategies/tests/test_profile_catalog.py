"""What holds for every profile that this package offers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from quant_platform_kit.contracts import ExecutionMode, ProfileStatus
from quant_platform_kit.strategy import Catalog, load_catalog, require_allowed

OFFERED = (
    "global_etf_rotation",
    "mega_cap_leader_rotation",
    "nasdaq_sp500_smart_dca",
    "qqq_tech_enhancement",
    "russell_1000_multi_factor_defensive",
    "soxl_soxx_trend_income",
    "spy_macd_vixy",
    "tqqq_growth_income",
)
EXAMPLES = (
    "covered_call",
    "gamma_scalper",
    "mean_reversion",
    "momentum",
    "test_signal_generator",
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_every_profile_of_the_package_loads(catalog: Catalog) -> None:
    ours = {
        entry.name
        for entry in entry_points(group="quant_platform_kit.strategies")
        if entry.module.startswith("us_equity_strategies.")
    }

    assert ours == {*OFFERED, *EXAMPLES}
    assert ours <= set(catalog.names())
    assert not [fault for fault in catalog.broken if fault.name in ours]


@pytest.mark.parametrize(
    ("alias", "profile"),
    [
        ("global_macro_etf_rotation", "global_etf_rotation"),
        ("r1000_multifactor_defensive", "russell_1000_multi_factor_defensive"),
        ("spymacdvixy", "spy_macd_vixy"),
        ("hybrid_growth_income", "tqqq_growth_income"),
        ("qqq_tqqq_growth_income", "tqqq_growth_income"),
        ("semiconductor_rotation_income", "soxl_soxx_trend_income"),
        ("semiconductor_trend_income", "soxl_soxx_trend_income"),
        ("tech_pullback_cash_buffer", "qqq_tech_enhancement"),
        ("tech_communication_pullback_enhancement", "qqq_tech_enhancement"),
        ("mega_cap_leader_rotation_dynamic_top20", "mega_cap_leader_rotation"),
    ],
)
def test_former_names_still_resolve(catalog: Catalog, alias: str, profile: str) -> None:
    assert catalog.find(alias).manifest.profile == profile


@pytest.mark.parametrize("name", OFFERED)
def test_a_profile_introduces_itself_in_both_languages(catalog: Catalog, name: str) -> None:
    manifest = catalog.find(name).manifest

    for texts in (manifest.display_name, manifest.description):
        assert texts["en"].isascii()
        assert any("\u4e00" <= character <= "\u9fff" for character in texts["zh"])
    assert manifest.description["en"].endswith(".")
    assert manifest.description["zh"].endswith("。")
    assert len(manifest.icon) == 1


@pytest.mark.parametrize("name", OFFERED)
def test_a_profile_may_run_live(catalog: Catalog, name: str) -> None:
    manifest = catalog.find(name).manifest

    assert manifest.status is ProfileStatus.RUNTIME_ENABLED
    require_allowed(manifest, ExecutionMode.LIVE)


@pytest.mark.parametrize("name", OFFERED)
def test_the_same_configuration_has_the_same_digest_in_every_process(
    catalog: Catalog, name: str
) -> None:
    program = (
        "from quant_platform_kit.strategy import load_catalog;"
        f"print(load_catalog().strategy({name!r}).config_sha256)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == catalog.strategy(name).config_sha256
