"""A platform built in a fresh environment from its pins, started, and asked how it is."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.bundle import Bundle, running_python
from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._lock import locked
from quant_platform_kit.release._pins import (
    BUILD_LOCK,
    BUNDLE,
    LOCK,
    PINS,
    address,
    edited,
    moved,
    stored_bundle,
)
from quant_platform_kit.release._run import call, without_logins
from quant_platform_kit.release._tags import Tags
from quant_platform_kit.release._version import Version

_PATIENCE_SECS: Final = 60.0
_PAUSE_SECS: Final = 0.1
_ANSWER_SECS: Final = 5.0
_END_SECS: Final = 20.0
_KEPT: Final = ("HOME", "LANG", "PATH", "TMPDIR")
_LAST_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Verified:
    """A platform that started from its pins, and what its service said."""

    platform: str
    bundle: Bundle
    health: Mapping[str, Any]
    seconds: float


def verify_pins(layout: Layout, place: PlatformPlace, *, from_remote: bool = False) -> Verified:
    """Install a platform as its image does, start its service, and ask it.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    from_remote : bool
        Fetch our packages from the addresses in the pins; else from the repositories on the disk,
        whose tags have been compared with the remote's.

    Raises
    ------
    ReleaseRefused
        ``PIN_MISSING``, ``PIN_EDITED``, ``TAG_MISSING``, ``TAG_MOVED`` before anything is built;
        ``RELEASE_TOOL`` when it cannot be; ``PIN_UNBOOTABLE`` when the service does not answer, or
        says that it is made of something else.
    """
    started = time.monotonic()
    bundle = require_pins(layout, place)
    if bundle.python != running_python():
        raise ReleaseRefused(
            f"{place.name} is built for Python {bundle.python}, and this is {running_python()}: "
            "another one proves nothing. Nothing was built; try it from an environment of "
            f"{bundle.python}, which `make install PYTHON=python{bundle.python}` makes.",
            code=ReasonCode.PIN_UNBOOTABLE,
        )
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        python = _environment(layout, place, Path(folder), from_remote=from_remote)
        copy = Path(folder) / "platform"
        shutil.copytree(place.path, copy, ignore=shutil.ignore_patterns("__pycache__", "state"))
        health = _boot(place, copy, python, bundle)
    return Verified(place.name, bundle, health, time.monotonic() - started)


def require_pins(
    layout: Layout, place: PlatformPlace, known: Mapping[str, Tags] | None = None
) -> Bundle:
    """Return a platform's bundle, after comparing it with the files beside it and with the tags.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    known : mapping of str to Tags, optional
        Tags by package; the pins of other packages are not compared. Asked for when left out.

    Raises
    ------
    ReleaseRefused
        ``PIN_MISSING``, ``PIN_EDITED``, ``TAG_MISSING`` or ``TAG_MOVED``.
    """
    bundle = stored_bundle(place)
    if bundle is None:
        raise ReleaseRefused(
            f"{place.name} has no pins yet. Nothing was built; make them with `qpk release pins`.",
            code=ReasonCode.PIN_MISSING,
        )
    changed = tuple(edited(layout, place, bundle))
    if changed:
        raise ReleaseRefused(
            f"{place.path}: {'; '.join(changed)}. What would be built is not bundle {bundle.id}. "
            "Nothing was built; run `qpk release pins`, which writes all of them together.",
            code=ReasonCode.PIN_EDITED,
        )
    if known is None:
        known = {package.name: Tags.of(package) for package in layout.packages}
    for pin in bundle.pins:
        if pin.package in known:
            commit = known[pin.package].commit_of(Version.parse(pin.version))
            if commit != pin.commit:
                raise moved(place, pin, commit)
    return bundle


def _environment(layout: Layout, place: PlatformPlace, folder: Path, *, from_remote: bool) -> Path:
    """Install what the pins and locks of a platform name; return the environment's Python."""
    home = folder / "environment"
    python = home / "bin" / "python"
    call((sys.executable, "-m", "venv", "--without-pip", str(home)), cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    install = (*pip, "install", "--quiet", "--no-deps", "--requirement")
    for lock in (LOCK, BUILD_LOCK):
        if locked((place.path / lock).read_text(encoding="utf-8")):
            call((*install, str(place.path / lock), "--require-hashes"), cwd=folder)
    mapped = {} if from_remote else _local(layout)
    call((*install, str(place.path / PINS), "--no-build-isolation"), cwd=folder, also=mapped)
    spare = _only_for_building(place)
    if spare:
        call((*pip, "uninstall", "--quiet", "--yes", *spare), cwd=folder)
    return python


def _only_for_building(place: PlatformPlace) -> list[str]:
    builds, runs = (
        locked((place.path / name).read_text(encoding="utf-8")) for name in (BUILD_LOCK, LOCK)
    )
    return sorted(builds.keys() - runs.keys())


def _local(layout: Layout) -> dict[str, str]:
    """Return the variables that make git fetch our packages from the repositories on the disk."""
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    homes = {address(package): package.repository for package in layout.packages}
    mapped = {}
    for number, (url, repository) in enumerate(homes.items(), start=count):
        mapped[f"GIT_CONFIG_KEY_{number}"] = f"url.{repository.as_uri()}.insteadOf"
        mapped[f"GIT_CONFIG_VALUE_{number}"] = url
    return mapped | {"GIT_CONFIG_COUNT": str(count + len(homes))}


def _boot(place: PlatformPlace, folder: Path, python: Path, bundle: Bundle) -> Mapping[str, Any]:
    """Start the service, ask for its health, and end it."""
    port = _free_port()
    command = shlex.split(place.boot.replace("{port}", str(port)))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = f"{python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    commit = Repository(place.repository).head()
    told = {"PATH": path, "QPK_BUNDLE_PATH": BUNDLE, "QPK_COMMIT": commit, **place.environment}
    with (
        (folder / "boot.log").open("w+", encoding="utf-8", errors="replace") as log,
        _serving(place, command, folder, kept | told, log) as process,
    ):
        health = _asked(port, process)
        log.seek(0)
        said = log.read()[-_LAST_CHARACTERS:]
    if health is None:
        raise _unbootable(place, f"its service did not answer. It said:\n{without_logins(said)}")
    if health.get("bundle") != bundle.id:
        raise _unbootable(
            place, f"its service is made of bundle {health.get('bundle')!r}, not {bundle.id!r}"
        )
    return health


@contextmanager
def _serving(
    place: PlatformPlace,
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Any,  # noqa: ANN401 (an open file)
) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise _unbootable(place, f"{command[0]} is not among what its pins install")
    process = subprocess.Popen(  # noqa: S603 (the layout's own command)
        [program, *command[1:]],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _asked(port: int, process: subprocess.Popen[bytes]) -> Mapping[str, Any] | None:
    """Return what ``/health`` answers; None when the process ended, or took too long."""
    until = time.monotonic() + _PATIENCE_SECS
    url = f"http://127.0.0.1:{port}/health"
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_SECS) as answer:
                body: Mapping[str, Any] = json.load(answer)
                return body
        except (urllib.error.URLError, HTTPException, OSError, ValueError):
            time.sleep(_PAUSE_SECS)
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _unbootable(place: PlatformPlace, why: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{place.name} was built from its pins, and {why}. Nothing was deployed, and this "
        "combination must not be; correct it in a new version of the package at fault.",
        code=ReasonCode.PIN_UNBOOTABLE,
    )
