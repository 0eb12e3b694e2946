"""A service's runtime on each broker's own SDK, connected to that broker's simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from quant_platform_kit.contracts import CycleReport, CycleRequest, FeeModel
from quant_platform_kit.market import xnys
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.simulators import SimulatorProcess, service_variables

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
            "QPK_STATE_DIR": str(folder / "state"),
            **service_variables(
                broker,
                account_id,
                port=simulator.port,
                control_port=simulator.control.port,
                folder=folder,
            ),
        }
        return cls(broker, simulator, environ)

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
