"""Quotes and daily candles, as the market data API shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.simulators._bars import bars
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.schwab._http import Reply, Request, bad

_CENTRAL: Final = ZoneInfo("America/Chicago")  # a daily candle stands at its midnight
_STALE: Final = timedelta(days=1)
_TICK: Final = Decimal("0.01")
_ENOUGH_SESSIONS: Final = 10_000


def company(symbol: str) -> str:
    """Return the name of a symbol's company, as quotes spell it."""
    return f"{symbol} Industries Incorporated"


class Market:
    """The market of a host; every method is called under its lock."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def quotes(self, request: Request) -> Reply:
        """Quote several symbols."""
        symbols = (request.argument("symbols") or "").split(",")
        quotes = self._host.broker.quotes([_ours(symbol) for symbol in symbols])
        found: dict[str, Any] = {
            symbol: self._quote_of(
                symbol, quotes[_ours(symbol)].price_usd, quotes[_ours(symbol)].at
            )
            for symbol in symbols
            if _ours(symbol) in quotes
        }
        missing = [symbol for symbol in symbols if symbol not in found]
        if missing:
            found["errors"] = {"invalidSymbols": missing}
        return Reply(200, found)

    def quote(self, _: Request, symbol: str) -> Reply:
        """Quote one symbol."""
        quote = self._host.broker.quotes([_ours(symbol)]).get(_ours(symbol))
        if quote is None:
            return Reply(404, {"errors": {"invalidSymbols": [symbol]}})
        return Reply(200, {symbol: self._quote_of(symbol, quote.price_usd, quote.at)})

    def _quote_of(self, symbol: str, price_usd: Decimal, at: datetime) -> dict[str, Any]:
        if self._host.wire.strike({WireFault.STALE_QUOTE}, "quotes", _ours(symbol)) is not None:
            at -= _STALE
        return {
            "assetMainType": "EQUITY",
            "symbol": symbol,
            "realtime": True,
            "reference": {"description": company(symbol)},
            "quote": {
                "askPrice": price_usd + _TICK,
                "bidPrice": price_usd - _TICK,
                "lastPrice": price_usd,
                "mark": price_usd,
                "closePrice": price_usd,
                "quoteTime": _millis(at),
                "tradeTime": _millis(at),
                "securityStatus": "Normal",
            },
        }

    def price_history(self, request: Request) -> Reply:
        """Return daily candles of one symbol."""
        if request.argument("frequencyType") != "daily":
            return bad("Only daily candles are served.")
        symbol = str(request.argument("symbol"))
        first = _moment(request.argument("startDate") or "0")
        last = _moment(request.argument("endDate") or str(_millis(self._host.clock.now())))
        candles = [
            c for c in self._candles(_ours(symbol)) if first <= _moment(c["datetime"]) <= last
        ]
        if self._host.wire.strike({WireFault.TRUNCATED}, "pricehistory", symbol) is not None:
            del candles[len(candles) // 2]
        return Reply(200, {"candles": candles, "symbol": symbol, "empty": not candles})

    def _candles(self, symbol: str) -> list[dict[str, Any]]:
        """Return every candle up to now, the one that is still forming included."""
        host = self._host
        session = host.calendar.current_session(host.clock.now())
        if session is None or host.clock.now() < host.calendar.session_open(session):
            session = host.calendar.last_complete_session(host.clock.now())
        frame = bars(host, symbol, Adjustment.SPLIT, session)
        if frame is None:
            return []
        frame = frame.tail(_ENOUGH_SESSIONS)
        columns = [frame.close if c is None else c for c in (frame.open, frame.high, frame.low)]
        volume = [0.0] * len(frame) if frame.volume is None else frame.volume
        rows = zip(frame.sessions, *columns, frame.close, volume, strict=True)
        return [
            {
                "open": float(opened),
                "high": float(high),
                "low": float(low),
                "close": float(close),
                "volume": int(shares),
                "datetime": _millis(datetime(day.year, day.month, day.day, tzinfo=_CENTRAL)),
            }
            for day, opened, high, low, close, shares in rows
        ]


def _ours(symbol: str) -> str:
    return symbol.replace("/", ".")


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(millis: str | int) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)
