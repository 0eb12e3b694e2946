"""The command publishes, refuses in words, and may be killed at any step."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from quant_platform_kit.contracts import SnapshotManifest
from quant_platform_kit.inputs import SnapshotSource, load_snapshot
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import load_catalog
from us_equity_snapshot_pipelines.__main__ import main

KILLER = Path(__file__).with_name("killed_at_each_step.py")
PROFILE = "russell_1000_multi_factor_defensive"
SESSION = date(2024, 3, 15)
OLD, NEW = date(2024, 3, 13), date(2024, 3, 14)
STOCKS = ("SIM_A", "SIM_B", "SIM_C")


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Make a small market, and the command's arguments for it but date and folder."""
    sessions = xnys().sessions(date(2023, 1, 3), SESSION)
    with (tmp_path / "prices.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Date", *STOCKS, "SIM_INDEX"])
        for day, session in enumerate(sessions):
            table.writerow([session, *(50 + k + math.sin(k * day) for k in (1, 2, 3, 4))])
    (tmp_path / "sectors.csv").write_text(
        "symbol,sector\n" + "".join(f"{symbol},Energy\n" for symbol in STOCKS)
    )
    (tmp_path / "config.json").write_text(
        json.dumps({"universe": STOCKS, "benchmark": "SIM_INDEX", "safe_haven": None})
    )
    given = {"profile": PROFILE} | {
        name: str(tmp_path / file)
        for name, file in (
            ("config", "config.json"),
            ("prices", "prices.csv"),
            ("sectors", "sectors.csv"),
        )
    }
    return [part for name, value in given.items() for part in (f"--{name}", value)]


@pytest.fixture
def current(tmp_path: Path) -> Callable[[Path], SnapshotManifest]:
    """Return what a service would decide on in a folder."""

    def read(folder: Path) -> SnapshotManifest:
        strategy = load_catalog().strategy(PROFILE, tmp_path / "config.json")
        assert strategy.manifest.snapshot is not None
        return load_snapshot(
            SnapshotSource(folder),
            strategy.manifest.snapshot,
            profile=PROFILE,
            config_sha256=strategy.config_sha256,
            session=SESSION,
            calendar=xnys(),
        ).manifest

    return read


def test_the_command_publishes_and_says_what(
    tmp_path: Path,
    arguments: list[str],
    current: Callable[[Path], SnapshotManifest],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "snapshots"

    assert main([*arguments, "--as-of", str(NEW), "--out", str(out)]) == 0

    manifest = current(out)
    assert manifest.as_of == NEW
    assert capsys.readouterr().out == (
        f"{PROFILE}: version {manifest.version} is current, 4 rows\n"
    )


def test_the_command_refuses_in_words_and_publishes_nothing(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "snapshots"

    assert main([*arguments, "--as-of", "2024-03-16", "--out", str(out)]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("HISTORY_STALE: The benchmark SIM_INDEX ends at 2024-03-15")
    assert not out.exists()


def test_one_symbol_in_two_price_files_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    twice = ["--prices", str(tmp_path / "prices.csv")]

    assert main([*arguments, *twice, "--as-of", str(NEW), "--out", str(tmp_path / "out")]) == 1
    assert "SIM_A" in capsys.readouterr().err


def test_a_publisher_killed_at_any_step_leaves_a_readable_version_and_can_be_run_again(
    tmp_path: Path, arguments: list[str], current: Callable[[Path], SnapshotManifest]
) -> None:
    template, runs = tmp_path / "template", tmp_path / "runs"
    assert main([*arguments, "--as-of", str(OLD), "--out", str(template)]) == 0
    before = current(template)
    environment: Mapping[str, str] = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, KILLER, template, runs, *arguments, "--as-of", str(NEW)],
        check=True,
        env=environment,
        capture_output=True,
    )

    *killed, undisturbed = sorted(runs.iterdir())
    found = [current(folder) for folder in killed]
    after = current(undisturbed)

    assert after.as_of == NEW
    pointer_moved = next(i for i, manifest in enumerate(found) if manifest != before)
    assert pointer_moved >= 6  # at least: mkdir, mkdir, two files, rename, the pointer
    assert found[:pointer_moved] == [before] * pointer_moved
    assert {manifest.version for manifest in found[pointer_moved:]} == {after.version}
    for folder in killed:
        assert main([*arguments, "--as-of", str(NEW), "--out", str(folder)]) == 0
        assert current(folder).version == after.version
