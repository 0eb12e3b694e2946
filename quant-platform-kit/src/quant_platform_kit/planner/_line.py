"""One symbol that a plan may trade: its wish, its holding, and what an order in it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, Self

from quant_platform_kit.contracts import FeeModel, PortfolioTarget, Quote, TradingRules

_ZERO = Decimal(0)


class Line(NamedTuple):
    """The facts about one symbol that stay the same while a plan takes shape.

    A tuple, because every symbol of every plan needs one and a tuple is made in half the time.

    Parameters
    ----------
    quote : Quote
    price_usd, lot_usd : Decimal
        Of one share and of one lot.
    target : PortfolioTarget or None
        None means the same as an amount of zero: out.
    amount : Decimal
        Of the target, in its unit.
    shares : Decimal
        What is held once orders of ours that are working have filled.
    working_shares : Decimal
        What those orders still buy; negative when they sell.
    fees : FeeModel
    fee_rate, budget_rate : Decimal
        What one share adds to a fee in USD, at the quote and with the head room.
    budget_price_usd : Decimal
        The quote with the head room.
    """

    quote: Quote
    price_usd: Decimal
    lot_usd: Decimal
    target: PortfolioTarget | None
    amount: Decimal
    shares: Decimal
    working_shares: Decimal
    fees: FeeModel
    fee_rate: Decimal
    budget_rate: Decimal
    budget_price_usd: Decimal

    @classmethod
    def of(
        cls,
        quote: Quote,
        target: PortfolioTarget | None,
        held: Decimal,
        working: Decimal,
        rules: TradingRules,
    ) -> Self:
        """Put a symbol's facts together."""
        price, fees, shares = quote.price_usd, rules.fees, held
        if working:  # never below zero: nobody can sell more than there is
            shares = max(held + working, _ZERO)
            working = shares - held
        fee_rate = budget_rate = fees.rate(price)
        budget_price = price
        if rules.buy_price_buffer_ratio:
            budget_price = price + price * rules.buy_price_buffer_ratio
            budget_rate = fees.rate(budget_price)
        return cls(
            quote,
            price,
            rules.lot_shares * price,
            target,
            _ZERO if target is None else target.amount,
            shares,
            working,
            fees,
            fee_rate,
            budget_rate,
            budget_price,
        )

    def gap_usd(self, held: Decimal, unit_usd: Decimal) -> Decimal:
        """Return what lacks to the target when `held` shares are there; negative for an excess."""
        return self.amount * unit_usd - held * self.price_usd

    def fee_usd(self, shares: Decimal) -> Decimal:
        """Return the fee of an order of `shares`, zero or more, at the quote."""
        return self.fees.charge(shares * self.fee_rate) if shares else _ZERO

    def budget_usd(self, shares: Decimal) -> Decimal:
        """Return the cash to set aside to buy `shares`, zero or more: head room and fee too."""
        if not shares:
            return _ZERO
        return shares * self.budget_price_usd + self.fees.charge(shares * self.budget_rate)

    def proceeds_usd(self, shares: Decimal) -> Decimal:
        """Return the cash that a sale of `shares`, above zero, brings at the quote."""
        return shares * self.price_usd - self.fees.charge(shares * self.fee_rate)
