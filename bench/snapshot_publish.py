"""Publishing and loading 3,000 rows, against writing and reading the same bytes with no proof."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from bench._measure import BenchResult, interleaved_medians
from bench.snapshot_build import SYMBOLS, frames, recipe, universe
from quant_platform_kit.contracts import SnapshotInput
from quant_platform_kit.inputs import SnapshotSource, load_snapshot, open_store
from quant_platform_kit.market import xnys
from us_equity_snapshot_pipelines import Release, publish_release, release
from us_equity_snapshot_pipelines._build import build_rows, lay_out

_AS_OF: Final = date(2022, 12, 28)
_SESSION: Final = date(2022, 12, 29)
_ROUNDS: Final = 7
_TARGET: Final = 4.0


def run() -> BenchResult:
    """Measure both ways of writing, and both of reading."""
    prices, made = frames(years=2), recipe()
    built = build_rows(made, lay_out(made, prices, _AS_OF, _AS_OF), universe(), _AS_OF)
    version = release(built, generated_at=datetime(2022, 12, 29, tzinfo=UTC), code_version="bench")
    need = SnapshotInput(made.contract, made.features, max_age_sessions=5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def publish() -> None:
            shutil.rmtree(folder / "published", ignore_errors=True)
            publish_release(open_store(folder / "published"), version)

        def load() -> None:
            load_snapshot(
                SnapshotSource(folder / "published"),
                need,
                profile=made.profile,
                config_sha256=made.config_sha256,
                session=_SESSION,
                calendar=xnys(),
            )

        seconds = interleaved_medians(
            {
                "publish": publish,
                "write": lambda: _write(folder / "plain", version),
                "load": load,
                "read": lambda: _read(folder / "plain"),
            },
            rounds=_ROUNDS,
        )
    # A version is read back whole before anything points at it.
    ratios = (
        seconds["publish"] / (seconds["write"] + seconds["read"]),
        seconds["load"] / seconds["read"],
    )
    return BenchResult(
        what=f"a version of {SYMBOLS:,} rows x {len(made.features)} features, to and from a folder",
        figure=(
            f"published in {seconds['publish'] * 1e3:.0f} ms, loaded and verified in "
            f"{seconds['load'] * 1e3:.0f} ms"
        ),
        ratio=(
            f"{ratios[0]:.1f}x writing the same bytes and parsing them once, {ratios[1]:.1f}x "
            "parsing them, with no proof of anything"
        ),
        target=f"at most {_TARGET:.0f}x",
        met=max(ratios) <= _TARGET,
    )


def _write(folder: Path, version: Release) -> None:
    """Write the same files so that they survive a power cut, and nothing more."""
    folder.mkdir(exist_ok=True)
    for name, data in {**version.files, "manifest.json": version.manifest_bytes}.items():
        with (folder / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _read(folder: Path) -> list[list[float]]:
    """Read the table into numbers, trusting it."""
    text = (folder / "snapshot.csv").read_text(encoding="utf-8")
    lines = csv.reader(io.StringIO(text))
    next(lines)
    return [[float(cell) for cell in cells[3:] if cell] for cells in lines]


if __name__ == "__main__":
    print(run())
