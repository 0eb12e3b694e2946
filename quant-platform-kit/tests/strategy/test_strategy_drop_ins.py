"""Strategies that lie in a folder as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quant_platform_kit.contracts import ExecutionMode, ProfileStatus
from quant_platform_kit.errors import ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.strategy import (
    Catalog,
    LoadOutcome,
    StrategyContext,
    WorkerPool,
    evaluate,
    load_catalog,
    require_allowed,
)

Install = Callable[..., Path]
WriteProfile = Callable[..., str]

PATIENT = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "strategies"
    folder.mkdir()
    return folder


def test_a_file_in_the_folder_is_a_profile(folder: Path, profile_source: WriteProfile) -> None:
    file = folder / "any_name.py"
    file.write_text(profile_source("dropped", aliases=("fallen",)))

    catalog = load_catalog(folder)

    assert catalog.find("fallen") == catalog.find("dropped")
    (line,) = [line for line in catalog.report.loaded if line.profile == "dropped"]
    assert line.source == str(file)
    assert "dropped" not in load_catalog().names()


def test_a_changed_file_is_a_changed_strategy(
    folder: Path,
    profile_source: WriteProfile,
    context: StrategyContext,
    reload: Callable[..., Catalog],
    workers: WorkerPool,
) -> None:
    file = folder / "tuned.py"

    def decided(answer: str) -> str:
        # The same length in the same second: what bytecode caches take for the same file.
        decide = f"def decide(context): return Decision.hold({answer!r})"
        file.write_text(profile_source("tuned", decide))
        strategy = reload(folder).strategy("tuned")
        alone, *two = evaluate([(strategy, context)], PATIENT) + evaluate(
            [(strategy, context)] * 2, PATIENT, workers=workers
        )
        assert two == [alone, alone]
        return alone.reason

    assert [decided("one"), decided("two"), decided("six")] == ["one", "two", "six"]


def test_a_file_that_is_gone_is_no_profile_any_more(
    folder: Path, profile_source: WriteProfile, reload: Callable[..., Catalog]
) -> None:
    file = folder / "passing.py"
    file.write_text(profile_source("passing"))
    assert "passing" in load_catalog(folder).names()

    file.unlink()

    assert "passing" not in reload(folder).names()


def test_scripts_and_private_files_are_never_run(
    folder: Path, profile_source: WriteProfile
) -> None:
    scripts = [
        *("_helpers.py", ".hidden.py", "conftest.py", "example_momentum.py", "momentum_test.py"),
        *("setup.py", "test_momentum.py", "tests.py", "verify_fills.py"),
    ]
    for name in scripts:
        (folder / name).write_text("raise SystemExit('was run')")
    (folder / "notes.txt").write_text("not Python")
    (folder / "package.py").mkdir()
    (folder / "contest.py").write_text(profile_source("contest"))

    catalog = load_catalog(folder)

    assert "contest" in catalog.names()
    assert not [fault for fault in catalog.broken if "was run" in fault.why]
    assert set(catalog.report.ignored) == set(scripts)


def test_a_file_that_fails_does_not_stop_the_others(
    folder: Path, profile_source: WriteProfile
) -> None:
    (folder / "sound.py").write_text(profile_source("sound"))
    (folder / "misspelt.py").write_text("def decide(context:")
    (folder / "not_text.py").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.py").write_text("")

    catalog = load_catalog(folder)

    assert "sound" in catalog.names()
    why = {line.profile: line.why for line in catalog.report.failed}
    assert why["misspelt"].startswith("SyntaxError: ")
    assert "misspelt.py, line 1" in why["misspelt"]
    assert why["empty"] == "ContractError: the module lacks Config, manifest, decide"
    assert why["not_text"]
    with pytest.raises(RefuseRun, match=r"misspelt \(.*misspelt\.py\).*SyntaxError") as caught:
        catalog.find("misspelt")
    assert caught.value.code is ReasonCode.PROFILE_BROKEN


def test_the_last_version_that_worked_does_not_stand_in_for_one_that_fails(
    folder: Path, profile_source: WriteProfile
) -> None:
    file = folder / "tuned.py"
    file.write_text(profile_source("tuned"))
    load_catalog(folder)

    file.write_text("1 / 0")
    catalog = load_catalog(folder)

    (line,) = [line for line in catalog.report.lines if line.profile == "tuned"]
    assert line.outcome is LoadOutcome.FAILED
    with pytest.raises(RefuseRun, match="ZeroDivisionError"):
        catalog.strategy("tuned")


@pytest.mark.parametrize("file_name", ["anything", "on_disk"])
def test_a_file_that_claims_an_installed_name_is_an_error_that_names_both(
    folder: Path, install: Install, profile_source: WriteProfile, file_name: str
) -> None:
    install("desk", "on_disk = on_disk_of_desk", on_disk_of_desk=profile_source("on_disk"))
    (folder / f"{file_name}.py").write_text(profile_source("on_disk"))

    with pytest.raises(RefuseRun, match=r"'on_disk'") as caught:
        load_catalog(folder)

    assert caught.value.code is ReasonCode.PROFILE_BROKEN
    assert "on_disk_of_desk" in caught.value.message
    assert str(folder / f"{file_name}.py") in caught.value.message


def test_a_file_that_claims_an_installed_alias_is_an_error_that_names_both(
    folder: Path, install: Install, profile_source: WriteProfile
) -> None:
    source = profile_source("on_disk", aliases=("old_name",))
    install("desk", "on_disk = aliased_of_desk", aliased_of_desk=source)
    (folder / "later.py").write_text(profile_source("old_name"))

    with pytest.raises(RefuseRun, match=r"'old_name': .*aliased_of_desk|'old_name': .*later\.py"):
        load_catalog(folder)


@pytest.mark.parametrize("claimed", ["RUNTIME_ENABLED", "PAPER", "SHADOW", "RESEARCH"])
def test_a_file_stays_in_research_whatever_it_says(
    folder: Path, profile_source: WriteProfile, claimed: str
) -> None:
    (folder / "eager.py").write_text(profile_source("eager", status=claimed))
    catalog = load_catalog(folder)
    strategy = catalog.strategy("eager")

    assert catalog.find("eager").manifest.status is ProfileStatus.RESEARCH
    assert strategy.manifest.status is ProfileStatus.RESEARCH
    require_allowed(strategy.manifest, ExecutionMode.DRY_RUN)
    for mode in (ExecutionMode.PAPER, ExecutionMode.LIVE):
        with pytest.raises(RefuseRun) as caught:
            require_allowed(strategy.manifest, mode)
        assert caught.value.code is ReasonCode.PROFILE_NOT_ENABLED


def test_a_files_version_is_the_digest_of_its_text(
    folder: Path, profile_source: WriteProfile
) -> None:
    file = folder / "traced.py"
    versions = []
    for answer in ("one", "two", "one"):
        decide = f"def decide(context): return Decision.hold({answer!r})"
        file.write_text(profile_source("traced", decide))
        module = load_catalog(folder).find("traced").module
        versions.append(vars(module)["__version__"])

    assert versions[0] == versions[2] != versions[1]


def test_a_folder_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"QPK_STRATEGIES_DIR.*no such folder"):
        load_catalog(tmp_path / "absent")
