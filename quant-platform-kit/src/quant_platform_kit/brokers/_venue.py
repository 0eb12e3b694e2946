"""The exchange as a simulated account sees it: sessions, their prices and what they take."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from quant_platform_kit.brokers._account_terms import AccountTerms
from quant_platform_kit.brokers._actions import CorporateAction
from quant_platform_kit.brokers._events import Priced
from quant_platform_kit.brokers._liquidity import Liquidity
from quant_platform_kit.brokers._market_data import MarketData
from quant_platform_kit.brokers._terms import Terms
from quant_platform_kit.contracts import TradingRules
from quant_platform_kit.market import ExchangeCalendar


@dataclass(frozen=True, slots=True)
class SessionVenue:
    """One price a session, its close, from the open on; implements `Venue`."""

    market: MarketData
    calendar: ExchangeCalendar
    rules: TradingRules
    account: AccountTerms
    liquidity: Liquidity

    def terms(self, symbol: str, at: datetime) -> Terms:
        """Return what the session of an instant offers; a refusal outside of its hours."""
        session = self.calendar.current_session(at)
        if session is None or not self._is_open(session, at):
            return self._closed(at)
        return Terms(
            at=at,
            price_usd=self.market.price(symbol, session),
            rules=self.rules,
            expires_at=self.calendar.session_close(session),
            volume=self.market.volume(symbol, session),
            liquidity=self.liquidity,
            settles_at=self._settles_at(session),
        )

    def next_price(self, symbol: str, after: datetime, until: datetime) -> Priced | None:
        """Return the first price that a session makes at its open, after one instant."""
        day, calendar = after.date(), self.calendar
        while day < until.date():
            day = calendar.next(day)
            opens_at = calendar.session_open(day)
            if opens_at > until:
                return None
            price = self.market.price(symbol, day)
            if price is not None:
                return Priced(symbol, price, opens_at)
        return None

    def actions(
        self, symbol: str, since: datetime, until: datetime
    ) -> Sequence[tuple[datetime, CorporateAction]]:
        """Return what happens to a symbol at the opens from one instant to another."""
        known = self.market.actions(symbol)
        if not known:
            return ()
        first = bisect_left(known, since.date(), key=_ex_date)
        last = bisect_right(known, until.date(), key=_ex_date)
        opens = [(self.calendar.session_open(each.ex_date), each) for each in known[first:last]]
        return [(at, action) for at, action in opens if since <= at <= until]

    def priced_session(self, now: datetime) -> tuple[date, datetime]:
        """Return the session whose prices are known at an instant, and when they were made."""
        calendar = self.calendar
        session = calendar.current_session(now)
        if session is None or now < calendar.session_open(session):
            session = calendar.last_complete_session(now)
        return session, min(now, calendar.session_close(session))

    def _closed(self, at: datetime) -> Terms:
        return Terms(
            at=at,
            price_usd=None,
            rules=self.rules,
            refusal="The exchange is closed.",
            volume=Decimal(0),
            liquidity=self.liquidity,
            settles_at=self._settles_at(self.calendar.last_complete_session(at)),
        )

    def _is_open(self, session: date, now: datetime) -> bool:
        calendar = self.calendar
        return calendar.session_open(session) <= now < calendar.session_close(session)

    def _settles_at(self, session: date) -> datetime | None:
        if not self.account.withholds:
            return None
        settles = self.calendar.offset(session, self.account.settlement_sessions)
        return self.calendar.session_open(settles)


def _ex_date(action: CorporateAction) -> date:
    return action.ex_date
