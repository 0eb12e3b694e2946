"""The one place that sizes orders: from a wish for one symbol to a leg, or the reason for none."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quant_platform_kit.contracts import Leg, PortfolioTarget, Quote, Side, Skipped
from quant_platform_kit.errors import ReasonCode

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Scale:
    """What every symbol of one plan is sized with; money in USD.

    Parameters
    ----------
    unit_usd : Decimal
        What a target amount of one is worth: the capital base for weights, a dollar for values.
    lot_shares : Decimal
    band_usd : Decimal
        A holding this close to its target is left alone.
    least_trade_usd : Decimal
        The smallest trade of the strategy or the broker, whichever is larger.
    least_exit_usd : Decimal
        The smallest trade of the broker, which alone can keep an unwanted holding.
    buy_only : bool
        Whether a holding above its target is kept.
    """

    unit_usd: Decimal
    lot_shares: Decimal
    band_usd: Decimal
    least_trade_usd: Decimal
    least_exit_usd: Decimal
    buy_only: bool = False


def size_order(
    symbol: str, target: PortfolioTarget | None, held: Decimal, quote: Quote, scale: Scale
) -> Leg | Skipped:
    """Return the leg that takes `held` shares to the target, or why there is none.

    No target means zero. A zero target sells the whole holding, a fraction of a lot included,
    and no band keeps it; any other order is a whole number of lots.
    """
    price = quote.price_usd
    current_usd = held * price
    if target is None or not target.amount:
        target_usd = exact = wished = _ZERO
        quantity = held
        band_usd, least_usd = _ZERO, scale.least_exit_usd
    else:
        target_usd = target.amount * scale.unit_usd
        exact = target_usd / price
        wished = whole_lots(exact, scale.lot_shares)
        quantity = whole_lots(abs(wished - held), scale.lot_shares)
        band_usd, least_usd = scale.band_usd, scale.least_trade_usd
    if not quantity:
        return _no_difference(symbol, exact, wished, held, scale.lot_shares)
    if scale.buy_only and wished < held:
        detail = f"holds {held:f}, exact target {exact:.4f}"
        return Skipped(symbol, ReasonCode.BUY_ONLY, detail)
    if abs(target_usd - current_usd) <= band_usd:
        return _too_small(
            symbol,
            ReasonCode.WITHIN_BAND,
            abs(target_usd - current_usd),
            f"a band of {band_usd:.2f}",
        )
    if quantity * price < least_usd:
        return _too_small(
            symbol, ReasonCode.BELOW_MINIMUM, quantity * price, f"at least {least_usd:.2f}"
        )
    return Leg(
        symbol,
        Side.BUY if wished > held else Side.SELL,
        quantity,
        price,
        quote.at,
        target_usd,
        current_usd,
        wished,
        held,
        exact,
        None,
        () if target is None else target.contributors,
    )


def whole_lots(shares: Decimal, lot_shares: Decimal) -> Decimal:
    """Return `shares` rounded down to lots: the rounding rule, each symbol by itself.

    A rule that spends the left-over cash by looking at all symbols together belongs here too.
    """
    return shares // lot_shares * lot_shares


def _no_difference(
    symbol: str, exact: Decimal, wished: Decimal, held: Decimal, lot_shares: Decimal
) -> Skipped:
    if held and wished == held:
        return Skipped(symbol, ReasonCode.AT_TARGET, f"holds {held:f}, exact target {exact:.4f}")
    detail = f"holds {held:f}, exact target {exact:.4f}, lots of {lot_shares:f}"
    return Skipped(symbol, ReasonCode.BELOW_LOT, detail)


def _too_small(symbol: str, code: ReasonCode, difference_usd: Decimal, limit: str) -> Skipped:
    return Skipped(symbol, code, f"a difference of {difference_usd:.2f} USD, {limit} USD")
