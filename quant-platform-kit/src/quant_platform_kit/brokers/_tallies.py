"""What an account adds up to: each holding, and the executions of each order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import Position

_ZERO: Final = Decimal(0)
_COST_STEP: Final = Decimal("0.0001")  # as brokers show an average cost


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one symbol and what they cost together, without fees; None when unknown."""

    quantity: Decimal
    cost_usd: Decimal | None

    def position(self, symbol: str) -> Position:
        """Return the holding as the port reports it."""
        if self.cost_usd is None:
            return Position(symbol, self.quantity)
        return Position(symbol, self.quantity, (self.cost_usd / self.quantity).quantize(_COST_STEP))


@dataclass(frozen=True, slots=True)
class Tally:
    """What the executions of one order add up to.

    Parameters
    ----------
    rated_usd : Decimal
        What the fee's rates make of each execution at its own price.
    notional_usd : Decimal
        Price times quantity, as a fee's bound counts it.
    amount_usd : Decimal
        The same, each execution to the cent.
    fees_usd : Decimal
        As charged.
    """

    rated_usd: Decimal = _ZERO
    notional_usd: Decimal = _ZERO
    amount_usd: Decimal = _ZERO
    fees_usd: Decimal = _ZERO

    @property
    def spent_usd(self) -> Decimal:
        """Cash that the executions of a purchase took."""
        return self.amount_usd + self.fees_usd
