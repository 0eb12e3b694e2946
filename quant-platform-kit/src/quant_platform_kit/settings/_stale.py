"""Variables that are left over from the service of another platform."""

from __future__ import annotations

from collections.abc import Mapping

from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.settings._logins import names_of
from quant_platform_kit.settings._variable import Platform


def left_over(platform: Platform, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that are set and mean something to services of other platforms alone."""
    own = names_of(platform)
    theirs = {name for other in Platform for name in names_of(other)} - own
    return tuple(sorted(name for name in theirs if environ.get(name, "").strip()))


def require_none(platform: Platform, service: str, stale: tuple[str, ...]) -> None:
    """Refuse what is left over where the environment is the service's own.

    A desk's may serve several platforms; what a service was deployed with is its alone.

    Raises
    ------
    SettingsError
        ``VARIABLE_STALE``; the message names every one of them.
    """
    if service and stale:
        raise SettingsError(
            f"{', '.join(stale)}: set for {service}, a service of {platform}, which never reads "
            "it. Somebody meant another service, or a switch left it behind, so the service does "
            "not start and nothing is traded. Remove it, and look whether its service has it: "
            f"gcloud run services update {service} --remove-env-vars={','.join(stale)}",
            code=ReasonCode.VARIABLE_STALE,
        )
