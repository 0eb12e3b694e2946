"""Finds a published feature snapshot and lets it through only when everything about it fits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from quant_platform_kit.contracts import (
    FeatureRow,
    FeatureSnapshot,
    SnapshotInput,
    SnapshotManifest,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs._artifact import (
    LATEST_FILE,
    MANIFEST_FILE,
    SnapshotPointer,
    decode_document,
    decode_features,
    is_plain_name,
    sha256,
    snapshot_fault,
    unreadable,
)
from quant_platform_kit.market import ExchangeCalendar


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """Where a profile's snapshot is published.

    Parameters
    ----------
    path : Path
        The folder that holds ``latest.json``, or one snapshot file.
    manifest_path : Path, optional
        The manifest of a snapshot file; by default ``manifest.json`` beside it. A folder names its
        own manifest.
    """

    path: Path
    manifest_path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Publication:
    """One version as it lies on disk: its manifest is parsed, nothing is verified yet."""

    manifest: SnapshotManifest
    manifest_where: Path
    manifest_sha256: str
    table: bytes
    table_where: Path
    pointer: SnapshotPointer | None


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

    The checks, in their order: the files exist, the manifest parses, profile, contract and
    configuration are the caller's, the bytes are the ones that were published, the rows are as
    many as stated, the declared columns are there, the date lies before `session`, the age in
    sessions is allowed.

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
        With a code of its own for each fault: ``SNAPSHOT_MISSING``, ``SNAPSHOT_UNREADABLE``,
        ``SNAPSHOT_PROFILE``, ``SNAPSHOT_CONTRACT``, ``SNAPSHOT_CONFIG``, ``SNAPSHOT_HASH``,
        ``SNAPSHOT_FUTURE`` or ``SNAPSHOT_STALE``.
    """
    publication = _read(source)
    _check_identity(publication.manifest, need, profile, config_sha256)
    _check_hashes(publication)
    rows = _read_rows(publication, need)
    _check_date(publication.manifest, need, session, calendar)
    return FeatureSnapshot(publication.manifest, rows)


def _read(source: SnapshotSource) -> _Publication:
    if _is_folder(source.path):
        return _read_latest(source)
    manifest_where = source.manifest_path or source.path.with_name(MANIFEST_FILE)
    table = _read_bytes(source.path)
    manifest, manifest_sha256 = _read_manifest(manifest_where)
    return _Publication(manifest, manifest_where, manifest_sha256, table, source.path, None)


def _read_latest(source: SnapshotSource) -> _Publication:
    if source.manifest_path is not None:
        raise unreadable(
            str(source.path),
            f"it is a folder, which names its own manifest, and {source.manifest_path} is set too",
        )
    latest = source.path / LATEST_FILE
    pointer = decode_document(SnapshotPointer, _read_bytes(latest), str(latest))
    manifest_where = source.path / pointer.version / MANIFEST_FILE
    manifest, manifest_sha256 = _read_manifest(manifest_where)
    if not is_plain_name(manifest.snapshot_file):
        raise unreadable(str(manifest_where), f"{manifest.snapshot_file!r} is not a file name")
    table_where = manifest_where.with_name(manifest.snapshot_file)
    table = _read_bytes(table_where)
    return _Publication(manifest, manifest_where, manifest_sha256, table, table_where, pointer)


def _read_manifest(where: Path) -> tuple[SnapshotManifest, str]:
    data = _read_bytes(where)
    return decode_document(SnapshotManifest, data, str(where)), sha256(data)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise unreadable(str(path), error.strerror or type(error).__name__) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_MISSING,
            f"There is no snapshot file {path}.",
            "Publish the profile's snapshot, or correct the FEATURE_SNAPSHOT_PATH and "
            "FEATURE_SNAPSHOT_MANIFEST_PATH settings.",
        ) from error
    except OSError as error:
        raise unreadable(str(path), error.strerror or type(error).__name__) from error


def _check_identity(
    manifest: SnapshotManifest, need: SnapshotInput, profile: str, config_sha256: str
) -> None:
    what = f"Snapshot {manifest.version}"
    if manifest.profile != profile:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_PROFILE,
            f"{what} belongs to the profile {manifest.profile}, not to {profile}.",
            f"Point the FEATURE_SNAPSHOT_PATH setting at the snapshots of {profile}.",
        )
    if manifest.contract != need.contract:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_CONTRACT,
            f"{what} follows the contract {manifest.contract}, and {profile} reads "
            f"{need.contract}.",
            "Publish it with the pipeline version that writes this contract.",
        )
    if manifest.config_sha256 != config_sha256:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_CONFIG,
            f"{what} was built for the configuration {manifest.config_sha256[:12]}, and {profile} "
            f"runs with {config_sha256[:12]}.",
            "Publish it with the configuration file that STRATEGY_CONFIG_PATH names, or restore "
            "that file.",
        )


def _check_hashes(publication: _Publication) -> None:
    pointer, manifest = publication.pointer, publication.manifest
    if pointer is not None and publication.manifest_sha256 != pointer.manifest_sha256:
        raise _changed(publication.manifest_where, LATEST_FILE)
    if pointer is not None and manifest.version != pointer.version:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_HASH,
            f"{publication.manifest_where} is the manifest of version {manifest.version}.",
            "Publish the snapshot again; a version folder is never copied or renamed.",
        )
    if sha256(publication.table) != manifest.snapshot_sha256:
        raise _changed(publication.table_where, publication.manifest_where.name)


def _changed(where: Path, witness: str) -> InputError:
    return snapshot_fault(
        ReasonCode.SNAPSHOT_HASH,
        f"{where} is not the file that {witness} describes: its SHA-256 differs.",
        "It was changed or cut after it was published: publish the snapshot again, and find out "
        "who writes to the folder.",
    )


def _read_rows(publication: _Publication, need: SnapshotInput) -> tuple[FeatureRow, ...]:
    manifest, where = publication.manifest, str(publication.table_where)
    columns, rows = decode_features(publication.table, where)
    if len(rows) != manifest.row_count:
        raise unreadable(where, f"it has {len(rows)} rows and its manifest {manifest.row_count}")
    if columns != manifest.columns:
        raise unreadable(where, f"its columns are {columns} and its manifest's {manifest.columns}")
    for column in need.columns:
        if column not in columns:
            raise unreadable(where, f"the column {column} is missing, which the profile declares")
    return rows


def _check_date(
    manifest: SnapshotManifest, need: SnapshotInput, session: date, calendar: ExchangeCalendar
) -> None:
    what = f"Snapshot {manifest.version} is dated {manifest.as_of}"
    if not calendar.is_session(manifest.as_of):
        raise unreadable(f"Snapshot {manifest.version}", f"{manifest.as_of} is not a session")
    if manifest.as_of >= session:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_FUTURE,
            f"{what}, and a decision on {session} may know nothing after the close of "
            f"{calendar.previous(session)}.",
            "Publish it for that session, or correct the session of the run.",
        )
    age = calendar.sessions_between(manifest.as_of, session)
    if age > need.max_age_sessions:
        raise snapshot_fault(
            ReasonCode.SNAPSHOT_STALE,
            f"{what}: {age} sessions before {session}, and the profile allows "
            f"{need.max_age_sessions}.",
            "Publish a new snapshot, and find out why the scheduled publication did not run.",
        )
