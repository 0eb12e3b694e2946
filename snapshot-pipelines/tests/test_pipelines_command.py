"""The command publishes, refuses in words, and may be killed at any step."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from quant_platform_kit.contracts import Adjustment, SnapshotManifest
from quant_platform_kit.errors import InputError, ReasonCode, SettingsError
from quant_platform_kit.inputs import SnapshotSource, load_snapshot, open_store, read_history
from quant_platform_kit.market import SimulatedClock, xnys
from quant_platform_kit.strategy import load_catalog
from us_equity_snapshot_pipelines import read_version
from us_equity_snapshot_pipelines._command import app
from us_equity_snapshot_pipelines._sources import PriceSource
from us_equity_snapshot_pipelines._workshop import Workshop

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
        main([*arguments, "--as-of", "2024-03-18", "--to", str(out)])
    assert refusal.value.code is ReasonCode.HISTORY_STALE

    with pytest.raises(InputError, match=r"closed on 2024-03-17.*session before is 2024-03-15"):
        main([*arguments, "--as-of", "2024-03-17", "--to", str(out)])
    assert not out.exists()


def test_a_universe_without_candidates_on_the_date_replaces_no_snapshot(
    tmp_path: Path, arguments: list[str]
) -> None:
    out = tmp_path / "snapshots"
    coming = "symbol,sector,start,end\nSIM_A,Energy,2024-03-18,\n"
    (tmp_path / "universe.csv").write_text(coming)

    with pytest.raises(InputError, match=r"no stock of .* as a candidate on 2024-03-14") as refusal:
        main([*arguments, "--as-of", str(NEW), "--to", str(out)])

    assert refusal.value.code is ReasonCode.HISTORY_MISSING
    assert not out.exists()


def test_warnings_are_told_when_a_version_is_built(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    starts = dict(zip(STOCKS, (OLD, OLD, SESSION), strict=True))
    lines = [f"{symbol},Energy,{start},\n" for symbol, start in starts.items()]
    (tmp_path / "universe.csv").write_text("symbol,sector,start,end\n" + "".join(lines))
    out = str(tmp_path / "snapshots")

    main([*arguments, "--as-of", str(NEW), "--to", out])
    assert f"2 warnings; `qpk snapshot inspect {out}` shows them" in capsys.readouterr().out

    main(["inspect", out])
    assert "warning: SIM_C has no row" in capsys.readouterr().out


def test_a_floor_that_is_not_the_profiles_own_is_a_warning(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "snapshots")

    main([*arguments, "--as-of", str(NEW), "--to", out, "--min-close-usd", "5"])
    main(["inspect", out])

    assert (
        "warning: stocks are eligible above 5 USD, as was asked for, and the profile says 10"
        in (capsys.readouterr().out)
    )


def test_a_broken_pointer_is_told_where_versions_are_listed(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "snapshots"
    main([*arguments, "--as-of", str(NEW), "--to", str(out)])
    (out / "latest.json").write_text("{")
    capsys.readouterr()

    main(["list", str(out)])

    version, told = capsys.readouterr().out.splitlines()
    assert version.startswith(f"  {NEW}-")
    assert "latest.json names no version, so no service trades on any" in told


@pytest.fixture
def broker_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the settings name a simulated broker; return the arguments of a build at its market."""
    monkeypatch.setenv("STRATEGY_PROFILE", PROFILE)
    monkeypatch.setenv("QPK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("QPK_SIMULATED_START", "2013-03-01")
    (tmp_path / "config.json").write_text(
        json.dumps({"universe": ["AAPL", "FB"], "benchmark": "IBM", "safe_haven": None})
    )
    (tmp_path / "universe.csv").write_text("symbol,sector\nAAPL,Technology\nFB,Media\n")
    files = [f"--config={tmp_path / 'config.json'}", f"--universe={tmp_path / 'universe.csv'}"]
    return [PROFILE, *files]


def test_the_bars_of_a_platforms_broker_are_a_source(
    tmp_path: Path, broker_arguments: list[str]
) -> None:
    build = ["build", *broker_arguments, "--as-of", "2013-02-28"]

    main([*build, "--prices", "broker", "--platform", "ibkr", "--to", str(tmp_path / "asked")])
    main([*build, "--prices", "sample", "--to", str(tmp_path / "read")])

    asked, read = (read_version(open_store(tmp_path / name)) for name in ("asked", "read"))
    assert asked.rows == read.rows
    # The year and a half before, and not everything that the market has.
    assert asked.manifest.sources["prices"] != read.manifest.sources["prices"]


def test_a_broker_is_asked_for_every_session_that_a_history_needs(
    tmp_path: Path, broker_arguments: list[str]
) -> None:
    span = ["--from", "2012-12-01", "--until", "2013-03-01", "--workers", "1"]
    history = ["history", *broker_arguments, *span]

    main([*history, "--prices", "broker", "-p", "ibkr", "--to", str(tmp_path / "asked")])
    main([*history, "--prices", "sample", "--to", str(tmp_path / "read")])

    asked, read = (read_history(open_store(tmp_path / name)) for name in ("asked", "read"))
    assert asked is not None
    assert read is not None
    assert [each.as_of.month for each in asked[0].versions] == [12, 1, 2]
    for one, other in zip(asked[0].versions, read[0].versions, strict=True):
        tables = [
            read_version(open_store(tmp_path / name), each.version).rows
            for name, each in (("asked", one), ("read", other))
        ]
        assert tables[0] == tables[1]


def test_a_broker_without_a_platform_is_refused(
    tmp_path: Path, broker_arguments: list[str]
) -> None:
    build = ["build", *broker_arguments, "--as-of", "2013-02-28"]

    with pytest.raises(SettingsError, match="Add --platform"):
        main([*build, "--prices", "broker", "--to", str(tmp_path / "out")])


def test_yahoo_without_its_library_is_refused(
    tmp_path: Path, broker_arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    build = ["build", *broker_arguments, "--as-of", "2013-02-28", "--prices", "yfinance"]

    with pytest.raises(SettingsError, match="yfinance is not installed"):
        main([*build, "--to", str(tmp_path / "out")])


def test_nobody_is_asked_for_a_day_without_a_session(
    tmp_path: Path, broker_arguments: list[str]
) -> None:
    source = ["--prices", "broker", "--platform", "ibkr", "--to", str(tmp_path / "out")]

    with pytest.raises(InputError, match="The exchange was closed on 2013-02-23"):
        main(["build", *broker_arguments, *source, "--as-of", "2013-02-23"])
    with pytest.raises(InputError, match="No month ends from 2013-02-23 to 2013-02-24"):
        main(["history", *broker_arguments, *source, "--from=2013-02-23", "--until=2013-02-24"])


def test_a_price_of_a_session_that_goes_on_makes_no_snapshot(
    tmp_path: Path, arguments: list[str]
) -> None:
    del arguments  # its files, whose last prices are of the session

    def open_at(hour: int) -> Workshop:
        return Workshop.open(
            PROFILE,
            config=tmp_path / "config.json",
            prices=PriceSource(str(tmp_path / "prices.csv"), Adjustment.TOTAL_RETURN),
            universe=tmp_path / "universe.csv",
            days=(SESSION,),
            clock=SimulatedClock(datetime(2024, 3, 15, hour, tzinfo=UTC)),
        )

    with pytest.raises(InputError, match=r"session of 2024-03-15 has not closed.*is 2024-03-14"):
        open_at(19)
    assert open_at(20).recipe.benchmark == "SIM_INDEX"


def test_a_session_that_has_not_closed_has_no_snapshot(
    tmp_path: Path, broker_arguments: list[str]
) -> None:
    build = ["build", *broker_arguments, "--as-of", "2013-03-01", "--to", str(tmp_path / "out")]

    with pytest.raises(InputError, match="IBM ends at 2013-02-28") as refusal:
        main([*build, "--prices", "broker", "--platform", "ibkr"])

    assert refusal.value.code is ReasonCode.HISTORY_STALE


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
