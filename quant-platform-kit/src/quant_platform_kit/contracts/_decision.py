"""What a strategy answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from quant_platform_kit.contracts._strategy import TargetMode
from quant_platform_kit.contracts._validate import (
    ZERO,
    check_decimal,
    check_member,
    check_positive,
    check_symbol,
    check_text,
    check_unique,
    refuse,
)
from quant_platform_kit.errors import ContractError, ReasonCode

_WEIGHT_STEP = Decimal("1e-10")
_CENT = Decimal("0.01")
_WHOLE_PCT = Decimal(100)


class DecisionOutcome(StrEnum):
    """The three answers: move to targets, keep everything, or an input does not allow either."""

    REBALANCE = "rebalance"
    HOLD = "hold"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Target:
    """A wish for one symbol: a weight of the sleeve in [0, 1], or dollars, by the decision's mode.

    A strategy computes in floats; `Decision.weights` and `Decision.values` bring its numbers here,
    rounded down, so that a sum never exceeds the whole through rounding.
    """

    symbol: str
    amount: Decimal

    def __post_init__(self) -> None:
        """Refuse an amount that is negative or not finite."""
        check_symbol(self, "symbol", self.symbol)
        check_decimal(self, "amount", self.amount, least=ZERO)


class SignalAction(StrEnum):
    """What a signal suggests; a signal informs, it is never an order."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Signal:
    """An optional opinion about one symbol, with a confidence in [0, 1].

    A signal is never an order by itself. In a REBALANCE, `stop_loss_pct` asks for a stop below
    what the holding cost, `trailing_stop_pct` for one below the best price since, both in per
    cent; a HOLD without either keeps the protection that the symbol has.
    """

    symbol: str
    action: SignalAction
    confidence: Decimal
    reasoning: str = ""
    quantity: Decimal | None = None
    stop_loss_pct: Decimal | None = None
    trailing_stop_pct: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse a confidence outside [0, 1], and a stop that is not below the price."""
        check_symbol(self, "symbol", self.symbol)
        check_decimal(self, "confidence", self.confidence, least=ZERO)
        if self.confidence > 1:
            raise refuse(self, "confidence", self.confidence, "at most 1")
        for name in ("stop_loss_pct", "trailing_stop_pct"):
            pct = getattr(self, name)
            if pct is not None:
                check_positive(self, name, pct)
                if pct >= _WHOLE_PCT:
                    raise refuse(self, name, pct, "a Decimal below 100")


@dataclass(frozen=True, slots=True)
class Decision:
    """A strategy's answer for one session; build it with one of the four constructors.

    `diagnostics` is shown to people and changes nothing.
    """

    outcome: DecisionOutcome
    mode: TargetMode | None = None
    targets: tuple[Target, ...] = ()
    reason: str = ""
    code: ReasonCode | None = None
    signals: tuple[Signal, ...] = ()
    risk_flags: tuple[str, ...] = ()
    diagnostics: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse an answer that mixes outcomes or whose weights exceed the whole."""
        check_member(self, "outcome", self.outcome, DecisionOutcome)
        check_unique(self, "targets", tuple(target.symbol for target in self.targets))
        if self.outcome is DecisionOutcome.REBALANCE:
            self._check_rebalance()
        elif self.targets:
            raise refuse(self, "targets", self.targets, f"none with {self.outcome.value}")
        else:
            check_text(self, "reason", self.reason)
        if (self.outcome is DecisionOutcome.BLOCKED) != (self.code is not None):
            raise refuse(self, "code", self.code, "a code with BLOCKED, and only with it")

    def _check_rebalance(self) -> None:
        check_member(self, "mode", self.mode, TargetMode)
        total = sum((target.amount for target in self.targets), ZERO)
        if self.mode is TargetMode.WEIGHT and total > 1:
            raise refuse(self, "targets", total, "weights that sum to at most 1")

    @classmethod
    def weights(
        cls,
        weights: Mapping[str, float | Decimal],
        *,
        risk_flags: tuple[str, ...] = (),
        diagnostics: Mapping[str, str] | None = None,
    ) -> Self:
        """Build a REBALANCE in weights of the sleeve, rounded down to ten decimals."""
        return cls._rebalance(TargetMode.WEIGHT, weights, _WEIGHT_STEP, risk_flags, diagnostics)

    @classmethod
    def values(
        cls,
        values_usd: Mapping[str, float | Decimal],
        *,
        risk_flags: tuple[str, ...] = (),
        diagnostics: Mapping[str, str] | None = None,
    ) -> Self:
        """Build a REBALANCE in dollars, rounded down to the cent."""
        return cls._rebalance(TargetMode.VALUE, values_usd, _CENT, risk_flags, diagnostics)

    @classmethod
    def hold(cls, reason: str, *, diagnostics: Mapping[str, str] | None = None) -> Self:
        """Keep what the sleeve has: an ordinary day."""
        return cls(DecisionOutcome.HOLD, reason=reason, diagnostics=diagnostics or {})

    @classmethod
    def blocked(cls, code: ReasonCode, detail: str) -> Self:
        """Say that an input is missing, stale or broken: no orders, and operators are told."""
        return cls(DecisionOutcome.BLOCKED, reason=detail, code=code)

    @classmethod
    def _rebalance(
        cls,
        mode: TargetMode,
        amounts: Mapping[str, float | Decimal],
        step: Decimal,
        risk_flags: tuple[str, ...],
        diagnostics: Mapping[str, str] | None,
    ) -> Self:
        targets = tuple(
            Target(symbol, _rounded_down(symbol, amount, step))
            for symbol, amount in amounts.items()
        )
        return cls(
            DecisionOutcome.REBALANCE,
            mode=mode,
            targets=targets,
            risk_flags=risk_flags,
            diagnostics=diagnostics or {},
        )


def _rounded_down(symbol: str, amount: float | Decimal, step: Decimal) -> Decimal:
    try:
        # str() is the shortest text that reads back as the same float: 0.1 stays 0.1.
        return Decimal(str(amount)).quantize(step, rounding=ROUND_FLOOR)
    except InvalidOperation:
        raise ContractError(
            f"Target.amount = {amount!r} of {symbol}: expected a finite number of ordinary size"
        ) from None
