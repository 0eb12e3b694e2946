"""`qpk profiles`: every installed profile, and what it is on every platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    _ELIGIBLE: "the platform has what it needs",
    _INELIGIBLE: "the platform lacks something",
}
_COLUMNS: Mapping[str, Callable[[StrategyManifest], str]] = {
    "": lambda manifest: manifest.icon,
    "profile": lambda manifest: manifest.profile,
    "name": lambda manifest: manifest.display_name["en"],
    "status": lambda manifest: manifest.status.value,
    "inputs": lambda manifest: manifest.input_mode.value,
    "cadence": lambda manifest: manifest.cadence.value,
}
# From so many columns of the terminal on; a narrow one gets the signs without their words.
_LAYOUTS = (
    (160, tuple(_COLUMNS)),
    (105, ("profile", "status", "inputs", "cadence")),
    (0, ("profile", "inputs")),
)
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
    from quant_platform_kit.strategy import allowed_modes  # not paid for by other commands

    profiles = [
        {
            **encode(profile.manifest),
            "input_mode": profile.manifest.input_mode,
            "module": profile.module_name,
            "modes": allowed_modes(profile.manifest),
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
    out = console()
    columns = next(columns for width, columns in _LAYOUTS if out.width >= width)
    listed = table(
        f"{len(manifests)} profiles on {len(CAPABILITIES)} platforms", *columns, *CAPABILITIES
    )
    for manifest in manifests:
        standings = _standings(manifest, lists).values()
        cells = [_cell(each) for each in standings]
        listed.add_row(
            *(_COLUMNS[column](manifest) for column in columns),
            *(cells if "name" in columns else [cell[0] for cell in cells]),
        )
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
