"""LongBridge through its OpenAPI, by the SDK `longbridge` or its predecessor `longport`.

An order carries our client id as its remark. What the broker pushes is taken as a hint alone: it
makes the next query ask again, and nothing is believed that a query did not show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from quant_platform_kit.brokers._access import AccountAccess
from quant_platform_kit.brokers.longbridge import _cash as cash
from quant_platform_kit.brokers.longbridge import _rows as rows
from quant_platform_kit.brokers.longbridge import _stops as stops
from quant_platform_kit.brokers.longbridge import _token
from quant_platform_kit.brokers.longbridge._fees import Charges
from quant_platform_kit.brokers.longbridge._sdk import Address, Lost, Refused, Unsent
from quant_platform_kit.brokers.longbridge._session import (
    ALLOWED_REQUESTS,
    LongbridgeLogin,
    LongbridgeSession,
    executed,
)
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    Position,
    Quote,
    Submission,
    SubmitOutcome,
    TradingRules,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    ContractError,
    InputError,
    PlatformError,
    SettingsError,
    TransientError,
)
from quant_platform_kit.market import Clock, ExchangeCalendar, SystemClock, xnys

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

_HISTORY: Final = timedelta(days=89)  # LongBridge looks back 90 days at most
_MOST_QUOTES: Final = 500
_NEW_YORK: Final = ZoneInfo("America/New_York")
_ADJUSTMENTS: Final = {
    Adjustment.RAW: "NoAdjust",
    Adjustment.TOTAL_RETURN: "ForwardAdjust",
}


def connect(
    login: LongbridgeLogin, *, rules: TradingRules | None = None, clock: Clock | None = None
) -> LongbridgeBroker:
    """Connect to the account; for a process of its own."""
    return LongbridgeBroker(login, rules=rules, clock=clock)


def open_account(access: AccountAccess) -> LongbridgeBroker:
    """Open the account that the settings name; LongBridge keeps what there is to keep."""
    told = dict(access.login)
    address = Address(*(told.pop(name) for name in ("http_url", "quote_url", "trade_url")))
    pace = 0 if address.http_url else ALLOWED_REQUESTS  # a simulator is in no hurry
    login = LongbridgeLogin(access.account_id, **told, address=address, most_requests=pace)
    return connect(login, clock=access.clock)


class LongbridgeBroker:
    """One account at LongBridge; implements `Broker`. Use it from one thread at a time.

    Parameters
    ----------
    login : LongbridgeLogin
    rules : TradingRules, optional
        What the account is charged; whole shares without fees when absent.
    clock : Clock, optional
    calendar : ExchangeCalendar, optional

    Raises
    ------
    SettingsError
        When no SDK is installed, or the token opens another member's account.
    TransientError
        When LongBridge does not answer.
    """

    def __init__(
        self,
        login: LongbridgeLogin,
        *,
        rules: TradingRules | None = None,
        clock: Clock | None = None,
        calendar: ExchangeCalendar | None = None,
    ) -> None:
        self._login = login
        self._rules = TradingRules() if rules is None else rules
        self._clock = SystemClock() if clock is None else clock
        self._calendar = xnys() if calendar is None else calendar
        self._client_ids: set[str] = set()
        self._session = LongbridgeSession(login, self._clock)
        self._words = self._session.sdk.words
        self._charges = Charges(lambda order_id: self._session.trade("order_detail", order_id))
        try:
            self._environment = self._verify()
        except PlatformError:
            self._session.close()
            raise

    @property
    def environment(self) -> Environment:
        """What LongBridge says the account is."""
        return self._environment

    @property
    def rules(self) -> TradingRules:
        """What the account accepts and is charged."""
        return self._rules

    def health(self) -> tuple[str, ...]:
        """Return what a human has to do soon; nothing when all is well."""
        end = _token.expires_at(self._login.access_token)
        alert = _token.alert(end, self._clock.now())
        return () if alert is None else (alert,)

    def release(self) -> None:
        """Do nothing: any number of programs may speak to it at once."""

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # ── The account ────────────────────────────────────────────────────────────────────

    def account(self) -> Account:
        """Return the account's money; what is free of dollars is usable."""
        balances = self._session.ask("the account's money", "account_balance", "USD")
        with rows.reading("the account's money"):
            return rows.account(self._login.account_id, self._environment, balances)

    def positions(self) -> tuple[Position, ...]:
        """Return the US holdings; an answer without the account's channel is not complete."""
        channels = self._channels()
        with rows.reading("the positions"):
            return rows.positions(channels)

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return dividends, taxes, interest and transfers in dollars at or after `since`."""
        first = since.replace(microsecond=0)
        flows = self._session.cash_flow(first)
        with rows.reading("what moved the cash"):
            return tuple(moved for moved in cash.movements(flows) if moved.at >= first)

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders of 89 days, in order of submission."""
        words = self._words.OrderStatus
        # A stop may be shown as expired overnight and rest all the same.
        names = (*rows.WORKING, "Expired")
        working = [getattr(words, name) for name in names if hasattr(words, name)]
        found = {row.order_id: row for row in (*self._older(status=working), *self._orders())}
        with rows.reading("orders"):
            now = self._clock.now()
            orders = [rows.order(row, now) for row in rows.american(found.values())]
        orders.sort(key=rows.submission_order)
        return tuple(order for order in orders if not order.status.is_final)

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this remark, of the last 89 days.

        Raises
        ------
        BrokerAnswerError
            When several orders have it.
        """
        found = [row for row in self._orders() if row.remark == client_id]
        if not found:
            found = [row for row in self._older() if row.remark == client_id]
        if len(found) > 1:
            raise BrokerAnswerError(
                f"LongBridge has {len(found)} orders with the remark {client_id} in "
                f"{found[0].symbol}; which one is ours is unknown and nothing more was sent. Look "
                "at both in LongBridge's app.",
                symbol=rows.ticker(found[0].symbol),
            )
        with rows.reading("orders"):
            return rows.order(found[0], self._clock.now()) if found else None

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`; LongBridge tells seconds.

        Raises
        ------
        TransientError
            When an order is shown as filled further than its executions go, for longer than they
            need to arrive.
        """
        since = instant.replace(microsecond=0)
        listed = self._session.executions(_day_of(since))
        by_order: dict[str, list[Any]] = {}
        for row in sorted(rows.american(listed), key=lambda row: (executed(row), row.trade_id)):
            by_order.setdefault(row.order_id, []).append(row)
        fills = [
            fill
            for order_id, executions in by_order.items()
            if executed(executions[-1]) >= since
            for fill in self._fills(order_id, executions)
            if fill.at >= since
        ]
        return tuple(sorted(fills, key=lambda fill: (fill.at, fill.fill_id)))

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order with its client id as the remark."""
        if order.client_id in self._client_ids:
            detail = "An order with this client id was sent before. Nothing was sent."
            return Submission(SubmitOutcome.REJECTED, detail=detail)
        meant = self._meant(order)
        if isinstance(meant, str):
            return Submission(SubmitOutcome.DENIED, detail=f"{meant} Nothing was sent.")
        fields = rows.order_fields(meant, self._words)
        if self._session.sdk.takes_request_id:  # should the SDK repeat itself, it is booked once
            fields["client_request_id"] = order.client_id
        self._client_ids.add(order.client_id)
        try:
            answer = self._session.trade("submit_order", **fields)
        except Refused as refused:
            known = SubmitOutcome.REJECTED if refused.proves_no_order else SubmitOutcome.UNRESOLVED
            return Submission(known, detail=f"{refused.message} ({refused.code})")
        except Unsent as unsent:
            self._client_ids.discard(order.client_id)
            detail = f"{self._login.name} cannot be reached ({unsent}). Nothing was sent."
            return Submission(SubmitOutcome.DENIED, detail=detail)
        except Lost as lost:
            detail = f"{self._login.name} gave no answer to the order ({lost})."
            return Submission(SubmitOutcome.UNRESOLVED, detail=detail)
        finally:
            self._session.expect_news()
        if not answer.order_id:
            detail = f"{self._login.name} took the order without naming it."
            return Submission(SubmitOutcome.UNRESOLVED, detail=detail)
        return Submission(SubmitOutcome.ACKED, broker_order_id=answer.order_id)

    def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancel; a refusal or a lost answer is no error, the order's state tells."""
        try:
            self._session.trade("cancel_order", broker_order_id)
        except (Refused, Lost) as error:
            self._session.expect_news()
            if not self._is_known(broker_order_id):
                raise BrokerAnswerError(
                    f"LongBridge has no order {broker_order_id} in this account; nothing was "
                    "cancelled. The journal and the broker disagree: look for the order in "
                    "LongBridge's app."
                ) from error
        self._session.expect_news()

    # ── Prices ─────────────────────────────────────────────────────────────────────────

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the last price of each symbol in regular hours, at the time it was made."""
        asked = [rows.wire_symbol(symbol) for symbol in symbols]
        found: dict[str, Quote] = {}
        for start in range(0, len(asked), _MOST_QUOTES):
            some = asked[start : start + _MOST_QUOTES]
            answer = self._session.ask_quotes("quotes", "quote", some)
            with rows.reading("quotes"):
                found |= rows.quotes(answer)
        return {symbol: found[symbol] for symbol in symbols if symbol in found}

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return complete daily bars, unadjusted or adjusted for splits and dividends.

        Raises
        ------
        InputError
            For bars that are adjusted for splits alone: LongBridge has none.
        """
        if sessions < 1:
            raise ContractError(f"daily_bars.sessions = {sessions!r}: expected at least 1")
        if adjustment not in _ADJUSTMENTS:
            raise InputError(
                f"LongBridge has no {adjustment.value} bars: its bars are unadjusted, or adjusted "
                "for splits and dividends. Nothing was decided; change the profile's history input."
            )
        end = min(last_session, self._calendar.last_complete_session(self._clock.now()))
        wanted = self._calendar.sessions(self._calendar.first_day, end)[-sessions:]
        today = self._clock.now().astimezone(_NEW_YORK).date()
        count = self._calendar.sessions_between(wanted[0], today) + 1
        adjust = getattr(self._words.AdjustType, _ADJUSTMENTS[adjustment])
        bars: dict[str, BarFrame] = {}
        for symbol in symbols:
            candles = [
                candle
                for candle in self._session.candles(symbol, wanted, count, adjust)
                if wanted[0] <= rows.session_of(candle) <= end
            ]
            if candles:
                bars[symbol] = rows.frame(symbol, candles, adjustment)
        return bars

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _verify(self) -> Environment:
        """Require the configured account, and learn what there is before anything is sent."""
        if self._session.member_id != self._login.account_id:
            raise SettingsError(
                f"{self._login.name}: the access token opens the account of another member than "
                "the one that is configured; nothing was sent. Correct QPK_ACCOUNT_ID, or store "
                "the token of that account."
            )
        self._session.listen()
        connected = rows.environment(self._channels())
        self._orders()
        return connected

    def _channels(self) -> Sequence[Any]:
        channels: Sequence[Any] = self._session.ask("the positions", "stock_positions").channels
        rows.environment(channels)
        return channels

    def _meant(self, order: OrderRequest) -> OrderRequest | str:
        """Return the order to send, or why none is."""
        if order.order_type not in stops.WAITING:
            return order
        try:
            return stops.sendable(order, self.quotes([order.symbol]).get(order.symbol))
        except (TransientError, BrokerAnswerError) as error:
            return error.message

    def _fills(self, order_id: str, executions: Sequence[Any]) -> list[Fill]:
        with self._session.asking("an order's charges"):
            order, fees = self._charges.of(order_id, executions)
        with rows.reading("executions"):
            return [rows.fill(row, order, fees[row.trade_id]) for row in executions]

    def _is_known(self, order_id: str) -> bool:
        return any(row.order_id == order_id for row in (*self._orders(), *self._older()))

    def _orders(self) -> list[Any]:
        """Return the orders that were handed in today."""
        orders = self._session.orders_today()
        self._client_ids |= {row.remark for row in orders if row.remark}
        return orders

    def _older(self, **named: object) -> list[Any]:
        """Return the orders of 89 days but today."""
        return self._session.orders_before(_day_of(self._clock.now()) - _HISTORY, **named)


def _day_of(instant: datetime) -> datetime:
    """Return the beginning of an instant's day, so that what was read of it serves again."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
