"""A change of one service: shown first, recorded, made by one call, and watched until it serves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._gcloud import Command, Service, describe
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Ending, Kind, Record, Records, State
from quant_platform_kit.release._standing import changing, settle, state_of

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_LOOKS_AFTER_A_FAILURE: Final = 2


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
            ``SERVICE_CHANGED`` when the service is not what it was when this was planned, is being
            changed, or does not become what was meant; ``RELEASE_TOOL`` when gcloud does not say.
        """
        with changing(self.place, self.name) as hold:
            if describe(self.place, self.name) != self.before:
                raise ReleaseRefused(
                    f"{self.name} is not what it was when this was planned: somebody else changed "
                    "it. Nothing was done; plan again.",
                    code=ReasonCode.SERVICE_CHANGED,
                )
            records = Records(self.layout.records, self.name)
            settle(records, self.place, self.before)
            record = records.begin(replace(self._record(why, now), comparison=comparison))
            failure = self._call(hold)
            found = self._watched(record, failure, patience)
            ending = self._ending(found)
            if ending is not None:
                record = records.write(replace(record, ending=ending))
        if record.ending is not Ending.LANDED:
            raise self._missed(record, failure)
        if found is not None and found.generation > self._generation + 1:
            raise self._crossed(record)
        return record

    @property
    def _generation(self) -> int:
        return 0 if self.before is None else self.before.generation

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

    def _call(self, hold: int) -> ReleaseRefused | None:
        """Make the call. One that fails may have taken effect, so the service is asked."""
        try:
            self.command.run(self.place, holding=(hold,))
        except ReleaseRefused as failure:
            return failure
        return None

    def _watched(
        self, record: Record, failure: ReleaseRefused | None, patience: Patience
    ) -> Service | None:
        """Return what the service is, once it is what was meant, or will not be."""
        silence: ReleaseRefused | None = None
        found = self.before
        for attempt in range(patience.attempts):
            if attempt:
                time.sleep(patience.pause_secs)
            try:
                found, silence = describe(self.place, self.name), None
            except ReleaseRefused as refusal:
                silence = refusal
                continue
            if self._ending(found) is Ending.LANDED:
                break
            # An answer that was lost may be of a change that shows a moment later.
            is_decided = found is None or not found.is_under_way
            if failure is not None and is_decided and attempt >= _LOOKS_AFTER_A_FAILURE - 1:
                break
        if silence is not None:
            raise self._unknown(record, failure or silence)
        return found

    def _ending(self, found: Service | None) -> Ending | None:
        """Return how it ended by what the service is; None when it does not say."""
        if found == self.before:
            return Ending.NOTHING
        state = state_of(self.place, found)
        if found is not None and state == self.after:
            if found.is_ready:
                return Ending.LANDED
            return None if found.is_under_way else Ending.PARTIAL
        return Ending.NOTHING if state == state_of(self.place, self.before) else None

    def _missed(self, record: Record, failure: ReleaseRefused | None) -> ReleaseRefused:
        said = "" if failure is None else f"\n{failure.message}"
        if record.ending is Ending.NOTHING:
            return ReleaseRefused(
                f"Nothing was changed: {self.name} is what it was.{said}",
                code=ReasonCode.RELEASE_TOOL,
            )
        if record.ending is Ending.BEGUN:
            return ReleaseRefused(
                f"{self.name} is not what was meant, or not yet: its new revision takes long, or "
                f"somebody else changed it at the same time. {self._open(record)}{said}",
                code=ReasonCode.SERVICE_CHANGED,
            )
        back = f"qpk release rollback {self.place.name} --service {self.name}"
        return ReleaseRefused(
            f"{self.name} did not become what was meant. Its new revision is not what serves: runs "
            "go on as before, and a restart may change that. Nothing else was changed; take it "
            f"back with `{back}`, then see its log.{said}",
            code=ReasonCode.SERVICE_CHANGED,
        )

    def _unknown(self, record: Record, why: ReleaseRefused) -> ReleaseRefused:
        return ReleaseRefused(
            f"{self.name} may be changed: the call was made, and gcloud does not say what became "
            f"of it. {self._open(record)}\n{why.message}",
            code=ReasonCode.RELEASE_TOOL,
        )

    def _open(self, record: Record) -> str:
        again = f"qpk release verify {self.place.name} --service {self.name}"
        return (
            f"Record {record.number} stays open, and nothing else is done to the service until it "
            f"is settled; look with `{again}`."
        )

    def _crossed(self, record: Record) -> ReleaseRefused:
        return ReleaseRefused(
            f"{self.name} serves what was meant, and somebody else changed it in the same moment: "
            f"record {record.number} says what was before both. Nothing of this one is missing; "
            "see with `gcloud run revisions list` what the other one was for, and agree.",
            code=ReasonCode.SERVICE_CHANGED,
        )
