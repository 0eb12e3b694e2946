"""The README's commands, as a stranger types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QPK = Path(sys.executable).parent / "qpk"


@pytest.fixture(scope="module")
def demo_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "output"
    subprocess.run(
        [sys.executable, "-m", "demo", "--months", "3", "--output", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def commands_by_hand() -> list[str]:
    """Return the lines of the README's block that looks at the demo's accounts."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(set -a;.*?)```", text, flags=re.DOTALL)
    assert block is not None
    return block.group(1).splitlines()


def test_every_command_of_the_readme_works_after_the_demo(demo_output: Path) -> None:
    script = "\n".join(["set -e", *commands_by_hand()])
    script = script.replace("demo-output", str(demo_output)).replace(".venv/bin/qpk", str(QPK))
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 (whichever bash the reader has)
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for said in ("latest runs", "TRADED", "BUY", "leg of run"):
        assert said in done.stdout
