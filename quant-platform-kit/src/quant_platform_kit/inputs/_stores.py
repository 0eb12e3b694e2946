"""Which kind of store an address means."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from quant_platform_kit.inputs._folder import FolderStore
from quant_platform_kit.inputs._objects import BUCKET_SCHEME, ObjectStore


def is_bucket(location: Path | str) -> bool:
    """Tell whether `location` lies in a bucket."""
    return str(location).startswith(BUCKET_SCHEME)


def open_store(location: Path | str) -> ObjectStore:
    """Return the store at `location`: a folder, or ``gs://bucket/folder``.

    A folder need not exist yet; Google's client is loaded for a bucket only.

    Raises
    ------
    SettingsError
        When `location` names no bucket, or the client is not installed.
    """
    if is_bucket(location):
        from quant_platform_kit.inputs._bucket import BucketStore

        return BucketStore.at(str(location))
    return FolderStore(Path(location))


def split_address(location: Path | str) -> tuple[str, str]:
    """Return the address of the store that holds one object, and the object's name in it."""
    if is_bucket(location):
        path = PurePosixPath(str(location).removeprefix(BUCKET_SCHEME))
        return f"{BUCKET_SCHEME}{path.parent}", path.name
    return str(Path(location).parent), Path(location).name
