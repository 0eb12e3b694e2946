"""A service switched to another profile.

A switch changes the variables that belong to a profile and, when asked to, the mode. It is refused
until the code is deployed, the profile may run there, everything the profile needs is named, and
somebody has compared what it would do with what runs now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._change import Change
from quant_platform_kit.release._definitions import definition_of, plain_variables
from quant_platform_kit.release._deployed import require_deployed
from quant_platform_kit.release._environments import Environment, environment
from quant_platform_kit.release._gcloud import Service, update
from quant_platform_kit.release._layout import Layout
from quant_platform_kit.release._records import Kind, State
from quant_platform_kit.release._shadow import Comparison, require_shadow
from quant_platform_kit.release._standing import agreed, state_of
from quant_platform_kit.release._variables import (
    MODE,
    PROFILE,
    REGIONAL,
    Fate,
    Line,
    Wish,
    applied,
    fates,
    of_profile,
    refused,
    removes_of,
    sets_of,
)

_MODES: Final = ("dry_run", "paper", "live")


@dataclass(frozen=True, slots=True)
class Switch:
    """What switching a service does.

    Parameters
    ----------
    change : Change
    service : Service
        As it was when this was planned.
    environment : Environment
        What the service runs in.
    wish : Wish
    variables : mapping of str to str
        Every variable of the service afterwards, but for those that name secrets.
    lines : tuple of Line
        What becomes of each, those that change first.
    """

    change: Change
    service: Service
    environment: Environment
    wish: Wish
    variables: Mapping[str, str]
    lines: tuple[Line, ...]

    @property
    def is_needed(self) -> bool:
        """Whether anything changes."""
        return any(line.fate is not Fate.KEEP for line in self.lines)

    @property
    def changes_profile(self) -> bool:
        """Whether anything but the mode changes: only then there is something to compare."""
        return any(line.fate is not Fate.KEEP and line.name != MODE for line in self.lines)

    def compared(self, now: datetime) -> Comparison:
        """Return the comparison of what the service does with what it would do.

        Raises
        ------
        ReleaseRefused
            ``SHADOW_MISSING`` when nobody has made one in this session.
        """
        return require_shadow(self.service, self.environment.bundle.id, self.variables, now)


def plan_switch(
    layout: Layout,
    name: str,
    profile: str | None = None,
    *,
    mode: str | None = None,
    given: Mapping[str, str] | None = None,
    described: Service | None = None,
) -> Switch:
    """Return what switching a service takes; change nothing of it.

    Parameters
    ----------
    layout : Layout
    name : str
        Of the service; names never change in a switch.
    profile : str or None
        The one it is to run, or an alias of it; None for the one it runs.
    mode : str or None
        ``dry_run``, ``paper`` or ``live``; None for the one it is in.
    given : mapping of str to str, optional
        Variables that belong to the profile, such as where its configuration lies.
    described : Service, optional
        What the service is, from a saved description; asked for when left out.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` for a service that ``release.toml`` does not name; ``DEPLOY_MISMATCH``
        when it does not run what is pinned; ``SWITCH_PROFILE`` when the profile is unknown, not
        eligible, not enabled or not promoted to the mode; ``SWITCH_VARIABLE`` when a variable that
        is needed is missing, or one does not fit; as `agreed` when its records say something else.
    """
    place = layout.service(name)
    service = require_deployed(place, name, described or agreed(layout, place, name))
    built = environment(layout, place, service.commit)
    _require_region(built, service)
    wished_mode = mode or service.environment.get(MODE, _MODES[0])
    facts = _profile(built, profile or service.environment.get(PROFILE, ""), wished_mode)
    wish = Wish(facts, wished_mode, given or {})
    lines = fates(layout, place, service.environment, wish)
    sets, removes = sets_of(lines), removes_of(lines)
    variables = applied(service.environment, lines)
    now = state_of(place, service)
    after = State(now.commit, now.image, now.bundle, of_profile(place, variables))
    command = update(place, name, sets=sets, removes=removes)
    change = Change(layout, place, name, Kind.SWITCH, service, command, after, sets, removes)
    return Switch(change, service, built, wish, variables, lines)


def _profile(built: Environment, name: str, mode: str) -> Mapping[str, Any]:
    """Return a profile of the deployed code, once it may run on the platform in the mode."""
    profile = built.profile(name)
    place, bundle = built.place, built.bundle
    if profile is None:
        known = built.profiles()
        spellings = [*known, *(alias for each in known.values() for alias in each["aliases"])]
        near = get_close_matches(name, spellings, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise _not_there(f"no package of bundle {bundle.id} offers a profile {name!r}.{hint}")
    standing = profile["platforms"][place.name]
    if not standing["eligible"]:
        raise _not_there(f"{name} cannot run on {place.name}: {'; '.join(standing['reasons'])}.")
    if not standing["enabled"]:
        raise _not_there(
            f"{name} is not on the rollout list of {place.name} at the deployed commit "
            f"{built.commit}. Add it to {place.folder}/platform.toml, pin and deploy first."
        )
    if mode not in profile["modes"]:
        may = ", ".join(profile["modes"])
        raise _not_there(f"{name} has status {profile['status']}: it may run in {may}, not {mode}.")
    return profile


def _require_region(built: Environment, service: Service) -> None:
    """Refuse to switch a regional service that does not say which account is its own."""
    declared = plain_variables(definition_of(built.files, service.name))
    for name in REGIONAL:
        if name not in declared:
            continue
        value = service.environment.get(name, "")
        if not value and name not in service.secrets:
            raise refused(f"{service.name} has no {name}: whose account it is, is not known")
        if "${" not in declared[name] and value != declared[name]:
            raise refused(
                f"{service.name} has {name} = {value}, and its definition says {declared[name]}: "
                "it would trade another region's account"
            )


def _not_there(why: str) -> ReleaseRefused:
    return ReleaseRefused(f"Nothing was changed: {why}", code=ReasonCode.SWITCH_PROFILE)
