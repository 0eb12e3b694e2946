"""Every error of the platform, grouped by what the runtime does about it, and every reason code.

::

    PlatformError
    ├── ContractError        refuse the value: it is malformed; the message names the field
    ├── SettingsError        refuse to start: a setting is unknown, unreadable or stale
    ├── ReleaseRefused       refuse a step of a release: what it would make is not what is meant
    ├── RefuseRun            end the run before any order; the slot stays free
    │   ├── SlotBusy             another run of this account holds the lease
    │   ├── InputError           an input is missing, stale or broken
    │   ├── CalendarError        the exchange calendar cannot answer
    │   └── TransientError       nothing was sent and the same call may succeed later
    ├── StopAndTell          end the run and tell a human; the account needs a look
    │   ├── ReconciliationError  broker, ledger and journal disagree
    │   └── BrokerAnswerError    the broker answered something that cannot be true
    └── UnresolvedOrder      block the symbol: an order's fate is unknown until it is queried

A message says what happened, what it means for the account and what to do next. None carries a
secret or an account number: both belong to the caller, who already knows them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

__all__ = [
    "BrokerAnswerError",
    "CalendarError",
    "ContractError",
    "InputError",
    "PlatformError",
    "ReasonCode",
    "ReconciliationError",
    "RefuseRun",
    "ReleaseRefused",
    "SettingsError",
    "SlotBusy",
    "StopAndTell",
    "TransientError",
    "UnresolvedOrder",
]


class ReasonCode(StrEnum):
    """Why a thing was skipped, reduced, rejected, blocked or failed; one enum for the product.

    The text behind each code is its meaning for an operator; the reference page is made of it.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str = "") -> Self:
        """Keep the code as the string value and the operator's meaning beside it."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # The slot
    CALENDAR_UNREADABLE = "CALENDAR_UNREADABLE", "The exchange calendar has no answer for the day."
    LEASE_HELD = "LEASE_HELD", "Another run of this account is in progress."
    MARKET_CLOSED = "MARKET_CLOSED", "The exchange holds no session on this day."
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW", "The slot's window is not open, or the session has ended."
    SESSION_MISMATCH = "SESSION_MISMATCH", "The requested session is not the clock's session."
    GATE_CLOSED = "GATE_CLOSED", "An operator or a limit has halted trading."
    NOTHING_TO_DO = "NOTHING_TO_DO", "Holdings already match the targets."
    HOLD = "HOLD", "The strategy keeps what it has; an ordinary day."
    LIVE_NEEDS_BROKER = "LIVE_NEEDS_BROKER", "Live mode refuses a simulated or paper connection."

    # Inputs
    BAR_INVALID = "BAR_INVALID", "A price bar is not finite, not positive or out of order."
    HISTORY_MISSING = "HISTORY_MISSING", "No price history for a required symbol."
    HISTORY_SHORT = "HISTORY_SHORT", "A required price history has fewer sessions than declared."
    HISTORY_STALE = "HISTORY_STALE", "A required price history does not reach the last session."
    INDICATOR_UNDEFINED = "INDICATOR_UNDEFINED", "A required indicator cannot be computed."
    SNAPSHOT_COLUMNS = (
        "SNAPSHOT_COLUMNS",
        "The feature snapshot lacks a column that the profile reads.",
    )
    SNAPSHOT_CONFIG = "SNAPSHOT_CONFIG", "The feature snapshot was built for another configuration."
    SNAPSHOT_CONFLICT = (
        "SNAPSHOT_CONFLICT",
        "Another publisher made another version current, or removed this one, meanwhile.",
    )
    SNAPSHOT_CONTRACT = (
        "SNAPSHOT_CONTRACT",
        "The feature snapshot follows another contract version.",
    )
    SNAPSHOT_DATES = (
        "SNAPSHOT_DATES",
        "A date of the feature snapshot is no session, or a price is older than the snapshot.",
    )
    SNAPSHOT_FUTURE = "SNAPSHOT_FUTURE", "The feature snapshot is dated after this session."
    SNAPSHOT_HASH = "SNAPSHOT_HASH", "The feature snapshot is not the file its manifest describes."
    SNAPSHOT_MANIFEST = (
        "SNAPSHOT_MANIFEST",
        "The feature snapshot has other rows, columns or files than its manifest states.",
    )
    SNAPSHOT_MISSING = "SNAPSHOT_MISSING", "No feature snapshot where one is required."
    SNAPSHOT_PROFILE = "SNAPSHOT_PROFILE", "The feature snapshot belongs to another profile."
    SNAPSHOT_ROW_MISSING = "SNAPSHOT_ROW_MISSING", "The feature snapshot lacks a required row."
    SNAPSHOT_STALE = "SNAPSHOT_STALE", "The feature snapshot is older than the profile allows."
    SNAPSHOT_UNAVAILABLE = (
        "SNAPSHOT_UNAVAILABLE",
        "The store of feature snapshots does not answer, or refuses to.",
    )
    SNAPSHOT_UNREADABLE = "SNAPSHOT_UNREADABLE", "The feature snapshot or manifest does not parse."

    # Strategies
    PROFILE_UNKNOWN = (
        "PROFILE_UNKNOWN",
        "No installed package offers this strategy profile, or this account does not run it.",
    )
    PROFILE_BROKEN = "PROFILE_BROKEN", "The strategy profile cannot be loaded."
    PROFILE_NOT_ENABLED = "PROFILE_NOT_ENABLED", "The profile's status does not allow this mode."
    PROFILE_NOT_ROLLED_OUT = (
        "PROFILE_NOT_ROLLED_OUT",
        "The profile is not enabled on the platform, or lacks something there.",
    )
    CONFIG_INVALID = "CONFIG_INVALID", "The profile's configuration file does not fit its model."
    STRATEGY_FAILED = "STRATEGY_FAILED", "The strategy raised or answered something malformed."
    STRATEGY_TIMEOUT = "STRATEGY_TIMEOUT", "The strategy did not answer within its time."
    WHITELIST_EMPTY = "WHITELIST_EMPTY", "The list of strategies to run is empty."
    SLEEVE_FROZEN = "SLEEVE_FROZEN", "Not selected, missing or blocked: its holdings are kept."
    UNMANAGED_TARGET = "UNMANAGED_TARGET", "A target lies outside the declared managed universe."

    # Planning
    AT_TARGET = "AT_TARGET", "The whole shares held are already the target."
    BELOW_LOT = "BELOW_LOT", "The difference is smaller than one tradable lot."
    BELOW_MINIMUM = "BELOW_MINIMUM", "The difference is smaller than the minimum trade."
    CAPITAL_ZERO = "CAPITAL_ZERO", "There is no capital to allocate; nothing was traded."
    BUY_ONLY = "BUY_ONLY", "The strategy never sells; the holding above its target is kept."
    CASH_SHORT = "CASH_SHORT", "Confirmed cash does not pay for the whole purchase."
    FEES = "FEES", "The plan's own fees are taken off every target."
    FOREIGN_ORDER = "FOREIGN_ORDER", "A working order that is not ours blocks its symbol."
    ORDER_WORKING = "ORDER_WORKING", "A working order of ours trades the symbol the other way."
    PRICE_MISSING = "PRICE_MISSING", "A symbol has no usable price; the whole plan is refused."
    PRICE_STALE = "PRICE_STALE", "A symbol's price is too old; the whole plan is refused."
    WITHIN_BAND = "WITHIN_BAND", "The difference lies inside the no-trade band."

    # Risk and state
    RISK_REJECTED = "RISK_REJECTED", "A pre-trade check refused the order."
    STRATEGY_PAUSED = "STRATEGY_PAUSED", "An operator paused the strategy; its holdings are kept."
    POSITION_LIMIT = "POSITION_LIMIT", "A limit on one symbol, or on their number, is reached."
    PORTFOLIO_LIMIT = "PORTFOLIO_LIMIT", "A limit on exposure or on a sector is reached."
    LOSS_LIMIT = "LOSS_LIMIT", "A loss limit is reached: only sales are sent."
    BIAS_UNUSABLE = "BIAS_UNUSABLE", "No usable bias: every limit counts half."
    EQUITY_ZERO = "EQUITY_ZERO", "The broker reports no equity; nothing was traded."
    POSITIONS_VANISHED = (
        "POSITIONS_VANISHED",
        "The broker shows an empty book, the ledger does not.",
    )
    QUANTITY_MISMATCH = "QUANTITY_MISMATCH", "Broker and ledger disagree on a holding."
    ORDER_UNRESOLVED = "ORDER_UNRESOLVED", "The fate of an earlier order is not known yet."

    # Orders
    NEVER_SENT = "NEVER_SENT", "The broker proves it never saw the order; it is void."
    ORDER_REJECTED = "ORDER_REJECTED", "The broker refused the order."
    SELLS_UNFILLED = "SELLS_UNFILLED", "Sells were not filled in time; buys shrink to cash."
    NOT_FILLED = "NOT_FILLED", "The order was not filled before the deadline."
    OPERATOR_CANCEL = "OPERATOR_CANCEL", "An operator had working orders cancelled."
    STOP_FILLED = "STOP_FILLED", "A protective stop sold the holding, or a part of it."
    BROKER_NOTICE = "BROKER_NOTICE", "The connection to the broker needs a look soon."
    STOP_MISSING = "STOP_MISSING", "A holding is without the stop that its strategy asks for."
    STOP_REMOVED = "STOP_REMOVED", "A protective stop was taken off before its price was reached."

    # Brokers and edges
    BROKER_ANSWER = "BROKER_ANSWER", "The broker's answer cannot be true; nothing is assumed."
    BROKER_UNAVAILABLE = (
        "BROKER_UNAVAILABLE",
        "The broker cannot be reached; nothing more was sent.",
    )
    STORE_NEWER = "STORE_NEWER", "A newer version of the platform wrote the store."
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE", "The platform's own store cannot be used."
    SECRET_UNUSABLE = "SECRET_UNUSABLE", "A secret cannot be had where a variable says it is kept."
    SETTING_INVALID = "SETTING_INVALID", "A setting is unknown, unreadable or contradictory."
    VARIABLE_STALE = "VARIABLE_STALE", "A variable is set that the profile or platform never reads."
    BUNDLE_MISMATCH = "BUNDLE_MISMATCH", "What is installed is not what the bundle names."
    BUNDLE_UNREADABLE = "BUNDLE_UNREADABLE", "The bundle's file is missing or cannot be read."
    VALUE_MALFORMED = "VALUE_MALFORMED", "A value broke its contract at a door."

    # Releases
    RELEASE_LAYOUT = "RELEASE_LAYOUT", "release.toml does not describe what lies on the disk."
    RELEASE_TREE = "RELEASE_TREE", "A repository has changes, or no branch, that a release needs."
    RELEASE_VERSION = "RELEASE_VERSION", "A version is malformed, or not above the last one."
    RELEASE_CHANGELOG = "RELEASE_CHANGELOG", "The changelog says nothing about the version."
    RELEASE_WHITESPACE = "RELEASE_WHITESPACE", "What is to be released has stray whitespace."
    RELEASE_REVIEW = "RELEASE_REVIEW", "Nobody has said that these commits were reviewed."
    RELEASE_CHECKS = "RELEASE_CHECKS", "A check failed on the commit that was to be tagged."
    RELEASE_TOOL = "RELEASE_TOOL", "A tool that releases need ended with an error."
    TAG_EXISTS = "TAG_EXISTS", "The version has its tag already; tags are never used again."
    TAG_MISSING = "TAG_MISSING", "A tag that is needed does not exist, or was not pushed."
    TAG_MOVED = "TAG_MOVED", "A tag names another commit than it did."
    PIN_MISSING = "PIN_MISSING", "A platform has no pins, or only a part of them."
    PIN_RANGE = "PIN_RANGE", "A pinned version lies outside the range that another one declares."
    PIN_EDITED = "PIN_EDITED", "A file of pins is not what its bundle says; pins are never edited."
    PIN_UNTRIED = "PIN_UNTRIED", "Nobody has built these pins, and started a service from them."
    PIN_UNBOOTABLE = "PIN_UNBOOTABLE", "A service did not start from its pins."

    # Cutovers
    DEPLOY_UNPUBLISHED = (
        "DEPLOY_UNPUBLISHED",
        "A commit that is to be deployed has changes beside it, or was not pushed.",
    )
    DEPLOY_MISMATCH = "DEPLOY_MISMATCH", "A service does not run what is pinned."
    SWITCH_PROFILE = "SWITCH_PROFILE", "A service may not run the profile that was asked for."
    SWITCH_VARIABLE = "SWITCH_VARIABLE", "A variable that a profile needs is missing or at odds."
    SHADOW_MISSING = "SHADOW_MISSING", "Nobody has compared the new profile with the current one."
    SERVICE_CHANGED = "SERVICE_CHANGED", "A service is not what its record or the plan says."
    RECORD_MISSING = "RECORD_MISSING", "There is no record of what could be taken back."

    # Anything else
    UNEXPECTED = "UNEXPECTED", "A defect: an error that no rule foresaw."


class PlatformError(Exception):
    """The root: carries a reason code and, where there is one, the symbol concerned.

    Parameters
    ----------
    message : str
        What happened, what it means for the account, what to do next.
    code : ReasonCode, optional
        Overrides the class's own code.
    symbol : str, optional
        The instrument concerned.
    """

    default_code = ReasonCode.UNEXPECTED

    def __init__(
        self, message: str, *, code: ReasonCode | None = None, symbol: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.symbol = symbol


class ContractError(PlatformError, ValueError):
    """A malformed value was refused at a door; the message names the type and the field."""

    default_code = ReasonCode.VALUE_MALFORMED


class SettingsError(PlatformError):
    """A setting is unknown, unreadable, missing or stale; the process does not start."""

    default_code = ReasonCode.SETTING_INVALID


class ReleaseRefused(PlatformError):
    """A step of a release is refused; nothing was tagged, pinned, deployed or switched by it."""

    default_code = ReasonCode.RELEASE_LAYOUT


class RefuseRun(PlatformError):
    """The run ends before any order; its slot is not consumed."""

    default_code = ReasonCode.RISK_REJECTED


class SlotBusy(RefuseRun):
    """Another run of the account holds the lease; ask again when it has ended."""

    default_code = ReasonCode.LEASE_HELD


class InputError(RefuseRun):
    """A declared input is missing, stale or broken."""

    default_code = ReasonCode.HISTORY_MISSING


class CalendarError(RefuseRun):
    """The exchange calendar cannot answer; no order without a known session."""

    default_code = ReasonCode.CALENDAR_UNREADABLE


class TransientError(RefuseRun):
    """Nothing was sent, and the same call may succeed later."""

    default_code = ReasonCode.BROKER_UNAVAILABLE


class StopAndTell(PlatformError):
    """The run stops and a human is told: the account needs a look before the next order."""

    default_code = ReasonCode.UNEXPECTED


class ReconciliationError(StopAndTell):
    """Broker, ledger and journal disagree about the account."""

    default_code = ReasonCode.QUANTITY_MISMATCH


class BrokerAnswerError(StopAndTell):
    """The broker answered something that cannot be true; an error is never an empty result."""

    default_code = ReasonCode.BROKER_ANSWER


class UnresolvedOrder(PlatformError):
    """An order's fate is unknown: its symbol is blocked until a query proves what happened."""

    default_code = ReasonCode.ORDER_UNRESOLVED
