"""The record of every change of a service: what it was, what it became, and who asked for it.

A record is written before the change is made and ended after it, so that a change that was cut off
has one too. Records belong into version control; no secret is in any of them.
"""

from __future__ import annotations

import json
import os
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
    ADOPT = "adopt"
    """Somebody changed it past the records; this one says so afterwards."""


class Ending(StrEnum):
    """What became of it."""

    BEGUN = "begun"
    """Under way, or cut off: whether it took effect has to be asked."""
    LANDED = "landed"
    PARTIAL = "partial"
    """The new revision was made, and does not serve."""
    NOTHING = "nothing"
    """The service is what it was."""


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
    # Follows from the commit, and is not known where that was not fetched.
    bundle: str = field(default="", compare=False)
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
            ``RECORD_MISSING`` when one cannot be read, one between two others is not there, or two
            have the same number.
        """
        found = tuple(_read(path) for path in sorted(self._folder.glob("*.json")))
        numbers = [record.number for record in found]
        if numbers != list(range(1, len(found) + 1)):
            raise ReleaseRefused(
                f"The records of {self._service} in {self._folder} have the numbers "
                f"{', '.join(map(str, numbers))}: one is not here, or two people changed the "
                "service without each other's records. What it was before is not known, and "
                "nothing was changed. Take what is missing from version control; of two with one "
                "number, give the later the next one, in its name and its `number`, and in the "
                "`takes_back` of a rollback that names it.",
                code=ReasonCode.RECORD_MISSING,
            )
        return found

    def begin(self, record: Record) -> Record:
        """Write a new record under the next number, and return it."""
        return self.write(replace(record, number=len(self.all()) + 1))

    def write(self, record: Record) -> Record:
        """Write a record in place of the one of its number, and return it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(record)
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(f"{json.dumps(encode(record), indent=2)}\n")
            file.flush()
            os.fsync(file.fileno())  # the change comes after it, also where the machine dies
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
            "and nothing was changed; take the file back from version control. Where it was never "
            "there, and is the newest, delete it, and record what runs: `qpk release adopt`.",
            code=ReasonCode.RECORD_MISSING,
        ) from error
