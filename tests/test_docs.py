"""The documents say what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*.md")]
    if ".venv" not in page.parts
)


@pytest.mark.parametrize(
    "program",
    [["quant-platform-kit/scripts/generate_reference.py"], ["-m", "tools.profiles"]],
    ids=["codes and settings", "profiles"],
)
def test_the_generated_reference_is_up_to_date(program: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *program, "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_make_command_of_the_readme_exists() -> None:
    commands = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert commands >= {"demo", "test"}
    assert commands <= targets


def test_every_room_of_the_kit_is_drawn_in_the_architecture() -> None:
    kit = ROOT / "quant-platform-kit" / "src" / "quant_platform_kit"
    rooms = {path.name for path in kit.iterdir() if (path / "__init__.py").exists()}
    rooms |= {path.name for path in kit.glob("*.py") if not path.name.startswith("_")}
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {room for room in rooms if f"`{room}" not in drawn} == set()
