"""One writer per account: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quant_platform_kit.errors import SlotBusy


class AccountLease:
    """The right to trade one account, held by at most one run on this store.

    An advisory lock on a file beside the store: a killed process cannot leave it behind, and no
    clock decides who holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease for the block.

        Raises
        ------
        SlotBusy
            At once, when another run holds it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SlotBusy(
                    "Another run of this account is in progress; this one did nothing. "
                    "Ask again when it has ended: the same slot then answers with its report."
                ) from error
            yield
