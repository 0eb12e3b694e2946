"""`qpk profiles`: the matrix of what may run where, every cell of it derived."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.cli import ExitCode, _profiles
from quant_platform_kit.contracts import Adjustment, Rollout, StrategyManifest, canonical
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import Platform
from quant_platform_kit.strategy import Catalog, StrategyModule, load_catalog

Qpk = Callable[..., "CompletedProcess[str]"]
ROTATION, MACD = "global_etf_rotation", "spy_macd_vixy"
REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Folder:
    """The platforms' folder of a working copy."""

    path: Path

    def write(self, platform: str, text: str) -> None:
        place = self.path / platform
        place.mkdir(parents=True, exist_ok=True)
        (place / "platform.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Start in a working copy that has no rollout list yet."""
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path / "platforms")


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each profile's row, with the last of them in the platforms' order."""
    cells = [line.split("  ") for line in text.splitlines()]
    found = [[cell.strip() for cell in row if cell.strip()] for row in cells]
    known = load_catalog().names()
    return {row[1]: row for row in found if len(row) > 1 and row[1] in known}


def answer(done: CompletedProcess[str]) -> dict[str, Any]:
    value = json.loads(done.stdout)
    assert done.stdout == canonical(value) + "\n"
    return {profile["profile"]: profile for profile in value["profiles"]}


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_installed_profile_has_a_row_and_every_platform_a_column(
    qpk: Qpk, folder: Folder
) -> None:
    done = qpk("profiles")
    assert done.returncode == ExitCode.OK
    assert tuple(rows(done.stdout)) == load_catalog().names()
    assert f"profile name status inputs cadence {' '.join(CAPABILITIES)}" in words(done.stdout)
    assert rows(done.stdout)[ROTATION][2:6] == [
        *("Global ETF Rotation", "runtime_enabled", "direct", "quarterly")
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (120, [ROTATION, "runtime_enabled", "direct", "quarterly", "○", "○", "○"]),
        (80, [ROTATION, "direct", "○", "○", "○"]),
    ],
)
def test_a_narrow_terminal_gets_the_signs_without_their_words(
    width: int,
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(_profiles, "console", lambda: Console(width=width))
    _profiles.show(load_catalog(), {})
    assert shown in [line.split() for line in capfd.readouterr().out.splitlines()]


def test_without_rollout_lists_the_matrix_stops_at_eligible(qpk: Qpk, folder: Folder) -> None:
    done = qpk("profiles")
    assert rows(done.stdout)[MACD][-3:] == ["○ eligible"] * 3
    assert "No rollout list of ibkr, schwab, longbridge" in done.stdout
    standings = answer(qpk("profiles", "--json"))[MACD]["platforms"]
    assert standings["ibkr"] == {
        "eligible": True,
        "reasons": [],
        "enabled": None,
        "default": None,
        "rollback": None,
    }


def test_a_cell_follows_the_rollout_list_of_its_platform(qpk: Qpk, folder: Folder) -> None:
    folder.write("ibkr", f'[rollout]\nenabled = ["{ROTATION}", "{MACD}"]\ndefault = "{MACD}"')
    folder.write(
        "schwab",
        f'[rollout]\nenabled = ["{ROTATION}", "{MACD}"]\nrollback = "{ROTATION}"',
    )
    folder.write("longbridge", "[rollout]")
    done = qpk("profiles")
    assert rows(done.stdout)[MACD][-3:] == ["★ default", "● enabled", "○ eligible"]
    assert rows(done.stdout)[ROTATION][-3:] == ["● enabled", "↩ rollback", "○ eligible"]
    assert "No rollout list" not in done.stdout
    standings = answer(qpk("profiles", "--json"))[MACD]["platforms"]
    assert [standings[name]["enabled"] for name in CAPABILITIES] == [True, True, False]
    assert [standings[name]["default"] for name in CAPABILITIES] == [True, False, False]


def test_the_folder_may_lie_elsewhere(qpk: Qpk, folder: Folder, tmp_path: Path) -> None:
    elsewhere = Folder(tmp_path / "elsewhere")
    elsewhere.write("ibkr", f'[rollout]\nenabled = ["{MACD}"]')
    done = qpk("profiles", "--platforms", str(elsewhere.path))
    assert rows(done.stdout)[MACD][-3:] == ["● enabled", "○ eligible", "○ eligible"]
    assert "No rollout list of schwab, longbridge" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[rollout]\nenabled = ["spy_macd_vix"]', "'spy_macd_vix', but no installed package"),
        ('[rollout]\nenabled = ["spymacdvixy"]', "Did you mean spy_macd_vixy?"),
        ("[rollout]\nenabled = 1", "expected a list of profile names"),
        ("[rollout]\ndefault = 'spy_macd_vixy'", "expected one of the enabled profiles"),
    ],
    ids=["misspelt", "alias", "malformed", "default not enabled"],
)
def test_a_list_that_does_not_hold_is_an_error_that_names_the_entry(
    qpk: Qpk, folder: Folder, text: str, said: str
) -> None:
    folder.write("schwab", text)
    done = qpk("profiles")
    assert done.returncode == ExitCode.SETTINGS
    assert said in done.stderr
    assert "schwab" in done.stderr
    assert done.stdout == ""


def test_a_list_that_cannot_be_opened_is_an_error(qpk: Qpk, folder: Folder) -> None:
    folder.write("schwab", "")
    (folder.path / "schwab" / "platform.toml").write_bytes(b"\xff")
    done = qpk("profiles")
    assert done.returncode == ExitCode.SETTINGS
    assert "platform.toml cannot be read" in done.stderr


def test_a_named_folder_has_to_exist(qpk: Qpk, folder: Folder) -> None:
    done = qpk("profiles", "--platforms", "nosuch")
    assert done.returncode == ExitCode.SETTINGS
    assert "--platforms nosuch: there is no such folder" in done.stderr


def test_a_profile_that_a_platform_cannot_run_is_shown_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without = replace(CAPABILITIES["schwab"], adjustments=(Adjustment.SPLIT,))
    monkeypatch.setattr(_profiles, "CAPABILITIES", {**CAPABILITIES, "schwab": without})
    _profiles.show(load_catalog(), {})
    shown = capfd.readouterr().out
    assert rows(shown)[MACD][-3:] == ["○ eligible", "✕ not eligible", "○ eligible"]
    assert f"{MACD} on schwab: Charles Schwab has no total_return daily bars" in shown
    snapshot_backed = "russell_1000_multi_factor_defensive"
    assert rows(shown)[snapshot_backed][-2] == "○ eligible"


def test_what_a_platform_cannot_run_may_not_be_on_its_list(
    monkeypatch: pytest.MonkeyPatch, folder: Folder
) -> None:
    without = replace(CAPABILITIES["schwab"], adjustments=(Adjustment.SPLIT,))
    monkeypatch.setattr(_profiles, "CAPABILITIES", {"schwab": without})
    folder.write("schwab", f'[rollout]\nenabled = ["{MACD}"]')
    with pytest.raises(SettingsError, match=f"of schwab enables '{MACD}', but it is not eligible"):
        _profiles.rollouts(load_catalog(), None)


def test_json_holds_the_whole_manifest(qpk: Qpk, folder: Folder) -> None:
    profile = answer(qpk("profiles", "--json"))[ROTATION]
    fields = set(StrategyManifest.__dataclass_fields__)
    assert set(profile) == fields | {"input_mode", "modes", "module", "platforms"}
    assert profile["module"] == "us_equity_strategies.global_etf_rotation"


def test_profiles_need_no_setting(qpk: Qpk, folder: Folder) -> None:
    assert qpk("profiles", STRATEGY_PROFILE="", QPK_NOSUCH="1").returncode == ExitCode.OK


def test_a_profile_that_cannot_be_loaded_is_listed_with_its_reason(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = cast("StrategyModule", SimpleNamespace(__name__="broken_package.empty"))
    catalog = Catalog.of({"empty": empty})
    folder.write("ibkr", '[rollout]\nenabled = ["empty"]\ndefault = "empty"')
    _profiles.show(catalog, _profiles.rollouts(catalog, None))
    assert (
        "empty (broken_package.empty) cannot be loaded: "
        "ContractError: the module lacks Config, manifest, decide"
    ) in words(capfd.readouterr().out)


def test_every_platform_of_the_settings_says_what_it_can_do() -> None:
    assert tuple(CAPABILITIES) == tuple(Platform)
    assert all(name == each.platform for name, each in CAPABILITIES.items())


@pytest.mark.parametrize("platform", CAPABILITIES)
def test_the_rollout_lists_of_the_repository_hold(platform: str) -> None:
    lists = _profiles.rollouts(load_catalog(), REPOSITORY / "platforms")
    rollout = lists[platform]
    assert isinstance(rollout, Rollout)
    assert rollout.default in rollout.enabled
    assert rollout.rollback in rollout.enabled
    assert rollout.rollback != rollout.default
