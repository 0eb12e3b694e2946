"""One connection to TWS or IB Gateway: its requests, each complete or an error."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from quant_platform_kit.brokers.ibkr._inbox import Inbox
from quant_platform_kit.brokers.ibkr._login import IbkrLogin
from quant_platform_kit.brokers.ibkr._orders import (
    WireOrder,
    fill_order,
    latest,
    order_of_executions,
)
from quant_platform_kit.brokers.ibkr._rows import (
    STOCK,
    USD,
    day_of,
    to_decimal,
    to_quote,
    to_symbol,
    to_wire_symbol,
)
from quant_platform_kit.contracts import OrderRequest, Quote
from quant_platform_kit.errors import BrokerAnswerError, SettingsError, TransientError

_ZERO: Final = Decimal(0)
_MONEY: Final = ("NetLiquidation", "TotalCashValue", "AvailableFunds")
_CLIENT_ID_IN_USE: Final = 326
_UNKNOWN_CONTRACT: Final = 200
_NO_HISTORY: Final = 162
_PACING: Final = "pacing"
_LINES: Final = 40  # requests at a time; a login has a hundred market data lines
_BARS_AT_ONCE: Final = 8


class ClientIdTakenError(TransientError):
    """TWS knows another connection under the client's number, perhaps one that has just ended."""


@dataclass(frozen=True, slots=True)
class Money:
    """An account's money, in USD."""

    equity: Decimal
    cash: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that the broker shows of orders at one moment.

    Open orders were asked for first, then completed ones, then executions: an order that moves on
    meanwhile is seen at least once. One that only its executions show has ended.
    """

    orders: Mapping[int, WireOrder]
    executed: Mapping[int, Decimal]

    def executed_of(self, permanent: int) -> Decimal:
        """Return the shares that an order's executions add up to."""
        return self.executed.get(permanent, _ZERO)


class Session:
    """One connection; every coroutine runs on the library's loop, one at a time.

    Parameters
    ----------
    library : module
    login : IbkrLogin
    """

    def __init__(self, library: Any, login: IbkrLogin) -> None:  # noqa: ANN401 (an untyped module)
        self._library = library
        self._login = login
        self._ib = library.IB()
        self._ib.RaiseRequestErrors = True
        self._ib.MaxSyncedSubAccounts = 0
        self._ib.client.MaxRequests = login.messages_per_sec
        self._ib.TimezoneTWS = login.tws_time_zone
        self._contracts: dict[str, Any] = {}
        self.inbox = Inbox(self._ib)
        self.account = login.account

    @property
    def is_alive(self) -> bool:
        """Whether the connection stands and everything on it could be read."""
        return bool(self._ib.isConnected()) and not self.inbox.damaged

    # ── Connecting ─────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Connect and settle on the account.

        Raises
        ------
        TransientError
            When TWS cannot be reached or does not let us in.
        SettingsError
            When the configured account is not one of the login's.
        """
        login = self._login
        options: dict[str, Any] = {"timeout": login.connect_secs, "account": login.account}
        if "fetchFields" in inspect.signature(self._ib.connectAsync).parameters:
            # Nothing that is read while connecting is believed, and TWS has been seen to leave the
            # library's question for all executions unanswered.
            options |= {"raiseSyncErrors": True, "fetchFields": self._library.StartupFetchNONE}
        joining = asyncio.ensure_future(
            self._ib.connectAsync(login.host, login.port, login.client_id, **options)
        )
        refused = asyncio.ensure_future(self._refusal())
        try:
            await asyncio.wait({joining, refused}, return_when=asyncio.FIRST_COMPLETED)
            if not joining.done():
                raise ClientIdTakenError(refused.result())
            joining.result()
        except TimeoutError as error:
            raise TransientError(
                f"TWS at {login.host}:{login.port} did not let the client in within "
                f"{login.connect_secs:g} s; nothing more was sent. Look whether it is logged in, "
                "is not older than version 972, and trusts this machine."
            ) from error
        except OSError as error:
            raise TransientError(
                f"TWS at {login.host}:{login.port} cannot be reached ({_told(error)}); nothing "
                "more was sent. Look whether it runs and its API port is open."
            ) from error
        finally:
            for task in (joining, refused):
                task.cancel()
            await asyncio.gather(joining, refused, return_exceptions=True)
        managed = self._ib.managedAccounts()
        self.inbox.secrets = tuple(managed)
        self.account = self._settled_account(managed)

    async def close(self) -> None:
        """Disconnect."""
        if self._ib.isConnected():
            self._ib.disconnect()
        else:
            self._ib.client.disconnect()

    async def _refusal(self) -> str:
        """Return what to tell the operator once TWS says that the client's number is taken."""
        while not any(each.code == _CLIENT_ID_IN_USE for each in self.inbox.complaints):
            await self.inbox.news()
        return (
            f"Another program is connected to TWS as client {self._login.client_id}; nothing was "
            "sent. Stop it, or give this service a client id of its own."
        )

    def _settled_account(self, managed: Sequence[str]) -> str:
        wanted = self._login.account
        if wanted in managed:
            return wanted
        if not wanted and len(managed) == 1:
            return managed[0]
        what = "is not among" if wanted else "is missing and cannot be guessed from"
        raise SettingsError(
            f"The configured account {what} the {len(managed)} of this login; nothing was sent. "
            "Set QPK_ACCOUNT_ID to the account's own, or log TWS in as its owner."
        )

    # ── Account ────────────────────────────────────────────────────────────────────────

    async def now(self) -> datetime:
        """Return the broker's time."""
        now: datetime = await self._ib.reqCurrentTimeAsync()
        return now

    async def day(self) -> datetime:
        """Return when the exchange's present day began."""
        return day_of(await self.now())

    async def money(self) -> Money:
        """Return the account's money, freshly asked for."""
        client, wrapper = self._ib.client, self._ib.wrapper
        wrapper.acctSummary.clear()
        request = client.getReqId()
        answer = wrapper.startReq(request)
        client.reqAccountSummary(request, "All", ",".join(_MONEY))
        try:
            await answer
        finally:
            client.cancelAccountSummary(request)
        values = {
            value.tag: value
            for value in wrapper.acctSummary.values()
            if value.account == self.account and value.tag in _MONEY
        }
        if set(values) != set(_MONEY):
            raise TransientError(
                "The account's values came without one of "
                f"{', '.join(_MONEY)}; nothing more was sent. Run the slot again."
            )
        foreign = {value.currency for value in values.values()} - {USD}
        if foreign:
            raise BrokerAnswerError(
                f"The account is kept in {', '.join(sorted(foreign))}; nothing was sent. Only "
                "accounts with USD as base currency can be traded."
            )
        equity, cash, available = (to_decimal(values[tag].value) for tag in _MONEY)
        return Money(equity, cash, available)

    async def holdings(self) -> Sequence[Any]:
        """Return every row of every account's holdings; the end of the list was seen."""
        rows: Sequence[Any] = await self._ib.reqPositionsAsync()
        return rows

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    async def open_orders(self) -> dict[int, WireOrder]:
        """Return the account's open orders, whoever placed them, in order of submission."""
        self.inbox.orders.clear()
        await self._ib.reqAllOpenOrdersAsync()
        mine = (order for order in self.inbox.orders.values() if order.account == self.account)
        return {
            order.permanent: order
            for order in sorted(mine, key=lambda order: order.permanent)
            if not order.is_ended
        }

    async def trace(self) -> Trace:
        """Return everything that is shown of today's orders."""
        open_orders = await self.open_orders()
        self.inbox.completed.clear()
        await self._ib.reqCompletedOrdersAsync(False)  # noqa: FBT003 (the library's: of all programs)
        ended = {
            number: order
            for number, order in self.inbox.completed.items()
            if order.account == self.account
        }
        executions = await self.executions()
        executed: dict[int, Decimal] = {}
        for row in executions:
            number = int(row.execution.permId)
            executed[number] = executed.get(number, _ZERO) + to_decimal(row.execution.shares)
        traded = {
            int(row.execution.permId): order_of_executions(row, executed) for row in executions
        }
        return Trace(traded | open_orders | ended, executed)

    async def executions(self, commission_secs: float | None = None) -> list[Any]:
        """Return today's executions of US stocks, each once, as last corrected.

        With `commission_secs` all of them have their commission.
        """
        wanted = self._library.ExecutionFilter(acctCode=self.account)
        listed = await self._ib.reqExecutionsAsync(wanted)
        known = self._ib.wrapper.fills  # commissions are filled in there alone
        rows = latest(
            known.get(row.execution.execId, row)
            for row in listed
            if row.execution.acctNumber == self.account and to_symbol(row.contract) is not None
        )
        if commission_secs is not None:
            await self._commissions(rows, commission_secs)
        return rows

    async def _commissions(self, rows: Sequence[Any], secs: float) -> None:
        until = asyncio.get_running_loop().time() + secs
        while not all(row.commissionReport.execId for row in rows):
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                raise TransientError(
                    "The commission of an execution is not known yet, so the execution cannot be "
                    "booked; nothing more was sent. Run the slot again."
                )
            await asyncio.sleep(min(left, 0.02))

    def hand_in(self, contract: Any, order: OrderRequest) -> int:  # noqa: ANN401 (the library's)
        """Send an order and return its number at this client; raises before anything is sent."""
        self.inbox.complaints.clear()
        number: int = self._ib.client.getReqId()
        ready = fill_order(self._library.Order(orderId=number), order, self.account)
        self._ib.placeOrder(contract, ready)
        return number

    def ask_to_cancel(self, number: int) -> None:
        """Send a cancel for an order of this client."""
        self.inbox.complaints.clear()
        self._ib.cancelOrder(
            self._library.Order(orderId=number, clientId=self._login.client_id, permId=0)
        )

    # ── Market ─────────────────────────────────────────────────────────────────────────

    async def contract(self, symbol: str) -> Any | None:  # noqa: ANN401 (the library's)
        """Return the contract of a US stock; None when the broker does not know it."""
        known = self._contracts.get(symbol)
        if known is not None:
            return known
        asked = self._library.Contract(
            symbol=to_wire_symbol(symbol), secType=STOCK, exchange="SMART", currency=USD
        )
        try:
            details = await self._ib.reqContractDetailsAsync(asked)
        except self._library.RequestError as error:
            if error.code == _UNKNOWN_CONTRACT:
                return None
            raise
        if len(details) != 1:
            raise BrokerAnswerError(
                f"{symbol} stands for {len(details)} contracts at the broker; nothing was sent.",
                symbol=symbol,
            )
        found = details[0].contract
        found.exchange = "SMART"
        self._contracts[symbol] = found
        return found

    async def quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        """Return the last price of each symbol that has one."""
        turn = asyncio.Semaphore(_LINES)
        found = await asyncio.gather(*(self._quote(symbol, turn) for symbol in symbols))
        return {quote.symbol: quote for quote in found if quote is not None}

    async def _quote(self, symbol: str, turn: asyncio.Semaphore) -> Quote | None:
        async with turn:
            contract = await self.contract(symbol)
            if contract is None:
                return None
            self.inbox.traded_at.pop(contract.conId, None)
            (ticker,) = await self._ib.reqTickersAsync(contract)
            return to_quote(symbol, ticker, self.inbox.traded_at.get(contract.conId))

    async def bars(self, symbols: Sequence[str], length: str, show: str) -> dict[str, list[Any]]:
        """Return daily bars up to now, the forming one included; a symbol without any is absent."""
        turn = asyncio.Semaphore(_BARS_AT_ONCE)
        found = await asyncio.gather(*(self._bars(each, length, show, turn) for each in symbols))
        return {symbol: rows for symbol, rows in zip(symbols, found, strict=True) if rows}

    async def _bars(
        self, symbol: str, length: str, show: str, turn: asyncio.Semaphore
    ) -> list[Any]:
        async with turn:
            contract = await self.contract(symbol)
            if contract is None:
                return []
            try:
                rows = await self._ib.reqHistoricalDataAsync(
                    contract, "", length, "1 day", show, useRTH=True, formatDate=1, timeout=0
                )
            except self._library.RequestError as error:
                if error.code == _NO_HISTORY and _PACING not in error.message.lower():
                    return []
                raise
            return list(rows)


def _told(error: OSError) -> str:
    """Return why a connection failed, in the system's words where it has any."""
    return os.strerror(error.errno) if error.errno else str(error)
