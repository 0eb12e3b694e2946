"""One connection to LongBridge: its pace, its errors, and what is remembered of today."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from quant_platform_kit.brokers.longbridge import _rows as rows
from quant_platform_kit.brokers.longbridge._pace import Pace
from quant_platform_kit.brokers.longbridge._sdk import Address, Late, Lost, Refused, Sdk, utc
from quant_platform_kit.errors import BrokerAnswerError, TransientError
from quant_platform_kit.market import Clock

_Answer = TypeVar("_Answer")

_ZERO: Final = Decimal(0)
_DAY: Final = timedelta(days=1)
_NEW_YORK: Final = ZoneInfo("America/New_York")
_MOST_ROWS: Final = 1000  # of an answer about the past; the SDK hides that there are more
_MOST_PAGES: Final = 20  # of which the pace lets through about one a second
_MOST_CANDLES: Final = 1000
_AT_ONCE_SECS: Final = 1.0
_KEPT_CONNECTIONS: Final = 2
_AGREE_SECS: Final = 0.5  # between two looks at executions that are on their way
_LOOKS: Final = 4
_TOKEN_CODES: Final = range(401_000, 402_000)


ALLOWED_REQUESTS: Final = 30
"""Of trading, in any 30 seconds."""


@dataclass(frozen=True, slots=True)
class LongbridgeLogin:
    """How to reach an account at LongBridge.

    Parameters
    ----------
    account_id : str
        The member number that the connection has to have.
    app_key, app_secret, access_token : str
        From LongBridge's developer centre; the token opens a paper or a live account.
    region, prefix : str
        What the operator calls the account, for example ``HK``; shown in messages.
    address : Address
        Elsewhere than at LongBridge, for a simulator.
    timeout_secs : float
        For every call.
    reuse_secs : float
        How long today's orders and executions are believed while no push says otherwise; 0 asks
        every time.
    most_requests : int
        Requests in any 30 seconds, of which LongBridge allows 30; 0 for no limit.
    """

    account_id: str = field(repr=False)
    app_key: str = field(repr=False)
    app_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    region: str = ""
    prefix: str = ""
    address: Address = Address()  # noqa: RUF009 (frozen)
    timeout_secs: float = 10.0
    reuse_secs: float = 5.0
    most_requests: int = ALLOWED_REQUESTS

    @property
    def name(self) -> str:
        """What messages call the account."""
        labels = " ".join(label for label in (self.prefix, self.region) if label)
        return f"LongBridge ({labels})" if labels else "LongBridge"


class LongbridgeSession:
    """Asks LongBridge, and turns whatever goes wrong into the platform's errors.

    Parameters
    ----------
    login : LongbridgeLogin
    clock : Clock

    Raises
    ------
    SettingsError
        When no SDK is installed.
    TransientError
        When LongBridge does not answer.
    """

    def __init__(self, login: LongbridgeLogin, clock: Clock) -> None:
        self._login = login
        self._clock = clock
        self._pace = Pace(login.most_requests)
        self._hinted = threading.Event()
        self._read: dict[str, tuple[float, list[Any]]] = {}
        with self.asking("the connection"):
            self.sdk, self.member_id = _again_if_cut(self._opened)

    def trade(self, name: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401 (untyped SDK)
        """Call the trade context in time; raises `Refused` and `Lost`."""
        self._pace.wait()
        return self.sdk.trade(name, *arguments, **named)

    def ask(self, what: str, name: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401 (untyped SDK)
        """Call the trade context for an answer that changes nothing."""
        with self.asking(what):
            return _again_if_cut(lambda: self.trade(name, *arguments, **named))

    def ask_quotes(self, what: str, name: str, *arguments: object) -> Any:  # noqa: ANN401 (untyped SDK)
        """Call the quote context, which has a pace of its own."""
        with self.asking(what):
            return _again_if_cut(lambda: self.sdk.quote(name, *arguments))

    def close(self) -> None:
        """Close the connections."""
        self.sdk.close()

    def listen(self) -> None:
        """Subscribe to what happens to orders; without it all is asked for in time all the same."""
        try:
            self.sdk.trade("subscribe", [self.sdk.words.TopicType.Private])
        except (Refused, Lost):
            self.expect_news()

    def expect_news(self) -> None:
        """Believe nothing of today that was read before."""
        self._hinted.set()

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn what went wrong with a query into an error that says what it means."""
        name = self._login.name
        try:
            yield
        except Refused as refused:
            if refused.code in _TOKEN_CODES:
                raise TransientError(
                    f"{name} does not let the access token in ({refused.code} {refused.message}); "
                    "nothing was sent. Issue a new one in LongBridge's developer centre and store "
                    "it where the service reads it."
                ) from refused
            raise TransientError(
                f"{name} refused to answer about {what} ({refused.code} {refused.message}); "
                "nothing is assumed and nothing more was sent. Run the slot again."
            ) from refused
        except Lost as lost:
            raise TransientError(
                f"{name} gave no answer about {what} that can be read ({lost}); nothing is assumed "
                "and nothing more was sent. Run the slot again when the connection works."
            ) from lost

    def _opened(self) -> tuple[Sdk, str]:
        """Return open contexts and whose they are; cut while it opens, one is of no use."""
        login = self._login
        sdk = Sdk(
            login.app_key,
            login.app_secret,
            login.access_token,
            address=login.address,
            timeout_secs=login.timeout_secs,
            on_change=self._hinted.set,
        )
        try:
            return sdk, str(sdk.quote("member_id"))
        except (Refused, Lost):
            sdk.close()
            raise

    # ── Orders and executions ──────────────────────────────────────────────────────────

    def orders_today(self) -> list[Any]:
        """Return the orders that were handed in today."""
        return self._remembered("today_orders", lambda: self._today("today_orders"))

    def orders_before(self, since: datetime, **named: object) -> list[Any]:
        """Return the orders of earlier days; an order of today is not among them."""

        def read() -> list[Any]:
            return self._past("history_orders", lambda row: row.order_id, submitted, since, **named)

        return read() if named else self._remembered(f"orders since {since}", read)

    def executions(self, since: datetime) -> list[Any]:
        """Return every execution since the beginning of a day or today's, whichever is longer ago.

        Waits until they go as far as today's orders say.

        Raises
        ------
        TransientError
            When they do not come to.
        """
        today = self._clock.now().astimezone(_NEW_YORK).replace(hour=0, minute=0, second=0)
        since = min(since, today.replace(microsecond=0)).astimezone(UTC)
        for _ in range(_LOOKS):
            executions = self._executions(since)
            missing = self._missing(executions, today)
            if not missing:
                return executions
            time.sleep(_AGREE_SECS)
            self.expect_news()
        raise TransientError(
            f"{self._login.name} shows more of the orders in {', '.join(missing)} filled than it "
            "lists executions; what was paid is unknown and nothing more was sent. Run the slot "
            "again."
        )

    def _executions(self, since: datetime) -> list[Any]:
        """Return executions once each; where LongBridge's today begins is its own affair."""
        today = self._remembered("today_executions", lambda: self._today("today_executions"))
        before = self._remembered(
            f"executions since {since}",
            lambda: self._past("history_executions", lambda row: row.trade_id, executed, since),
        )
        return list({row.trade_id: row for row in (*before, *today)}.values())

    def _missing(self, executions: Sequence[Any], today: datetime) -> list[str]:
        done: dict[str, Decimal] = {}
        for row in executions:
            done[row.order_id] = done.get(row.order_id, _ZERO) + row.quantity
        return sorted(
            rows.ticker(row.symbol)
            for row in rows.american(self.orders_today())
            if row.executed_quantity > done.get(row.order_id, _ZERO) and submitted(row) >= today
        )

    def _remembered(self, key: str, read: Callable[[], list[Any]]) -> list[Any]:
        """Return what was read a moment ago, unless something hints that it has changed."""
        if self._hinted.is_set():
            self._hinted.clear()  # before asking: what changes meanwhile hints again
            self._read.clear()
        read_at, found = self._read.get(key, (0.0, None))
        if found is None or time.monotonic() - read_at >= self._login.reuse_secs:
            found = read()
            self._read[key] = time.monotonic(), found
        return found

    def _today(self, name: str) -> list[Any]:
        answer: list[Any] = self.ask("today's orders", name)
        return answer

    def _past(
        self,
        name: str,
        row_id: Callable[[Any], str],
        at: Callable[[Any], datetime],
        since: datetime,
        **named: object,
    ) -> list[Any]:
        """Return everything since an instant but today, a thousand rows at a time."""
        found: dict[str, Any] = {}
        until = self._clock.now() + _DAY
        while True:
            start, end = since.astimezone(UTC), until.astimezone(UTC)
            spans = {"start_at": start.replace(tzinfo=None), "end_at": end.replace(tzinfo=None)}
            page = self.ask("orders of earlier days", name, **spans, **named)
            known = len(found)
            found |= {row_id(row): row for row in page}
            if len(page) < _MOST_ROWS:
                return list(found.values())
            if len(found) == known:
                raise BrokerAnswerError(
                    f"LongBridge has {_MOST_ROWS} orders or more in one second and lists no more; "
                    "the rest is unknown and nothing more was sent."
                )
            until = min(at(row) for row in page)

    def cash_flow(self, since: datetime) -> list[Any]:
        """Return everything that moved cash since an instant, a thousand rows at a time."""
        bounds = since.astimezone(UTC), (self._clock.now() + _DAY).astimezone(UTC)
        start, end = (each.replace(tzinfo=None) for each in bounds)
        found: list[Any] = []
        for page in range(1, _MOST_PAGES + 1):
            named = {"start_at": start, "end_at": end, "page": page, "size": _MOST_ROWS}
            flows = self.ask("what moved the cash", "cash_flow", **named)
            found += flows
            if len(flows) < _MOST_ROWS:
                return found
        raise BrokerAnswerError(
            f"LongBridge tells more than {len(found)} movements of cash and comes to no end; what "
            "moved the cash is unknown and nothing more was sent. Run the slot again, and look at "
            "the account in LongBridge's app if it stays so."
        )

    # ── Prices ─────────────────────────────────────────────────────────────────────────

    def candles(self, symbol: str, wanted: Sequence[date], count: int, adjust: object) -> list[Any]:
        """Return daily candles of a symbol, those that are wanted among them.

        `adjust` is a member of the SDK's AdjustType.
        """
        words, asked, what = self.sdk.words, rows.wire_symbol(symbol), f"bars of {symbol}"
        found: list[Any] = []
        if count <= _MOST_CANDLES:  # does not count towards the quota of history
            found += self.ask_quotes(what, "candlesticks", asked, words.Period.Day, count, adjust)
            return found
        for start in range(0, len(wanted), _MOST_CANDLES):
            span = wanted[start : start + _MOST_CANDLES]
            bounds = (adjust, span[0], span[-1])
            name = "history_candlesticks_by_date"
            found += self.ask_quotes(what, name, asked, words.Period.Day, *bounds)
        return found


def _again_if_cut(ask: Callable[[], _Answer]) -> _Answer:
    """Ask what changes nothing, and again when a kept connection was cut since its last use.

    Such a connection fails at once; what failed after a while was tried by the SDK itself. Two may
    be kept, so it is asked three times at the most.
    """
    for _ in range(_KEPT_CONNECTIONS):
        began = time.monotonic()
        try:
            return ask()
        except Lost as lost:
            if isinstance(lost, Late) or time.monotonic() - began > _AT_ONCE_SECS:
                raise
    return ask()


def submitted(row: Any) -> datetime:  # noqa: ANN401 (untyped SDK)
    """Return when an order was handed in."""
    return utc(row.submitted_at)


def executed(row: Any) -> datetime:  # noqa: ANN401 (untyped SDK)
    """Return when an execution was made."""
    return utc(row.trade_done_at)
