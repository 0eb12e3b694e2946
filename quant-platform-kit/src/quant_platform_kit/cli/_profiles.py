"""`qpk profiles`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quant_platform_kit.cli._console import console, table
from quant_platform_kit.contracts import StrategyManifest, encode

if TYPE_CHECKING:
    from quant_platform_kit.strategy import Catalog


def plain(catalog: Catalog) -> dict[str, Any]:
    """Return the catalog as data: manifests under the default configuration, and what is broken."""
    profiles = [
        {
            **encode(profile.manifest),
            "input_mode": profile.manifest.input_mode,
            "module": profile.module_name,
        }
        for profile in catalog.profiles.values()
    ]
    return {"profiles": profiles, "broken": catalog.broken}


def show(catalog: Catalog) -> None:
    """Print the catalog as a table, and below it every profile that cannot be loaded."""
    listed = table(
        f"{len(catalog.profiles)} profiles",
        *("", "profile", "name", "status", "cadence", "targets", "inputs"),
        *("benchmark", "managed", "aliases"),
        right=("managed",),
    )
    for profile in catalog.profiles.values():
        listed.add_row(*_row(profile.manifest))
    out = console()
    out.print(listed)
    for broken in catalog.broken:
        out.print(f"{broken.name} ({broken.module_name}) cannot be loaded: {broken.why}")


def _row(manifest: StrategyManifest) -> tuple[str, ...]:
    return (
        manifest.icon,
        manifest.profile,
        manifest.display_name["en"],
        manifest.status.value,
        manifest.cadence.value,
        manifest.target_mode.value,
        manifest.input_mode.value,
        manifest.benchmark,
        str(len(manifest.managed)),
        ", ".join(manifest.aliases),
    )
