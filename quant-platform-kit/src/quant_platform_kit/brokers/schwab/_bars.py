"""Daily bars out of Schwab's price history, which is adjusted for splits and not for dividends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol
from zoneinfo import ZoneInfo

from quant_platform_kit.brokers._answers import MALFORMED
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import BrokerAnswerError, InputError, ReasonCode
from quant_platform_kit.market import BarFrame, ExchangeCalendar

if TYPE_CHECKING:
    from quant_platform_kit.brokers.schwab._session import Send

_NEW_YORK: Final = ZoneInfo("America/New_York")
_DAY: Final = timedelta(days=1)
_COLUMNS: Final = ("open", "high", "low", "close", "volume")
_NAMED: Final = 5  # missing sessions in a message


class Dividends(Protocol):
    """Where cash dividends come from; Schwab does not tell them."""

    def __call__(self, symbol: str, first: date, last: date) -> Mapping[date, Decimal]:
        """Return USD a share, in shares of today, by ex-dividend date from `first` to `last`.

        An empty answer means that there was none; what is not known raises `InputError`.
        """


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions that bars are asked for, ascending."""

    sessions: tuple[date, ...]

    @classmethod
    def ending(cls, last: date, count: int, calendar: ExchangeCalendar) -> Span:
        """Return the last `count` sessions up to `last`."""
        return cls(calendar.sessions(calendar.first_day, last)[-count:])

    def request(self, symbol: str) -> Send:
        """Return the request for a symbol's candles, a day more on either side."""
        first, last = (_midnight(day) for day in (self.sessions[0], self.sessions[-1]))
        return lambda client: client.get_price_history(
            symbol,
            period_type="year",
            frequency_type="daily",
            frequency=1,
            start_datetime=first - _DAY,
            end_datetime=last + 2 * _DAY,
            need_extended_hours_data=False,
        )

    def frame(
        self,
        symbol: str,
        answer: Mapping[str, Any],
        adjustment: Adjustment,
        dividends: Dividends | None,
    ) -> BarFrame | None:
        """Return the bars of the span; None when there are none.

        Raises
        ------
        InputError
            When a session between two bars has none, or the adjustment cannot be had.
        BrokerAnswerError
            When the answer has another form.
        """
        try:
            rows = {_session(candle): candle for candle in answer["candles"]}
            days = sorted(day for day in rows if self.sessions[0] <= day <= self.sessions[-1])
            columns = {name: [float(rows[day][name]) for day in days] for name in _COLUMNS}
        except MALFORMED as error:
            raise BrokerAnswerError(
                f"Schwab's bars of {symbol} cannot be read ({error!r}); nothing is decided on "
                "them. Run again, and report the form if it stays so.",
                symbol=symbol,
            ) from error
        if not days:
            return None
        self._check_complete(symbol, days)
        if adjustment is not Adjustment.SPLIT:
            factors = _factors(symbol, days, columns["close"], adjustment, dividends)
            columns = {
                name: [
                    v / f if name == "volume" else v * f for v, f in zip(c, factors, strict=True)
                ]
                for name, c in columns.items()
            }
        return BarFrame(
            symbol=symbol,
            sessions=days,
            close=columns["close"],
            adjustment=adjustment,
            open=columns["open"],
            high=columns["high"],
            low=columns["low"],
            volume=columns["volume"],
        )

    def _check_complete(self, symbol: str, days: Sequence[date]) -> None:
        expected = [day for day in self.sessions if days[0] <= day <= days[-1]]
        wrong = sorted(set(expected).symmetric_difference(days))
        if wrong:
            named = ", ".join(str(day) for day in wrong[:_NAMED])
            raise InputError(
                f"Schwab's bars of {symbol} are not those of the exchange's sessions: {len(wrong)} "
                f"too few or too many ({named}). Nothing is decided on them; run again.",
                code=ReasonCode.BAR_INVALID,
                symbol=symbol,
            )


def _factors(
    symbol: str,
    days: Sequence[date],
    closes: Sequence[float],
    adjustment: Adjustment,
    dividends: Dividends | None,
) -> list[float]:
    """Return each bar's factor: the product of (1 - dividend / close before it) of later ones."""
    if adjustment is Adjustment.RAW or dividends is None:
        raise InputError(
            f"Schwab has no {adjustment.value} bars of {symbol}: its bars are adjusted for splits, "
            "and SCHWAB_DIVIDENDS_PATH is not set. Nothing was decided; set it, or change the "
            "profile's history input.",
            symbol=symbol,
        )
    paid = dividends(symbol, days[0], days[-1])
    factors, factor = [1.0] * len(days), 1.0
    for index in range(len(days) - 2, -1, -1):
        amount = sum(
            float(usd) for day, usd in paid.items() if days[index] < day <= days[index + 1]
        )
        factor *= 1.0 - amount / closes[index]
        factors[index] = factor
    return factors


def _session(candle: Mapping[str, Any]) -> date:
    """Return the session of a candle, which stands at midnight in Chicago."""
    return datetime.fromtimestamp(int(candle["datetime"]) / 1000, UTC).astimezone(_NEW_YORK).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
