"""The connection to Schwab: `schwab-py` with our own token refresh, deadlines and errors."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from quant_platform_kit.brokers._answers import MALFORMED
from quant_platform_kit.brokers.schwab._tokens import TokenStore, check
from quant_platform_kit.contracts import Environment
from quant_platform_kit.errors import BrokerAnswerError, ReasonCode, SettingsError, TransientError
from quant_platform_kit.market import Clock, SystemClock

with warnings.catch_warnings():
    # authlib asks for another HTTP library, which would change the errors caught below. It puts
    # its own filter in front when it is imported, so ours has to come after that.
    from authlib.deprecate import AuthlibDeprecationWarning

    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.common.errors import AuthlibBaseError
    from authlib.integrations.httpx_client import OAuth2Client
    from schwab.auth import TOKEN_ENDPOINT
    from schwab.client import Client

REAL_URL: Final = "https://api.schwabapi.com"
_LEEWAY_SECS: Final = 360  # more than authlib's below, so that it never refreshes by itself
_SDK_LEEWAY_SECS: Final = 300
_TOKEN_DAYS: Final = 7.0
_WARN_DAYS: Final = 5.0
_DAY_SECS: Final = 86400
_AGREEMENT: Final = timedelta(seconds=5)  # an answer tells whole seconds, and travels
_BELIEVED: Final = timedelta(hours=12)
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_SERVER: Final = 500

Send = Callable[[Any], httpx.Response]
_Form = TypeVar("_Form", list[Any], dict[str, Any])


@dataclass(frozen=True, slots=True)
class SchwabLogin:
    """How to reach one account.

    Parameters
    ----------
    app_key, app_secret : str
        Of the application at Schwab's developer portal; never shown.
    account_id : str
        The account's number; it has to be one of those that the token opens.
    base_url : str
        Schwab's own address, or a simulator's on loopback.
    timeout_secs : float
        Longest wait of every step of a request.
    settle_secs : float
        How long an order without an answer may take to show up; only then its absence is proof.
    """

    app_key: str = field(repr=False)
    app_secret: str = field(repr=False)
    account_id: str = field(repr=False)
    base_url: str = REAL_URL
    timeout_secs: float = 10.0
    settle_secs: float = 15.0

    @property
    def environment(self) -> Environment:
        """LIVE at Schwab's own address, which has no paper accounts; else SIMULATED."""
        return Environment.LIVE if self.base_url == REAL_URL else Environment.SIMULATED


class ServerClock:
    """Schwab's clock, as its answers tell it; where it agrees with the machine's, the latter.

    Parameters
    ----------
    machine : Clock
    most : timedelta
        How far it may be from the machine's. A date further away is some gateway's mistake, and
        would have us look for our orders where they are not.
    """

    def __init__(self, machine: Clock, most: timedelta = timedelta.max) -> None:
        self._machine = machine
        self._most = most
        self._ahead = timedelta(0)

    def note(self, response: httpx.Response) -> None:
        """Read the time off an answer."""
        try:
            told = parsedate_to_datetime(response.headers["Date"])
            ahead = told - self._machine.now()
        except (KeyError, TypeError, ValueError):  # no date, one without a zone, or no such day
            return
        if abs(ahead) <= self._most:
            self._ahead = timedelta(0) if abs(ahead) < _AGREEMENT else ahead

    def now(self) -> datetime:
        """Return the present instant at Schwab."""
        return self._machine.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Wait on the machine's clock."""
        self._machine.sleep(seconds)


class SchwabSession:
    """Sends requests with a good token; safe to use from several threads.

    Parameters
    ----------
    login : SchwabLogin
    tokens : TokenStore
    clock : Clock, optional
        The machine's own: tokens expire in real time.

    Attributes
    ----------
    server_clock : ServerClock
    """

    def __init__(self, login: SchwabLogin, tokens: TokenStore, clock: Clock | None = None) -> None:
        if not issubclass(OAuth2Client, httpx.Client):
            raise SettingsError(
                "The package httpx2 is installed: the Schwab client then uses it instead of httpx, "
                "and its errors would not be understood. Uninstall httpx2; nothing was sent."
            )
        self._tokens = tokens
        self._clock = SystemClock() if clock is None else clock
        elsewhere = login.base_url != REAL_URL
        most = timedelta.max if elsewhere else _BELIEVED  # a simulator is at any time it likes
        self.server_clock = ServerClock(self._clock, most)
        self._lock = threading.Lock()
        document = tokens.read()
        self._created_secs = int(document["creation_timestamp"])
        self._unkept = ""
        self._session = OAuth2Client(
            login.app_key,
            client_secret=login.app_secret,
            token=document["token"],
            token_endpoint=TOKEN_ENDPOINT,
            update_token=self._keep,
            leeway=_SDK_LEEWAY_SECS,
            transport=Elsewhere(login.base_url) if elsewhere else None,
        )
        self._client = Client(login.app_key, self._session, enforce_enums=False)
        self._client.set_timeout(httpx.Timeout(login.timeout_secs))

    def send(self, send: Send) -> httpx.Response:
        """Send one request with a good token and return whatever is answered.

        Raises
        ------
        TransientError
            When no good token can be had: nothing was sent.
        httpx.RequestError
            When the fate of the request is unknown.
        """
        self._renew(self._is_stale)
        response: httpx.Response = send(self._client)
        self.server_clock.note(response)
        return response

    def listed(self, what: str, send: Send) -> list[Any]:
        """Return the list that answers a question; raises as `query`."""
        return self._json(what, send, list)

    def query(self, what: str, send: Send) -> dict[str, Any]:
        """Return the JSON object that answers a question, its numbers as Decimal.

        Raises
        ------
        TransientError
            When Schwab does not answer, or not now.
        BrokerAnswerError
            When it answers something else.
        """
        return self._json(what, send, dict)

    def _json(self, what: str, send: Send, form: type[_Form]) -> _Form:
        response = self.ask(what, send)
        if response.is_error:
            raise BrokerAnswerError(
                f"Schwab answered the question for {what} with code {response.status_code}: "
                f"{reason(response)}. Nothing is assumed about it; look at the account at Schwab."
            )
        try:
            answer = json.loads(response.text, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise _unreadable(what, str(error)) from error
        if not isinstance(answer, form):  # an empty one of another form would pass for "none"
            raise _unreadable(what, f"a {type(answer).__name__} where a {form.__name__} belongs")
        return answer

    def ask(self, what: str, send: Send) -> httpx.Response:
        """Return the answer to a question, good or bad.

        Once it is asked again where that may help: with a new token, and when a kept connection
        turns out to have been cut since it was last used.
        """
        try:
            try:
                response = self.send(send)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                response = self.send(send)
            if response.status_code == _UNAUTHORIZED:
                # The token of the request: another thread may have renewed it meanwhile.
                refused = response.request.headers.get("Authorization", "")
                self._renew(lambda token: refused.endswith(token["access_token"]))
                response = self.send(send)
        except httpx.RequestError as error:
            raise unavailable(what, f"it did not answer ({type(error).__name__})") from error
        code = response.status_code
        if code == _UNAUTHORIZED:
            raise unavailable(what, "it refuses a new token as well. Log in to Schwab again")
        if code == _TOO_MANY:
            after = response.headers.get("Retry-After", "some")
            raise unavailable(what, f"there were too many requests; it asks to wait {after} s")
        if code >= _SERVER:
            raise unavailable(what, f"it has a defect of its own (code {code})")
        return response

    def alerts(self) -> tuple[str, ...]:
        """Return what the operator has to do about the tokens; nothing when all is well."""
        days = (self._clock.now().timestamp() - self._created_secs) / _DAY_SECS
        texts: list[str] = []
        if days >= _TOKEN_DAYS:
            texts.append(
                f"The Schwab login is {days:.1f} days old and no longer good after "
                f"{_TOKEN_DAYS:.0f}. Log in to Schwab again: until then nothing can be traded."
            )
        elif days >= _WARN_DAYS:
            texts.append(
                f"The Schwab login is {days:.1f} days old and ends after {_TOKEN_DAYS:.0f}. Log in "
                f"to Schwab again within {_TOKEN_DAYS - days:.1f} days."
            )
        if self._unkept:
            texts.append(
                f"A new Schwab token could not be stored ({self._unkept}); this process uses it, "
                "others have the old one. Check the token's folder or secret and its rights."
            )
        return tuple(texts)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # ── Tokens ─────────────────────────────────────────────────────────────────────────

    def _is_stale(self, token: Any) -> bool:  # noqa: ANN401 (authlib ships no types)
        return bool(token.is_expired(leeway=_LEEWAY_SECS))

    def _renew(self, is_useless: Callable[[Any], bool]) -> None:
        """Get a new token where the present one is useless; of many threads one does."""
        if not is_useless(self._session.token):
            return
        with self._lock:
            if not is_useless(self._session.token):
                return
            with self._tokens.held():
                self._adopt_stored()
                if is_useless(self._session.token):
                    self._refresh()

    def _adopt_stored(self) -> None:
        """Take over what another process, or a login, has stored meanwhile.

        Only what is not older: where storing failed, the token in memory is the better one.
        """
        document = self._tokens.read()
        stored, present = document["token"], self._session.token
        if stored["access_token"] != present["access_token"] and _end(stored) >= _end(present):
            self._session.token = stored
            self._created_secs = int(document["creation_timestamp"])

    def _refresh(self) -> None:
        present = self._session.token
        try:
            self._session.refresh_token(TOKEN_ENDPOINT)
        except AuthlibBaseError as error:
            if self._is_renewed_elsewhere():
                return
            raise TransientError(
                f"Schwab gives no new token ({error}); nothing was sent. The login has ended: log "
                "in to Schwab again, then run again."
            ) from error
        except httpx.HTTPError as error:
            raise unavailable("a new token", f"it gave none ({type(error).__name__})") from error
        except MALFORMED as error:
            self._session.token = present  # with which a new one can be asked for again
            raise unavailable("a new token", "what it gave is none") from error

    def _is_renewed_elsewhere(self) -> bool:
        """Look whether another process was faster; a secret has no lock that keeps one waiting."""
        refused = self._session.token["access_token"]
        self._adopt_stored()
        return bool(self._session.token["access_token"] != refused)

    def _keep(self, token: Any, **_: object) -> None:  # noqa: ANN401 (authlib ships no types)
        document = {"creation_timestamp": self._created_secs, "token": dict(token)}
        check(document)
        try:
            self._tokens.write(document)
            self._unkept = ""
        except OSError as error:  # the token in memory is good: trading goes on
            self._unkept = error.strerror or type(error).__name__


def _end(token: Mapping[str, Any]) -> int:
    return int(token.get("expires_at") or 0)


class Elsewhere(httpx.HTTPTransport):
    """Sends every request to another address; the SDK has Schwab's fixed in it."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._there = urlsplit(base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Change scheme, host and port, nothing else."""
        there = self._there
        request.url = request.url.copy_with(
            scheme=there.scheme, host=there.hostname, port=there.port
        )
        return super().handle_request(request)


def unavailable(what: str, why: str) -> TransientError:
    """Return the error of a question that Schwab does not answer now."""
    return TransientError(
        f"Schwab cannot be asked for {what}: {why}. Nothing more was sent; run the slot again.",
        code=ReasonCode.BROKER_UNAVAILABLE,
    )


def _unreadable(what: str, why: str) -> BrokerAnswerError:
    return BrokerAnswerError(
        f"Schwab's answer for {what} cannot be read ({why}). Nothing is assumed about it; run "
        "again, and look at the account at Schwab if it stays so."
    )


def reason(response: httpx.Response) -> str:
    """Return what a bad answer says, in one line."""
    try:
        body = response.json()
        told = body.get("message") or body.get("errors") or "no reason given"
    except (ValueError, AttributeError, RecursionError):
        told = "no reason that can be read"
    return " ".join(str(told).split())[:300]
