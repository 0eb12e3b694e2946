"""The page about snapshots: its blocks, executed in order as a reader would, against a bucket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.inputs import open_store
from tests import buckets

PAGE = Path(__file__).parent.parent / "docs" / "snapshots.md"
BLOCK = re.compile(
    r"(?:<!-- exits (?P<code>\d+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", flags=re.DOTALL
)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Return the variables of a reader with a bucket."""
    with buckets.running() as url:
        buckets.new_bucket(url, "desk")
        yield {"PATH": os.environ["PATH"], "COLUMNS": "200", "STORAGE_EMULATOR_HOST": url}


def expect_said(shown: str, output: str) -> None:
    """Require every line that the page shows, in order; ``...`` stands for anything."""
    position = 0
    for line in shown.splitlines():
        pattern = r"\s+".join(".*".join(map(re.escape, word.split("..."))) for word in line.split())
        found = re.compile(pattern).search(output, position)
        assert found is not None, f"{line!r} is not in:\n{output[position:]}"
        position = found.end()


def run(commands: str, folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(
        shell, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_page_does_what_it_says(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    output, service = "", ""
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["kind"] == "text":
            expect_said(block["text"], output)
            continue
        code, output = run(block["text"], tmp_path, environment)
        assert code == int(block["code"] or 0), f"{block['text']}\n{output}"
        if "qpk run" in block["text"]:
            service = block["text"]

    # One byte of one object, although no decision reads it, and the same service trades no more.
    change_a_byte(environment["STORAGE_EMULATOR_HOST"], "ranking.csv")
    code, output = run(f"{service.rstrip()} --slot again", tmp_path, environment)
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
