"""What the quote socket answers: who the client is, quotes, candles and trading days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._bars import bars
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.longbridge import _messages as messages
from quant_platform_kit.simulators.longbridge._credentials import member_id
from quant_platform_kit.simulators.longbridge._messages import Command
from quant_platform_kit.simulators.longbridge._protobuf import Message
from quant_platform_kit.simulators.longbridge._rows import NEW_YORK, ticker

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

Answer: TypeAlias = Callable[[dict[str, Any], WireFault | None], Mapping[str, Any]]

_DAY: Final = timedelta(days=1)
_DATE: Final = "%Y%m%d"
_MOST_CANDLES: Final = 1000
_OPEN, _CLOSE = 930, 1600  # of the regular session, as hours and minutes of New York
_ADJUSTMENTS: Final = {0: Adjustment.RAW, 1: Adjustment.TOTAL_RETURN}  # none, and forward
_HISTORY_LIMIT: Final = 500  # symbols a month


@dataclass(frozen=True, slots=True)
class Quotes:
    """The market, as the quote socket shows it; used under the host's lock."""

    host: Host

    def operations(self) -> Mapping[int, tuple[str, Message, Message, Answer]]:
        """Return name, request, answer and function of each command."""
        return {
            Command.PROFILE: ("profile", messages.NOTHING, messages.PROFILE, self.profile),
            Command.TRADING_PERIODS: (
                "trading_periods",
                messages.NOTHING,
                messages.TRADING_PERIODS,
                self.trading_periods,
            ),
            Command.TRADING_DAYS: (
                "trading_days",
                messages.TRADING_DAYS_REQUEST,
                messages.TRADING_DAYS,
                self.trading_days,
            ),
            Command.QUOTE: ("quote", messages.SYMBOLS, messages.QUOTES, self.quote),
            Command.CANDLES: ("candles", messages.CANDLES_REQUEST, messages.CANDLES, self.candles),
            Command.HISTORY_CANDLES: (
                "candles",
                messages.HISTORY_CANDLES_REQUEST,
                messages.CANDLES,
                self.history,
            ),
        }

    def profile(self, *_: object) -> Mapping[str, Any]:
        """Return who is connected."""
        return {
            "member_id": member_id(self.host.account_id),
            "quote_level": "Lv1",
            "subscribe_limit": 500,
            "history_candlestick_limit": _HISTORY_LIMIT,
        }

    def trading_periods(self, *_: object) -> Mapping[str, Any]:
        """Return the regular hours of the US market."""
        period = {"begin": _OPEN, "end": _CLOSE}
        return {"markets": [{"market": "US", "periods": [period]}]}

    def trading_days(self, request: dict[str, Any], _: object) -> Mapping[str, Any]:
        """Return the sessions of a span; of the US market whatever market is asked for."""
        calendar = self.host.calendar
        first = max(_day(request["begin"]), calendar.first_day)
        sessions = calendar.sessions(first, min(_day(request["end"]), calendar.last_day))
        half = {session for session in sessions if calendar.is_early_close(session)}
        return {
            "days": [f"{day:{_DATE}}" for day in sessions if day not in half],
            "half_days": [f"{day:{_DATE}}" for day in sorted(half)],
        }

    def quote(self, request: dict[str, Any], fault: WireFault | None) -> Mapping[str, Any]:
        """Return the quotes of the symbols that have one."""
        symbols = [ticker(symbol) for symbol in request["symbols"]]
        rows = []
        for symbol, quote in self.host.broker.quotes(symbols).items():
            at = quote.at - _DAY if fault is WireFault.STALE_QUOTE else quote.at
            price = str(quote.price_usd)
            prices = dict.fromkeys(("last_done", "prev_close", "open", "high", "low"), price)
            row = {"symbol": f"{symbol}.US", "timestamp": int(at.timestamp()), "turnover": "0"}
            rows.append(row | prices)
        return {"quotes": rows}

    def candles(self, request: dict[str, Any], _: object) -> Mapping[str, Any]:
        """Return the youngest daily candles, the one that still forms included."""
        count = min(request["count"], _MOST_CANDLES)
        return self._candles(request, lambda rows: rows[len(rows) - min(count, len(rows)) :])

    def history(self, request: dict[str, Any], _: object) -> Mapping[str, Any]:
        """Return the daily candles between two dates, the youngest thousand of them."""
        if request["query_type"] != messages.BY_DATE or request["by_date"] is None:
            raise ContractError("only history by date is served")
        first, last = (_day(request["by_date"][name]) for name in ("start_date", "end_date"))
        return self._candles(
            request,
            lambda rows: [row for row in rows if first <= row[0] <= last][-_MOST_CANDLES:],
        )

    def _candles(
        self,
        request: dict[str, Any],
        cut: Callable[
            [Sequence[tuple[date, dict[str, Any]]]], Sequence[tuple[date, dict[str, Any]]]
        ],
    ) -> Mapping[str, Any]:
        if request["period"] != messages.DAY_PERIOD:
            raise ContractError(f"period {request['period']}: only daily candles are served")
        if request["adjust_type"] not in _ADJUSTMENTS:
            raise ContractError(f"adjust_type {request['adjust_type']}: there is no such")
        now = self.host.clock.now().astimezone(NEW_YORK)
        until = now.date() if now.time() >= time(9, 30) else now.date() - _DAY
        adjustment = _ADJUSTMENTS[request["adjust_type"]]
        frame = bars(self.host, ticker(request["symbol"]), adjustment, until)
        if frame is None:
            return {"symbol": request["symbol"], "candles": []}
        rows = cut(_rows(frame))
        return {"symbol": request["symbol"], "candles": [row for _, row in rows]}


def _rows(frame: BarFrame) -> list[tuple[date, dict[str, Any]]]:
    columns = {name: getattr(frame, name) for name in ("close", "open", "low", "high")}
    prices = {
        name: (frame.close if column is None else column).tolist()
        for name, column in columns.items()
    }
    volumes = [0] * len(frame) if frame.volume is None else frame.volume.tolist()
    rows = []
    for index, session in enumerate(frame.sessions):
        midnight = datetime.combine(session, time(), NEW_YORK)
        row: dict[str, Any] = {
            name: str(Decimal(repr(column[index]))) for name, column in prices.items()
        }
        row |= {"volume": int(volumes[index]), "turnover": "0"}
        row |= {"timestamp": int(midnight.timestamp())}
        rows.append((session, row))
    return rows


def _day(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as error:
        raise ContractError(f"date {text!r}: expected YYYYMMDD") from error
