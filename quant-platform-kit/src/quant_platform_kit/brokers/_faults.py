"""Faults that a simulated broker can be told to have; each is one that real brokers showed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

from quant_platform_kit.errors import ContractError


class Fault(StrEnum):
    """What can go wrong at the far side.

    Faults of a submission:

    - REPLY_LOST_BEFORE: the order never arrives; its fate is unknown to the sender.
    - REPLY_LOST_AFTER: the order is booked, the answer is lost; the same to the sender.
    - REJECT: the broker refuses the order.
    - NO_FILL: the order is acknowledged and rests until it is cancelled or its session closes.
    - PARTIAL_FILL: half of it, in whole lots, fills at once; the rest rests.
    - LATE_FILL: it rests and fills after the switch's delay.

    Faults of a query:

    - POSITIONS_FAIL: the positions cannot be had.
    - QUOTE_MISSING: the symbol has no quote; the exchange still trades it.
    - DUPLICATE_FILL: an execution is listed twice.
    """

    REPLY_LOST_BEFORE = "reply_lost_before"
    REPLY_LOST_AFTER = "reply_lost_after"
    REJECT = "reject"
    NO_FILL = "no_fill"
    PARTIAL_FILL = "partial_fill"
    LATE_FILL = "late_fill"
    POSITIONS_FAIL = "positions_fail"
    QUOTE_MISSING = "quote_missing"
    DUPLICATE_FILL = "duplicate_fill"


SUBMIT_FAULTS: Final = frozenset(
    {
        Fault.REPLY_LOST_BEFORE,
        Fault.REPLY_LOST_AFTER,
        Fault.REJECT,
        Fault.NO_FILL,
        Fault.PARTIAL_FILL,
        Fault.LATE_FILL,
    }
)


@dataclass(frozen=True, slots=True)
class FaultSwitch:
    """One fault and when it strikes.

    Parameters
    ----------
    fault : Fault
    symbol : str, optional
        Only this symbol; any when None. `Fault.POSITIONS_FAIL` has no symbol.
    nth : int, optional
        Only the n-th occasion, counted from 1: the n-th submission, positions query, quote or
        listed execution (of `symbol`, where given). Every one when None.
    delay_secs : float
        For `Fault.LATE_FILL`: time from the submission to the fill, on the broker's clock.
    """

    fault: Fault
    symbol: str | None = None
    nth: int | None = None
    delay_secs: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a switch that could never strike."""
        if self.nth is not None and self.nth < 1:
            raise ContractError(f"FaultSwitch.nth = {self.nth!r}: expected 1 or more, or None")
        if self.delay_secs < 0:
            raise ContractError(f"FaultSwitch.delay_secs = {self.delay_secs!r}: expected 0 or more")
        if self.symbol is not None and self.fault is Fault.POSITIONS_FAIL:
            raise ContractError(
                f"FaultSwitch.symbol = {self.symbol!r}: expected None, since "
                f"{self.fault.value} concerns the whole account"
            )


class Switch(Protocol):
    """What every kind of switch has: its turn."""

    @property
    def nth(self) -> int | None:
        """The occasion on which it strikes, counted from 1; every one when None."""


S = TypeVar("S", bound=Switch)


class Switchboard(Generic[S]):
    """Switches of one kind, and how often each had its occasion.

    Tests keep the object and change the plan while the broker runs.
    """

    __slots__ = ("_counts", "_switches")

    def __init__(self, *switches: S) -> None:
        self.set(*switches)

    def set(self, *switches: S) -> None:
        """Replace the plan by `switches`, counting from the beginning; none clears it."""
        self._switches = switches
        self._counts = [0] * len(switches)

    def first(self, meant: Callable[[S], bool]) -> S | None:
        """Count one occasion of every switch that is meant; return the first that strikes."""
        struck: S | None = None
        for index, switch in enumerate(self._switches):
            if meant(switch):
                self._counts[index] += 1
                if struck is None and switch.nth in (None, self._counts[index]):
                    struck = switch
        return struck


class Faults(Switchboard[FaultSwitch]):
    """The switches of one simulated broker."""

    __slots__ = ()

    def strike(self, faults: Collection[Fault], symbol: str | None = None) -> FaultSwitch | None:
        """Count one occasion for `faults` and return the first switch that strikes, if any."""
        return self.first(lambda switch: switch.fault in faults and switch.symbol in (None, symbol))
