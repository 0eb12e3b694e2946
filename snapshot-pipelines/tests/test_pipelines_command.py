"""The command publishes, refuses in words, and may be killed at any step."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from quant_platform_kit.contracts import SnapshotManifest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import SnapshotSource, load_snapshot
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import load_catalog
from us_equity_snapshot_pipelines._command import app

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
    (tmp_path / "universe.csv").write_text(
        "symbol,sector\n" + "".join(f"{symbol},Energy\n" for symbol in STOCKS)
    )
    (tmp_path / "config.json").write_text(
        json.dumps({"universe": STOCKS, "benchmark": "SIM_INDEX", "safe_haven": None})
    )
    given = {"config": "config.json", "prices": "prices.csv", "universe": "universe.csv"}
    options = [part for name, file in given.items() for part in (f"--{name}", str(tmp_path / file))]
    return ["build", PROFILE, *options]


def main(arguments: Sequence[str]) -> None:
    """Run `qpk snapshot` in this process."""
    app(list(arguments), standalone_mode=False)


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

    main([*arguments, "--as-of", str(NEW), "--to", str(out)])

    manifest = current(out)
    assert manifest.as_of == NEW
    assert manifest.config_name == "config"
    assert capsys.readouterr().out == (
        f"{PROFILE}: version {manifest.version} is current at {out}, 4 rows\n"
    )


def test_the_command_refuses_in_words_and_publishes_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    out = tmp_path / "snapshots"

    with pytest.raises(InputError, match="SIM_INDEX ends at 2024-03-15") as refusal:
        main([*arguments, "--as-of", "2024-03-16", "--to", str(out)])

    assert refusal.value.code is ReasonCode.HISTORY_STALE
    assert not out.exists()


def test_a_version_is_listed_inspected_copied_and_taken_back(
    tmp_path: Path,
    arguments: list[str],
    current: Callable[[Path], SnapshotManifest],
    capsys: pytest.CaptureFixture[str],
) -> None:
    built, served = tmp_path / "built", tmp_path / "served"
    for day in (OLD, NEW):
        main([*arguments, "--as-of", str(day), "--to", str(built)])
        main(["publish", str(built), str(served)])
    old, new = sorted(path.name for path in served.iterdir() if path.is_dir())
    capsys.readouterr()

    main(["list", str(served)])
    assert capsys.readouterr().out == f"  {old}\n* {new}\n"
    main(["inspect", str(served)])
    assert f"{PROFILE}, version {new}" in capsys.readouterr().out
    main(["use", str(served), old])
    assert f"version {old} is current" in capsys.readouterr().out

    assert current(served).version == old
    for name in ("snapshot.csv", "snapshot.parquet", "ranking.csv", "index.html"):
        assert (served / new / name).read_bytes() == (built / new / name).read_bytes()


def test_a_location_without_anything_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["list", str(tmp_path / "nowhere")])
    assert "nothing is published at" in capsys.readouterr().out

    with pytest.raises(InputError, match="There is no snapshot"):
        main(["inspect", str(tmp_path / "nowhere")])


def test_a20_a_publisher_killed_at_any_step_leaves_a_readable_version_and_can_be_run_again(
    tmp_path: Path, arguments: list[str], current: Callable[[Path], SnapshotManifest]
) -> None:
    template, built, runs = tmp_path / "template", tmp_path / "built", tmp_path / "runs"
    main([*arguments, "--as-of", str(OLD), "--to", str(template)])
    main([*arguments, "--as-of", str(NEW), "--to", str(built)])
    before = current(template)
    environment: Mapping[str, str] = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, KILLER, built, template, runs],
        check=True,
        env=environment,
        capture_output=True,
    )

    *killed, undisturbed = sorted(runs.iterdir())
    found = [current(folder) for folder in killed]
    after = current(undisturbed)

    assert after.as_of == NEW
    pointer_moved = next(i for i, manifest in enumerate(found) if manifest != before)
    assert pointer_moved >= 3 * 7  # at least: each of seven objects is written, linked, tidied up
    assert found[:pointer_moved] == [before] * pointer_moved
    assert {manifest.version for manifest in found[pointer_moved:]} == {after.version}
    for folder in killed:
        main(["publish", str(built), str(folder)])
        assert current(folder).version == after.version
