"""A service's runtime on each broker's own SDK, connected to that broker's simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from quant_platform_kit.contracts import CycleReport, CycleRequest, FeeModel
from quant_platform_kit.market import xnys
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.simulators import SimulatorProcess
from quant_platform_kit.simulators.longbridge import APP_KEY, APP_SECRET, access_token
from quant_platform_kit.simulators.schwab import token_document

CASH_USD = Decimal(100_000)
FIRST, NEXT, LATER = date(2012, 2, 3), date(2012, 2, 6), date(2012, 3, 30)
"""Of the sample market: the profile buys AAPL, has nothing to do, and changes to IBM."""

_ACCOUNTS = {"ibkr": "DU1234567", "schwab": "12345678", "longbridge": "20000001"}
_FEES = {"ibkr": FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal(1))}
_SYMBOLS = {"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"}


@dataclass(frozen=True, slots=True)
class Wire:
    """One broker's simulator, and what a service needs to trade through it."""

    broker: str
    simulator: SimulatorProcess
    environ: Mapping[str, str]

    @classmethod
    def to(cls, broker: str, folder: Path) -> Wire:
        """Start the simulator of `broker` with a new account on the sample market."""
        account_id = _ACCOUNTS[broker]
        simulator = SimulatorProcess.start(
            broker,
            account_id=account_id,
            market="sample",
            start=xnys().session_open(FIRST),
            cash_usd=CASH_USD,
            fees=_FEES.get(broker),
        )
        config = folder / "macd.json"
        config.write_text(json.dumps(_SYMBOLS))
        environ = {
            "STRATEGY_PROFILE": "spy_macd_vixy",
            "STRATEGY_CONFIG_PATH": str(config),
            "EXECUTION_MODE": "paper",
            "QPK_ACCOUNT_ID": account_id,
            "QPK_STATE_DIR": str(folder / "state"),
            "QPK_BROKER": broker,
            "QPK_SIMULATOR_CONTROL": str(simulator.control.port),
        }
        return cls(broker, simulator, environ | _login(broker, account_id, simulator.port, folder))

    def open(self) -> Runtime:
        """Open the service's runtime; close it when done."""
        return open_runtime(load_settings(self.broker, self.environ))

    def holdings(self) -> dict[str, Decimal]:
        """Return what the account holds, as the broker's own book has it."""
        book = self.simulator.control.book()
        return {row["symbol"]: Decimal(row["quantity"]) for row in book["positions"]}


def close_of(runtime: Runtime, session: date) -> CycleReport:
    """Run the slot at the close of `session`."""
    return runtime.run(CycleRequest("close", session)).report


def _login(broker: str, account_id: str, port: int, folder: Path) -> dict[str, str]:
    if broker == "ibkr":
        return {"IBKR_PORT": str(port)}
    if broker == "longbridge":
        forever = datetime(2100, 1, 1, tzinfo=UTC)
        return {
            "LONGPORT_APP_KEY": APP_KEY,
            "LONGPORT_APP_SECRET": APP_SECRET,
            "LONGPORT_ACCESS_TOKEN": access_token(account_id, expires_at=forever),
            "LONGPORT_HTTP_URL": f"http://127.0.0.1:{port}",
            "LONGPORT_QUOTE_WS_URL": f"ws://127.0.0.1:{port}/quote",
            "LONGPORT_TRADE_WS_URL": f"ws://127.0.0.1:{port}/trade",
        }
    token, secret, dividends = (folder / n for n in ("token.json", "secret", "dividends.csv"))
    token.write_text(json.dumps(token_document(datetime.now(UTC).timestamp())))
    secret.write_text("secret\n")
    dividends.write_text("symbol,ex_date,amount_usd\n")
    return {
        "SCHWAB_APP_KEY": "key",
        "SCHWAB_APP_SECRET_FILE": str(secret),
        "SCHWAB_TOKEN_PATH": str(token),
        "SCHWAB_DIVIDENDS_PATH": str(dividends),
        "SCHWAB_URL": f"http://127.0.0.1:{port}",
    }
