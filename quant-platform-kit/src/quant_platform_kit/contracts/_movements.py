"""What moves an account's cash beside its trades, as a broker tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from quant_platform_kit.contracts._validate import (
    check_decimal,
    check_instant,
    check_member,
    check_symbol,
    check_text,
    refuse,
)


class MovementKind(StrEnum):
    """Why cash came or went.

    DIVIDEND and TAX, which is withheld from one, are a holding's. INTEREST and FEE are the
    account's. TRANSFER is the owner's money, and OTHER is what the broker does not say.
    """

    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    TAX = "tax"
    TRANSFER = "transfer"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CashMovement:
    """Cash that came to an account, or went, without a trade.

    Parameters
    ----------
    movement_id : str
        The same whenever the broker is asked, and no other movement's.
    at : datetime
    amount_usd : Decimal
        What it does to the cash: below zero for a tax or a withdrawal.
    kind : MovementKind
    symbol : str or None
        Whose dividend or tax it is, where the broker tells.
    text : str
        The broker's own words.
    """

    movement_id: str
    at: datetime
    amount_usd: Decimal
    kind: MovementKind
    symbol: str | None = None
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse a movement without an id, one that moves nothing, or one at no known time."""
        check_text(self, "movement_id", self.movement_id)
        check_instant(self, "at", self.at)
        check_decimal(self, "amount_usd", self.amount_usd)
        if not self.amount_usd:
            raise refuse(self, "amount_usd", self.amount_usd, "a Decimal other than zero")
        check_member(self, "kind", self.kind, MovementKind)
        if self.symbol is not None:
            check_symbol(self, "symbol", self.symbol)
