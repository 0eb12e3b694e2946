"""Money, holdings and quotes out of Schwab's JSON; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from quant_platform_kit.brokers import _answers
from quant_platform_kit.brokers._answers import measured
from quant_platform_kit.brokers.schwab._orders import is_of, ours, price, shares
from quant_platform_kit.contracts import Account, Environment, Position, Quote
from quant_platform_kit.errors import BrokerAnswerError

reading = partial(_answers.reading, "Schwab")
"""Turn what an answer that makes no sense raises into the error that it deserves."""

_CENT: Final = Decimal("0.01")
SHARES: Final = frozenset({"EQUITY", "ETF", "COLLECTIVE_INVESTMENT", "MUTUAL_FUND"})
"""Kinds of instruments that the platform holds."""

_OTHERS: Final = frozenset(
    {
        "CASH_EQUIVALENT",
        "CURRENCY",
        "FIXED_INCOME",
        "FOREX",
        "FUTURE",
        "FUTURE_OPTION",
        "INDEX",
        "OPTION",
        "PRODUCT",
    }
)
_KIND: Final = "an instrument of the kind"
_LENDS: Final = {"CASH": False, "MARGIN": True}


def money(shown: Mapping[str, Any], account_id: str, environment: Environment) -> Account:
    """Read an account's money: of a cash account what is settled can be used, of margin the cash.

    What a broker would lend is never counted.
    """
    balances = shown["currentBalances"]
    cash = _usd(balances["cashBalance"])
    lendable = _LENDS[shown["type"]]
    usable = balances["availableFunds"] if lendable else balances["cashAvailableForTrading"]
    return Account(
        account_id=account_id,
        environment=environment,
        cash_usd=cash,
        usable_cash_usd=min(cash, _usd(usable)),
        equity_usd=_usd(balances["liquidationValue"]),
        sales_pay_at_once=lendable,
    )


def positions(shown: Mapping[str, Any]) -> tuple[Position, ...]:
    """Read the shares held, sorted; the account's own market value proves that none is missing."""
    rows = shown.get("positions", [])
    total = _usd(shown["currentBalances"]["longMarketValue"])
    if not rows and total:
        raise BrokerAnswerError(
            f"Schwab shows no position, and {total} USD of them; nothing is assumed about the "
            "holdings and nothing more was sent. Run again; look at the account if it stays so."
        )
    owned = [row for row in rows if is_of(_KIND, row["instrument"]["assetType"], SHARES, _OTHERS)]
    held = {position.symbol: position for position in map(_position, owned)}
    if len(held) != len(owned):
        raise ValueError("a symbol stands twice")
    return tuple(held[symbol] for symbol in sorted(held))


def _position(row: Mapping[str, Any]) -> Position:
    symbol = ours(row["instrument"]["symbol"])
    if shares(row["shortQuantity"]):
        raise BrokerAnswerError(
            f"The account is short of {symbol}, which this platform does not trade; nothing was "
            "sent. Close the short position, or use another account.",
            symbol=symbol,
        )
    average = row.get("averagePrice")
    return Position(
        symbol=symbol,
        quantity=shares(row["longQuantity"]),
        average_cost_usd=None if average is None else price(average),
    )


def quote(symbol: str, shown: Mapping[str, Any]) -> Quote:
    last = price(shown["lastPrice"])
    at = datetime.fromtimestamp(int(shown["tradeTime"]) / 1000, UTC)
    bid, ask = (price(shown.get(name) or 0) for name in ("bidPrice", "askPrice"))
    if not 0 < bid <= ask:  # nobody bids or asks, or the two were not taken at one moment
        return Quote(symbol, last, at)
    return Quote(symbol, last, at, bid, ask)


def _usd(value: object) -> Decimal:
    return measured(value).quantize(_CENT)
