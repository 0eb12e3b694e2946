"""The environment of a platform, built from its pins as its image is, and its service in it.

Building takes half a minute, so an environment is kept in the cache under the id of its bundle: two
with one id hold the same code.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.bundle import Bundle, parse_bundle, running_python
from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._cache import cache_folder, locked_folder
from quant_platform_kit.release._definitions import copy_image, image_variables
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._lock import locked
from quant_platform_kit.release._pins import (
    BUILD_LOCK,
    BUNDLE,
    LOCK,
    PINS,
    ROLLOUT,
    address,
)
from quant_platform_kit.release._run import call, without_logins
from quant_platform_kit.release._serving import Served, ServiceDown, served

_COMPLETE: Final = "complete"
_KEPT_ENVIRONMENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Environment:
    """What a platform's service runs in.

    Parameters
    ----------
    place : PlatformPlace
    bundle : Bundle
    python : Path
        Its interpreter; beside it are its programs.
    files : Path
        The platform's own files, as they were at the commit.
    commit : str
    """

    place: PlatformPlace
    bundle: Bundle
    python: Path
    files: Path
    commit: str

    def profiles(self) -> Mapping[str, Any]:
        """Return every profile of its packages, by name: manifest, and standing on each platform.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_TOOL``.
        """
        answer = self._kept_profiles()
        if not answer.exists():
            partial = answer.with_suffix(".partial")
            partial.write_text(self._ask_profiles(), encoding="utf-8")
            partial.replace(answer)
        try:
            found = json.loads(answer.read_text(encoding="utf-8"))["profiles"]
            return {each["profile"]: each for each in found}
        except (ValueError, KeyError, TypeError) as error:
            answer.unlink()
            raise ReleaseRefused(
                f"The profiles of bundle {self.bundle.id} cannot be read ({error!r}). Nothing was "
                "changed; its kit may be of another age than this one.",
                code=ReasonCode.RELEASE_TOOL,
            ) from error

    def profile(self, name: str) -> Mapping[str, Any] | None:
        """Return a profile by its name or an alias; None when no package offers it.

        Raises
        ------
        ReleaseRefused
            As `profiles`.
        """
        known = self.profiles()
        aliased = (each for each in known.values() if name in each["aliases"])
        return known.get(name) or next(aliased, None)

    def _kept_profiles(self) -> Path:
        """Return where the answer is kept: it follows from the code and the rollout list alone."""
        lists = (self.files / ROLLOUT).read_bytes()
        name = f"profiles-{self.place.name}-{hashlib.sha256(lists).hexdigest()[:12]}.json"
        return self.python.parents[2] / name

    def _ask_profiles(self) -> str:
        with tempfile.TemporaryDirectory(prefix="release-") as folder:
            shutil.copytree(self.files, Path(folder) / self.place.name)
            module = ("-m", "quant_platform_kit.cli", "profiles", "--json", "--platforms", folder)
            return call((str(self.python), *module), cwd=Path(folder)).stdout

    @contextmanager
    def serving(self, variables: Mapping[str, str]) -> Iterator[Served]:
        """Start the service with the image's variables and these, and end it after the block.

        Raises
        ------
        ReleaseRefused
            ``PIN_UNBOOTABLE`` when it does not answer; the message ends with what it said.
        """
        with tempfile.TemporaryDirectory(prefix="release-") as folder:
            copy = Path(folder) / "platform"
            copy_image(self.files, copy)
            ours = {"QPK_COMMIT": self.commit, "QPK_STATE_DIR": f"{folder}/state"}
            told = image_variables(copy) | {"QPK_BUNDLE_PATH": BUNDLE} | ours | dict(variables)
            try:
                with served(self.place.boot, copy, self.python, told) as answering:
                    yield answering
            except ServiceDown as down:
                raise unbootable(self.place, without_logins(str(down))) from down


def environment(layout: Layout, place: PlatformPlace, commit: str) -> Environment:
    """Return the environment of a platform at a commit, built where it is not in the cache.

    Raises
    ------
    ReleaseRefused
        ``PIN_MISSING`` when the commit is unknown or has no pins; as `build` else.
    """
    bundle = bundle_at(place, commit)
    if bundle is None:
        raise ReleaseRefused(
            f"{place.name} has no pins at commit {commit or 'unknown'}, or the commit is not here. "
            "Nothing was built; fetch it, or name a commit that `qpk release pins` was committed "
            "in.",
            code=ReasonCode.PIN_MISSING,
        )
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        files = Path(folder) / place.name
        _check_out(place, commit, files)
        return build(layout, place, files, bundle, commit, fresh=False)


def build(
    layout: Layout,
    place: PlatformPlace,
    files: Path,
    bundle: Bundle,
    commit: str,
    *,
    fresh: bool,
    from_remote: bool = False,
) -> Environment:
    """Install what the pins and locks among a platform's files name, hashes checked.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    files : Path
        A folder with the platform's files.
    bundle : Bundle
        What they say they are.
    commit : str
    fresh : bool
        Whether to build it even where the cache has it.
    from_remote : bool
        Fetch our packages from the addresses in the pins; else from the repositories on the disk.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when something cannot be installed; ``PIN_UNBOOTABLE`` for another Python.
    """
    _require_python(place, bundle)
    home = cache_folder("environments", bundle.id)
    with locked_folder(home):
        if fresh or not (home / _COMPLETE).exists():
            shutil.rmtree(home)
            home.mkdir()
            mapped = {} if from_remote else _local(layout)
            _install(files, home / "environment", mapped)
            (home / _COMPLETE).touch()
            _forget(home)
        (home / _COMPLETE).touch()  # used last, forgotten last
        kept = home / f"{place.name}-{commit}"
        shutil.rmtree(kept, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__", "state")
        shutil.copytree(files, kept, ignore=ignored)
    return Environment(place, bundle, home / "environment" / "bin" / "python", kept, commit)


def bundle_at(place: PlatformPlace, commit: str) -> Bundle | None:
    """Return the bundle that a platform had at a commit; None when there was none."""
    text = Repository(place.repository).text(commit, f"{place.folder}/{BUNDLE}") if commit else None
    return None if text is None else parse_bundle(text, f"{place.name} at {commit}")


def unbootable(place: PlatformPlace, why: str) -> ReleaseRefused:
    """Return the error for a service that does not start from its pins."""
    return ReleaseRefused(
        f"{place.name} was built from its pins, and {why}. Nothing was deployed, and this "
        "combination must not be; correct it in a new version of the package at fault.",
        code=ReasonCode.PIN_UNBOOTABLE,
    )


def _require_python(place: PlatformPlace, bundle: Bundle) -> None:
    if bundle.python != running_python():
        raise ReleaseRefused(
            f"{place.name} is built for Python {bundle.python}, and this is {running_python()}: "
            "another one proves nothing. Nothing was built; try it from an environment of "
            f"{bundle.python}, which `make install PYTHON=python{bundle.python}` makes.",
            code=ReasonCode.PIN_UNBOOTABLE,
        )


def _check_out(place: PlatformPlace, commit: str, files: Path) -> None:
    repository = Repository(place.repository)
    for name in repository.files(commit, place.folder):
        text = repository.text(commit, name)
        path = files / os.path.relpath(name, place.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "", encoding="utf-8")


def _install(files: Path, home: Path, mapped: Mapping[str, str]) -> None:
    python = home / "bin" / "python"
    folder = home.parent
    call((sys.executable, "-m", "venv", "--without-pip", str(home)), cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    install = (*pip, "install", "--quiet", "--no-deps")
    full = [files / lock for lock in (LOCK, BUILD_LOCK) if locked(_read(files / lock))]
    if full:
        named = (word for lock in full for word in ("--requirement", str(lock)))
        call((*install, "--require-hashes", *named), cwd=folder)
    pins = ("--requirement", str(files / PINS))
    call((*install, "--no-build-isolation", *pins), cwd=folder, also=mapped)
    spare = _only_for_building(files)
    if spare:
        call((*pip, "uninstall", "--quiet", "--yes", *spare), cwd=folder)


def _only_for_building(files: Path) -> list[str]:
    builds, runs = (locked(_read(files / name)) for name in (BUILD_LOCK, LOCK))
    return sorted(builds.keys() - runs.keys())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _local(layout: Layout) -> dict[str, str]:
    """Return the variables that make git fetch our packages from the repositories on the disk."""
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    homes = {address(package): package.repository for package in layout.packages}
    mapped = {}
    for number, (url, repository) in enumerate(homes.items(), start=count):
        mapped[f"GIT_CONFIG_KEY_{number}"] = f"url.{repository.as_uri()}.insteadOf"
        mapped[f"GIT_CONFIG_VALUE_{number}"] = url
    return mapped | {"GIT_CONFIG_COUNT": str(count + len(homes))}


def _forget(newest: Path) -> None:
    """Throw away the environments that were used longest ago."""
    complete = sorted(newest.parent.glob(f"*/{_COMPLETE}"), key=lambda path: path.stat().st_mtime)
    for path in complete[:-_KEPT_ENVIRONMENTS]:
        if path.parent != newest:
            shutil.rmtree(path.parent)
