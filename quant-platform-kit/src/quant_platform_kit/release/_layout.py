"""`release.toml`: where packages and platforms lie, and how their tags are named.

The same words describe one repository that holds everything (tags with the package's name before
the version) and repositories side by side (tags such as ``v1.2.3``).
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.errors import ReleaseRefused
from quant_platform_kit.release._version import Version

FILE: Final = "release.toml"
_VERSION: Final = "{version}"
_PORT: Final = "{port}"
_MINOR_VERSION: Final = re.compile(r"\d+\.\d+")
_SERVICE: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,47}[a-z0-9])?")
_LISTS: Final = ("checks", "services")
_RECORDS: Final = "records"


@dataclass(frozen=True, slots=True)
class Package:
    """A package with versions of its own.

    Parameters
    ----------
    role : str
        ``kit``, ``strategies``: what it is called in commands.
    name : str
        As a distribution.
    repository : Path
    folder : str
        Inside the repository; ``.`` where the repository is the package.
    tag : str
        Name of its tags, with ``{version}`` in it.
    remote : str
        The remote that tags are pushed to.
    url : str
        What pins name; the remote's own address when empty.
    checks : tuple of str
        Commands that have to succeed on the exact commit, in the repository's folder.
    """

    role: str
    name: str
    repository: Path
    folder: str
    tag: str
    remote: str = "origin"
    url: str = ""
    checks: tuple[str, ...] = ()

    def tag_of(self, version: Version) -> str:
        """Return the name of a version's tag."""
        return self.tag.replace(_VERSION, str(version))

    def version_of(self, tag: str) -> Version | None:
        """Return the version that a tag names; None when it is no tag of this package."""
        before, after = self.tag.split(_VERSION)
        if not (tag.startswith(before) and tag.endswith(after)):
            return None
        try:
            return Version.parse(tag[len(before) : len(tag) - len(after)])
        except ReleaseRefused:
            return None


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a desk runs its services; nothing of it is needed before the first deployment.

    Parameters
    ----------
    project : str
        At Google.
    images : str
        Where images lie; each platform's is named after it.
    account : str
        The service account that services run as.
    caller : str
        The service account that Cloud Scheduler asks them as; `account` when empty.
    """

    project: str = ""
    images: str = ""
    account: str = ""
    caller: str = ""


_NO_CLOUD: Final = Cloud()


@dataclass(frozen=True, slots=True)
class PlatformPlace:
    """A platform's folder, and how its service is started to see whether it does.

    Parameters
    ----------
    name : str
    repository : Path
    folder : str
    boot : str
        Command that serves on ``{port}`` of loopback.
    environment : mapping of str to str
        Variables of that trial.
    services : tuple of str
        Names of its services on Cloud Run; they never change.
    region : str
        Where they run.
    remote : str
        The remote of its repository that commits are pushed to.
    reconciliation_output : str
        Where they write the record of each reconciliation while a profile reads snapshots; empty
        on a platform that keeps none.
    cloud : Cloud
    """

    name: str
    repository: Path
    folder: str
    boot: str = "gunicorn --bind 127.0.0.1:{port} main:app"
    environment: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    region: str = ""
    remote: str = "origin"
    reconciliation_output: str = ""
    cloud: Cloud = _NO_CLOUD

    @property
    def path(self) -> Path:
        """The folder on the disk."""
        return self.repository / self.folder

    @property
    def caller(self) -> str:
        """The service account that Cloud Scheduler asks its services as."""
        return self.cloud.caller or self.cloud.account


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that is released, in the order in which it is.

    Parameters
    ----------
    root : Path
        The folder of ``release.toml``.
    packages : tuple of Package
        Each may depend on those before it.
    platforms : tuple of PlatformPlace
    python : str
        Minor version of the services' images.
    constraints : Path or None
        The versions that the tests ran with; a lock takes no other.
    records : Path
        Where the record of every change of a service is kept.
    snapshots : mapping of str to str
        Where the snapshots of a profile are published.
    """

    root: Path
    packages: tuple[Package, ...]
    platforms: tuple[PlatformPlace, ...]
    python: str
    constraints: Path | None = None
    records: Path = Path(_RECORDS)
    snapshots: Mapping[str, str] = field(default_factory=dict)

    def platform(self, name: str) -> PlatformPlace:
        """Return the platform of a name.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_LAYOUT``.
        """
        for place in self.platforms:
            if place.name == name:
                return place
        known = ", ".join(place.name for place in self.platforms)
        raise refused(f"it has no platform {name!r}; there are {known}")

    def service(self, name: str) -> PlatformPlace:
        """Return the platform of a service.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_LAYOUT``.
        """
        for place in self.platforms:
            if name in place.services:
                return place
        known = ", ".join(each for place in self.platforms for each in place.services)
        raise refused(f"it has no service {name!r}; there are {known}")

    def package(self, role: str) -> Package:
        """Return the package of a role.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_LAYOUT``.
        """
        for package in self.packages:
            if package.role == role:
                return package
        known = ", ".join(package.role for package in self.packages)
        raise refused(f"it has no package {role!r}; there are {known}")

    def named(self, name: str) -> Package | None:
        """Return the package of a distribution's name; None when it is not one of ours."""
        return next((package for package in self.packages if package.name == name), None)


def refused(why: str) -> ReleaseRefused:
    """Return the error for a ``release.toml`` that cannot be used."""
    return ReleaseRefused(
        f"{FILE} cannot be used: {why}. Nothing was done; correct it. docs/release.md describes it."
    )


def load_layout(root: Path) -> Layout:
    """Read the ``release.toml`` of a folder.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when it is missing, does not parse, or describes what is not there.
    """
    root = root.resolve()
    try:
        document = tomllib.loads((root / FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise refused(f"{root / FILE}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused(str(error)) from error
    known = ("python", "constraints", "packages", "platforms", "cloud", "records", "snapshots")
    _refuse_unknown("", document, known)
    constraints = _text(document, "constraints")
    python = _text(document, "python")
    if not _MINOR_VERSION.fullmatch(python):
        raise refused('python: expected the images\' version, such as "3.11"')
    cloud = Cloud(**_texts(document, "cloud", tuple(each.name for each in fields(Cloud))))
    layout = Layout(
        root,
        tuple(_package(root, role, t) for role, t in _tables(document, "packages")),
        tuple(_platform(root, name, t, cloud) for name, t in _tables(document, "platforms")),
        python,
        _existing(root / constraints, "constraints") if constraints else None,
        root / (_text(document, "records") or _RECORDS),
        _texts(document, "snapshots"),
    )
    _refuse_twice("name", [package.name for package in layout.packages])
    _refuse_twice("tag", [f"{p.tag} of {p.repository}" for p in layout.packages])
    _refuse_twice("services", [name for place in layout.platforms for name in place.services])
    return layout


def _package(root: Path, role: str, table: Mapping[str, Any]) -> Package:
    place = f"packages.{role}"
    values = _values(Package, place, table)
    package = Package(role=role, **_located(root, place, values))
    if package.tag.count(_VERSION) != 1:
        raise refused(f"{place}.tag = {package.tag!r}: expected {_VERSION} in it, once")
    for check in package.checks:
        _require_words(f"{place}.checks", check)
    return package


def _platform(root: Path, name: str, table: Mapping[str, Any], cloud: Cloud) -> PlatformPlace:
    place = f"platforms.{name}"
    values = _located(root, place, _values(PlatformPlace, place, table))
    made = PlatformPlace(name=name, cloud=cloud, **values)
    if not all(_SERVICE.fullmatch(each) for each in made.services):
        raise refused(f"{place}.services: Cloud Run takes small letters, digits and hyphens")
    if made.services and not made.region:
        raise refused(f"{place}.region is missing: where its services run is not known")
    if _PORT not in made.boot:
        raise refused(f"{place}.boot = {made.boot!r}: expected {_PORT} in it")
    _require_words(f"{place}.boot", made.boot)
    return made


def _texts(
    document: Mapping[str, Any], key: str, known: tuple[str, ...] | None = None
) -> dict[str, str]:
    """Return a table of texts, which may be missing; with `known` keys, where only those are."""
    table = document.get(key, {})
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise refused(f"{key}: expected a table of texts")
    if known is not None:
        _refuse_unknown(f"{key}.", table, known)
    return table


def _values(
    kind: type[Package | PlatformPlace],
    place: str,
    table: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the keys of a table, each of a type that its field has."""
    known = [each.name for each in fields(kind)[1:] if each.name != "cloud"]
    _refuse_unknown(f"{place}.", table, known)
    values = dict(table)
    for key, value in table.items():
        if not _is_of_its_kind(key, value):
            raise refused(f"{place}.{key} = {value!r} is of the wrong kind")
        if key in _LISTS:
            values[key] = tuple(value)
    needed = [key for key in ("name", "repository", "folder", "tag") if key in known]
    for key in needed:
        if key not in values:
            raise refused(f"{place}.{key} is missing")
    return values


def _is_of_its_kind(key: str, value: object) -> bool:
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if key == "environment":
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return isinstance(value, str)


def _text(document: Mapping[str, Any], key: str) -> str:
    """Return a text, which may be missing."""
    value = document.get(key, "")
    if not isinstance(value, str):
        raise refused(f"{key} = {value!r} is of the wrong kind")
    return value


def _require_words(place: str, command: str) -> None:
    try:
        shlex.split(command)
    except ValueError as error:
        raise refused(f"{place} = {command!r} is no command: {error}") from error


def _refuse_twice(key: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise refused(f"{key}: {value} stands there twice")


def _located(root: Path, place: str, values: dict[str, Any]) -> dict[str, Any]:
    repository = _existing((root / values["repository"]).resolve(), f"{place}.repository")
    if not (repository / ".git").exists():
        raise refused(f"{place}.repository: {repository} is no git repository")
    _existing(repository / values["folder"], f"{place}.folder")
    return values | {"repository": repository}


def _existing(path: Path, place: str) -> Path:
    if not path.exists():
        raise refused(f"{place}: {path} does not exist")
    return path


def _tables(document: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = document.get(key, {})
    if not isinstance(tables, dict) or not tables:
        raise refused(f"{key}: expected at least one table [{key}.NAME]")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise refused(f"{key}.{name}: expected a table")
    return list(tables.items())


def _refuse_unknown(
    place: str, table: Mapping[str, Any], known: tuple[str, ...] | list[str]
) -> None:
    for key in table:
        if key not in known:
            raise refused(f"{place}{key} is unknown; there are {', '.join(known)}")
