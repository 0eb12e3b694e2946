"""Whether a service is what its records say, and what was before the newest of them.

A change is recorded before it is made. One that was cut off in between, by the end of a process or
of a connection, is settled by what the service shows; until it is, nothing else is done to it. A
service that somebody changed past its records is left alone until they say so, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._cache import held
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import Service, describe
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Ending, Kind, Record, Records, State
from quant_platform_kit.release._variables import of_profile


@dataclass(frozen=True, slots=True)
class Standing:
    """What the records of a service say, compared with what it is.

    Parameters
    ----------
    records : tuple of Record
        Oldest first; the newest with the ending that the service shows.
    differences : tuple of str
        How the service is not what the newest left behind.
    is_under_way : bool
        Whether the newest is not decided yet, on Google's side.
    """

    records: tuple[Record, ...]
    differences: tuple[str, ...] = ()
    is_under_way: bool = False

    @property
    def newest(self) -> Record | None:
        """The newest change that took effect, or part of it; None without one."""
        return _newest(self.records)

    @property
    def trouble(self) -> str:
        """What is wrong between the two, and what is done about it; empty when nothing is."""
        newest = self.newest
        if newest is None:
            return ""
        if self.is_under_way:
            text = "is under way: its new revision is not ready yet; ask again in a minute"
        elif self.differences:
            told = f"{newest.platform} --service {newest.service}"
            text = (
                f"is not what is live: {'; '.join(self.differences)}. Somebody changed it past the "
                "records: put it back by hand, or have what runs recorded, "
                f"`qpk release adopt {told} --why …`"
            )
        elif newest.ending is Ending.LANDED:
            return ""
        else:
            text = f"ended {newest.ending}: it did not become what was meant; see its log"
        return f"record {newest.number} {text}"


def standing(records: tuple[Record, ...], place: PlatformPlace, found: Service | None) -> Standing:
    """Compare a service with its records; nothing is written."""
    newest = _newest(records)
    if newest is None:
        return Standing(records)
    state = state_of(place, found)
    ending = _ending(newest, state, found)
    if ending is None:
        under_way = found is not None and found.is_under_way and state == newest.after
        return Standing(records, () if under_way else tuple(_apart(newest, state)), under_way)
    told = tuple(replace(r, ending=ending) if r is newest else r for r in records)
    return Standing(told)


def agreed(layout: Layout, place: PlatformPlace, name: str) -> Service | None:
    """Return what a service is, once its records say the same; None when there is none.

    A record that was cut off gets its ending.

    Raises
    ------
    ReleaseRefused
        ``SERVICE_CHANGED`` while the service is being changed, or when it is not what its newest
        record left behind; ``RECORD_MISSING`` when records are not all here; ``RELEASE_TOOL`` when
        gcloud does not answer.
    """
    _require_all(layout, name)
    with changing(place, name):
        found = describe(place, name)
        settle(Records(layout.records, name), place, found)
    return found


def settle(records: Records, place: PlatformPlace, found: Service | None) -> Standing:
    """Write what became of the newest record, by the one who holds the service.

    Raises
    ------
    ReleaseRefused
        ``SERVICE_CHANGED`` as `agreed`.
    """
    before = records.all()
    now = standing(before, place, found)
    if now.newest is not None and (now.is_under_way or now.differences):
        raise ReleaseRefused(
            f"{now.newest.service}: {now.trouble}. Nothing was changed now; ask again after it.",
            code=ReasonCode.SERVICE_CHANGED,
        )
    for was, record in zip(before, now.records, strict=True):
        if record != was:
            records.write(record)
    return now


@contextmanager
def changing(place: PlatformPlace, name: str) -> Iterator[int]:
    """Hold a service while it is changed from this machine; yields the file that does.

    Raises
    ------
    ReleaseRefused
        ``SERVICE_CHANGED`` when somebody else holds it, or a call of theirs has not ended yet.
    """
    with held(f"{place.cloud.project}-{place.region}-{name}") as file:
        if file is None:
            raise ReleaseRefused(
                f"{name} is being changed from this machine right now, or a call that was cut off "
                "has not ended yet. Nothing was changed by this one; ask again when it has ended.",
                code=ReasonCode.SERVICE_CHANGED,
            )
        yield file


def adopt(layout: Layout, name: str, *, why: str, now: datetime) -> Record:
    """Record what somebody made of a service past the records; the service stays as it is.

    Raises
    ------
    ReleaseRefused
        ``SERVICE_CHANGED`` when there is nothing to record, or it is under way; as `agreed` else.
    """
    place = layout.service(name)
    _require_all(layout, name)
    with changing(place, name):
        found = describe(place, name)
        records = Records(layout.records, name)
        known = standing(records.all(), place, found)
        newest = known.newest
        if newest is None or not known.differences:
            settle(records, place, found)
            raise ReleaseRefused(
                f"{name} is what its records say. Nothing was recorded; there is nothing to adopt.",
                code=ReasonCode.SERVICE_CHANGED,
            )
        if newest.ending is Ending.BEGUN:  # whether it ever served is not to be told any more
            records.write(replace(newest, ending=Ending.PARTIAL))
        before, after = newest.after.variables, state_of(place, found)
        record = Record(
            number=0,
            kind=Kind.ADOPT,
            platform=place.name,
            service=name,
            at=now,
            who=Repository(layout.root).author(),
            why=why,
            before=newest.after,
            after=after,
            sets={key: v for key, v in after.variables.items() if before.get(key) != v},
            removes=tuple(key for key in before if key not in after.variables),
            ending=Ending.LANDED if found is None or found.is_ready else Ending.PARTIAL,
        )
        return records.begin(record)


def way_back(records: tuple[Record, ...]) -> tuple[Record, State] | None:
    """Return the newest change that nobody has taken back, and what served before it.

    None when there is none. A change that never served is left out once another one was made over
    it: what served before that one is what served before both.

    Parameters
    ----------
    records : tuple of Record
        Each with its ending, oldest first.
    """
    served: dict[int, State] = {}
    taken: list[Record] = []
    failed: Record | None = None
    for record in records:
        if record.ending is Ending.NOTHING:
            continue
        served[record.number] = record.before if failed is None else served[failed.number]
        if record.ending is not Ending.LANDED:
            failed = record
            continue
        failed = None
        if record.kind is Kind.ROLLBACK:
            taken = [each for each in taken if each.number != record.takes_back]
        else:
            taken.append(record)
    if failed is not None:
        number = failed.number if failed.takes_back is None else failed.takes_back
        taken = [each for each in records if each.number == number]
    return (taken[-1], served[taken[-1].number]) if taken else None


def state_of(place: PlatformPlace, service: Service | None) -> State:
    """Return what a record says of a service."""
    if service is None:
        return State()
    bundle = bundle_at(place, service.commit)
    return State(
        commit=service.commit,
        image=service.image,
        bundle="" if bundle is None else bundle.id,
        variables=of_profile(place, service.environment),
    )


def _newest(records: tuple[Record, ...]) -> Record | None:
    return next((each for each in reversed(records) if each.ending is not Ending.NOTHING), None)


def _ending(newest: Record, state: State, found: Service | None) -> Ending | None:
    """Return how the newest record ended; None when the service does not say."""
    if newest.ending is Ending.LANDED:
        return Ending.LANDED if state == newest.after else None
    if state == newest.after and found is not None:
        if found.is_under_way:
            return None
        return Ending.LANDED if found.is_ready else Ending.PARTIAL
    return Ending.NOTHING if state == newest.before else None


def _apart(newest: Record, found: State) -> Iterator[str]:
    wanted = newest.after
    if found == State():
        yield "there is no such service"
        return
    if found.commit != wanted.commit:
        yield f"it is of commit {found.commit or 'unknown'} and not {wanted.commit or 'unknown'}"
    elif found.image != wanted.image:
        yield f"its image is {found.image} and not {wanted.image}"
    for name in sorted({*found.variables, *wanted.variables}):
        is_now, was = found.variables.get(name), wanted.variables.get(name)
        if is_now != was:
            yield f"{name} is {is_now or 'not set'} and not {was or 'unset'}"


def _require_all(layout: Layout, name: str) -> None:
    """Refuse to go by records of which colleagues have published more."""
    missing = Repository(layout.root).behind(layout.records / name)
    if missing:
        raise ReleaseRefused(
            f"Records of {name} are published that are not here: {', '.join(missing)}. What it was "
            "before is not known without them, and nothing was changed; `git pull` first.",
            code=ReasonCode.RECORD_MISSING,
        )
