"""A published snapshot gets through only when everything about it fits."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    FeatureRow,
    FeatureSnapshot,
    ProfileStatus,
    SnapshotInput,
    SnapshotManifest,
    StrategyManifest,
    TargetMode,
    encode,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    Inputs,
    SnapshotPointer,
    SnapshotSource,
    encode_document,
    encode_features,
    gather,
    load_snapshot,
)
from quant_platform_kit.market import BarFrame, xnys

PROFILE = "some_profile"
CONTRACT = "some_profile.v1"
CONFIG = "c" * 64
SESSION = date(2020, 4, 13)  # the Monday after Good Friday
AS_OF = date(2020, 4, 9)  # the session before it
COLUMNS = ("symbol", "sector", "mom_6_1", "vol_63")
ROWS = (
    FeatureRow("AAA", "Energy", {"mom_6_1": 0.1, "vol_63": 0.2}),
    FeatureRow("BBB", "Health Care", {"mom_6_1": -0.3, "vol_63": math.nan}),
)
NEED = SnapshotInput(CONTRACT, COLUMNS[2:], max_age_sessions=5)


@dataclass
class Publication:
    """A snapshot folder in the published form; every part can be made wrong on its own."""

    folder: Path
    manifest: SnapshotManifest

    @property
    def version_folder(self) -> Path:
        return self.folder / self.manifest.version

    @property
    def table_file(self) -> Path:
        return self.version_folder / "snapshot.csv"

    @property
    def manifest_file(self) -> Path:
        return self.version_folder / "manifest.json"

    @property
    def pointer_file(self) -> Path:
        return self.folder / "latest.json"

    def write_table(self, data: bytes) -> None:
        """Publish another table under its true hash."""
        self.table_file.write_bytes(data)
        self.state(snapshot_sha256=hashlib.sha256(data).hexdigest())

    def state(self, **changes: Any) -> None:  # noqa: ANN401 (any field)
        """Publish a manifest that says something else, and that the pointer vouches for."""
        self.manifest = replace(self.manifest, **changes)
        self.write_manifest(encode_document(self.manifest))

    def write_manifest(self, data: bytes) -> None:
        self.manifest_file.write_bytes(data)
        pointer = SnapshotPointer(self.version_folder.name, hashlib.sha256(data).hexdigest())
        self.pointer_file.write_bytes(encode_document(pointer))

    def load(self, **changes: Any) -> FeatureSnapshot:  # noqa: ANN401 (any argument)
        wanted: dict[str, Any] = {
            "source": SnapshotSource(self.folder),
            "need": NEED,
            "profile": PROFILE,
            "config_sha256": CONFIG,
            "session": SESSION,
            "calendar": xnys(),
        }
        return load_snapshot(**(wanted | changes))


@pytest.fixture
def publication(tmp_path: Path) -> Publication:
    manifest = SnapshotManifest(
        contract=CONTRACT,
        profile=PROFILE,
        version=f"{AS_OF}-aaaaaaaaaaaa",
        as_of=AS_OF,
        snapshot_file="snapshot.csv",
        snapshot_sha256="0" * 64,
        row_count=len(ROWS),
        columns=COLUMNS,
        config_sha256=CONFIG,
        adjustment=Adjustment.TOTAL_RETURN,
        generated_at=datetime(2020, 4, 9, 22, tzinfo=UTC),
        code_version="0.1.0",
        sources={"prices": "d" * 64},
    )
    published = Publication(tmp_path / "snapshots", manifest)
    published.version_folder.mkdir(parents=True)
    published.write_table(encode_features(COLUMNS, ROWS))
    return published


def content(snapshot: FeatureSnapshot) -> tuple[SnapshotManifest, bytes]:
    """Everything in a snapshot, comparable although it may hold NaN."""
    return snapshot.manifest, encode_features(snapshot.manifest.columns, snapshot.rows)


# ── What is let through ────────────────────────────────────────────────────────────────


def test_the_current_version_of_a_folder_is_loaded(publication: Publication) -> None:
    snapshot = publication.load()

    assert content(snapshot) == (publication.manifest, encode_features(COLUMNS, ROWS))
    assert snapshot.rows[0] == ROWS[0]
    assert math.isnan(snapshot.rows[1].features["vol_63"])


def test_a_snapshot_file_is_loaded_with_the_manifest_beside_it(publication: Publication) -> None:
    pinned = publication.load(source=SnapshotSource(publication.table_file))

    assert content(pinned) == content(publication.load())


def test_a_snapshot_file_may_have_its_manifest_elsewhere(
    publication: Publication, tmp_path: Path
) -> None:
    table, manifest = tmp_path / "features.csv", tmp_path / "features.json"
    shutil.copy(publication.table_file, table)
    shutil.copy(publication.manifest_file, manifest)

    assert content(publication.load(source=SnapshotSource(table, manifest))) == content(
        publication.load()
    )


def test_the_declaration_may_name_the_key_columns_too(publication: Publication) -> None:
    need = SnapshotInput(CONTRACT, COLUMNS, max_age_sessions=5)

    assert publication.load(need=need).rows[0] == ROWS[0]


def test_age_counts_sessions_and_the_last_allowed_one_passes(publication: Publication) -> None:
    # Thursday to Monday: Good Friday and the weekend are no sessions.
    assert publication.load(need=SnapshotInput(CONTRACT, (), max_age_sessions=1)).rows

    with pytest.raises(InputError) as refusal:
        publication.load(need=SnapshotInput(CONTRACT, (), max_age_sessions=0))
    assert refusal.value.code is ReasonCode.SNAPSHOT_STALE


def test_a_snapshot_outside_its_execution_window_is_whole_and_the_profile_holds_on_it(
    publication: Publication,
) -> None:
    need = SnapshotInput(CONTRACT, (), max_age_sessions=5, execution_window_sessions=3)

    assert publication.load(need=need, session=xnys().offset(AS_OF, 4)).rows

    with pytest.raises(InputError, match="and the profile allows 5") as refusal:
        publication.load(need=need, session=xnys().offset(AS_OF, 6))
    assert refusal.value.code is ReasonCode.SNAPSHOT_STALE


# ── What is refused ────────────────────────────────────────────────────────────────────

Spoil = Callable[[Publication], object]


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def rename_the_version(publication: Publication) -> None:
    publication.version_folder.rename(publication.folder / "2020-04-09-bbbbbbbbbbbb")
    pointer = json.loads(publication.pointer_file.read_bytes())
    pointer["version"] = "2020-04-09-bbbbbbbbbbbb"
    publication.pointer_file.write_text(json.dumps(pointer))


def point_outside(publication: Publication) -> None:
    publication.pointer_file.write_text(
        json.dumps({"version": "../elsewhere", "manifest_sha256": "0" * 64})
    )


def forget_a_field(publication: Publication) -> None:
    fields = encode(publication.manifest)
    del fields["as_of"]
    publication.write_manifest(json.dumps(fields).encode())


def make_the_manifest_a_folder(publication: Publication) -> None:
    publication.manifest_file.unlink()
    publication.manifest_file.mkdir()


def drop_a_column(publication: Publication) -> None:
    publication.write_table(
        encode_features(
            COLUMNS[:3], [FeatureRow(row.symbol, row.sector, {"mom_6_1": 0.1}) for row in ROWS]
        )
    )
    publication.state(columns=COLUMNS[:3])


def beside(publication: Publication, name: str) -> Path:
    """Publish a file beside the table and return its path."""
    path = publication.version_folder / name
    path.write_bytes(b"some ranking")
    publication.state(files={name: hashlib.sha256(b"some ranking").hexdigest()})
    return path


def edit_the_ranking(publication: Publication) -> None:
    beside(publication, "ranking.csv").write_bytes(b"other ranking")


def date_the_prices(publication: Publication, day: date) -> None:
    columns = (*COLUMNS[:2], "price_date", *COLUMNS[2:])
    rows = [replace(row, price_date=day) for row in ROWS]
    publication.write_table(encode_features(columns, rows))
    publication.state(columns=columns)


FAULTS: dict[str, tuple[Spoil, ReasonCode, str]] = {
    "no folder": (
        lambda p: shutil.rmtree(p.folder),
        ReasonCode.SNAPSHOT_MISSING,
        "FEATURE_SNAPSHOT_PATH",
    ),
    "nothing published": (
        lambda p: p.pointer_file.unlink(),
        ReasonCode.SNAPSHOT_MISSING,
        "latest.json",
    ),
    "no version folder": (
        lambda p: shutil.rmtree(p.version_folder),
        ReasonCode.SNAPSHOT_MISSING,
        "manifest.json",
    ),
    "no table": (lambda p: p.table_file.unlink(), ReasonCode.SNAPSHOT_MISSING, "snapshot.csv"),
    "pointer cut": (
        lambda p: cut_in_half(p.pointer_file),
        ReasonCode.SNAPSHOT_UNREADABLE,
        "latest.json",
    ),
    "pointer leads outside": (
        point_outside,
        ReasonCode.SNAPSHOT_UNREADABLE,
        "version = '../elsewhere'",
    ),
    "manifest cut": (
        lambda p: cut_in_half(p.manifest_file),
        ReasonCode.SNAPSHOT_HASH,
        "manifest.json",
    ),
    "manifest is a list": (
        lambda p: p.write_manifest(b"[]"),
        ReasonCode.SNAPSHOT_UNREADABLE,
        "not a JSON object",
    ),
    "manifest lacks a field": (forget_a_field, ReasonCode.SNAPSHOT_UNREADABLE, "as_of"),
    "table lies outside": (
        lambda p: p.state(snapshot_file="../snapshot.csv"),
        ReasonCode.SNAPSHOT_UNREADABLE,
        "../snapshot.csv",
    ),
    "manifest is a folder": (
        make_the_manifest_a_folder,
        ReasonCode.SNAPSHOT_UNREADABLE,
        "manifest.json",
    ),
    "another profile": (
        lambda p: p.state(profile="another_profile"),
        ReasonCode.SNAPSHOT_PROFILE,
        "another_profile",
    ),
    "another contract": (
        lambda p: p.state(contract="some_profile.v2"),
        ReasonCode.SNAPSHOT_CONTRACT,
        "some_profile.v2",
    ),
    "another configuration": (
        lambda p: p.state(config_sha256="e" * 64),
        ReasonCode.SNAPSHOT_CONFIG,
        "eeeeeeeeeeee",
    ),
    "table edited": (
        lambda p: p.table_file.write_bytes(p.table_file.read_bytes().replace(b"0.1", b"9.1")),
        ReasonCode.SNAPSHOT_HASH,
        "snapshot.csv",
    ),
    "table cut": (lambda p: cut_in_half(p.table_file), ReasonCode.SNAPSHOT_HASH, "snapshot.csv"),
    "manifest edited": (
        lambda p: p.manifest_file.write_bytes(
            p.manifest_file.read_bytes().replace(b"0.1.0", b"0.2.0")
        ),
        ReasonCode.SNAPSHOT_HASH,
        "latest.json",
    ),
    "version renamed": (rename_the_version, ReasonCode.SNAPSHOT_MANIFEST, "aaaaaaaaaaaa"),
    "another row count": (
        lambda p: p.state(row_count=3),
        ReasonCode.SNAPSHOT_MANIFEST,
        "2 rows and its manifest 3",
    ),
    "other columns": (
        lambda p: p.state(columns=COLUMNS[:3]),
        ReasonCode.SNAPSHOT_MANIFEST,
        "vol_63",
    ),
    "a declared column missing": (
        drop_a_column,
        ReasonCode.SNAPSHOT_COLUMNS,
        "has no column vol_63",
    ),
    "a file beside the table edited": (
        edit_the_ranking,
        ReasonCode.SNAPSHOT_HASH,
        "ranking.csv is not the file",
    ),
    "a file beside the table gone": (
        lambda p: beside(p, "ranking.csv").unlink(),
        ReasonCode.SNAPSHOT_MISSING,
        "ranking.csv",
    ),
    "a file of the manifest lies outside": (
        lambda p: p.state(files={"../ranking.csv": "d" * 64}),
        ReasonCode.SNAPSHOT_UNREADABLE,
        "'../ranking.csv' is not a file name",
    ),
    "a price after the snapshot": (
        lambda p: date_the_prices(p, date(2020, 4, 13)),
        ReasonCode.SNAPSHOT_FUTURE,
        "holds a price of 2020-04-13",
    ),
    "a price older than a session": (
        lambda p: date_the_prices(p, date(2020, 4, 7)),
        ReasonCode.SNAPSHOT_DATES,
        "The last price of AAA",
    ),
    "a price date that is none": (
        lambda p: p.write_table(b"symbol,sector,price_date,mom_6_1,vol_63\nAAA,,soon,1,2\n"),
        ReasonCode.SNAPSHOT_UNREADABLE,
        "line 2, column price_date reads 'soon'",
    ),
    "dated on a holiday": (
        lambda p: p.state(as_of=date(2020, 4, 10)),
        ReasonCode.SNAPSHOT_DATES,
        "2020-04-10, which is not a session",
    ),
    "dated on the session itself": (
        lambda p: p.state(as_of=SESSION),
        ReasonCode.SNAPSHOT_FUTURE,
        "2020-04-13",
    ),
    "dated after the session": (
        lambda p: p.state(as_of=date(2020, 4, 14)),
        ReasonCode.SNAPSHOT_FUTURE,
        "2020-04-14",
    ),
    "too old": (
        lambda p: p.state(as_of=date(2020, 4, 2)),
        ReasonCode.SNAPSHOT_STALE,
        "6 sessions before 2020-04-13",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a20_each_fault_has_its_own_code_and_says_what_to_do(
    publication: Publication, fault: str
) -> None:
    spoil, code, words = FAULTS[fault]
    spoil(publication)

    with pytest.raises(InputError) as refusal:
        publication.load()

    assert refusal.value.code is code
    assert words in refusal.value.message
    assert "Nothing is decided on it and the strategy's holdings are kept" in refusal.value.message


def test_a_folder_and_a_manifest_path_together_are_refused(publication: Publication) -> None:
    with pytest.raises(InputError, match="names its own manifest") as refusal:
        publication.load(source=SnapshotSource(publication.folder, publication.manifest_file))

    assert refusal.value.code is ReasonCode.SNAPSHOT_UNREADABLE


def test_a_file_without_a_manifest_is_refused(publication: Publication) -> None:
    publication.manifest_file.unlink()

    with pytest.raises(InputError) as refusal:
        publication.load(source=SnapshotSource(publication.table_file))

    assert refusal.value.code is ReasonCode.SNAPSHOT_MISSING


def test_the_first_fault_in_the_order_of_the_checks_is_the_one_told(
    publication: Publication,
) -> None:
    ranking = beside(publication, "ranking.csv")
    good = publication.manifest
    need = replace(NEED, columns=(*NEED.columns, "vol_20"))
    publication.state(
        profile="x", contract="x", config_sha256="e" * 64, row_count=9, as_of=date(2020, 4, 12)
    )
    ranking.write_bytes(b"other ranking")
    repairs: Sequence[Callable[[], object]] = (
        lambda: publication.state(as_of=date(2020, 4, 14)),
        lambda: publication.state(as_of=date(2020, 3, 2)),
        lambda: publication.state(as_of=good.as_of),
        lambda: publication.state(row_count=good.row_count),
        lambda: publication.state(profile=good.profile),
        lambda: publication.state(config_sha256=good.config_sha256),
        lambda: publication.state(contract=good.contract),
        lambda: ranking.write_bytes(b"some ranking"),
    )

    told = []
    with pytest.raises(InputError) as refusal:
        publication.load(need=need)
    told.append(refusal.value.code)
    for repair in repairs:
        with pytest.raises(InputError) as refusal:
            publication.load()
        told.append(refusal.value.code)
        repair()

    assert told == [
        ReasonCode.SNAPSHOT_COLUMNS,
        ReasonCode.SNAPSHOT_DATES,
        ReasonCode.SNAPSHOT_FUTURE,
        ReasonCode.SNAPSHOT_STALE,
        ReasonCode.SNAPSHOT_MANIFEST,
        ReasonCode.SNAPSHOT_PROFILE,
        ReasonCode.SNAPSHOT_CONFIG,
        ReasonCode.SNAPSHOT_CONTRACT,
        ReasonCode.SNAPSHOT_HASH,
    ]
    assert publication.load().rows[0] == ROWS[0]


def test_a_version_is_fetched_once_and_its_pointer_every_time(publication: Publication) -> None:
    source = SnapshotSource(publication.folder)
    first = publication.load(source=source)
    publication.table_file.unlink()

    assert content(publication.load(source=source)) == content(first)
    publication.pointer_file.unlink()
    with pytest.raises(InputError) as refusal:
        publication.load(source=source)
    assert refusal.value.code is ReasonCode.SNAPSHOT_MISSING


def test_a_version_that_did_not_pass_is_not_kept(publication: Publication) -> None:
    source = SnapshotSource(publication.folder)
    publication.write_manifest(encode_document(replace(publication.manifest, profile="x")))
    with pytest.raises(InputError):
        publication.load(source=source)

    assert (
        source.cache.find(hashlib.sha256(publication.manifest_file.read_bytes()).hexdigest())
        is None
    )


def test_a_version_that_was_verified_grows_old_all_the_same(publication: Publication) -> None:
    source = SnapshotSource(publication.folder)
    assert publication.load(source=source).rows

    with pytest.raises(InputError) as refusal:
        publication.load(source=source, session=date(2020, 4, 20))
    assert refusal.value.code is ReasonCode.SNAPSHOT_STALE


def test_no_changed_byte_of_a_version_gets_through(publication: Publication) -> None:
    ranking = beside(publication, "ranking.csv")
    for path in (publication.table_file, ranking, publication.manifest_file):
        data = path.read_bytes()
        for index in range(0, len(data), 7):  # every byte, and the pointer: proof/_damage.py
            path.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
            with pytest.raises(InputError) as refusal:
                publication.load()
            assert refusal.value.code is ReasonCode.SNAPSHOT_HASH
        path.write_bytes(data)
    assert publication.load().rows[0] == ROWS[0]


# ── Gathered for a profile ─────────────────────────────────────────────────────────────


class NoBars:
    """A bar source for a profile that declares no history; asking it is a defect."""

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        raise AssertionError(symbols)


def gathered(snapshots: SnapshotSource | None) -> Inputs:
    manifest = StrategyManifest(
        profile=PROFILE,
        display_name={"en": "Some profile", "zh": "某策略"},
        description={"en": "For tests.", "zh": "仅供测试。"},
        cadence=Cadence.MONTHLY,
        benchmark="SPY",
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=("AAA", "BBB"),
        snapshot=NEED,
    )
    return gather(
        manifest,
        config_sha256=CONFIG,
        bars=NoBars(),
        snapshots=snapshots,
        session=SESSION,
        calendar=xnys(),
    )


def test_a_declared_snapshot_is_gathered_with_its_facts(publication: Publication) -> None:
    inputs = gathered(SnapshotSource(publication.folder))

    assert inputs.history == {}
    assert inputs.snapshot is not None
    assert content(inputs.snapshot) == content(publication.load())
    assert inputs.snapshot_ref == publication.manifest.ref()
    assert inputs.history_ref is None


def test_another_snapshot_gives_another_digest(publication: Publication) -> None:
    before = gathered(SnapshotSource(publication.folder))
    publication.write_table(publication.table_file.read_bytes().replace(b"0.1", b"0.4"))

    assert gathered(SnapshotSource(publication.folder)).sha256 != before.sha256


def test_a_profile_that_needs_a_snapshot_is_told_when_no_path_is_set() -> None:
    with pytest.raises(InputError, match="FEATURE_SNAPSHOT_PATH") as refusal:
        gathered(None)

    assert refusal.value.code is ReasonCode.SNAPSHOT_MISSING
