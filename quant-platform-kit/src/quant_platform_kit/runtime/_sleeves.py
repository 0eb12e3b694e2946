"""The strategies of an account, each with its configuration and its snapshots."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from quant_platform_kit import __version__
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.inputs import SnapshotSource
from quant_platform_kit.settings import Settings
from quant_platform_kit.strategy import Catalog, SleeveSpec, read_sleeves, require_allowed


def account_sleeves(settings: Settings, catalog: Catalog) -> tuple[SleevePart, ...]:
    """Return the strategies of the account, each with its configuration and its snapshots."""
    if settings.sleeves_path is None:
        specs: tuple[SleeveSpec, ...] = (
            SleeveSpec(
                profile=settings.strategy_profile,
                config=settings.strategy_config_path,
                snapshot=settings.feature_snapshot_path,
                snapshot_manifest=settings.feature_snapshot_manifest_path,
            ),
        )
    else:
        specs = read_sleeves(settings.sleeves_path)
    sleeves = tuple(_sleeve(spec, catalog) for spec in specs)
    names = [sleeve.profile for sleeve in sleeves]
    for sleeve in sleeves:
        require_allowed(sleeve.strategy.manifest, settings.execution_mode)
        if names.count(sleeve.profile) > 1:
            raise SettingsError(
                f"{settings.sleeves_path} has {sleeve.profile} more than once, perhaps by an "
                "alias: a strategy has one sleeve. Add the weights up, or take one out.",
                code=ReasonCode.CONFIG_INVALID,
            )
    return sleeves


def _sleeve(spec: SleeveSpec, catalog: Catalog) -> SleevePart:
    strategy = catalog.strategy(spec.profile, spec.config)
    if spec.snapshot is None:
        return SleevePart(strategy, spec.weight)
    return SleevePart(strategy, spec.weight, SnapshotSource(spec.snapshot, spec.snapshot_manifest))


def versions_of(sleeves: Iterable[SleevePart]) -> Mapping[str, str]:
    """Return the version of the kit and of every package that a strategy comes from."""
    versions = {"quant-platform-kit": __version__}
    for sleeve in sleeves:
        package = sleeve.strategy.module_name.partition(".")[0]
        theirs = getattr(sys.modules.get(package), "__version__", "unversioned")
        versions[package.replace("_", "-")] = theirs
    return versions
