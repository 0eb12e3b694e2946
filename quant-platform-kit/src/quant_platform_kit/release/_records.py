"""The record of every change of a service: what it was, what it became, and who asked for it.

A record is written before the change is made and ended after it, so that a change that was cut off
has one too. Records belong into version control; no secret is in any of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import decode, encode
from quant_platform_kit.errors import ContractError, ReasonCode, ReleaseRefused

_DIGITS: Final = 4


class Kind(StrEnum):
    """What was done."""

    DEPLOY = "deploy"
    SWITCH = "switch"
    ROLLBACK = "rollback"


class Ending(StrEnum):
    """What became of it."""

    BEGUN = "begun"
    """Cut off: whether it took effect has to be asked."""
    LANDED = "landed"
    PARTIAL = "partial"
    """The new revision was made, and does not serve."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class State:
    """What a service was, or became.

    Parameters
    ----------
    commit, image, bundle : str
        Of what was deployed; empty before the first deployment.
    variables : mapping of str to str
        The profile, the mode, and whatever belongs to the profile.
    """

    commit: str = ""
    image: str = ""
    bundle: str = ""
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Record:
    """One change of one service.

    Parameters
    ----------
    number : int
        From 1 on, for each service.
    kind : Kind
    platform, service : str
    at : datetime
    who, why : str
    before, after : State
    sets : mapping of str to str
    removes : tuple of str
        The variables that were set and removed.
    takes_back : int or None
        The number of the record that a rollback takes back.
    comparison : str
        What was found when both profiles ran side by side, or why nobody looked.
    ending : Ending
    heartbeat : str
        Key of the first run after it whose heartbeat was found right; empty until then.
    """

    number: int
    kind: Kind
    platform: str
    service: str
    at: datetime
    who: str
    why: str
    before: State
    after: State
    sets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    removes: tuple[str, ...] = ()
    takes_back: int | None = None
    comparison: str = ""
    ending: Ending = Ending.BEGUN
    heartbeat: str = ""


class Records:
    """The records of one service.

    Parameters
    ----------
    folder : Path
        Of the records of every service.
    service : str
    """

    def __init__(self, folder: Path, service: str) -> None:
        self._folder = folder / service
        self._service = service

    def all(self) -> tuple[Record, ...]:
        """Return every record, oldest first.

        Raises
        ------
        ReleaseRefused
            ``RECORD_MISSING`` when one cannot be read.
        """
        return tuple(_read(path) for path in sorted(self._folder.glob("*.json")))

    def newest(self) -> Record | None:
        """Return the newest record of a change that took effect, or may have; None without one."""
        return next((r for r in reversed(self.all()) if r.ending is not Ending.NOTHING), None)

    def to_take_back(self) -> Record | None:
        """Return the newest change that no rollback has taken back; None when there is none."""
        records = self.all()
        gone = {r.takes_back for r in records if r.ending is not Ending.NOTHING}
        for record in reversed(records):
            is_change = record.kind is not Kind.ROLLBACK and record.ending is not Ending.NOTHING
            if is_change and record.number not in gone:
                return record
        return None

    def begin(self, record: Record) -> Record:
        """Write a new record under the next number, and return it."""
        last = max((each.number for each in self.all()), default=0)
        return self.write(replace(record, number=last + 1))

    def write(self, record: Record) -> Record:
        """Write a record in place of the one of its number, and return it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(record)
        partial = path.with_suffix(".partial")
        partial.write_text(f"{json.dumps(encode(record), indent=2)}\n", encoding="utf-8")
        partial.replace(path)
        return record

    def path(self, record: Record) -> Path:
        """Return where a record is kept."""
        return self._folder / f"{record.number:0{_DIGITS}}-{record.kind}.json"


def _read(path: Path) -> Record:
    try:
        return decode(Record, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ContractError) as error:
        raise ReleaseRefused(
            f"The record {path} cannot be read: {error}. What the service was before is not known, "
            "and nothing was changed; take the file back from version control.",
            code=ReasonCode.RECORD_MISSING,
        ) from error
