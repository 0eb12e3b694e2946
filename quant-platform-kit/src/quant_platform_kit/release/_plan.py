"""The steps from where things are to what is meant, in the one safe order; nothing is done."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._pins import asked_by
from quant_platform_kit.release._source import source_at
from quant_platform_kit.release._status import PackageStatus, PlatformStatus, Status, status
from quant_platform_kit.release._tags import push
from quant_platform_kit.release._version import Version


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Parameters
    ----------
    what : str
    commands : tuple of str
        To be run in the folder of ``release.toml``, in this order.
    done : bool
        Whether it is done already. What leaves no trace here, such as a deployment, never is.
    """

    what: str
    commands: tuple[str, ...]
    done: bool = False


def plan(layout: Layout, versions: Mapping[str, str]) -> tuple[Step, ...]:
    """Return every step of a release, those that are done among them.

    Packages first, each after those it needs; then the pins of all platforms; then their trial in
    fresh environments; then deployments; then live profiles.

    Parameters
    ----------
    layout : Layout
    versions : mapping of str to str
        The versions meant, by role. One that is left out is what its source says; or the next
        minor version, where what it is released with would not fit.

    Raises
    ------
    ReleaseRefused
        As `status`, or when a version is malformed.
    """
    for role in versions:
        layout.package(role)
    found = status(layout)
    targets = _targets(found, versions)
    steps = [step for each in found.packages for step in _of_package(each, targets)]
    steps += _of_pins(layout, found, targets)
    steps += [step for place in layout.platforms for step in _of_services(place)]
    return tuple(steps)


def _targets(found: Status, versions: Mapping[str, str]) -> dict[str, Version]:
    targets: dict[str, Version] = {}
    for each in found.packages:
        role = each.package.role
        if role in versions:
            targets[role] = Version.parse(versions[role])
        else:
            targets[role] = max(filter(None, (each.tags.newest, each.version)))
            if each.is_tagged and not _fits(each, found, targets):
                targets[role] = Version(targets[role].major, targets[role].minor + 1, 0)
    return targets


def _fits(each: PackageStatus, found: Status, targets: Mapping[str, Version]) -> bool:
    """Tell whether a package's newest tag takes the versions that are meant."""
    tagged = each.tags.here.get(targets[each.package.role])
    source = each.source if tagged is None else source_at(each.package, tagged)
    for other in found.packages:
        taken = source.range_of(other.package)
        if taken is not None and targets[other.package.role] not in taken:
            return False
    return True


def _of_package(each: PackageStatus, targets: Mapping[str, Version]) -> Iterator[Step]:
    package, tags, target = each.package, each.tags, targets[each.package.role]
    entry = each.source.has_entry(target) or target in tags.here
    missing = "" if entry else f"; its changelog says nothing about {target} yet"
    yield Step(
        f"Release {package.name} {target}: checks, commit, tag {package.tag_of(target)}{missing}",
        (f"./release.sh {package.role} {target}",),
        done=target in tags.here or target in tags.there,
    )
    yield Step(
        f"Publish {package.tag_of(target)}",
        (push(package, target),),
        done=target in tags.there,
    )


def _of_pins(layout: Layout, found: Status, targets: Mapping[str, Version]) -> Iterator[Step]:
    pinned = {
        role: version
        for role, version in targets.items()
        if any(layout.package(role).name in asked_by(layout, place) for place in layout.platforms)
    }
    options = " ".join(f"--{role} {version}" for role, version in pinned.items())
    done = all(_has(layout, each, targets) for each in found.platforms) and found.matches
    yield Step("Pin every platform to these tags", (f"./release.sh pins {options}",), done=done)
    yield Step("Build each platform from its pins and start it", ("./release.sh verify-pins",))
    places: dict[Path, list[str]] = {}
    for place in layout.platforms:
        places.setdefault(place.repository, []).append(place.folder)
    for repository, folders in places.items():
        clean = not any(Repository(repository).changes(folder) for folder in folders)
        git = _git(layout, repository)
        yield Step(
            "Commit the pins, and publish them",
            (
                f"{git} add {shlex.join(folders)}",
                f"{git} commit --message 'Pins of the platforms'",
                f"{git} push",
            ),
            done=done and clean,
        )


def _has(layout: Layout, each: PlatformStatus, targets: Mapping[str, Version]) -> bool:
    if each.bundle is None:
        return False
    return all(
        pin.version == str(targets[package.role])
        for pin in each.bundle.pins
        if (package := layout.named(pin.package)) is not None
    )


def _of_services(place: PlatformPlace) -> Iterator[Step]:
    if not place.services:
        return
    yield Step(
        f"Deploy {' and '.join(place.services)}; profile and mode stay as they are",
        (f"./release.sh deploy {place.name}", f"./release.sh deploy {place.name} --apply"),
    )
    yield Step(
        f"See that {' and '.join(place.services)} serve what is pinned; only then change a "
        "live profile",
        ("./release.sh status --live",),
    )


def _git(layout: Layout, repository: Path) -> str:
    """Return how git is called on a repository from the folder of ``release.toml``."""
    if repository == layout.root:
        return "git"
    return f"git -C {shlex.quote(os.path.relpath(repository, layout.root))}"
