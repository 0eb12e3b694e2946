"""What is live and what would be, side by side: both run in dry run on the live inputs.

A comparison of which the new side did its work is kept, and a switch asks for it. It stands for one
service, two bundles, two settings, what is in their configurations, and one session: whatever of
these is another needs another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import decode, digest, encode
from quant_platform_kit.errors import ContractError, ReasonCode, ReleaseRefused
from quant_platform_kit.market import SLOTS, SlotWindow, window, xnys
from quant_platform_kit.release._cache import cache_folder
from quant_platform_kit.release._deployed import existing
from quant_platform_kit.release._environments import Environment, environment
from quant_platform_kit.release._gcloud import Service
from quant_platform_kit.release._layout import Layout
from quant_platform_kit.release._trial import NOT_STARTED, Setting, Side, try_out
from quant_platform_kit.release._variables import MODE, PROFILE, Wish, applied, fates, of_profile

_CLOSED: Final = frozenset({ReasonCode.MARKET_CLOSED.value, ReasonCode.OUTSIDE_WINDOW.value})
_DONE: Final = frozenset({"TRADED", "NO_ACTION"})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_KEY_LENGTH: Final = 16
_BROKER: Final = "QPK_BROKER"
_SIMULATED: Final = "simulated"
_AHEAD: Final = timedelta(minutes=10)  # two runs, with time to spare


@dataclass(frozen=True, slots=True)
class Line:
    """One symbol on both sides; texts are empty where a side has nothing of it."""

    symbol: str
    live_target: str
    candidate_target: str
    live_orders: str
    candidate_orders: str

    @property
    def differs(self) -> bool:
        """Whether the two sides would do something else."""
        live, candidate = self.live_target, self.candidate_target
        return (live, self.live_orders) != (candidate, self.candidate_orders)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of one service's work.

    Parameters
    ----------
    service : str
    made_at : datetime
    live, candidate : Side
    """

    service: str
    made_at: datetime
    live: Side
    candidate: Side

    @property
    def is_same_plan(self) -> bool:
        """Whether both would hold and order the same."""
        return self.live.plan_sha256 == self.candidate.plan_sha256

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every symbol of either side, those that differ first."""
        live, new = self.live, self.candidate
        symbols = sorted({*live.targets, *new.targets, *live.orders, *new.orders})
        lines = (
            Line(
                *(symbol, live.targets.get(symbol, ""), new.targets.get(symbol, "")),
                *(live.orders.get(symbol, ""), new.orders.get(symbol, "")),
            )
            for symbol in symbols
        )
        return tuple(sorted(lines, key=lambda line: not line.differs))

    @property
    def input_differences(self) -> tuple[str, ...]:
        """In words, what one side read and the other did not."""
        return tuple(_apart(self.live, self.candidate))

    @property
    def refusal(self) -> str:
        """Why this is no reason to go on; empty when it is one."""
        new = self.candidate
        if _CLOSED & {self.live.code, new.code}:
            again = _span(next_opening(self.made_at))
            return f"the market is closed, so there was nothing to compare; ask again from {again}"
        if new.outcome == NOT_STARTED:
            return f"the new side did not start: {new.reason}"
        if new.outcome not in _DONE:
            told = f"{new.outcome} {new.code}".strip()
            return f"the new side ended as {told}: {new.reason}"
        if self.live.session not in ("", new.session):
            return f"the two sides ran in different sessions, {self.live.session} and {new.session}"
        return ""


def shadow(
    layout: Layout,
    name: str,
    *,
    now: datetime,
    profile: str | None = None,
    sets: Mapping[str, str] = _NOTHING,
    removes: tuple[str, ...] = (),
    commit: str = "",
) -> Comparison:
    """Run what a service runs now, and what it would run, and keep what came out.

    The two run one after the other, so that only one of them holds the broker's connection.

    Parameters
    ----------
    layout : Layout
    name : str
        Of the service.
    now : datetime
    profile : str, optional
        The one it would run; the other variables become what a switch makes of them.
    sets : mapping of str to str, optional
    removes : tuple of str, optional
    commit : str, optional
        Whose pins it would run; the deployed ones when left out.

    Raises
    ------
    ReleaseRefused
        ``DEPLOY_MISMATCH`` when there is no such service; ``PIN_MISSING`` when a commit is not
        here; ``SWITCH_PROFILE`` or ``SWITCH_VARIABLE`` when the new side cannot be described;
        ``SHADOW_MISSING`` while the scheduled run may need the broker; ``RELEASE_TOOL`` when an
        environment cannot be built.
    """
    place = layout.service(name)
    service = existing(place, name)
    _require_quiet(service, now)
    deployed = environment(layout, place, service.commit)
    built = environment(layout, place, commit) if commit else deployed
    wanted = _wanted(layout, built, service, profile, sets)
    plain = {key: value for key, value in wanted.items() if key not in removes}
    secrets = {k: v for k, v in service.secrets.items() if k not in plain and k not in removes}
    live = try_out(deployed, Setting(name, service.environment, service.secrets))
    candidate = try_out(built, Setting(name, plain, secrets))
    made = Comparison(name, now, live, candidate)
    _keep(made)
    return made


def require_shadow(
    service: Service, bundle: str, variables: Mapping[str, str], now: datetime
) -> Comparison:
    """Return the comparison of what a service runs with the same code under other variables.

    Parameters
    ----------
    service : Service
        As it is now.
    bundle : str
        Of its code.
    variables : mapping of str to str
        What it would be told; the mode does not matter, and its secrets stay.
    now : datetime

    Raises
    ------
    ReleaseRefused
        ``SHADOW_MISSING`` when there is none that both would be the same in, or it was made before
        the market opened again.
    """
    name = service.name
    live = Setting(name, service.environment, service.secrets)
    secrets = {key: value for key, value in service.secrets.items() if key not in variables}
    candidate = Setting(name, variables, secrets)
    found = _stored(_path(name, (bundle, bundle), (live.id, candidate.id)))
    if found is None:
        raise _missing(name, "nobody has compared what it would do with what it does now")
    if _session_of(found.made_at) != _session_of(now):
        when = f"{found.made_at:%Y-%m-%d %H:%M} UTC"
        raise _missing(name, f"the comparison of {when} is of an earlier session")
    return found


def next_opening(now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when there is something to compare next, or still is.

    It ends before the window of the scheduled run, which needs the broker for itself.
    """
    calendar = xnys()
    day = calendar.current_session(now) or calendar.next(now.date())
    while (ends := _scheduled(day).opens_at - _AHEAD) <= now:
        day = calendar.next(day)
    return max(calendar.session_open(day), now), ends


def _require_quiet(service: Service, now: datetime) -> None:
    """Refuse to take the broker's connection while the scheduled run may need it."""
    day = xnys().current_session(now)
    if day is None or service.environment.get(_BROKER, _SIMULATED) == _SIMULATED:
        return
    due = _scheduled(day)
    if due.opens_at - _AHEAD <= now < due.closes_at:
        raise ReleaseRefused(
            f"{service.name} has its scheduled run until {due.closes_at:%H:%M} UTC, and a second "
            "connection to the broker could stop it. Nothing was run; ask again from "
            f"{_span(next_opening(now))}.",
            code=ReasonCode.SHADOW_MISSING,
        )


def _scheduled(session: date) -> SlotWindow:
    return window(xnys(), SLOTS["close"], session)


def _span(opening: tuple[datetime, datetime]) -> str:
    opens, closes = opening
    return f"{opens:%Y-%m-%d %H:%M} to {closes:%H:%M} UTC"


def _wanted(
    layout: Layout,
    built: Environment,
    service: Service,
    profile: str | None,
    sets: Mapping[str, str],
) -> dict[str, str]:
    """Return the plain variables of the new side, as a switch would write them."""
    place = built.place
    of_it = {key: value for key, value in of_profile(place, sets).items() if key != MODE}
    present = service.environment
    if profile is None and not of_it:
        return {**present, **sets}
    facts = _profile(built, profile or of_it.get(PROFILE) or present.get(PROFILE, ""))
    given = {key: value for key, value in of_it.items() if key != PROFILE}
    lines = fates(layout, place, present, Wish(facts, present.get(MODE, "dry_run"), given))
    others = {key: value for key, value in sets.items() if key not in of_it}
    return applied(present, lines) | others


def _profile(built: Environment, name: str) -> Mapping[str, object]:
    found = built.profile(name)
    if found is None:
        raise ReleaseRefused(
            f"No package of bundle {built.bundle.id} offers a profile {name!r}; there are "
            f"{', '.join(sorted(built.profiles()))}. Nothing was compared.",
            code=ReasonCode.SWITCH_PROFILE,
        )
    return found


def _apart(live: Side, candidate: Side) -> Iterator[str]:
    for what in sorted({*live.inputs, *candidate.inputs}):
        before, after = (side.inputs.get(what, "none") for side in (live, candidate))
        if before != after:
            yield f"{what}: {before} | {after}"
    shared = sorted(live.prices_usd.keys() & candidate.prices_usd.keys())
    moved = [symbol for symbol in shared if live.prices_usd[symbol] != candidate.prices_usd[symbol]]
    if moved:
        yield f"prices moved between the two runs: {', '.join(moved)}"


def _session_of(instant: datetime) -> date:
    """Return the session that had opened last."""
    calendar = xnys()
    day = calendar.current_session(instant)
    if day is not None and calendar.session_open(day) <= instant:
        return day
    return calendar.previous(day or instant.date())


def _keep(made: Comparison) -> None:
    """Keep a comparison that is a reason to go on; an older one of the same goes in any case."""
    live, new = made.live, made.candidate
    path = _path(made.service, (live.bundle, new.bundle), (live.setting, new.setting))
    if made.refusal:
        path.unlink(missing_ok=True)
        return
    if live.outcome == NOT_STARTED:  # what a process said last may hold anything
        made = replace(made, live=replace(live, reason=""))
    partial = path.with_suffix(".partial")
    partial.write_text(f"{json.dumps(encode(made), indent=2)}\n", encoding="utf-8")
    partial.replace(path)


def _stored(path: Path) -> Comparison | None:
    try:
        return decode(Comparison, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ContractError):  # what cannot be read proves nothing
        return None


def _path(service: str, bundles: tuple[str, str], settings: tuple[str, str]) -> Path:
    key = digest([service, bundles, settings])[:_KEY_LENGTH]
    return cache_folder("shadows") / f"{service}-{key}.json"


def _missing(name: str, why: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{name}: {why}. Nothing was changed; run `qpk release shadow` with the same options while "
        "the market is open, look at what it says, and then go on.",
        code=ReasonCode.SHADOW_MISSING,
    )
