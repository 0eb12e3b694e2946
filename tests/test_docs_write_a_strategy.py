"""The guide for strategy authors: its blocks, executed in order as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quant_platform_kit.testing import STRATEGY_CARDS

PAGE = Path(__file__).parent.parent / "docs" / "write-a-strategy.md"
BLOCK = re.compile(
    r"(?:<!-- exits (?P<code>\d+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", flags=re.DOTALL
)
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")


@dataclass(frozen=True)
class Block:
    """One fenced block: what it is, and the exit code its command is said to have."""

    kind: str
    text: str
    code: int

    @property
    def file(self) -> str | None:
        """Return the name of the file that the block is, by its first line."""
        named = FILE.match(self.text)
        return named and named.group(1)


def blocks() -> Iterator[Block]:
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield Block(found["kind"], found["text"], int(found["code"] or 0))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Execute a block of commands, or of Python, the way it stands on the page."""
    program = ["bash", "-euo", "pipefail", "-c"] if block.kind == "bash" else [sys.executable, "-c"]
    return subprocess.run(
        [*program, block.text],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def expect_said(shown: str, output: str) -> None:
    """Require every line that the page shows, in order; ``...`` stands for anything."""
    position = 0
    for line in filter(lambda line: line.strip() != "...", shown.splitlines()):
        pattern = r"\s+".join(".*".join(map(re.escape, word.split("..."))) for word in line.split())
        found = re.compile(pattern).search(output, position)
        assert found is not None, f"{line!r} is not in:\n{output[position:]}"
        position = found.end()


def test_the_guide_does_what_it_says(workplace: Path) -> None:
    output = ""
    for block in blocks():
        if block.kind == "text":
            expect_said(block.text, output)
        elif block.file:
            (workplace / block.file).parent.mkdir(parents=True, exist_ok=True)
            (workplace / block.file).write_text(block.text, encoding="utf-8")
        else:
            done = run(block, workplace)
            assert done.returncode == block.code, f"{block.text}\n{done.stdout}\n{done.stderr}"
            output = done.stdout


def test_the_guide_has_blocks_to_execute() -> None:
    kinds = [block.kind for block in blocks()]

    assert set(kinds) == {"bash", "python", "text", "toml"}
    assert kinds.count("bash") >= 6


def test_the_package_of_the_guide_names_the_group_that_the_catalog_reads() -> None:
    (package,) = (block for block in blocks() if block.file == "package/pyproject.toml")

    project = tomllib.loads(package.text)["project"]
    assert project["entry-points"] == {
        "quant_platform_kit.strategies": {"steady_trend": "my_strategies.steady_trend"}
    }


def test_the_guide_explains_every_card_in_the_order_they_are_tried() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Every card")[2]

    explained = re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)

    assert explained == ["it_loads", *(card.__name__ for card in STRATEGY_CARDS)]
