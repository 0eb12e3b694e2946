"""Pins: every platform moved together to tags that exist, with its locks and its bundle.

A platform's folder holds ``requirements.in``, written by people: which of our packages it installs,
with which extras. Everything else is written here, and never edited:

================= ==============================================================
requirements.txt  our packages, each at its tag
requirements.lock everything else that runs, each wheel by its hash
build.lock        what building our packages needs; it does not stay in an image
bundle.json       the commits behind the tags, what the profiles declare, and the id of all
================= ==============================================================

A package that offers profiles may keep ``declarations.json``: what each of them declares, made by
its tests. Nothing is run to make pins; what is needed of a tag is read out of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quant_platform_kit.bundle import Bundle, Declared, Pin, read_bundle
from quant_platform_kit.contracts import Rollout, decode
from quant_platform_kit.errors import ContractError, ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, Package, PlatformPlace, refused
from quant_platform_kit.release._lock import locked, resolve
from quant_platform_kit.release._source import Requirement, Source, source_at
from quant_platform_kit.release._tags import Tags
from quant_platform_kit.release._version import Version

ASKED: Final = "requirements.in"
PINS: Final = "requirements.txt"
LOCK: Final = "requirements.lock"
BUILD_LOCK: Final = "build.lock"
BUNDLE: Final = "bundle.json"
ROLLOUT: Final = "platform.toml"
DECLARATIONS: Final = "declarations.json"

_NOTICE: Final = "# Written by `qpk release pins`; not to be edited.\n"
_SCP: Final = re.compile(r"(?P<host>[\w.-]+@[\w.-]+):(?P<path>[^/].*)")
_ADDRESS: Final = re.compile(r"(?P<scheme>https?|ssh|git|file)://(?P<rest>.+)")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version of a package that platforms are moved to."""

    package: Package
    version: Version
    commit: str
    source: Source

    @property
    def pin(self) -> Pin:
        """What the bundle says of it."""
        tag = self.package.tag_of(self.version)
        return Pin(self.package.name, str(self.version), tag, self.commit)


def pin(layout: Layout, versions: Mapping[str, str]) -> tuple[Bundle, ...]:
    """Move the pins of every platform to existing tags, and return their bundles.

    Every file of every platform is made before the first is written: a refusal changes none.

    Parameters
    ----------
    layout : Layout
    versions : mapping of str to str
        By role; the newest tag of a package that is left out.

    Raises
    ------
    ReleaseRefused
        ``TAG_MISSING``, ``TAG_MOVED``, ``PIN_RANGE``, ``RELEASE_VERSION`` or ``RELEASE_TOOL``.
    """
    for role in versions:
        layout.package(role)
    asked = {place.name: asked_by(layout, place) for place in layout.platforms}
    names = {name for requirements in asked.values() for name in requirements}
    chosen = _chosen(layout, names, versions)
    chosen |= _released(layout, chosen, versions)
    files: dict[Path, str] = {}
    bundles = []
    for place in layout.platforms:
        _refuse_moved(place, chosen)
        bundle, texts = _made(layout, place, asked[place.name], chosen)
        bundles.append(bundle)
        files |= {place.path / name: text for name, text in texts.items()}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return tuple(bundles)


def asked_by(layout: Layout, place: PlatformPlace) -> dict[str, Requirement]:
    """Return which of our packages a platform installs, by name, in the order of releases.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when its ``requirements.in`` is missing or names something else.
    """
    path = place.path / ASKED
    if not path.exists():
        raise refused(f"{path} is missing; it names the packages that {place.name} installs")
    lines = (
        line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").split("\n")
    )
    found = {}
    for requirement in (Requirement.parse(line) for line in lines if line):
        if layout.named(requirement.name) is None:
            raise refused(
                f"{path} names {requirement.name}, which is none of its packages; what else a "
                "service needs belongs into the metadata of the package that imports it"
            )
        if requirement.versions:
            raise refused(f"{path}: {requirement.name} has a version; pins are made of tags")
        found[requirement.name] = requirement
    return {p.name: found[p.name] for p in layout.packages if p.name in found}


def stored_bundle(place: PlatformPlace) -> Bundle | None:
    """Return the bundle of a platform; None before its first pins.

    Raises
    ------
    SettingsError
        ``BUNDLE_UNREADABLE``.
    """
    path = place.path / BUNDLE
    return read_bundle(path) if path.exists() else None


def edited(layout: Layout, place: PlatformPlace, bundle: Bundle) -> Iterator[str]:
    """Tell which files of a platform are not what its bundle says."""
    asked = asked_by(layout, place)
    if asked.keys() != {each.package for each in bundle.pins}:
        yield f"{ASKED} names other packages"
    elif _text(place.path / PINS) != _pins_text(layout, asked, bundle.pins):
        yield f"{PINS} is not what was written"
    for name, sha256 in ((LOCK, bundle.lock_sha256), (BUILD_LOCK, bundle.build_lock_sha256)):
        if _sha256(_text(place.path / name)) != sha256:
            yield f"{name} is not what was written"
    if _sha256(_configuration(place)) != bundle.config_sha256:
        yield f"{ROLLOUT} has changed since"


def address(package: Package) -> str:
    """Return the address that pins of a package name.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when only this machine could follow it.
    """
    repository = Repository(package.repository)
    url = package.url
    if not url and repository.has_remote(package.remote):
        url = repository.url(package.remote)
    scp = _SCP.fullmatch(url)
    if scp is not None:
        return f"ssh://{scp['host']}/{scp['path']}"
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise refused(
            f"no address for the pins of {package.name}: {package.repository} has "
            + (f"the remote {url}, which is a folder" if url else f"no remote {package.remote!r}")
            + f". Add the remote, or packages.{package.role}.url"
        )
    # A login belongs to the machine that installs, never into a file.
    rest = found["rest"].rpartition("@")[2] if found["scheme"].startswith("http") else found["rest"]
    return f"{found['scheme']}://{rest}"


def _chosen(layout: Layout, names: set[str], versions: Mapping[str, str]) -> dict[str, Chosen]:
    chosen: dict[str, Chosen] = {}
    for package in layout.packages:
        if package.name in names:
            chosen[package.name] = _choose(package, versions.get(package.role))
    for each in chosen.values():
        for other in chosen.values():
            _require_range(each, other)
    return chosen


def _released(
    layout: Layout, chosen: Mapping[str, Chosen], versions: Mapping[str, str]
) -> dict[str, Chosen]:
    """Return the packages that no platform installs: those that were released, or are asked for.

    What publishes a service's data belongs to what was tested, and its range of kits is nobody's
    concern at run time: `status` tells where that disagrees.
    """
    others = [package for package in layout.packages if package.name not in chosen]
    return {
        package.name: _choose(package, versions.get(package.role))
        for package in others
        if package.role in versions or Tags.of(package).newest is not None
    }


def _choose(package: Package, text: str | None) -> Chosen:
    tags = Tags.of(package)
    version = tags.newest if text is None else Version.parse(text)
    if version is None:
        head = Repository(package.repository).head()
        version = source_at(package, head).version
    commit = tags.commit_of(version)
    source = source_at(package, commit)
    if source.version != version:
        raise ReleaseRefused(
            f"The tag {package.tag_of(version)} holds version {source.version} of {package.name}: "
            "it was not made by a release. Nothing was pinned; release a higher version.",
            code=ReasonCode.RELEASE_VERSION,
        )
    return Chosen(package, version, commit, source)


def _require_range(each: Chosen, other: Chosen) -> None:
    taken = each.source.range_of(other.package)
    if taken is not None and other.version not in taken:
        raise ReleaseRefused(
            f"{each.package.name} {each.version} takes {other.package.name} {taken}, and not "
            f"{other.version}. Nothing was pinned; release {each.package.role} on the new "
            f"{other.package.role} first: `qpk release {each.package.role} VERSION`.",
            code=ReasonCode.PIN_RANGE,
        )


def _refuse_moved(place: PlatformPlace, chosen: Mapping[str, Chosen]) -> None:
    bundle = stored_bundle(place)
    for before in () if bundle is None else (*bundle.pins, *bundle.beside):
        now = chosen.get(before.package)
        if now is not None and now.pin.tag == before.tag and now.commit != before.commit:
            raise moved(place, before, now.commit)


def moved(place: PlatformPlace, before: Pin, now: str) -> ReleaseRefused:
    """Return the error for a tag that names another commit than when it was pinned."""
    return ReleaseRefused(
        f"{place.name} is pinned to {before.tag} at commit {before.commit}, and the tag now names "
        f"{now}: somebody moved it, and an installer would take the other code without a word. "
        "Nothing was done. Put the tag back, and release what is meant under a new version.",
        code=ReasonCode.TAG_MOVED,
    )


def _made(
    layout: Layout,
    place: PlatformPlace,
    asked: Mapping[str, Requirement],
    chosen: Mapping[str, Chosen],
) -> tuple[Bundle, dict[str, str]]:
    ours = [chosen[name] for name in asked]
    runs, builds = set(), set()
    for each in ours:
        runs |= {*each.source.requirements(asked[each.package.name].extras)}
        builds |= {*each.source.build_requirements()}
    theirs = [text for text in sorted(runs) if not _is_ours(layout, place, asked, text)]
    lock = _NOTICE + resolve(layout, theirs, _text(place.path / LOCK))
    build_lock = _NOTICE + resolve(layout, sorted(builds), _text(place.path / BUILD_LOCK))
    pins = tuple(each.pin for each in ours)
    bundle = Bundle(
        platform=place.name,
        python=layout.python,
        pins=pins,
        libraries=locked(lock),
        lock_sha256=_sha256(lock),
        build_lock_sha256=_sha256(build_lock),
        config_sha256=_sha256(_configuration(place)),
        beside=tuple(each.pin for name, each in chosen.items() if name not in asked),
        profiles=_declared(place, ours),
    )
    return bundle, {
        PINS: _pins_text(layout, asked, pins),
        LOCK: lock,
        BUILD_LOCK: build_lock,
        BUNDLE: json.dumps(bundle.document(), indent=2) + "\n",
    }


def _declared(place: PlatformPlace, ours: Iterable[Chosen]) -> dict[str, Declared]:
    """Return what each profile that the platform enables declares, where its package says so."""
    enabled = Rollout.parse(place.name, _text(place.path / ROLLOUT)).enabled
    said = {name: each for package in ours for name, each in _declarations(package).items()}
    return {name: said[name] for name in sorted(enabled) if name in said}


def _declarations(each: Chosen) -> dict[str, Declared]:
    package = each.package
    text = Repository(package.repository).text(each.commit, f"{package.folder}/{DECLARATIONS}")
    try:
        entries = [] if text is None else json.loads(text)
        # The others show what profiles declare under another configuration.
        named = {entry["profile"]: entry["declared"] for entry in entries if "declared" in entry}
        return {name: decode(Declared, declared) for name, declared in named.items()}
    except (ValueError, TypeError, KeyError, ContractError) as error:
        raise ReleaseRefused(
            f"{DECLARATIONS} of {package.name} cannot be read at {each.pin.tag}: {error!r}. "
            f"Nothing was pinned; mend it, and release {package.role} again.",
            code=ReasonCode.RELEASE_LAYOUT,
        ) from error


def _is_ours(
    layout: Layout, place: PlatformPlace, asked: Mapping[str, Requirement], text: str
) -> bool:
    name = Requirement.parse(text).name
    if layout.named(name) is None:
        return False
    if name not in asked:
        raise refused(f"{place.path / ASKED} does not name {name}, which its packages need")
    return True


def _pins_text(layout: Layout, asked: Mapping[str, Requirement], pins: tuple[Pin, ...]) -> str:
    lines = [_NOTICE]
    for each in pins:
        package = layout.named(each.package)
        if package is None:
            continue
        extras = asked[each.package].extras
        shown = f"[{','.join(extras)}]" if extras else ""
        part = "" if package.folder == "." else f"#subdirectory={package.folder}"
        lines.append(f"{each.package}{shown} @ git+{address(package)}@{each.tag}{part}\n")
    return "".join(lines)


def _configuration(place: PlatformPlace) -> str:
    """Return what people configure of a platform: its rollout list, and configurations of profiles.

    Those are files that a service's image holds and its variables name.
    """
    files = sorted(place.path.glob("configs/*.json")) + sorted(place.path.glob("configs/*.toml"))
    return _text(place.path / ROLLOUT) + "".join(f"{path.name}\n{_text(path)}" for path in files)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
