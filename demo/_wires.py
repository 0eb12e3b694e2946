"""The brokers of the demo: a simulator of each one's wire, which its own SDK talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from demo._accounts import DemoAccount
from demo._data import DemoMarket
from quant_platform_kit.simulators import SimulatorProcess, service_variables


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
                    account_id=account.account_id,
                    market=market.setting,
                    start=begins,
                    cash_usd=account.opening_cash_usd,
                    fees=account.fees,
                )
            )
            variables[account.platform] = service_variables(
                account.platform,
                account.account_id,
                port=simulator.port,
                control_port=simulator.control.port,
                folder=home,
            )
        yield variables
