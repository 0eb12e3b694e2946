"""How each adapter is opened at a simulator of its broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.brokers import (
    Broker,
)
from quant_platform_kit.market import SystemClock
from quant_platform_kit.simulators import (
    SimulatorControl,
)
from quant_platform_kit.simulators.longbridge import APP_KEY, APP_SECRET, access_token
from quant_platform_kit.simulators.schwab import token_document

_HOST: Final = "127.0.0.1"
_DAY_SECS: Final = 86_400
_OLD_DAYS: Final = 6  # of the seven that a login at Schwab lasts
_LEFT: Final = timedelta(days=9, hours=1)  # of the ninety that a token of LongBridge's does
_LIFE: Final = timedelta(days=90)

ACCOUNTS: Final = {"ibkr": "DU1234567", "schwab": "12345678", "longbridge": "20000001"}
"""The account of a simulator, by platform."""

HASTY_SECS: Final = 0.8
"""The deadline of a connection that a card waits for."""


@dataclass(frozen=True, slots=True)
class Doorstep:
    """Where an adapter connects, and the files that its login needs.

    Parameters
    ----------
    port : int
    control : SimulatorControl
    folder : Path
        Of this account alone.
    dividends : Path
    number : callable
        Returns a number that no other connection has.
    """

    port: int
    control: SimulatorControl
    folder: Path
    dividends: Path
    number: Callable[[], int]


def open_ibkr(login: Mapping[str, Any]) -> Broker:
    """Connect the adapter of Interactive Brokers."""
    from quant_platform_kit.brokers.ibkr import IbkrBroker, IbkrLogin

    return IbkrBroker(IbkrLogin(**login))


def open_schwab(
    login: Mapping[str, Any],
    token: Path,
    tags: Path,
    dividends: Path | None,
    control: SimulatorControl,
) -> Broker:
    """Connect the adapter of Charles Schwab."""
    from quant_platform_kit.brokers.schwab import SchwabBroker, SchwabLogin, TagFile, TokenFile
    from quant_platform_kit.brokers.schwab._dividends import DividendFile

    return SchwabBroker(
        SchwabLogin(**login),
        TokenFile(token),
        TagFile(tags),
        dividends=None if dividends is None else DividendFile(dividends),
        clock=control,
    )


def open_longbridge(
    login: Mapping[str, Any], urls: tuple[str, str, str], control: SimulatorControl
) -> Broker:
    """Connect the adapter of LongBridge."""
    from quant_platform_kit.brokers.longbridge import Address, LongbridgeBroker, LongbridgeLogin

    return LongbridgeBroker(LongbridgeLogin(**login, address=Address(*urls)), clock=control)


def _ibkr(there: Doorstep, account_id: str, *, secs: float, is_old: bool) -> Mapping[str, Any]:
    del is_old
    login = {
        "port": there.port,
        "client_id": there.number(),
        "account": account_id,
        "messages_per_sec": 0,
        "connect_secs": max(secs, 1.0),
        "query_secs": secs,
        "order_secs": secs,
        "bars_secs": secs,
        "cancel_secs": min(secs, 0.5),
        "commission_secs": HASTY_SECS,
        "settle_secs": 0.1,
    }
    return {"login": login}


def _schwab(there: Doorstep, account_id: str, *, secs: float, is_old: bool) -> Mapping[str, Any]:
    token = there.folder / ("old-token.json" if is_old else "token.json")
    now = SystemClock().now().timestamp()
    if not token.exists():
        created = now - (_OLD_DAYS * _DAY_SECS if is_old else 0)
        token.write_text(json.dumps(token_document(now, created_secs=created)), encoding="utf-8")
    login = {
        "app_key": "key",
        "app_secret": "secret",
        "account_id": account_id,
        "base_url": f"http://{_HOST}:{there.port}",
        "timeout_secs": secs,
    }
    return {
        "login": login,
        "token": token,
        "tags": there.folder / "tags.jsonl",
        "dividends": there.dividends,
        "control": there.control,
    }


def _longbridge(
    there: Doorstep, account_id: str, *, secs: float, is_old: bool
) -> Mapping[str, Any]:
    end = there.control.now() + (_LEFT if is_old else _LIFE)
    login = {
        "account_id": account_id,
        "app_key": APP_KEY,
        "app_secret": APP_SECRET,
        # Whose account it opens stands in the token, and not in the settings.
        "access_token": access_token(ACCOUNTS["longbridge"], expires_at=end),
        "timeout_secs": secs,
        "reuse_secs": 0,
        "most_requests": 0,
    }
    base = f"{_HOST}:{there.port}"
    urls = (f"http://{base}", f"ws://{base}/quote", f"ws://{base}/trade")
    return {"login": login, "urls": urls, "control": there.control}


LOGINS: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = {
    "ibkr": _ibkr,
    "schwab": _schwab,
    "longbridge": _longbridge,
}
"""What a platform's opener below is told."""

OPENERS: Final[Mapping[str, Callable[..., Broker]]] = {
    "ibkr": open_ibkr,
    "schwab": open_schwab,
    "longbridge": open_longbridge,
}
"""Functions that connect an adapter; an isolated one finds them here by name."""
