"""Which profiles a platform may run: its rollout list, and each profile's standing there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from quant_platform_kit.contracts._capabilities import Capabilities, Eligibility, eligible
from quant_platform_kit.contracts._strategy import ProfileStatus, StrategyManifest
from quant_platform_kit.contracts._validate import check_text, check_unique, refuse
from quant_platform_kit.errors import ContractError, SettingsError

_KEYS = ("enabled", "default", "rollback")
_TOO_EARLY = frozenset({ProfileStatus.RESEARCH, ProfileStatus.SHADOW})


@dataclass(frozen=True, slots=True)
class Rollout:
    """The reviewed list of what one platform may run.

    Parameters
    ----------
    platform : str
    enabled : tuple of str
        Canonical names of profiles.
    default : str or None
        What a new service of the platform runs; one of `enabled`.
    rollback : str or None
        What it goes back to when another profile fails; one of `enabled`.
    """

    platform: str
    enabled: tuple[str, ...] = ()
    default: str | None = None
    rollback: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that stands twice, and a default or rollback that is not enabled."""
        for name in self.enabled:
            check_text(self, "enabled", name)
        check_unique(self, "enabled", self.enabled)
        for field in ("default", "rollback"):
            value = getattr(self, field)
            if value is not None and value not in self.enabled:
                raise refuse(self, field, value, "one of the enabled profiles")

    @classmethod
    def parse(cls, platform: str, text: str) -> Self:
        """Read the table ``[rollout]`` of a ``platform.toml``.

        Raises
        ------
        SettingsError
            When the text does not parse, or a key is unknown or holds something else than names.
        """
        import tomllib  # no service needs it

        try:
            rollout = _rollout_table(tomllib.loads(text))
            return cls(
                platform,
                _names(rollout.get("enabled", [])),
                _name("default", rollout.get("default")),
                _name("rollback", rollout.get("rollback")),
            )
        except (tomllib.TOMLDecodeError, ContractError) as error:
            raise SettingsError(
                f"platform.toml of {platform} cannot be used: {error}. No profile counts as "
                "enabled until it is corrected."
            ) from error


@dataclass(frozen=True, slots=True)
class Standing:
    """What one profile is on one platform.

    `enabled`, `is_default` and `is_rollback` are None where no rollout list is known.
    """

    eligibility: Eligibility
    enabled: bool | None = None
    is_default: bool | None = None
    is_rollback: bool | None = None


def standing(
    manifest: StrategyManifest, capabilities: Capabilities, rollout: Rollout | None
) -> Standing:
    """Derive a profile's standing from its manifest, the platform's facts and the rollout list."""
    eligibility, profile = eligible(manifest, capabilities), manifest.profile
    if rollout is None:
        return Standing(eligibility)
    return Standing(
        eligibility,
        enabled=eligibility.ok and profile in rollout.enabled,
        is_default=profile == rollout.default,
        is_rollback=profile == rollout.rollback,
    )


def check_rollout(
    rollout: Rollout, manifests: Mapping[str, StrategyManifest], capabilities: Capabilities
) -> None:
    """Refuse a rollout list that promises what the platform or the profile does not hold.

    Parameters
    ----------
    rollout : Rollout
    manifests : mapping of str to StrategyManifest
        Every installed profile, by canonical name.
    capabilities : Capabilities
        Of the same platform.

    Raises
    ------
    SettingsError
        Names the first entry that is no installed profile, is not eligible on the platform, or
        has a status below ``paper``.
    """
    for name in rollout.enabled:
        manifest = manifests.get(name)
        if manifest is None:
            hint = _hint(name, manifests)
            raise _refused(rollout, name, f"no installed package offers it.{hint}")
        lacking = eligible(manifest, capabilities).reasons
        if lacking:
            raise _refused(rollout, name, f"it is not eligible: {'; '.join(lacking)}.")
        if manifest.status in _TOO_EARLY:
            raise _refused(
                rollout, name, f"its status is {manifest.status.value}; paper is the least."
            )


def _hint(name: str, manifests: Mapping[str, StrategyManifest]) -> str:
    canonical = [m.profile for m in manifests.values() if name in m.aliases]
    near = canonical or get_close_matches(name, manifests, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _refused(rollout: Rollout, name: str, why: str) -> SettingsError:
    return SettingsError(
        f"The rollout list of {rollout.platform} enables {name!r}, but {why} Correct platform.toml "
        "of the platform; nothing on the list is deployed until it holds."
    )


def _rollout_table(document: Mapping[str, object]) -> Mapping[str, object]:
    _refuse_unknown("", document, ("rollout",))
    rollout = document.get("rollout", {})
    if not isinstance(rollout, dict):
        raise ContractError(f"rollout = {rollout!r}: expected a table")
    _refuse_unknown("rollout.", rollout, _KEYS)
    return rollout


def _refuse_unknown(path: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ContractError(f"{path}{key}: expected one of {', '.join(known)}")


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ContractError(f"rollout.enabled = {value!r}: expected a list of profile names")
    return tuple(value)


def _name(key: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ContractError(f"rollout.{key} = {value!r}: expected a profile name")
    return value
