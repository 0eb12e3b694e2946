"""What executions cost: LongBridge tells the charges of an order, not those of an execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from quant_platform_kit.errors import BrokerAnswerError

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_USD: Final = "USD"


@dataclass(slots=True)
class Charges:
    """Shares an order's charges out among its executions, and remembers what each was given.

    An execution keeps the fee with which it was first listed; later ones of its order carry what
    was charged since. Those that are first listed together share it by their quantities.

    Parameters
    ----------
    detail : callable
        Returns an order of LongBridge's with its charges.
    """

    detail: Callable[[str], Any]
    _orders: dict[str, Any] = field(default_factory=dict)
    _fees: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def of(self, order_id: str, executions: Sequence[Any]) -> tuple[Any, Mapping[str, Decimal]]:
        """Return the order, and the fee in USD of each of its executions by their ids."""
        fees = self._fees.setdefault(order_id, {})
        unknown = [row for row in executions if row.trade_id not in fees]
        if unknown:
            self._orders[order_id] = order = self.detail(order_id)
            left = max(_ZERO, _charged(order) - sum(fees.values(), start=_ZERO))
            fees |= _shared(left, unknown)
        return self._orders[order_id], fees


def _charged(order: Any) -> Decimal:  # noqa: ANN401 (untyped SDK)
    charges = order.charge_detail
    total: Decimal = charges.total_amount
    if total and charges.currency != _USD:
        raise BrokerAnswerError(
            f"LongBridge charged order {order.order_id} in {charges.currency}; what it cost in "
            "dollars is unknown and nothing more was sent. Set the account's settlement currency "
            "of US stocks to dollars."
        )
    return total


def _shared(total: Decimal, executions: Sequence[Any]) -> dict[str, Decimal]:
    quantity = sum((row.quantity for row in executions), start=_ZERO)
    fees = {
        row.trade_id: (total * row.quantity / quantity).quantize(_CENT, ROUND_DOWN)
        for row in executions
    }
    fees[executions[-1].trade_id] += total - sum(fees.values(), start=_ZERO)
    return fees
