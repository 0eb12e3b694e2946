"""What became of every profile that a package or a file offers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class LoadOutcome(StrEnum):
    """Whether a profile can be run."""

    LOADED = "loaded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LoadLine:
    """How one profile was loaded.

    Parameters
    ----------
    profile : str
        Its name; a file that failed before it could say one goes by its file name.
    module_name : str
    source : str
        The distribution and version that offers it, or the path of a drop-in file.
    outcome : LoadOutcome
    why : str
        What was raised, when it failed.
    seconds : Decimal
        How long the import and the default manifest took.
    """

    profile: str
    module_name: str
    source: str
    outcome: LoadOutcome
    why: str
    seconds: Decimal


@dataclass(frozen=True, slots=True)
class LoadReport:
    """How a catalog came about; one line a profile, ascending by name.

    `ignored` names the files of the drop-in folder that were not taken for strategies.
    """

    lines: tuple[LoadLine, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def loaded(self) -> tuple[LoadLine, ...]:
        """Lines of the profiles that can be run."""
        return tuple(line for line in self.lines if line.outcome is LoadOutcome.LOADED)

    @property
    def failed(self) -> tuple[LoadLine, ...]:
        """Lines of the profiles that cannot."""
        return tuple(line for line in self.lines if line.outcome is LoadOutcome.FAILED)

    @property
    def seconds(self) -> Decimal:
        """How long all of them took together."""
        return sum((line.seconds for line in self.lines), Decimal(0))
