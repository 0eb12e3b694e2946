"""Publishing to a folder and to a bucket: the same promises, kept the same way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from quant_platform_kit.contracts import FeatureSnapshot, SnapshotManifest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    ObjectStore,
    SnapshotSource,
    load_snapshot,
    open_store,
    read_pointer,
)
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import Strategy
from tests import buckets
from tests.meddling import JustBefore, Mortal, PowerCutError, Through
from us_equity_snapshot_pipelines import (
    BuiltSnapshot,
    Release,
    publish_release,
    read_version,
    release,
    use_version,
    versions,
)

# Google's client leaves answers that were errors to the garbage collector, sockets and all.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

AT = datetime(2020, 2, 28, 22, tzinfo=UTC)
SESSION = date(2020, 3, 2)
Load = Callable[[str], FeatureSnapshot]


def made(built: BuiltSnapshot, at: datetime = AT) -> Release:
    return release(built, generated_at=at, code_version="0.1.0")


@pytest.fixture
def load(strategy: Strategy) -> Load:
    need = strategy.manifest.snapshot
    assert need is not None

    def read(location: str) -> FeatureSnapshot:
        return load_snapshot(
            SnapshotSource(location),
            need,
            profile=strategy.manifest.profile,
            config_sha256=strategy.config_sha256,
            session=SESSION,
            calendar=xnys(),
        )

    return read


def current(store: ObjectStore) -> str | None:
    seen = read_pointer(store)
    return None if seen is None else seen[0].version


# ── Publishing and reading ─────────────────────────────────────────────────────────────


def test_what_is_published_is_what_a_service_reads(
    location: str, built: BuiltSnapshot, load: Load
) -> None:
    manifest = publish_release(open_store(location), made(built))

    snapshot = load(location)
    assert snapshot.manifest == manifest
    assert snapshot.rows == built.rows


def test_publishing_again_later_changes_nothing(location: str, built: BuiltSnapshot) -> None:
    store = open_store(location)
    first = publish_release(store, made(built))
    before = {name: store.read(name) for name in store.names()}

    assert publish_release(store, made(built, AT.replace(hour=23))) == first
    assert {name: store.read(name) for name in store.names()} == before


def test_an_older_snapshot_does_not_take_the_place_of_a_newer_one(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    newest = publish_release(store, months[-1])

    with pytest.raises(InputError, match="is older: nothing was published") as refusal:
        publish_release(store, months[0])

    assert refusal.value.code is ReasonCode.SNAPSHOT_FUTURE
    assert versions(store) == (newest.version,)


def test_a_place_serves_one_profile(location: str, built: BuiltSnapshot) -> None:
    store = open_store(location)
    first = publish_release(store, made(built))

    with pytest.raises(InputError, match=f"serves {first.profile}") as refusal:
        publish_release(store, made(replace(built, profile="another_profile")))

    assert refusal.value.code is ReasonCode.SNAPSHOT_PROFILE
    assert versions(store) == (first.version,)


def test_the_way_back_is_to_use_a_version_that_is_there(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    for each in months[-2:]:
        publish_release(store, each)
    older = months[-2].manifest.version

    assert use_version(store, older).version == older
    assert current(store) == older
    with pytest.raises(InputError) as refusal:
        use_version(store, "2020-02-28-000000000000")
    assert refusal.value.code is ReasonCode.SNAPSHOT_MISSING


def test_a_broken_pointer_is_replaced_by_the_next_publication_or_by_hand(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    for each in months[1:3]:
        publish_release(store, each)
    break_pointer(store)

    with pytest.raises(InputError, match="is older: nothing was published"):
        publish_release(store, months[0])  # nobody knows what was current; not what came before
    use_version(store, months[1].manifest.version)
    assert current(store) == months[1].manifest.version

    break_pointer(store)
    publish_release(store, months[3])
    assert current(store) == months[3].manifest.version


def break_pointer(store: ObjectStore) -> None:
    seen = store.read("latest.json")
    assert seen is not None
    assert store.replace("latest.json", seen.data[:20], seen.generation)


def test_a_changed_byte_of_any_object_stops_the_trade(
    location: str, built: BuiltSnapshot, load: Load
) -> None:
    store = open_store(location)
    publish_release(store, made(built))
    version = current(store)
    told: dict[str, str] = {}
    for name in store.names():
        whole = store.read(name)
        assert whole is not None
        at = len(whole.data) // 2
        changed = whole.data[:at] + bytes([whole.data[at] ^ 1]) + whole.data[at + 1 :]
        assert store.replace(name, changed, whole.generation)

        with pytest.raises(InputError) as refusal:
            load(location)
        told[name.removeprefix(f"{version}/")] = refusal.value.code

        present = store.read(name)
        assert present is not None
        store.replace(name, whole.data, present.generation)

    assert told == dict.fromkeys(told, ReasonCode.SNAPSHOT_HASH)
    assert len(told) == len(made(built).files) + 2
    assert load(location).rows == built.rows


# ── Two at once ────────────────────────────────────────────────────────────────────────


def test_publishers_of_the_same_content_agree(
    location: str, built: BuiltSnapshot, load: Load
) -> None:
    def at_minute(minute: int) -> SnapshotManifest:
        return publish_release(open_store(location), made(built, AT.replace(minute=minute)))

    with ThreadPoolExecutor(4) as pool:
        manifests = list(pool.map(at_minute, range(8)))

    assert manifests == [manifests[0]] * 8
    assert load(location).manifest == manifests[0]


def test_of_publishers_of_different_contents_one_wins_and_the_others_are_told(
    location: str, built: BuiltSnapshot, strategy: Strategy
) -> None:
    rivals = [made(replace(built, rows=built.rows[: 21 - n])) for n in range(4)]

    def attempt(rival: Release) -> str:
        try:
            return publish_release(open_store(location), rival).version
        except InputError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, rivals))

    store = open_store(location)
    allowed = {rival.manifest.version for rival in rivals} | {ReasonCode.SNAPSHOT_CONFLICT}
    assert set(answers) <= allowed
    assert current(store) in answers
    for version in versions(store):
        assert read_version(store, version).manifest.version == version


def test_a_reader_sees_one_version_or_another_and_never_a_mixture(
    location: str, months: list[Release], load: Load
) -> None:
    store = open_store(location)
    publish_release(store, months[0])
    tables = {each.manifest.version: each.manifest.snapshot_sha256 for each in months}

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(lambda: [publish_release(store, each) for each in months[1:]])
        seen = []
        while not publishing.done():
            manifest = read_version(open_store(location)).manifest
            assert manifest.snapshot_sha256 == tables[manifest.version]
            seen.append(manifest.version)
        publishing.result()

    assert seen == sorted(seen)
    assert load(location).manifest.version == months[-1].manifest.version


def test_a_publisher_that_was_overtaken_moves_nothing(location: str, months: list[Release]) -> None:
    store = open_store(location)
    publish_release(store, months[0])
    overtaken = JustBefore(
        store, lambda: publish_release(store, months[2]), replacing="latest.json"
    )

    with pytest.raises(InputError, match="stored and not current") as refusal:
        publish_release(overtaken, months[1])

    assert refusal.value.code is ReasonCode.SNAPSHOT_CONFLICT
    assert current(store) == months[2].manifest.version


# ── Cut off ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_a_publisher_cut_off_at_any_change_leaves_a_whole_version_and_can_go_on(
    location: str, months: list[Release], load: Load, arrives: bool
) -> None:
    old, new = months[-2], months[-1]
    for lived in range(30):
        here = f"{location}/{lived}"
        store = open_store(here)
        for each in months[-4:-1]:
            publish_release(store, each)
        try:
            publish_release(Mortal(store, lived, arrives=arrives), new, keep=2)
        except PowerCutError:
            seen = load(here).manifest.version
            assert seen in {old.manifest.version, new.manifest.version}
            publish_release(store, new, keep=2)
        else:
            break
        assert load(here).manifest.version == new.manifest.version
        assert versions(store) == (old.manifest.version, new.manifest.version)
        assert {name.split("/")[0] for name in store.names()} == {*versions(store), "latest.json"}
    assert 10 < lived < 29  # files, manifest, pointer, and two versions removed


# ── A bucket, behind a bad line ────────────────────────────────────────────────────────


@pytest.fixture
def far(line: buckets.BadLine, emulator: str) -> str:
    return f"gs://{buckets.new_bucket(emulator)}/some_profile"


def test_a_publication_gets_through_a_store_that_stumbles(
    far: str, line: buckets.BadLine, built: BuiltSnapshot, load: Load
) -> None:
    line.refuse, line.lose = [503], 3

    manifest = publish_release(open_store(far), made(built))

    assert load(far).manifest == manifest


def test_a_pointer_whose_answer_was_lost_was_moved_all_the_same(
    far: str, line: buckets.BadLine, months: list[Release]
) -> None:
    store = open_store(far)
    publish_release(store, months[0])

    @dataclass
    class LosesThePointersAnswer(Through):
        def replace(self, name: str, data: bytes, generation: str | None) -> bool:
            line.lose = 1
            return self.inner.replace(name, data, generation)

    publish_release(LosesThePointersAnswer(store), months[1])

    assert current(store) == months[1].manifest.version


def test_a_store_that_is_down_blocks_the_trade_with_its_own_code(
    far: str, line: buckets.BadLine, built: BuiltSnapshot, load: Load
) -> None:
    publish_release(open_store(far), made(built))
    line.cut = True

    with pytest.raises(InputError) as refusal:
        load(far)
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNAVAILABLE
