"""What a weight is a share of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from quant_platform_kit.contracts import PortfolioSnapshot, Quote, Rounding
from quant_platform_kit.errors import ContractError, InputError, ReasonCode

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CapitalPolicy:
    """What the operator lets the platform use of an account.

    Parameters
    ----------
    cash_floor_usd : Decimal
        Cash that is never invested.
    capital_limit_usd : Decimal or None
        The most that counts as capital; None means all of it.
    pinned_base_usd : Decimal or None
        The capital base of an interrupted first attempt. It replaces the computed one, so that
        the attempt which finishes the run sizes the same lots; see `OrderPlan.sized_on_usd`.
    rounding : Rounding
        How exact targets become whole lots.
    """

    cash_floor_usd: Decimal = ZERO
    capital_limit_usd: Decimal | None = None
    pinned_base_usd: Decimal | None = None
    rounding: Rounding = Rounding.NEAREST

    def __post_init__(self) -> None:
        """Refuse amounts that are negative or not finite."""
        for field in ("cash_floor_usd", "capital_limit_usd", "pinned_base_usd"):
            value = getattr(self, field)
            if value is not None and not (value.is_finite() and value >= ZERO):
                raise ContractError(
                    f"CapitalPolicy.{field} = {value!r}: expected a finite Decimal of at least 0"
                )


def capital_base(
    snapshot: PortfolioSnapshot,
    managed: Iterable[str],
    quotes: Mapping[str, Quote],
    policy: CapitalPolicy,
) -> Decimal:
    """Return the account's capital in USD: the same book gives the same figure on every broker.

    Usable cash above the floor plus the market value of the managed holdings, at most the limit.
    Holdings outside `managed` are not ours and do not count.

    Parameters
    ----------
    snapshot : PortfolioSnapshot
    managed : iterable of str
        Symbols of every sleeve, also of frozen ones: `TargetPortfolio.universe`.
    quotes : mapping of str to Quote
    policy : CapitalPolicy

    Raises
    ------
    InputError
        PRICE_MISSING when a managed holding has no quote.
    """
    if policy.pinned_base_usd is not None:
        return policy.pinned_base_usd
    universe = frozenset(managed)
    holdings = [p for p in snapshot.positions if p.quantity and p.symbol in universe]
    require_prices((p.symbol for p in holdings), quotes)
    cash = max(ZERO, snapshot.account.usable_cash_usd - policy.cash_floor_usd)
    base = sum((p.quantity * quotes[p.symbol].price_usd for p in holdings), cash)
    return base if policy.capital_limit_usd is None else min(base, policy.capital_limit_usd)


def require_prices(symbols: Iterable[str], quotes: Mapping[str, Quote]) -> None:
    """Raise PRICE_MISSING, naming every symbol of `symbols` that has no quote."""
    missing = sorted(symbol for symbol in symbols if symbol not in quotes)
    if missing:
        raise InputError(
            f"No price for {', '.join(missing)}: held or wanted, so its value is unknown. The "
            "whole plan was refused and none of its orders was sent. Run the slot again when the "
            "broker quotes it, or take it out of the strategy's universe.",
            code=ReasonCode.PRICE_MISSING,
            symbol=missing[0],
        )
