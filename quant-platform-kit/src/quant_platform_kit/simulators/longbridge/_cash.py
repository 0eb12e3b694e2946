"""The cash flow: what moved the cash, trades included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import CashMovement, Fill, MovementKind, Side
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.longbridge._rows import Row, seconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARKET: Final = ".US"
_OUT, _IN = 1, 2
_CASH: Final = 1
_NAMES: Final = {
    MovementKind.DIVIDEND: ("Cash Dividend", "Cash Dividend"),
    MovementKind.TAX: ("CO Other FEE", "Withholding Tax/Dividend Fee"),
    MovementKind.INTEREST: ("Interest", "Interest"),
    MovementKind.FEE: ("CO Other FEE", "ADR Fee"),
    MovementKind.TRANSFER: ("Deposit", "Deposit"),
}


def flows(host: Host) -> list[tuple[datetime, Row]]:
    """Return every row, by time."""
    return sorted(_rows(host), key=lambda each: each[0])


def _rows(host: Host) -> Iterator[tuple[datetime, Row]]:
    for moved in host.broker.cash_movements(_EPOCH):
        yield moved.at, _moved(moved)
    for fill in host.fills():
        yield fill.at, _trade(fill)


def _moved(moved: CashMovement) -> Row:
    name, words = _NAMES.get(moved.kind, ("Adjustment", moved.text))
    if moved.kind is MovementKind.TRANSFER and moved.amount_usd < 0:
        name = words = "Withdrawal"
    text = words if moved.symbol is None else f"{moved.symbol}{_MARKET} {words}"
    # The symbol of a dividend stands in the description alone.
    return _row(name, moved.at, moved.amount_usd, "", text)


def _trade(fill: Fill) -> Row:
    bought = fill.side is Side.BUY
    worth = fill.quantity * fill.price_usd
    name = "BuyContract-Stocks" if bought else "SellContract-Stocks"
    amount = -worth if bought else worth
    return _row(name, fill.at, amount, fill.symbol + _MARKET, fill.symbol)


def _row(name: str, at: datetime, amount: Decimal, symbol: str, text: str) -> Row:
    return {
        "transaction_flow_name": name,
        "direction": _OUT if amount < 0 else _IN,
        "business_type": _CASH,
        "balance": str(amount),
        "currency": "USD",
        "business_time": seconds(at),
        "symbol": symbol,
        "description": text,
    }
