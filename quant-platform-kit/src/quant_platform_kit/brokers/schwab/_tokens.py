"""Where Schwab's tokens are kept: a file, never half written, that keeps its predecessor."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from quant_platform_kit.errors import SettingsError

_OWNER_ONLY: Final = 0o600


class TokenStore(Protocol):
    """Keeps one token document: ``{"creation_timestamp": seconds, "token": {...}}``."""

    def read(self) -> dict[str, Any]:
        """Return the document; SettingsError when there is none that can be used."""

    def write(self, document: dict[str, Any]) -> None:
        """Replace the document, whole or not at all; OSError when it cannot be kept."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from replacing the document for the block."""
        yield


class TokenFile:
    """A token document in a file; the one before it stays beside it as ``.previous``."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return the document.

        Raises
        ------
        SettingsError
            When the file is missing or holds something else.
        """
        try:
            document: dict[str, Any] = json.loads(self._path.read_bytes())
            check(document)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(
                f"The Schwab token file {self._path.name} cannot be used ({error!r}); nothing was "
                "sent. Log in to Schwab to write a new one, and check the setting of its path."
            ) from error
        return document

    def write(self, document: dict[str, Any]) -> None:
        """Replace the document atomically; readable by its owner alone."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.touch(_OWNER_ONLY)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        previous = self._path.with_name(f"{self._path.name}.previous")
        previous.unlink(missing_ok=True)
        if self._path.exists():
            os.link(self._path, previous)
        fresh.replace(self._path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock file beside the document, where the folder allows one."""
        try:
            descriptor = os.open(
                self._path.with_name(f"{self._path.name}.lock"),
                os.O_RDWR | os.O_CREAT,
                _OWNER_ONLY,
            )
        except OSError:  # a read-only mount: nobody can replace the document there
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def check(document: dict[str, Any]) -> None:
    """Raise KeyError, TypeError, AttributeError or ValueError when it is no token document."""
    token = document["token"]
    for name in ("access_token", "refresh_token", "token_type"):
        if not (isinstance(token[name], str) and token[name]):
            raise ValueError(f"its {name} is blank")
    int(document["creation_timestamp"])
    int(token.get("expires_at") or 0)
