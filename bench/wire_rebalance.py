"""A rebalance of twenty legs through each broker's SDK and wire, next to the book in process.

The wire's far side is a simulator on this machine that answers at once and allows any number of
messages: what is measured is the platform, the SDK and the protocol. A real broker adds its own
time, TWS its 45 messages a second, and LongBridge its 30 requests in 30 seconds.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from bench._measure import BenchResult
from proof._wire_account import SESSION, SETUP, Plan, WireAccount, runtime_of
from quant_platform_kit.contracts import CycleReport, CycleRequest, Decision
from quant_platform_kit.runtime import Runtime

_LEGS: Final = 20
_ROUNDS: Final = 3
_TARGET_SECS: Final = 5.0
_NAMES: Final = {"ibkr": "Interactive Brokers", "schwab": "Schwab", "longbridge": "LongBridge"}
_IN_PROCESS: Final = "in process"


def plan() -> Plan:
    """Return a plan that sells every one of ten holdings and buys ten others."""
    symbols = [f"S{number:02d}" for number in range(_LEGS)]
    half = _LEGS // 2
    weight = Decimal(1) / (half + 1)
    return Plan(
        {symbol: (20.0 + number, 21.0 + number) for number, symbol in enumerate(symbols)},
        before=Decision.weights(dict.fromkeys(symbols[:half], weight)),
        after=Decision.weights(dict.fromkeys(symbols[half:], weight)),
    )


def run() -> tuple[BenchResult, ...]:
    """Measure new accounts, taking turns; `docs/benchmarks.md` has the result."""
    seconds: dict[str, list[float]] = {name: [] for name in (_IN_PROCESS, *_NAMES)}
    for _ in range(_ROUNDS):
        for name, times in seconds.items():
            times.append(_in_process() if name == _IN_PROCESS else _through(name))
    floor = median(seconds.pop(_IN_PROCESS))
    return tuple(_result(name, median(times), floor) for name, times in seconds.items())


def _result(broker: str, secs: float, floor: float) -> BenchResult:
    return BenchResult(
        what=f"rebalance of {_LEGS} legs through the SDK and the wire of {_NAMES[broker]}",
        figure=f"{secs:.2f} s, {secs / _LEGS * 1e3:.0f} ms a leg",
        ratio=f"{secs / floor:.1f}x the same with the book in process ({floor:.2f} s)",
        target=f"at most {_TARGET_SECS:g} s",
        met=secs <= _TARGET_SECS,
    )


def _through(broker: str) -> float:
    with (
        TemporaryDirectory() as folder,
        WireAccount(broker, Path(folder), plan()) as account,
    ):
        return _rebalanced(account.runtime)


def _in_process() -> float:
    with TemporaryDirectory() as folder:
        market = Path(folder) / "market.csv"
        plan().write_prices(market)
        variables = {
            "QPK_SIMULATED_MARKET": str(market),
            "QPK_SIMULATED_START": SETUP.isoformat(),
            "QPK_SIMULATED_CASH_USD": "10000",
        }
        runtime = runtime_of("ibkr", plan(), Path(folder), variables)
        try:
            return _rebalanced(runtime)
        finally:
            runtime.close()


def _rebalanced(runtime: Runtime) -> float:
    """Return the seconds of a slot on a service that has run one before."""
    _traded(runtime.run(CycleRequest("close", SETUP)).report, _LEGS // 2)
    start = perf_counter()
    report = runtime.run(CycleRequest("close", SESSION)).report
    secs = perf_counter() - start
    _traded(report, _LEGS)
    return secs


def _traded(report: CycleReport, legs: int) -> None:
    filled = [order for order in report.orders if order.filled_quantity == order.quantity]
    if len(filled) != legs:
        raise RuntimeError(f"{len(filled)} of {legs} legs: {report.reason}")


if __name__ == "__main__":
    for row in run():
        print(row)
