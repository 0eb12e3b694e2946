"""A folder and a bucket keep the same promises: whole objects, created once, replaced knowingly."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import metadata
from pathlib import Path

import pytest

from quant_platform_kit.errors import InputError, ReasonCode, SettingsError
from quant_platform_kit.inputs import ObjectStore, StoredObject, open_store
from tests import buckets

# Google's client leaves answers that were errors to the garbage collector, sockets and all.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture
def store(location: str) -> ObjectStore:
    return open_store(location)


def read(store: ObjectStore, name: str) -> StoredObject:
    found = store.read(name)
    assert found is not None
    return found


# ── What both promise ──────────────────────────────────────────────────────────────────


def test_what_is_created_is_read_and_listed(store: ObjectStore) -> None:
    assert store.create("v1/b.csv", b"two")
    assert store.create("a.json", b"one")

    assert read(store, "v1/b.csv").data == b"two"
    assert store.names() == ("a.json", "v1/b.csv")
    assert store.where("a.json").endswith("/a.json")


def test_what_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.read("a.json") is None
    assert store.names() == ()
    store.delete("a.json")


def test_sweeping_takes_no_object(store: ObjectStore) -> None:
    store.create("v/a.json", b"one")

    assert store.sweep(datetime(2100, 1, 1, tzinfo=UTC)) == 0
    assert store.names() == ("v/a.json",)


def test_an_object_is_never_created_twice(store: ObjectStore) -> None:
    store.create("a.json", b"one")

    assert not store.create("a.json", b"two")
    assert read(store, "a.json").data == b"one"


def test_what_was_read_is_replaced(store: ObjectStore) -> None:
    assert store.replace("a.json", b"one", None)
    assert store.replace("a.json", b"two", read(store, "a.json").generation)

    assert read(store, "a.json").data == b"two"


def test_a_stale_generation_replaces_nothing(store: ObjectStore) -> None:
    store.replace("a.json", b"one", None)
    seen = read(store, "a.json").generation
    store.replace("a.json", b"two", seen)

    assert not store.replace("a.json", b"three", seen)
    assert not store.replace("a.json", b"three", None)
    assert read(store, "a.json").data == b"two"


def test_what_was_deleted_is_gone_and_replaces_nothing(store: ObjectStore) -> None:
    store.create("v1/a.json", b"one")
    seen = read(store, "v1/a.json").generation
    store.delete("v1/a.json")

    assert store.read("v1/a.json") is None
    assert not store.replace("v1/a.json", b"two", seen)
    assert store.create("v1/a.json", b"two")


def test_one_of_many_creates_and_one_of_many_replaces(store: ObjectStore) -> None:
    def all_at_once(write: Callable[[int], bool]) -> list[bool]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(write, range(16)))

    created = all_at_once(lambda n: store.create("a.json", b"%d" % n))
    assert sum(created) == 1
    first = read(store, "a.json")
    assert first.data == b"%d" % created.index(True)

    replaced = all_at_once(lambda n: store.replace("a.json", b"r%d" % n, first.generation))
    assert sum(replaced) == 1
    assert read(store, "a.json").data == b"r%d" % replaced.index(True)


# ── A folder ───────────────────────────────────────────────────────────────────────────


def test_a_folder_where_a_file_should_be_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()

    with pytest.raises(InputError, match="it is a folder") as refusal:
        open_store(tmp_path).read("a.json")
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNREADABLE


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="cannot be reached") as refusal:
        open_store(tmp_path / "file" / "snapshots").create("a.json", b"one")
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNAVAILABLE


def test_litter_of_a_killed_publisher_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".publishing-x").mkdir()
    (tmp_path / ".publishing-x" / "object").write_bytes(b"half")

    assert open_store(tmp_path).names() == ()


# ── A bucket, behind a bad line ────────────────────────────────────────────────────────


@pytest.fixture
def far_store(line: buckets.BadLine, emulator: str) -> ObjectStore:
    return open_store(f"gs://{buckets.new_bucket(emulator)}/some_profile")


def test_a_store_that_is_down_for_a_moment_is_asked_again(
    far_store: ObjectStore, line: buckets.BadLine
) -> None:
    line.refuse = [503, 503]
    assert far_store.create("a.json", b"one")
    line.refuse = [503, 429]
    assert read(far_store, "a.json").data == b"one"
    line.refuse = [500]
    assert far_store.names() == ("a.json",)


def test_an_upload_whose_answer_was_lost_is_not_written_twice(
    far_store: ObjectStore, line: buckets.BadLine
) -> None:
    line.lose = 1

    # The second attempt finds the first one's object: created it was, by whom nobody knows.
    assert not far_store.create("a.json", b"one")
    assert read(far_store, "a.json").data == b"one"


def test_half_a_download_is_never_returned(far_store: ObjectStore, line: buckets.BadLine) -> None:
    far_store.create("a.json", b"one two three")
    line.cut = True

    with pytest.raises(InputError) as refusal:
        far_store.read("a.json")
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNAVAILABLE
    assert "Nothing is decided on it" in refusal.value.message


def test_a_bucket_that_is_kept_from_us_says_which_role_is_missing(
    far_store: ObjectStore, line: buckets.BadLine
) -> None:
    line.refuse = [403]

    with pytest.raises(InputError, match="Storage Object Viewer") as refusal:
        far_store.read("a.json")
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNAVAILABLE


def test_a_bucket_that_does_not_exist_has_nothing_and_takes_nothing(
    line: buckets.BadLine,
) -> None:
    store = open_store("gs://no-such-bucket/some_profile")

    assert store.read("a.json") is None
    with pytest.raises(InputError) as refusal:
        store.create("a.json", b"one")
    assert refusal.value.code is ReasonCode.SNAPSHOT_UNAVAILABLE


def test_an_address_without_a_bucket_is_a_setting_error() -> None:
    with pytest.raises(SettingsError, match="names no bucket"):
        open_store("gs:///some_profile")


def test_a_client_that_is_not_installed_is_named_by_an_extra_that_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "quant_platform_kit.inputs._bucket", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)

    with pytest.raises(SettingsError, match="is not installed") as refusal:
        open_store("gs://desk/some_profile")

    extra = re.search(r"quant-platform-kit\[(\w+)\]", refusal.value.message)
    assert extra is not None
    assert extra[1] in (metadata("quant-platform-kit").get_all("Provides-Extra") or ())
