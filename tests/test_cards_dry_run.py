"""Card A18: a dry run shows what would be done, on real data, and leaves every live byte alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest

from quant_platform_kit.contracts import (
    CycleReport,
    CycleRequest,
    Environment,
    ExecutionMode,
    OrderStatus,
    Outcome,
    Side,
)
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings

BOUGHT, SOLD = date(2019, 10, 31), date(2019, 12, 5)
CONFIG = {
    "signal_symbol": "SP500",
    "risk_symbol": "USMV",
    "hedge_symbol": None,
    "benchmark": "SP500",
}
LIVE = ("paper.sqlite3", "paper.sqlite3-wal", "simulated-broker.jsonl")

Start = Callable[..., Runtime]
Orders = list[tuple[str, Side, Decimal]]


def _market() -> str:
    package = find_spec("skfolio")
    assert package is not None
    assert package.submodule_search_locations is not None
    data = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    return os.pathsep.join(
        str(data / f"{name}.csv.gz") for name in ("sp500_index", "factors_dataset")
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the account anew, in a mode."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    opened: list[Runtime] = []

    def build(mode: str, state: Path = tmp_path / "state") -> Runtime:
        variables = {
            "STRATEGY_PROFILE": "spy_macd_vixy",
            "STRATEGY_CONFIG_PATH": str(config),
            "EXECUTION_MODE": mode,
            "QPK_STATE_DIR": str(state),
            "QPK_SIMULATED_MARKET": _market(),
            "QPK_SIMULATED_START": BOUGHT.isoformat(),
        }
        opened.append(open_runtime(load_settings("ibkr", variables)))
        return opened[-1]

    yield build
    for runtime in opened:
        runtime.close()


@pytest.fixture
def invested(start: Start) -> Runtime:
    """Return a paper account that has bought."""
    runtime = start("paper")
    report = runtime.run(CycleRequest("close", BOUGHT)).report
    assert [(order.symbol, order.side) for order in report.orders] == [("USMV", Side.BUY)]
    return runtime


def live_bytes(state: Path) -> dict[str, bytes]:
    """Return the documents that trade; one that is not there counts as empty."""
    files = {name: state / name for name in LIVE}
    return {name: file.read_bytes() if file.exists() else b"" for name, file in files.items()}


def orders(report: CycleReport) -> Orders:
    return [(order.symbol, order.side, order.filled_quantity) for order in report.orders]


def test_a18_a_dry_run_of_a_paper_account_plans_fills_and_changes_no_live_byte(
    invested: Runtime, tmp_path: Path
) -> None:
    before = live_bytes(tmp_path / "state")
    held = invested.parts.broker.positions()

    result = invested.run(CycleRequest("close", SOLD), dry_run=True)

    assert live_bytes(tmp_path / "state") == before
    assert invested.parts.broker.positions() == held
    report = result.report
    assert not result.repeated
    assert (report.mode, report.environment) == (ExecutionMode.DRY_RUN, Environment.SIMULATED)
    assert report.run_key.endswith(":dry_run")
    assert report.outcome is Outcome.TRADED
    (order,) = report.orders
    assert (order.symbol, order.side, order.quantity) == ("USMV", Side.SELL, held[0].quantity)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, order.quantity)
    assert [line.symbol for line in report.positions if line.quantity] == []
    assert report.cash_usd == report.equity_usd


def test_a18_what_a_dry_run_shows_is_what_the_account_then_does(invested: Runtime) -> None:
    shown = invested.run(CycleRequest("close", SOLD), dry_run=True).report
    done = invested.run(CycleRequest("close", SOLD)).report
    assert (done.mode, done.attempt) == (ExecutionMode.PAPER, 1)
    assert orders(shown) == orders(done)
    assert (shown.cash_usd, shown.equity_usd) == (done.cash_usd, done.equity_usd)
    assert shown.positions == done.positions
    assert invested.parts.broker.positions() == ()


def test_a18_a_dry_run_plans_again_each_time(invested: Runtime, tmp_path: Path) -> None:
    before = live_bytes(tmp_path / "state")
    request = CycleRequest("close", SOLD)
    first, second = (invested.run(request, dry_run=True) for _ in range(2))
    assert (first.repeated, second.repeated) == (False, False)
    assert (first.report.attempt, second.report.attempt) == (1, 1)
    assert second.report == first.report
    assert live_bytes(tmp_path / "state") == before


def test_a18_a_dry_run_service_beside_a_paper_account_reads_it_and_changes_no_byte(
    invested: Runtime, start: Start, tmp_path: Path
) -> None:
    invested.close()
    before = live_bytes(tmp_path / "state")

    beside = start("dry_run")
    results = [beside.run(CycleRequest("close", SOLD)) for _ in range(2)]

    assert live_bytes(tmp_path / "state") == before
    for result in results:
        assert not result.repeated
        assert result.report.mode is ExecutionMode.DRY_RUN
        ((symbol, side, filled),) = orders(result.report)
        assert (symbol, side) == ("USMV", Side.SELL)
        assert filled > 0
    assert beside.reports() == (results[1].report,)
    assert beside.report(results[0].report.run_key) == results[1].report


def test_a18_the_slot_that_a_dry_run_used_is_still_free(
    invested: Runtime, start: Start, tmp_path: Path
) -> None:
    invested.close()
    start("dry_run").run(CycleRequest("close", SOLD))
    after = start("paper").run(CycleRequest("close", SOLD))
    assert (after.repeated, after.report.attempt) == (False, 1)
    assert after.report.outcome is Outcome.TRADED


def test_a18_a_dry_run_beside_a_killed_paper_service_reads_its_log_and_changes_no_byte(
    invested: Runtime, start: Start, tmp_path: Path
) -> None:
    # The files of an open account are what a kill leaves: the last commits are in the log alone.
    left = tmp_path / "left"
    shutil.copytree(tmp_path / "state", left, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    before = live_bytes(left)
    assert before["paper.sqlite3-wal"]

    report = start("dry_run", left).run(CycleRequest("close", SOLD)).report

    assert live_bytes(left) == before
    assert [(order.symbol, order.side) for order in report.orders] == [("USMV", Side.SELL)]


def test_a18_a_dry_run_of_a_new_account_begins_from_its_cash_and_opens_no_book(
    start: Start, tmp_path: Path
) -> None:
    runtime = start("dry_run")
    reports = [runtime.run(CycleRequest("close", BOUGHT)).report for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].outcome is Outcome.TRADED
    assert [(order.symbol, order.side) for order in reports[0].orders] == [("USMV", Side.BUY)]
    assert live_bytes(tmp_path / "state") == dict.fromkeys(LIVE, b"")
    assert runtime.parts.broker.positions() == ()
