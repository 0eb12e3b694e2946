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
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

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
    decode_document,
    fetch_version,
    open_store,
    read_pointer,
)
from quant_platform_kit.market import Clock
from us_equity_snapshot_pipelines._build import BuiltSnapshot
from us_equity_snapshot_pipelines._pointer import (
    SeenPointer,
    incomplete,
    look_at_pointer,
    move_pointer,
)
from us_equity_snapshot_pipelines._release import Release, identity, release, sha256
from us_equity_snapshot_pipelines._retention import prune, versions_in


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
        ``SNAPSHOT_PROFILE`` when the store serves another profile, ``SNAPSHOT_HASH`` when the
        version exists with other content, ``SNAPSHOT_FUTURE`` when a
        later one is current, ``SNAPSHOT_CONFLICT`` when another publisher moved the pointer in the
        meantime, or removed the version as an old one; the pointer stays as it is then.
    """
    seen = look_at_pointer(store)
    _require_same_profile(seen, made.manifest, store)
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
        ``SNAPSHOT_CONFLICT`` when a part of it is removed meanwhile, or was before.
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
        raise incomplete(store, version)
    return _prove_ours(store, made, SnapshotPointer(version, sha256(stored.data)))


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
    move_pointer(store, publication.pointer, look_at_pointer(store))
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
    return versions_in(store.names())


def _require_same_profile(
    seen: SeenPointer, manifest: SnapshotManifest, store: ObjectStore
) -> None:
    """Refuse a place whose services would all be blocked by this version."""
    current = None if seen.pointer is None else _manifest_of(store, seen.pointer.version)
    if current is None or current.profile == manifest.profile:
        return
    raise InputError(
        f"{store.where()} serves {current.profile}, whose services could not trade on a snapshot "
        f"of {manifest.profile}: nothing was published. Give each profile a place of its own.",
        code=ReasonCode.SNAPSHOT_PROFILE,
    )


def _manifest_of(store: ObjectStore, version: str) -> SnapshotManifest | None:
    """Return a manifest; None for one that is gone or broken, which a publication puts right."""
    name = f"{version}/{MANIFEST_FILE}"
    stored = store.read(name)
    if stored is None:
        return None
    try:
        return decode_document(SnapshotManifest, stored.data, store.where(name))
    except InputError:
        return None


def _require_not_older(seen: SeenPointer, manifest: SnapshotManifest, store: ObjectStore) -> None:
    if seen.is_broken:  # nobody knows what was current: at most the newest that is there
        newest = max(versions(store), default="")
    else:
        newest = "" if seen.pointer is None else seen.pointer.version
    # A version's name begins with its date, so names compare as dates do.
    if newest[:10] <= manifest.as_of.isoformat():
        return
    raise InputError(
        f"{store.where()} has {newest} as its current version, and {manifest.version} is "
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
        if error.code is ReasonCode.SNAPSHOT_MISSING:
            raise incomplete(store, pointer.version) from error
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
