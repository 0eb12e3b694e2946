"""Where published snapshots lie: named objects, each written whole, in a folder or in a bucket.

The publisher and the loader know no other way to them, so what is proved of one kind of store is
proved with the same tests of the other. Three promises carry everything:

- an object is read whole or not at all; nobody sees half of a write;
- `ObjectStore.create` never replaces an object;
- `ObjectStore.replace` replaces the generation that was read, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from quant_platform_kit.errors import InputError, ReasonCode

BUCKET_SCHEME: Final = "gs://"
"""What the address of a bucket begins with."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was read, and the generation that a replacement has to name."""

    data: bytes
    generation: str


class ObjectStore(Protocol):
    """Named objects under one address; a name may hold ``/``.

    Every method raises `InputError`: ``SNAPSHOT_UNAVAILABLE`` when the store does not answer, or
    refuses to; ``SNAPSHOT_UNREADABLE`` when what lies under a name is no object.
    """

    def where(self, name: str = "") -> str:
        """Return the full address of an object, or of the store, as an operator writes it."""

    def read(self, name: str) -> StoredObject | None:
        """Return an object, or None when there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a new object; False, and nothing changed, when there is one already."""

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        """Write an object in place of the `generation` that was read; None means of nothing.

        False, and nothing changed, when something else lies there by now.
        """

    def names(self) -> tuple[str, ...]:
        """Return the names of all objects, sorted."""

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""

    def sweep(self, before: datetime) -> int:
        """Remove what writers that were killed `before` then left aside; return how many did."""


def not_readable(where: str, what: str) -> InputError:
    """Build the error for a file that cannot be used as what it should be."""
    return store_fault(
        ReasonCode.SNAPSHOT_UNREADABLE,
        f"{where} cannot be used: {what}.",
        "Publish the snapshot again; a published file is never edited by hand.",
    )


def store_fault(code: ReasonCode, what: str, remedy: str) -> InputError:
    """Build a snapshot's error: what happened, what it means, what to do next."""
    return InputError(
        f"{what} Nothing is decided on it and the strategy's holdings are kept as they are. "
        f"{remedy}",
        code=code,
    )
