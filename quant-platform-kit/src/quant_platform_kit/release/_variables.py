"""The variables of a service that belong to its profile, and what a switch makes of every one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._layout import Layout, PlatformPlace

PROFILE: Final = "STRATEGY_PROFILE"
MODE: Final = "EXECUTION_MODE"
COMMIT: Final = "QPK_COMMIT"
REGIONAL: Final = ("ACCOUNT_PREFIX", "ACCOUNT_REGION", "LONGPORT_SECRET_NAME")

SLEEVES: Final = "QPK_SLEEVES_PATH"
SNAPSHOT: Final = "FEATURE_SNAPSHOT_PATH"
MANIFEST: Final = "FEATURE_SNAPSHOT_MANIFEST_PATH"
CONFIG: Final = "STRATEGY_CONFIG_PATH"
_RECONCILIATION: Final = "RECONCILIATION_OUTPUT_PATH"
_COMPANIONS: Final = (SNAPSHOT, MANIFEST, CONFIG, _RECONCILIATION)
_OF_SNAPSHOTS: Final = (SNAPSHOT, MANIFEST, _RECONCILIATION)


class Fate(StrEnum):
    """What becomes of a variable."""

    SET = "set"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one variable, and why; `value` is empty where it is not the profile's."""

    fate: Fate
    name: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a service is to run.

    Parameters
    ----------
    profile : mapping
        As the deployed code describes it.
    mode : str
    given : mapping of str to str
        Variables that somebody named for it.
    """

    profile: Mapping[str, Any]
    mode: str
    given: Mapping[str, str]

    @property
    def name(self) -> str:
        """The profile's canonical name."""
        return str(self.profile["profile"])

    @property
    def reads_snapshots(self) -> bool:
        """Whether the profile's signal comes from published snapshots."""
        return bool(self.profile["input_mode"] == "snapshot")


def of_profile(place: PlatformPlace, variables: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that belong to a profile, and the mode; none of them is secret."""
    names = {PROFILE, MODE, SLEEVES, *_spellings(place)}
    return {name: value for name, value in variables.items() if name in names}


def companion(place: PlatformPlace, variables: Mapping[str, str], usual: str) -> str:
    """Return a variable that belongs to a profile, in either spelling; empty when it is not set."""
    return variables.get(_own(place, usual), "") or variables.get(usual, "")


def companions_without(place: PlatformPlace, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that belong to a profile and are not among some variables."""
    return tuple(name for name in (SLEEVES, *_spellings(place)) if name not in variables)


def fates(
    layout: Layout, place: PlatformPlace, present: Mapping[str, str], wish: Wish
) -> tuple[Line, ...]:
    """Return what becomes of every variable of a service, those that change first.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    present : mapping of str to str
        What the service has; those that name secrets are not among them.
    wish : Wish

    Raises
    ------
    ReleaseRefused
        ``SWITCH_VARIABLE`` when one that the profile needs is missing, or one does not fit it.
    """
    _require_fitting(place, wish)
    wanted = dict(_wanted(layout, place, present, wish))
    lines = [_line(name, value, why, present) for name, (value, why) in wanted.items()]
    lines += [_other(place, name, wish) for name in present if name not in wanted]
    return tuple(sorted(lines, key=lambda line: line.fate is Fate.KEEP))


def sets_of(lines: Iterable[Line]) -> dict[str, str]:
    """Return the variables that are set."""
    return {line.name: line.value for line in lines if line.fate is Fate.SET}


def removes_of(lines: Iterable[Line]) -> tuple[str, ...]:
    """Return the names of the variables that are removed."""
    return tuple(line.name for line in lines if line.fate is Fate.REMOVE)


def applied(present: Mapping[str, str], lines: Sequence[Line]) -> dict[str, str]:
    """Return every variable of a service after its `lines`."""
    gone = removes_of(lines)
    return {name: value for name, value in present.items() if name not in gone} | sets_of(lines)


def refused(why: str) -> ReleaseRefused:
    """Return the error for a variable that is missing, or does not fit."""
    return ReleaseRefused(f"Nothing was changed: {why}.", code=ReasonCode.SWITCH_VARIABLE)


def _spellings(place: PlatformPlace) -> dict[str, str]:
    """Return every spelling of the companions of a profile, and the usual name of each."""
    return {_own(place, name): name for name in _COMPANIONS} | {n: n for n in _COMPANIONS}


def _own(place: PlatformPlace, name: str) -> str:
    """Return the platform's own spelling, which is the one that a switch writes."""
    return f"{place.name.upper()}_{name}"


def _require_fitting(place: PlatformPlace, wish: Wish) -> None:
    usual = _spellings(place)
    for name, value in wish.given.items():
        if name not in usual:
            own = ", ".join(_own(place, each) for each in _COMPANIONS)
            raise refused(
                f"{name} does not belong to a profile, and a switch changes nothing else. What may "
                f"be given: {own}"
            )
        if not value.strip():
            raise refused(f"{name} is blank; leave it out to have it removed")
        if usual[name] in _OF_SNAPSHOTS and not wish.reads_snapshots:
            raise refused(f"{wish.name} reads no snapshot, and {name} is nothing to it")


def _wanted(
    layout: Layout, place: PlatformPlace, present: Mapping[str, str], wish: Wish
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Return every variable that the wish needs, with its value and the reason for it."""
    usual = _spellings(place)
    given = {usual[name]: value for name, value in wish.given.items()}
    stays = wish.name == present.get(PROFILE)
    kept = {usual[n]: v for n, v in present.items() if n in usual} if stays else {}
    yield PROFILE, (wish.name, str(wish.profile["display_name"]["en"]))
    yield MODE, (wish.mode, "no order is sent" if wish.mode == "dry_run" else "orders are sent")
    if wish.reads_snapshots:
        where = given.get(SNAPSHOT) or layout.snapshots.get(wish.name) or kept.get(SNAPSHOT)
        if where is None:
            raise refused(
                f"{wish.name} reads published snapshots, and where they are is not known: give "
                f"{_own(place, SNAPSHOT)}, or add {wish.name} to [snapshots] in release.toml"
            )
        yield _own(place, SNAPSHOT), (where, f"{wish.name} reads snapshots")
        output = given.get(_RECONCILIATION) or place.reconciliation_output
        if output:
            why = f"{place.name} keeps this record for profiles that read snapshots"
            yield _own(place, _RECONCILIATION), (output, why)
        if where != kept.get(SNAPSHOT):
            kept.pop(MANIFEST, None)  # it described another file
    for name in (MANIFEST, CONFIG) if wish.reads_snapshots else (CONFIG,):
        if value := given.get(name) or kept.get(name):
            yield _own(place, name), (value, "as given" if name in given else "as it is")


def _line(name: str, value: str, why: str, present: Mapping[str, str]) -> Line:
    if present.get(name) == value:
        return Line(Fate.KEEP, name, value, "as it has to be")
    return Line(Fate.SET, name, value, why)


def _other(place: PlatformPlace, name: str, wish: Wish) -> Line:
    """Return what becomes of a variable that the wish does not need."""
    usual = _spellings(place)
    if name == SLEEVES:
        return Line(Fate.REMOVE, name, "", "the service runs one profile, not a file of them")
    if name in usual:
        stale = usual[name] in _OF_SNAPSHOTS and not wish.reads_snapshots
        why = f"{wish.name} reads no snapshot" if stale else f"{wish.name} does not use it"
        return Line(Fate.REMOVE, name, "", f"stale: {why}")
    if name in REGIONAL:
        return Line(Fate.KEEP, name, "", "says whose account it is; no switch changes that")
    return Line(Fate.KEEP, name, "", "does not belong to a profile")
