"""A store in a folder of its own, on either database, and a report to keep in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import CycleReport, ExecutionMode, Outcome
from quant_platform_kit.store import Store

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)
MakeReport = Callable[..., CycleReport]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a store goes."""
    return tmp_path / "state" / "paper.sqlite3"


@pytest.fixture
def file_store(path: Path) -> Iterator[Store]:
    """Open a store in a file, and close it in the end."""
    opened = Store.open(path)
    yield opened
    opened.close()


@pytest.fixture
def store(open_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    """Open a store on either database."""
    return open_store(tmp_path)


@pytest.fixture
def make_report() -> MakeReport:
    """Return a function that makes a report of one run."""

    def make(run_key: str = "ibkr-1:2020-03-31:close", **changes: object) -> CycleReport:
        usual: dict[str, Any] = {
            "platform": "ibkr",
            "account": "ibkr-1",
            "session": date(2020, 3, 31),
            "slot": "close",
            "mode": ExecutionMode.PAPER,
            "environment": None,
            "outcome": Outcome.TRADED,
            "code": None,
            "reason": "",
            "started_at": NOW,
            "finished_at": NOW,
        }
        return CycleReport(run_key=run_key, **usual | changes)

    return make
