"""How much of a session's volume an account may take, and what taking it costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final

from quant_platform_kit.contracts import Side
from quant_platform_kit.errors import ContractError

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)


class Impact(StrEnum):
    """How an order's cost grows with its share of the session's volume.

    LINEAR follows A. S. Kyle, "Continuous Auctions and Insider Trading", Econometrica 53 (1985):
    the price moves in proportion to what is traded.

    SQUARE_ROOT follows what is measured: N. Torre, "Market Impact Model Handbook", BARRA (1997);
    B. Toth et al., "Anomalous Price Impact and the Critical Nature of Liquidity in Financial
    Markets", Physical Review X 1, 021006 (2011). (R. Almgren et al., "Direct Estimation of Equity
    Market Impact", Risk (2005), find an exponent of 0.6.)
    """

    LINEAR = "linear"
    SQUARE_ROOT = "square_root"

    def of(self, volume_ratio: Decimal) -> Decimal:
        """Return the part of the whole impact that a share of the volume has."""
        return volume_ratio if self is Impact.LINEAR else volume_ratio.sqrt()


@dataclass(frozen=True, slots=True)
class Liquidity:
    """What a session can take of an account's orders; by default everything, for its price.

    A purchase trades above the session's price, a sale below it, by the half spread and the
    impact together, rounded to the tick away from the price. An order's limit holds: it trades at
    its limit at worst. The session's price itself does not move, and nothing moves the next one.

    Where the market has no volume for a symbol, neither participation nor impact can be told: the
    order fills whole and pays the half spread alone.

    Parameters
    ----------
    participation_ratio : Decimal or None
        How much of the session's volume all orders of the account may take together, between 0
        and 1. None sets no bound.
    half_spread_ratio : Decimal
        What a trade of any size pays, as a ratio of the price.
    impact_ratio : Decimal
        What taking a whole session's volume would cost, as a ratio of the price. In the square
        root model it is near the symbol's daily volatility.
    impact : Impact
        How the cost grows up to there; never beyond, where the models say nothing.
    """

    participation_ratio: Decimal | None = None
    half_spread_ratio: Decimal = _ZERO
    impact_ratio: Decimal = _ZERO
    impact: Impact = Impact.SQUARE_ROOT

    def __post_init__(self) -> None:
        """Refuse a ratio out of range."""
        participation = self.participation_ratio
        if participation is not None and not _ZERO < participation <= _ONE:
            raise _refused("participation_ratio", participation, "above 0, up to 1, or None")
        for field in ("half_spread_ratio", "impact_ratio"):
            ratio = getattr(self, field)
            if not _ZERO <= ratio < _ONE:
                raise _refused(field, ratio, "from 0, below 1")

    def capacity(self, volume: Decimal | None) -> Decimal | None:
        """Return the shares that a session with this volume takes; None for no bound."""
        if volume is None or self.participation_ratio is None:
            return None
        return volume * self.participation_ratio

    def price(
        self,
        side: Side,
        price_usd: Decimal,
        quantity: Decimal,
        volume: Decimal | None,
        tick_usd: Decimal,
    ) -> Decimal:
        """Return the price in USD at which `quantity` shares trade when the session's is given.

        Never less than a tick.
        """
        ratio = self.half_spread_ratio
        if self.impact_ratio and volume is not None:
            share = min(_ONE, quantity / volume) if volume else _ONE
            ratio += self.impact_ratio * self.impact.of(share)
        if not ratio:
            return price_usd
        if side is Side.BUY:
            return _on_tick(price_usd * (1 + ratio), tick_usd, ROUND_CEILING)
        return max(tick_usd, _on_tick(price_usd * (1 - ratio), tick_usd, ROUND_FLOOR))


def _on_tick(price_usd: Decimal, tick_usd: Decimal, rounding: str) -> Decimal:
    ticks = (price_usd / tick_usd).to_integral_value(rounding)
    return ticks * tick_usd


def _refused(field: str, ratio: Decimal, expected: str) -> ContractError:
    return ContractError(f"Liquidity.{field} = {ratio}: expected a ratio {expected}")
