"""Finds a published feature snapshot and lets it through only when everything about it fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from quant_platform_kit.contracts import (
    FeatureRow,
    FeatureSnapshot,
    SnapshotInput,
    SnapshotManifest,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs._artifact import (
    HISTORY_FILE,
    LATEST_FILE,
    MANIFEST_FILE,
    SnapshotHistory,
    SnapshotPointer,
    decode_document,
    decode_features,
    is_plain_name,
    sha256,
)
from quant_platform_kit.inputs._objects import ObjectStore, not_readable, store_fault
from quant_platform_kit.inputs._snapshot_checks import Publication, changed, check
from quant_platform_kit.inputs._stores import is_bucket, open_store, split_address
from quant_platform_kit.market import ExchangeCalendar

_KEPT_VERSIONS: Final = 4


class SnapshotCache:
    """The last versions that passed every check, by the hash of their manifest.

    The hash of a manifest stands for every byte of its version, so a version that was verified
    once is not fetched again; pointer and manifest are, every time.
    """

    __slots__ = ("_verified",)

    def __init__(self) -> None:
        self._verified: dict[str, Publication] = {}

    def find(self, manifest_sha256: str) -> Publication | None:
        """Return the verified version of a manifest, if it is kept."""
        return self._verified.get(manifest_sha256)

    def keep(self, publication: Publication) -> None:
        """Keep a version that passed; the oldest one makes room."""
        self._verified[publication.manifest_sha256] = publication
        while len(self._verified) > _KEPT_VERSIONS:
            del self._verified[next(iter(self._verified))]


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """Where a profile's snapshot is published.

    Parameters
    ----------
    path : Path or str
        The folder that holds ``latest.json``, or one snapshot file; ``gs://bucket/folder`` or
        ``gs://bucket/.../snapshot.csv`` in a bucket.
    manifest_path : Path or str, optional
        The manifest of a snapshot file; by default ``manifest.json`` beside it. A folder names its
        own manifest.
    is_history : bool
        Whether the folder's ``history.json`` names the version, by the session of the decision,
        and not its ``latest.json``: for a backtest, which reads what a service would have read on
        that day.
    cache : SnapshotCache
        What was verified before; by default nothing is kept from one source to another.
    """

    path: Path | str
    manifest_path: Path | str | None = None
    is_history: bool = False
    cache: SnapshotCache = field(default_factory=SnapshotCache, compare=False, repr=False)


def load_snapshot(
    source: SnapshotSource,
    need: SnapshotInput,
    *,
    profile: str,
    config_sha256: str,
    session: date,
    calendar: ExchangeCalendar,
) -> FeatureSnapshot:
    """Return the current snapshot of `source`, verified for a decision on `session`.

    Pointer, manifest and files are those of one version. The checks, in their order: everything is
    there, everything parses, the declared columns are there, the dates are sessions, none lies
    after what may be known, the age in sessions is allowed and inside the execution window, the
    manifest describes the files, it is the profile's, its configuration and its contract are the
    caller's, and every file of the version is byte for byte the one that was published.

    Parameters
    ----------
    source : SnapshotSource
    need : SnapshotInput
        What the profile declares.
    profile, config_sha256 : str
        The running profile, and the digest of the configuration it runs with.
    session : date
        The session the decision is for.
    calendar : ExchangeCalendar

    Raises
    ------
    InputError
        With a code of its own for each fault: ``SNAPSHOT_MISSING``, ``SNAPSHOT_UNAVAILABLE``,
        ``SNAPSHOT_UNREADABLE``, ``SNAPSHOT_COLUMNS``, ``SNAPSHOT_DATES``, ``SNAPSHOT_FUTURE``,
        ``SNAPSHOT_STALE``, ``SNAPSHOT_MANIFEST``, ``SNAPSHOT_PROFILE``, ``SNAPSHOT_CONFIG``,
        ``SNAPSHOT_CONTRACT`` or ``SNAPSHOT_HASH``.
    """
    publication = _fetch(source, session)
    check(
        publication,
        need,
        profile=profile,
        config_sha256=config_sha256,
        session=session,
        calendar=calendar,
    )
    source.cache.keep(publication)
    return FeatureSnapshot(publication.manifest, publication.rows)


def read_pointer(store: ObjectStore) -> tuple[SnapshotPointer, str] | None:
    """Return what `store` points at and the pointer's generation; None when nothing is published.

    Raises
    ------
    InputError
        ``SNAPSHOT_UNREADABLE`` when the pointer does not parse.
    """
    found = store.read(LATEST_FILE)
    if found is None:
        return None
    return decode_document(SnapshotPointer, found.data, store.where(LATEST_FILE)), found.generation


def read_manifest(source: SnapshotSource) -> SnapshotManifest:
    """Return the manifest of the current version of `source`.

    The version is fetched whole; it parses, and nothing else is checked.

    Raises
    ------
    InputError
        ``SNAPSHOT_MISSING``, ``SNAPSHOT_UNAVAILABLE``, ``SNAPSHOT_UNREADABLE`` or
        ``SNAPSHOT_HASH``.
    """
    return _fetch(source, date.max).manifest


def fetch_version(store: ObjectStore, pointer: SnapshotPointer) -> Publication:
    """Fetch one version, whole; it parses, and its manifest is the one that `pointer` names.

    Raises
    ------
    InputError
        ``SNAPSHOT_MISSING``, ``SNAPSHOT_UNREADABLE`` or ``SNAPSHOT_HASH``.
    """
    return _fetch_version(store, pointer, SnapshotCache())


def read_history(store: ObjectStore) -> tuple[SnapshotHistory, str] | None:
    """Return the past versions of `store` and the list's generation; None when there is none.

    Raises
    ------
    InputError
        ``SNAPSHOT_UNREADABLE`` when the list does not parse.
    """
    found = store.read(HISTORY_FILE)
    if found is None:
        return None
    return decode_document(SnapshotHistory, found.data, store.where(HISTORY_FILE)), found.generation


def _fetch(source: SnapshotSource, session: date) -> Publication:
    if source.is_history:
        return _fetch_past(source, session)
    return _fetch_file(source) if _is_file(source.path) else _fetch_latest(source)


def _fetch_past(source: SnapshotSource, session: date) -> Publication:
    store = open_store(source.path)
    history = read_history(store)
    past = None if history is None else history[0].before(session)
    if past is None:
        raise _missing(f"{store.where(HISTORY_FILE)} of a session before {session}")
    return _fetch_version(store, past.pointer, source.cache, HISTORY_FILE)


def _fetch_latest(source: SnapshotSource) -> Publication:
    if source.manifest_path is not None:
        raise not_readable(
            str(source.path),
            f"it is a folder, which names its own manifest, and {source.manifest_path} is set too",
        )
    store = open_store(source.path)
    pointer = read_pointer(store)
    if pointer is None:
        raise _missing(store.where(LATEST_FILE))
    return _fetch_version(store, pointer[0], source.cache)


def _fetch_version(
    store: ObjectStore, pointer: SnapshotPointer, cache: SnapshotCache, witness: str = LATEST_FILE
) -> Publication:
    where = store.where(f"{pointer.version}/{MANIFEST_FILE}")
    data = _read(store, f"{pointer.version}/{MANIFEST_FILE}")
    verified = cache.find(sha256(data))
    if verified is not None and verified.pointer == pointer:
        return verified
    if sha256(data) != pointer.manifest_sha256:
        raise changed(where, witness)  # whatever else is wrong with it follows from that
    manifest = decode_document(SnapshotManifest, data, where)
    names = {manifest.snapshot_file, *manifest.files}
    strange = sorted(name for name in names if not is_plain_name(name))
    if strange:
        raise not_readable(where, f"{strange[0]!r} is not a file name")
    files = {name: _read(store, f"{pointer.version}/{name}") for name in sorted(names)}
    table_where = store.where(f"{pointer.version}/{manifest.snapshot_file}")
    columns, rows = _table(files[manifest.snapshot_file], manifest, table_where, where)
    return Publication(
        manifest=manifest,
        manifest_where=where,
        manifest_sha256=sha256(data),
        pointer=pointer,
        table_where=table_where,
        columns=columns,
        rows=rows,
        found={name: sha256(content) for name, content in files.items()},
    )


def _fetch_file(source: SnapshotSource) -> Publication:
    folder, name = split_address(source.path)
    beside, manifest_name = folder, MANIFEST_FILE
    if source.manifest_path is not None:
        beside, manifest_name = split_address(source.manifest_path)
    store = open_store(folder)
    table = _read(store, name)
    manifest_store = open_store(beside)
    data, where = _read(manifest_store, manifest_name), manifest_store.where(manifest_name)
    manifest = decode_document(SnapshotManifest, data, where)
    columns, rows = _table(table, manifest, store.where(name), where)
    return Publication(
        manifest=manifest,
        manifest_where=where,
        manifest_sha256=sha256(data),
        pointer=None,
        table_where=store.where(name),
        columns=columns,
        rows=rows,
        found={manifest.snapshot_file: sha256(table)},
    )


def _table(
    data: bytes, manifest: SnapshotManifest, where: str, manifest_where: str
) -> tuple[tuple[str, ...], tuple[FeatureRow, ...]]:
    try:
        return decode_features(data, where)
    except InputError:
        # That it does not parse is the symptom; that it is another file is the cause.
        if sha256(data) != manifest.snapshot_sha256:
            raise changed(where, manifest_where) from None
        raise


def _read(store: ObjectStore, name: str) -> bytes:
    found = store.read(name)
    if found is None:
        raise _missing(store.where(name))
    return found.data


def _is_file(path: Path | str) -> bool:
    if is_bucket(path):
        return Path(str(path)).suffix == ".csv"
    return not Path(path).is_dir()


def _missing(where: str) -> InputError:
    return store_fault(
        ReasonCode.SNAPSHOT_MISSING,
        f"There is no snapshot file {where}.",
        "Publish the profile's snapshot, or correct the FEATURE_SNAPSHOT_PATH and "
        "FEATURE_SNAPSHOT_MANIFEST_PATH settings.",
    )
