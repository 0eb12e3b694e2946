"""Interactive Brokers through TWS or IB Gateway, by `ib_async` or `ib_insync`.

Every query is asked afresh and answered whole. The client id of an order travels as its
``orderRef``, so an order whose answer was lost is found again. Executions and ended orders are
those of the broker's present day: TWS shows nothing older.

Import it from the main thread: the library's events want an event loop there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from quant_platform_kit.brokers._access import AccountAccess
from quant_platform_kit.brokers.ibkr import _placing as placing
from quant_platform_kit.brokers.ibkr._line import Line
from quant_platform_kit.brokers.ibkr._login import IbkrLogin
from quant_platform_kit.brokers.ibkr._orders import to_fill, to_order
from quant_platform_kit.brokers.ibkr._rows import (
    day_of,
    duration,
    reading,
    to_frame,
    to_positions,
    to_symbol,
    what_to_show,
)
from quant_platform_kit.brokers.ibkr._session import Session
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    FeeModel,
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
    PlatformError,
)
from quant_platform_kit.market import ExchangeCalendar, xnys

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

RULES: Final = TradingRules(
    fees=FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal("1.00")),
)
"""Whole shares, and the broker's fixed prices for US stocks."""

_PAPER_PREFIX: Final = "D"  # DU for a person's paper account, DF for an adviser's


def connect(login: IbkrLogin) -> IbkrBroker:
    """Return a connected broker; for a process of its own."""
    return IbkrBroker(login)


def open_account(access: AccountAccess) -> IbkrBroker:
    """Open the account that the settings name; TWS keeps the time and what there is to keep."""
    return connect(IbkrLogin(account=access.account_id, **access.login))


class IbkrBroker:
    """One account at Interactive Brokers; implements `Broker`.

    One call at a time, from any thread. A connection that broke, did not answer in time or sent
    something unreadable is given up, and the next call makes another one.

    Parameters
    ----------
    login : IbkrLogin
    rules : TradingRules
    calendar : ExchangeCalendar, optional

    Raises
    ------
    SettingsError
        When no client library is installed, or the configured account is not one of the login's.
    TransientError
        When TWS cannot be reached.
    """

    def __init__(
        self,
        login: IbkrLogin,
        *,
        rules: TradingRules = RULES,
        calendar: ExchangeCalendar | None = None,
    ) -> None:
        self._login = login
        self._rules = rules
        self._calendar = xnys() if calendar is None else calendar
        self._line = Line(login)
        self._doubtful: dict[str, float] = {}  # when an order of unknown fate was sent
        self._account_id = self._line.connected().account

    # ── What it is ─────────────────────────────────────────────────────────────────────

    @property
    def environment(self) -> Environment:
        """PAPER or LIVE, as the account's own id says."""
        paper = self._account_id.startswith(_PAPER_PREFIX)
        return Environment.PAPER if paper else Environment.LIVE

    @property
    def rules(self) -> TradingRules:
        """What the broker accepts and charges."""
        return self._rules

    def health(self) -> tuple[str, ...]:
        """Return what an operator should look at; empty when all is well."""
        return self._line.health()

    def release(self) -> None:
        """Disconnect: TWS lets a client id in once, and its orders are known to it alone."""
        self._line.close()

    def close(self) -> None:
        """Disconnect; a later call connects again."""
        self.release()

    # ── Queries ────────────────────────────────────────────────────────────────────────

    def account(self) -> Account:
        """Return the account's money; what the broker lends is not usable."""
        money = self._line.ask(Session.money)
        with reading("the account's money"):
            return Account(
                account_id=self._account_id,
                environment=self.environment,
                cash_usd=money.cash,
                usable_cash_usd=min(money.cash, money.available),
                equity_usd=money.equity,
            )

    def positions(self) -> tuple[Position, ...]:
        """Return every holding of US stocks, sorted by symbol."""
        rows = self._line.ask(Session.holdings)
        with reading("the positions"):
            return to_positions(rows, self._account_id)

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the account's working orders, whichever program placed them."""
        with self._line.lock:
            orders = self._line.ask(Session.open_orders)
            day = self._line.ask(Session.day)
        with reading("working orders"):
            return tuple(to_order(order, order.filled, day) for order in orders.values())

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return today's order with this client id.

        An order of unknown fate counts as absent only some time after it was sent: it may still
        be on its way.
        """
        with self._line.lock:
            found = self._line.ask(lambda session: placing.find(session, client_id))
            sent_at = self._doubtful.get(client_id)
            if found is None and sent_at is not None:
                sleep(max(0.0, sent_at + self._login.settle_secs - monotonic()))
                found = self._line.ask(lambda session: placing.find(session, client_id))
            self._doubtful.pop(client_id, None)
            return found

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return today's executions at or after `instant`, to the second, with their fees."""
        secs = self._login.commission_secs
        rows = self._line.ask(lambda session: session.executions(secs))
        with reading("executions"):
            fills = [to_fill(row, str(to_symbol(row.contract))) for row in rows]
        since = instant.replace(microsecond=0)
        return tuple(
            sorted((fill for fill in fills if fill.at >= since), key=lambda f: (f.at, f.fill_id))
        )

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:  # noqa: ARG002 (the port's)
        """Return None: TWS tells balances and trades, and nothing of what else moved the cash."""
        return None

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the last price of each symbol, with the instant at which it was made."""
        return self._line.ask(lambda session: session.quotes(symbols))

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return up to `sessions` complete daily bars of each symbol.

        Raises
        ------
        InputError
            When the bars do not agree with the exchange's sessions, or the broker does not have
            them with this adjustment.
        """
        if sessions < 1:
            raise ContractError(f"daily_bars.sessions = {sessions!r}: expected at least 1")
        show = what_to_show(adjustment)
        now = self._line.ask(Session.now)
        end = min(last_session, self._calendar.last_complete_session(now))
        forming = len(self._calendar.sessions(end, day_of(now).date()))
        length = duration(sessions + forming)
        found = self._line.ask(
            lambda session: session.bars(symbols, length, show), self._login.bars_secs
        )
        frames: dict[str, BarFrame] = {}
        for symbol, rows in found.items():
            with reading(f"bars of {symbol}"):
                complete = [row for row in rows if row.date <= end][-sessions:]
                frame = to_frame(symbol, complete, adjustment, self._calendar)
            if frame is not None:
                frames[symbol] = frame
        return frames

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order; a client id that the broker has already is refused here."""
        with self._line.lock:
            try:
                known = self.find_order(order.client_id)
                contract = self._line.ask(lambda session: session.contract(order.symbol))
            except PlatformError as error:
                return Submission(SubmitOutcome.DENIED, detail=error.message)
            if known is not None:
                return _rejected(
                    f"Duplicate client id: order {known.broker_order_id} ({known.status.value}) "
                    "has it. Nothing was sent."
                )
            if contract is None:
                return _rejected(f"Interactive Brokers knows no US stock {order.symbol}.")
            answer = self._handed_in(contract, order)
            if answer.outcome is SubmitOutcome.UNRESOLVED:
                self._doubtful[order.client_id] = monotonic()
            return answer

    def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancel and wait a moment for the order's end.

        Raises
        ------
        BrokerAnswerError
            When the account has no such order today, or another program placed it.
        """
        permanent = int(broker_order_id) if broker_order_id.isdigit() else 0
        with self._line.lock:
            order = self._line.ask(Session.open_orders).get(permanent)
            if order is None:
                if permanent not in self._line.ask(Session.trace).orders:
                    raise BrokerAnswerError(
                        f"The account has no order {broker_order_id} today; nothing was cancelled. "
                        "The journal and the broker disagree: look for the order at the broker."
                    )
                return
            if order.client != self._login.client_id:
                raise BrokerAnswerError(
                    f"Order {broker_order_id} was placed by client {order.client} and cannot be "
                    f"cancelled by client {self._login.client_id}; it works on. Cancel it in TWS, "
                    "or give this service the client id that it had.",
                    symbol=order.symbol,
                )
            secs, number = self._login.cancel_secs, order.number
            self._line.ask(lambda session: placing.cancel(session, permanent, number, secs))

    def _handed_in(self, contract: Any, order: OrderRequest) -> Submission:  # noqa: ANN401 (the library's)
        client, secs = self._login.client_id, self._login.order_secs
        limit = secs + self._login.query_secs
        try:
            return self._line.ask(
                lambda session: placing.place(session, contract, order, client, secs), limit
            )
        except PlatformError as error:
            return Submission(SubmitOutcome.UNRESOLVED, detail=error.message)


def _rejected(detail: str) -> Submission:
    return Submission(SubmitOutcome.REJECTED, detail=detail)
