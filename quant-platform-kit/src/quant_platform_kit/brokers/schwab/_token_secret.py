"""Schwab's tokens in Google Secret Manager: every new one a version, none ever destroyed.

Secret Manager has no lock that two processes could hold. None is needed: versions are only added,
and of the newest few the best counts, so that a renewal of an old login that is stored late does
not hide the token of a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from quant_platform_kit.brokers.schwab._tokens import check
from quant_platform_kit.errors import SettingsError, TransientError
from quant_platform_kit.secret_manager import SecretManager, SecretName

_AT_ONCE: Final = 4  # versions that processes may have stored between two looks of one of them


class TokenSecret:
    """A token document in a secret.

    Parameters
    ----------
    name : SecretName
    secrets : SecretManager
    """

    __slots__ = ("_name", "_secrets")

    def __init__(self, name: SecretName, secrets: SecretManager) -> None:
        self._name = name
        self._secrets = secrets

    def read(self) -> dict[str, Any]:
        """Return the best of the newest documents: of the latest login, and good for longest.

        Raises
        ------
        SettingsError
            When the secret cannot be had, or none of them can be used.
        TransientError
            When Secret Manager does not answer.
        """
        usable = [
            document
            for text in self._secrets.recent(self._name, _AT_ONCE)
            if (document := _document(text)) is not None
        ]
        if not usable:
            raise SettingsError(
                f"The secret {self._name.secret} holds no token of Schwab's in its newest "
                "versions; nothing was sent. Log in to Schwab, and add the token file that this "
                "writes as a new version."
            )
        return max(usable, key=_worth)

    def write(self, document: dict[str, Any]) -> None:
        """Add the document as a version.

        Raises
        ------
        OSError
            When it cannot be kept.
        """
        try:
            self._secrets.add(self._name, json.dumps(document))
        except TransientError as error:
            raise OSError(0, "Secret Manager does not answer") from error
        except SettingsError as error:
            raise OSError(0, error.message.rstrip(".")) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold nothing: two renewals at once are two versions."""
        yield


def _document(text: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(text)
        check(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return document


def _worth(document: dict[str, Any]) -> tuple[int, int]:
    return int(document["creation_timestamp"]), int(document["token"].get("expires_at") or 0)
