"""Daily bars of Yahoo Finance, through the `yfinance` library (extra ``[yfinance]``).

Yahoo's closes are adjusted for splits, and its adjusted closes for dividends too, both up to the
day of the question. So every symbol is asked for once, for all of its sessions, and an answer is
never put together with an earlier one. Prices as they were traded cannot be had from there. The
same answer has the dividends, adjusted for splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from http import HTTPStatus
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode, SettingsError, TransientError
from quant_platform_kit.market import BarFrame, Clock, ExchangeCalendar
from us_equity_snapshot_pipelines._dividends import Dividend, Payment, between
from us_equity_snapshot_pipelines._odd_dividends import assess

_COLUMNS: Final = {"open": "Open", "high": "High", "low": "Low", "close": "Close"}


class YahooBars:
    """A source of bars; see the module.

    Parameters
    ----------
    calendar : ExchangeCalendar
    clock : Clock
        Yahoo answers for a session that has not closed yet with what it has so far; that bar is
        left out.
    session : curl_cffi.requests.Session, optional
        What requests go through, where a desk has a proxy; the library's own when left out.

    Raises
    ------
    SettingsError
        When `yfinance` is not installed.
    """

    def __init__(
        self,
        calendar: ExchangeCalendar,
        clock: Clock,
        session: Any = None,  # noqa: ANN401 (untyped)
    ) -> None:
        self._library = _library()
        self._calendar = calendar
        self._clock = clock
        self._session = session
        self._answers: dict[tuple[str, date, date], Any] = {}

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return up to `sessions` bars of each symbol, ending at `last_session` or earlier.

        A symbol that Yahoo does not know is absent. A session without a close has no bar.

        Raises
        ------
        InputError
            ``BAR_INVALID`` when unadjusted prices are asked for.
        TransientError
            When Yahoo does not answer, or refuses to for now.
        """
        if adjustment is Adjustment.RAW:
            raise InputError(
                "Yahoo Finance has no unadjusted prices: its closes are adjusted for splits. "
                "Nothing was built. Ask for --adjustment split or total_return.",
                code=ReasonCode.BAR_INVALID,
            )
        span = self._span(sessions, last_session)
        found = {symbol: self._frame(symbol, *span, adjustment) for symbol in symbols}
        return {symbol: frame for symbol, frame in found.items() if frame is not None}

    def dividends(
        self,
        frames: Mapping[str, BarFrame],
        sessions: int,
        last_session: date,
        adjustment: Adjustment,
    ) -> tuple[tuple[Dividend, ...], tuple[str, ...]]:
        """Return the dividends of what was answered, and what is odd about them.

        The closes are held against them: where the adjusted ones leave one out, that is told.
        """
        span = self._span(sessions, last_session)
        traded = {symbol: self._frame(symbol, *span, Adjustment.SPLIT) for symbol in frames}
        known = {symbol: frame for symbol, frame in traded.items() if frame is not None}
        paid = [each for symbol in known for each in self._payments(symbol, *span)]
        odd = [
            f"Yahoo says that {each.symbol} paid {each.amount_usd:f} USD on {each.ex_date}"
            for each in paid
            if each.amount_usd < 0
        ]
        good = [each for each in paid if each.amount_usd > 0]
        dividends, findings = assess(good, known, Adjustment.SPLIT)
        if adjustment is Adjustment.TOTAL_RETURN:
            dividends = tuple(_held_against(dividends, known, frames))
            odd += [
                f"Yahoo's adjusted closes of {each.symbol} leave out the dividend of "
                f"{each.amount_usd:f} USD on {each.ex_date}, {each.share:.2%} of the close before"
                for each in dividends
                if not each.is_accounted
            ]
        return dividends, (*findings, *odd)

    def _span(self, sessions: int, last_session: date) -> tuple[date, date]:
        last = min(last_session, self._calendar.last_complete_session(self._clock.now()))
        return self._calendar.offset(last, 1 - sessions), last

    def _payments(self, symbol: str, first: date, last: date) -> Iterator[Payment]:
        table = self._ask(symbol, first, last)
        for instant, amount in table["Dividends"].items():
            if amount and first <= instant.date() <= last:
                yield Payment(symbol, instant.date(), Decimal(repr(float(amount))))

    def _frame(
        self, symbol: str, first: date, last: date, adjustment: Adjustment
    ) -> BarFrame | None:
        table = self._ask(symbol, first, last)
        if table is None:
            return None
        table = table[table["Close"].notna()]
        days = table.index.tz_localize(None).to_numpy().astype("datetime64[D]")
        inside = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
        if not inside.any():
            return None
        table = table[inside]
        ratio = (table["Adj Close"] / table["Close"]).to_numpy()
        if adjustment is Adjustment.SPLIT:
            ratio = np.ones_like(ratio)
        prices = {name: table[theirs].to_numpy() * ratio for name, theirs in _COLUMNS.items()}
        # Turned the other way, so that a close times its volume stays the dollars that were traded.
        volume = table["Volume"].to_numpy() / ratio
        return BarFrame(
            symbol=symbol, sessions=days[inside], adjustment=adjustment, volume=volume, **prices
        )

    def _ask(self, symbol: str, first: date, last: date) -> Any:  # noqa: ANN401 (untyped)
        """Return Yahoo's table of one symbol, asked for once; None when Yahoo does not know it."""
        question = (symbol, first, last)
        if question not in self._answers:
            self._answers[question] = self._answer(*question)
        return self._answers[question]

    def _answer(self, symbol: str, first: date, last: date) -> Any:  # noqa: ANN401 (untyped)
        faults = self._library.exceptions
        # Otherwise a line that is down looks like a symbol that nobody trades.
        self._library.config.debug.hide_exceptions = False
        ticker = self._library.Ticker(symbol.replace(".", "-"), session=self._session)
        try:
            return ticker.history(
                start=first.isoformat(),
                end=(last + timedelta(days=1)).isoformat(),
                auto_adjust=False,
                actions=True,
            )
        except faults.YFTickerMissingError:
            return None
        except (faults.YFException, OSError, ValueError) as error:  # what is no table, too
            answer = getattr(error, "response", None)
            if answer is not None and answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise TransientError(
                f"Yahoo Finance gave no prices of {symbol}: {error}. Nothing was built; the last "
                "published snapshot stays. Try again later, or take the prices from files.",
                code=ReasonCode.HISTORY_MISSING,
            ) from error


def _held_against(
    dividends: Sequence[Dividend],
    traded: Mapping[str, BarFrame],
    total: Mapping[str, BarFrame],
) -> Iterator[Dividend]:
    """Say of each dividend whether the adjusted closes account for at least half of it."""
    steps = {
        (symbol, each.ex_date): each.share
        for symbol, frame in traded.items()
        for each in between(frame, total[symbol], Adjustment.TOTAL_RETURN)
    }
    for each in dividends:
        days = traded[each.symbol].days
        day: date = days[np.searchsorted(days, np.datetime64(each.ex_date))].item()
        step = steps.get((each.symbol, day), 0.0)
        yield replace(each, is_accounted=abs(step - each.share) <= each.share / 2)


def _library() -> ModuleType:
    try:
        return import_module("yfinance")
    except ImportError as error:
        raise SettingsError(
            "--prices yfinance asks Yahoo Finance, and yfinance is not installed. Install "
            "us-equity-snapshot-pipelines[yfinance], or name a folder of prices."
        ) from error
