"""Cash that moved beside trades, out of Schwab's transactions; pure.

Schwab tells whose dividend it was where it likes: in a leg of the transaction, behind a tilde at
the end of the description, or by the company's name alone. A name is looked up among the names
that Schwab's quotes give to what the account holds or traded; one that fits none, or two, is
nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quant_platform_kit.brokers._answers import measured
from quant_platform_kit.brokers.schwab._orders import instant, name_of, ours
from quant_platform_kit.brokers.schwab._rows import SHARES
from quant_platform_kit.contracts import CashMovement, MovementKind

TYPES: Final = (
    "DIVIDEND_OR_INTEREST",
    "ACH_RECEIPT",
    "ACH_DISBURSEMENT",
    "CASH_RECEIPT",
    "CASH_DISBURSEMENT",
    "ELECTRONIC_FUND",
    "WIRE_OUT",
    "WIRE_IN",
    "JOURNAL",
)
"""Types of transactions that move cash and are no trade."""

_BOOKED: Final = "VALID"  # others are pending, or were taken back
_INCOME: Final = "DIVIDEND_OR_INTEREST"
_OF_COMPANIES: Final = frozenset({_INCOME, "JOURNAL"})
_SPOKEN: Final = (  # the first word that is found tells what it was
    (re.compile(r"\b(TAX|NRA|WITHHOLDING)\b"), MovementKind.TAX),
    (re.compile(r"\bFEES?\b"), MovementKind.FEE),
    (re.compile(r"\bINT(EREST)?\b"), MovementKind.INTEREST),
)
_BEHIND_TILDE: Final = re.compile(r"~\s*([A-Z][A-Z0-9./-]{0,31})\s*$")
_TICKER: Final = re.compile(r"[A-Z][A-Z0-9./-]{0,31}")
_NO_LETTER: Final = re.compile(r"[^A-Z0-9 ]")
_SHORT: Final = {"INCORPORATED": "INC", "CORPORATION": "CORP", "COMPANY": "CO", "LIMITED": "LTD"}


def movements(
    transactions: Iterable[Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[CashMovement, ...]:
    """Read the transactions that moved cash, by time.

    Parameters
    ----------
    transactions : iterable of mapping
    names : mapping of str to str
        Symbols by the names that `names_of` returns.
    """
    read = [_movement(row, names) for row in transactions if _moved_cash(row)]
    return tuple(sorted(read, key=lambda moved: (moved.at, moved.movement_id)))


def lacks_a_symbol(transactions: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a company's name would say whose dividend it was."""
    return any(
        _moved_cash(row) and row["type"] in _OF_COMPANIES and _symbol(row, {}) is None
        for row in transactions
        if _spoken(row) is not MovementKind.INTEREST
    )


def names_of(quotes: Mapping[str, Any]) -> dict[str, str]:
    """Return our symbols by the plain names in an answer to a question for quotes."""
    found: dict[str, set[str]] = {}
    for symbol, shown in quotes.items():
        name = _plain(str((shown.get("reference") or {}).get("description") or ""))
        found.setdefault(name, set()).add(ours(symbol))
    return {name: min(symbols) for name, symbols in found.items() if name and len(symbols) == 1}


def _moved_cash(row: Mapping[str, Any]) -> bool:
    return row["type"] in TYPES and row["status"] == _BOOKED and bool(row["netAmount"])


def _movement(row: Mapping[str, Any], names: Mapping[str, str]) -> CashMovement:
    symbol, amount = _symbol(row, names), measured(row["netAmount"])
    return CashMovement(
        movement_id=name_of(row["activityId"]),
        at=instant(row["time"]),
        amount_usd=amount,
        kind=_kind(row, symbol, takes=amount < 0),
        symbol=symbol,
        text=_text(row),
    )


def _kind(row: Mapping[str, Any], symbol: str | None, *, takes: bool) -> MovementKind:
    spoken = _spoken(row)
    if row["type"] == _INCOME:
        if symbol is None:
            return spoken or MovementKind.DIVIDEND
        if spoken is MovementKind.FEE:
            return spoken
        return MovementKind.TAX if takes else MovementKind.DIVIDEND
    if spoken in {MovementKind.TAX, MovementKind.FEE}:
        return spoken
    # What a company's shares cost in a journal is a fee, such as that of a foreign one's.
    return MovementKind.FEE if symbol is not None and takes else MovementKind.TRANSFER


def _symbol(row: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    for item in row.get("transferItems") or ():
        instrument = item.get("instrument") or {}
        symbol = str(instrument.get("symbol") or "")
        if instrument.get("assetType") in SHARES and _TICKER.fullmatch(symbol):
            return ours(symbol)
    named = _BEHIND_TILDE.search(_text(row))
    if named is not None:
        return ours(named[1])
    return names.get(_plain(_text(row))) if row["type"] in _OF_COMPANIES else None


def _spoken(row: Mapping[str, Any]) -> MovementKind | None:
    words = _text(row).upper()
    return next((kind for word, kind in _SPOKEN if word.search(words)), None)


def _text(row: Mapping[str, Any]) -> str:
    return str(row.get("description") or "")


def _plain(name: str) -> str:
    """Return a company's name as any of Schwab's spellings has it."""
    words = [_SHORT.get(word, word) for word in _NO_LETTER.sub("", name.upper()).split()]
    return " ".join(words[1:] if words[:1] == ["THE"] else words)
