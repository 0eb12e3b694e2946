"""What the risk checks say about a leg, and the figures they said it on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._orders import Side
from quant_platform_kit.contracts._validate import check_positive, refuse
from quant_platform_kit.errors import ReasonCode


class CheckStatus(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    REDUCED = "reduced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check that was made.

    Parameters
    ----------
    name : str
        The check, or the key of its limit: ``position.max_notional_per_symbol``.
    status : CheckStatus
    figure, limit : Decimal or None
        What the order would lead to and what is allowed, in the limit's unit; None for a check
        that compares no numbers.
    """

    name: str
    status: CheckStatus = CheckStatus.PASSED
    figure: Decimal | None = None
    limit: Decimal | None = None


class VerdictKind(StrEnum):
    """What may be done with a leg."""

    APPROVED = "approved"
    REDUCED = "reduced"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a leg may be sent, and how much of it.

    Parameters
    ----------
    code : ReasonCode or None
        Why the leg is rejected or made smaller; None when every check passed.
    detail : str
        The same with its figures, for an operator.
    quantity : Decimal or None
        The shares that may be sent, for a leg that is made smaller.
    checks : tuple of CheckLine
        Every check that was made, in order; none follows the one that rejects.
    """

    code: ReasonCode | None = None
    detail: str = ""
    quantity: Decimal | None = None
    checks: tuple[CheckLine, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a smaller quantity without its reason."""
        if self.quantity is None:
            return
        check_positive(self, "quantity", self.quantity)
        if self.code is None:
            raise refuse(self, "code", self.code, "why the quantity was reduced")

    @property
    def kind(self) -> VerdictKind:
        """APPROVED, REDUCED or REJECTED."""
        if self.code is None:
            return VerdictKind.APPROVED
        return VerdictKind.REJECTED if self.quantity is None else VerdictKind.REDUCED

    @property
    def approved(self) -> bool:
        """True when the leg may be sent, whole or reduced."""
        return self.kind is not VerdictKind.REJECTED


@dataclass(frozen=True, slots=True)
class LegVerdict:
    """A verdict in a report, with the leg that was asked for."""

    symbol: str
    side: Side
    quantity: Decimal
    verdict: Verdict
