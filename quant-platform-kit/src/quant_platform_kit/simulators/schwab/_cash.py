"""Transactions: what moved the cash, trades included."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from quant_platform_kit.contracts import CashMovement, Fill, MovementKind, Side
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.schwab._http import Reply, Request, bad, unknown_account
from quant_platform_kit.simulators.schwab._market import company
from quant_platform_kit.simulators.schwab._orders import instant, wire_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INCOME: Final = "DIVIDEND_OR_INTEREST"
_WORDS: Final = {
    MovementKind.DIVIDEND: "CASH DIVIDEND",
    MovementKind.TAX: "NRA Tax",
    MovementKind.INTEREST: "Bank Interest",
    MovementKind.FEE: "ADR Fee",
}


class Cash:
    """The transactions of a host's account; every method is called under its lock."""

    def __init__(self, host: Host, account_hash: str) -> None:
        self._host = host
        self._account_hash = account_hash

    def transactions(self, request: Request, account_hash: str) -> Reply:
        """List transactions of the types that are asked for, newest first."""
        if account_hash != self._account_hash:
            return unknown_account()
        bounds = request.argument("startDate"), request.argument("endDate")
        types = request.argument("types")
        if types is None or None in bounds:
            return bad("types, startDate and endDate are required.")
        first, last = (datetime.fromisoformat(str(bound)) for bound in bounds)
        symbol = request.argument("symbol")
        shown = [
            row
            for at, row in sorted(self._rows(), key=lambda each: each[0], reverse=True)
            if first <= at.replace(microsecond=0) <= last
            and row["type"] in types.split(",")
            and symbol in {None, *(item["instrument"]["symbol"] for item in row["transferItems"])}
        ]
        return Reply(200, shown)

    def _rows(self) -> Iterator[tuple[datetime, dict[str, Any]]]:
        for moved in self._host.broker.cash_movements(_EPOCH):
            yield moved.at, self._moved(moved)
        for fill in self._host.fills():
            yield fill.at, self._trade(fill)

    def _moved(self, moved: CashMovement) -> dict[str, Any]:
        text = _WORDS.get(moved.kind, moved.text)
        if moved.kind is MovementKind.TAX and moved.symbol is not None:
            text = f"{text}~{_theirs(moved.symbol)}"
        elif moved.symbol is not None:  # transactions have spellings of their own
            text = "THE " + company(_theirs(moved.symbol)).upper().replace("INCORPORATED", "INC")
        return self._row(moved.movement_id, _type(moved), moved.at, moved.amount_usd) | {
            "description": text,
            "transferItems": [_dollars(moved.amount_usd)],
        }

    def _trade(self, fill: Fill) -> dict[str, Any]:
        shares = fill.quantity if fill.side is Side.BUY else -fill.quantity
        net = -shares * fill.price_usd - fill.fee_usd
        leg = {
            "instrument": {"assetType": "EQUITY", "symbol": _theirs(fill.symbol)},
            "amount": shares,
            "cost": -shares * fill.price_usd,
            "price": fill.price_usd,
            "positionEffect": "OPENING" if fill.side is Side.BUY else "CLOSING",
        }
        return self._row(fill.fill_id, "TRADE", fill.at, net) | {
            "orderId": wire_id(fill.broker_order_id),
            "transferItems": [_dollars(net), leg],
        }

    def _row(self, name: str, kind: str, at: datetime, net: Decimal) -> dict[str, Any]:
        return {
            "activityId": zlib.crc32(name.encode()),
            "time": instant(at),
            "accountNumber": self._host.account_id,
            "type": kind,
            "status": "VALID",
            "subAccount": "CASH",
            "tradeDate": instant(at),
            "netAmount": net,
        }


def _type(moved: CashMovement) -> str:
    if moved.kind in {MovementKind.DIVIDEND, MovementKind.TAX, MovementKind.INTEREST}:
        return _INCOME
    if moved.kind is MovementKind.TRANSFER:
        return "ELECTRONIC_FUND"
    return "JOURNAL"


def _theirs(symbol: str) -> str:
    return symbol.replace(".", "/")


def _dollars(amount: Decimal) -> dict[str, Any]:
    instrument = {"assetType": "CURRENCY", "status": "ACTIVE", "symbol": "CURRENCY_USD"}
    return {"instrument": instrument, "amount": amount, "cost": Decimal(0), "price": Decimal(0)}
