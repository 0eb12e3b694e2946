"""A PostgreSQL server of the tests' own: started in a folder, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ABSENT: Final = (
    "PostgreSQL IS NOT INSTALLED: nothing was tested on it. Install Debian's package `postgresql`."
)
_FOLDERS: Final = "/usr/lib/postgresql/*/bin"
_UNPRIVILEGED: Final = ("postgres", "nobody")
# Speed for safety: these databases are thrown away. What a commit promises is PostgreSQL's to test.
_OPTIONS: Final = (
    "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c max_connections=400 -c shared_buffers=32MB"
)


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server on this machine, or None."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    found += [folder for folder in Path("/").glob(_FOLDERS[1:]) if (folder / "initdb").exists()]
    return max(found, key=_version, default=None)


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


@contextmanager
def running(*, durable: bool = False) -> Iterator[str]:
    """Run a server for the block and yield the address of its database.

    It listens on a socket in its own folder alone. It refuses to run as root, so root runs it as
    another user.

    Parameters
    ----------
    durable : bool
        Whether a commit waits for the disk, as in production.
    """
    where = programs()
    if where is None:
        raise RuntimeError(ABSENT)
    user = _user()
    # Not pytest's folder: another user cannot enter that one.
    folder = Path(tempfile.mkdtemp(prefix="qpk-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        _call(
            where / "initdb",
            "--auth=trust",
            "--username=qpk",
            "-E",
            "UTF8",
            "-D",
            folder / "data",
            user=user,
        )
        options = f"{'-c listen_addresses=' if durable else _OPTIONS} -k {folder}"
        start = ("-w", "-l", folder / "log", "-o", options, "-D", folder / "data", "start")
        _call(where / "pg_ctl", *start, user=user)
        try:
            yield f"postgresql+psycopg://qpk@/postgres?host={folder}"
        finally:
            _call(where / "pg_ctl", "-m", "immediate", "-D", folder / "data", "stop", user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)


def _call(*command: str | Path, user: str | None) -> None:
    done = subprocess.run(
        command,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}\n{done.stderr}")
