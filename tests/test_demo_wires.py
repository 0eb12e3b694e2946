"""The demo over the brokers' own SDKs, as `make demo-wires` runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_demo_runs_through_three_real_sdks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "--wires", "--months", "3"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 slots, each traded or left alone for a stated reason" in done.stdout
    assert "Fills add up to the broker's cash and positions, to the cent" in done.stdout
    variables = (tmp_path / "out" / "ibkr" / "service.env").read_text()
    assert "QPK_BROKER=ibkr" in variables
