"""Secrets in Google Secret Manager, through Google's own client.

The client is loaded when the first secret is asked for, and speaks HTTP: its other transport keeps
threads, which do not survive the fork that a web server makes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from quant_platform_kit.errors import ReasonCode, SettingsError, TransientError

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

__all__ = ["GOOGLE_URL", "SecretManager", "SecretName"]

GOOGLE_URL: Final = "https://secretmanager.googleapis.com"

# Compiled when a secret is named: most services name none, and all of them pay for their start.
_NAME: Final = (
    r"(?P<secret>projects/[\w.:-]+(/locations/[\w-]+)?/secrets/[\w-]{1,255})"
    r"(/versions/(?P<version>latest|[1-9]\d*|[A-Za-z][\w-]{0,62}))?"
)
_BARE: Final = r"[\w-]{1,255}"
_LATEST: Final = "latest"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_UNSPOKEN: Final = ("google", "google.cloud.secretmanager_v1")  # in detail they tell secrets
_ATTEMPT_SECS: Final = 5.0
_DEADLINE_SECS: Final = 15.0
_REFUSED: Final = {
    400: "is disabled, destroyed, or named wrongly. Enable the version, or name another one",
    401: "is kept from whoever asks: the credentials are not accepted. Check the service account",
    404: "does not exist, or has no such version. Correct its name, or create it",
}
_NO_ROLE: Final = (
    "is kept from this service. Give its service account the role Secret Manager Secret {role}, "
    "for this secret"
)
_NOT_READ: Final = _REFUSED | {403: _NO_ROLE.format(role="Accessor")}
_NOT_ADDED: Final = _REFUSED | {
    400: "has no new version: what arrived was damaged on its way, or is too large. Try again",
    403: _NO_ROLE.format(role="Version Adder"),
}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SecretName:
    """Where a secret is kept; the name of a secret is none.

    Parameters
    ----------
    secret : str
        ``projects/P/secrets/S``, or with a location ``projects/P/locations/L/secrets/S``.
    version : str
        A number, an alias, or ``latest``.
    """

    secret: str
    version: str = _LATEST

    @classmethod
    def parse(cls, text: str, project: str = "") -> Self:
        """Read a name; a bare one is a secret of `project`.

        Raises
        ------
        ValueError
            When it is none, or bare without a project.
        """
        if re.fullmatch(_BARE, text):
            if not project:
                raise ValueError("a bare name needs a project")
            text = f"projects/{project}/secrets/{text}"
        found = re.fullmatch(_NAME, text)
        if found is None:
            raise ValueError("not the name of a secret")
        return cls(found["secret"], found["version"] or _LATEST)

    def __str__(self) -> str:
        """Return the whole name."""
        return f"{self.secret}/versions/{self.version}"

    def before(self) -> Iterator[Self]:
        """Yield the versions before this one, newest first; none where it has no number."""
        if self.version.isdecimal():
            for number in range(int(self.version) - 1, 0, -1):
                yield type(self)(self.secret, str(number))


class SecretManager:
    """Reads and adds versions of secrets, each call within a deadline and with its checksum.

    Parameters
    ----------
    url : str
        Google's, that of a region's own service, or one on loopback that stands for it and is
        asked without credentials.
    deadline_secs : float
        Longest wait for one answer, credentials and further attempts included.
    """

    def __init__(self, url: str = GOOGLE_URL, *, deadline_secs: float = _DEADLINE_SECS) -> None:
        self._url = url
        self._deadline_secs = deadline_secs
        self._client: SecretManagerServiceClient | None = None

    def read(self, name: SecretName) -> str:
        """Return a secret.

        Raises
        ------
        SettingsError
            When it is denied, absent, disabled or no text, or Google's client is not installed.
        TransientError
            When the service does not answer, or its answer was damaged on its way.
        """
        return self._read(name)[1]

    def recent(self, name: SecretName, count: int) -> list[str]:
        """Return the newest versions of a secret, newest first; those taken away are left out.

        Raises
        ------
        SettingsError, TransientError
            As `read`, of the newest one.
        """
        newest, text = self._read(name)
        texts = [text]
        for earlier, _ in zip(newest.before(), range(count - 1), strict=False):
            try:
                texts.append(self.read(earlier))
            except SettingsError:  # disabled or destroyed since, as versions that are old may be
                continue
        return texts

    def add(self, name: SecretName, text: str) -> None:
        """Make `text` the newest version; the earlier ones stay.

        Raises
        ------
        SettingsError, TransientError
            As `read`; the version may have been added when there is no answer.
        """

        def add(client: SecretManagerServiceClient, options: dict[str, Any]) -> None:
            data = text.encode()
            payload = {"data": data, "data_crc32c": _checksum(data)}
            client.add_secret_version({"parent": name.secret, "payload": payload}, **options)

        self._ask(name, add, _NOT_ADDED)

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _read(self, name: SecretName) -> tuple[SecretName, str]:
        answer = self._ask(
            name,
            lambda client, options: client.access_secret_version(name=str(name), **options),
            _NOT_READ,
        )
        payload = answer.payload
        if "data_crc32c" in payload and payload.data_crc32c != _checksum(payload.data):
            raise _silent(name, "its answer was damaged on its way: the checksum differs")
        try:
            return SecretName.parse(answer.name), payload.data.decode()
        except ValueError:
            raise _unusable(name, "is not text. Store it as UTF-8") from None

    def _ask(
        self,
        name: SecretName,
        call: Callable[[SecretManagerServiceClient, dict[str, Any]], _T],
        refusals: Mapping[int, str],
    ) -> _T:
        # The errors are raised from None: Google's own texts repeat what was sent and answered.
        _require_client(name)
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from requests.exceptions import RequestException

        try:
            return _within(self._deadline_secs, lambda: call(self._connected(), self._options()))
        except DefaultCredentialsError:
            raise _unusable(
                name,
                "cannot be asked for: this machine has no Google credentials. Run the service "
                "under a service account, or set GOOGLE_APPLICATION_CREDENTIALS",
            ) from None
        except GoogleAPICallError as error:
            refused = refusals.get(error.code or 0)
            if refused is None:
                raise _silent(name, f"it answered with code {error.code}") from None
            raise _unusable(name, refused) from None
        except (TimeoutError, RetryError):
            raise _silent(name, f"no answer within {self._deadline_secs:g} s") from None
        except GoogleAuthError:
            raise _silent(name, "Google gives no access token") from None
        except RequestException as error:
            raise _silent(name, f"the connection failed, {type(error).__name__}") from None
        except ValueError:
            raise _silent(name, "its answer cannot be read") from None

    def _connected(self) -> SecretManagerServiceClient:
        if self._client is None:
            self._client = _connect(self._url)
        return self._client

    def _options(self) -> dict[str, Any]:
        from google.api_core.exceptions import InternalServerError, ServerError, TooManyRequests
        from google.api_core.retry import Retry, if_exception_type
        from requests.exceptions import RequestException

        # An answer that was lost may have added a version: then it is there twice, which is no
        # harm, as versions are never changed and equal.
        again = if_exception_type(
            InternalServerError, ServerError, TooManyRequests, RequestException
        )
        retry = Retry(predicate=again, initial=0.2, maximum=2.0, timeout=self._deadline_secs)
        return {"retry": retry, "timeout": min(_ATTEMPT_SECS, self._deadline_secs)}


def _require_client(name: SecretName) -> None:
    try:
        import google.cloud.secretmanager_v1  # noqa: F401 (whether it is there)
        import google_crc32c  # noqa: F401 (as above)
    except ImportError:
        raise SettingsError(
            f"The secret {name} cannot be read: Google's client is not installed. Install "
            "quant-platform-kit[gcp], or give the secret in another way; nothing was sent.",
            code=ReasonCode.SECRET_UNUSABLE,
        ) from None


def _connect(url: str) -> SecretManagerServiceClient:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    for logger in _UNSPOKEN:
        logging.getLogger(logger).setLevel(logging.WARNING)
    there = urlsplit(url)
    transport = SecretManagerServiceRestTransport(
        host=there.netloc,
        url_scheme=there.scheme,
        credentials=AnonymousCredentials() if is_loopback(url) else None,  # type: ignore[no-untyped-call] # theirs,
    )
    return SecretManagerServiceClient(transport=transport)


def _checksum(data: bytes) -> int:
    import google_crc32c

    checksum: int = google_crc32c.value(data)
    return checksum


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _within(secs: float, call: Callable[[], _T]) -> _T:
    """Return what `call` returns in time: neither credentials nor a slow answer may hang us."""
    done: list[_T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(secs)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def _unusable(name: SecretName, why: str) -> SettingsError:
    return SettingsError(f"The secret {name} {why}.", code=ReasonCode.SECRET_UNUSABLE)


def _silent(name: SecretName, why: str) -> TransientError:
    return TransientError(
        f"Secret Manager cannot be asked for {name} now ({why}); nothing was sent. Start the "
        "service again, and look at Google's status page if it stays so.",
        code=ReasonCode.SECRET_UNUSABLE,
    )
