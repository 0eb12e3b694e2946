"""The endpoints of the Trader API on a host's account."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from quant_platform_kit.brokers import AccountKind
from quant_platform_kit.contracts import Account
from quant_platform_kit.errors import ContractError, TransientError
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.schwab._cash import Cash
from quant_platform_kit.simulators.schwab._http import Reply, Request, failure, unknown_account
from quant_platform_kit.simulators.schwab._market import Market
from quant_platform_kit.simulators.schwab._orders import parse_order
from quant_platform_kit.simulators.schwab._tokens import Tokens, denial
from quant_platform_kit.simulators.schwab._trading import Trading

Endpoint: TypeAlias = Callable[..., Reply]
"""Takes the request and what its path names."""

_CHUNK: Final = "[^/]+"
_ACCOUNTS: Final = "/trader/v1/accounts"
_ORDERS: Final = f"{_ACCOUNTS}/({_CHUNK})/orders"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose endpoint is known."""

    operation: str
    symbol: str | None
    run: Callable[[], Reply]


class Api:
    """What each endpoint answers; every method is called under the host's lock."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.tokens = Tokens()
        self.account_hash = hashlib.sha256(host.account_id.encode()).hexdigest().upper()
        self._trading = Trading(host, self.account_hash)
        self._cash = Cash(host, self.account_hash)
        self._market = Market(host)
        self._routes: tuple[tuple[str, str, str, Endpoint], ...] = (
            ("POST", "/v1/oauth/token", "token", self._token),
            ("GET", f"{_ACCOUNTS}/accountNumbers", "account_numbers", self._account_numbers),
            ("GET", _ACCOUNTS, "accounts", self._accounts),
            ("GET", f"{_ACCOUNTS}/({_CHUNK})", "account", self._account),
            ("GET", _ORDERS, "orders", self._trading.orders),
            ("POST", _ORDERS, "place", self._trading.place),
            ("GET", f"{_ORDERS}/({_CHUNK})", "order", self._trading.order),
            ("PUT", f"{_ORDERS}/({_CHUNK})", "replace", self._trading.replace),
            ("DELETE", f"{_ORDERS}/({_CHUNK})", "cancel", self._trading.cancel),
            (
                "GET",
                f"{_ACCOUNTS}/({_CHUNK})/transactions",
                "transactions",
                self._cash.transactions,
            ),
            ("GET", "/trader/v1/userPreference", "preference", self._preference),
            ("GET", "/marketdata/v1/quotes", "quotes", self._market.quotes),
            ("GET", f"/marketdata/v1/({_CHUNK})/quotes", "quotes", self._market.quote),
            ("GET", "/marketdata/v1/pricehistory", "pricehistory", self._market.price_history),
        )

    def find(self, request: Request) -> Call | None:
        """Return the call that a request makes; None when there is no such endpoint."""
        for method, pattern, name, endpoint in self._routes:
            match = re.fullmatch(pattern, request.path) if method == request.method else None
            if match is not None:
                run = partial(endpoint, request, *match.groups())
                return Call(name, self._symbol_of(request), run)
        return None

    def _symbol_of(self, request: Request) -> str | None:
        if request.method in {"POST", "PUT"} and request.path.startswith("/trader/"):
            try:
                return parse_order(json.loads(request.body)).symbol
            except (ContractError, ValueError):
                return None
        return request.argument("symbol") or request.argument("symbols")

    # ── Tokens ─────────────────────────────────────────────────────────────────────────

    def _token(self, request: Request) -> Reply:
        if self._host.wire.strike({WireFault.REFRESH_DENIED}, "token") is not None:
            return Reply(400, denial())
        return Reply(*self.tokens.grant(request.headers, request.body))

    # ── Accounts ───────────────────────────────────────────────────────────────────────

    def _account_numbers(self, _: Request) -> Reply:
        number = {"accountNumber": self._host.account_id, "hashValue": self.account_hash}
        return Reply(200, [number])

    def _accounts(self, request: Request) -> Reply:
        one = self._account(request, self.account_hash)
        return Reply(200, [one.body]) if one.status == 200 else one  # noqa: PLR2004 (OK)

    def _account(self, request: Request, account_hash: str) -> Reply:
        if account_hash != self.account_hash:
            return unknown_account()
        broker = self._host.broker
        account = broker.account()
        try:
            positions = broker.positions()
        except TransientError:
            return failure()
        shown: dict[str, Any] = {
            "type": broker.kind.upper(),
            "accountNumber": self._host.account_id,
            "roundTrips": 0,
            "isDayTrader": False,
            "isClosingOnlyRestricted": False,
            "pfcbFlag": False,
            "currentBalances": _balances(account, broker.kind),
        }
        lost = self._host.wire.strike({WireFault.EMPTY_POSITIONS_LOST}, "account") is not None
        if request.argument("fields") == "positions" and positions and not lost:
            prices = broker.quotes([position.symbol for position in positions])
            shown["positions"] = [
                {
                    "shortQuantity": Decimal(0),
                    "averagePrice": position.average_cost_usd,
                    "longQuantity": position.quantity,
                    "settledLongQuantity": position.quantity,
                    "instrument": {"assetType": "EQUITY", "symbol": _theirs(position.symbol)},
                    "marketValue": position.quantity * prices[position.symbol].price_usd
                    if position.symbol in prices
                    else None,
                }
                for position in positions
            ]
        return Reply(200, {"securitiesAccount": shown})

    def _preference(self, request: Request) -> Reply:
        streamer = {
            "streamerSocketUrl": f"ws://{request.headers.get('X-Served-At')}/ws",
            "schwabClientCustomerId": self.account_hash[:32].lower(),
            "schwabClientCorrelId": self.account_hash[32:].lower(),
            "schwabClientChannel": "N9",
            "schwabClientFunctionId": "APIAPP",
        }
        return Reply(200, {"accounts": [], "streamerInfo": [streamer], "offers": []})


def _balances(account: Account, kind: AccountKind) -> dict[str, Decimal]:
    """Return the money of an account; which rows there are depends on its kind."""
    common = {
        "accruedInterest": Decimal(0),
        "cashBalance": account.cash_usd,
        "liquidationValue": account.equity_usd,
        "longMarketValue": account.equity_usd - account.cash_usd,
        "shortMarketValue": Decimal(0),
    }
    usable = account.usable_cash_usd
    if kind is AccountKind.MARGIN:  # which lends nothing here
        return common | {"availableFunds": usable, "buyingPower": usable}
    return common | {
        "totalCash": account.cash_usd,
        "cashAvailableForTrading": usable,
        "cashAvailableForWithdrawal": usable,
        "unsettledCash": Decimal(0),
    }


def _theirs(symbol: str) -> str:
    return symbol.replace(".", "/")
