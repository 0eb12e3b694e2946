"""Publishes a built snapshot so that a reader sees the old version or the new one, never a mix."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from quant_platform_kit.contracts import SnapshotManifest, digest, encode
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    LATEST_FILE,
    MANIFEST_FILE,
    SNAPSHOT_FILE,
    SnapshotPointer,
    decode_document,
    encode_document,
    encode_features,
)
from us_equity_snapshot_pipelines._build import BuiltSnapshot

_HASH_LENGTH = 12
_ABOUT_THE_PUBLISHING = frozenset({"version", "generated_at", "code_version"})


def publish(
    folder: Path, built: BuiltSnapshot, *, generated_at: datetime, code_version: str
) -> SnapshotManifest:
    """Publish `built` as an immutable version of `folder`, and make it the current one.

    The version is named after its date and the hash of what it says; its folder is written aside
    and renamed into place, and the pointer is replaced last, so a publisher that is killed leaves
    the previous version current. Publishing the same content again changes nothing: the first
    publication's manifest stands.

    Parameters
    ----------
    folder : Path
        Created when it does not exist. One folder serves one profile.
    built : BuiltSnapshot
    generated_at : datetime
        Aware UTC.
    code_version : str
        Version of the code that built it.

    Returns
    -------
    SnapshotManifest
        As it lies in the version folder.

    Raises
    ------
    InputError
        ``SNAPSHOT_HASH`` when the version exists with other content; nothing is replaced then.
    """
    table = encode_features(built.columns, built.rows)
    manifest = _manifest(built, table, generated_at, code_version)
    folder.mkdir(parents=True, exist_ok=True)
    # Litter of a killed publisher starts with a dot, and no reader looks at it.
    with tempfile.TemporaryDirectory(prefix=".publishing-", dir=folder) as name:
        workspace = Path(name)
        if not (folder / manifest.version).exists():
            _place_version(workspace, folder, manifest, table)
        manifest, manifest_bytes = _published(folder / manifest.version, manifest, table)
        pointer = SnapshotPointer(manifest.version, hashlib.sha256(manifest_bytes).hexdigest())
        _place_pointer(workspace, folder, pointer)
    return manifest


def _manifest(
    built: BuiltSnapshot, table: bytes, generated_at: datetime, code_version: str
) -> SnapshotManifest:
    unnamed = SnapshotManifest(
        contract=built.contract,
        profile=built.profile,
        version="unnamed",
        as_of=built.as_of,
        snapshot_file=SNAPSHOT_FILE,
        snapshot_sha256=hashlib.sha256(table).hexdigest(),
        row_count=len(built.rows),
        columns=built.columns,
        config_sha256=built.config_sha256,
        adjustment=built.adjustment,
        generated_at=generated_at,
        code_version=code_version,
        sources=built.sources,
    )
    return replace(unnamed, version=f"{built.as_of}-{_identity(unnamed)[:_HASH_LENGTH]}")


def _identity(manifest: SnapshotManifest) -> str:
    """Hash what the version says, not who said it when."""
    fields = encode(manifest)
    return digest({name: fields[name] for name in fields.keys() - _ABOUT_THE_PUBLISHING})


def _place_version(workspace: Path, folder: Path, manifest: SnapshotManifest, table: bytes) -> None:
    aside = workspace / manifest.version
    aside.mkdir()
    _write(aside / SNAPSHOT_FILE, table)
    _write(aside / MANIFEST_FILE, encode_document(manifest))
    _sync_folder(aside)
    try:
        aside.rename(folder / manifest.version)
    except OSError as error:
        # Another publisher was faster with the same version; `_published` compares the two.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    _sync_folder(folder)


def _published(
    version_folder: Path, manifest: SnapshotManifest, table: bytes
) -> tuple[SnapshotManifest, bytes]:
    """Return the version's own manifest and its bytes, once its content is proved to be ours."""
    where = version_folder / MANIFEST_FILE
    try:
        manifest_bytes = where.read_bytes()
        stored_table = (version_folder / SNAPSHOT_FILE).read_bytes()
    except OSError as error:
        raise _not_ours(version_folder, f"{error.filename} cannot be read") from error
    try:
        stored = decode_document(SnapshotManifest, manifest_bytes, str(where))
    except InputError as error:
        raise _not_ours(version_folder, f"{MANIFEST_FILE} does not parse") from error
    if stored.version != manifest.version or _identity(stored) != _identity(manifest):
        raise _not_ours(version_folder, f"{MANIFEST_FILE} says something else")
    if stored_table != table:
        raise _not_ours(version_folder, f"{SNAPSHOT_FILE} holds something else")
    return stored, manifest_bytes


def _not_ours(version_folder: Path, what: str) -> InputError:
    return InputError(
        f"The version {version_folder} exists with other content: {what}. A version never changes, "
        "so nothing was published and the pointer stays. Find out who wrote there, move the "
        "folder away and publish again.",
        code=ReasonCode.SNAPSHOT_HASH,
    )


def _place_pointer(workspace: Path, folder: Path, pointer: SnapshotPointer) -> None:
    aside = workspace / LATEST_FILE
    _write(aside, encode_document(pointer))
    aside.replace(folder / LATEST_FILE)
    _sync_folder(folder)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, not only a kill."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
