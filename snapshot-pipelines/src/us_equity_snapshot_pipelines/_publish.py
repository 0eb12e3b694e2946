"""Publishes a version so that a reader sees the old version or the new one, never a mix.

Objects are created, never replaced, in this order: the files of the version, its manifest, and
then the pointer, which replaces the generation that was read before anything was written. So

- a version exists once its manifest does, and it never changes;
- a publisher that is killed leaves the previous version current, and the next one goes on where it
  stopped;
- of two publishers at once each finds what the other wrote, and one of them moves the pointer; the
  other is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import SnapshotManifest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    LATEST_FILE,
    MANIFEST_FILE,
    SNAPSHOT_FILE,
    ObjectStore,
    Publication,
    SnapshotPointer,
    check_description,
    check_hashes,
    encode_document,
    fetch_version,
    open_store,
    read_pointer,
)
from quant_platform_kit.market import Clock, SystemClock
from us_equity_snapshot_pipelines._build import BuiltSnapshot
from us_equity_snapshot_pipelines._release import Release, identity, release, sha256

LEAST_KEPT: Final = 2
"""The current version, and one that a reader may just be fetching, are always kept."""

_LITTER_AGE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that lies in a store, proved to be whole: its manifest, and what points at it."""

    manifest: SnapshotManifest
    pointer: SnapshotPointer


def publish(
    location: Path | str, built: BuiltSnapshot, *, generated_at: datetime, code_version: str
) -> SnapshotManifest:
    """Publish `built` at `location` and make it the current version; see `publish_release`."""
    store = open_store(location)
    return publish_release(
        store, release(built, generated_at=generated_at, code_version=code_version)
    )


def publish_release(
    store: ObjectStore, made: Release, *, keep: int | None = None, clock: Clock | None = None
) -> SnapshotManifest:
    """Store a version, make it the current one, and remove versions beyond the newest `keep`.

    Publishing the same content again changes nothing: the first publication's manifest stands.

    Parameters
    ----------
    store : ObjectStore
        One store serves one profile.
    made : Release
    keep : int, optional
        Versions to keep, at least 2; all when left out. The current one always stays.
    clock : Clock, optional
        Tells how old litter is, where something is removed at all.

    Returns
    -------
    SnapshotManifest
        As it lies in the store.

    Raises
    ------
    InputError
        ``SNAPSHOT_HASH`` when the version exists with other content, ``SNAPSHOT_FUTURE`` when a
        later one is current, ``SNAPSHOT_CONFLICT`` when another publisher moved the pointer in the
        meantime; the pointer stays as it is then.
    """
    seen = read_pointer(store)
    _require_not_older(seen, made.manifest, store)
    stored = store_version(store, made)
    move_pointer(store, stored.pointer, seen)
    if keep is not None:
        prune(store, keep, clock)
    return stored.manifest


def store_version(store: ObjectStore, made: Release) -> Stored:
    """Store a version without making it current, and read it back.

    Raises
    ------
    InputError
        ``SNAPSHOT_HASH`` when the version exists with other content; nothing is replaced then.
    """
    version = made.manifest.version
    stored = store.read(made.manifest_file)
    if stored is None:
        found = {name: _place(store, f"{version}/{name}", data) for name, data in _ordered(made)}
        if found[SNAPSHOT_FILE] != made.files[SNAPSHOT_FILE]:
            raise _not_ours(store.where(version), f"{SNAPSHOT_FILE} holds something else")
        # What lies there already was left by a publisher that did not get to its manifest, or is
        # being written by another one right now: either way it stays, and is described as it is.
        adopted = made.describing({name: sha256(data) for name, data in found.items()})
        store.create(made.manifest_file, adopted.manifest_bytes)
        stored = store.read(made.manifest_file)
    if stored is None:
        raise _not_ours(store.where(version), f"{MANIFEST_FILE} was removed as it was written")
    return _prove_ours(store, made, SnapshotPointer(version, sha256(stored.data)))


def move_pointer(
    store: ObjectStore, pointer: SnapshotPointer, seen: tuple[SnapshotPointer, str] | None
) -> None:
    """Make a stored version current, in place of the pointer that was `seen`.

    Raises
    ------
    InputError
        ``SNAPSHOT_CONFLICT`` when another publisher moved it in the meantime.
    """
    if seen is not None and seen[0] == pointer:
        return
    if store.replace(LATEST_FILE, encode_document(pointer), None if seen is None else seen[1]):
        return
    now = read_pointer(store)
    if now is None or now[0] != pointer:
        raise InputError(
            f"Another publisher made {'nothing' if now is None else now[0].version} current at "
            f"{store.where()} while this one worked. The version {pointer.version} is stored and "
            "not current. Look at both, and publish again the one that is meant.",
            code=ReasonCode.SNAPSHOT_CONFLICT,
        )


def use_version(store: ObjectStore, version: str) -> SnapshotManifest:
    """Make a stored version current, also an older one: the way back.

    Raises
    ------
    InputError
        ``SNAPSHOT_MISSING`` when there is no such version; ``SNAPSHOT_HASH`` or another code of
        the loader when it is not whole.
    """
    publication = read_version(store, version)
    if publication.pointer is None:
        raise _no_version(store, version)
    move_pointer(store, publication.pointer, read_pointer(store))
    return publication.manifest


def read_version(store: ObjectStore, version: str | None = None) -> Publication:
    """Fetch a version, the current one when left out, and check that it is whole.

    Raises
    ------
    InputError
        With the code of the fault; ``SNAPSHOT_MISSING`` when there is no such version.
    """
    if version is None:
        seen = read_pointer(store)
        if seen is None:
            raise _no_version(store, LATEST_FILE)
        pointer = seen[0]
    else:
        manifest = store.read(f"{version}/{MANIFEST_FILE}")
        if manifest is None:
            raise _no_version(store, version)
        pointer = SnapshotPointer(version, sha256(manifest.data))
    publication = fetch_version(store, pointer)
    check_description(publication)
    check_hashes(publication)
    return publication


def read_release(store: ObjectStore, version: str | None = None) -> Release:
    """Fetch a version with all of its files, to store it elsewhere."""
    publication = read_version(store, version)
    manifest = publication.manifest
    files = {}
    for name in publication.found:
        found = store.read(f"{manifest.version}/{name}")
        if found is None:
            raise _no_version(store, f"{manifest.version}/{name}")
        files[name] = found.data
    return Release(manifest, MappingProxyType(files))


def versions(store: ObjectStore) -> tuple[str, ...]:
    """Return the versions in `store`, oldest first; one exists once its manifest does."""
    suffix = f"/{MANIFEST_FILE}"
    return tuple(
        sorted(name.removesuffix(suffix) for name in store.names() if name.endswith(suffix))
    )


def prune(store: ObjectStore, keep: int, clock: Clock | None = None) -> tuple[str, ...]:
    """Remove all but the newest `keep` versions and the current one; return the removed ones.

    A version's manifest goes last, so that one which was half removed is found again. What killed
    publishers left aside goes too, once it is a day old: no publisher takes that long.
    """
    seen = read_pointer(store)
    current = None if seen is None else seen[0].version
    listed = store.names()
    gone = tuple(v for v in versions(store)[: -max(keep, LEAST_KEPT)] if v != current)
    for version in gone:
        for name in listed:
            if name.startswith(f"{version}/") and not name.endswith(f"/{MANIFEST_FILE}"):
                store.delete(name)
        store.delete(f"{version}/{MANIFEST_FILE}")
    store.sweep((clock or SystemClock()).now() - _LITTER_AGE)
    return gone


def _require_not_older(
    seen: tuple[SnapshotPointer, str] | None, manifest: SnapshotManifest, store: ObjectStore
) -> None:
    # A version's name begins with its date, so names compare as dates do.
    if seen is None or seen[0].version[:10] <= manifest.as_of.isoformat():
        return
    raise InputError(
        f"{store.where()} has {seen[0].version} as its current version, and {manifest.version} is "
        "older: nothing was published. To go back to a version that is there, use `qpk snapshot "
        "use`.",
        code=ReasonCode.SNAPSHOT_FUTURE,
    )


def _ordered(made: Release) -> Iterator[tuple[str, bytes]]:
    """Yield the table first: it says at once whether this version is ours."""
    yield SNAPSHOT_FILE, made.files[SNAPSHOT_FILE]
    yield from ((n, made.files[n]) for n in sorted(made.files) if n != SNAPSHOT_FILE)


def _place(store: ObjectStore, name: str, data: bytes) -> bytes:
    """Create an object, or find what lies there; return its content."""
    if store.create(name, data):
        return data
    found = store.read(name)
    return data if found is None else found.data


def _prove_ours(store: ObjectStore, made: Release, pointer: SnapshotPointer) -> Stored:
    """Read the stored version back, whole, before anything points at it."""
    where = store.where(pointer.version)
    try:
        publication = fetch_version(store, pointer)
        check_description(publication)
        check_hashes(publication)
    except InputError as error:
        raise _not_ours(where, f"it is not whole ({error.code.value})") from error
    if identity(publication.manifest) != identity(made.manifest):
        raise _not_ours(where, f"{MANIFEST_FILE} says something else")
    if publication.found[SNAPSHOT_FILE] != made.manifest.snapshot_sha256:
        raise _not_ours(where, f"{SNAPSHOT_FILE} holds something else")
    return Stored(publication.manifest, pointer)


def _not_ours(where: str, what: str) -> InputError:
    return InputError(
        f"The version {where} exists with other content: {what}. A version never changes, so "
        "nothing was published and the pointer stays. Find out who wrote there, move the version "
        "away and publish again.",
        code=ReasonCode.SNAPSHOT_HASH,
    )


def _no_version(store: ObjectStore, version: str) -> InputError:
    return InputError(
        f"There is no snapshot {store.where(version)}. `qpk snapshot list` shows what is there.",
        code=ReasonCode.SNAPSHOT_MISSING,
    )
