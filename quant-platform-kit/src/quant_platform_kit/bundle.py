"""The bundle: which versions, of which commits, a platform's service is made of.

A release writes it beside the platform's pins; a service compares it with what is installed before
it serves, and its reports carry the bundle's id. Two services with one id run the same code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.contracts import StrategyManifest, decode, digest, encode
from quant_platform_kit.errors import ContractError, ReasonCode, SettingsError

__all__ = [
    "Bundle",
    "Declared",
    "Pin",
    "differences",
    "installed_bundle",
    "parse_bundle",
    "read_bundle",
    "require_declared",
    "require_installed",
    "running_python",
]

_ID_LENGTH: Final = 12
_NAMED: Final = 5  # differences that one message lists


@dataclass(frozen=True, slots=True)
class Pin:
    """One of our packages at one version.

    Parameters
    ----------
    package : str
        Its name as a distribution.
    version : str
    tag : str
    commit : str
        What the tag named when the pin was made; a tag that names another one was moved.
    """

    package: str
    version: str
    tag: str
    commit: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What a profile says of itself that data and settings have to fit.

    Parameters
    ----------
    config_sha256 : str
        Of its default configuration.
    snapshot_contract : str
        The schema and version of the snapshot it reads; empty when it reads none.
    columns_sha256 : str
        Of the columns that it requires of the snapshot.
    """

    config_sha256: str
    snapshot_contract: str = ""
    columns_sha256: str = ""

    @classmethod
    def of(cls, manifest: StrategyManifest, config_sha256: str) -> Declared:
        """Return what a manifest says, with the digest of the configuration it was made with."""
        need = manifest.snapshot
        if need is None:
            return cls(config_sha256)
        return cls(config_sha256, need.contract, digest(need.columns))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything a platform's service is made of.

    Parameters
    ----------
    platform : str
    python : str
        The minor version that it is built for.
    pins : tuple of Pin
        Our packages, in the order in which they are released.
    libraries : mapping of str to str
        Version of every other package, the broker's SDK among them.
    lock_sha256, build_lock_sha256 : str
        Of the files that hold the hashes of their wheels, and of what our packages are built with.
    config_sha256 : str
        Of the platform's rollout list.
    beside : tuple of Pin
        Our packages that the service does without, and that it was tested with: they publish what
        it reads.
    profiles : mapping of str to Declared
        What each enabled profile declares, by name; as far as the strategies say so.
    more : mapping of str to object
        What a later kit has written that this one does not know. A service that went back to this
        kit starts all the same, and its bundle has the id that the later one calls it by.
    """

    platform: str
    python: str
    pins: tuple[Pin, ...]
    libraries: Mapping[str, str]
    lock_sha256: str
    build_lock_sha256: str
    config_sha256: str
    beside: tuple[Pin, ...] = ()
    profiles: Mapping[str, Declared] = field(default_factory=lambda: MappingProxyType({}))
    more: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that stand for all of it.

        What is empty does not count: a bundle keeps its id when bundles learn to say more.
        """
        said = {name: value for name, value in self.document().items() if value}
        return digest(said)[:_ID_LENGTH]

    def document(self) -> dict[str, Any]:
        """Return what its file says."""
        document: dict[str, Any] = encode(self)
        more = document.pop("more")
        return {**document, **more}

    def pin(self, package: str) -> Pin | None:
        """Return the pin of a package; None when it has none."""
        return next((pin for pin in self.pins if pin.package == package), None)


def installed_bundle(path: Path | None) -> str:
    """Return the id of the bundle in a file, once it is what is installed; empty without a file.

    Raises
    ------
    SettingsError
        ``BUNDLE_UNREADABLE`` or ``BUNDLE_MISMATCH``.
    """
    if path is None:
        return ""
    bundle = read_bundle(path)
    require_installed(bundle)
    return bundle.id


def read_bundle(path: Path) -> Bundle:
    """Read a bundle's file.

    Raises
    ------
    SettingsError
        ``BUNDLE_UNREADABLE``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(str(path), why) from error
    return parse_bundle(text, str(path))


def parse_bundle(text: str, where: str) -> Bundle:
    """Read a bundle's text; an error says `where` it lies.

    Raises
    ------
    SettingsError
        ``BUNDLE_UNREADABLE``.
    """
    try:
        document = json.loads(text)
        known = {each.name for each in fields(Bundle)} & document.keys()
        more = {name: value for name, value in document.items() if name not in known}
        return decode(Bundle, {"more": more, **{name: document[name] for name in known}})
    except (ValueError, AttributeError, ContractError) as error:  # also JSON that is no object
        raise _unreadable(where, error) from error


def _unreadable(where: str, why: object) -> SettingsError:
    return SettingsError(
        f"The bundle {where} cannot be read: {why}. What a service is made of is not known, and "
        "nothing starts from it. Write it again with `qpk release pins`; then build the image.",
        code=ReasonCode.BUNDLE_UNREADABLE,
    )


def require_installed(bundle: Bundle) -> None:
    """Refuse to go on where something else is installed than the bundle names.

    Raises
    ------
    SettingsError
        ``BUNDLE_MISMATCH``; the message names the first differences.
    """
    found = tuple(differences(bundle))
    if not found:
        return
    rest = "" if len(found) <= _NAMED else f"; and {len(found) - _NAMED} more"
    raise SettingsError(
        f"What is installed is not bundle {bundle.id}: {'; '.join(found[:_NAMED])}{rest}. This "
        "combination was never tested, so the service does not start and nothing is traded. Build "
        "the image again from the platform's pins.",
        code=ReasonCode.BUNDLE_MISMATCH,
    )


def require_declared(bundle: Bundle, declared: Mapping[str, Declared]) -> None:
    """Refuse profiles that declare something else than those the bundle was made of.

    A profile of which the bundle says nothing is not compared.

    Raises
    ------
    SettingsError
        ``BUNDLE_MISMATCH``.
    """
    for name, found in declared.items():
        tested = bundle.profiles.get(name)
        if tested is None or found == tested:
            continue
        what = (
            "another default configuration"
            if found.config_sha256 != tested.config_sha256
            else "another snapshot"
        )
        raise SettingsError(
            f"{name} declares {what} than the one in bundle {bundle.id}. This combination was "
            "never tested, so the service does not start and nothing is traded. Build the image "
            "again from the platform's pins.",
            code=ReasonCode.BUNDLE_MISMATCH,
        )


def differences(bundle: Bundle) -> Iterator[str]:
    """Tell in words what is installed otherwise than `bundle` says."""
    if running_python() != bundle.python:
        yield f"Python is {running_python()} and not {bundle.python}"
    for pin in bundle.pins:
        installed = _installed(pin.package)
        yield from _version_differs(pin.package, pin.version, installed)
        if installed is not None:
            yield from _commit_differs(pin, _commit(installed))
    for name, version in bundle.libraries.items():
        yield from _version_differs(name, version, _installed(name))


def running_python() -> str:
    """Return the minor version of Python that runs this."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _version_differs(name: str, version: str, installed: Distribution | None) -> Iterator[str]:
    if installed is None:
        yield f"{name} {version} is missing"
    elif installed.version != version:
        yield f"{name} is {installed.version} and not {version}"


def _commit_differs(pin: Pin, commit: str | None) -> Iterator[str]:
    if commit is None:
        yield f"{pin.package} was not installed from its tag {pin.tag}"
    elif commit != pin.commit:
        yield f"{pin.package} is of commit {commit} and not {pin.commit}: {pin.tag} was moved"


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _commit(installed: Distribution) -> str | None:
    """Return the commit that an installer wrote down (PEP 610); None when it took no tag."""
    text = installed.read_text("direct_url.json")
    origin = {} if text is None else json.loads(text)
    commit = origin.get("vcs_info", {}).get("commit_id")
    return None if commit is None else str(commit)
