"""Old versions go, but for those that somebody was promised, or turns to in that moment."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    PastVersion,
    SnapshotHistory,
    encode_document,
    open_store,
)
from quant_platform_kit.market import SimulatedClock
from tests.meddling import JustBefore
from us_equity_snapshot_pipelines import (
    Release,
    publish_release,
    read_version,
    use_version,
    versions,
)
from us_equity_snapshot_pipelines._publish import store_version
from us_equity_snapshot_pipelines._retention import prune

# Google's client leaves answers that were errors to the garbage collector, sockets and all.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

AT = datetime(2020, 2, 28, 22, tzinfo=UTC)


def test_only_the_newest_versions_are_kept_and_the_current_one(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    names = [each.manifest.version for each in months]
    for each in months:
        publish_release(store, each, keep=3)
    assert versions(store) == tuple(names[-3:])
    assert {name.split("/")[0] for name in store.names()} == {*names[-3:], "latest.json"}

    use_version(store, names[-3])
    assert prune(store, 2) == ()
    assert read_version(store).manifest.version == names[-3]


def test_versions_that_a_history_lists_are_kept(location: str, months: list[Release]) -> None:
    store = open_store(location)
    past = months[0].manifest
    pointer = store_version(store, months[0]).pointer
    listed = PastVersion(past.as_of, past.version, pointer.manifest_sha256)
    store.create("history.json", encode_document(SnapshotHistory((listed,))))

    for each in months[1:]:
        publish_release(store, each, keep=2)

    assert versions(store) == tuple(months[n].manifest.version for n in (0, 3, 4))
    assert read_version(store, past.version).manifest == past


def test_a_version_that_a_person_goes_back_to_while_old_ones_are_removed_is_kept(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    for each in months:
        publish_release(store, each)
    first, second, *_ = versions(store)
    manifest = f"{first}/manifest.json"
    hands = JustBefore(store, lambda: use_version(store, second), deleting=manifest)

    assert prune(hands, 2) == (first,)

    assert read_version(store).manifest.version == second


def test_a_version_that_becomes_current_as_it_is_removed_is_put_back(
    tmp_path: Path, months: list[Release]
) -> None:
    store = open_store(tmp_path)
    for each in months:
        publish_release(store, each)
    first, second, *_ = versions(store)
    manifest = f"{second}/manifest.json"
    hands = JustBefore(store, lambda: use_version(store, second), deleting=manifest)

    assert prune(hands, 2) == (first,)

    assert read_version(store).manifest.version == second


def test_a_version_that_is_removed_as_it_becomes_current_does_not_stay_current(
    tmp_path: Path, months: list[Release]
) -> None:
    store = open_store(tmp_path)
    for each in months:
        publish_release(store, each)
    newest = read_version(store).manifest
    hands = JustBefore(store, lambda: prune(store, 2), replacing="latest.json")

    with pytest.raises(InputError, match="it is being removed as older") as refusal:
        use_version(hands, versions(store)[1])

    assert refusal.value.code is ReasonCode.SNAPSHOT_CONFLICT
    assert read_version(store).manifest == newest


def test_what_a_killed_publisher_left_of_an_old_version_is_removed_with_it(
    location: str, months: list[Release]
) -> None:
    store = open_store(location)
    half = months[0].manifest.version
    store.create(f"{half}/snapshot.csv", months[0].files["snapshot.csv"])

    for each in months[2:]:
        publish_release(store, each, keep=2)

    assert {name.split("/")[0] for name in store.names()} == {*versions(store), "latest.json"}


def test_litter_of_killed_publishers_goes_once_it_is_a_day_old(
    tmp_path: Path, months: list[Release]
) -> None:
    killed = AT - timedelta(days=1, minutes=1)
    for name, touched in (("old", killed), ("young", AT)):
        litter = tmp_path / f".publishing-{name}"
        litter.mkdir()
        (litter / "object").write_bytes(b"half of it")
        os.utime(litter, (touched.timestamp(), touched.timestamp()))
    store = open_store(tmp_path)

    publish_release(store, months[0])
    assert len(list(tmp_path.glob(".publishing-*"))) == 2  # nothing goes unless it is asked to

    publish_release(store, months[1], keep=2, clock=SimulatedClock(AT))
    assert [path.name for path in tmp_path.glob(".publishing-*")] == [".publishing-young"]
