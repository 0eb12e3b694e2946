"""A platform built in a fresh environment from its pins, started, and asked how it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant_platform_kit.bundle import Bundle
from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._cache import cache_folder
from quant_platform_kit.release._environments import build, unbootable
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._pins import edited, moved, stored_bundle
from quant_platform_kit.release._tags import Tags
from quant_platform_kit.release._version import Version


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
    commit = Repository(place.repository).head()
    _mark(place, bundle).unlink(missing_ok=True)
    built = build(layout, place, place.path, bundle, commit, fresh=True, from_remote=from_remote)
    with built.serving(place.environment) as served:
        health = served.health
    if health.get("bundle") != bundle.id:
        why = f"its service is made of bundle {health.get('bundle')!r}, not {bundle.id!r}"
        raise unbootable(place, why)
    if health.get("platform") != place.name:
        why = f"its service serves {health.get('platform')!r}, not {place.name!r}"
        raise unbootable(place, why)
    _mark(place, bundle).touch()
    return Verified(place.name, bundle, health, time.monotonic() - started)


def require_verified(place: PlatformPlace, bundle: Bundle) -> None:
    """Refuse to go on before a platform was built from these pins on this machine, and started.

    Raises
    ------
    ReleaseRefused
        ``PIN_UNTRIED``.
    """
    if not _mark(place, bundle).exists():
        raise ReleaseRefused(
            f"Bundle {bundle.id} of {place.name} was not built and started here: whether it does "
            f"is not known. Nothing was changed; run `qpk release verify-pins {place.name}` first.",
            code=ReasonCode.PIN_UNTRIED,
        )


def _mark(place: PlatformPlace, bundle: Bundle) -> Path:
    return cache_folder("verified") / f"{place.name}-{bundle.id}"


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
