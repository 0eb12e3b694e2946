"""Published snapshots in a local folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs._objects import StoredObject, not_readable, store_fault

_ASIDE: Final = ".publishing-"


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
        except OSError as error:
            raise _unavailable(self.where(name), error) from error
        if path.parent != self.folder:
            with suppress(OSError):  # something else is in it, or it is gone
                path.parent.rmdir()

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
