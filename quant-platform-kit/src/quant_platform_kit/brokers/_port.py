"""The one small protocol that every broker adapter speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    Position,
    Quote,
    Submission,
    TradingRules,
)

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame


class Broker(Protocol):
    """One account at one broker.

    Every query is complete or raises: `TransientError` when the broker cannot be reached,
    `BrokerAnswerError` when the answer cannot be true. An empty result always means "none".
    Only `submit` and `cancel` change anything.
    """

    @property
    def environment(self) -> Environment:
        """What the connection itself says it is."""

    @property
    def rules(self) -> TradingRules:
        """What the broker accepts and charges."""

    def health(self) -> tuple[str, ...]:
        """Return what the operator has to look at soon, a sentence each; empty when all is well."""

    def release(self) -> None:
        """Give back what the broker lets one program have at a time; the next call takes it again.

        Asked when a run has ended: an operator's command is another program. Never raises.
        """

    def account(self) -> Account:
        """Return the account's money."""

    def positions(self) -> tuple[Position, ...]:
        """Return every holding with a quantity above zero, sorted by symbol."""

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return every working order of the account, ours or not, in order of submission."""

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order with this client id, in any state.

        None proves that the broker never saw it, where it was sent in this session; a broker that
        cannot prove it raises. An older one may merely be shown no more.
        """

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`, in order of execution."""

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...] | None:
        """Return what moved the cash beside trades, at or after `since`, by time.

        None from a broker that does not tell such movements at all. A movement may show up later
        than the cash that it moves, or earlier; its id never changes.
        """

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the latest quote of each symbol; a symbol without one is absent."""

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return up to `sessions` complete daily bars of each symbol, ending at `last_session`.

        No bar is younger than `last_session`; a symbol without any bar is absent.
        """

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order. Never raises for an unknown fate: that is an UNRESOLVED answer."""

    def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancel; the order's state afterwards tells whether it took.

        Raises `BrokerAnswerError` for an id that is not one of this account's orders.
        """
