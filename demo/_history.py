"""From reports to a curve: what each account held and was worth, day by day.

Books are rebuilt from the fills alone, in exact decimals, so that they can be held against the
holdings that the broker reported; the daily values in between are floats, for display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from demo._accounts import BENCHMARK, DemoAccount
from demo._data import DemoMarket
from demo._services import SlotRun
from quant_platform_kit.contracts import CycleReport, Side


@dataclass(frozen=True, slots=True)
class Book:
    """An account after a slot: dollars, and shares by symbol."""

    session: date
    cash_usd: Decimal
    quantities: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """One account from its first slot to the last day of the data.

    Parameters
    ----------
    account : DemoAccount
    runs : tuple of SlotRun
        One per slot, ascending.
    books : tuple of Book
        The account after each of them.
    days : tuple of date
        Every session, ascending.
    equity_usd, index_usd : tuple of float
        On each day: the account, and the same opening dollars in the index. The first value of
        both is the opening cash.
    """

    account: DemoAccount
    runs: tuple[SlotRun, ...]
    books: tuple[Book, ...]
    days: tuple[date, ...]
    equity_usd: tuple[float, ...]
    index_usd: tuple[float, ...]

    @property
    def reports(self) -> tuple[CycleReport, ...]:
        """The report of every slot."""
        return tuple(run.report for run in self.runs)

    @property
    def strategy(self) -> str:
        """The strategy's display name, as its reports give it."""
        names = [s.display_name["en"] for report in self.reports for s in report.strategies]
        return names[-1] if names else self.account.profile


def histories(
    accounts: Sequence[DemoAccount], runs: Sequence[SlotRun], market: DemoMarket
) -> tuple[AccountHistory, ...]:
    """Return the history of each account, in the accounts' order."""
    return tuple(
        _history(account, tuple(run for run in runs if run.account == account), market)
        for account in accounts
    )


def books(opening_cash_usd: Decimal, reports: Sequence[CycleReport]) -> tuple[Book, ...]:
    """Return the account after each report, from its opening cash and the reported fills."""
    cash = opening_cash_usd
    held: dict[str, Decimal] = {}
    after: list[Book] = []
    for report in reports:
        for order in report.orders:
            if not order.filled_quantity:
                continue
            price = order.average_price_usd or Decimal(0)
            sign = 1 if order.side is Side.BUY else -1
            held[order.symbol] = held.get(order.symbol, Decimal(0)) + sign * order.filled_quantity
            cash -= sign * order.filled_quantity * price + order.fee_usd
        held = {symbol: quantity for symbol, quantity in held.items() if quantity}
        session = report.session or report.started_at.date()
        after.append(Book(session, cash, dict(sorted(held.items()))))
    return tuple(after)


def _history(account: DemoAccount, runs: tuple[SlotRun, ...], market: DemoMarket) -> AccountHistory:
    after = books(account.opening_cash_usd, [run.report for run in runs])
    days = market.sessions(runs[0].session)
    index = market.closes(BENCHMARK, days)
    opening = float(account.opening_cash_usd)
    equity = (opening, *daily_equity(after, days, market)[1:])
    return AccountHistory(
        account=account,
        runs=runs,
        books=after,
        days=days,
        equity_usd=equity,
        index_usd=tuple(opening * level / index[0] for level in index),
    )


def daily_equity(
    after: Sequence[Book], days: tuple[date, ...], market: DemoMarket
) -> tuple[float, ...]:
    """Return cash and holdings at the close of each day, in USD."""
    symbols = {symbol for book in after for symbol in book.quantities}
    closes = {symbol: market.closes(symbol, days) for symbol in symbols}
    starts = [days.index(book.session) for book in after]
    values: list[float] = []
    for book, (start, stop) in zip(after, pairwise([*starts, len(days)]), strict=True):
        held = {symbol: float(quantity) for symbol, quantity in book.quantities.items()}
        cash = float(book.cash_usd)
        values += [
            cash + sum(quantity * closes[symbol][day] for symbol, quantity in held.items())
            for day in range(start, stop)
        ]
    return tuple(values)
