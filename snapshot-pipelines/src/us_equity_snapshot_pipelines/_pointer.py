"""The one object of a store that changes: which version is current, as publishers move it."""

from __future__ import annotations

from dataclasses import dataclass

from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    LATEST_FILE,
    MANIFEST_FILE,
    ObjectStore,
    SnapshotPointer,
    decode_document,
    encode_document,
)
from us_equity_snapshot_pipelines._release import sha256


@dataclass(frozen=True, slots=True)
class SeenPointer:
    """The pointer as a publisher found it.

    A broken one stops every service, so whoever publishes next has to be able to replace it.

    Parameters
    ----------
    pointer : SnapshotPointer or None
        None when nothing is published yet, or when what lies there names no version.
    generation : str or None
        What a replacement has to name; None when nothing lies there.
    """

    pointer: SnapshotPointer | None
    generation: str | None

    @property
    def is_broken(self) -> bool:
        """Whether something lies there that names no version."""
        return self.pointer is None and self.generation is not None


def look_at_pointer(store: ObjectStore) -> SeenPointer:
    """Return the pointer of `store` as it is, also a broken one."""
    found = store.read(LATEST_FILE)
    if found is None:
        return SeenPointer(None, None)
    try:
        pointer = decode_document(SnapshotPointer, found.data, store.where(LATEST_FILE))
    except InputError:
        return SeenPointer(None, found.generation)
    return SeenPointer(pointer, found.generation)


def move_pointer(store: ObjectStore, pointer: SnapshotPointer, seen: SeenPointer) -> None:
    """Make a stored version current, in place of the pointer that was `seen`.

    Raises
    ------
    InputError
        ``SNAPSHOT_CONFLICT`` when another publisher moved it in the meantime, or removed the
        version because it is old; the pointer is as it was then.
    """
    if seen.pointer == pointer:
        return
    if store.replace(LATEST_FILE, encode_document(pointer), seen.generation):
        # Whoever removes a version takes its manifest away first and looks at the pointer then: one
        # of the two sees the other.
        manifest = store.read(f"{pointer.version}/{MANIFEST_FILE}")
        if manifest is None or sha256(manifest.data) != pointer.manifest_sha256:
            _move_back(store, pointer, seen)
            raise incomplete(store, pointer.version)
        return
    now = look_at_pointer(store).pointer
    if now != pointer:
        raise InputError(
            f"Another publisher made {'nothing' if now is None else now.version} current at "
            f"{store.where()} while this one worked. The version {pointer.version} is stored and "
            "not current. Look at both, and publish again the one that is meant.",
            code=ReasonCode.SNAPSHOT_CONFLICT,
        )


def incomplete(store: ObjectStore, version: str) -> InputError:
    """Build the error for a version of which something went while somebody made it current."""
    return InputError(
        f"A part of the version {store.where(version)} is missing: it is being removed as older "
        "than those that are kept, or somebody removed a file by hand. It is not current; what was "
        "current before still is. Choose one that `qpk snapshot list` shows; to publish this one, "
        "remove what is left of it first.",
        code=ReasonCode.SNAPSHOT_CONFLICT,
    )


def _move_back(store: ObjectStore, pointer: SnapshotPointer, seen: SeenPointer) -> None:
    now = look_at_pointer(store)
    if now.pointer == pointer and seen.pointer is not None:
        store.replace(LATEST_FILE, encode_document(seen.pointer), now.generation)
