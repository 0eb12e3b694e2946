"""Whether a folder outlives the machine, and whether its locks can be believed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PASSING: Final = {
    **dict.fromkeys(("tmpfs", "ramfs", "devtmpfs"), "a disk in memory"),
    **dict.fromkeys(("overlay", "aufs", "unionfs"), "a container's own layer"),
    **dict.fromkeys(
        ("nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "glusterfs"),
        "a network folder, whose locks cannot be believed",
    ),
}
_FUSE: Final = "a mounted service, whose locks cannot be believed"
_SWEPT: Final = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/run"))  # noqa: S108 (named to be refused)


def passing_disk(folder: Path, mounts: str | None = None) -> str | None:
    """Say why what is written in `folder` may be gone or unguarded later; None when it is kept.

    Parameters
    ----------
    folder : Path
        Need not exist yet.
    mounts : str, optional
        Text of ``/proc/mounts``; read from there when absent. Where it cannot be read, no folder
        is trusted.
    """
    folder = folder.resolve()
    if any(folder.is_relative_to(swept) for swept in _SWEPT):
        return "a folder for temporary files"
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8")
        except OSError:
            return "a disk of unknown kind (/proc/mounts cannot be read)"
    kind = _filesystem(folder, mounts)
    if kind is None:
        return "a disk of unknown kind"
    return _FUSE if kind.startswith("fuse") else _PASSING.get(kind)


def _filesystem(folder: Path, mounts: str) -> str | None:
    """Return the kind of the innermost mount that holds `folder`; of equal ones the last."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:  # noqa: PLR2004 (device, place, kind)
            continue
        place = Path(_unescaped(fields[1]))
        if folder.is_relative_to(place) and (found is None or len(place.parts) >= found[0]):
            found = len(place.parts), fields[2]
    return None if found is None else found[1]


def _unescaped(place: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place)
