"""What a service is told so that it trades through a simulator: the variables of its settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from quant_platform_kit.market import SystemClock
from quant_platform_kit.simulators.longbridge import APP_KEY, APP_SECRET, access_token
from quant_platform_kit.simulators.schwab import token_document

_HOST: Final = "127.0.0.1"
_FOREVER: Final = datetime(2100, 1, 1, tzinfo=UTC)


def service_variables(
    broker: str, account_id: str, *, port: int, control_port: int, folder: Path
) -> dict[str, str]:
    """Return the variables of a service that trades the account of a running simulator.

    Parameters
    ----------
    broker : str
    account_id : str
        Interactive Brokers' paper accounts begin with ``DU``; LongBridge's are digits.
    port, control_port : int
        The simulator's.
    folder : Path
        Gets the files that a login needs: Schwab's token, and that no dividends were paid.
    """
    common = {
        "QPK_BROKER": broker,
        "QPK_ACCOUNT_ID": account_id,
        "QPK_SIMULATOR_CONTROL": str(control_port),
    }
    return common | _LOGINS[broker](account_id, port, folder)


def _ibkr(account_id: str, port: int, folder: Path) -> dict[str, str]:
    del account_id, folder
    # A simulator is in no hurry to hang up.
    return {"IBKR_HOST": _HOST, "IBKR_PORT": str(port), "IBKR_MESSAGES_PER_SEC": "0"}


def _schwab(account_id: str, port: int, folder: Path) -> dict[str, str]:
    del account_id
    token, dividends = folder / "schwab-token.json", folder / "schwab-dividends.csv"
    token.write_text(json.dumps(token_document(SystemClock().now().timestamp())), encoding="utf-8")
    # Simulated prices are adjusted for everything already.
    dividends.write_text("symbol,ex_date,amount_usd\n", encoding="utf-8")
    return {
        "SCHWAB_APP_KEY": "simulated",
        "SCHWAB_APP_SECRET": "simulated",
        "SCHWAB_TOKEN_PATH": str(token),
        "SCHWAB_DIVIDENDS_PATH": str(dividends),
        "SCHWAB_URL": f"http://{_HOST}:{port}",
    }


def _longbridge(account_id: str, port: int, folder: Path) -> dict[str, str]:
    del folder
    return {
        "LONGPORT_APP_KEY": APP_KEY,
        "LONGPORT_APP_SECRET": APP_SECRET,
        "LONGPORT_ACCESS_TOKEN": access_token(account_id, expires_at=_FOREVER),
        "LONGPORT_HTTP_URL": f"http://{_HOST}:{port}",
        "LONGPORT_QUOTE_WS_URL": f"ws://{_HOST}:{port}/quote",
        "LONGPORT_TRADE_WS_URL": f"ws://{_HOST}:{port}/trade",
    }


_LOGINS: Final[Mapping[str, Callable[[str, int, Path], dict[str, str]]]] = {
    "ibkr": _ibkr,
    "schwab": _schwab,
    "longbridge": _longbridge,
}
