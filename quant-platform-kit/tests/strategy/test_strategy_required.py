"""A run without the profile it expects does not start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quant_platform_kit.contracts import ExecutionMode, Role, StrategyManifest
from quant_platform_kit.errors import ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.runtime import open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.strategy import require_allowed

Install = Callable[..., Path]
WriteProfile = Callable[..., str]
TRADING = (ExecutionMode.PAPER, ExecutionMode.LIVE)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., None]:
    """Start a service's runtime as its first request does."""

    def build(profile: str, mode: ExecutionMode, **variables: str) -> None:
        environ = {
            "STRATEGY_PROFILE": profile,
            "EXECUTION_MODE": mode.value,
            "QPK_STATE_DIR": str(tmp_path / "state"),
            **variables,
        }
        open_runtime(load_settings("ibkr", environ)).close()

    return build


@pytest.mark.parametrize("mode", ExecutionMode)
def test_a_profile_that_nobody_offers_blocks_the_run(
    start: Callable[..., None], mode: ExecutionMode, tmp_path: Path
) -> None:
    with pytest.raises(RefuseRun, match="'nobodys'") as caught:
        start("nobodys", mode)

    assert caught.value.code is ReasonCode.PROFILE_UNKNOWN
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("mode", ExecutionMode)
def test_a_profile_that_cannot_be_loaded_blocks_the_run(
    start: Callable[..., None], install: Install, mode: ExecutionMode, tmp_path: Path
) -> None:
    install("desk", "expected = expected_of_desk", expected_of_desk="1 / 0")

    with pytest.raises(RefuseRun, match=r"expected .*ZeroDivisionError") as caught:
        start("expected", mode)

    assert caught.value.code is ReasonCode.PROFILE_BROKEN
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("mode", TRADING)
def test_a_profile_in_research_blocks_the_run(
    start: Callable[..., None], install: Install, profile_source: WriteProfile, mode: ExecutionMode
) -> None:
    install("desk", "raw = raw_of_desk", raw_of_desk=profile_source("raw", status="RESEARCH"))

    with pytest.raises(RefuseRun) as caught:
        start("raw", mode)

    assert caught.value.code is ReasonCode.PROFILE_NOT_ENABLED


@pytest.mark.parametrize("mode", TRADING)
def test_an_example_blocks_the_run_whatever_its_status(
    make_manifest: Callable[..., StrategyManifest], mode: ExecutionMode
) -> None:
    manifest = make_manifest(role=Role.EXAMPLE)
    require_allowed(manifest, ExecutionMode.DRY_RUN)

    with pytest.raises(RefuseRun, match="is an example") as caught:
        require_allowed(manifest, mode)

    assert caught.value.code is ReasonCode.PROFILE_NOT_ENABLED


def test_a_dry_run_takes_a_strategy_from_the_folder(
    start: Callable[..., None], profile_source: WriteProfile, tmp_path: Path
) -> None:
    (tmp_path / "dropped.py").write_text(profile_source("dropped"))

    start("dropped", ExecutionMode.DRY_RUN, QPK_STRATEGIES_DIR=str(tmp_path))


@pytest.mark.parametrize("mode", TRADING)
def test_a_folder_of_strategies_stops_the_start_of_a_service_that_trades(
    start: Callable[..., None], tmp_path: Path, mode: ExecutionMode
) -> None:
    with pytest.raises(SettingsError, match=rf"QPK_STRATEGIES_DIR .*EXECUTION_MODE is {mode}"):
        start("global_etf_rotation", mode, QPK_STRATEGIES_DIR=str(tmp_path))
