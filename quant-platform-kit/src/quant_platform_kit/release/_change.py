"""A change of one service: shown first, recorded, made by one call, and watched until it serves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import Command, Service, describe
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Ending, Kind, Record, Records, State
from quant_platform_kit.release._variables import of_profile

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and for how long, a service is asked whether it serves what was asked for."""

    pause_secs: float = 5.0
    attempts: int = 120


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to one service.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    name : str
        Of the service.
    kind : Kind
    before : Service or None
        What it was when this was planned; None when there was none.
    command : Command
        The one call that makes the change.
    after : State
    sets : mapping of str to str
    removes : tuple of str
    takes_back : int or None
    """

    layout: Layout
    place: PlatformPlace
    name: str
    kind: Kind
    before: Service | None
    command: Command
    after: State
    sets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    removes: tuple[str, ...] = ()
    takes_back: int | None = None

    def make(self, *, why: str, now: datetime, patience: Patience, comparison: str = "") -> Record:
        """Record the change, make it, and wait until it serves.

        Raises
        ------
        ReleaseRefused
            ``SERVICE_CHANGED`` when the service is not what it was when this was planned, or does
            not become what was meant; ``RELEASE_TOOL`` when gcloud does not say.
        """
        if describe(self.place, self.name) != self.before:
            raise ReleaseRefused(
                f"{self.name} is not what it was when this was planned: somebody else changed it. "
                "Nothing was done; plan again.",
                code=ReasonCode.SERVICE_CHANGED,
            )
        records = Records(self.layout.records, self.name)
        record = records.begin(replace(self._record(why, now), comparison=comparison))
        failure = self._call()
        found = self._settled(patience if failure is None else replace(patience, attempts=1))
        record = records.write(replace(record, ending=self._ending(found)))
        if record.ending is not Ending.LANDED:
            raise self._missed(record, failure)
        return record

    def _record(self, why: str, now: datetime) -> Record:
        return Record(
            number=0,
            kind=self.kind,
            platform=self.place.name,
            service=self.name,
            at=now,
            who=Repository(self.layout.root).author(),
            why=why,
            before=state_of(self.place, self.before),
            after=self.after,
            sets=self.sets,
            removes=self.removes,
            takes_back=self.takes_back,
        )

    def _call(self) -> ReleaseRefused | None:
        """Make the call. One that fails may have taken effect, so the service is asked."""
        try:
            self.command.run(self.place)
        except ReleaseRefused as failure:
            return failure
        return None

    def _settled(self, patience: Patience) -> Service | None:
        found = describe(self.place, self.name)
        for _ in range(patience.attempts - 1):
            if self._ending(found) is Ending.LANDED:
                break
            time.sleep(patience.pause_secs)
            found = describe(self.place, self.name)
        return found

    def _ending(self, found: Service | None) -> Ending:
        if found is None or found == self.before:
            return Ending.NOTHING
        if state_of(self.place, found) == self.after and found.is_ready:
            return Ending.LANDED
        return Ending.PARTIAL

    def _missed(self, record: Record, failure: ReleaseRefused | None) -> ReleaseRefused:
        said = "" if failure is None else f"\n{failure.message}"
        if record.ending is Ending.NOTHING:
            return ReleaseRefused(
                f"Nothing was changed: {self.name} is what it was.{said}",
                code=ReasonCode.RELEASE_TOOL,
            )
        back = f"qpk release rollback {self.place.name} --service {self.name}"
        return ReleaseRefused(
            f"{self.name} did not become what was meant. Its new revision is not what serves: runs "
            "go on as before, and a restart may change that. Nothing else was changed; take it "
            f"back with `{back}`, then see its log.{said}",
            code=ReasonCode.SERVICE_CHANGED,
        )


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
