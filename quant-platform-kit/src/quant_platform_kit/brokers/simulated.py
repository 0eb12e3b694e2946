"""A whole broker on historical prices: it keeps an account, matches orders and can be faulty.

It stands for the far side. Its book has a file of its own, so the account survives the service
that trades it, as an account at a real broker does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quant_platform_kit.brokers._account_terms import AccountTerms
from quant_platform_kit.brokers._book import Book, money, replay
from quant_platform_kit.brokers._book_file import BookFile
from quant_platform_kit.brokers._events import Cancelled, Event, Moved, Opened, Refused
from quant_platform_kit.brokers._faults import SUBMIT_FAULTS, Fault, Faults, FaultSwitch
from quant_platform_kit.brokers._liquidity import Liquidity
from quant_platform_kit.brokers._market_data import MarketData
from quant_platform_kit.brokers._matching import enter, next_due
from quant_platform_kit.brokers._terms import Terms
from quant_platform_kit.brokers._venue import SessionVenue
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    MovementKind,
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
    SettingsError,
    TransientError,
)
from quant_platform_kit.market import Clock, ExchangeCalendar, SystemClock

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

_ZERO: Final = Decimal(0)
_FILL_RATIOS: Final = {
    Fault.NO_FILL: _ZERO,
    Fault.LATE_FILL: _ZERO,
    Fault.PARTIAL_FILL: Decimal("0.5"),
}


class SimulatedBroker:
    """One simulated account; implements `Broker`.

    How it trades:

    - A session has one price per symbol, its close, from the open on. Before the open and on days
      without a session quotes are those of the last session, made at its close. A symbol that was
      not priced in the session has no quote.
    - A market order fills at once, whole, at that price; a limit order does when the price allows
      it, and otherwise rests. A stop is triggered by the first session's price at its trigger or
      beyond and trades there, a stop-limit within its limit; a trailing trigger follows each
      session's price. What rests works until it is cancelled, and a day order no longer than its
      session. Outside the session every order is refused.
    - Refused are also: a symbol without a price, a fraction of a lot, less than the smallest
      order, a sale of more than is free, a purchase that usable cash does not pay with its fee,
      and a client id that was seen before.
    - Sale proceeds are usable at once, in a cash account when they settle; working purchases
      reserve their cash, working sales their shares.
    - A session takes of an order what `liquidity` allows, at a price that it makes worse. The rest
      of a day order expires, that of an order until cancelled goes on in the next session.
    - On a market of raw prices splits and dividends happen at the open of their ex-date.

    The same orders at the same instants give the same book, ids included. Queries never write:
    what time alone does to an account is worked out when it is looked at, and written with the
    next order. Use one object from one thread at a time; another process may trade the same book
    when the account's lease is its own, and is noticed.

    Parameters
    ----------
    account_id : str
    market : MarketData
    clock : Clock
        The broker's clock. A book never goes back: within a session a slower clock is taken to
        stand at the book's last event; on an earlier day every call raises `TransientError`.
    calendar : ExchangeCalendar
    rules : TradingRules
        What orders must obey and what they cost.
    opening_cash_usd : Decimal
        Cash of a new account; must stay what it was for a book that exists.
    terms : AccountTerms, optional
        Cash or margin; margin when absent.
    liquidity : Liquidity, optional
        How much of an order a session takes and at what cost; all of it, for its price, when
        absent.
    book_path : Path, optional
        File of the book; the account lives in memory when absent.
    faults : Faults, optional
    latency_secs : float
        Real time that a submission spends on its way in, and again on its way out.
    pause : callable, optional
        Waits for the latency; the machine's own sleep when absent.
    """

    def __init__(  # noqa: PLR0913 (a composition root injects every part)
        self,
        account_id: str,
        market: MarketData,
        clock: Clock,
        calendar: ExchangeCalendar,
        *,
        rules: TradingRules,
        opening_cash_usd: Decimal,
        terms: AccountTerms | None = None,
        liquidity: Liquidity | None = None,
        book_path: Path | None = None,
        faults: Faults | None = None,
        latency_secs: float = 0.0,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._market = market
        self._clock = clock
        self._calendar = calendar
        self._rules = rules
        self._account_terms = AccountTerms() if terms is None else terms
        self._liquidity = Liquidity() if liquidity is None else liquidity
        self._opening = Opened(account_id, opening_cash_usd, clock.now())
        self._file = None if book_path is None else BookFile(book_path)
        self._faults = Faults() if faults is None else faults
        self._latency_secs = latency_secs
        self._pause = SystemClock().sleep if pause is None else pause
        self._unwritten: list[Event] = []
        self._book = self._load()

    @property
    def last_event_at(self) -> datetime | None:
        """When the account last changed; its clock must not show an earlier session."""
        return self._book.last_at

    @property
    def environment(self) -> Environment:
        """Always SIMULATED."""
        return Environment.SIMULATED

    @property
    def rules(self) -> TradingRules:
        """What the broker accepts and charges."""
        return self._rules

    def health(self) -> tuple[str, ...]:
        """Return nothing: there is nothing a human could do for it."""
        return ()

    def release(self) -> None:
        """Do nothing: the book is this program's."""

    # ── Queries ────────────────────────────────────────────────────────────────────────

    def account(self) -> Account:
        """Return the account's money; a holding counts at its latest price.

        Raises
        ------
        BrokerAnswerError
            When the market does not know a symbol that is held.
        """
        book = self._present()
        session, _ = self._venue().priced_session(self._now())
        equity = book.cash_usd
        for symbol, holding in book.holdings.items():
            equity += money(self._mark(symbol, session), holding.quantity)
        return Account(
            account_id=self._opening.account_id,
            environment=self.environment,
            cash_usd=book.cash_usd,
            usable_cash_usd=book.usable_cash_usd(),
            sales_pay_at_once=not self._account_terms.withholds,
            equity_usd=equity,
        )

    def positions(self) -> tuple[Position, ...]:
        """Return every holding, sorted by symbol."""
        book = self._present()
        if self._faults.strike({Fault.POSITIONS_FAIL}) is not None:
            raise TransientError(
                "The positions of the account cannot be had; nothing is assumed about them and "
                "nothing was sent. Run the slot again when the broker answers."
            )
        return book.positions()

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders in order of submission."""
        return self._present().open_orders()

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this client id; None proves that it never arrived."""
        return self._present().find(client_id)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`, in order of execution."""
        fills = self._present().fills
        found = fills[bisect_left(fills, instant, key=lambda fill: fill.at) :]
        listed: list[Fill] = []
        for fill in found:
            twice = self._faults.strike({Fault.DUPLICATE_FILL}, fill.symbol) is not None
            listed.extend((fill, fill) if twice else (fill,))
        return tuple(listed)

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return dividends and whatever else moved the cash at or after `since`, in order."""
        movements = self._present().movements
        return tuple(movements[bisect_left(movements, since, key=lambda each: each.at) :])

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the price of each symbol in the session of now; one without a price is absent."""
        self._present()
        session, at = self._venue().priced_session(self._now())
        quotes: dict[str, Quote] = {}
        for symbol in symbols:
            price = self._market.price(symbol, session)
            missing = self._faults.strike({Fault.QUOTE_MISSING}, symbol) is not None
            if price is not None and not missing:
                quotes[symbol] = Quote(symbol, price, at)
        return quotes

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return up to `sessions` bars of each symbol, ending at `last_session` or earlier.

        A session that had not closed by now has no bar, whatever `last_session` says.

        Raises
        ------
        InputError
            When the market has the symbol with another adjustment only.
        """
        if sessions < 1:
            raise ContractError(f"daily_bars.sessions = {sessions!r}: expected at least 1")
        self._present()
        end = min(last_session, self._calendar.last_complete_session(self._now()))
        bars: dict[str, BarFrame] = {}
        for symbol in symbols:
            frame = self._market.frame(symbol, adjustment, end)
            cut = None if frame is None else frame.tail(sessions)
            if cut is not None and len(cut):
                bars[symbol] = cut
        return bars

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def submit(self, order: OrderRequest) -> Submission:
        """Take one order; what became of it is on disk before the answer is given."""
        self._pause(self._latency_secs)
        switch = self._faults.strike(SUBMIT_FAULTS, order.symbol)
        fault = None if switch is None else switch.fault
        if fault is Fault.REPLY_LOST_BEFORE:
            return _unresolved("The connection broke while the order was sent.")
        try:
            submission = self._take(order, switch)
        except TransientError as error:
            return _unresolved(error.message)
        self._pause(self._latency_secs)
        if fault is Fault.REPLY_LOST_AFTER:
            return _unresolved("The connection broke before the broker's answer arrived.")
        return submission

    def cancel(self, broker_order_id: str) -> None:
        """Take a working order off the book; one that has ended stays as it is.

        Raises
        ------
        BrokerAnswerError
            When the account has no such order.
        """
        book = self._present()
        if broker_order_id not in book.orders:
            raise BrokerAnswerError(
                f"The account has no order {broker_order_id}; nothing was cancelled. The journal "
                "and the broker disagree: look for the order at the broker."
            )
        if broker_order_id in book.working:
            self._record((Cancelled(broker_order_id, self._now()),))

    # ── The back office ────────────────────────────────────────────────────────────────

    def move_cash(
        self, kind: MovementKind, amount_usd: Decimal, *, symbol: str | None = None, text: str = ""
    ) -> None:
        """Let cash come or go for a reason outside the market, as a bank or the owner does.

        Raises
        ------
        ContractError
            When the account cannot spare what is to go.
        """
        spare = self._present().usable_cash_usd()
        if spare + amount_usd < _ZERO:
            raise ContractError(f"amount_usd = {amount_usd}: the account can spare {spare} USD")
        self._record((Moved(kind, amount_usd, self._now(), symbol, text),))

    # ── The book ───────────────────────────────────────────────────────────────────────

    def _take(self, order: OrderRequest, switch: FaultSwitch | None) -> Submission:
        book = self._present()
        known = book.find(order.client_id)
        if known is not None:
            return _rejected(
                f"Duplicate client id: order {known.broker_order_id} ({known.status.value}) has "
                "it. Nothing was booked."
            )
        events = enter(book, order, self._terms(order.symbol, switch))
        self._record(events)
        first = events[0]
        if isinstance(first, Refused):
            return _rejected(first.detail, first.order_id)
        return Submission(SubmitOutcome.ACKED, broker_order_id=first.order_id)

    def _terms(self, symbol: str, switch: FaultSwitch | None) -> Terms:
        now = self._now()
        terms = self._venue().terms(symbol, now)
        if switch is None or terms.refusal:
            return terms
        fault = switch.fault
        late = timedelta(seconds=switch.delay_secs) if fault is Fault.LATE_FILL else None
        return replace(
            terms,
            fill_ratio=_FILL_RATIOS.get(fault, Decimal(1)),
            fills_at=None if late is None else now + late,
            refusal="The broker refused the order." if fault is Fault.REJECT else "",
        )

    def _venue(self) -> SessionVenue:
        return SessionVenue(
            self._market, self._calendar, self._rules, self._account_terms, self._liquidity
        )

    def _record(self, events: Sequence[Event]) -> None:
        if self._file is not None:
            self._file.append((*self._unwritten, *events))
            self._unwritten.clear()
        self._book.apply(*events)

    def _present(self) -> Book:
        """Return the book as of now: what another process wrote, and what time alone did."""
        if self._file is not None and self._file.changed():
            self._book = self._load()
        now = self._now()
        venue = self._venue()
        while (event := next_due(self._book, now, venue)) is not None:
            self._book.apply(event)
            if self._file is not None:
                self._unwritten.append(event)
        return self._book

    def _load(self) -> Book:
        events = () if self._file is None else self._file.read()
        self._unwritten.clear()
        if not events:
            events = (self._opening,)
            if self._file is not None:
                self._unwritten.append(self._opening)
        self._check_opening(events[0])
        return replay(events, fees=self._rules.fees)

    def _check_opening(self, first: Event) -> None:
        if not isinstance(first, Opened):
            raise BrokerAnswerError(
                "The simulated account's book does not begin with its opening; what the account "
                "holds is unknown and nothing was sent. Restore the file."
            )
        if first.account_id != self._opening.account_id:
            raise SettingsError(
                "QPK_ACCOUNT_ID is not the account of the simulated book in QPK_STATE_DIR; "
                "nothing was sent. Set the account's own id, or another state folder."
            )
        if first.cash_usd != self._opening.cash_usd:
            raise SettingsError(
                f"QPK_SIMULATED_CASH_USD = {self._opening.cash_usd}: the simulated account was "
                f"opened with {first.cash_usd}, which cannot change afterwards. Set that amount, "
                "or begin a new account in another QPK_STATE_DIR."
            )

    # ── Time and prices ────────────────────────────────────────────────────────────────

    def _now(self) -> datetime:
        now, last = self._clock.now(), self._book.last_at
        if last is None or now >= last:
            return now
        if now.date() == last.date():  # a session lies within one UTC day
            return last
        raise TransientError(
            f"The simulated account has lived until {last:%Y-%m-%d %H:%M} UTC, the clock shows "
            f"{now:%Y-%m-%d %H:%M} UTC; nothing was sent. Ask for that session or a later one, or "
            "begin a new account in another QPK_STATE_DIR."
        )

    def _mark(self, symbol: str, session: date) -> Decimal:
        price = self._market.last_price(symbol, session)
        if price is None:
            raise BrokerAnswerError(
                f"The account holds {symbol}, which the simulated market does not price; its "
                "equity is unknown and nothing was sent. Add the symbol's prices to "
                "QPK_SIMULATED_MARKET.",
                symbol=symbol,
            )
        return price


def _rejected(detail: str, order_id: str | None = None) -> Submission:
    return Submission(SubmitOutcome.REJECTED, broker_order_id=order_id, detail=detail)


def _unresolved(detail: str) -> Submission:
    return Submission(SubmitOutcome.UNRESOLVED, detail=detail)
