"""What each door calls the things that clients ask for, and which faults it can have there.

Tests name an occasion, such as the submission of an order; here stands what that is on a broker's
wire. A fault that a wire does not have says why, so that nobody looks for the missing test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from quant_platform_kit.simulators._faults import WireFault


class Occasion(StrEnum):
    """What a client does at a broker, whatever its protocol calls it."""

    CONNECT = "connect"
    RENEW = "renew a token"
    ACCOUNT = "ask for money"
    POSITIONS = "ask for positions"
    ORDERS = "ask for working orders"
    FIND = "ask for one order"
    EXECUTIONS = "ask for executions"
    CASH = "ask what moved the cash"
    QUOTES = "ask for quotes"
    BARS = "ask for bars"
    SUBMIT = "hand in an order"
    CANCEL = "cancel an order"
    HEAR = "hear news"


QUERIES: Final = frozenset(
    {
        Occasion.ACCOUNT,
        Occasion.POSITIONS,
        Occasion.ORDERS,
        Occasion.FIND,
        Occasion.EXECUTIONS,
        Occasion.CASH,
        Occasion.QUOTES,
        Occasion.BARS,
    }
)
"""Occasions that change nothing; of TWS nobody asks what moved the cash."""

_ORDERS: Final = frozenset({Occasion.SUBMIT, Occasion.CANCEL})
_ASKED: Final = QUERIES | _ORDERS
_ASKED_OF_TWS: Final = _ASKED - {Occasion.CASH}
_PRICES: Final = frozenset({Occasion.QUOTES, Occasion.BARS})


@dataclass(frozen=True, slots=True)
class Wire:
    """One broker's wire.

    Parameters
    ----------
    operations : mapping of Occasion to str
        The name that the door gives each occasion.
    faults : mapping of WireFault to set of Occasion
        Where each fault can strike.
    without : mapping of WireFault to str
        Why the wire does not have the others.
    named : mapping of (WireFault, Occasion) to str
        Where a fault of an occasion strikes another operation than the occasion's own.
    """

    operations: Mapping[Occasion, str]
    faults: Mapping[WireFault, frozenset[Occasion]]
    without: Mapping[WireFault, str]
    named: Mapping[tuple[WireFault, Occasion], str]

    def operation(self, fault: WireFault, at: Occasion) -> str:
        """Return the door's name of an occasion, as the switch of a fault needs it."""
        return self.named.get((fault, at), self.operations[at])

    def lacking(self, fault: WireFault, at: Occasion) -> str:
        """Return why a fault cannot strike there; blank when it can."""
        if fault in self.without:
            return self.without[fault]
        if at not in self.faults[fault]:
            return f"{fault.value!r} is no fault of this wire where clients {at.value}"
        return ""


def _only(*occasions: Occasion) -> frozenset[Occasion]:
    return frozenset(occasions)


_SUBMIT: Final = _only(Occasion.SUBMIT)
_CANCEL: Final = _only(Occasion.CANCEL)
_CONNECT: Final = _only(Occasion.CONNECT)

_BY_HUMANS: Final = "TWS is logged in by a human; its socket knows no token"
_NO_NUMBERS: Final = "its clients have no numbers"
_POLLS: Final = "the adapter asks and does not listen: it takes no news from this broker"
_OF_TWS: Final = "a habit of TWS alone"
_OF_HTTP: Final = "HTTP puts its own messages together"

WIRES: Final[Mapping[str, Wire]] = MappingProxyType(
    {
        "ibkr": Wire(
            operations={
                Occasion.CONNECT: "connect",
                Occasion.ACCOUNT: "account",
                Occasion.POSITIONS: "positions",
                Occasion.ORDERS: "all_open_orders",
                Occasion.FIND: "completed_orders",
                Occasion.EXECUTIONS: "executions",
                Occasion.QUOTES: "quote",
                Occasion.BARS: "bars",
                Occasion.SUBMIT: "order",
                Occasion.CANCEL: "cancel",
                Occasion.HEAR: "push",
            },
            faults={
                WireFault.REPLY_LOST_BEFORE_BOOKING: _ASKED_OF_TWS,
                WireFault.REPLY_LOST_AFTER_BOOKING: _ASKED_OF_TWS,
                WireFault.DROP_CONNECTION: _ASKED_OF_TWS | _CONNECT,
                WireFault.NO_ANSWER: _ASKED_OF_TWS | _CONNECT,
                WireFault.SLOW_ANSWER: _ASKED_OF_TWS | _CONNECT,
                WireFault.MALFORMED: _ASKED_OF_TWS,
                WireFault.SERVER_ERROR: _ASKED_OF_TWS,
                WireFault.RATE_LIMIT: _ASKED_OF_TWS,
                WireFault.LOGIN_DENIED: _CONNECT,
                WireFault.CLIENT_ID_IN_USE: _CONNECT,
                WireFault.REJECT: _SUBMIT,
                WireFault.REJECT_LATER: _SUBMIT,
                WireFault.CANCEL_REFUSED: _CANCEL,
                WireFault.FILL_BEATS_CANCEL: _CANCEL,
                WireFault.PARTIAL_THEN_CANCEL: _SUBMIT,
                WireFault.ERROR_ON_LIVE_ORDER: _SUBMIT,
                WireFault.LATE_STATUS: _SUBMIT,
                WireFault.DUPLICATE_PUSH: _SUBMIT,
                WireFault.LOST_PUSHES: _only(Occasion.SUBMIT, Occasion.HEAR),
                WireFault.PUSH_BEFORE_REPLY: _SUBMIT,
                WireFault.STALE_QUOTE: _only(Occasion.QUOTES),
                WireFault.EMPTY_POSITIONS_LOST: _only(Occasion.POSITIONS),
                WireFault.DUPLICATE_EXECUTION: _only(Occasion.EXECUTIONS),
                WireFault.TRUNCATED: _only(Occasion.BARS),
                WireFault.SERVER_TOO_OLD: _CONNECT,
                WireFault.TORN_FRAMES: _ASKED_OF_TWS,
                WireFault.CONNECTIVITY_LOST: _ASKED_OF_TWS - _ORDERS,
                WireFault.WARNING_ON_ORDER: _SUBMIT,
                WireFault.WARNING_AFTER_FILL: _SUBMIT,
                WireFault.INACTIVE: _SUBMIT,
                WireFault.LATE_COMMISSION: _only(Occasion.EXECUTIONS),
                WireFault.NO_MARKET_DATA: _only(Occasion.QUOTES),
                WireFault.DELAYED_QUOTE: _only(Occasion.QUOTES),
            },
            without={
                WireFault.RATE_LIMIT_AT_GATEWAY: "nothing stands between the client and TWS",
                WireFault.AUTH_EXPIRED: _BY_HUMANS,
                WireFault.REFRESH_DENIED: _BY_HUMANS,
                WireFault.CONNECTION_LIMIT: "TWS counts clients by their numbers",
                WireFault.NO_ORDER_ID: "the client numbers its orders itself",
            },
            named={},
        ),
        "schwab": Wire(
            operations={
                Occasion.CONNECT: "account_numbers",
                Occasion.RENEW: "token",
                Occasion.ACCOUNT: "account",
                Occasion.POSITIONS: "account",
                Occasion.ORDERS: "orders",
                Occasion.FIND: "order",
                Occasion.EXECUTIONS: "orders",
                Occasion.CASH: "transactions",
                Occasion.QUOTES: "quotes",
                Occasion.BARS: "pricehistory",
                Occasion.SUBMIT: "place",
                Occasion.CANCEL: "cancel",
            },
            faults={
                WireFault.REPLY_LOST_BEFORE_BOOKING: _ASKED | _CONNECT,
                WireFault.REPLY_LOST_AFTER_BOOKING: _ASKED | _CONNECT,
                WireFault.DROP_CONNECTION: _ASKED | _CONNECT,
                WireFault.NO_ANSWER: _ASKED | _CONNECT,
                WireFault.SLOW_ANSWER: _ASKED | _CONNECT,
                WireFault.MALFORMED: _ASKED | _CONNECT,
                WireFault.SERVER_ERROR: _ASKED | _CONNECT,
                WireFault.RATE_LIMIT: _ASKED | _CONNECT,
                WireFault.AUTH_EXPIRED: _ASKED | _CONNECT,
                WireFault.REFRESH_DENIED: _only(Occasion.RENEW),
                WireFault.REJECT: _SUBMIT,
                WireFault.REJECT_LATER: _SUBMIT,
                WireFault.NO_ORDER_ID: _SUBMIT,
                WireFault.CANCEL_REFUSED: _CANCEL,
                WireFault.FILL_BEATS_CANCEL: _CANCEL,
                WireFault.PARTIAL_THEN_CANCEL: _SUBMIT,
                WireFault.LATE_STATUS: _only(Occasion.FIND),
                WireFault.STALE_QUOTE: _only(Occasion.QUOTES),
                WireFault.EMPTY_POSITIONS_LOST: _only(Occasion.POSITIONS),
                WireFault.DUPLICATE_EXECUTION: _only(Occasion.EXECUTIONS),
                WireFault.TRUNCATED: _only(Occasion.BARS),
            },
            without={
                WireFault.RATE_LIMIT_AT_GATEWAY: "its gateway speaks the same JSON",
                WireFault.LOGIN_DENIED: "a login that is denied shows as a token that is not given",
                WireFault.CONNECTION_LIMIT: "it counts requests and not connections",
                WireFault.CLIENT_ID_IN_USE: _NO_NUMBERS,
                WireFault.ERROR_ON_LIVE_ORDER: "an error code of its REST answers tells the fate",
                WireFault.DUPLICATE_PUSH: _POLLS,
                WireFault.LOST_PUSHES: _POLLS,
                WireFault.PUSH_BEFORE_REPLY: _POLLS,
                WireFault.SERVER_TOO_OLD: "its protocol has no versions to agree on",
                WireFault.TORN_FRAMES: _OF_HTTP,
                WireFault.CONNECTIVITY_LOST: _OF_TWS,
                WireFault.WARNING_ON_ORDER: _OF_TWS,
                WireFault.WARNING_AFTER_FILL: _OF_TWS,
                WireFault.INACTIVE: _OF_TWS,
                WireFault.LATE_COMMISSION: "US stocks trade without commission",
                WireFault.NO_MARKET_DATA: "every account has quotes",
                WireFault.DELAYED_QUOTE: "a delayed quote shows the time at which it was made",
            },
            # The executions of an order stand in the order.
            named={(WireFault.DUPLICATE_EXECUTION, Occasion.EXECUTIONS): "order"},
        ),
        "longbridge": Wire(
            operations={
                Occasion.CONNECT: "token",
                Occasion.ACCOUNT: "account",
                Occasion.POSITIONS: "positions",
                Occasion.ORDERS: "orders",
                Occasion.FIND: "orders",
                Occasion.EXECUTIONS: "executions",
                Occasion.CASH: "cash_flow",
                Occasion.QUOTES: "quote",
                Occasion.BARS: "candles",
                Occasion.SUBMIT: "submit",
                Occasion.CANCEL: "cancel",
                Occasion.HEAR: "push",
            },
            faults={
                WireFault.REPLY_LOST_BEFORE_BOOKING: (_ASKED | _CONNECT) - _PRICES,
                WireFault.REPLY_LOST_AFTER_BOOKING: (_ASKED | _CONNECT) - _PRICES,
                WireFault.DROP_CONNECTION: _ASKED | _CONNECT,
                WireFault.NO_ANSWER: _ASKED | _CONNECT,
                WireFault.SLOW_ANSWER: _ASKED | _CONNECT,
                WireFault.MALFORMED: _ASKED | _CONNECT,
                WireFault.SERVER_ERROR: _ASKED | _CONNECT,
                WireFault.RATE_LIMIT: (_ASKED | _CONNECT) - _PRICES,
                WireFault.RATE_LIMIT_AT_GATEWAY: (_ASKED | _CONNECT) - _PRICES,
                WireFault.AUTH_EXPIRED: _ASKED | _CONNECT,
                WireFault.CONNECTION_LIMIT: _CONNECT,
                WireFault.REJECT: _SUBMIT,
                WireFault.REJECT_LATER: _SUBMIT,
                WireFault.NO_ORDER_ID: _SUBMIT,
                WireFault.CANCEL_REFUSED: _CANCEL,
                WireFault.PARTIAL_THEN_CANCEL: _SUBMIT,
                WireFault.ERROR_ON_LIVE_ORDER: _SUBMIT,
                WireFault.LATE_STATUS: _only(Occasion.EXECUTIONS),
                WireFault.DUPLICATE_PUSH: _only(Occasion.HEAR),
                WireFault.LOST_PUSHES: _only(Occasion.HEAR),
                WireFault.STALE_QUOTE: _only(Occasion.QUOTES),
                WireFault.EMPTY_POSITIONS_LOST: _only(Occasion.POSITIONS),
                WireFault.DUPLICATE_EXECUTION: _only(Occasion.EXECUTIONS),
                WireFault.TRUNCATED: _only(Occasion.EXECUTIONS),
            },
            without={
                WireFault.REFRESH_DENIED: "its token is renewed by a human, every 90 days",
                WireFault.LOGIN_DENIED: "a login that is denied shows as a token that has expired",
                WireFault.CLIENT_ID_IN_USE: _NO_NUMBERS,
                WireFault.FILL_BEATS_CANCEL: "the door refuses the cancel of an order that filled",
                WireFault.PUSH_BEFORE_REPLY: "news come over another connection, in any order",
                WireFault.SERVER_TOO_OLD: "its protocol has no versions to agree on",
                WireFault.TORN_FRAMES: _OF_HTTP,
                WireFault.CONNECTIVITY_LOST: _OF_TWS,
                WireFault.WARNING_ON_ORDER: _OF_TWS,
                WireFault.WARNING_AFTER_FILL: _OF_TWS,
                WireFault.INACTIVE: _OF_TWS,
                WireFault.LATE_COMMISSION: "an order's charges are asked for and never late",
                WireFault.NO_MARKET_DATA: "every account has quotes of US stocks",
                WireFault.DELAYED_QUOTE: "a delayed quote shows the time at which it was made",
            },
            named={},
        ),
    }
)
"""By platform, as in the settings."""
