"""From a wish to explained legs: the target portfolio and the order plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Self

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
from quant_platform_kit.contracts._verdicts import Verdict
from quant_platform_kit.errors import ReasonCode

_CENT = Decimal("0.01")
_SELL = Side.SELL  # looking up a member of an enum takes twice a multiplication
_BASIS_POINT = Decimal("0.0001")


class Rounding(StrEnum):
    """How exact targets become whole lots.

    NEAREST: to the nearer lot, decided for all symbols together as far as cash goes, for the
    capital that is left after the plan's own fees. FLOOR: each symbol down by itself.
    """

    NEAREST = "nearest"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Contribution:
    """One sleeve's part in a symbol's target: a weight of the account, or dollars.

    Zero when the sleeve manages the symbol and does not want it.
    """

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
    """What an order costs: a rate on the notional plus an amount per share, within bounds.

    Parameters
    ----------
    per_share_usd, notional_bps : Decimal
        The rates, added up.
    minimum_usd : Decimal
        Least fee of an order.
    maximum_bps : Decimal or None
        Largest fee of an order, in basis points of its notional; below the minimum, it is the
        maximum that counts. IBKR's fixed plan for US stocks is 0.005 USD a share, 1 USD at least,
        100 bps at most; its tiered plan begins at 0.0035 USD and 0.35 USD, with the fees of
        exchange and clearing on top.
    """

    per_share_usd: Decimal = ZERO
    notional_bps: Decimal = ZERO
    minimum_usd: Decimal = ZERO
    maximum_bps: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse a negative charge."""
        for field in ("per_share_usd", "notional_bps", "minimum_usd"):
            check_decimal(self, field, getattr(self, field), least=ZERO)
        if self.maximum_bps is not None:
            check_decimal(self, "maximum_bps", self.maximum_bps, least=ZERO)

    def fee(self, quantity: Decimal, price_usd: Decimal) -> Decimal:
        """Return the fee in USD for `quantity` shares at `price_usd`, rounded up to the cent.

        Rounded up, a budget never falls short of the charge, and an order in two parts never
        costs less than the order in one: what did not fit a budget still does not fit later.
        """
        notional = None if self.maximum_bps is None else quantity * price_usd
        return self.charge(quantity * self.rate(price_usd), notional)

    def rate(self, price_usd: Decimal) -> Decimal:
        """Return what one share at `price_usd` adds to a fee, in USD, before its bounds."""
        return self.per_share_usd + price_usd * self.notional_bps * _BASIS_POINT

    def charge(self, amount_usd: Decimal, notional_usd: Decimal | None = None) -> Decimal:
        """Return the fee in USD that follows from the rates of all shares of an order.

        Without its notional, the most that it can be: the maximum is left out.
        """
        if amount_usd < self.minimum_usd:  # noqa: PLR1730 (max costs as much as the rest of it)
            amount_usd = self.minimum_usd
        if self.maximum_bps is not None and notional_usd is not None:
            amount_usd = min(amount_usd, notional_usd * self.maximum_bps * _BASIS_POINT)
        return amount_usd.quantize(_CENT, ROUND_CEILING)


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
    tick_usd : Decimal
        Smallest step of an order's price.
    """

    lot_shares: Decimal = Decimal(1)
    minimum_notional_usd: Decimal = ZERO
    fees: FeeModel = FeeModel()
    buy_price_buffer_ratio: Decimal = ZERO
    tick_usd: Decimal = _CENT

    def __post_init__(self) -> None:
        """Refuse a lot or tick of no size, or a negative minimum or buffer."""
        for field in ("lot_shares", "tick_usd"):
            check_positive(self, field, getattr(self, field))
        for field in ("minimum_notional_usd", "buy_price_buffer_ratio"):
            check_decimal(self, field, getattr(self, field), least=ZERO)

    def limit_price(self, side: Side, price_usd: Decimal) -> Decimal:
        """Return the worst price in USD at which an order may fill without hurting its plan.

        The quote with the head room, on a tick: a purchase never beyond what was budgeted for
        it, a sale never below the same distance, and neither at less than one tick.
        """
        room = price_usd * self.buy_price_buffer_ratio
        limit = price_usd + room if side is Side.BUY else price_usd - room
        on_tick = limit // self.tick_usd * self.tick_usd
        if side is Side.SELL and on_tick < limit:
            on_tick += self.tick_usd
        return max(on_tick, self.tick_usd)


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
        Target value / price before rounding to lots; see `rounding_quantity`.
    limited_by : ReasonCode or None
        Why the leg is not larger, where it stops short of the exact target; None when it
        reaches the nearest lot.
    contributors : tuple of Contribution
        The sleeves whose wish it is: also those that want none of it any more.
    working_quantity
        Shares that orders of ours already buy (sell, when negative); counted as if filled.
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
    working_quantity: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse a leg without size, or a sale of more than is held."""
        if self.quantity <= ZERO:
            raise refuse(self, "quantity", self.quantity, "a Decimal above zero")
        if self.side is _SELL and self.quantity > self.current_quantity:
            raise refuse(
                self, "quantity", self.quantity, f"at most the {self.current_quantity} held"
            )

    @property
    def notional_usd(self) -> Decimal:
        """Quantity times the sizing price."""
        return self.quantity * self.price_usd

    @property
    def difference_usd(self) -> Decimal:
        """Wished minus present market value; negative for a sale."""
        return self.target_usd - self.current_usd

    @property
    def rounding_quantity(self) -> Decimal:
        """Shares that whole lots hold beyond the exact target; negative for short of it."""
        return self.target_quantity - self.exact_quantity

    def limited(self, verdict: Verdict) -> Self:
        """Return the leg as the risk checks allow it: smaller, and saying why, when reduced."""
        if verdict.quantity is None:
            return self
        return replace(self, quantity=verdict.quantity, limited_by=verdict.code)


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
        What the targets in dollars are shares of; the same decision and book give the same on
        every broker.
    sized_on_usd : Decimal
        The capital base that lots were sized for: what is left of it after the plan's own fees.
        A later attempt of the run that is given it sizes the same lots.
    sells, buys : tuple of Leg
    skipped : tuple of Skipped
    reserve_usd : Decimal
        Cash that no purchase may use: the account's floor, the strategy's reserve and what
        purchases that are already working will cost.
    residual_cash_usd : Decimal
        Cash expected to be left after every leg and fee, at the prices that sized the plan.
    fees_usd : Decimal
        What every leg together is expected to cost in fees.
    least_trade_usd : Decimal
        The smallest order of a symbol that stays wanted.
    rounding : Rounding
    """

    capital_base_usd: Decimal
    sized_on_usd: Decimal
    sells: tuple[Leg, ...]
    buys: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]
    reserve_usd: Decimal
    residual_cash_usd: Decimal
    fees_usd: Decimal = ZERO
    least_trade_usd: Decimal = ZERO
    rounding: Rounding = Rounding.NEAREST

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Every leg in the order of submission."""
        return self.sells + self.buys
