"""One writer per account: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from quant_platform_kit.errors import ReasonCode, SlotBusy, TransientError


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
        TransientError
            When the file cannot be opened; nothing was sent to the broker.
        """
        with self._opened() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SlotBusy(
                    "Another run of this account is in progress; this one did nothing. "
                    "Ask again when it has ended: the same slot then answers with its report."
                ) from error
            yield

    def _opened(self) -> TextIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._path.open("a")
        except OSError as error:
            raise TransientError(
                f"The lease {self._path.name} cannot be opened ({error.strerror}); no order was "
                "sent. Check that the state folder exists and is writable.",
                code=ReasonCode.STORE_UNAVAILABLE,
            ) from error
