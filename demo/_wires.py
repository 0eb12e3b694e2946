"""The demo on wires: one simulator a broker, which the broker's own SDK talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from demo._accounts import DemoAccount
from demo._data import DemoMarket
from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.simulators import SimulatorProcess, service_variables

# Account numbers as each broker writes them, and what each charges.
_NUMBERS: Final = {"ibkr": "DU2500000", "schwab": "50000000", "longbridge": "80000000"}
_FEES: Final = {"ibkr": FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal(1))}


@contextmanager
def simulators(
    accounts: Sequence[DemoAccount],
    market: DemoMarket,
    homes: Mapping[str, Path],
    begins: datetime,
) -> Iterator[dict[str, dict[str, str]]]:
    """Run a simulator for each account; yield the variables of its service, by platform."""
    with ExitStack() as running:
        variables = {}
        for account in accounts:
            home = homes[account.platform].resolve()
            simulator = running.enter_context(
                SimulatorProcess.start(
                    account.platform,
                    account_id=_NUMBERS[account.platform],
                    market=market.setting,
                    start=begins,
                    cash_usd=account.opening_cash_usd,
                    fees=_FEES.get(account.platform),
                )
            )
            variables[account.platform] = service_variables(
                account.platform,
                _NUMBERS[account.platform],
                port=simulator.port,
                control_port=simulator.control.port,
                folder=home,
            )
        yield variables
