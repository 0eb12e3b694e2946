"""Stores of both kinds for every test of what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import buckets


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    with buckets.running() as url:
        yield url


@pytest.fixture
def line(emulator: str) -> Iterator[buckets.BadLine]:
    """Stand between the store and the emulator."""
    with buckets.bad_line(emulator) as found, buckets.found_by_clients(found.url):
        yield found


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of an empty store, of each kind in turn."""
    if request.param == "folder":
        yield str(tmp_path / "snapshots")
        return
    url: str = request.getfixturevalue("emulator")
    with buckets.found_by_clients(url):
        yield f"gs://{buckets.new_bucket(url)}/some_profile"
