"""Answers to queries: account, orders, executions, contracts, quotes and daily bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from quant_platform_kit.contracts import Adjustment, BrokerOrder, OrderStatus
from quant_platform_kit.simulators._bars import bars
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.tws._codec import pack
from quant_platform_kit.simulators.tws._decoys import Decoy
from quant_platform_kit.simulators.tws._numbers import Numbers, contract_id
from quant_platform_kit.simulators.tws._orders import (
    NEW_YORK,
    OrderWriter,
    commission,
    execution_id,
    stock,
)
from quant_platform_kit.simulators.tws._tables import CONTRACT, POSITION, Tell

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

Frames: TypeAlias = list[bytes]

_ZERO: Final = Decimal(0)
_STALE: Final = timedelta(days=1)
_DELAY: Final = timedelta(minutes=15)
_SESSIONS: Final = {"D": 1, "W": 5, "M": 21, "Y": 252}
_LONGEST_IN_DAYS: Final = 365
_ADJUSTMENTS: Final = {"TRADES": Adjustment.SPLIT, "ADJUSTED_LAST": Adjustment.TOTAL_RETURN}
_LIVE, _DELAYED = 1, 3
_TICKS: Final = {_LIVE: (1, 2, 4, 45), _DELAYED: (66, 67, 68, 88)}  # bid, ask, last, its time
_REFUSED_LATER: Final = "Refused by the exchange."


class Refused(Exception):
    """The protocol answers a request with an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(slots=True)
class Venue:
    """The account as every client of a door sees it.

    Parameters
    ----------
    host : Host
    numbers : Numbers
    decoys : tuple of str
        Other accounts of the same login; each holds a little of its own, and trades what ours
        does.
    refused_later : set of str
        Orders that were acknowledged and refused afterwards.
    inactive : set of str
        Orders that are held: neither working nor ended.
    unlisted : set of str
        Executions that the next list leaves out.
    """

    host: Host
    numbers: Numbers = field(default_factory=Numbers)
    decoys: tuple[str, ...] = ()
    refused_later: set[str] = field(default_factory=set)
    inactive: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account of the login."""
        return (*self.decoys, self.host.account_id)

    def orders(self) -> tuple[BrokerOrder, ...]:
        """Return the orders as they are shown."""
        return tuple(self.shown(order) for order in self.host.orders())

    def shown(self, order: BrokerOrder) -> BrokerOrder:
        """Return an order as it is shown."""
        if order.broker_order_id in self.refused_later and order.status.is_final:
            return replace(order, status=OrderStatus.REJECTED, detail=_REFUSED_LATER)
        return order

    def today(self) -> date:
        """Return the day in New York."""
        return self.host.clock.now().astimezone(NEW_YORK).date()

    def unlist(self, order_id: str) -> None:
        """Leave the order's executions out of the next list."""
        self.unlisted.update(execution_id(fill) for fill in self.host.fills(order_id))


class Queries:
    """Answers one client's queries; every method is called under the host's lock."""

    def __init__(self, venue: Venue, version: int) -> None:
        self._venue = venue
        self._host = venue.host
        self._version = version
        self.writer = OrderWriter(version, venue.host.account_id, venue.numbers)
        self._others = [
            (Decoy(name, place), OrderWriter(version, name, venue.numbers))
            for place, name in enumerate(venue.decoys, start=1)
        ]

    def time(self) -> Frames:
        """Return the server's time."""
        return [pack(Tell.TIME, 1, int(self._host.clock.now().timestamp()))]

    def managed_accounts(self) -> Frames:
        """Return the names of the accounts."""
        return [pack(Tell.MANAGED_ACCOUNTS, 1, ",".join(self._venue.accounts))]

    def next_id(self) -> Frames:
        """Return a number for the next order."""
        return [pack(Tell.NEXT_ID, 1, self._venue.numbers.next_free())]

    # ── Account ────────────────────────────────────────────────────────────────────────

    def positions(self) -> Frames:
        """Return every holding of every account, and the end."""
        held = [
            self._position(self._host.account_id, p.symbol, p.quantity, p.average_cost_usd)
            for p in self._host.broker.positions()
        ]
        decoy = self._host.market.symbols[0]
        others = [self._position(name, decoy, Decimal(5), _ZERO) for name in self._venue.decoys]
        return [*others, *held, pack(Tell.POSITIONS_END, 1)]

    def position(self, symbol: str) -> bytes:
        """Return one holding, also one of nothing."""
        for held in self._host.broker.positions():
            if held.symbol == symbol:
                account = self._host.account_id
                return self._position(account, symbol, held.quantity, held.average_cost_usd)
        return self._position(self._host.account_id, symbol, _ZERO, _ZERO)

    def account_updates(self, account: str) -> Frames:
        """Return values and holdings of an account, and the end."""
        name = account or self._host.account_id
        values = [
            pack(Tell.ACCOUNT_VALUE, 2, tag, value, currency, name)
            for tag, value, currency in self._values(name)
        ]
        return [
            *values,
            *(self._portfolio(name) if name == self._host.account_id else ()),
            pack(Tell.ACCOUNT_TIME, 1, f"{self._host.clock.now().astimezone(NEW_YORK):%H:%M}"),
            pack(Tell.ACCOUNT_END, 1, name),
        ]

    def account_updates_multi(self, request_id: int, account: str) -> Frames:
        """Return an account's values, and the end."""
        values = [
            pack(Tell.ACCOUNT_MULTI, 1, request_id, account, "", tag, value, currency)
            for tag, value, currency in self._values(account)
        ]
        return [*values, pack(Tell.ACCOUNT_MULTI_END, 1, request_id)]

    def account_summary(self, request_id: int, tags: str) -> Frames:
        """Return the asked values of every account, and the end."""
        asked = set(tags.split(","))
        ledger = any(tag.startswith("$LEDGER") for tag in asked)
        rows = [
            pack(Tell.ACCOUNT_SUMMARY, 1, request_id, name, tag, value, currency)
            for name in self._venue.accounts
            for tag, value, currency in self._values(name)
            if tag in asked or (ledger and tag == "CashBalance")
        ]
        return [*rows, pack(Tell.ACCOUNT_SUMMARY_END, 1, request_id)]

    def _values(self, account: str) -> Sequence[tuple[str, str, str]]:
        if account != self._host.account_id:
            cash = equity = usable = Decimal(777)
        else:
            money = self._host.broker.account()
            cash, usable, equity = money.cash_usd, money.usable_cash_usd, money.equity_usd
        amounts = {
            "NetLiquidation": equity,
            "TotalCashValue": cash,
            "SettledCash": cash,
            "AvailableFunds": usable,
            "BuyingPower": usable,
            "GrossPositionValue": equity - cash,
            "CashBalance": cash,
        }
        rows = [(tag, f"{amount:.2f}", "USD") for tag, amount in amounts.items()]
        return [("AccountType", "INDIVIDUAL", ""), *rows]

    def _portfolio(self, account: str) -> Frames:
        rows: Frames = []
        for held in self._host.broker.positions():
            price = self._host.market.last_price(held.symbol, self._venue.today()) or _ZERO
            cost = held.average_cost_usd or _ZERO
            contract = POSITION.write(self._version, stock(held.symbol))[1:-2]
            gain = (price - cost) * held.quantity
            value = price * held.quantity
            numbers = (held.quantity, price, value, cost, gain, _ZERO)
            rows.append(pack(Tell.PORTFOLIO_VALUE, 8, *contract, *numbers, account))
        return rows

    def _position(
        self, account: str, symbol: str, quantity: Decimal, cost: Decimal | None
    ) -> bytes:
        values = stock(symbol) | {"account": account, "position": quantity, "avgCost": cost}
        return pack(Tell.POSITION, 3, *POSITION.write(self._version, values))

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def open_orders(self, client: int | None) -> Frames:
        """Return the working orders, those of one client or of all, and the end."""
        rows: Frames = []
        for order in self._venue.orders():
            owner, _ = self._venue.numbers.pair(order.broker_order_id)
            if not order.status.is_final and client in (None, owner):
                status = "Inactive" if order.broker_order_id in self._venue.inactive else ""
                request = self._host.request(order.broker_order_id)
                rows.append(self.writer.opened(order, request, status))
                rows.append(self.writer.status(order, order.filled_quantity, status))
                for decoy, writer in self._others if client is None else ():
                    rows.append(writer.opened(decoy.order(order), decoy.request(request)))
        return [*rows, pack(Tell.OPEN_ORDERS_END, 1)]

    def completed_orders(self) -> Frames:
        """Return the orders that ended today, and the end."""
        rows: Frames = []
        for order in self._venue.orders():
            at = self._host.broker.changed_at(order.broker_order_id) or order.submitted_at
            if order.status.is_final and at.astimezone(NEW_YORK).date() == self._venue.today():
                request = self._host.request(order.broker_order_id)
                rows.append(self.writer.completed(order, request, at))
                for decoy, writer in self._others:
                    rows.append(writer.completed(decoy.order(order), decoy.request(request), at))
        return [*rows, pack(Tell.COMPLETED_ORDERS_END)]

    def executions(self, request_id: int, *, twice: bool) -> Frames:
        """Return today's executions with their commissions, and the end."""
        rows: Frames = []
        cumulative: dict[str, Decimal] = {}
        hidden = set(self._venue.unlisted)
        for fill in self._host.fills():
            order_id = fill.broker_order_id
            cumulative[order_id] = cumulative.get(order_id, _ZERO) + fill.quantity
            if fill.at.astimezone(NEW_YORK).date() != self._venue.today():
                continue
            if execution_id(fill) in hidden:
                self._venue.unlisted.discard(execution_id(fill))
                continue
            row = self.writer.execution(fill, cumulative[order_id], request_id)
            rows += [row, row] if twice else [row]
            rows.append(commission(fill))
            for decoy, writer in self._others:
                theirs = decoy.fill(fill)
                rows.append(writer.execution(theirs, theirs.quantity, request_id))
                rows.append(commission(theirs))
        return [*rows, pack(Tell.EXECUTIONS_END, 1, request_id)]

    # ── Market ─────────────────────────────────────────────────────────────────────────

    def contract(self, asked: Mapping[str, str]) -> Frames:
        """Return a stock's contract, and the end."""
        symbol = self.symbol(asked)
        details = CONTRACT.write(
            self._version,
            {
                **stock(symbol),
                "reqId": asked["reqId"],
                "marketName": symbol,
                "minTick": "0.01",
                "orderTypes": "LMT,MKT,STP,STP LMT,TRAIL",
                "longName": f"{symbol} as simulated",
                "primaryExchange": "NASDAQ",
            },
        )
        return [pack(Tell.CONTRACT, *details), pack(Tell.CONTRACT_END, 1, asked["reqId"])]

    def snapshot(self, asked: Mapping[str, str], fault: WireFault | None) -> Frames:
        """Return the latest price of a stock and when it was made, and the end."""
        symbol, request_id = self.symbol(asked), asked["reqId"]
        if fault is WireFault.NO_MARKET_DATA:
            raise Refused(354, "Requested market data is not subscribed.")
        kind = _DELAYED if fault is WireFault.DELAYED_QUOTE else _LIVE
        rows = [
            pack(Tell.TICK_PARAMETERS, request_id, "0.01", "9c0001", 3),
            pack(Tell.MARKET_DATA_TYPE, 1, request_id, kind),
        ]
        quote = self._host.broker.quotes([symbol]).get(symbol)
        if quote is not None:
            late = {WireFault.STALE_QUOTE: _STALE, WireFault.DELAYED_QUOTE: _DELAY}
            at = quote.at - late.get(fault or WireFault.SLOW_ANSWER, timedelta())
            bid, ask, last, time = _TICKS[kind]
            rows += [
                pack(Tell.TICK_PRICE, 6, request_id, tick, quote.price_usd, 100, 0)
                for tick in (bid, ask, last)
            ]
            rows.append(pack(Tell.TICK_STRING, 6, request_id, time, int(at.timestamp())))
        return [*rows, pack(Tell.SNAPSHOT_END, 1, request_id)]

    def history(self, asked: Mapping[str, str], *, truncated: bool) -> Frames:
        """Return daily bars up to now, the forming one included."""
        symbol, what = self.symbol(asked), asked["whatToShow"]
        count = _sessions_of(asked["duration"])
        if asked["barSize"] != "1 day" or what not in _ADJUSTMENTS:
            raise Refused(321, "Only daily bars of trades are simulated.")
        if asked["endDateTime"]:
            raise Refused(321, "End date not supported with adjusted last.")
        frame = bars(self._host, symbol, _ADJUSTMENTS[what], self._venue.today())
        rows = [] if frame is None else _rows(frame.tail(count))
        if truncated:
            del rows[len(rows) // 2]
        if not rows:
            raise Refused(162, f"HMDS query returned no data: {symbol}@SMART Trades")
        values = [value for row in rows for value in row]
        span = (rows[0][0], rows[-1][0])
        return [pack(Tell.HISTORY, asked["reqId"], *span, len(rows), *values)]

    def symbol(self, asked: Mapping[str, str]) -> str:
        """Return the stock that a contract means.

        Raises
        ------
        Refused
            When there is none.
        """
        wanted, number = asked["symbol"].replace(" ", "."), asked["conId"]
        known = self._host.market.symbols
        for symbol in known if wanted not in known else (wanted,):
            named = symbol == wanted and number in ("0", "", str(contract_id(symbol)))
            if named or (not wanted and number == str(contract_id(symbol))):
                return symbol
        raise Refused(200, "No security definition has been found for the request")


def _sessions_of(duration: str) -> int:
    count, _, unit = duration.partition(" ")
    if unit == "D" and int(count) > _LONGEST_IN_DAYS:
        raise Refused(321, "Durations longer than 365 days must be made in years.")
    return int(count) * _SESSIONS[unit]


def _rows(bars: BarFrame) -> list[tuple[str | float, ...]]:
    close = bars.close.tolist()
    open_, high, low = (
        close if column is None else column.tolist() for column in (bars.open, bars.high, bars.low)
    )
    volume = [0] * len(bars) if bars.volume is None else bars.volume.tolist()
    days = [f"{session:%Y%m%d}" for session in bars.sessions]
    ones = [1] * len(bars)
    return list(zip(days, open_, high, low, close, volume, close, ones, strict=True))
