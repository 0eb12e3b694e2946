"""The account as it will be when everything approved so far is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from quant_platform_kit.contracts import Leg, PortfolioSnapshot, Side, TradingRules

_ZERO = Decimal(0)
UNCLASSIFIED = "unclassified"
"""The sector of every symbol without one."""


class Book:
    """Holdings, cash and exposure, moved on by `take` from leg to leg.

    It starts from the broker's truth; purchases that work there already count as done, since they
    may be done at any moment. Exposure is what the broker says the holdings are worth, equity less
    cash, so that one without a quote counts too. Holdings are long: net exposure is the gross one.

    Parameters
    ----------
    snapshot : PortfolioSnapshot
    prices_usd : mapping of str to Decimal
        Of what is held.
    rules : TradingRules
        For fees.
    sectors : mapping of str to str
        The sector of each symbol; empty when no limit needs it.
    """

    def __init__(
        self,
        snapshot: PortfolioSnapshot,
        prices_usd: Mapping[str, Decimal],
        rules: TradingRules,
        sectors: Mapping[str, str],
    ) -> None:
        self.equity_usd = snapshot.account.equity_usd
        self.cash_usd = snapshot.account.usable_cash_usd
        self.exposure_usd = self.equity_usd - snapshot.account.cash_usd
        self._rules = rules
        self._sectors = sectors
        self._shares = {p.symbol: p.quantity for p in snapshot.positions if p.quantity}
        self._sector_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.unpriced: dict[str, str] = {}
        if sectors:
            self._value_sectors(prices_usd)
        for order in snapshot.open_orders:
            price = prices_usd.get(order.symbol, _ZERO)
            if order.side is Side.BUY:
                self._buy(order.symbol, order.quantity - order.filled_quantity, price)

    @property
    def positions(self) -> int:
        """How many symbols are held."""
        return len(self._shares)

    def shares(self, symbol: str) -> Decimal:
        """Return the shares of one symbol."""
        return self._shares.get(symbol, _ZERO)

    def sector(self, symbol: str) -> str:
        """Return the sector of one symbol."""
        return self._sectors.get(symbol, UNCLASSIFIED)

    def sector_usd(self, sector: str) -> Decimal:
        """Return what is held in one sector, in USD."""
        return self._sector_usd[sector]

    def take(self, leg: Leg) -> None:
        """Count `leg` as done."""
        if leg.side is Side.BUY:
            self._buy(leg.symbol, leg.quantity, leg.price_usd)
        else:
            self._sell(leg)

    def _buy(self, symbol: str, quantity: Decimal, price_usd: Decimal) -> None:
        notional = quantity * price_usd
        if quantity:
            self._shares[symbol] = self.shares(symbol) + quantity
        self.exposure_usd += notional
        self.cash_usd -= notional + self._rules.fees.fee(quantity, price_usd)
        self._sector_usd[self.sector(symbol)] += notional

    def _sell(self, leg: Leg) -> None:
        left = self.shares(leg.symbol) - leg.quantity
        if left > _ZERO:
            self._shares[leg.symbol] = left
        else:
            self._shares.pop(leg.symbol, None)
        self.exposure_usd -= leg.notional_usd
        self.cash_usd += leg.notional_usd - self._rules.fees.fee(leg.quantity, leg.price_usd)
        self._sector_usd[self.sector(leg.symbol)] -= leg.notional_usd

    def _value_sectors(self, prices_usd: Mapping[str, Decimal]) -> None:
        for symbol, quantity in self._shares.items():
            if symbol in prices_usd:
                self._sector_usd[self.sector(symbol)] += quantity * prices_usd[symbol]
            else:
                self.unpriced[self.sector(symbol)] = symbol
