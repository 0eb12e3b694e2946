"""From a wish to explained legs: the target portfolio and the order plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from quant_platform_kit.contracts._orders import Side
from quant_platform_kit.contracts._strategy import ExecutionHints, TargetMode
from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_positive,
    check_symbol,
    check_unique,
    refuse,
)
from quant_platform_kit.errors import ReasonCode

_CENT = Decimal("0.01")
_BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One sleeve's part in a symbol's target: a weight of the account, or dollars."""

    sleeve: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioTarget:
    """The account's wish for one symbol; `amount` is the sum of its contributions."""

    symbol: str
    amount: Decimal
    contributors: tuple[Contribution, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a negative wish."""
        check_symbol(self, "symbol", self.symbol)
        check_decimal(self, "amount", self.amount, least=ZERO)


@dataclass(frozen=True, slots=True)
class FrozenSleeve:
    """A sleeve that keeps what it has, and why; no order touches its symbols."""

    sleeve: str
    code: ReasonCode
    detail: str
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetPortfolio:
    """The account's wish: complete over `managed`, zero where a managed symbol is absent.

    Parameters
    ----------
    mode : TargetMode
        Unit of every amount: weight of the capital base, or dollars.
    managed : tuple of str
        Symbols that this run may trade; everything else in the account is never touched.
    targets : tuple of PortfolioTarget
        A subset of `managed`.
    frozen : tuple of FrozenSleeve
        Sleeves without a usable decision: nothing in them is traded.
    hints : ExecutionHints
    """

    mode: TargetMode
    managed: tuple[str, ...]
    targets: tuple[PortfolioTarget, ...]
    frozen: tuple[FrozenSleeve, ...] = ()
    hints: ExecutionHints = ExecutionHints()

    def __post_init__(self) -> None:
        """Refuse a target outside the managed universe, and weights that exceed the whole."""
        check_unique(self, "managed", self.managed)
        check_unique(self, "targets", tuple(target.symbol for target in self.targets))
        managed = frozenset(self.managed)
        for target in self.targets:
            if target.symbol not in managed:
                raise refuse(self, "targets", target.symbol, "a symbol of the managed universe")
        total = sum((target.amount for target in self.targets), ZERO)
        if self.mode is TargetMode.WEIGHT and total > 1:
            raise refuse(self, "targets", total, "weights that sum to at most 1")

    @property
    def universe(self) -> frozenset[str]:
        """Symbols of every sleeve, frozen ones too: the holdings that the capital base counts."""
        return frozenset(self.managed).union(*(sleeve.symbols for sleeve in self.frozen))


@dataclass(frozen=True, slots=True)
class FeeModel:
    """What an order costs: a rate on the notional plus an amount per share, at least a minimum."""

    per_share_usd: Decimal = ZERO
    notional_bps: Decimal = ZERO
    minimum_usd: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse a negative charge."""
        for field in ("per_share_usd", "notional_bps", "minimum_usd"):
            check_decimal(self, field, getattr(self, field), least=ZERO)

    def fee(self, quantity: Decimal, price_usd: Decimal) -> Decimal:
        """Return the fee in USD for `quantity` shares at `price_usd`, rounded up to the cent.

        Rounded up, a budget never falls short of the charge, and an order in two parts never
        costs less than the order in one: what did not fit a budget still does not fit later.
        """
        per_share = self.per_share_usd + price_usd * self.notional_bps / _BASIS_POINTS
        return max(self.minimum_usd, quantity * per_share).quantize(_CENT, ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What a broker accepts and charges; one frozen object per adapter.

    Parameters
    ----------
    lot_shares : Decimal
        Orders are whole multiples of it; 1 means whole shares.
    minimum_notional_usd : Decimal
        The smallest order the broker takes.
    fees : FeeModel
    buy_price_buffer_ratio : Decimal
        Head room above the quote when a market purchase is budgeted.
    """

    lot_shares: Decimal = Decimal(1)
    minimum_notional_usd: Decimal = ZERO
    fees: FeeModel = FeeModel()
    buy_price_buffer_ratio: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse a lot of no size, or a negative minimum or buffer."""
        check_positive(self, "lot_shares", self.lot_shares)
        for field in ("minimum_notional_usd", "buy_price_buffer_ratio"):
            check_decimal(self, field, getattr(self, field), least=ZERO)


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a plan and the whole arithmetic behind it; money in USD, sizes in shares.

    Parameters
    ----------
    symbol, side, quantity
        The order: `quantity` shares, above zero.
    price_usd, price_at
        The quote that sized it and when that price was made.
    target_usd, current_usd
        Wished and present market value.
    target_quantity, current_quantity
        Wished (whole lots) and present shares.
    exact_quantity
        Target value / price before rounding to lots; what rounding cost is the difference.
    limited_by : ReasonCode or None
        Why the leg is smaller than the wish; None when it is not.
    contributors : tuple of Contribution
        The sleeves that asked for it.
    """

    symbol: str
    side: Side
    quantity: Decimal
    price_usd: Decimal
    price_at: datetime
    target_usd: Decimal
    current_usd: Decimal
    target_quantity: Decimal
    current_quantity: Decimal
    exact_quantity: Decimal
    limited_by: ReasonCode | None = None
    contributors: tuple[Contribution, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a leg without size, or a sale of more than is held."""
        if self.quantity <= ZERO:
            raise refuse(self, "quantity", self.quantity, "a Decimal above zero")
        if self.side is Side.SELL and self.quantity > self.current_quantity:
            raise refuse(
                self, "quantity", self.quantity, f"at most the {self.current_quantity} held"
            )

    @property
    def notional_usd(self) -> Decimal:
        """Quantity times the sizing price."""
        return self.quantity * self.price_usd


@dataclass(frozen=True, slots=True)
class Skipped:
    """A managed symbol that is not traded in this run, and why."""

    symbol: str
    code: ReasonCode
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """Sells, then buys in order of priority, and a reason for every symbol left alone.

    Parameters
    ----------
    capital_base_usd : Decimal
        What the weights were taken of; the same decision and book give the same on every broker.
    sells, buys : tuple of Leg
    skipped : tuple of Skipped
    reserve_usd : Decimal
        Cash that no purchase may use: the account's floor, the strategy's reserve and what
        purchases that are already working will cost.
    residual_cash_usd : Decimal
        Cash expected to be left after every leg and fee, at the prices that sized the plan.
    """

    capital_base_usd: Decimal
    sells: tuple[Leg, ...]
    buys: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]
    reserve_usd: Decimal
    residual_cash_usd: Decimal

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Every leg in the order of submission."""
        return self.sells + self.buys
