"""Where published snapshots lie: named objects, each written whole, in a folder or in a bucket.

The publisher and the loader know no other way to them, so what is proved of one kind of store is
proved with the same tests of the other. Three promises carry everything:

- an object is read whole or not at all; nobody sees half of a write;
- `ObjectStore.create` never replaces an object;
- `ObjectStore.replace` replaces the generation that was read, or nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from quant_platform_kit.errors import InputError, ReasonCode

BUCKET_SCHEME: Final = "gs://"
"""What the address of a bucket begins with."""

_ASIDE: Final = ".publishing-"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was read, and the generation that a replacement has to name."""

    data: bytes
    generation: str


class ObjectStore(Protocol):
    """Named objects under one address; a name may hold ``/``.

    Every method raises `InputError`: ``SNAPSHOT_UNAVAILABLE`` when the store does not answer, or
    refuses to; ``SNAPSHOT_UNREADABLE`` when what lies under a name is no object.
    """

    def where(self, name: str = "") -> str:
        """Return the full address of an object, or of the store, as an operator writes it."""

    def read(self, name: str) -> StoredObject | None:
        """Return an object, or None when there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a new object; False, and nothing changed, when there is one already."""

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        """Write an object in place of the `generation` that was read; None means of nothing.

        False, and nothing changed, when something else lies there by now.
        """

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects, sorted."""

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""

    def sweep(self, before: datetime) -> int:
        """Remove what writers that were killed `before` then left aside; return how many did."""


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


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Objects as files of a local folder.

    A file is written aside and brought to its name in one step, after it has reached the disk. The
    generation of an object is the hash of its content: the same bytes again are the same object.
    """

    folder: Path

    def where(self, name: str = "") -> str:
        """Return the path."""
        return str(self.folder / name)

    def read(self, name: str) -> StoredObject | None:
        """Return a file's content."""
        try:
            data = (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError as error:
            raise not_readable(self.where(name), "it is a folder") from error
        except OSError as error:
            raise _unavailable(self.where(name), error) from error
        return StoredObject(data, _generation(data))

    def create(self, name: str, data: bytes) -> bool:
        """Write a new file; the link that names it fails when there is one."""
        target = self.folder / name
        with self._writing(target), self._aside(data) as aside:
            try:
                os.link(aside, target)
            except FileExistsError:
                return False
            _sync_folder(target.parent)
        return True

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        """Compare and replace under a lock that the system releases when its holder dies."""
        target = self.folder / name
        with self._writing(target), self._locked(), self._aside(data) as aside:
            present = self.read(name)
            if (present.generation if present else None) != generation:
                return False
            aside.replace(target)
            _sync_folder(target.parent)
        return True

    def names(self) -> tuple[str, ...]:
        """Return the files, but for what a killed publisher left aside."""
        found = (
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        )
        return tuple(sorted(name for name in found if not name.startswith(".")))

    def delete(self, name: str) -> None:
        """Remove a file, and its folder when nothing else is in it."""
        path = self.folder / name
        try:
            path.unlink(missing_ok=True)
            if (
                path.parent != self.folder
                and path.parent.is_dir()
                and not any(path.parent.iterdir())
            ):
                path.parent.rmdir()
        except OSError as error:
            raise _unavailable(self.where(name), error) from error

    def sweep(self, before: datetime) -> int:
        """Remove the folders that were written aside and last touched `before` then.

        A publisher that still works touches its own every few milliseconds.
        """
        litter = 0
        for path in sorted(self.folder.glob(f"{_ASIDE}*")):
            try:
                if path.stat().st_mtime < before.timestamp():
                    shutil.rmtree(path)
                    litter += 1
            except FileNotFoundError:
                continue  # its publisher lived, and removed it; or another one sweeps
            except OSError as error:
                raise _unavailable(str(path), error) from error
        return litter

    @contextmanager
    def _writing(self, target: Path) -> Iterator[None]:
        try:
            if not target.parent.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                _sync_folder(target.parent.parent)
            yield
        except OSError as error:
            raise _unavailable(str(target), error) from error

    @contextmanager
    def _aside(self, data: bytes) -> Iterator[Path]:
        # Litter of a killed publisher starts with a dot, and nobody looks at it.
        with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=self.folder) as folder:
            path = Path(folder) / "object"
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def split_address(location: Path | str) -> tuple[str, str]:
    """Return the address of the store that holds one object, and the object's name in it."""
    if is_bucket(location):
        path = PurePosixPath(str(location).removeprefix(BUCKET_SCHEME))
        return f"{BUCKET_SCHEME}{path.parent}", path.name
    return str(Path(location).parent), Path(location).name


def not_readable(where: str, what: str) -> InputError:
    """Build the error for a file that cannot be used as what it should be."""
    return store_fault(
        ReasonCode.SNAPSHOT_UNREADABLE,
        f"{where} cannot be used: {what}.",
        "Publish the snapshot again; a published file is never edited by hand.",
    )


def store_fault(code: ReasonCode, what: str, remedy: str) -> InputError:
    """Build a snapshot's error: what happened, what it means, what to do next."""
    return InputError(
        f"{what} Nothing is decided on it and the strategy's holdings are kept as they are. "
        f"{remedy}",
        code=code,
    )


def _unavailable(where: str, error: OSError) -> InputError:
    return store_fault(
        ReasonCode.SNAPSHOT_UNAVAILABLE,
        f"{where} cannot be reached: {error.strerror or type(error).__name__}.",
        "Check the disk and its permissions.",
    )


def _generation(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut, not only a kill."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
