"""A store, and a clock that stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.store import Store

NOW = datetime(2020, 3, 31, 19, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def store(open_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    return open_store(tmp_path)
