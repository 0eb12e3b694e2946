"""Other accounts of the same login, which do at the same time what ours does, in other sizes.

As an adviser's do when a trade is allocated: the same stock, the same reference, the same day. A
client that tells orders apart by less than their account takes one for the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import BrokerOrder, Fill, OrderRequest

_MORE: Final = Decimal(7)
_ZERO: Final = Decimal(0)
_APART: Final = 1_000_000  # between the order numbers of one account and the next


@dataclass(frozen=True, slots=True)
class Decoy:
    """One other account.

    Parameters
    ----------
    account : str
    place : int
        Among the login's other accounts, from 1.
    """

    account: str
    place: int

    def order(self, ours: BrokerOrder) -> BrokerOrder:
        """Return what this account ordered when ours did."""
        more = _MORE if ours.filled_quantity else _ZERO
        return replace(
            ours,
            broker_order_id=self._id(ours.broker_order_id),
            quantity=ours.quantity + _MORE,
            filled_quantity=ours.filled_quantity + more,
        )

    def request(self, ours: OrderRequest) -> OrderRequest:
        """Return the order as it was asked for."""
        return replace(ours, quantity=ours.quantity + _MORE)

    def fill(self, ours: Fill) -> Fill:
        """Return what this account's order got when ours did."""
        return replace(
            ours,
            fill_id=self._id(ours.fill_id),
            broker_order_id=self._id(ours.broker_order_id),
            quantity=ours.quantity + _MORE,
        )

    def _id(self, ours: str) -> str:
        head, _, number = ours.rpartition("-")
        return f"{head}-{int(number) + self.place * _APART}"
