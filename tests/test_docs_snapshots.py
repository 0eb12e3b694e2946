"""The page about snapshots: its blocks, executed in order as a reader would, against a bucket."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.inputs import open_store
from tests import buckets
from tests.pages import Reader


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Return a reader with a bucket."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with buckets.running() as url:
        buckets.new_bucket(url, "desk")
        variables = {"PATH": os.environ["PATH"], "COLUMNS": "200", "STORAGE_EMULATOR_HOST": url}
        yield Reader(tmp_path, variables)


def test_the_page_does_what_it_says(reader: Reader) -> None:
    reader.read("snapshots.md")

    # One byte of one object, although no decision reads it, and the same service trades no more.
    service = next(block for block in reader.typed if "qpk run" in block)
    change_a_byte(reader.variables["STORAGE_EMULATOR_HOST"], "ranking.csv")
    code, output = reader.run(f"{service.rstrip()} --slot again")
    assert code == ExitCode.BLOCKED, output
    assert "BLOCKED SNAPSHOT_HASH" in output


def change_a_byte(emulator: str, name: str) -> None:
    with buckets.found_by_clients(emulator):
        store = open_store("gs://desk/mega_cap")
        (path,) = (each for each in store.names() if each.endswith(name))
        found = store.read(path)
        assert found is not None
        changed = bytes([found.data[0] ^ 1]) + found.data[1:]
        assert store.replace(path, changed, found.generation)
