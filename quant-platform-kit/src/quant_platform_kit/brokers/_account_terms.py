"""What a simulated broker agreed with the owner of an account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from quant_platform_kit.errors import ContractError

_SETTLEMENTS: Final = (0, 1)


class AccountKind(StrEnum):
    """Whether a purchase may be paid with a sale that has not settled: on margin it may."""

    CASH = "cash"
    MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """Whether the account is one of cash or margin, and when its sales settle.

    The proceeds of a sale are part of the cash at once. In a cash account they pay for a purchase
    only from the open of the session in which they settle; in a margin account at once, so that
    settlement changes nothing there. Neither kind ever spends cash that it does not have.

    Real brokers do more. US equities settle one session after the trade since 28 May 2024. Many
    cash accounts may buy with unsettled proceeds, and are restricted for 90 days after selling
    what was bought before those had settled (a good-faith violation). A margin account may also
    borrow against its holdings, at interest, and sell short. Not modelled are such violations,
    borrowing, interest, short sales, day-trading limits, and days on which the exchange trades
    and banks do not settle.

    Parameters
    ----------
    kind : AccountKind
    settlement_sessions : int
        From the sale to its settlement: 0, the same session, or 1, the next.
    """

    kind: AccountKind = AccountKind.MARGIN
    settlement_sessions: int = 1

    def __post_init__(self) -> None:
        """Refuse a settlement that no account has."""
        if self.settlement_sessions not in _SETTLEMENTS:
            raise ContractError(
                f"AccountTerms.settlement_sessions = {self.settlement_sessions!r}: expected 0 or 1"
            )

    @property
    def withholds(self) -> bool:
        """Whether the proceeds of a sale cannot pay for a purchase of the same session."""
        return self.kind is AccountKind.CASH and self.settlement_sessions > 0
