"""What an operator may order by hand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quant_platform_kit.contracts._orders import Purpose
from quant_platform_kit.contracts._validate import check_member, check_symbol, check_text, refuse


class OperatorAction(StrEnum):
    """An operator's command about orders and holdings.

    CANCEL takes one working order of ours off, CANCEL_ALL every one. CLOSE sells one managed
    holding, FLATTEN all of them.
    """

    CANCEL = "cancel"
    CANCEL_ALL = "cancel-all"
    CLOSE = "close"
    FLATTEN = "flatten"

    @property
    def sells(self) -> bool:
        """True when the command sends orders."""
        return self in _PURPOSES

    @property
    def purpose(self) -> Purpose:
        """What its orders are for; of a command that `sells`."""
        return _PURPOSES[self]


_PURPOSES = {OperatorAction.CLOSE: Purpose.CLOSE, OperatorAction.FLATTEN: Purpose.FLATTEN}
_WITH_SUBJECT = frozenset({OperatorAction.CANCEL, OperatorAction.CLOSE})


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """What was asked for, by whom and why; `subject` is the symbol to close or order to cancel."""

    action: OperatorAction
    who: str
    why: str
    subject: str = ""

    def __post_init__(self) -> None:
        """Refuse a command without an author, a reason, or the subject that it needs."""
        check_member(self, "action", self.action, OperatorAction)
        check_text(self, "who", self.who)
        check_text(self, "why", self.why)
        if (self.action in _WITH_SUBJECT) != bool(self.subject):
            raise refuse(self, "subject", self.subject, "a symbol or an order where it needs one")
        if self.action is OperatorAction.CLOSE:
            check_symbol(self, "subject", self.subject)

    def __str__(self) -> str:
        """Say it in a sentence for a report."""
        return f"{f'{self.action.value} {self.subject}'.strip()} by {self.who}: {self.why}"
