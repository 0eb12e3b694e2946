"""A reader sees the old version or the new one, whole; a version never changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.contracts import DecisionOutcome, FeatureSnapshot, SnapshotManifest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import SnapshotSource, gather
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.strategy import SleeveView, Strategy, StrategyContext
from us_equity_snapshot_pipelines import BuiltSnapshot, build_snapshot, publish

AT = datetime(2020, 2, 28, 22, tzinfo=UTC)
LATER = datetime(2020, 2, 29, 9, tzinfo=UTC)


def published(folder: Path, built: BuiltSnapshot, at: datetime = AT) -> SnapshotManifest:
    return publish(folder, built, generated_at=at, code_version="0.1.0")


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path inside it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def load(strategy: Strategy) -> Callable[[Path], FeatureSnapshot]:
    """Read a folder as a service does that runs the profile on 2020-03-02."""

    def read(folder: Path) -> FeatureSnapshot:
        inputs = gather(
            strategy.manifest,
            config_sha256=strategy.config_sha256,
            bars=NoBars(),
            snapshots=SnapshotSource(folder),
            session=date(2020, 3, 2),
            calendar=xnys(),
        )
        assert inputs.snapshot is not None
        return inputs.snapshot

    return read


class NoBars:
    """The profile declares no history."""

    def daily_bars(self, *_: object) -> Mapping[str, BarFrame]:
        raise AssertionError


def test_what_is_published_is_loaded_and_decided_on(
    tmp_path: Path,
    built: BuiltSnapshot,
    strategy: Strategy,
    load: Callable[[Path], FeatureSnapshot],
) -> None:
    manifest = published(tmp_path, built)

    snapshot = load(tmp_path)
    assert snapshot.manifest == manifest
    assert snapshot.rows == built.rows
    decision = strategy.decide(
        StrategyContext(
            session=date(2020, 3, 2),
            calendar=xnys(),
            history={},
            snapshot=snapshot,
            sleeve=SleeveView(),
            config=strategy.config,
        )
    )
    assert decision.outcome is DecisionOutcome.REBALANCE
    # The index had fallen below its average, so half of the capital stays in cash.
    assert decision.diagnostics["regime"] == "soft_defense"
    assert sum(target.amount for target in decision.targets) == Decimal("0.5")


def test_the_manifest_says_who_what_and_when(tmp_path: Path, built: BuiltSnapshot) -> None:
    manifest = published(tmp_path, built)

    assert manifest.version.startswith("2020-02-28-")
    assert manifest.as_of == date(2020, 2, 28)
    assert manifest.generated_at == AT
    assert manifest.code_version == "0.1.0"
    assert manifest.row_count == 21
    assert manifest.columns == built.columns
    assert manifest.sources == built.sources


def test_the_same_snapshot_has_the_same_bytes_everywhere(
    tmp_path: Path, built: BuiltSnapshot
) -> None:
    published(tmp_path / "one", built)
    published(tmp_path / "two", built)

    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert [Path(name).name for name in content(tmp_path / "one")] == [
        "index.html",
        "manifest.json",
        "snapshot.csv",
        "snapshot.parquet",
        "summary.json",
        "latest.json",
    ]


def test_publishing_again_changes_nothing(tmp_path: Path, built: BuiltSnapshot) -> None:
    first = published(tmp_path, built)
    before = content(tmp_path)

    assert published(tmp_path, built, LATER) == first
    assert content(tmp_path) == before


def test_versions_stay_and_the_pointer_moves(
    tmp_path: Path,
    built: BuiltSnapshot,
    strategy: Strategy,
    prices: Mapping[str, BarFrame],
    sectors: Mapping[str, str],
    load: Callable[[Path], FeatureSnapshot],
) -> None:
    first = published(tmp_path, build_snapshot(strategy, prices, sectors, date(2020, 1, 31)))
    old = content(tmp_path / first.version)
    second = published(tmp_path, built)

    assert content(tmp_path / first.version) == old
    assert load(tmp_path).manifest == second


def test_the_same_rows_for_another_configuration_are_another_version(
    tmp_path: Path, built: BuiltSnapshot
) -> None:
    first = published(tmp_path, built)
    second = published(tmp_path, replace(built, config_sha256="e" * 64))

    assert first.snapshot_sha256 == second.snapshot_sha256
    assert first.version != second.version


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("snapshot.csv", lambda path: edit(path, b"KO", b"OK")),
        ("manifest.json", lambda path: edit(path, b'"row_count": 21', b'"row_count": 20')),
        ("manifest.json", lambda path: edit(path, b'"2020-02-28-', b'"2020-02-27-')),
        ("manifest.json", lambda path: path.write_bytes(path.read_bytes()[:-9])),
        ("snapshot.parquet", lambda path: path.write_bytes(path.read_bytes()[:-9])),
    ],
    ids=["edited", "manifest edited", "renamed", "cut", "parquet cut"],
)
def test_a_version_with_other_content_is_never_replaced(
    tmp_path: Path, built: BuiltSnapshot, name: str, spoil: Callable[[Path], None]
) -> None:
    manifest = published(tmp_path, built)
    spoil(tmp_path / manifest.version / name)
    before = content(tmp_path)

    with pytest.raises(InputError, match="exists with other content") as refusal:
        published(tmp_path, built)

    assert refusal.value.code is ReasonCode.SNAPSHOT_HASH
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", ["snapshot.csv", "index.html"])
def test_a_version_of_which_a_file_is_gone_is_not_made_current(
    tmp_path: Path, built: BuiltSnapshot, name: str
) -> None:
    manifest = published(tmp_path, built)
    (tmp_path / manifest.version / name).unlink()
    (tmp_path / "latest.json").unlink()
    before = content(tmp_path)

    with pytest.raises(InputError, match=r"A part of the version .* is missing") as refusal:
        published(tmp_path, built)

    assert refusal.value.code is ReasonCode.SNAPSHOT_CONFLICT
    assert content(tmp_path) == before


def test_publishers_of_one_snapshot_may_race(
    tmp_path: Path, built: BuiltSnapshot, load: Callable[[Path], FeatureSnapshot]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        manifests = list(pool.map(lambda _: published(tmp_path, built), range(16)))

    assert manifests == [manifests[0]] * 16
    assert load(tmp_path).rows == built.rows
    assert sorted(path.name for path in tmp_path.iterdir()) == [manifests[0].version, "latest.json"]


def test_another_user_may_read_what_was_published(tmp_path: Path, built: BuiltSnapshot) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    manifest = published(tmp_path / "snapshots", built)

    version = tmp_path / "snapshots" / manifest.version
    assert version.stat().st_mode == plain.stat().st_mode


def test_what_a_killed_publisher_left_behind_is_not_looked_at(
    tmp_path: Path, built: BuiltSnapshot, load: Callable[[Path], FeatureSnapshot]
) -> None:
    manifest = published(tmp_path, built)
    shutil.copytree(tmp_path / manifest.version, tmp_path / ".publishing-x" / manifest.version)

    assert load(tmp_path).manifest == manifest
    assert published(tmp_path, built) == manifest
