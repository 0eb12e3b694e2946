"""Where every package and platform stands, and what does not match."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from quant_platform_kit.bundle import Bundle
from quant_platform_kit.errors import PlatformError, ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, Package, PlatformPlace
from quant_platform_kit.release._pins import stored_bundle
from quant_platform_kit.release._source import Source, source_at, source_on_disk
from quant_platform_kit.release._tags import Tags
from quant_platform_kit.release._verify import require_pins
from quant_platform_kit.release._version import Version


class Weight(StrEnum):
    """What a finding means."""

    MISMATCH = "mismatch"
    """Nothing may be deployed before it is mended."""
    NOTE = "note"
    """Work that is under way."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a look."""

    weight: Weight
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class PackageStatus:
    """Where a package stands.

    Parameters
    ----------
    package : Package
    source : Source
        As it lies on the disk.
    tags : Tags
    changed : int
        Files of it that are not committed.
    silence : str
        Why its remote could not be asked; empty when it answered.
    """

    package: Package
    source: Source
    tags: Tags
    changed: int
    silence: str = ""

    @property
    def version(self) -> Version:
        """What the source says."""
        return self.source.version

    @property
    def is_tagged(self) -> bool:
        """Whether this version has its tag here."""
        return self.version in self.tags.here

    @property
    def is_pushed(self) -> bool:
        """Whether the remote has the same tag."""
        there = self.tags.there.get(self.version)
        return there is not None and there == self.tags.here.get(self.version)


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """Where a platform stands; its bundle is None before its first pins."""

    place: PlatformPlace
    bundle: Bundle | None


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands."""

    packages: tuple[PackageStatus, ...]
    platforms: tuple[PlatformStatus, ...]
    findings: tuple[Finding, ...]

    @property
    def matches(self) -> bool:
        """Whether nothing contradicts anything else."""
        return all(finding.weight is not Weight.MISMATCH for finding in self.findings)


def status(layout: Layout) -> Status:
    """Look at every repository and its remote; change nothing.

    Raises
    ------
    ReleaseRefused
        When a package cannot be read. A remote that does not answer is a finding.
    """
    packages = tuple(_package(package) for package in layout.packages)
    findings = [finding for each in packages for finding in _of_package(each)]
    findings += _of_ranges(packages)
    platforms = []
    for place in layout.platforms:
        bundle = None
        try:
            bundle = stored_bundle(place)
            findings += _of_platform(layout, PlatformStatus(place, bundle), packages)
        except PlatformError as error:
            findings.append(Finding(Weight.MISMATCH, place.name, error.message))
        platforms.append(PlatformStatus(place, bundle))
    findings += _of_differences(platforms)
    return Status(packages, tuple(platforms), tuple(findings))


def _package(package: Package) -> PackageStatus:
    changed = len(Repository(package.repository).changes(package.folder))
    try:
        return PackageStatus(package, source_on_disk(package), Tags.of(package), changed)
    except ReleaseRefused as error:
        if error.code is not ReasonCode.RELEASE_TOOL:
            raise
        tags = Tags.of(package, ask=False)
        return PackageStatus(package, source_on_disk(package), tags, changed, error.message)


def _of_package(found: PackageStatus) -> Iterator[Finding]:
    package, tags, name = found.package, found.tags, found.package.name
    if found.silence:
        text = f"{package.remote} does not answer, so what was published is not known"
        yield Finding(Weight.MISMATCH, name, f"{text}. {found.silence}")
    for version in sorted(tags.here):
        there = tags.there.get(version)
        if there is not None and there != tags.here[version]:
            text = f"the tag {package.tag_of(version)} names another commit at {package.remote}"
            yield Finding(Weight.MISMATCH, name, text)
        held = source_at(package, tags.here[version]).version
        if held != version:
            text = f"the tag {package.tag_of(version)} holds version {held}"
            yield Finding(Weight.MISMATCH, name, text)
    newest = tags.newest
    if newest is not None and newest > found.version:
        text = f"the source says {found.version}, below its newest tag {package.tag_of(newest)}"
        yield Finding(Weight.MISMATCH, name, text)
    if not found.is_tagged:
        yield Finding(Weight.NOTE, name, f"{found.version} has no tag yet")
    elif not found.is_pushed:
        yield Finding(Weight.NOTE, name, f"{package.tag_of(found.version)} was not pushed yet")
    if not found.source.has_entry(found.version):
        yield Finding(Weight.NOTE, name, f"the changelog says nothing about {found.version}")


def _of_ranges(packages: tuple[PackageStatus, ...]) -> Iterator[Finding]:
    for found in packages:
        for other in packages:
            taken = found.source.range_of(other.package)
            if taken is not None and other.version not in taken:
                text = f"it takes {other.package.name} {taken}, which is at {other.version} now"
                yield Finding(Weight.NOTE, found.package.name, text)


def _of_platform(
    layout: Layout, found: PlatformStatus, packages: tuple[PackageStatus, ...]
) -> Iterator[Finding]:
    name = found.place.name
    if found.bundle is None:
        yield Finding(Weight.NOTE, name, "it has no pins yet")
        return
    require_pins(layout, found.place, {p.package.name: p.tags for p in packages if not p.silence})
    for each in packages:
        pin, newest = found.bundle.pin(each.package.name), each.tags.newest
        if pin is not None and newest is not None and Version.parse(pin.version) < newest:
            text = f"{pin.package} is pinned to {pin.version}; {newest} is released"
            yield Finding(Weight.NOTE, name, text)


def _of_differences(platforms: list[PlatformStatus]) -> Iterator[Finding]:
    """Tell where platforms run different versions: the main risk of a release."""
    pinned: dict[str, dict[str, list[str]]] = {}
    for each in platforms:
        for pin in () if each.bundle is None else each.bundle.pins:
            pinned.setdefault(pin.package, {}).setdefault(pin.version, []).append(each.place.name)
    for package, versions in pinned.items():
        if len(versions) > 1:
            shown = ", ".join(f"{v} on {' and '.join(where)}" for v, where in versions.items())
            yield Finding(Weight.MISMATCH, package, f"platforms pin different versions: {shown}")
    with_pins = [each.place.name for each in platforms if each.bundle is not None]
    without = [each.place.name for each in platforms if each.bundle is None]
    if with_pins and without:
        text = f"{' and '.join(without)} without pins, beside {' and '.join(with_pins)}"
        yield Finding(Weight.MISMATCH, "platforms", text)
