"""What the broker says the account holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quant_platform_kit.contracts._modes import Environment
from quant_platform_kit.contracts._orders import BrokerOrder
from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_instant,
    check_symbol,
    check_text,
    check_unique,
)


@dataclass(frozen=True, slots=True)
class Account:
    """Money of one account, in USD.

    Parameters
    ----------
    account_id : str
        The broker's identifier; never printed whole.
    environment : Environment
        As the connection itself says.
    cash_usd : Decimal
        All cash, settled or not; negative on a margin debit.
    usable_cash_usd : Decimal
        What may pay for purchases now: settled cash of a cash account, cash of a margin account.
    equity_usd : Decimal
        Cash and the market value of every position.
    sales_pay_at_once : bool or None
        Whether the proceeds of a sale can pay for a purchase of the same session, as on margin;
        None where the broker does not tell.
    """

    account_id: str
    environment: Environment
    cash_usd: Decimal
    usable_cash_usd: Decimal
    equity_usd: Decimal
    sales_pay_at_once: bool | None = None

    def __post_init__(self) -> None:
        """Refuse amounts that are not finite."""
        check_text(self, "account_id", self.account_id)
        for field in ("cash_usd", "usable_cash_usd", "equity_usd"):
            check_decimal(self, field, getattr(self, field))


@dataclass(frozen=True, slots=True)
class Position:
    """A long holding: shares of one symbol.

    `average_cost_usd` is per share, as the broker reports it; None where it does not.
    """

    symbol: str
    quantity: Decimal
    average_cost_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite, or a short holding."""
        check_symbol(self, "symbol", self.symbol)
        check_decimal(self, "quantity", self.quantity, least=ZERO)
        if self.average_cost_usd is not None:
            check_decimal(self, "average_cost_usd", self.average_cost_usd, least=ZERO)


@dataclass(frozen=True, slots=True)
class PortfolioSnapshot:
    """The broker's truth about one account at one instant.

    A snapshot is complete: a query that failed raises, it never yields fewer rows.
    """

    account: Account
    positions: tuple[Position, ...]
    open_orders: tuple[BrokerOrder, ...]
    taken_at: datetime

    def __post_init__(self) -> None:
        """Refuse a symbol that stands twice."""
        check_unique(self, "positions", tuple(p.symbol for p in self.positions))
        check_instant(self, "taken_at", self.taken_at)

    def quantity(self, symbol: str) -> Decimal:
        """Return the shares held of `symbol`; zero when there are none."""
        return next((p.quantity for p in self.positions if p.symbol == symbol), ZERO)

    def quantities(self) -> dict[str, Decimal]:
        """Return the shares held, by symbol."""
        return {p.symbol: p.quantity for p in self.positions}
