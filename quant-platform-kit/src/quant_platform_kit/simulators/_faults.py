"""Faults of a wire: what can go wrong between a broker's book and its client's program.

Faults of the book itself (an order that rests, a quote that is missing) are those of
`quant_platform_kit.brokers.Fault`; a simulator has both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from quant_platform_kit.brokers._faults import Switchboard
from quant_platform_kit.errors import ContractError


class WireFault(StrEnum):
    """What a wire can do to a message; a door serves those that its protocol has.

    Faults of any message:

    - REPLY_LOST_BEFORE_BOOKING: the connection is cut before the message takes effect.
    - REPLY_LOST_AFTER_BOOKING: it takes effect, then the connection is cut instead of an answer.
    - DROP_CONNECTION: every connection is cut instead of an answer, nothing takes effect.
    - NO_ANSWER: it takes effect, no answer is ever given, the connection stays.
    - SLOW_ANSWER: the answer takes the switch's seconds.
    - MALFORMED: the answer cannot be parsed, or is damaged as the switch's seed draws it.
    - SERVER_ERROR: the broker has a defect and says so; nothing takes effect.
    - RATE_LIMIT: too many requests; nothing takes effect.
    - RATE_LIMIT_AT_GATEWAY: the same, said in front of the broker and not in its own words.
    - AUTH_EXPIRED: the session or token is no longer good; nothing takes effect.
    - REFRESH_DENIED: a new session or token is not given.
    - LOGIN_DENIED: the client is not let in.
    - CONNECTION_LIMIT: the client is one connection too many.
    - CLIENT_ID_IN_USE: another program has the client's number.

    Faults of an order:

    - REJECT: refused in the answer.
    - REJECT_LATER: acknowledged, then refused.
    - NO_ORDER_ID: acknowledged without the order's id.
    - CANCEL_REFUSED: the cancel is refused, the order works on.
    - FILL_BEATS_CANCEL: the order fills while the cancel is on its way.
    - PARTIAL_THEN_CANCEL: half of it fills, then the broker cancels the rest.
    - ERROR_ON_LIVE_ORDER: an error message about an order that works on.
    - LATE_STATUS: shown as filled before its executions are.
    - DUPLICATE_PUSH, LOST_PUSHES, PUSH_BEFORE_REPLY: of the messages that nobody asked for.

    Faults of a query:

    - STALE_QUOTE: the quote is a day old.
    - EMPTY_POSITIONS_LOST: positions come back empty, or not at all, though there are some.
    - DUPLICATE_EXECUTION: an execution is listed twice.
    - TRUNCATED: the answer holds less than there is.

    Faults of the TWS protocol:

    - SERVER_TOO_OLD: the server speaks no version that the client knows.
    - TORN_FRAMES: answers arrive a few bytes at a time.
    - CONNECTIVITY_LOST: TWS says that it lost its own line to the broker, and finds it again after
      the switch's seconds.
    - WARNING_ON_ORDER, WARNING_AFTER_FILL: a warning about an order, before or after its fill.
    - INACTIVE: the order is booked and held, neither working nor ended.
    - LATE_COMMISSION: executions are listed without what they cost, which follows after the
      switch's seconds.
    - NO_MARKET_DATA: no subscription to live prices.
    - DELAYED_QUOTE: prices are those of a quarter of an hour ago, and say so.
    """

    REPLY_LOST_BEFORE_BOOKING = "reply_lost_before_booking"
    REPLY_LOST_AFTER_BOOKING = "reply_lost_after_booking"
    DROP_CONNECTION = "drop_connection"
    NO_ANSWER = "no_answer"
    SLOW_ANSWER = "slow_answer"
    MALFORMED = "malformed"
    SERVER_ERROR = "server_error"
    RATE_LIMIT = "rate_limit"
    RATE_LIMIT_AT_GATEWAY = "rate_limit_at_gateway"
    AUTH_EXPIRED = "auth_expired"
    REFRESH_DENIED = "refresh_denied"
    LOGIN_DENIED = "login_denied"
    CONNECTION_LIMIT = "connection_limit"
    CLIENT_ID_IN_USE = "client_id_in_use"
    REJECT = "wire_reject"
    REJECT_LATER = "reject_later"
    NO_ORDER_ID = "no_order_id"
    CANCEL_REFUSED = "cancel_refused"
    FILL_BEATS_CANCEL = "fill_beats_cancel"
    PARTIAL_THEN_CANCEL = "partial_then_cancel"
    ERROR_ON_LIVE_ORDER = "error_on_live_order"
    LATE_STATUS = "late_status"
    DUPLICATE_PUSH = "duplicate_push"
    LOST_PUSHES = "lost_pushes"
    PUSH_BEFORE_REPLY = "push_before_reply"
    STALE_QUOTE = "stale_quote"
    EMPTY_POSITIONS_LOST = "empty_positions_lost"
    DUPLICATE_EXECUTION = "duplicate_execution"
    TRUNCATED = "truncated"
    SERVER_TOO_OLD = "server_too_old"
    TORN_FRAMES = "torn_frames"
    CONNECTIVITY_LOST = "connectivity_lost"
    WARNING_ON_ORDER = "warning_on_order"
    WARNING_AFTER_FILL = "warning_after_fill"
    INACTIVE = "inactive"
    LATE_COMMISSION = "late_commission"
    NO_MARKET_DATA = "no_market_data"
    DELAYED_QUOTE = "delayed_quote"


@dataclass(frozen=True, slots=True)
class WireSwitch:
    """One fault and when it strikes.

    Parameters
    ----------
    fault : WireFault
    operation : str, optional
        Only this operation, by the name that the door gives it; any when None.
    symbol : str, optional
        Only this symbol; any when None.
    nth : int, optional
        Only the n-th occasion, counted from 1; every one when None.
    seconds : float
        Length of `WireFault.SLOW_ANSWER`, of a lost line and of a late message, in real time.
    seed : int, optional
        Draws the damage of `WireFault.MALFORMED`; half of the answer is missing when None.
    """

    fault: WireFault
    operation: str | None = None
    symbol: str | None = None
    nth: int | None = None
    seconds: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse a switch that could never strike."""
        if self.nth is not None and self.nth < 1:
            raise ContractError(f"WireSwitch.nth = {self.nth!r}: expected 1 or more, or None")
        if self.seconds < 0:
            raise ContractError(f"WireSwitch.seconds = {self.seconds!r}: expected 0 or more")


class WireFaults(Switchboard[WireSwitch]):
    """The switches of one door; used under the host's lock.

    Attributes
    ----------
    struck : collections.Counter
        How often each fault struck, whatever was switched on and off meanwhile.
    """

    __slots__ = ("struck",)

    def __init__(self, *switches: WireSwitch) -> None:
        super().__init__(*switches)
        self.struck: Counter[WireFault] = Counter()

    def strike(
        self, faults: Collection[WireFault], operation: str, symbol: str | None = None
    ) -> WireSwitch | None:
        """Count one occasion for `faults` and return the first switch that strikes, if any."""
        struck = self.first(
            lambda switch: (
                switch.fault in faults
                and switch.operation in (None, operation)
                and switch.symbol in (None, symbol)
            )
        )
        if struck is not None:
            self.struck[struck.fault] += 1
        return struck
