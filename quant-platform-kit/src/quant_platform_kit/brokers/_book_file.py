"""The append-only file behind a simulated account: one line of JSON for what happens together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quant_platform_kit.brokers._events import Event, from_line, to_line
from quant_platform_kit.errors import BrokerAnswerError, ContractError, TransientError

_LINE_END: Final = b"\n"


class BookFile:
    """Events on disk, all or nothing of each line.

    A line is written in one piece before the broker answers. A process that is killed while it
    writes leaves a line without its end, which never happened: reading passes over it, and the
    next append removes it. Survives a kill of the process, not a loss of power.

    One writer at a time: the account's lease sees to that. A reader notices through `changed`
    that another process wrote.
    """

    __slots__ = ("_good_bytes", "_path", "_seen_bytes")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._good_bytes = 0
        self._seen_bytes = 0

    def read(self) -> tuple[Event, ...]:
        """Return every event, oldest first; none when there is no file yet.

        Raises
        ------
        BrokerAnswerError
            When a complete line cannot be read.
        TransientError
            When the file cannot be opened.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise self._unusable(error) from error
        self._seen_bytes = len(data)
        self._good_bytes = data.rfind(_LINE_END) + 1
        lines = data[: self._good_bytes].splitlines()
        return tuple(event for n, line in enumerate(lines, 1) for event in self._events(n, line))

    def changed(self) -> bool:
        """Return whether the file is no longer as long as this object left it.

        Raises
        ------
        BrokerAnswerError
            When there was a file and there is none any more: that is no empty account.
        TransientError
            When the file cannot be looked at.
        """
        try:
            return self._path.stat().st_size != self._seen_bytes
        except FileNotFoundError as error:
            if not self._seen_bytes:
                return False
            raise BrokerAnswerError(
                f"The simulated account's book {self._path.name} has vanished; what the account "
                "holds is unknown and nothing was sent. Restore the file, or begin a new account "
                "in another QPK_STATE_DIR and start the service again."
            ) from error
        except OSError as error:
            raise self._unusable(error) from error

    def append(self, events: Sequence[Event]) -> None:
        """Write `events` as one line.

        Raises
        ------
        TransientError
            When the file cannot be written. `changed` is true then, and reading again tells
            whether the line arrived.
        """
        line = to_line(events).encode() + _LINE_END
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._seen_bytes > self._good_bytes:
                os.truncate(self._path, self._good_bytes)
            with self._path.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise self._unusable(error) from error
        self._good_bytes += len(line)
        self._seen_bytes = self._good_bytes

    def _events(self, number: int, line: bytes) -> tuple[Event, ...]:
        try:
            return from_line(line.decode())
        except (ContractError, UnicodeDecodeError) as error:
            raise BrokerAnswerError(
                f"Line {number} of the simulated account's book {self._path.name} cannot be read "
                f"({error}); what the account holds is unknown and nothing was sent. Restore the "
                "file, or remove it together with the ledger to begin a new account."
            ) from error

    def _unusable(self, error: OSError) -> TransientError:
        return TransientError(
            f"The simulated account's book {self._path.name} cannot be used ({error.strerror}); "
            "nothing was booked. Check the folder's space and rights, then run again."
        )
