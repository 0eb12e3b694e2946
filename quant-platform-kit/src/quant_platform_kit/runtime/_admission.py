"""Whether the strategies of an account may run here: nothing left over, enabled, and as tested.

A desk checks that nothing is left over. A service that was deployed also has its platform's rollout
list, and the bundle it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.bundle import (
    Bundle,
    Declared,
    read_bundle,
    require_declared,
    require_installed,
)
from quant_platform_kit.contracts import InputMode, ProfileStatus, Rollout, Standing, standing
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.runtime._sleeves import account_sleeves
from quant_platform_kit.settings import Platform, Settings, read_rollout
from quant_platform_kit.strategy import Catalog, load_catalog


@dataclass(frozen=True, slots=True)
class ProfileStanding:
    """What one profile of a service is on its platform.

    `enabled`, `default` and `rollback` are None where the service does not know its platform's
    rollout list; `reasons` name everything that the platform lacks for it.
    """

    profile: str
    display_name: Mapping[str, str]
    domain: str
    input_mode: InputMode
    status: ProfileStatus
    eligible: bool
    reasons: tuple[str, ...]
    enabled: bool | None
    default: bool | None
    rollback: bool | None


def admitted_sleeves(settings: Settings) -> tuple[str, tuple[SleevePart, ...]]:
    """Return the id of the bundle and the strategies of the account, which may all run here.

    Raises
    ------
    SettingsError
        ``BUNDLE_MISMATCH`` when something else is installed, or declared by a profile, than the
        bundle names; ``VARIABLE_STALE`` when something is set that a profile never reads;
        ``PROFILE_NOT_ROLLED_OUT`` when a profile is not on the platform's list, or not eligible;
        ``CONFIG_INVALID`` when a configuration does not fit.
    RefuseRun
        When a profile is unknown or not allowed in the mode.
    """
    bundle = _installed(settings)
    catalog = load_catalog(settings.strategies_dir)
    sleeves = account_sleeves(settings, catalog)
    _require_nothing_left_over(settings, sleeves)
    rollout = _rollout(settings)
    for sleeve in () if rollout is None else sleeves:
        _require_rolled_out(settings, sleeve, _standing(settings, sleeve, rollout))
    if bundle is None:
        return "", sleeves
    require_declared(bundle, _declared(catalog, (sleeve.profile for sleeve in sleeves)))
    return bundle.id, sleeves


def profile_standings(settings: Settings) -> tuple[ProfileStanding, ...]:
    """Return what each profile of a service is on its platform; needs neither store nor broker.

    Raises
    ------
    SettingsError, RefuseRun
        As `admitted_sleeves`.
    """
    _, sleeves = admitted_sleeves(settings)
    rollout = _rollout(settings)
    return tuple(_described(sleeve, _standing(settings, sleeve, rollout)) for sleeve in sleeves)


def _installed(settings: Settings) -> Bundle | None:
    if settings.bundle_path is None:
        return None
    bundle = read_bundle(settings.bundle_path)
    require_installed(bundle)
    return bundle


# ── Nothing left over ──────────────────────────────────────────────────────────────────


def _require_nothing_left_over(settings: Settings, sleeves: tuple[SleevePart, ...]) -> None:
    """Refuse what no profile reads: somebody meant another one, or a switch left it behind."""
    if all(sleeve.strategy.manifest.input_mode is InputMode.DIRECT for sleeve in sleeves):
        fields = ["feature_snapshot_path", "feature_snapshot_manifest_path"]
        if settings.platform is Platform.IBKR:
            # Its record of reconciliations belongs to the profiles that read snapshots.
            fields.append("reconciliation_output_path")
        set_names = [settings.spellings[f] for f in fields if f in settings.spellings]
        _refuse_left_over(settings, set_names, sleeves)
    for sleeve in sleeves:
        if not type(sleeve.strategy.config).model_fields and settings.strategy_config_path:
            _refuse_left_over(settings, [settings.spellings["strategy_config_path"]], [sleeve])
        if settings.sleeves_path is not None and _reads_nothing(sleeve):
            raise SettingsError(
                f"{settings.sleeves_path} names a snapshot for {sleeve.profile}, which decides on "
                "prices at run time and never reads one. Nothing was decided or traded. Take it "
                "out, or correct the profile.",
                code=ReasonCode.VARIABLE_STALE,
            )


def _reads_nothing(sleeve: SleevePart) -> bool:
    is_direct = sleeve.strategy.manifest.input_mode is InputMode.DIRECT
    return is_direct and sleeve.snapshots is not None


def _refuse_left_over(settings: Settings, names: list[str], sleeves: Iterable[SleevePart]) -> None:
    if not names:
        return
    profiles = " and ".join(sleeve.profile for sleeve in sleeves)
    remedy = ""
    if settings.service:
        removed = f"--remove-env-vars={','.join(names)}"
        remedy = f": gcloud run services update {settings.service} {removed}"
    raise SettingsError(
        f"{', '.join(names)}: set, and never read by {profiles}. A switch left it behind, or "
        "another profile was meant, so the service does not start and nothing is traded. Set "
        f"STRATEGY_PROFILE to the profile it is for, or remove it{remedy}",
        code=ReasonCode.VARIABLE_STALE,
    )


# ── Enabled ────────────────────────────────────────────────────────────────────────────


def _rollout(settings: Settings) -> Rollout | None:
    if settings.rollout_path is None:
        return None
    return read_rollout(settings.platform, settings.rollout_path)


def _standing(settings: Settings, sleeve: SleevePart, rollout: Rollout | None) -> Standing:
    return standing(sleeve.strategy.manifest, CAPABILITIES[settings.platform], rollout)


def _require_rolled_out(settings: Settings, sleeve: SleevePart, found: Standing) -> None:
    if found.enabled:
        return
    lacking = "; ".join(found.eligibility.reasons)
    raise SettingsError(
        f"{sleeve.profile} may not run on {settings.platform}: "
        + (f"it is not eligible, since {lacking}" if lacking else "it is not on the rollout list")
        + f". Nothing was decided or traded. Set STRATEGY_PROFILE to one of {settings.rollout_path}"
        + ("." if lacking else ", or have the list reviewed and the service deployed with it."),
        code=ReasonCode.PROFILE_NOT_ROLLED_OUT,
    )


def _described(sleeve: SleevePart, found: Standing) -> ProfileStanding:
    manifest = sleeve.strategy.manifest
    return ProfileStanding(
        profile=manifest.profile,
        display_name=manifest.display_name,
        domain=manifest.domain,
        input_mode=manifest.input_mode,
        status=manifest.status,
        eligible=found.eligibility.ok,
        reasons=found.eligibility.reasons,
        enabled=found.enabled,
        default=found.is_default,
        rollback=found.is_rollback,
    )


# ── As tested ──────────────────────────────────────────────────────────────────────────


def _declared(catalog: Catalog, profiles: Iterable[str]) -> Mapping[str, Declared]:
    """Return what the installed profiles say of themselves under their default configuration."""
    return dict(_declarations(catalog, profiles))


def _declarations(catalog: Catalog, profiles: Iterable[str]) -> Iterator[tuple[str, Declared]]:
    for name in profiles:
        profile = catalog.find(name)
        strategy = profile.configured(profile.module.Config())
        yield name, Declared.of(strategy.manifest, strategy.config_sha256)
