"""LongBridge's messages and commands, as far as the simulator speaks them.

Field numbers are facts of the protocol; names are ours where ours are clearer.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from quant_platform_kit.simulators.longbridge._protobuf import Field, Message, Scalar

_INT, _BOOL, _TEXT, _BYTES = Scalar.INTEGER, Scalar.BOOLEAN, Scalar.TEXT, Scalar.BYTES


class Command(IntEnum):
    """Commands of both sockets; `SUBSCRIBE_TRADES` on is the trade socket's."""

    HEARTBEAT = 1
    AUTH = 2
    RECONNECT = 3
    PROFILE = 4
    SUBSCRIBE_QUOTES = 6
    UNSUBSCRIBE_QUOTES = 7
    TRADING_PERIODS = 8
    TRADING_DAYS = 9
    STATIC_INFO = 10
    QUOTE = 11
    CANDLES = 19
    HISTORY_CANDLES = 27
    SUBSCRIBE_TRADES = 16
    UNSUBSCRIBE_TRADES = 17
    NOTIFICATION = 18


def _message(*fields: Field) -> Message:
    return Message(fields)


# ── Both sockets ───────────────────────────────────────────────────────────────────────

ERROR: Final = _message(Field(1, "code", _INT), Field(2, "msg", _TEXT))
HEARTBEAT: Final = _message(Field(1, "timestamp", _INT), Field(2, "heartbeat_id", _INT))
AUTH_REQUEST: Final = _message(Field(1, "token", _TEXT))
RECONNECT_REQUEST: Final = _message(Field(1, "session_id", _TEXT))
SESSION: Final = _message(
    Field(1, "session_id", _TEXT),
    Field(2, "expires", _INT),
    Field(3, "limit", _INT),
    Field(4, "online", _INT),
)

# ── Quotes ─────────────────────────────────────────────────────────────────────────────

PROFILE: Final = _message(
    Field(1, "member_id", _INT),
    Field(2, "quote_level", _TEXT),
    Field(3, "subscribe_limit", _INT),
    Field(4, "history_candlestick_limit", _INT),
)
TRADING_PERIODS: Final = _message(
    Field(
        1,
        "markets",
        _message(
            Field(1, "market", _TEXT),
            Field(
                2,
                "periods",
                _message(Field(1, "begin", _INT), Field(2, "end", _INT), Field(3, "session", _INT)),
                repeated=True,
            ),
        ),
        repeated=True,
    )
)
TRADING_DAYS_REQUEST: Final = _message(
    Field(1, "market", _TEXT), Field(2, "begin", _TEXT), Field(3, "end", _TEXT)
)
TRADING_DAYS: Final = _message(
    Field(1, "days", _TEXT, repeated=True), Field(2, "half_days", _TEXT, repeated=True)
)
SYMBOLS: Final = _message(Field(1, "symbols", _TEXT, repeated=True))
QUOTES: Final = _message(
    Field(
        1,
        "quotes",
        _message(
            Field(1, "symbol", _TEXT),
            Field(2, "last_done", _TEXT),
            Field(3, "prev_close", _TEXT),
            Field(4, "open", _TEXT),
            Field(5, "high", _TEXT),
            Field(6, "low", _TEXT),
            Field(7, "timestamp", _INT),
            Field(8, "volume", _INT),
            Field(9, "turnover", _TEXT),
            Field(10, "trade_status", _INT),
        ),
        repeated=True,
    )
)
CANDLES_REQUEST: Final = _message(
    Field(1, "symbol", _TEXT),
    Field(2, "period", _INT),
    Field(3, "count", _INT),
    Field(4, "adjust_type", _INT),
)
HISTORY_CANDLES_REQUEST: Final = _message(
    Field(1, "symbol", _TEXT),
    Field(2, "period", _INT),
    Field(3, "adjust_type", _INT),
    Field(4, "query_type", _INT),
    Field(
        5,
        "by_offset",
        _message(
            Field(1, "direction", _INT),
            Field(2, "date", _TEXT),
            Field(3, "minute", _TEXT),
            Field(4, "count", _INT),
        ),
    ),
    Field(6, "by_date", _message(Field(1, "start_date", _TEXT), Field(2, "end_date", _TEXT))),
)
CANDLES: Final = _message(
    Field(1, "symbol", _TEXT),
    Field(
        2,
        "candles",
        _message(
            Field(1, "close", _TEXT),
            Field(2, "open", _TEXT),
            Field(3, "low", _TEXT),
            Field(4, "high", _TEXT),
            Field(5, "volume", _INT),
            Field(6, "turnover", _TEXT),
            Field(7, "timestamp", _INT),
        ),
        repeated=True,
    ),
)
NOTHING: Final = _message()

# ── Trades ─────────────────────────────────────────────────────────────────────────────

TOPICS: Final = _message(Field(1, "topics", _TEXT, repeated=True))
SUBSCRIBED: Final = _message(
    Field(1, "success", _TEXT, repeated=True), Field(3, "current", _TEXT, repeated=True)
)
NOTIFICATION: Final = _message(
    Field(1, "topic", _TEXT),
    Field(2, "content_type", _INT),
    Field(3, "dispatch_type", _INT),
    Field(4, "data", _BYTES),
)

DAY_PERIOD: Final = 1000
"""Period of daily candles, the only ones that the simulator has."""

BY_DATE: Final = 2
"""Query type of history by first and last date; the other one is by offset."""

JSON_CONTENT: Final = 1
DIRECT: Final = 1
"""Content and dispatch type of a notification."""
