"""A service whose store is a PostgreSQL database: the same runs, and nothing of it is a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from quant_platform_kit.contracts import CycleRequest, Outcome
from quant_platform_kit.errors import ReasonCode, SettingsError, SlotBusy, TransientError
from quant_platform_kit.market import SystemClock
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.store import AccountLease

FIRST, NEXT = date(2012, 2, 3), date(2012, 2, 6)
SECRET = "hunter" + "2"

OpenRuntime = Callable[..., Runtime]


@pytest.fixture
def environ(tmp_path: Path, postgresql: str) -> dict[str, str]:
    """Return settings under which the first session buys one stock."""
    config = tmp_path / "macd.json"
    symbols = {"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"}
    config.write_text(json.dumps(symbols))
    return {
        "STRATEGY_PROFILE": "spy_macd_vixy",
        "STRATEGY_CONFIG_PATH": str(config),
        "EXECUTION_MODE": "paper",
        "QPK_STATE_DIR": str(tmp_path / "state"),
        "QPK_STORE_URL": postgresql,
        "QPK_SIMULATED_START": FIRST.isoformat(),
    }


@pytest.fixture
def start(environ: dict[str, str], postgresql: str) -> Iterator[OpenRuntime]:
    """Return a function that starts the account anew."""
    opened: list[Runtime] = []

    def build(**variables: str) -> Runtime:
        opened.append(open_runtime(load_settings("ibkr", environ | variables)))
        return opened[-1]

    yield build
    names = {runtime.parts.store.name for runtime in opened if runtime.parts.store.path is None}
    for runtime in opened:
        runtime.close()
    engine = create_engine(postgresql)
    with engine.begin() as connection:
        for name in names:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


def close_of(session: date) -> CycleRequest:
    return CycleRequest("close", session)


def test_a_slot_runs_once_also_after_a_restart(start: OpenRuntime, tmp_path: Path) -> None:
    first = start().run(close_of(FIRST))
    again = start().run(close_of(FIRST))
    assert first.report.outcome is Outcome.TRADED
    assert (again.repeated, again.report) == (True, first.report)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["simulated-broker.jsonl"]


def test_two_instances_of_a_service_do_not_run_one_account_at_once(start: OpenRuntime) -> None:
    one, other = start(), start()
    lease = AccountLease(one.parts.store, one.parts.account, SystemClock().now)
    with lease.held(), pytest.raises(SlotBusy):
        other.run(close_of(FIRST))
    assert other.run(close_of(FIRST)).report.outcome is Outcome.TRADED


@pytest.mark.parametrize("how", ["paper", "dry_run"])
def test_a18_a_dry_run_reads_the_database_and_leaves_it_as_it_was(
    start: OpenRuntime, how: str, tmp_path: Path
) -> None:
    live = start()
    live.run(close_of(FIRST))
    before = dump(live)
    report = start(EXECUTION_MODE=how).run(close_of(NEXT), dry_run=True).report
    assert report.session == NEXT
    assert dump(live) == before
    assert (tmp_path / "state" / "dry_run.sqlite3").exists()


def dump(runtime: Runtime) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the runtime's schema."""
    with runtime.parts.store.begin() as connection:
        listing = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        names = sorted(connection.scalars(text(listing)))
        return {
            name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}"))), key=str)  # noqa: S608 (its own names)
            for name in names
        }


def test_paper_and_live_share_a_database_and_no_table(start: OpenRuntime) -> None:
    paper = start()
    live = start(EXECUTION_MODE="live")
    assert paper.run(close_of(FIRST)).report.outcome is Outcome.TRADED
    report = live.run(close_of(FIRST)).report  # not the paper run's report
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.LIVE_NEEDS_BROKER)
    assert paper.parts.store.name != live.parts.store.name


def test_a29_the_address_of_the_store_is_never_shown(environ: dict[str, str]) -> None:
    nowhere = f"postgresql+psycopg://trader:{SECRET}@/orders?host={environ['QPK_STATE_DIR']}"
    settings = load_settings("ibkr", environ | {"QPK_STORE_URL": nowhere})
    assert SECRET not in repr(settings)
    with pytest.raises(TransientError, match=r"ibkr_.*_paper cannot be opened") as refused:
        open_runtime(settings)
    assert SECRET not in refused.value.message
    with pytest.raises(SettingsError, match=r"QPK_STORE_URL = \*\*\*: expected postg") as unread:
        load_settings("ibkr", environ | {"QPK_STORE_URL": f"mysql://trader:{SECRET}@db/orders"})
    assert SECRET not in unread.value.message
