"""Memory of a service with the process that its broker's SDK lives in, after a rebalance.

The peer is the same service with the simulated broker, which needs no other process. What is
counted is resident memory; pages that several processes share are counted in each of them, which
is the most that it can be.
"""

from __future__ import annotations

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench._measure import BenchResult
from bench.wire_rebalance import plan
from proof._wire_account import SETUP, WireAccount, runtime_of
from quant_platform_kit.contracts import CycleRequest, Outcome
from quant_platform_kit.runtime import Runtime

_TARGET_MIB: Final = 250
_LIBRARIES: Final = {"ibkr": "ib_async", "schwab": "schwab-py", "longbridge": "longbridge"}
_RESIDENT: Final = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


def run() -> tuple[BenchResult, ...]:
    """Measure each service in a fresh process; `docs/benchmarks.md` has the result."""
    alone, _ = _in_a_fresh_process("")
    return tuple(_result(broker, *_in_a_fresh_process(broker), alone) for broker in _LIBRARIES)


def _result(broker: str, service: float, adapter: float, alone: float) -> BenchResult:
    total = service + adapter
    return BenchResult(
        what=f"memory of a service and its process with {_LIBRARIES[broker]}",
        figure=f"{total:.0f} MiB: {service:.0f} and {adapter:.0f}",
        ratio=f"{total / alone:.2f}x a service with the simulated broker ({alone:.0f} MiB)",
        target=f"at most {_TARGET_MIB} MiB",
        met=total <= _TARGET_MIB,
    )


def _in_a_fresh_process(broker: str) -> tuple[float, float]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, broker).result()


def measured(broker: str) -> tuple[float, float]:
    """Return the MiB of this process as a service, and of its broker's process; blank: none."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if broker:
            with WireAccount(broker, folder, plan()) as account:
                _trade(account.runtime)
                pid = account.watched.inner.pid
                return _resident("self"), _resident(str(pid))
        market = folder / "market.csv"
        plan().write_prices(market)
        variables = {
            "QPK_SIMULATED_MARKET": str(market),
            "QPK_SIMULATED_START": SETUP.isoformat(),
        }
        runtime = runtime_of("ibkr", plan(), folder, variables)
        try:
            _trade(runtime)
            return _resident("self"), 0.0
        finally:
            runtime.close()


def _trade(runtime: Runtime) -> None:
    report = runtime.run(CycleRequest("close", SETUP)).report
    if report.outcome is not Outcome.TRADED:
        raise RuntimeError(f"nothing was traded: {report.reason}")


def _resident(pid: str) -> float:
    """Return resident MiB; Linux alone tells them in a file."""
    found = _RESIDENT.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"process {pid} has no memory")
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    for row in run():
        print(row)
