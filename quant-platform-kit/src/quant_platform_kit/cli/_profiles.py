"""`qpk profiles`: every installed profile, and what it is on every platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.cli._console import console, table
from quant_platform_kit.cli._platforms import read_rollouts
from quant_platform_kit.contracts import (
    Rollout,
    Standing,
    StrategyManifest,
    check_rollout,
    encode,
    standing,
)

if TYPE_CHECKING:
    from quant_platform_kit.strategy import Catalog

_DEFAULT, _ROLLBACK, _ENABLED = "★ default", "↩ rollback", "● enabled"
_ELIGIBLE, _INELIGIBLE = "○ eligible", "✕ not eligible"
_MEANINGS = {
    _DEFAULT: "what a new service runs",
    _ROLLBACK: "what it goes back to",
    _ENABLED: "on the rollout list",
    _ELIGIBLE: "could be, but is not on the list",
    _INELIGIBLE: "the platform lacks something",
}
_NO_LIST = "No rollout list of {}: whether a profile is enabled there is not known. Name the folder"
_NO_LIST_REMEDY = "of the platforms with --platforms."


def rollouts(catalog: Catalog, folder: Path | None) -> Mapping[str, Rollout]:
    """Return the rollout list of each platform that has one, checked against what is installed.

    Raises
    ------
    SettingsError
        When a list cannot be read, or names a profile that is unknown, not eligible on its
        platform or not promoted far enough.
    """
    found = read_rollouts(folder)
    manifests = {name: profile.manifest for name, profile in catalog.profiles.items()}
    # A profile that cannot be loaded is listed as such: nothing is known of it to check.
    broken = {fault.name for fault in catalog.broken}
    for name, rollout in found.items():
        readable = tuple(entry for entry in rollout.enabled if entry not in broken)
        part = replace(rollout, enabled=readable, default=None, rollback=None)
        check_rollout(part, manifests, CAPABILITIES[name])
    return found


def plain(catalog: Catalog, lists: Mapping[str, Rollout]) -> dict[str, Any]:
    """Return the matrix as data: manifests under the default configuration, and what is broken."""
    profiles = [
        {
            **encode(profile.manifest),
            "input_mode": profile.manifest.input_mode,
            "module": profile.module_name,
            "platforms": {
                name: _plain(each) for name, each in _standings(profile.manifest, lists).items()
            },
        }
        for profile in catalog.profiles.values()
    ]
    return {"profiles": profiles, "broken": catalog.broken}


def show(catalog: Catalog, lists: Mapping[str, Rollout]) -> None:
    """Print the matrix, what its signs mean, and everything that cannot be run and why."""
    manifests = [profile.manifest for profile in catalog.profiles.values()]
    listed = table(
        f"{len(manifests)} profiles on {len(CAPABILITIES)} platforms",
        *("", "profile", "name", "status", "inputs", "cadence"),
        *CAPABILITIES,
    )
    for manifest in manifests:
        listed.add_row(*_row(manifest, lists))
    out = console()
    out.print(listed)
    out.print(" · ".join(f"{sign}: {meaning}" for sign, meaning in _MEANINGS.items()))
    for line in _notes(catalog, manifests, lists):
        out.print(line)


def _notes(
    catalog: Catalog, manifests: list[StrategyManifest], lists: Mapping[str, Rollout]
) -> Iterator[str]:
    unlisted = [name for name in CAPABILITIES if name not in lists]
    if unlisted:
        yield f"{_NO_LIST.format(', '.join(unlisted))} {_NO_LIST_REMEDY}"
    for manifest in manifests:
        for name, each in _standings(manifest, lists).items():
            if not each.eligibility.ok:
                yield f"{manifest.profile} on {name}: {'; '.join(each.eligibility.reasons)}"
    for broken in catalog.broken:
        yield f"{broken.name} ({broken.module_name}) cannot be loaded: {broken.why}"


def _row(manifest: StrategyManifest, lists: Mapping[str, Rollout]) -> tuple[str, ...]:
    return (
        manifest.icon,
        manifest.profile,
        manifest.display_name["en"],
        manifest.status.value,
        manifest.input_mode.value,
        manifest.cadence.value,
        *(_cell(each) for each in _standings(manifest, lists).values()),
    )


def _standings(manifest: StrategyManifest, lists: Mapping[str, Rollout]) -> Mapping[str, Standing]:
    return {
        name: standing(manifest, capabilities, lists.get(name))
        for name, capabilities in CAPABILITIES.items()
    }


def _cell(each: Standing) -> str:
    if not each.eligibility.ok:
        return _INELIGIBLE
    if not each.enabled:
        return _ELIGIBLE
    if each.is_default:
        return _DEFAULT
    return _ROLLBACK if each.is_rollback else _ENABLED


def _plain(each: Standing) -> dict[str, Any]:
    return {
        "eligible": each.eligibility.ok,
        "reasons": each.eligibility.reasons,
        "enabled": each.enabled,
        "default": each.is_default,
        "rollback": each.is_rollback,
    }
