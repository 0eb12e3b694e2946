"""LongBridge's SDK, whichever of the two is installed, with a deadline where it allows one.

`longbridge` 5 has asynchronous contexts; they live on one loop thread, and every call on them has
a deadline. `longport` 3 has blocking ones that hold the interpreter's lock for up to 30 seconds,
which only `IsolatedBroker` can cut short.

Both give times without a zone, in the zone of the process. It is set to UTC before the first of
them is opened: another zone has an hour in autumn that comes twice.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from quant_platform_kit.errors import SettingsError

_SDKS: Final = ("longbridge.openapi", "longport.openapi")  # the successor first
_REPEATED: Final = 403_202  # a request that was seen before: the first one may have been booked
_NO_CONNECTION: Final = "client error (Connect)"
# Not let in, held back, refused. "Not found" proves nothing: the SDK follows a redirection and asks
# for another page, when the order may be booked.
_NO_ORDER: Final = (range(401_000, 404_000), range(429_000, 430_000), range(600_000, 700_000))


class Refused(Exception):
    """LongBridge answered that it did not do it; carries its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def proves_no_order(self) -> bool:
        """True when an order that was answered so is not booked: not let in, held back, refused."""
        return self.code != _REPEATED and any(self.code in codes for codes in _NO_ORDER)


class Lost(Exception):
    """No answer that can be read: whether the request took effect is unknown."""


class Unsent(Lost):
    """No connection, so that nothing of the request left."""


class Late(Lost):
    """No answer within the deadline."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where LongBridge is; None takes the SDK's own choice.

    Give all three or none: an SDK that has to choose one asks the real hosts first.
    """

    http_url: str | None = None
    quote_url: str | None = None
    trade_url: str | None = None


class Sdk:
    """Open contexts of quotes and trades.

    Parameters
    ----------
    app_key, app_secret, access_token : str
    address : Address
    timeout_secs : float
        For every call, where the SDK lets go of the interpreter.
    on_change : callable
        Called, on a thread of the SDK's, when an order may have changed; returns at once.
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str,
        access_token: str,
        *,
        address: Address,
        timeout_secs: float,
        on_change: Callable[[], None],
    ) -> None:
        _pin_time_zone()
        self.words = _load()
        self.takes_request_id = hasattr(self.words, "AsyncTradeContext")
        self._timeout_secs = timeout_secs
        self._loop: asyncio.AbstractEventLoop | None = None
        self._config = self._configured(app_key, app_secret, access_token, address)
        if self.takes_request_id:
            self._loop = _started_loop()
            self._trade = self.words.AsyncTradeContext.create(self._config, self._loop)
        else:
            self._trade = self._guarded(lambda: self.words.TradeContext(self._config))
        self._quote = self._opened_quotes()
        self._quotes_wait = False
        # Once, and before the subscription: later, with notices on their way, both SDKs dead-lock.
        self._trade.set_on_order_changed(lambda _: on_change())

    def trade(self, name: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401 (untyped SDK)
        """Call the trade context.

        Raises
        ------
        Refused
            When LongBridge answers with a code.
        Lost
            When there is no answer, or none that can be read; `Unsent` where nothing left.
        """
        return self._call(getattr(self._trade, name), *arguments, **named)

    def quote(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 (untyped SDK)
        """Call the quote context; raises as `trade`.

        Its socket answers in turn: behind a question without an answer, later ones would wait for
        half a minute. So the next one gets a context of its own.
        """
        if self._quotes_wait:
            self._quote, self._quotes_wait = self._opened_quotes(), False
        try:
            return self._call(getattr(self._quote, name), *arguments)
        except Late:
            self._quotes_wait = True
            raise

    def close(self) -> None:
        """Let go of the contexts; their connections close with them."""
        self._trade = self._quote = None
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _call(self, function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401 (untyped SDK)
        if self._loop is None:
            return self._guarded(lambda: function(*arguments, **named))

        async def ask() -> object:
            return await function(*arguments, **named)

        answer = asyncio.run_coroutine_threadsafe(ask(), self._loop)
        return self._guarded(lambda: self._wait_for(answer))

    def _wait_for(self, answer: Future[object]) -> object:
        try:
            return answer.result(self._timeout_secs)
        except TimeoutError as error:
            answer.cancel()
            raise Late(f"no answer within {self._timeout_secs:g} s") from error

    def _guarded(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 (untyped SDK)
        try:
            return call()
        except self.words.OpenApiException as error:
            if error.code is None:
                raise _without_code(str(error.message)) from error
            raise Refused(int(error.code), str(error.message)) from error
        except (Lost, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the SDK's native part need not be an Exception
            raise Lost(f"its SDK broke: {error}") from error

    def _opened_quotes(self) -> Any:  # noqa: ANN401 (untyped SDK)
        if self._loop is not None:
            return self.words.AsyncQuoteContext.create(self._config, self._loop)
        return self._guarded(lambda: self.words.QuoteContext(self._config))

    def _configured(self, key: str, secret: str, token: str, address: Address) -> Any:  # noqa: ANN401 (untyped SDK)
        make = getattr(self.words.Config, "from_apikey", self.words.Config)
        return make(
            key,
            secret,
            token,
            http_url=address.http_url,
            quote_ws_url=address.quote_url,
            trade_ws_url=address.trade_url,
            language=self.words.Language.EN,
            enable_print_quote_packages=False,
        )


def utc(stamp: datetime) -> datetime:
    """Return a time of the SDK's as an aware one."""
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)


def word(member: object) -> str:
    """Return the name of a member of one of the SDK's enumerations."""
    return str(member).rpartition(".")[2]


def _without_code(message: str) -> Lost:
    """Return what an error of the SDK's own says about the request.

    Its text is all that tells them apart. `_NO_CONNECTION` is said of a name that is not resolved,
    a port that is refused and a handshake that fails. It is true of every attempt: the SDK repeats
    a request by itself only when LongBridge has answered that there were too many.
    """
    return (Unsent if message.rstrip("'").endswith(_NO_CONNECTION) else Lost)(message)


def _load() -> ModuleType:
    for name in _SDKS:
        with suppress(ModuleNotFoundError):
            return import_module(name)
    raise SettingsError(
        "LongBridge's SDK is not installed, so nothing was connected. Install "
        "quant-platform-kit[longbridge]."
    )


def _pin_time_zone() -> None:
    os.environ["TZ"] = "UTC"  # noqa: TID251 (written for the SDK, not read)
    time.tzset()


def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_forever()
        loop.close()

    threading.Thread(target=run, name="longbridge", daemon=True).start()
    return loop
